import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import (
    ProbabilityScorer,
    evaluation_scorer,
    floored_log_loss,
    top_k_accuracy,
)


@pytest.fixture(scope="module")
def rare_classes():
    """Rows whose groups cut some classes out of every training fold."""
    generator = np.random.default_rng(0)
    y = np.repeat([225, 62, 14, 1, 230], [30, 30, 30, 2, 1])
    X = np.column_stack(
        [y + generator.normal(scale=20, size=len(y)), generator.normal(size=len(y))]
    )
    groups = np.where(y == 230, 0, np.where(y == 1, 1, generator.integers(0, 3, len(y))))
    return X, y, groups


def test_grid_search_scores_folds_with_unseen_classes(rare_classes):
    X, y, groups = rare_classes
    model = make_pipeline(StandardScaler(), KNeighborsClassifier())
    search = GridSearchCV(
        model,
        {"kneighborsclassifier__n_neighbors": [1, 5, 15]},
        scoring=ProbabilityScorer(floored_log_loss, greater_is_better=False),
        cv=GroupKFold(3),
    ).fit(X, y, groups=groups)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert (scores < 0).all()
    assert search.best_index_ == scores.argmax()


def test_search_on_all_metrics_refits_by_one(rare_classes):
    X, y, groups = rare_classes
    search = GridSearchCV(
        KNeighborsClassifier(),
        {"n_neighbors": [1, 15]},
        scoring=evaluation_scorer,
        refit="top_5_accuracy",
        cv=GroupKFold(3),
    ).fit(X, y, groups=groups)
    for name in ("top_1_accuracy", "top_5_accuracy", "macro_f1", "neg_log_loss"):
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()
    assert search.best_index_ == search.cv_results_["mean_test_top_5_accuracy"].argmax()


def test_columns_are_aligned_through_classes():
    X, y = load_iris(return_X_y=True)
    names = np.array(["z", "a", "m"])[y]
    model = LogisticRegression(max_iter=1000).fit(X, names)
    result = cross_validate(
        model,
        X,
        names,
        scoring={"top_1": ProbabilityScorer(top_k_accuracy, k=1), "own": "accuracy"},
    )
    np.testing.assert_allclose(result["test_top_1"], result["test_own"])


def test_sample_weight_reaches_the_metric():
    model = KNeighborsClassifier(1).fit([[0.0], [1.0]], [0, 1])
    scorer = ProbabilityScorer(top_k_accuracy, k=1)
    assert scorer(model, [[0.0], [1.0]], [0, 0], sample_weight=[3, 1]) == 0.75


def test_a_scorer_survives_pickling_and_shows_itself():
    scorer = pickle.loads(pickle.dumps(ProbabilityScorer(top_k_accuracy, k=3)))
    assert repr(scorer) == "ProbabilityScorer(top_k_accuracy, k=3)"
    model = KNeighborsClassifier(1).fit([[0.0], [1.0]], [0, 1])
    assert scorer(model, [[0.0]], [1]) == 1.0
    assert pickle.loads(pickle.dumps(evaluation_scorer)) is evaluation_scorer


def test_a_classifier_without_probabilities_is_named():
    model = LinearSVC().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(InvalidInputError, match="LinearSVC has no predict_proba"):
        evaluation_scorer(model, [[0.0]], [0])
