import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from crystalml.exceptions import InvalidInputError
from crystalml.plotting import plot_rejection_curve


@pytest.fixture
def answers():
    """400 labels, 70% of them right, and how unsure each answer is."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, 9, 400)
    right = generator.random(400) < 0.7
    return y_true, np.where(right, y_true, (y_true + 1) % 9), generator.random(400) - 0.3 * right


def curves(ax):
    return [line for line in ax.lines if not line.get_label().startswith("perfect order")]


def test_points_are_the_accuracies_of_the_surest_rows(answers):
    y_true, y_pred, uncertainty = answers
    (line,) = curves(plot_rejection_curve(*answers))
    order = np.argsort(uncertainty)
    right = (y_true == y_pred)[order]
    for kept in (20, 137, 400):
        at = np.flatnonzero(np.isclose(line.get_xdata(), kept / 400))
        assert line.get_ydata()[at] == pytest.approx([right[:kept].mean()])
    assert line.get_xdata()[0] == 20 / 400


def test_only_the_order_matters_and_equal_rows_go_together(answers):
    y_true, y_pred, uncertainty = answers
    (first,) = curves(plot_rejection_curve(*answers))
    (second,) = curves(plot_rejection_curve(y_true, y_pred, np.exp(3 * uncertainty)))
    np.testing.assert_array_equal(first.get_xydata(), second.get_xydata())
    coarse = np.round(uncertainty, 1)
    (forth,) = curves(plot_rejection_curve(y_true, y_pred, coarse))
    (back,) = curves(plot_rejection_curve(y_true[::-1], y_pred[::-1], coarse[::-1]))
    np.testing.assert_array_equal(forth.get_xydata(), back.get_xydata())
    assert len(forth.get_xydata()) <= len(np.unique(coarse))


def test_no_curve_beats_the_perfect_order(answers):
    y_true, y_pred, _ = answers
    ax = plot_rejection_curve(y_true, y_pred, y_true != y_pred)
    ((kept, accuracy), *_) = curves(ax)[0].get_xydata()
    assert accuracy == 1
    assert kept == (y_true == y_pred).mean()
    best = next(line for line in ax.lines if line.get_label().startswith("perfect order"))
    for x, y in plot_rejection_curve(*answers, ax=ax).lines[-1].get_xydata():
        assert y <= np.interp(x, *best.get_data()) + 1e-3


def test_legend_tells_the_gain(answers):
    y_true, y_pred, uncertainty = answers
    ax = plot_rejection_curve(*answers, name="entropy")
    kept = np.argsort(uncertainty)[:320]
    right = y_true == y_pred
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        f"perfect order of answers {right.mean():.1%} of which are right",
        f"entropy: {right.mean():.3f}, of the surest 80% {right[kept].mean():.3f}",
    ]


def test_uncertainties_share_axes_and_differ_in_colour(answers):
    y_true, y_pred, uncertainty = answers
    ax = plot_rejection_curve(*answers, name="one")
    assert plot_rejection_curve(y_true, y_pred, -uncertainty, name="two", ax=ax) is ax
    first, second = curves(ax)
    assert first.get_color() != second.get_color()
    assert len(ax.lines) == 3
    plot_rejection_curve(y_true, y_true, uncertainty, name="other model", ax=ax)
    assert len(ax.lines) == 5
    assert len(pyplot.get_fignums()) == 1


def test_text_labels_and_pandas_columns():
    labels = pd.Series(["cP", "NaN", "cP"], index=[5, 6, 7])
    ax = plot_rejection_curve(labels, ["cP", "NaN", "aP"], pd.Series([0.1, 0.2, 0.3]))
    assert "0.667, of the surest 80%" in ax.get_legend().get_texts()[-1].get_text()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (([1, 2], [1, 2], [0.1, np.nan]), "with 1 NaN"),
        (([1], [1], [[0.1]]), r"got shape \(1, 1\)"),
        (([], [], []), r"got shape \(0,\)"),
        (([1, 2], [1], [0.1, 0.2]), "inconsistent numbers of samples"),
    ],
)
def test_bad_input_is_named(rows, message):
    with pytest.raises(ValueError, match=message) as caught:
        plot_rejection_curve(*rows)
    assert isinstance(caught.value, InvalidInputError) or "inconsistent" in message
    assert pyplot.get_fignums() == []
