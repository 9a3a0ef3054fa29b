"""The temperature: found again where it was planted, and of least floored log loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import apply_temperature, fit_temperature, floored_log_loss

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
def test_equals_sklearn_where_the_floor_has_no_say():
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
