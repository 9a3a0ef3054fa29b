"""Split-conformal intervals hold what they promise, whatever the predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.exceptions import InvalidInputError
from crystalml.neural._heads import make_head
from crystalml.neural._intervals import conformal_interval, conformal_scores, symmetric_pairs

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def predictions(name, n_rows, rng):
    """Bad predictions of a standard normal target, by any head."""
    head = make_head(name, LEVELS, caller="net")
    values = rng.normal(0.3, 0.1, size=(n_rows, 1, head.width))
    if name == "gaussian":
        values[..., 1] = rng.gamma(2, 0.1, size=(n_rows, 1))
    return head, np.sort(values) if name == "quantile" else values


def covered(interval, y):
    return ((interval[..., 0] <= y) & (y <= interval[..., 1])).mean(axis=0)


@pytest.mark.parametrize("name", ["point", "gaussian", "quantile"])
@pytest.mark.parametrize("coverage", [0.2, 0.5, 0.9])
def test_coverage_is_right_on_average_over_calibrations(name, coverage):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        head, values = predictions(name, 29 + 200, rng)
        y = rng.standard_normal((229, 1))
        scores = conformal_scores(head, values[:29], y[:29])
        interval = conformal_interval(head, values[29:], scores, coverage, caller="net")
        found.append(covered(interval, y[29:]))
    # 29 + 1 times these coverages is a whole number: then the promise is an equality.
    assert np.mean(found) == pytest.approx(coverage, abs=0.02)


@given(st.integers(9, 60), st.floats(0.05, 0.9))
def test_the_rank_is_the_smallest_that_keeps_the_promise(n_rows, coverage):
    head = make_head("point", None, caller="net")
    y = np.arange(1.0, n_rows + 1)[:, None]
    scores = conformal_scores(head, np.zeros((n_rows, 1, 1)), y)
    interval = conformal_interval(head, np.zeros((1, 1, 1)), scores, coverage, caller="net")
    rank = interval[0, 0, 1]
    assert interval[0, 0, 0] == -rank
    assert rank / (n_rows + 1) >= coverage - 1e-9
    assert (rank - 1) / (n_rows + 1) < coverage


def test_too_few_rows_for_so_much_coverage():
    head = make_head("point", None, caller="net")
    scores, values = np.ones((8, 1, 1)), np.zeros((1, 1, 1))
    with pytest.raises(InvalidInputError, match="at least 9 calibration rows, but there were 8"):
        conformal_interval(head, values, scores, 0.9, caller="net")
    assert_array_equal(
        conformal_interval(head, values, np.ones((9, 1, 1)), 0.9, caller="net"), [[[-1, 1]]]
    )


def test_targets_are_calibrated_apart():
    head = make_head("point", None, caller="net")
    rng = np.random.default_rng(0)
    y = rng.standard_normal((500, 2)) * [1, 50]
    scores = conformal_scores(head, np.zeros((500, 2, 1)), y)
    interval = conformal_interval(head, np.zeros((1, 2, 1)), scores, 0.9, caller="net")
    assert_allclose(interval[0, :, 1], np.quantile(abs(y), 0.9, axis=0), rtol=0.02)


def test_quantile_pairs_are_symmetric_and_hold_the_median():
    low, high = symmetric_pairs(np.array([0.05, 0.1, 0.3, 0.5, 0.7, 0.95]))
    assert_array_equal(low, [0, 2, 3])
    assert_array_equal(high, [5, 4, 3])


def test_the_nearest_pair_is_taken():
    head = make_head("quantile", LEVELS, caller="net")
    values = np.array([[[-9.0, -2.0, 0.0, 2.0, 9.0]]])
    scores = np.zeros((99, 1, 3))
    for coverage, end in ((0.93, 9), (0.6, 2), (0.1, 0)):
        interval = conformal_interval(head, values, scores, coverage, caller="net")
        assert_array_equal(interval, [[[-end, end]]])


def test_interval_never_turns_around():
    head = make_head("quantile", LEVELS, caller="net")
    values = np.array([[[1.0, 1.1, 1.2, 1.3, 1.6]]])
    interval = conformal_interval(head, values, np.full((99, 1, 3), -5.0), 0.9, caller="net")
    assert_allclose(interval, 1.3)
