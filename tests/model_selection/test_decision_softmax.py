"""Probabilities from decision scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import (
    DecisionSoftmaxClassifier,
    TemperatureScaledClassifier,
    floored_log_loss,
)

X, Y = load_iris(return_X_y=True)


# Not SVC, which fails the checks of weights itself.
@parametrize_with_checks([DecisionSoftmaxClassifier(LogisticRegression())])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_it_is_the_softmax_of_the_scores():
    model = DecisionSoftmaxClassifier(SVC()).fit(X, Y)
    scores = np.exp(SVC().fit(X, Y).decision_function(X))
    np.testing.assert_allclose(
        model.predict_proba(X), scores / scores.sum(axis=1, keepdims=True), rtol=1e-12
    )
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))


def test_two_labels_of_any_type():
    rows = Y < 2
    y = np.array(["P 1", "C 2"])[Y[rows]]
    frame = pd.DataFrame(X[rows], columns=list("abcd"))
    model = DecisionSoftmaxClassifier(LinearSVC(random_state=0)).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    score = model.estimator_.decision_function(frame)
    np.testing.assert_allclose(model.predict_proba(frame)[:, 1], 1 / (1 + np.exp(-score)))
    np.testing.assert_array_equal(model.predict(frame), model.estimator_.predict(frame))


def test_a_temperature_makes_it_as_sure_as_it_is_right():
    plain = DecisionSoftmaxClassifier(SVC()).fit(X[::2], Y[::2])
    scaled = TemperatureScaledClassifier(DecisionSoftmaxClassifier(SVC())).fit(X[::2], Y[::2])
    before, after = (
        floored_log_loss(Y[1::2], m.predict_proba(X[1::2]), labels=[0, 1, 2])
        for m in (plain, scaled)
    )
    assert after < 0.6 * before


def test_parameters_of_the_classifier_inside_can_be_searched():
    search = GridSearchCV(
        DecisionSoftmaxClassifier(SVC()), {"estimator__C": [0.001, 10.0]}, scoring="neg_log_loss"
    )
    assert search.fit(X, Y).best_params_ == {"estimator__C": 10.0}


def test_bad_input_is_named():
    with pytest.raises(InvalidInputError, match="'estimator' parameter of DecisionSoftmax"):
        DecisionSoftmaxClassifier(GaussianNB()).fit(X, Y)
    y = np.arange(len(X)) % 4
    model = DecisionSoftmaxClassifier(SVC(decision_function_shape="ovo")).fit(X, y)
    with pytest.raises(InvalidInputError, match=r"SVC gives 6 scores for 4 labels.*'ovr'"):
        model.predict_proba(X)
