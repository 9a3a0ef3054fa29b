"""Out-of-fold probabilities: no row is predicted by a model that saw its group."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import out_of_fold_probabilities

X, Y = load_iris(return_X_y=True)


class Witness(ClassifierMixin, BaseEstimator):
    """Remembers the first column of its training rows and the weights it was given."""

    def fit(self, X, y, sample_weight=None, name=None):
        self.seen_ = set(np.asarray(X)[:, 0].tolist())
        self.classes_ = np.unique(y)
        self.weight_ = sample_weight
        self.name_ = name
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_equals_cross_val_predict_where_that_answers():
    cv = KFold(4, shuffle=True, random_state=0)
    ours = out_of_fold_probabilities(GaussianNB(), X, Y, cv=cv)
    theirs = cross_val_predict(GaussianNB(), X, Y, cv=cv, method="predict_proba")
    assert_array_equal(ours.y_proba, theirs)
    assert ours.labels.tolist() == [0, 1, 2]
    assert not ours.unseen.any()
    assert sorted(set(ours.fold)) == [0, 1, 2, 3]


@pytest.mark.parametrize("cv", [3, GroupKFold(3)])
def test_groups_stay_together(cv):
    rng = np.random.default_rng(0)
    y, groups = rng.choice(30, 200), rng.choice(40, 200)
    held_out = out_of_fold_probabilities(Witness(), groups[:, None], y, groups=groups, cv=cv)
    for row, fold in enumerate(held_out.fold):
        assert groups[row] not in held_out.models[fold].seen_


def test_folds_without_groups_spread_every_class():
    y = np.repeat(np.arange(40), np.arange(1, 41) % 7 + 1)
    held_out = out_of_fold_probabilities(Witness(), np.arange(len(y))[:, None], y)
    counts = pd.crosstab(y, held_out.fold)
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1
    assert np.ptp(np.bincount(held_out.fold)) <= 1
    assert_array_equal(held_out.unseen, np.bincount(y)[y] == 1)


def test_an_unseen_label_has_probability_zero():
    y = np.array(["rare"] + ["a", "b"] * 10)
    held_out = out_of_fold_probabilities(GaussianNB(), np.arange(21.0)[:, None], y, cv=3)
    assert held_out.labels.tolist() == ["a", "b", "rare"]
    assert held_out.unseen.tolist() == [True] + [False] * 20
    assert held_out.y_proba[0, 2] == 0
    np.testing.assert_allclose(held_out.y_proba.sum(axis=1), 1)


def test_a_single_split_leaves_the_other_rows_unknown():
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
    groups = np.arange(150) // 5
    held_out = out_of_fold_probabilities(GaussianNB(), X, Y, groups=groups, cv=splitter)
    assert_array_equal(np.isnan(held_out.y_proba).all(axis=1), held_out.fold < 0)
    assert (held_out.fold >= 0).sum() == 45
    assert len(held_out.models) == 1


def test_arguments_of_fit_are_cut_to_the_training_rows():
    weight = np.arange(20.0)
    held_out = out_of_fold_probabilities(
        Witness(),
        weight[:, None],
        np.arange(20) % 2,
        cv=2,
        fit_params={"sample_weight": weight, "name": "same for all"},
    )
    for model in held_out.models:
        assert set(model.weight_) == model.seen_
        assert len(model.weight_) == 10
        assert model.name_ == "same for all"


@pytest.mark.parametrize("container", [pd.DataFrame, csr_array, np.ndarray.tolist])
def test_containers(container):
    expected = out_of_fold_probabilities(LogisticRegression(max_iter=1000), X, Y, cv=2)
    result = out_of_fold_probabilities(LogisticRegression(max_iter=1000), container(X), Y, cv=2)
    np.testing.assert_allclose(result.y_proba, expected.y_proba, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"estimator": LinearSVC()}, "LinearSVC has no predict_proba"),
        ({"y": Y[:9]}, "150 rows, 9 labels"),
        ({"groups": Y[:9]}, "150 labels and 9 groups"),
        ({"groups": Y}, "cv=5 folds need as many groups, got 3"),
        ({"groups": [None] + [1] * 149}, "groups has 1 missing labels .first: row 0"),
        ({"groups": Y, "cv": [([0, 60], [2, 61])]}, "puts rows of one group on both sides"),
        ({"X": X[:2], "y": Y[:2]}, "n_samples=2"),
        ({"cv": [([0, 1, 50], [2, 3]), ([0, 60], [3])]}, "row 3 is held out 2 times"),
    ],
)
def test_bad_input_is_named(arguments, reason):
    with pytest.raises(InvalidInputError, match=f"out_of_fold_probabilities: .*{reason}"):
        out_of_fold_probabilities(**({"estimator": GaussianNB(), "X": X, "y": Y} | arguments))
