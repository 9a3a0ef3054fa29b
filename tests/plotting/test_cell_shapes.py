import numpy as np
import pytest
from matplotlib import pyplot

from crystalml.crystallography import CRYSTAL_SYSTEMS, cell_volume
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.plotting import (
    plot_axis_ratio_densities,
    plot_axis_ratio_scatter,
    plot_shape_factor,
    plot_volume_anisotropy,
)

ALL = [
    plot_axis_ratio_densities,
    plot_axis_ratio_scatter,
    plot_shape_factor,
    plot_volume_anisotropy,
]


@pytest.fixture(scope="module")
def cod():
    return load_cod_inorganic().frame.head(1000)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_densities_are_those_of_the_logarithm(cod):
    ax = plot_axis_ratio_densities(cod)
    ratios = (cod["b"] / cod["a"], cod["c"] / cod["a"], cod["c"] / cod["b"])
    for patch, ratio in zip(ax.patches, ratios, strict=True):
        density, edges, _ = patch.get_data()
        shown = (ratio >= edges[0]) & (ratio < edges[-1])
        assert (density * np.diff(np.log(edges))).sum() == pytest.approx(shown.mean(), abs=2e-3)
        assert shown.mean() > 0.95
    assert legend(ax)[0] == f"b/a: {np.isclose(ratios[0], 1).mean():.0%} are 1"
    assert ax.get_xlabel() == "axis ratio"


def test_points_are_the_ratios_by_crystal_system(cod):
    ax = plot_axis_ratio_scatter(cod, cod["crystal_system"])
    present = [name for name in CRYSTAL_SYSTEMS if (cod["crystal_system"] == name).any()]
    for points, name in zip(ax.collections, present, strict=True):
        rows = cod[cod["crystal_system"] == name]
        expected = np.stack([rows["b"] / rows["a"], rows["c"] / rows["a"]], axis=1)
        np.testing.assert_allclose(points.get_offsets(), expected)
    counts = cod["crystal_system"].value_counts()
    assert legend(ax) == [*(f"{n} ({counts[n]})" for n in present), "two lengths equal"]
    colors = {tuple(points.get_facecolor()[0][:3]) for points in ax.collections}
    assert len(colors) == len(present) == 7
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("axis ratio b/a", "axis ratio c/a")


def test_groups_follow_the_rows_that_are_cells(cod):
    few = cod.head(4).copy()
    few["a"] = [np.nan, 5.0, 5.0, 5.0]
    ax = plot_axis_ratio_scatter(few, ["x", "y", "y", "z"])
    assert legend(ax) == ["y (2)", "z (1)", "two lengths equal"]
    assert ax.get_ylabel() == "axis ratio c/a (1 without a cell left out)"


def test_other_labels_come_by_frequency_seven_at_most(cod):
    labels = np.repeat([*"abcdefghi"], [60, 20, 30, 40, 50, 70, 80, 5, 5])
    ax = plot_axis_ratio_scatter(cod.head(360), labels)
    assert [text[0] for text in legend(ax)[:-1]] == [*"gfaedcb"]


def test_without_groups_all_cells_are_one():
    ax = plot_axis_ratio_scatter([[4.0, 4.0, 6.0, 90, 90, 90], [5.0, 6.0, 7.0, 90, 95, 90]])
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[1, 1.5], [1.2, 1.4]])


@pytest.mark.parametrize("plot", [plot_shape_factor, plot_volume_anisotropy])
def test_hexagons_count_every_cell_once(cod, plot):
    ax = plot(cod, gridsize=20)
    assert ax.collections[0].get_array().sum() == len(cod)
    assert ax.get_xlabel() == "cell volume V / Å$^{3}$"
    assert ax.get_xscale() == "log"
    assert ax.collections[0].colorbar.ax.get_ylabel() == "entries"


def test_hexagons_lie_where_the_cells_are():
    cells = np.array([[4.0, 4.0, 8.0, 90, 90, 90]] * 3)
    ax = plot_volume_anisotropy(cells)
    log_volume, anisotropy = np.average(
        ax.collections[0].get_offsets(), weights=ax.collections[0].get_array(), axis=0
    )
    assert 10**log_volume == pytest.approx(cell_volume(cells)[0], rel=0.1)
    assert anisotropy == pytest.approx(4 / 12, rel=0.1)
    assert ax.get_ylabel() == "anisotropy |a - c| / (a + c)"


def test_shape_factors_have_their_marks(cod):
    ax = plot_shape_factor(cod)
    assert ax.get_ylabel() == "shape factor abc / V"
    assert legend(ax) == ["right angles", "hexagonal axes"]
    heights = [line.get_ydata()[0] for line in ax.lines]
    assert heights == pytest.approx([1, 1 / np.sin(np.radians(120))])


@pytest.mark.parametrize("plot", ALL)
def test_they_draw_where_they_are_told(cod, plot):
    figure, ax = pyplot.subplots(layout="constrained")
    assert plot(cod.head(50), ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1
    figure.canvas.draw()


@pytest.mark.parametrize("plot", ALL)
def test_tables_without_cells_are_named(cod, plot):
    with pytest.raises(InvalidInputError, match=rf"{plot.__name__}: none of the 2 rows"):
        plot(cod.head(2).assign(a=np.nan))
    assert pyplot.get_fignums() == []


def test_bad_input_is_named(cod):
    with pytest.raises(InvalidInputError, match="gridsize must be a whole number > 0, got 0"):
        plot_shape_factor(cod, gridsize=0)
    with pytest.raises(InvalidInputError, match="got 1000 of cells and 1 of groups"):
        plot_axis_ratio_scatter(cod, ["cubic"])
