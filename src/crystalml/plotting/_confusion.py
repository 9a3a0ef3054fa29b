"""Confusion matrices of space groups, at any level of symmetry."""

import numpy as np
import pandas as pd

from crystalml.crystallography import spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import symmetry_labels
from crystalml.plotting._style import axes_or_new, typeset_point_group, typeset_spacegroup

__all__ = ["plot_confusion_matrix"]

_TITLES = {
    "crystal_system": "crystal system",
    "bravais_lattice": "Bravais lattice",
    "point_group": "point group",
    "space_group": "space group",
}
# Cells of larger matrices are too small for a number at the default size.
_MOST_ANNOTATED = 16
# Tick labels of more rows than this would touch.
_MOST_AT_FULL_SIZE = 36


def plot_confusion_matrix(
    y_true, y_pred, *, level="crystal_system", max_labels=32, ax=None, cmap="cividis"
):
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
        If `level` is none of the four, `max_labels` is less than two, or there are no rows or
        not as many predicted as true labels.
    SpaceGroupError
        If a label is not in 1-230.

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
    counts, names = _count(y_true, y_pred, level, max_labels)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = float(np.clip(2.2 + 0.5 * len(names), 4.8, 11))
    ax = axes_or_new(ax, needed_by="plot_confusion_matrix", figsize=(side + 1, side))
    image = ax.imshow(share, vmin=0, vmax=1, cmap=cmap)
    small = {"fontsize": "small"} if len(names) > _MOST_AT_FULL_SIZE else {}
    ticks = np.arange(len(names))
    ax.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", **small)
    rows = [f"{name} ({total:,})" for name, total in zip(names, totals[:, 0], strict=True)]
    ax.set_yticks(ticks, rows, **small)
    ax.set_xlabel(f"predicted {_TITLES[level]}")
    ax.set_ylabel(f"true {_TITLES[level]} (entries)")
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label(f"share of the true {_TITLES[level]}")
    if len(names) <= _MOST_ANNOTATED:
        _annotate(ax, image, counts, share)
    return ax


def _count(y_true, y_pred, level, max_labels):
    """Return the matrix of counts and the name of each row and column."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape or y_true.ndim != 1 or not len(y_true):
        raise InvalidInputError(
            f"plot_confusion_matrix: got true labels of shape {y_true.shape} and predicted labels "
            f"of shape {y_pred.shape}; both must be one-dimensional, equally long and not empty."
        )
    true, predicted = symmetry_labels(y_true, level), symmetry_labels(y_pred, level)
    present = set(true.tolist()) | set(predicted.tolist())
    # dict.fromkeys: each label once, in the order of International Tables.
    order = dict.fromkeys(symmetry_labels(np.arange(1, 231), level).tolist())
    order = [label for label in order if label in present]
    index = pd.Index(order)
    cells = index.get_indexer(true) * len(order) + index.get_indexer(predicted)
    counts = np.bincount(cells, minlength=len(order) ** 2).reshape(len(order), -1)
    names = _names(order, level)
    return (counts, names) if len(names) <= max_labels else _merge_rarest(counts, names, max_labels)


def _names(labels, level):
    """Return the text of each label, symbols typeset."""
    if level == "space_group":
        return [typeset_spacegroup(symbol) for symbol in spacegroup_symbol(labels)]
    return [typeset_point_group(label) for label in labels] if level == "point_group" else labels


def _merge_rarest(counts, names, max_labels):
    """Keep the labels with most true entries and add up all others as the last one."""
    frequency = counts.sum(axis=1)
    kept = np.sort(np.argsort(-frequency, kind="stable")[: max_labels - 1])
    target = np.full(len(names), len(kept))
    target[kept] = np.arange(len(kept))
    merge = np.eye(len(kept) + 1, dtype=counts.dtype)[target]
    merged = merge.T @ counts @ merge
    return merged, [*(names[i] for i in kept), f"{len(names) - len(kept)} others"]


def _annotate(ax, image, counts, share):
    """Write each count that is not zero into its cell, dark on light and light on dark."""
    for row, column in np.argwhere(counts > 0):
        red, green, blue, _ = image.cmap(image.norm(share[row, column]))
        luminance = 0.299 * red + 0.587 * green + 0.114 * blue
        ax.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize="small",
            color="black" if luminance > 0.5 else "white",
        )
