"""A quantity by space group, lattice system or any other level of symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from crystalml._dependencies import import_optional
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import check_lengths, numbers_of, quantity_label
from crystalml.plotting._levels import LEVEL_TITLES, in_order, level_labels, level_names
from crystalml.plotting._style import OKABE_ITO, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike, SymmetryLevel

__all__ = ["plot_by_symmetry"]

_CALLER = "plot_by_symmetry"
_FACE, _EDGE = OKABE_ITO[4], OKABE_ITO[0]
_DARK = "#333333"
# At which the outline of a violin is computed.
_N_POINTS = 100


def plot_by_symmetry(
    values: ArrayLike,
    groups: ArrayLike,
    *,
    level: SymmetryLevel | Literal["lattice_system"] = "space_group",
    kind: Literal["box", "violin"] = "box",
    n_groups: int = 12,
    label: str | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Show how a quantity is distributed in each space group, or at another level of symmetry.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        The quantity. Missing values are left out, and so are those that are not positive if
        `log` is true.
    groups : array-like of shape (n_samples,)
        Space-group numbers, 1-230. Rows without one are left out.
    level : {"crystal_system", "lattice_system", "bravais_lattice", "point_group", \
"space_group"}, default="space_group"
        What to group by.
    kind : {"box", "violin"}, default="box"
        ``"box"``: quartiles, whiskers to the last value within 1.5 times the interquartile
        range, and points beyond. ``"violin"``: a smooth density, with a dot at the median and a
        bar from the first to the third quartile.
    n_groups : int, default=12
        How many groups to show, the most frequent ones.
    label : str, default=None
        Text on the axis of values. By default the name of the Series, with its unit where it is a
        column of the table or a name of `CellDescriptors`.
    log : bool, default=False
        Whether the axis is logarithmic; densities of violins are then those of the logarithm.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Groups from low to high symmetry, by typeset symbol, with the number of their values.

    Raises
    ------
    InvalidInputError
        If `level` or `kind` is unknown, `n_groups` is less than one, the lengths differ, or no
        value can be drawn.
    SpaceGroupError
        If a group is not in 1-230.

    See Also
    --------
    crystalml.CellDescriptors : Anisotropy, axis ratios and more of a table of cells.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.plotting import plot_by_symmetry
    >>> volumes = pd.Series([160.0, 180.0, 420.0, 60.0], name="volume")
    >>> ax = plot_by_symmetry(volumes, [225, 225, 14, 225], level="crystal_system", log=True)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['monoclinic (1)', 'cubic (3)']
    """
    if kind not in ("box", "violin"):
        raise InvalidInputError(f"{_CALLER}: kind must be 'box' or 'violin', got {kind!r}.")
    if n_groups < 1:
        raise InvalidInputError(f"{_CALLER}: n_groups must be at least 1, got {n_groups!r}.")
    label = label or quantity_label(getattr(values, "name", None) or "value")
    # Before a figure is made: an error must not leave an empty one behind.
    members = _members(values, groups, level, n_groups, log)
    ax = axes_or_new(ax, needed_by=_CALLER, figsize=(max(4.8, 1.6 + 0.5 * len(members)), 4.6))
    positions = np.arange(len(members))
    draw = _draw_boxes if kind == "box" else _draw_violins
    draw(ax, list(members.values()), positions, log)
    names = level_names(list(members), level)
    ticks = [f"{name} ({len(v):,})" for name, v in zip(names, members.values(), strict=True)]
    ax.set_xticks(positions, ticks, rotation=45, ha="right", rotation_mode="anchor")
    ax.set(
        xlabel=f"{LEVEL_TITLES[level]} (entries)",
        ylabel=label,
        xlim=(-0.7, len(members) - 0.3),
        yscale="log" if log else "linear",
    )
    ax.grid(axis="y", alpha=0.3)
    return ax


def _members(values, groups, level, n_groups, log):
    """Return the values of each of the most frequent groups, from low to high symmetry."""
    array = numbers_of(values, "values", caller=_CALLER)
    check_lengths(_CALLER, values=array, groups=groups)
    groups = pd.Series(groups).reset_index(drop=True)
    shown = np.isfinite(array) & groups.notna().to_numpy() & (array > 0 if log else True)
    if not shown.any():
        raise InvalidInputError(
            f"{_CALLER}: none of the {len(array)} rows has both a value{' above 0' * log} and a "
            "space group; there is nothing to draw."
        )
    labels = level_labels(groups[shown].to_numpy(dtype=np.int64), level, caller=_CALLER)
    series = pd.Series(array[shown], index=labels)
    frequent = series.index.value_counts().index[:n_groups].tolist()
    order = in_order(frequent, level, caller=_CALLER)
    # In a list, since a name that occurs once would otherwise give a number, not a Series.
    return {name: series.loc[[name]].to_numpy() for name in order}


# `log` is there for `_draw_violins`: on a logarithmic axis, quartiles are quartiles still.
def _draw_boxes(ax, columns, positions, log):  # noqa: ARG001
    """Draw boxes with small points beyond the whiskers."""
    ax.boxplot(
        columns,
        positions=positions,
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": _FACE, "edgecolor": _DARK, "alpha": 0.8},
        medianprops={"color": _DARK, "linewidth": 1.8},
        whiskerprops={"color": _DARK},
        capprops={"color": _DARK},
        flierprops={"marker": ".", "markersize": 2.5, "markeredgecolor": _EDGE, "alpha": 0.4},
    )


def _draw_violins(ax, columns, positions, log):
    """Draw densities, of logarithms on a logarithmic axis, with median and quartiles."""
    cbook = import_optional("matplotlib.cbook", needed_by=_CALLER)
    scaled = [np.log10(column) for column in columns] if log else columns
    # Not ax.violinplot, which has no place for a density of logarithms drawn at the values.
    outlines = cbook.violin_stats(scaled, _density, points=_N_POINTS)
    for outline in outlines if log else ():
        outline["coords"] = 10.0 ** outline["coords"]
    violins = ax.violin(outlines, positions=positions, widths=0.85, showextrema=False)
    for body in violins["bodies"]:
        body.set(facecolor=_FACE, edgecolor=_EDGE, alpha=0.8)
    # Of the values: on a logarithmic axis, those in the outlines are of logarithms.
    quartiles = np.array([np.percentile(column, (25, 50, 75)) for column in columns])
    ax.vlines(positions, quartiles[:, 0], quartiles[:, 2], color=_DARK, linewidth=4)
    ax.scatter(positions, quartiles[:, 1], color="white", edgecolor=_DARK, s=32, zorder=3)


def _density(values, coordinates):
    """Estimate a density; a single peak where all values are equal."""
    # A density needs a spread; scipy would raise for a singular covariance.
    if np.ptp(values) == 0:
        return (coordinates == values[0]).astype(float)
    from scipy.stats import gaussian_kde

    return gaussian_kde(values)(coordinates)
