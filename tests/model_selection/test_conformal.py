"""The promise of conformal sets, tested on exchangeable rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import (
    conformal_scores,
    conformal_sets,
    conformal_threshold,
    set_coverage,
)

N_LABELS = 12
LABELS = np.arange(N_LABELS)
METHODS = pytest.mark.parametrize("method", ["aps", "lac", "raps"])


def exchangeable_case(seed, n_rows, unseen=0.03):
    """Labels from skewed probabilities, a model that is wrong about them, and unseen labels."""
    generator = np.random.default_rng(seed)
    truth = generator.dirichlet(0.4 / np.arange(1, N_LABELS + 1), n_rows)
    drawn = (generator.random(n_rows)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    y = np.where(generator.random(n_rows) < unseen, 99, np.minimum(drawn, N_LABELS - 1))
    wrong = truth**3 + 0.01 * generator.random(truth.shape)
    return y, wrong / wrong.sum(axis=1, keepdims=True)


def halves(y, y_proba, method, coverage, groups=None):
    """Threshold from the first half, probabilities and labels of the second."""
    half = len(y) // 2
    scores = conformal_scores(y[:half], y_proba[:half], labels=LABELS, method=method)
    groups = groups if groups is None else groups[:half]
    return conformal_threshold(scores, coverage=coverage, groups=groups), half


@METHODS
@pytest.mark.parametrize("coverage", [0.6, 0.9])
def test_coverage_is_as_promised_though_the_model_is_wrong_and_labels_are_unseen(method, coverage):
    n_rows = 20_000
    y, y_proba = exchangeable_case(0, n_rows)
    threshold, half = halves(y, y_proba, method, coverage)
    sets = conformal_sets(y_proba[half:], threshold, method=method, allow_empty=True)
    covered = set_coverage(y[half:], sets, labels=LABELS)["coverage"].item()
    # Both halves are random: four standard deviations of their difference.
    assert abs(covered - coverage) < 4 * np.sqrt(2 * coverage * (1 - coverage) / half)


@METHODS
def test_coverage_of_small_calibrations_on_average(method):
    """The promise holds for any n, on average over calibrations: 20 rows, 600 times."""
    y, y_proba = exchangeable_case(1, 600 * 40, unseen=0.01)
    scores = conformal_scores(y, y_proba, labels=LABELS, method=method).reshape(600, 40)
    covered = [(s[20:] <= conformal_threshold(s[:20], coverage=0.8)).mean() for s in scores]
    promised = np.ceil(21 * 0.8) / 21
    error = np.std(covered) / np.sqrt(600)
    assert np.mean(covered) == pytest.approx(promised, abs=4 * error)


@METHODS
def test_groups_of_labels_are_each_covered(method):
    y, y_proba = exchangeable_case(2, 40_000)
    systems = np.where(np.arange(100) % 3 == 0, "cubic", "other")
    thresholds, half = halves(y, y_proba, method, 0.9, systems[y])
    by_label = thresholds[systems[LABELS]].to_numpy()
    sets = conformal_sets(y_proba[half:], by_label, method=method, allow_empty=True)
    report = set_coverage(y[half:], sets, labels=LABELS, groups=systems[y[half:]])
    assert (abs(report["coverage"] - 0.9) < 6 * report["standard_error"]).all()
    one, _ = halves(y, y_proba, method, 0.9)
    plain = conformal_sets(y_proba[half:], one, method=method, allow_empty=True)
    report = set_coverage(y[half:], plain, labels=LABELS, groups=systems[y[half:]])
    assert abs(report["coverage"] - 0.9).max() > 0.01, "one threshold does not do it"


def test_groups_of_rows_are_each_covered():
    y, y_proba = exchangeable_case(3, 40_000)
    easy = np.where(y_proba.max(axis=1) > 0.9, "easy", "hard")
    thresholds, half = halves(y, y_proba, "lac", 0.9, easy)
    by_row = thresholds[easy[half:]].to_numpy()[:, None]
    sets = conformal_sets(y_proba[half:], by_row, method="lac", allow_empty=True)
    report = set_coverage(y[half:], sets, labels=LABELS, groups=easy[half:])
    assert (abs(report["coverage"] - 0.9) < 6 * report["standard_error"]).all()


def test_with_right_probabilities_adaptive_sets_cover_hard_and_easy_rows_alike():
    generator = np.random.default_rng(4)
    y_proba = generator.dirichlet(0.4 / np.arange(1, N_LABELS + 1), 40_000)
    y = (generator.random(40_000)[:, None] > y_proba.cumsum(axis=1)).sum(axis=1).clip(0, 11)
    easy = y_proba.max(axis=1) > 0.9
    gap, size = {}, {}
    for method in ("aps", "lac"):
        threshold, half = halves(y, y_proba, method, 0.9)
        sets = conformal_sets(y_proba[half:], threshold, method=method, allow_empty=True)
        report = set_coverage(y[half:], sets, labels=LABELS, groups=easy[half:])
        gap[method] = abs(report["coverage"].diff().iloc[-1])
        size[method] = report.loc["all", "mean_size"]
    assert gap["aps"] < 0.02
    assert gap["lac"] > 0.04
    assert size["lac"] < size["aps"]


@METHODS
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_a_set_depends_on_its_row_alone(method, seed):
    _, y_proba = exchangeable_case(seed, 50)
    rows = np.random.default_rng(seed).permutation(50)[:20]
    whole = conformal_sets(y_proba, 0.8, method=method)
    assert (conformal_sets(y_proba[rows], 0.8, method=method) == whole[rows]).all()
    rescaled = conformal_sets(y_proba * (1 - 1e-9), 0.8, method=method)
    assert (rescaled == whole).mean() > 0.99


@METHODS
def test_a_set_holds_the_true_label_exactly_where_its_score_is_below_the_threshold(method):
    y, y_proba = exchangeable_case(5, 500)
    scores = conformal_scores(y, y_proba, labels=LABELS, method=method)
    assert (np.isinf(scores) == (y == 99)).all()
    for threshold in (0.3, 0.9, 0.99):
        sets = conformal_sets(y_proba, threshold, method=method, allow_empty=True)
        seen = y != 99
        assert (sets[seen, y[seen]] == (scores[seen] <= threshold)).all()


@METHODS
def test_sets_grow_with_the_threshold_and_infinity_lists_all(method):
    _, y_proba = exchangeable_case(6, 200)
    y_proba[:, 3] = 0
    previous = np.zeros(y_proba.shape, dtype=bool)
    for threshold in (0.0, 0.5, 0.9, 1.5, np.inf):
        sets = conformal_sets(y_proba, threshold, method=method, allow_empty=True)
        assert (sets >= previous).all()
        previous = sets
    assert previous.all()


@METHODS
def test_more_probable_labels_come_first(method):
    _, y_proba = exchangeable_case(7, 300)
    sets = conformal_sets(y_proba, 0.9, method=method)
    inside = np.where(sets, y_proba, 1).min(axis=1)
    outside = np.where(sets, 0, y_proba).max(axis=1)
    assert (inside >= outside).all()


def test_no_set_is_empty_unless_asked_for():
    y_proba = np.array([[0.9, 0.1], [0.5, 0.5]])
    assert conformal_sets(y_proba, 0.3, method="lac").tolist() == [[True, False], [True, False]]
    allowed = conformal_sets(y_proba, 0.3, method="lac", allow_empty=True)
    assert allowed.tolist() == [[True, False], [False, False]]
    assert conformal_sets(np.empty((0, 2)), 0.3).shape == (0, 2)


def test_the_penalty_shortens_long_sets():
    y_proba = np.full((1, 12), 1 / 12)
    sizes = [
        conformal_sets(y_proba, 0.9, method="raps", penalty=penalty, free_rank=3).sum()
        for penalty in (0.0, 0.02, 0.1, 1.0)
    ]
    assert sizes[0] == conformal_sets(y_proba, 0.9, method="aps").sum()
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 3


@given(st.lists(st.floats(0, 1) | st.just(np.inf), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_threshold_is_the_smallest_score_that_keeps_the_promise(scores, coverage):
    threshold = conformal_threshold(scores, coverage=coverage)
    scores = np.array(scores)
    n_needed = (len(scores) + 1) * coverage
    if np.isfinite(threshold):
        assert (scores <= threshold).sum() >= n_needed - 1e-6
        assert (scores < threshold).sum() < n_needed
    else:
        assert np.isfinite(scores).sum() < n_needed


def test_rounding_does_not_cost_a_row():
    assert conformal_threshold(np.arange(9.0), coverage=0.9) == 8.0
    assert conformal_threshold(np.arange(8.0), coverage=0.9) == np.inf
    assert conformal_threshold(np.arange(99.0), coverage=0.9) == 89.0
    assert conformal_threshold(np.arange(99.0), coverage=0.07) == 6.0


def test_more_unseen_labels_than_the_coverage_allows():
    scores = np.where(np.arange(100) < 15, np.inf, 0.5)
    assert conformal_threshold(scores, coverage=0.9) == np.inf
    assert conformal_threshold(scores, coverage=0.8) == 0.5


def test_unseen_labels_are_never_covered():
    report = set_coverage(["new", "a"], np.ones((2, 2), dtype=bool), labels=["a", "b"])
    assert report.loc["all"].to_dict() == {
        "coverage": 0.5,
        "standard_error": pytest.approx(np.sqrt(0.125)),
        "mean_size": 2.0,
        "median_size": 2.0,
        "count": 2,
    }


def test_weights_of_the_coverage_repeat_rows():
    y, y_proba = exchangeable_case(8, 300)
    sets = conformal_sets(y_proba, 0.8)
    repeats = np.random.default_rng(0).integers(0, 3, 300)
    weighted = set_coverage(y, sets, labels=LABELS, groups=y, sample_weight=repeats)
    repeated = set_coverage(np.repeat(y, repeats), np.repeat(sets, repeats, axis=0), labels=LABELS)
    columns = ["coverage", "mean_size"]
    pd.testing.assert_series_equal(weighted.loc["all", columns], repeated.loc["all", columns])


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda p: conformal_scores([0], p, labels=[0, 1], method="APS"), "got 'APS'"),
        (lambda p: conformal_scores([0], [[0.0, 0.0]], labels=[0, 1]), "zero throughout .*row 0"),
        (lambda p: conformal_scores([0], p, labels=[0]), "1 labels"),
        (lambda p: conformal_scores([0], p, labels=[0, 1], penalty=-1), "got -1"),
        (lambda p: conformal_threshold([0.1], coverage=1), "coverage must lie .* got 1"),
        (lambda p: conformal_threshold([np.nan]), "1 NaN"),
        (lambda p: conformal_threshold([]), r"shape \(0,\)"),
        (lambda p: conformal_threshold([0.1], groups=[1, 2]), "1 scores and groups"),
        (lambda p: conformal_sets(p, [0.1, 0.2, 0.3]), r"threshold has shape \(3,\)"),
        (lambda p: conformal_sets(p[0], 0.1), r"shape \(2,\)"),
        (lambda p: set_coverage([0], p, labels=[0, 1], groups=[1, 2]), "1 rows and groups"),
    ],
)
def test_bad_input_is_named(call, reason):
    with pytest.raises(InvalidInputError, match=reason):
        call(np.array([[0.5, 0.5]]))
