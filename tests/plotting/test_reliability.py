import numpy as np
import pytest
from matplotlib import pyplot
from scipy.stats import binomtest

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import expected_calibration_error, reliability_curve
from crystalml.plotting import plot_reliability


@pytest.fixture
def answers():
    generator = np.random.default_rng(0)
    y_proba = generator.dirichlet([1, 1, 1], 300)
    return generator.choice([2, 14, 62, 225], 300), y_proba, [2, 14, 62]


def curves(ax):
    """Return data line and error bars of each model."""
    return [(bars.lines[0], bars.lines[2][0]) for bars in ax.containers]


def test_points_are_the_bins(answers):
    y_true, y_proba, labels = answers
    ax = plot_reliability(y_true, y_proba, labels=labels, n_bins=10)
    curve = reliability_curve(y_true, y_proba, labels=labels, n_bins=10)
    ((line, _),) = curves(ax)
    np.testing.assert_array_equal(line.get_xdata(), curve["confidence"])
    np.testing.assert_array_equal(line.get_ydata(), curve["accuracy"])
    assert ax.get_xlabel() == "mean probability of the top answer"
    assert ax.get_ylabel() == "share of right top answers"


def test_bars_are_wilson_intervals(answers):
    y_true, y_proba, labels = answers
    ax = plot_reliability(y_true, y_proba, labels=labels, n_bins=3)
    curve = reliability_curve(y_true, y_proba, labels=labels, n_bins=3)
    ((_, bars),) = curves(ax)
    for segment, (share, count) in zip(
        bars.get_segments(), curve[["accuracy", "count"]].to_numpy(), strict=True
    ):
        interval = binomtest(round(share * count), int(count)).proportion_ci(method="wilson")
        assert segment[:, 1] == pytest.approx([interval.low, interval.high], abs=1e-4)


def test_bars_of_certain_bins_stay_on_their_side():
    ax = plot_reliability([1, 1], [[0.6, 0.4], [0.4, 0.6]], labels=[1, 2])
    ax = plot_reliability([1, 1, 2], [[1, 0]] * 3, labels=[1, 2], ax=ax)
    assert len(curves(ax)) == 2


def test_legend_names_model_error_and_rows(answers):
    y_true, y_proba, labels = answers
    ax = plot_reliability(y_true, y_proba, labels=labels, n_bins=15, name="forest")
    error = expected_calibration_error(y_true, y_proba, labels=labels, n_bins=15)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [
        "perfect calibration",
        f"forest: calibration error {error:.3f}, 15 bins of 20 rows",
    ]


def test_models_share_axes_and_one_diagonal_and_differ_in_colour_and_marker(answers):
    y_true, y_proba, labels = answers
    ax = plot_reliability(y_true, y_proba, labels=labels, name="one")
    assert plot_reliability(y_true, y_proba**2, labels=labels, name="two", ax=ax) is ax
    (first, _), (second, _) = curves(ax)
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert [line.get_label() for line in ax.lines].count("perfect calibration") == 1
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named():
    with pytest.raises(InvalidInputError, match="n_bins must be at least 1"):
        plot_reliability([1], [[1.0]], labels=[1], n_bins=0)
    assert pyplot.get_fignums() == []
