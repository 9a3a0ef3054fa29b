import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import expected_calibration_error, reliability_curve


def two_classes(confidence, right):
    """Probabilities of two classes whose top answer has the given confidence and truth."""
    confidence = np.asarray(confidence)
    return np.where(right, "yes", "no"), np.column_stack([confidence, 1 - confidence])


@given(seed=st.integers(0, 2**32 - 1), n_bins=st.sampled_from([1, 2, 3, 8, 15, 240]))
def test_bins_are_slices_of_the_sorted_rows(seed, n_bins):
    generator = np.random.default_rng(seed)
    confidence = generator.uniform(0.5, 1, 240)
    right = generator.random(240) < confidence
    y_true, y_proba = two_classes(confidence, right)
    curve = reliability_curve(y_true, y_proba, labels=["yes", "no"], n_bins=n_bins)
    slices = np.argsort(confidence).reshape(n_bins, -1)
    assert curve["count"].tolist() == [240 // n_bins] * n_bins
    np.testing.assert_allclose(curve["accuracy"], right[slices].mean(axis=1))
    np.testing.assert_allclose(curve["confidence"], confidence[slices].mean(axis=1))


def test_calibrated_answers_have_an_error_near_zero_and_overconfident_ones_have_not():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 40_000)
    right = generator.random(40_000) < confidence
    y_true, y_proba = two_classes(confidence, right)
    assert expected_calibration_error(y_true, y_proba, labels=["yes", "no"]) < 0.01
    y_true, y_proba = two_classes(np.minimum(confidence + 0.2, 1), right)
    expected = np.minimum(confidence + 0.2, 1).mean() - confidence.mean()
    error = expected_calibration_error(y_true, y_proba, labels=["yes", "no"])
    assert error == pytest.approx(expected, abs=0.01)


def test_a_constant_answer_has_one_bin_whatever_the_order_of_rows():
    y_true, y_proba = two_classes(np.full(50, 0.7), np.arange(50) < 30)
    curve = reliability_curve(y_true, y_proba, labels=["yes", "no"])
    assert curve.to_dict("list") == {
        "confidence": [pytest.approx(0.7)],
        "accuracy": [pytest.approx(0.6)],
        "count": [50],
        "weight": [pytest.approx(1.0)],
    }


def test_more_bins_than_rows_leave_no_empty_bin():
    y_true, y_proba = two_classes([0.6, 0.8], [True, False])
    curve = reliability_curve(y_true, y_proba, labels=["yes", "no"], n_bins=15)
    assert curve["count"].tolist() == [1, 1]
    assert curve["accuracy"].tolist() == [1.0, 0.0]


def test_rows_without_weight_make_no_bin():
    y_true, y_proba = two_classes([0.6, 0.8], [True, False])
    curve = reliability_curve(y_true, y_proba, labels=["yes", "no"], sample_weight=[0, 2])
    assert curve["confidence"].tolist() == [0.8]


def test_an_unseen_label_is_wrong():
    assert expected_calibration_error([7], [[0.9, 0.1]], labels=[1, 2]) == pytest.approx(0.9)


def test_bins_are_positive():
    with pytest.raises(InvalidInputError, match="n_bins must be at least 1, got 0"):
        reliability_curve([1], [[1.0]], labels=[1], n_bins=0)
