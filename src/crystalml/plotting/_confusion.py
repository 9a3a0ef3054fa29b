"""Confusion matrices of space groups, at any level of symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import symmetry_labels
from crystalml.plotting._levels import LEVEL_TITLES, in_order, level_names
from crystalml.plotting._style import annotate_cells, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from crystalml._typing import ArrayLike, SymmetryLevel

__all__ = ["plot_confusion_matrix"]

# Cells of larger matrices are too small for a number at the default size.
_MOST_ANNOTATED = 16
# Tick labels of more rows than this would touch.
_MOST_AT_FULL_SIZE = 36


def plot_confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    level: SymmetryLevel = "crystal_system",
    max_labels: int = 32,
    worst: int | None = None,
    ax: Axes | None = None,
    cmap: str | Colormap = "cividis",
) -> Axes:
    """Show which symmetries are taken for which: a heat map of shares with counts.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Space-group numbers, 1-230.
    level : {"crystal_system", "bravais_lattice", "point_group", "space_group"}, \
default="crystal_system"
        Level at which they are compared.
    max_labels : int, default=32
        With more labels than this, the rarest are merged into one row and column "others".
    worst : int, default=None
        Zoom in on so many labels, those with most errors (entries missed plus entries wrongly
        given that label), and merge all others. `max_labels` does not matter then.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.
    cmap : str or matplotlib Colormap, default="cividis"
        Colour map of the shares.

    Returns
    -------
    matplotlib.axes.Axes
        Rows are true, columns predicted labels, from low to high symmetry; space groups by
        symbol. Colour is the share of the row, the number in a cell the count (up to 16
        labels), and the number beside a label its true count.

    Raises
    ------
    InvalidInputError
        If `level` is none of the four, `max_labels` is less than two, `worst` is less than one,
        or there are no rows or not as many predicted as true labels.
    SpaceGroupError
        If a label is not in 1-230.

    See Also
    --------
    plot_class_errors : Entries missed and wrongly claimed, by class.

    Examples
    --------
    >>> from crystalml.plotting import plot_confusion_matrix
    >>> ax = plot_confusion_matrix([2, 14, 225, 225], [2, 2, 225, 227])
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['triclinic', 'monoclinic', 'cubic']
    """
    if max_labels < 2:
        raise InvalidInputError(
            f"plot_confusion_matrix: max_labels must be at least 2, got {max_labels!r}."
        )
    if worst is not None and worst < 1:
        raise InvalidInputError(f"plot_confusion_matrix: worst must be at least 1, got {worst!r}.")
    counts, names = count_confusions(y_true, y_pred, level, caller="plot_confusion_matrix")
    if worst is not None:
        errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
        counts, names = _merge_others(counts, names, errors, worst)
    elif len(names) > max_labels:
        # One place is for the others.
        counts, names = _merge_others(counts, names, counts.sum(axis=1), max_labels - 1)
    totals = counts.sum(axis=1, keepdims=True)
    # A label that is only predicted has no true entries: its row is empty, not NaN.
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    # Half an inch for each label, and between the sizes that a page can take.
    side = float(np.clip(2.2 + 0.5 * len(names), 4.8, 11))
    ax = axes_or_new(ax, needed_by="plot_confusion_matrix", figsize=(side + 1, side))
    # From 0 to 1 in any case, so that colours of two pictures can be compared.
    image = ax.imshow(share, vmin=0, vmax=1, cmap=cmap)
    small: dict[str, Any] = {"fontsize": "small"} if len(names) > _MOST_AT_FULL_SIZE else {}
    ticks = np.arange(len(names))
    ax.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", **small)
    rows = [f"{name} ({total:,})" for name, total in zip(names, totals[:, 0], strict=True)]
    ax.set_yticks(ticks, rows, **small)
    ax.set_xlabel(f"predicted {LEVEL_TITLES[level]}")
    ax.set_ylabel(f"true {LEVEL_TITLES[level]} (entries)")
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label(f"share of the true {LEVEL_TITLES[level]}")
    if len(names) <= _MOST_ANNOTATED:
        annotate_cells(ax, image, share, np.where(counts > 0, _with_commas(counts), ""))
    return ax


def count_confusions(y_true, y_pred, level, *, caller):
    """Return the matrix of counts and the name of each row and column."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape or y_true.ndim != 1 or not len(y_true):
        raise InvalidInputError(
            f"{caller}: got true labels of shape {y_true.shape} and predicted labels "
            f"of shape {y_pred.shape}; both must be one-dimensional, equally long and not empty."
        )
    true, predicted = symmetry_labels(y_true, level), symmetry_labels(y_pred, level)
    present = {*true.tolist(), *predicted.tolist()}
    order = in_order(present, level, caller=caller)
    index = pd.Index(order)
    cells = index.get_indexer(true) * len(order) + index.get_indexer(predicted)
    counts = np.bincount(cells, minlength=len(order) ** 2).reshape(len(order), -1)
    return counts, level_names(order, level)


def _merge_others(counts, names, weights, n_kept):
    """Keep the labels of largest weight and add up all others as the last one."""
    if len(names) <= n_kept:
        return counts, names
    # Sorted again: the order by weight serves to choose, that by symmetry to draw.
    kept = np.sort(np.argsort(-weights, kind="stable")[:n_kept])
    target = np.full(len(names), len(kept))
    target[kept] = np.arange(len(kept))
    # Multiplied from both sides, it adds up rows and columns alike.
    merge = np.eye(len(kept) + 1, dtype=counts.dtype)[target]
    merged = merge.T @ counts @ merge
    n_others = len(names) - len(kept)
    others = f"{n_others} others" if n_others > 1 else "1 other"
    return merged, [*(names[i] for i in kept), others]


def _with_commas(counts):
    """Write counts with a comma between thousands."""
    return np.array([[f"{count:,}" for count in row] for row in counts], dtype=object)
