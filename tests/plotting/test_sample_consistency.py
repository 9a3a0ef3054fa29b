"""Circles and crosses stand where models are right and wrong."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.plotting import plot_sample_consistency

Y_TRUE = [14, 62, 227, 2]
PREDICTIONS = {"tree": [14, 14, 225, 2], "two_forests": [14, 62, 225, 1]}


def marks(ax):
    """Rows with circles and rows with crosses of each model, by its label."""
    return {c.get_label(): c.get_offsets().data.tolist() for c in ax.collections}


def names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_circles_are_right_and_crosses_wrong():
    ax = plot_sample_consistency(Y_TRUE, PREDICTIONS)
    # 14 is known by both, 62 and 2 by one, 227 by none.
    assert names(ax.yaxis) == ["14", "62", "2", "227"]
    assert marks(ax) == {
        "tree, right": [[0, 0], [0, 2]],
        "tree, wrong": [[0, 1], [0, 3]],
        "two_forests, right": [[1, 0], [1, 1]],
        "two_forests, wrong": [[1, 2], [1, 3]],
    }
    # The path of a circle is a curve, that of a cross is not filled.
    circle, cross = (c.get_paths()[0] for c in ax.collections[:2])
    assert len(circle.vertices) > 10
    assert len(cross.vertices) == 4
    bottom, top = ax.get_ylim()
    assert top < bottom, "the first row is on top"


def test_models_differ_in_colour_and_count_their_right_answers():
    predictions = {str(i): Y_TRUE for i in range(8)}
    ax = plot_sample_consistency(Y_TRUE, predictions)
    colours = {to_hex(c.get_facecolor()[0]) for c in ax.collections if len(c.get_offsets())}
    assert len(colours) == 8
    assert names(plot_sample_consistency(Y_TRUE, PREDICTIONS).xaxis) == [
        "tree\n2 of 4", "two forests\n2 of 4",
    ]  # fmt: skip
    assert "circle: right, cross: wrong" in ax.get_xlabel()


def test_thirty_samples_are_drawn_by_the_seed():
    y_true = np.arange(200)
    first, same, other = (
        names(plot_sample_consistency(y_true, {"m": y_true}, random_state=seed).yaxis)
        for seed in (0, 0, 1)
    )
    assert len(set(first)) == 30
    assert first == same != other
    assert list(map(int, first)) == sorted(map(int, first))


def test_labels_of_any_type_and_frames_of_predictions():
    index = [9, 4, 7]
    y_true = pd.Series(["NaN", "cP", "aP"], index=index)
    frame = pd.DataFrame({"m": ["NaN", None, "aP"]}, index=index)
    ax = plot_sample_consistency(y_true, frame)
    assert names(ax.yaxis) == ["NaN", "aP", "cP"]
    assert marks(ax)["m, right"] == [[0, 0], [0, 1]]


def test_samples_have_names_and_symbols():
    formulas = ["TiO2", "NaN", "C", "Cu"]
    ax = plot_sample_consistency(Y_TRUE, PREDICTIONS, sample_names=formulas, spacegroups=True)
    assert names(ax.yaxis) == [
        "TiO2, $P2_{1}/c$", "NaN, $Pnma$", r"Cu, $P\overline{1}$", r"C, $Fd\overline{3}m$",
    ]  # fmt: skip
    assert ax.get_ylabel() == "sample, true label"


def test_it_draws_where_it_is_told():
    _, ax = pyplot.subplots()
    assert plot_sample_consistency(Y_TRUE, PREDICTIONS, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"predictions": {}}, r"predictions of shapes \[\]"),
        ({"predictions": {"m": [1]}}, r"shape \(4,\) and predictions of shapes \[\(1,\)\]"),
        ({"y_true": [], "predictions": {"m": []}}, r"shape \(0,\)"),
        ({"n_samples": 0}, "n_samples must be at least 1, got 0"),
        ({"sample_names": ["a"]}, r"4 true labels and sample_names of shape \(1,\)"),
    ],
)
def test_bad_input_is_named(arguments, reason):
    arguments = {"y_true": Y_TRUE, "predictions": PREDICTIONS} | arguments
    with pytest.raises(InvalidInputError, match=f"plot_sample_consistency: .*{reason}"):
        plot_sample_consistency(**arguments)
    assert pyplot.get_fignums() == []


def test_unknown_space_groups_are_named():
    with pytest.raises(SpaceGroupError, match="231"):
        plot_sample_consistency([231], {"m": [231]}, spacegroups=True)
    assert pyplot.get_fignums() == []
