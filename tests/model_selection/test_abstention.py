"""Withheld answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import abstain_below, risk_coverage_curve

LABELS = np.array([2, 14, 62])


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_each_row_of_the_curve_is_what_abstaining_gives(seed):
    generator = np.random.default_rng(seed)
    y_proba = generator.dirichlet(np.ones(3), 40).round(1)
    y_proba /= y_proba.sum(axis=1, keepdims=True)
    y_true = generator.choice([2, 14, 62, 225], 40)
    curve = risk_coverage_curve(y_true, y_proba, labels=LABELS)
    assert (np.diff(curve["threshold"]) < 0).all()
    assert (np.diff(curve["coverage"]) > 0).all()
    assert curve["coverage"].iloc[-1] == pytest.approx(1)
    for row in curve.itertuples():
        answers = abstain_below(y_proba, row.threshold, labels=LABELS)
        answered = np.array([answer is not None for answer in answers])
        assert row.count == answered.sum()
        assert row.coverage == pytest.approx(answered.mean())
        assert row.accuracy == pytest.approx((answers[answered] == y_true[answered]).mean())
        assert row.risk == pytest.approx(1 - row.accuracy)


def test_weights_repeat_rows_and_rows_without_weight_make_no_point():
    generator = np.random.default_rng(0)
    y_proba, y_true = generator.dirichlet(np.ones(3), 50), generator.choice(LABELS, 50)
    repeats = generator.integers(0, 3, 50)
    weighted = risk_coverage_curve(y_true, y_proba, labels=LABELS, sample_weight=repeats)
    repeated = risk_coverage_curve(
        np.repeat(y_true, repeats), np.repeat(y_proba, repeats, axis=0), labels=LABELS
    )
    columns = ["threshold", "coverage", "accuracy"]
    np.testing.assert_allclose(weighted[columns], repeated[columns])


def test_extreme_thresholds_and_labels_of_any_type():
    y_proba = [[0.5, 0.5], [0.0, 1.0]]
    labels = ["P1", "Pnma"]
    assert abstain_below(y_proba, 0, labels=labels).tolist() == ["P1", "Pnma"]
    assert abstain_below(y_proba, 1, labels=labels).tolist() == [None, "Pnma"]
    assert abstain_below(y_proba, 0.6, labels=labels, abstain_label="?").tolist() == ["?", "Pnma"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: abstain_below([[0.5, 0.5]], 1.5, labels=[1, 2]), "abstain_below: .* got 1.5"),
        (lambda: abstain_below([[0.5, 0.5]], 0.5, labels=[1]), "abstain_below: .*1 labels"),
        (lambda: abstain_below([[0.5, 5.0]], 0.5, labels=[1, 2]), "abstain_below: .*row 0"),
        (lambda: risk_coverage_curve([1], [[2.0]], labels=[1]), "risk_coverage_curve: .*row 0"),
    ],
)
def test_bad_input_is_named(call, reason):
    with pytest.raises(InvalidInputError, match=reason):
        call()
