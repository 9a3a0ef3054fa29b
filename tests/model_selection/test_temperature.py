"""The temperature of least floored log loss, and the classifier that it calibrates."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import calibration
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

LABELS = np.array([2, 14, 62, 225])


def calibrated_case(seed, n_rows=4000, concentration=0.7):
    """Probabilities from which the labels were drawn."""
    generator = np.random.default_rng(seed)
    y_proba = generator.dirichlet(np.full(len(LABELS), concentration), n_rows)
    drawn = (generator.random(n_rows)[:, None] > y_proba.cumsum(axis=1)).sum(axis=1)
    return LABELS[np.minimum(drawn, 3)], y_proba


@pytest.mark.parametrize("planted", [0.3, 1.0, 2.5])
def test_finds_the_temperature_that_was_planted(planted):
    y_true, y_proba = calibrated_case(0)
    spoiled = apply_temperature(y_proba, 1 / planted)
    found = fit_temperature(y_true, spoiled, labels=LABELS, floor=1e-12)
    assert found == pytest.approx(planted, rel=0.05)


@pytest.mark.skipif(
    not hasattr(calibration, "_TemperatureScaling"), reason="scikit-learn has it since 1.8"
)
def test_equals_sklearn_where_the_floor_has_no_effect():
    y_true, y_proba = calibrated_case(1, concentration=3.0)
    spoiled = apply_temperature(y_proba, 0.5)
    theirs = calibration._TemperatureScaling().fit(spoiled, np.searchsorted(LABELS, y_true))
    ours = fit_temperature(y_true, spoiled, labels=LABELS, floor=1e-300)
    assert ours == pytest.approx(1 / theirs.beta_, rel=1e-4)


@given(seed=st.integers(0, 2**32 - 1), floor=st.sampled_from([1e-4, 1e-2, 0.2]))
@settings(max_examples=15)
def test_no_temperature_has_a_smaller_floored_loss(seed, floor):
    generator = np.random.default_rng(seed)
    y_proba = generator.dirichlet(np.full(4, 0.2), 60)
    y_proba[generator.random(y_proba.shape) < 0.2] = 0
    y_proba[:, 0] += 1e-3
    y_proba /= y_proba.sum(axis=1, keepdims=True)
    y_true = generator.choice([*LABELS, 99], 60)

    def loss(temperature):
        softened = apply_temperature(y_proba, temperature)
        return floored_log_loss(y_true, softened, labels=LABELS, floor=floor)

    least = loss(fit_temperature(y_true, y_proba, labels=LABELS, floor=floor))
    assert least <= min(loss(t) for t in np.geomspace(0.05, 20, 300)) + 2e-2


def test_unseen_and_impossible_labels_have_no_say():
    y_true, y_proba = calibrated_case(2, n_rows=500)
    alone = fit_temperature(y_true, y_proba, labels=LABELS)
    y_true = np.append(y_true, [227, 2])
    y_proba = np.vstack([y_proba, [0, 0, 0.5, 0.5], [0, 1.0, 0, 0]])
    assert fit_temperature(y_true, y_proba, labels=LABELS) == pytest.approx(alone)
    assert fit_temperature([227, 227], y_proba[:2], labels=LABELS) == 1.0


def test_weights_repeat_rows():
    y_true, y_proba = calibrated_case(3, n_rows=300)
    repeats = np.random.default_rng(0).integers(0, 3, 300)
    weighted = fit_temperature(y_true, y_proba, labels=LABELS, sample_weight=repeats)
    repeated = fit_temperature(
        np.repeat(y_true, repeats), np.repeat(y_proba, repeats, axis=0), labels=LABELS
    )
    assert weighted == pytest.approx(repeated, rel=1e-4)


@given(st.floats(0.05, 20), st.integers(0, 2**32 - 1))
def test_order_and_zeros_stay(temperature, seed):
    y_proba = np.random.default_rng(seed).dirichlet(np.full(6, 0.5), 20)
    y_proba[:, 2] = 0
    softened = apply_temperature(y_proba, temperature)
    np.testing.assert_allclose(softened.sum(axis=1), 1)
    assert (softened[:, 2] == 0).all()
    top = np.arange(20), y_proba.argmax(axis=1)
    np.testing.assert_array_equal(softened[top], softened.max(axis=1))
    back = apply_temperature(apply_temperature(y_proba, 2.0), 0.5)
    np.testing.assert_allclose(back, y_proba / y_proba.sum(axis=1, keepdims=True), atol=1e-12)


def test_certain_and_right_changes_nothing():
    assert fit_temperature(LABELS, np.eye(4), labels=LABELS) == 1.0


@pytest.mark.parametrize(
    ("y_proba", "temperature", "reason"),
    [
        ([[0.5, 0.5]], 0, "above 0, got 0"),
        ([[0.5, 0.5]], None, "got None"),
        ([[0.5, 0.5]], "1", "got '1'"),
        ([[0.5, 0.5], [0.0, 0.0]], 1, "row 1, .*0.0"),
        ([[np.nan, 0.5]], 1, "row 0"),
        ([[-0.5, 0.5]], 1, "row 0, .*-0.5"),
        ([0.5, 0.5], 1, r"shape \(2,\)"),
    ],
)
def test_bad_input_is_named(y_proba, temperature, reason):
    with pytest.raises(InvalidInputError, match=f"apply_temperature: .*{reason}"):
        apply_temperature(y_proba, temperature)


def test_the_floor_is_a_probability():
    with pytest.raises(InvalidInputError, match="fit_temperature: floor must lie"):
        fit_temperature([2], [[1.0, 0, 0, 0]], labels=LABELS, floor=1)


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
