import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from crystalml.crystallography import CRYSTAL_SYSTEMS
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.plotting import plot_confusion_matrix

Y_TRUE = [2, 14, 14, 225, 225, 225, 62]
Y_PRED = [2, 2, 14, 225, 227, 62, 62]


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_crystal_systems_are_counted_by_row():
    ax = plot_confusion_matrix(Y_TRUE, Y_PRED)
    assert tick_labels(ax.xaxis) == ["triclinic", "monoclinic", "orthorhombic", "cubic"]
    assert tick_labels(ax.yaxis) == [
        "triclinic (1)",
        "monoclinic (2)",
        "orthorhombic (1)",
        "cubic (3)",
    ]
    share = ax.images[0].get_array()
    np.testing.assert_allclose(
        share, [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0], [0, 0, 1 / 3, 2 / 3]]
    )
    counts = {tuple(text.get_position()): text.get_text() for text in ax.texts}
    assert counts == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 2): "1", (2, 3): "1", (3, 3): "2"}


def test_axes_and_colour_bar_say_what_they_show():
    ax = plot_confusion_matrix(Y_TRUE, Y_PRED, level="bravais_lattice")
    assert ax.get_xlabel() == "predicted Bravais lattice"
    assert ax.get_ylabel() == "true Bravais lattice (entries)"
    assert ax.images[0].colorbar.ax.get_ylabel() == "share of the true Bravais lattice"
    assert tick_labels(ax.xaxis) == ["aP", "mP", "oP", "cF"]


def test_all_systems_come_in_the_order_of_international_tables():
    numbers = np.arange(230, 0, -1)
    assert tick_labels(plot_confusion_matrix(numbers, numbers).xaxis) == list(CRYSTAL_SYSTEMS)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "$P1$"),
        (2, r"$P\overline{1}$"),
        (14, "$P2_{1}/c$"),
        (19, "$P2_{1}2_{1}2_{1}$"),
        (149, "$P312$"),
        (178, "$P6_{1}22$"),
        (194, "$P6_{3}/mmc$"),
        (225, r"$Fm\overline{3}m$"),
    ],
)
def test_space_groups_are_shown_by_typeset_symbol(number, text):
    ax = plot_confusion_matrix([number], [number], level="space_group")
    assert tick_labels(ax.xaxis) == [text]


def test_point_groups_are_typeset_and_all_fit():
    numbers = np.arange(1, 231)
    names = tick_labels(plot_confusion_matrix(numbers, numbers, level="point_group").xaxis)
    assert len(names) == 32
    assert names[-1] == r"$m\overline{3}m$"
    assert "$622$" in names


def test_the_rarest_labels_are_merged():
    y_true = np.repeat([225, 62, 14, 2], [4, 3, 2, 1])
    y_pred = np.where(y_true == 2, 14, y_true)
    ax = plot_confusion_matrix(y_true, y_pred, level="space_group", max_labels=3)
    assert tick_labels(ax.xaxis) == ["$Pnma$", r"$Fm\overline{3}m$", "2 others"]
    assert tick_labels(ax.yaxis)[-1] == "2 others (3)"
    np.testing.assert_array_equal(ax.images[0].get_array(), np.eye(3))


def test_the_worst_labels_are_shown_and_all_others_merged():
    y_true = np.repeat([225, 62, 14, 2, 139], [40, 10, 5, 5, 1])
    y_pred = y_true.copy()
    y_pred[40:46], y_pred[50:53] = 14, 62  # 62 and 14 are wrong most often, 225 never
    ax = plot_confusion_matrix(y_true, y_pred, level="space_group", worst=2)
    assert tick_labels(ax.yaxis) == ["$P2_{1}/c$ (5)", "$Pnma$ (10)", "3 others (46)"]
    counts = {tuple(text.get_position()): text.get_text() for text in ax.texts}
    assert counts == {(0, 0): "2", (1, 0): "3", (0, 1): "6", (1, 1): "4", (2, 2): "46"}
    ax = plot_confusion_matrix(y_true, y_pred, worst=30)
    assert tick_labels(ax.xaxis)[-1] == "cubic"


def test_a_label_that_is_only_predicted_has_an_empty_row():
    ax = plot_confusion_matrix([2, 2], [2, 225])
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0.5, 0.5], [0, 0]])


def test_counts_are_readable_on_their_background():
    ax = plot_confusion_matrix([225] * 9 + [62], [225] * 8 + [62] * 2)
    colours = {text.get_text(): to_rgb(text.get_color()) for text in ax.texts}
    assert colours["8"] == (0, 0, 0)
    assert colours["1"] in {(0, 0, 0), (1, 1, 1)}


def test_large_matrices_have_no_numbers():
    numbers = np.arange(1, 231)
    assert not plot_confusion_matrix(numbers, numbers, level="space_group").texts


def test_it_draws_where_it_is_told():
    _, ax = pyplot.subplots()
    assert plot_confusion_matrix(Y_TRUE, Y_PRED, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named():
    with pytest.raises(
        InvalidInputError, match=r"shape \(1,\) and predicted labels of shape \(2,\)"
    ):
        plot_confusion_matrix([1], [1, 2])
    with pytest.raises(InvalidInputError, match="not empty"):
        plot_confusion_matrix([], [])
    with pytest.raises(InvalidInputError, match="max_labels must be at least 2, got 1"):
        plot_confusion_matrix([1], [1], max_labels=1)
    with pytest.raises(InvalidInputError, match="worst must be at least 1, got 0"):
        plot_confusion_matrix([1], [1], worst=0)
    with pytest.raises(InvalidInputError, match="level must be one of"):
        plot_confusion_matrix([1], [1], level="lattice")
    with pytest.raises(SpaceGroupError):
        plot_confusion_matrix([0], [1])
