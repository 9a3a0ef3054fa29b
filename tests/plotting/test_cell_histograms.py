import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError, SchemaError
from crystalml.plotting import plot_angle_deviations, plot_cell_angles, plot_cell_lengths

ALL = [plot_cell_lengths, plot_cell_angles, plot_angle_deviations]
each = pytest.mark.parametrize("plot", ALL)


@pytest.fixture(scope="module")
def cells():
    return load_cod_inorganic().data.head(1000)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("plot", "columns"), [(plot_cell_lengths, "abc"), (plot_cell_angles, None)]
)
def test_steps_are_histograms_of_all_cells(cells, plot, columns):
    ax = plot(cells)
    for patch, name in zip(ax.patches, columns or ("alpha", "beta", "gamma"), strict=True):
        counts, edges, _ = patch.get_data()
        np.testing.assert_array_equal(counts, np.histogram(cells[name], edges)[0])
        assert counts.sum() == len(cells)
    assert ax.get_ylabel() == "entries"


def test_axes_have_units_and_legends_have_medians(cells):
    ax = plot_cell_lengths(cells)
    assert ax.get_xlabel() == "cell length / Å"
    assert ax.get_xscale() == "log"
    assert legend(ax)[0] == f"a: median {cells['a'].median():.2f} Å"
    assert plot_cell_angles(cells).get_xlabel() == "cell angle / degrees"


def test_right_angles_are_one_bin_and_counted(cells):
    ax = plot_cell_angles(cells)
    counts, edges, _ = ax.patches[0].get_data()
    at_90 = np.searchsorted(edges, 90) - 1
    assert counts[at_90] >= (cells["alpha"] == 90).sum()
    assert edges[at_90] == pytest.approx(180 - edges[at_90 + 1])
    share = np.isclose(cells["beta"], 90, atol=5e-4).mean()
    assert legend(ax)[1] == rf"$\beta$: {share:.0%} are 90°"


def test_cells_with_right_angles_only():
    ax = plot_cell_angles([[4, 5, 6, 90, 90, 90]])
    assert [patch.get_data()[0].sum() for patch in ax.patches] == [1, 1, 1]
    ax = plot_angle_deviations([[4, 5, 6, 90, 90, 90]])
    assert [patch.get_data()[0].sum() for patch in ax.patches] == [0, 0, 0]


def test_deviations_are_those_from_the_nearest_special_angle(cells):
    ax = plot_angle_deviations(cells)
    distance = np.minimum(abs(cells["gamma"] - 90), abs(cells["gamma"] - 120))
    counts, edges, _ = ax.patches[2].get_data()
    np.testing.assert_array_equal(counts, np.histogram(distance[distance >= 5e-4], edges)[0])
    assert counts.sum() + (distance < 5e-4).sum() == len(cells)
    assert legend(ax)[2] == rf"$\gamma$: {(distance < 5e-4).mean():.0%} exactly special"
    ax = plot_angle_deviations(cells, references=[90])
    assert ax.get_xlabel() == "distance to 90° / degrees"
    assert ax.patches[2].get_data()[0].sum() > counts.sum()


@each
def test_curves_differ_in_colour_and_line(cells, plot):
    patches = plot(cells).patches
    assert len({patch.get_edgecolor() for patch in patches}) == 3
    assert len({patch.get_linestyle() for patch in patches}) == 3


@each
def test_rows_without_a_cell_are_counted(cells, plot):
    broken = cells.head(20).copy()
    broken.iloc[3, broken.columns.get_loc("a")] = np.nan
    broken.iloc[4, broken.columns.get_loc("gamma")] = 200.0
    ax = plot(broken)
    assert ax.get_ylabel() == "entries (2 without a cell left out)"
    with pytest.raises(InvalidInputError, match=rf"{plot.__name__}: none of the 2 rows"):
        plot(broken.iloc[3:5])


@each
def test_it_draws_where_it_is_told_arrays_too(cells, plot):
    _, ax = pyplot.subplots()
    assert plot(cells[["a", "b", "c", "alpha", "beta", "gamma"]].to_numpy(), ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1
    ax.figure.canvas.draw()


def test_bad_input_is_named():
    with pytest.raises(SchemaError, match="'b'"):
        plot_cell_lengths(pd.DataFrame({"a": [1.0]}))
    for references in ([], [0], [[90]]):
        with pytest.raises(InvalidInputError, match=r"references must be angles in \(0, 180\)"):
            plot_angle_deviations([[4, 5, 6, 90, 90, 90]], references=references)
