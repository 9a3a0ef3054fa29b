"""Learning curves: loss or accuracy by epoch, in training and on held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from crystalml.exceptions import InvalidInputError
from crystalml.plotting._style import OKABE_ITO, REFERENCE_GREY, axes_or_new

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_learning_curve"]

_SETS = {"train": "training", "valid": "validation"}
# Suffix of the history's columns and name on the axis -> which epoch is the best.
_METRICS = {"loss": "idxmin", "accuracy": "idxmax"}


def plot_learning_curve(
    history: pd.DataFrame, *, metric: Literal["loss", "accuracy"] = "loss", ax: Axes | None = None
) -> Axes:
    """Plot how loss or accuracy went from epoch to epoch.

    Parameters
    ----------
    history : pandas.DataFrame
        One row per epoch with the column ``epoch`` and at least one of ``train_loss``,
        ``valid_loss`` (for accuracy ``train_accuracy``, ``valid_accuracy``): the ``history_``
        of a net.
    metric : {"loss", "accuracy"}, default="loss"
        What to plot.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A line for training and one for validation rows, as far as `history` has them, and a
        vertical line at the best epoch of the validation rows.

    Raises
    ------
    InvalidInputError
        If `metric` is neither of the two, or `history` has no epochs or lacks the columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.plotting import plot_learning_curve
    >>> history = pd.DataFrame(
    ...     {"epoch": [1, 2, 3], "train_loss": [2.1, 1.2, 0.8], "valid_loss": [2.0, 1.5, 1.6]}
    ... )
    >>> ax = plot_learning_curve(history)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['training', 'validation', 'best epoch: 2 (loss 1.500)']
    """
    if metric not in _METRICS:
        raise InvalidInputError(
            f"plot_learning_curve: metric must be one of {tuple(_METRICS)}, got {metric!r}."
        )
    present = [key for key in _SETS if f"{key}_{metric}" in history.columns]
    if "epoch" not in history.columns or not present or not len(history):
        raise InvalidInputError(
            f"plot_learning_curve: history must have rows, the column 'epoch' and at least one of "
            f"'train_{metric}' and 'valid_{metric}'; got {len(history)} rows of "
            f"{list(history.columns)!r}."
        )
    ax = axes_or_new(ax, needed_by="plot_learning_curve")
    for key, linestyle in zip(_SETS, ("--", "-"), strict=True):
        if key in present:
            # By its place among both, so that validation keeps its colour when it is alone.
            color = OKABE_ITO[list(_SETS).index(key)]
            # A curve of one epoch has no line: the marker shows it. Markers of many epochs merge.
            ax.plot(
                history["epoch"],
                history[f"{key}_{metric}"],
                color=color,
                marker="." if len(history) < 40 else None,
                label=_SETS[key],
                linestyle=linestyle,
            )
    valid = f"valid_{metric}"
    # pandas finds no smallest of missing values, and says so by an error or a warning.
    if "valid" in present and history[valid].notna().any():
        best = history.loc[getattr(history[valid], _METRICS[metric])()]
        ax.axvline(
            best["epoch"],
            color=REFERENCE_GREY,
            linestyle=":",
            label=f"best epoch: {best['epoch']:.0f} ({metric} {best[valid]:.3f})",
        )
    ax.set(xlabel="epoch", ylabel=metric)
    ax.locator_params("x", integer=True)
    ax.grid(alpha=0.3)
    ax.legend()
    return ax
