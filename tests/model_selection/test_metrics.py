"""Metrics of probabilities, equal to scikit-learn's where it answers, and levels of symmetry."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer, top_k_accuracy_score

from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.model_selection import (
    SYMMETRY_LEVELS,
    evaluate_probabilities,
    expected_calibration_error,
    floored_log_loss,
    hierarchical_accuracy,
    symmetry_labels,
    top_k_accuracy,
)

LABELS = np.array([2, 14, 62, 225, 227])


def random_case(seed, n_rows=60, labels=LABELS, unseen=()):
    generator = np.random.default_rng(seed)
    y_proba = generator.dirichlet(np.full(len(labels), 0.5), n_rows)
    return generator.choice([*labels, *unseen], n_rows), y_proba


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4))
def test_top_k_equals_sklearn_where_sklearn_answers(seed, k):
    y_true, y_proba = random_case(seed)
    expected = top_k_accuracy_score(y_true, y_proba, k=k, labels=LABELS)
    assert top_k_accuracy(y_true, y_proba, k=k, labels=LABELS) == pytest.approx(expected)


@given(seed=st.integers(0, 2**32 - 1))
def test_log_loss_equals_sklearn_where_no_probability_is_below_the_floor(seed):
    y_true, y_proba = random_case(seed)
    expected = log_loss(y_true, y_proba, labels=LABELS)
    result = floored_log_loss(y_true, y_proba, floor=1e-300, labels=LABELS)
    assert result == pytest.approx(expected, rel=1e-9)


def test_an_unseen_label_is_missed_and_costs_the_floor():
    y_proba = np.eye(5)[[0, 1]]
    y_true = [2, 99]
    assert top_k_accuracy(y_true, y_proba, k=5, labels=LABELS) == 0.5
    assert floored_log_loss(y_true, y_proba, floor=1e-3, labels=LABELS) == pytest.approx(
        -np.log(1e-3) / 2
    )
    scores = evaluate_probabilities(y_true, y_proba, labels=LABELS)
    assert scores["top_1_accuracy"] == 0.5
    # Labels 2 (F1 1), 14 (never true) and 99 (never predicted).
    assert scores["macro_f1"] == pytest.approx(1 / 3)
    assert scores["calibration_error"] == pytest.approx(0.5)
    assert all(np.isfinite(list(scores.values())))


def test_zero_probability_of_a_seen_label_costs_the_floor_and_certainty_nothing():
    assert floored_log_loss([2], np.eye(5)[[1]], labels=LABELS) == pytest.approx(-np.log(1e-4))
    assert str(floored_log_loss([2], np.eye(5)[[0]], labels=LABELS)) == "0.0"


def test_equal_probabilities_rank_in_the_order_of_the_columns():
    y_proba = np.full((5, 5), 0.2)
    for k in range(1, 6):
        assert top_k_accuracy(LABELS, y_proba, k=k, labels=LABELS) == k / 5


def test_a_list_longer_than_the_labels_holds_all_of_them():
    y_true, y_proba = random_case(0)
    assert top_k_accuracy(y_true, y_proba, k=50, labels=LABELS) == 1.0


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_order_of_rows_and_columns_does_not_matter(seed):
    y_true, y_proba = random_case(seed, unseen=(99,))
    generator = np.random.default_rng(seed)
    rows, columns = generator.permutation(len(y_true)), generator.permutation(len(LABELS))
    scores = evaluate_probabilities(y_true, y_proba, labels=LABELS)
    shuffled = evaluate_probabilities(
        y_true[rows], y_proba[rows][:, columns], labels=LABELS[columns]
    )
    assert shuffled == pytest.approx(scores)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_an_integer_weight_repeats_the_row(seed):
    y_true, y_proba = random_case(seed, unseen=(99,))
    repeats = np.random.default_rng(seed).integers(0, 4, len(y_true))
    weighted = evaluate_probabilities(y_true, y_proba, labels=LABELS, sample_weight=repeats)
    repeated = evaluate_probabilities(
        np.repeat(y_true, repeats), np.repeat(y_proba, repeats, axis=0), labels=LABELS
    )
    # A label whose rows weigh nothing still counts as a class in scikit-learn's F1.
    del weighted["macro_f1"], repeated["macro_f1"]
    assert weighted == pytest.approx(repeated)


@pytest.mark.parametrize("as_label", [str, "P{}".format, float])
def test_any_type_of_label(as_label):
    y_true, y_proba = random_case(3, unseen=(99,))
    expected = evaluate_probabilities(y_true, y_proba, labels=LABELS)
    renamed = [as_label(number) for number in y_true]
    result = evaluate_probabilities(
        pd.Series(renamed), pd.DataFrame(y_proba), labels=[as_label(number) for number in LABELS]
    )
    assert result == pytest.approx(expected)


def test_evaluation_agrees_with_the_single_metrics():
    y_true, y_proba = random_case(4)
    scores = evaluate_probabilities(y_true, y_proba, labels=LABELS, floor=1e-2, n_bins=7)
    y_pred = LABELS[y_proba.argmax(axis=1)]
    assert scores == pytest.approx(
        {
            "top_1_accuracy": accuracy_score(y_true, y_pred),
            "top_5_accuracy": 1.0,
            "macro_f1": f1_score(y_true, y_pred, average="macro"),
            "log_loss": floored_log_loss(y_true, y_proba, floor=1e-2, labels=LABELS),
            "calibration_error": expected_calibration_error(
                y_true, y_proba, labels=LABELS, n_bins=7
            ),
        }
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_true": [2, 14]}, r"shape \(2,\).*shape \(1, 5\)"),
        ({"labels": [2, 14]}, "2 labels"),
        ({"labels": [2, 14, 62, 225, 225]}, "225 occurs twice"),
        ({"y_proba": [[np.nan, 0, 0, 0, 1]]}, r"outside \[0, 1\]"),
        ({"y_proba": [[-3.0, 2, 0, 0, 2]]}, r"row 0, .*-3.0.* to .*2.0"),
        ({"y_true": [], "y_proba": np.empty((0, 5))}, "no rows"),
        ({"sample_weight": [0.0]}, "not all zero"),
        ({"sample_weight": [1.0, 1.0]}, "1 numbers"),
        ({"k": 0}, "k must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(arguments, message):
    good = {"y_true": [2], "y_proba": np.eye(5)[[0]], "labels": LABELS}
    with pytest.raises(InvalidInputError, match=f"(?s)top_k_accuracy: .*{message}"):
        top_k_accuracy(**(good | arguments))


@pytest.mark.parametrize("floor", [0, 1, -1e-4, np.nan])
def test_the_floor_is_a_probability(floor):
    with pytest.raises(InvalidInputError, match="floor must lie"):
        floored_log_loss([2], np.eye(5)[[0]], floor=floor, labels=LABELS)


NUMBERS = np.arange(1, 231)


def test_levels_have_the_known_number_of_labels():
    counts = {
        level: len(set(symmetry_labels(NUMBERS, level).tolist())) for level in SYMMETRY_LEVELS
    }
    assert counts == {
        "crystal_system": 7,
        "bravais_lattice": 14,
        "point_group": 32,
        "space_group": 230,
    }


@pytest.mark.parametrize("finer", ["bravais_lattice", "point_group", "space_group"])
def test_a_finer_label_decides_the_crystal_system_up_to_hexagonal_lattices(finer):
    # hP belongs to trigonal and to hexagonal groups alike; every other label to one system.
    systems = symmetry_labels(NUMBERS, "crystal_system")
    labels = symmetry_labels(NUMBERS, finer)
    shared = {
        label for label in set(labels.tolist()) if len(set(systems[labels == label].tolist())) > 1
    }
    assert shared == ({"hP"} if finer == "bravais_lattice" else set())


@given(pairs=st.lists(st.tuples(st.integers(1, 230), st.integers(1, 230)), min_size=1, max_size=40))
def test_accuracy_falls_from_system_through_point_group_to_space_group(pairs):
    y_true, y_pred = np.array(pairs).T
    system, lattice, point_group, group = (
        hierarchical_accuracy(y_true, y_pred, level=level) for level in SYMMETRY_LEVELS
    )
    assert system >= point_group >= group
    assert lattice >= group
    assert group == pytest.approx(accuracy_score(y_true, y_pred))


def test_weights_and_scorer():
    y_true, y_pred = [1, 225], [2, 62]
    assert hierarchical_accuracy(y_true, y_pred, sample_weight=[3, 1]) == 0.75

    scorer = make_scorer(hierarchical_accuracy, level="bravais_lattice")
    model = DummyClassifier(strategy="constant", constant=2).fit([[0.0]], [2])
    assert scorer(model, np.zeros((2, 1)), [1, 3]) == 0.5


def test_bad_levels_and_space_groups_are_named():
    with pytest.raises(InvalidInputError, match=r"level must be one of .*, got 'space group'"):
        hierarchical_accuracy([1], [1], level="space group")
    with pytest.raises(SpaceGroupError):
        hierarchical_accuracy([231], [1], level="space_group")
    with pytest.raises(InvalidInputError, match=r"\(2,\) true and \(1,\) predicted"):
        hierarchical_accuracy([1, 2], [1])
