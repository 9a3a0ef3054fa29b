import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.metrics import mean_absolute_error, r2_score

from crystalml.exceptions import InvalidInputError
from crystalml.plotting import (
    plot_predictions,
    plot_regression_diagnostics,
    plot_residual_distribution,
    plot_residuals,
)


@pytest.fixture
def volumes():
    generator = np.random.default_rng(0)
    y_true = 10 ** generator.uniform(1.5, 3.5, 400)
    return y_true, y_true * np.exp(generator.normal(0.02, 0.1, 400))


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("log", [False, True])
def test_points_are_true_against_predicted_with_diagonal(volumes, log):
    y_true, y_pred = volumes
    ax = plot_predictions(y_true, y_pred, log=log, name="net")
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), np.stack([y_pred, y_true], 1))
    ends = [min(map(np.min, volumes)), max(map(np.max, volumes))]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[ends[0]] * 2, [ends[1]] * 2])
    assert (ax.get_xscale(), ax.get_yscale()) == (("log", "log") if log else ("linear", "linear"))
    assert ax.get_xlabel() == "predicted volume / Å$^{3}$"
    assert ax.get_ylabel() == "true volume / Å$^{3}$"
    error = f"mean absolute error {mean_absolute_error(*volumes):.3g} Å$^{{3}}$"
    assert legend(ax)[0].splitlines() == ["net", f"R$^2$ = {r2_score(*volumes):.3f}", error]


def test_other_quantities_have_other_units(volumes):
    ax = plot_predictions(*volumes, quantity="density", unit="g/cm^3")
    assert ax.get_xlabel() == "predicted density / g/cm$^{3}$"
    ax = plot_residuals(*volumes, quantity="packing efficiency", unit="")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "predicted packing efficiency",
        "true - predicted",
    )


def test_one_row_has_no_r2():
    ax = plot_predictions([10.0], [12000.0])
    assert legend(ax) == ["mean absolute error 11,990 Å$^{3}$"]
    ax.figure.canvas.draw()


def test_residuals_are_true_minus_predicted(volumes):
    y_true, y_pred = volumes
    ax = plot_residuals(y_true, y_pred, log=True)
    points = ax.collections[0].get_offsets()
    np.testing.assert_allclose(points, np.stack([y_pred, y_true - y_pred], 1))
    assert set(ax.lines[0].get_ydata()) == {0}
    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "true - predicted / Å$^{3}$"


def test_distribution_counts_the_central_rows_and_tells_the_rest(volumes):
    y_true, y_pred = volumes
    residuals = y_true - y_pred
    ax = plot_residual_distribution(y_true, y_pred)
    counts, edges, _ = ax.patches[0].get_data()
    np.testing.assert_array_equal(counts, np.histogram(residuals, edges)[0])
    assert ax.get_ylabel() == f"rows ({400 - counts.sum():.0f} of 400 beyond the picture)"
    assert 0 < 400 - counts.sum() <= 10
    low, median, high = np.percentile(residuals, (5, 50, 95))
    assert legend(ax) == [
        f"median {median:.3g} Å$^{{3}}$",
        f"90% from {low:.3g} to {high:.3g} Å$^{{3}}$",
    ]
    assert ax.get_xlabel() == "true - predicted volume / Å$^{3}$"


def test_perfect_predictions_are_drawn():
    axes = plot_regression_diagnostics([5.0, 6.0], [5.0, 6.0])
    axes[0].figure.canvas.draw()
    assert axes[2].patches[0].get_data()[0].sum() == 2


def test_diagnostics_are_the_three(volumes):
    _, axes = pyplot.subplots(3, 1)
    drawn = plot_regression_diagnostics(*volumes, log=True, axes=axes)
    assert list(drawn) == list(axes)
    assert [ax.get_xscale() for ax in drawn] == ["log", "log", "linear"]
    assert [ax.get_ylabel()[:4] for ax in drawn] == ["true", "true", "rows"]
    assert len(pyplot.get_fignums()) == 1
    assert plot_regression_diagnostics(*volumes).shape == (3,)
    with pytest.raises(InvalidInputError, match="axes must be 1 x 3 Axes, got 2"):
        plot_regression_diagnostics(*volumes, axes=axes[:2])


@pytest.mark.parametrize("plot", [plot_predictions, plot_residuals, plot_residual_distribution])
def test_they_draw_where_they_are_told(volumes, plot):
    _, ax = pyplot.subplots()
    assert plot(*volumes, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named():
    with pytest.raises(InvalidInputError, match="got 1 of y_true and 2 of y_pred"):
        plot_predictions([1.0], [1.0, 2.0])
    with pytest.raises(
        InvalidInputError, match=r"2 rows with 1 that are not; row 1 has 2.0 and nan"
    ):
        plot_residuals([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(
        InvalidInputError, match=r"above 0 \(or log=False\).*row 0 has 1.0 and -1.0"
    ):
        plot_predictions([1.0], [-1.0], log=True)
    with pytest.raises(InvalidInputError, match="got 0 rows"):
        plot_residual_distribution([], [])
    assert pyplot.get_fignums() == []
