"""Predicted against true numbers, and the residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import PredictionErrorDisplay, mean_absolute_error, r2_score

from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import central_range, check_lengths
from crystalml.plotting._style import (
    OKABE_ITO,
    REFERENCE_GREY,
    axes_grid_or_new,
    axes_or_new,
    enlarge_markers,
    plain_log_ticks,
    typeset_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike, FloatArray

__all__ = [
    "plot_predictions",
    "plot_regression_diagnostics",
    "plot_residual_distribution",
    "plot_residuals",
]

# scikit-learn's display draws its line with alpha 0.7 unless it is given.
_LINE: dict[str, Any] = {"color": REFERENCE_GREY, "alpha": 1.0, "linestyle": "--", "linewidth": 1.2}
# Area in points of a marker among few.
_LARGEST = 18.0


def plot_predictions(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantity: str = "volume",
    unit: str = "Å^3",
    log: bool = False,
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw true against predicted numbers.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers.
    quantity : str, default="volume"
        What they are, for the axes.
    unit : str, default="Å^3"
        Their unit; empty for a number without one.
    log : bool, default=False
        Whether both axes are logarithmic, for positive numbers that span decades. The figures in
        the legend are those of the numbers themselves either way.
    name : str, default=None
        Name of the model in the legend.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A point per row, drawn by scikit-learn's PredictionErrorDisplay; the diagonal; and a
        legend with the coefficient of determination and the mean absolute error.

    Raises
    ------
    InvalidInputError
        If the lengths differ, there are no rows, a number is not finite, or one is not positive
        and `log` is true.

    See Also
    --------
    plot_residuals, plot_residual_distribution : What the predictions miss.
    plot_regression_diagnostics : All three.

    Examples
    --------
    >>> from crystalml.plotting import plot_predictions
    >>> ax = plot_predictions([100.0, 200.0, 300.0], [110.0, 190.0, 300.0], name="net")
    >>> ax.get_legend().get_texts()[0].get_text().splitlines()
    ['net', 'R$^2$ = 0.990', 'mean absolute error 6.67 Å$^{3}$']
    """
    y_true, y_pred = _checked("plot_predictions", y_true, y_pred, positive=log)
    ax = axes_or_new(ax, needed_by="plot_predictions", figsize=(5.2, 5.0))
    lines = [] if name is None else [name]
    # R^2 compares with the spread of the true numbers, which one row or equal ones have not.
    if np.ptp(y_true) > 0:
        lines.append(f"R$^2$ = {r2_score(y_true, y_pred):.3f}")
    lines.append(f"mean absolute error {_figure(mean_absolute_error(y_true, y_pred), unit)}")
    display = PredictionErrorDisplay(y_true=y_true, y_pred=y_pred)
    kind = "actual_vs_predicted"
    scatter = {**_points(len(y_true)), "label": "\n".join(lines)}
    display.plot(ax=ax, kind=kind, scatter_kwargs=scatter, line_kwargs=_LINE)
    # Setting a scale brings back its own ticks; the display has them at quarters of the range.
    ax.set(**dict.fromkeys(("xscale", "yscale"), "log" if log else "linear"))
    _thin_ticks(ax.xaxis, y_pred, log)
    _thin_ticks(ax.yaxis, y_true, log)
    ax.set_xlabel(_label(f"predicted {quantity}", unit))
    ax.set_ylabel(_label(f"true {quantity}", unit))
    ax.grid(alpha=0.3)
    legend = ax.legend(fontsize="small", loc="upper left")
    enlarge_markers(legend.legend_handles)
    return ax


