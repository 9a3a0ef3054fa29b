"""The calibrated classifier as its users see it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import (
    TemperatureScaledClassifier,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    floored_log_loss,
    out_of_fold_probabilities,
)


@parametrize_with_checks([TemperatureScaledClassifier(LogisticRegression(), cv=2)])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


def test_calibrates_on_new_rows(digits):
    X, y = digits
    plain = GaussianNB().fit(X[:1200], y[:1200])
    scaled = TemperatureScaledClassifier(GaussianNB()).fit(X[:1200], y[:1200])
    before, after = (m.predict_proba(X[1200:]) for m in (plain, scaled))
    for metric, factor in ((floored_log_loss, 0.8), (expected_calibration_error, 0.5)):
        values = [metric(y[1200:], p, labels=plain.classes_) for p in (before, after)]
        assert values[1] < factor * values[0]
    assert_allclose(after, apply_temperature(before, scaled.temperature_))
    assert_array_equal(scaled.predict(X), plain.predict(X))


def test_temperature_is_that_of_the_out_of_fold_answers(digits):
    X, y = digits[0][:400], digits[1][:400]
    groups = np.arange(400) // 4
    model = TemperatureScaledClassifier(GaussianNB(), cv=GroupKFold(4)).fit(X, y, groups=groups)
    held_out = out_of_fold_probabilities(GaussianNB(), X, y, groups=groups, cv=GroupKFold(4))
    expected = fit_temperature(y, held_out.y_proba, labels=held_out.labels)
    assert model.temperature_ == expected


def test_rare_classes_and_text_labels(digits):
    X, y = digits[0][:300], np.array(["P n m a", "F m -3 m"], dtype=object)[digits[1][:300] % 2]
    y[7] = "P 1"
    model = TemperatureScaledClassifier(GaussianNB(var_smoothing=0.1)).fit(X, y)
    assert model.classes_.tolist() == ["F m -3 m", "P 1", "P n m a"]
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_single_split_keeps_its_model_and_frozen_estimators_stay(digits):
    X, y = digits
    train, test = next(ShuffleSplit(1, test_size=0.3, random_state=0).split(X))
    inner = GaussianNB().fit(X[train], y[train])
    split = TemperatureScaledClassifier(GaussianNB(), cv=[(train, test)]).fit(X, y)
    frozen = TemperatureScaledClassifier(FrozenEstimator(inner)).fit(X[test], y[test])
    assert_array_equal(split.estimator_.theta_, inner.theta_)
    assert frozen.temperature_ == pytest.approx(split.temperature_)
    assert_allclose(frozen.predict_proba(X), split.predict_proba(X))


def test_pipeline_search_pickle_clone_and_tables(digits):
    X, y = pd.DataFrame(digits[0][:300]).add_prefix("pixel_"), digits[1][:300]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    model = TemperatureScaledClassifier(pipeline, cv=2)
    search = GridSearchCV(
        model, {"estimator__logisticregression__C": [1e-6, 1.0]}, cv=StratifiedKFold(2)
    )
    search.fit(X, y, sample_weight=None)
    assert search.best_params_ == {"estimator__logisticregression__C": 1.0}
    best = search.best_estimator_
    assert best.feature_names_in_.tolist() == list(X.columns)
    again = pickle.loads(pickle.dumps(best))
    assert_array_equal(again.predict_proba(X), best.predict_proba(X))
    assert not hasattr(clone(best), "temperature_")


def test_weights_reach_the_estimator(digits):
    X, y = digits[0][:300], digits[1][:300]
    weight = np.where(y == 3, 50.0, 1.0)
    heavy = TemperatureScaledClassifier(GaussianNB(var_smoothing=0.1)).fit(X, y, weight)
    plain = TemperatureScaledClassifier(GaussianNB(var_smoothing=0.1)).fit(X, y)
    assert heavy.predict_proba(X)[:, 3].mean() > plain.predict_proba(X)[:, 3].mean()
    assert heavy.temperature_ != plain.temperature_


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"floor": 1.0}, "'floor' parameter of TemperatureScaledClassifier"),
        ({"cv": 1}, "'cv' parameter"),
        ({"estimator": LinearSVC()}, "'estimator' parameter"),
        ({"cv": []}, "holds no row out"),
    ],
)
def test_wrong_parameters(digits, parameters, reason):
    model = TemperatureScaledClassifier(GaussianNB()).set_params(**parameters)
    with pytest.raises(InvalidInputError, match=reason):
        model.fit(digits[0][:100], digits[1][:100])
