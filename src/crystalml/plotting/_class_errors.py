"""Entries that a class misses against entries that it wrongly claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._confusion import count_confusions
from crystalml.plotting._levels import LEVEL_TITLES
from crystalml.plotting._style import OKABE_ITO, REFERENCE_GREY, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike, SymmetryLevel

__all__ = ["plot_class_errors"]

# In widths and heights of the Axes: of a name, where the highest stands, and from points to names.
_LINE_HEIGHT, _HIGHEST, _GAP = 0.055, 0.96, 0.07


def plot_class_errors(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    level: SymmetryLevel = "space_group",
    n_named: int = 10,
    ax: Axes | None = None,
) -> Axes:
    """Draw false positives against false negatives of each class.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Space-group numbers, 1-230.
    level : {"crystal_system", "bravais_lattice", "point_group", "space_group"}, \
default="space_group"
        Level at which they are compared.
    n_named : int, default=10
        How many classes to name, those with most errors.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        One point per class that is true or predicted somewhere: to the right the entries of the
        class that went to others, upwards those of others that went to it. The area of a point
        grows with the number of true entries. Above the diagonal a class is predicted too often,
        below it too seldom. Both axes are linear up to 1 and logarithmic beyond.

    Raises
    ------
    InvalidInputError
        If `level` is none of the four, `n_named` is negative, or there are no rows or not as many
        predicted as true labels.
    SpaceGroupError
        If a label is not in 1-230.

    See Also
    --------
    plot_confusion_matrix : Which class is taken for which.

    Examples
    --------
    >>> from crystalml.plotting import plot_class_errors
    >>> ax = plot_class_errors([2, 14, 14, 225], [2, 2, 2, 225], level="crystal_system")
    >>> ax.collections[0].get_offsets().tolist()
    [[0.0, 2.0], [2.0, 0.0], [0.0, 0.0]]
    >>> sorted(text.get_text() for text in ax.texts)
    ['monoclinic', 'triclinic']
    """
    if n_named < 0:
        raise InvalidInputError(
            f"plot_class_errors: n_named must not be negative, got {n_named!r}."
        )
    counts, names = count_confusions(y_true, y_pred, level, caller="plot_class_errors")
    right = np.diagonal(counts)
    missed, claimed = counts.sum(axis=1) - right, counts.sum(axis=0) - right
    ax = axes_or_new(ax, needed_by="plot_class_errors", figsize=(5.8, 5.4))
    # From 15 square points, so that the rarest class can be seen, to 275 for the largest.
    areas = 15.0 + 260.0 * counts.sum(axis=1) / counts.sum(axis=1).max()
    ax.scatter(
        missed, claimed, s=areas, color=OKABE_ITO[0], alpha=0.6, edgecolor="black", linewidth=0.5
    )
    _draw_diagonal(ax, np.append(missed, claimed))
    wrong = missed + claimed
    # A class without errors needs no name, even where fewer than `n_named` have any.
    named = [row for row in np.argsort(-wrong, kind="stable")[:n_named] if wrong[row]]
    for side in (1, -1):
        # Names stand on the side of the diagonal where their points are: no line crosses it.
        rows = [row for row in named if (claimed[row] > missed[row]) == (side < 0)]
        _name_points(ax, [(missed[row], claimed[row], names[row]) for row in rows], side)
    title = LEVEL_TITLES[level]
    ax.set_xlabel(f"false negatives: entries of the {title} that were missed")
    ax.set_ylabel("false positives: entries of others given to it")
    return ax


def _draw_diagonal(ax, errors):
    """Scale both axes alike, for zero and for thousands, and draw where errors balance."""
    # Room below for points at zero, and a decade above for the names beside the points.
    ends = (0.4 * errors.min() if errors.min() > 0 else -0.4, 12.0 * max(errors.max(), 1))
    ticker = import_optional("matplotlib.ticker", needed_by="plot_class_errors")
    # A short axis may contain no power of ten at all.
    steps = (1.0, 2.0, 5.0) if ends[1] < 1000 * ends[0] else (1.0,)
    for name in "xy":
        getattr(ax, f"set_{name}scale")("symlog", linthresh=1.0)
        getattr(ax, f"set_{name}lim")(ends)
        axis = getattr(ax, f"{name}axis")
        locator = ticker.SymmetricalLogLocator(base=10, linthresh=1.0, subs=steps)
        axis.set_major_locator(locator)
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.axline((0, 0), (1, 1), color=REFERENCE_GREY, linestyle="--", linewidth=1, zorder=0)
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)


def _name_points(ax, points, side):
    """Write names in a column right or left of the points, with lines to them, none overlapping."""
    if not points:
        return
    # Valid only once scales and limits are set: `_draw_diagonal` has to come first.
    to_axes = ax.transScale + ax.transLimits
    points = sorted(points, key=lambda point: point[1])
    x, y = to_axes.transform([point[:2] for point in points]).T
    # Each as low as its own point or as the one below it allows; then all lower by the mean rise.
    heights = y.copy()
    for row in range(1, len(heights)):
        heights[row] = max(heights[row], heights[row - 1] + _LINE_HEIGHT)
    heights -= max((heights - y).mean(), heights[-1] - _HIGHEST)
    column = x.max() + _GAP if side > 0 else x.min() - _GAP
    for (missed, claimed, name), height in zip(points, heights, strict=True):
        ax.annotate(
            name,
            (missed, claimed),
            (column, height),
            textcoords="axes fraction",
            ha="left" if side > 0 else "right",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
            arrowprops={"arrowstyle": "-", "color": REFERENCE_GREY, "linewidth": 0.7},
        )