def plot_residuals(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantity: str = "volume",
    unit: str = "Å^3",
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the residual, true minus predicted, against the predicted number.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers.
    quantity : str, default="volume"
        What they are, for the axes.
    unit : str, default="Å^3"
        Their unit; empty for a number without one.
    log : bool, default=False
        Whether the axis of predicted numbers is logarithmic.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A point per row, drawn by scikit-learn's PredictionErrorDisplay, and the line of no
        error. A band that opens to the right has errors in proportion to the number; one that
        leaves the line is biased.

    Raises
    ------
    InvalidInputError
        If the lengths differ, there are no rows, a number is not finite, or one is not positive
        and `log` is true.

    Examples
    --------
    >>> from crystalml.plotting import plot_residuals
    >>> ax = plot_residuals([100.0, 200.0], [110.0, 190.0])
    >>> ax.collections[0].get_offsets().tolist()
    [[110.0, -10.0], [190.0, 10.0]]
    """
    y_true, y_pred = _checked("plot_residuals", y_true, y_pred, positive=log)
    ax = axes_or_new(ax, needed_by="plot_residuals", figsize=(5.6, 4.4))
    display = PredictionErrorDisplay(y_true=y_true, y_pred=y_pred)
    display.plot(ax=ax, scatter_kwargs=_points(len(y_true)), line_kwargs=_LINE)
    ax.set_xscale("log" if log else "linear")
    _thin_ticks(ax.xaxis, y_pred, log)
    ax.set_xlabel(_label(f"predicted {quantity}", unit))
    ax.set_ylabel(_label("true - predicted", unit))
    ax.grid(alpha=0.3)
    return ax


def plot_residual_distribution(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantity: str = "volume",
    unit: str = "Å^3",
    bins: int = 60,
    ax: Axes | None = None,
) -> Axes:
    """Show how the residuals, true minus predicted, are distributed.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers.
    quantity : str, default="volume"
        What they are, for the axis.
    unit : str, default="Å^3"
        Their unit; empty for a number without one.
    bins : int, default=60
        Number of bins.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A histogram of the central 98% of the residuals, so that a few large ones do not press
        it into one bar; lines at zero and at the median; and the interval of the central 90%.

    Raises
    ------
    InvalidInputError
        If the lengths differ, there are no rows, or a number is not finite.

    Examples
    --------
    >>> from crystalml.plotting import plot_residual_distribution
    >>> ax = plot_residual_distribution([100.0, 200.0, 300.0], [110.0, 190.0, 299.0])
    >>> ax.get_legend().get_texts()[0].get_text()
    'median 1 Å$^{3}$'
    """
    y_true, y_pred = _checked("plot_residual_distribution", y_true, y_pred)
    residuals = y_true - y_pred
    ax = axes_or_new(ax, needed_by="plot_residual_distribution", figsize=(5.6, 4.4))
    ends = central_range(residuals, share=0.98)
    # All rows count for median and interval; only the picture is cut.
    counts, edges = np.histogram(residuals, bins, ends)
    ax.stairs(counts, edges, fill=True, color=OKABE_ITO[4])
    low, median, high = np.percentile(residuals, (5, 50, 95))
    between = f"90% from {_figure(low, '')} to {_figure(high, unit)}"
    ax.axvline(median, color=OKABE_ITO[0], label=f"median {_figure(median, unit)}")
    ax.axvspan(low, high, color=OKABE_ITO[0], alpha=0.1, label=between)
    ax.axvline(0, **_LINE)
    n_beyond = len(residuals) - counts.sum()
    ax.set_xlabel(_label(f"true - predicted {quantity}", unit))
    ax.set_ylabel(f"rows ({n_beyond:,} of {len(residuals):,} beyond the picture)")
    ax.margins(x=0)
    ax.legend(fontsize="small")
    return ax


def plot_regression_diagnostics(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantity: str = "volume",
    unit: str = "Å^3",
    log: bool = False,
    axes: ArrayLike | None = None,
) -> np.ndarray:
    """Draw predictions, residuals, and the distribution of residuals side by side.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted numbers.
    quantity : str, default="volume"
        What they are, for the axes.
    unit : str, default="Å^3"
        Their unit; empty for a number without one.
    log : bool, default=False
        Whether axes of true and predicted numbers are logarithmic.
    axes : array-like of 3 matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    ndarray of 3 matplotlib.axes.Axes
        Those of `plot_predictions`, `plot_residuals` and `plot_residual_distribution`.

    Raises
    ------
    InvalidInputError
        As `plot_predictions`, or if there are not three Axes.

    Examples
    --------
    >>> from crystalml.plotting import plot_regression_diagnostics
    >>> density = {"quantity": "density", "unit": "g/cm^3"}
    >>> axes = plot_regression_diagnostics([2.1, 3.3], [2.0, 3.5], **density)
    >>> [ax.get_ylabel() for ax in axes[:2]]
    ['true density / g/cm$^{3}$', 'true - predicted / g/cm$^{3}$']
    """
    caller = "plot_regression_diagnostics"
    # Checked here too, before a figure is made, and so that errors name this function.
    y_true, y_pred = _checked(caller, y_true, y_pred, positive=log)
    grid = axes_grid_or_new(axes, (1, 3), needed_by=caller, figsize=(13.5, 4.4))[0]
    named: dict[str, Any] = {"quantity": quantity, "unit": unit}
    plot_predictions(y_true, y_pred, log=log, ax=grid[0], **named)
    plot_residuals(y_true, y_pred, log=log, ax=grid[1], **named)
    plot_residual_distribution(y_true, y_pred, ax=grid[2], **named)
    return grid


def _checked(
    caller: str, y_true: ArrayLike, y_pred: ArrayLike, *, positive: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Return both as float arrays of one length, finite, and positive where they must be."""
    # Flat, since some regressors predict a column of shape (n, 1).
    y_true, y_pred = (np.asarray(y, dtype=np.float64).ravel() for y in (y_true, y_pred))
    check_lengths(caller, y_true=y_true, y_pred=y_pred)
    bad = ~(np.isfinite(y_true) & np.isfinite(y_pred))
    bad |= positive & ((y_true <= 0) | (y_pred <= 0))
    if bad.any() or not len(bad):
        what = "finite numbers above 0 (or log=False)" if positive else "finite numbers"
        first = (
            f"; row {bad.argmax()} has {y_true[bad][0]} and {y_pred[bad][0]}" if bad.any() else ""
        )
        raise InvalidInputError(
            f"{caller}: y_true and y_pred must be {what}, at least one; got {len(bad)} rows with "
            f"{bad.sum()} that are not{first}."
        )
    return y_true, y_pred


def _points(n):
    """Return the style of n points: the more, the smaller."""
    size = float(np.clip(3e4 / n, 3.0, _LARGEST))
    return {"color": OKABE_ITO[0], "alpha": 0.4, "s": size, "linewidth": 0, "rasterized": True}


def _thin_ticks(axis, values, log):
    """Mark plain numbers where a logarithmic axis is short, and would mark every digit."""
    if log and values.max() < 100 * values.min():
        plain_log_ticks(axis)


def _label(text, unit):
    """Return a text on an axis, with the unit if there is one."""
    return f"{text} / {typeset_unit(unit)}" if unit else text


def _figure(value, unit):
    """Write a number with three digits, and its unit."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {typeset_unit(unit)}".rstrip()
