import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from crystalml.crystallography import CRYSTAL_SYSTEMS
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.plotting import plot_correlations, plot_scatter_matrix

COLUMNS = ["formula", "a", "c", "volume"]


@pytest.fixture(scope="module")
def cod():
    return load_cod_inorganic().frame.head(400)


@pytest.mark.parametrize("method", ["spearman", "pearson", "kendall"])
def test_cells_are_the_coefficients_of_numeric_columns(cod, method):
    ax = plot_correlations(cod[COLUMNS], method=method)
    expected = cod[COLUMNS[1:]].corr(method)
    np.testing.assert_allclose(ax.images[0].get_array(), expected)
    assert [label.get_text() for label in ax.get_yticklabels()] == COLUMNS[1:]
    texts = {tuple(text.get_position()): text.get_text() for text in ax.texts}
    assert texts[2, 0] == texts[0, 2] == f"{expected.iloc[0, 2]:.2f}"
    assert ax.images[0].get_clim() == (-1, 1)
    assert ax.images[0].colorbar.ax.get_ylabel() == f"{method.capitalize()} correlation"


def test_columns_that_do_not_vary_have_no_number(cod):
    ax = plot_correlations(cod[["a", "c"]].assign(same=1.0))
    array = ax.images[0].get_array()
    assert array.mask[2].all()
    assert not array.mask[:2, :2].any()
    assert len(ax.texts) == 4
    ax.figure.canvas.draw()


def test_large_matrices_have_no_numbers():
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.random((5, 17))).add_prefix("x")
    assert not plot_correlations(table).texts


def test_panels_are_histograms_and_scatters(cod):
    axes = plot_scatter_matrix(cod[COLUMNS], log=["volume"])
    assert axes.shape == (3, 3)
    np.testing.assert_array_equal(axes[2, 0].collections[0].get_offsets(), cod[["a", "volume"]])
    assert sum(patch.get_height() for patch in axes[1, 1].patches) == len(cod)
    assert [ax.get_yscale() for ax in axes[:, 1]] == ["linear", "linear", "log"]
    assert [ax.get_xscale() for ax in axes[1]] == ["linear", "linear", "log"]


def test_logarithmic_panels_write_no_numbers_between_the_powers_of_ten(cod):
    table = cod[COLUMNS].assign(b=np.linspace(3, 40, len(cod)))
    for ax in plot_scatter_matrix(table, log=["b", "volume"]).flat:
        for axis in (ax.xaxis, ax.yaxis):
            shown = [tick.label1 for tick in axis.get_minor_ticks() if tick.label1.get_visible()]
            assert not any(label.get_text() for label in shown)


def test_outer_panels_have_labels_with_units(cod):
    axes = plot_scatter_matrix(cod[COLUMNS])
    assert axes[2, 1].get_xlabel() == axes[0, 1].get_xlabel() == "cell length c / Å"
    assert axes[2, 0].get_ylabel() == "cell volume V / Å$^{3}$"
    seen = np.array([[ax.xaxis.label.get_visible() for ax in row] for row in axes])
    assert seen.tolist() == [[False] * 3, [False] * 3, [True] * 3]
    seen = np.array([[ax.yaxis.label.get_visible() for ax in row] for row in axes])
    assert seen.tolist() == [[False, False, True], [True, False, False], [True, False, False]]
    assert axes[0, 2].get_ylabel() == "cell length a / Å"


def test_groups_have_colours_of_their_own(cod):
    axes = plot_scatter_matrix(cod[COLUMNS], cod["crystal_system"])
    points = axes[1, 0].collections
    assert [group.get_label() for group in points] == list(CRYSTAL_SYSTEMS)
    assert len({tuple(group.get_facecolor()[0]) for group in points}) == 7
    cubic = cod.loc[cod["crystal_system"] == "cubic", ["a", "c"]]
    np.testing.assert_array_equal(points[-1].get_offsets(), cubic)
    assert sum(patch.get_height() for patch in axes[0, 0].patches) == len(cod)
    (legend,) = axes[0, 0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(CRYSTAL_SYSTEMS)


def test_rare_groups_are_grey(cod):
    labels = np.append(np.repeat(np.arange(8), 49), [8] * 8)
    points = plot_scatter_matrix(cod[COLUMNS], labels)[1, 0].collections
    assert points[0].get_label() == "others"
    assert len(points[0].get_offsets()) == 49 + 8
    assert len(points) == 8


def test_missing_and_negative_values_do_no_harm(cod):
    table = cod[COLUMNS].copy()
    table.iloc[0, 1] = np.nan
    table.iloc[1, 3] = -5.0
    axes = plot_scatter_matrix(table, log=["volume"])
    axes[0, 0].figure.canvas.draw()
    assert sum(patch.get_height() for patch in axes[0, 0].patches) == len(cod) - 1
    assert sum(patch.get_height() for patch in axes[2, 2].patches) == len(cod) - 1


def test_they_draw_where_they_are_told(cod):
    _, ax = pyplot.subplots()
    assert plot_correlations(cod[COLUMNS], ax=ax) is ax
    _, axes = pyplot.subplots(3, 3)
    assert (plot_scatter_matrix(cod[COLUMNS], axes=axes) == axes).all()
    assert len(pyplot.get_fignums()) == 2


def test_bad_input_is_named(cod):
    with pytest.raises(InvalidInputError, match=r"method must be one of .*, got 'cosine'"):
        plot_correlations(cod, method="cosine")
    with pytest.raises(InvalidInputError, match=r"got 400 rows with the numeric columns \['a'\]"):
        plot_correlations(cod[["formula", "a"]])
    with pytest.raises(InvalidInputError, match=r"table must be a DataFrame, .* got ndarray"):
        plot_scatter_matrix(np.eye(2))
    with pytest.raises(InvalidInputError, match=r"log=\['b'\]"):
        plot_scatter_matrix(cod[COLUMNS], log=["b"])
    with pytest.raises(InvalidInputError, match="got 400 of rows and 2 of groups"):
        plot_scatter_matrix(cod[COLUMNS], [1, 2])
    with pytest.raises(InvalidInputError, match="axes must be 3 x 3 Axes, got 2"):
        plot_scatter_matrix(cod[COLUMNS], axes=pyplot.subplots(1, 2)[1])
    with pytest.raises(InvalidInputError, match=r"columns \['c'\] have no value that can"):
        plot_scatter_matrix(cod[COLUMNS].assign(c=-1.0), log=["c"])
    with pytest.raises(InvalidInputError, match="at most 10 numeric columns"):
        plot_scatter_matrix(pd.DataFrame(np.eye(11)))
