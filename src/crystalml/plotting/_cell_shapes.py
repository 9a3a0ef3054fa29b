"""Sizes and shapes of unit cells: axis ratios, anisotropy, shape factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crystalml.crystallography import CRYSTAL_SYSTEMS
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import (
    cell_quantities,
    central_range,
    check_lengths,
    entries_label,
    quantity_label,
)
from crystalml.plotting._style import (
    GROUP_COLORS,
    MARKERS,
    OKABE_ITO,
    REFERENCE_GREY,
    axes_or_new,
    cycle,
    enlarge_markers,
    plain_log_ticks,
    plain_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from crystalml._typing import ArrayLike

__all__ = [
    "plot_axis_ratio_densities",
    "plot_axis_ratio_scatter",
    "plot_shape_factor",
    "plot_volume_anisotropy",
]

_RATIOS = ("b_over_a", "c_over_a", "c_over_b")
_STYLES = ("-", "--", ":")
_NO_CELL = "without a cell"
# abc / V of right angles, and of one angle of 120 degrees.
_SHAPES = {1.0: "right angles", 2.0 / np.sqrt(3.0): "hexagonal axes"}
_TICKS = (1.0, 1.5, 2.0, 3.0, 5.0)
# Area in points of a marker among few.
_LARGEST = 18.0


def plot_axis_ratio_densities(
    cells: pd.DataFrame | ArrayLike, *, bins: int = 80, ax: Axes | None = None
) -> Axes:
    """Show how the three axis ratios are distributed.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells: a table with the columns `a`, `b`, `c` (Å), `alpha`, `beta`, `gamma` (degrees)
        among others, or an array of the six in this order. Rows that are no unit cell are left
        out, and the axis says how many.
    bins : int, default=80
        Number of bins, equal on the logarithmic scale, on which a ratio and its inverse lie
        equally far from one.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A density each of b/a, c/a and c/b per unit of the natural logarithm, over the central
        99% of all ratios, and a legend with the share of ratios equal to one.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    See Also
    --------
    plot_axis_ratio_scatter : Two ratios against each other.

    Examples
    --------
    >>> from crystalml.plotting import plot_axis_ratio_densities
    >>> ax = plot_axis_ratio_densities([[4.0, 4.0, 6.0, 90, 90, 90], [5.0, 6.0, 7.0, 90, 95, 90]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['b/a: 50% are 1', 'c/a: 0% are 1', 'c/b: 0% are 1']
    """
    table, n_left_out = cell_quantities(cells, _RATIOS, caller="plot_axis_ratio_densities")
    ax = axes_or_new(ax, needed_by="plot_axis_ratio_densities")
    logs = np.log(table)
    low, high = central_range(*logs.to_numpy().T)
    # Bins are centred on a ratio of one, so that the peak of equal lengths is one bin.
    width = (high - low) / bins
    edges = width * (np.arange(np.floor(low / width), np.ceil(high / width) + 1) + 0.5)
    for name, color, style in zip(_RATIOS, OKABE_ITO, _STYLES, strict=False):
        # By all rows, as density=True would not: the ratios outside the picture count too.
        density = np.histogram(logs[name], edges)[0] / len(logs) / width
        label = f"{name.replace('_over_', '/')}: {np.isclose(table[name], 1).mean():.0%} are 1"
        ax.stairs(density, np.exp(edges), color=color, linestyle=style, linewidth=1.6, label=label)
    ax.set(xscale="log", yscale="log", xlabel="axis ratio")
    ax.set_ylabel(entries_label(n_left_out, _NO_CELL, what="density per unit of ln(ratio)"))
    plain_log_ticks(ax.xaxis, _TICKS)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
    return ax


def plot_axis_ratio_scatter(
    cells: pd.DataFrame | ArrayLike, groups: ArrayLike | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw c/a against b/a of each cell.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells, as `plot_axis_ratio_densities` takes them.
    groups : array-like of shape (n_samples,), default=None
        A label of each row, such as its crystal system, for colour and marker. The seven most
        frequent are shown; crystal systems come in their order, other labels by frequency.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        One point per cell on logarithmic axes, which show the central 99% of the ratios, and
        lines where two lengths are equal.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell, or there are not as many groups as rows.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    Examples
    --------
    >>> from crystalml.plotting import plot_axis_ratio_scatter
    >>> cells = [[4.0, 4.0, 6.0, 90, 90, 90], [5.0, 6.0, 7.0, 90, 95, 90]]
    >>> ax = plot_axis_ratio_scatter(cells, ["tetragonal", "monoclinic"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['monoclinic (1)', 'tetragonal (1)', 'two lengths equal']
    """
    caller = "plot_axis_ratio_scatter"
    if groups is not None:
        check_lengths(caller, cells=cells, groups=groups)
        # By position from here on: a Series may have an index of its own.
        groups = pd.Series(groups).to_numpy(dtype=object)
    table, n_left_out = cell_quantities(cells, ("b_over_a", "c_over_a"), caller=caller)
    ax = axes_or_new(ax, needed_by=caller, figsize=(6.2, 5.2))
    members = _members(table, groups)
    # The more points, the smaller, or thousands would merge into one blot.
    size = float(np.clip(6e4 / len(table), 2.0, _LARGEST))
    for index, (label, rows) in enumerate(members.items()):
        ax.scatter(
            rows["b_over_a"],
            rows["c_over_a"],
            s=size,
            color=GROUP_COLORS[index],
            marker=cycle(MARKERS, index),
            alpha=0.5,
            linewidth=0,
            label=label,
            # Thousands of points as vectors would make a PDF slow to open.
            rasterized=True,
        )
    x, y = (np.exp(central_range(np.log(table[name]))) for name in table)
    ax.set(xscale="log", yscale="log", xlim=x * [0.96, 1.04], ylim=y * [0.96, 1.04])
    _add_equal_lengths(ax)
    ax.set_xlabel(quantity_label("b_over_a"))
    ax.set_ylabel(entries_label(n_left_out, _NO_CELL, what=quantity_label("c_over_a")))
    for axis in (ax.xaxis, ax.yaxis):
        plain_log_ticks(axis, _TICKS)
    legend = ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    # The last entry is a line, which has no size of markers.
    enlarge_markers(legend.legend_handles[: len(members)])
    return ax


def plot_volume_anisotropy(
    cells: pd.DataFrame | ArrayLike,
    *,
    gridsize: int = 45,
    ax: Axes | None = None,
    cmap: str | Colormap = "cividis_r",
) -> Axes:
    """Show how many cells have which volume and which anisotropy.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells, as `plot_axis_ratio_densities` takes them.
    gridsize : int, default=45
        Number of hexagons in a row.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.
    cmap : str or matplotlib Colormap, default="cividis_r"
        Colour map of the counts.

    Returns
    -------
    matplotlib.axes.Axes
        Hexagonal bins of the anisotropy, ``|a - c| / (a + c)``, over the volume on a logarithmic
        scale; colour is the number of entries, logarithmic too.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    Examples
    --------
    >>> from crystalml.plotting import plot_volume_anisotropy
    >>> ax = plot_volume_anisotropy([[4.0, 4.0, 6.0, 90, 90, 90], [5.0, 6.0, 7.0, 90, 95, 90]])
    >>> ax.get_ylabel()
    'anisotropy |a - c| / (a + c)'
    """
    return _hexagons(cells, "anisotropy", gridsize, ax, cmap, "plot_volume_anisotropy")


def plot_shape_factor(
    cells: pd.DataFrame | ArrayLike,
    *,
    gridsize: int = 45,
    ax: Axes | None = None,
    cmap: str | Colormap = "cividis_r",
) -> Axes:
    """Show the shape factor of the cells against their volume.

    The shape factor, ``abc / V``, is 1 where all angles are right, and larger otherwise.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells, as `plot_axis_ratio_densities` takes them.
    gridsize : int, default=45
        Number of hexagons in a row.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.
    cmap : str or matplotlib Colormap, default="cividis_r"
        Colour map of the counts.

    Returns
    -------
    matplotlib.axes.Axes
        Hexagonal bins of the shape factor over the volume, both logarithmic; colour is the
        number of entries, logarithmic too. Lines mark right angles and hexagonal axes.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    Examples
    --------
    >>> from crystalml.plotting import plot_shape_factor
    >>> ax = plot_shape_factor([[4.0, 4.0, 6.0, 90, 90, 90], [5.0, 6.0, 7.0, 90, 95, 90]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['right angles', 'hexagonal axes']
    """
    ax = _hexagons(cells, "shape_factor", gridsize, ax, cmap, "plot_shape_factor", yscale="log")
    for (value, label), style in zip(_SHAPES.items(), ("--", ":"), strict=True):
        ax.axhline(value, color=OKABE_ITO[-1], linestyle=style, linewidth=1.2, label=label)
    plain_log_ticks(ax.yaxis, _TICKS)
    ax.legend(fontsize="small")
    return ax


def _hexagons(cells, name, gridsize, ax, cmap, caller, yscale="linear"):
    """Draw hexagonal bins of a descriptor over the volume."""
    table, n_left_out = cell_quantities(cells, ("v_formula", name), caller=caller)
    if not isinstance(gridsize, int) or gridsize < 1:
        raise InvalidInputError(f"{caller}: gridsize must be a whole number > 0, got {gridsize!r}.")
    ax = axes_or_new(ax, needed_by=caller, figsize=(6.4, 4.6))
    hexagons = ax.hexbin(
        table["v_formula"],
        table[name],
        gridsize=gridsize,
        xscale="log",
        yscale=yscale,
        bins="log",
        # Hexagons without a cell stay white: zero has no place on a logarithmic scale.
        mincnt=1,
        cmap=cmap,
        linewidths=0.1,
    )
    ax.set(xlabel=quantity_label("v_formula"), ylabel=quantity_label(name))
    bar = ax.figure.colorbar(hexagons, ax=ax)
    bar.set_label(entries_label(n_left_out, _NO_CELL))
    return ax


def _members(table, groups):
    """Split rows by their label, most frequent or lowest symmetry first, with counts."""
    if groups is None:
        return {"cells": table}
    # The index of `table` are positions: labels of rows that are no cell are not asked for.
    labels = pd.Series(groups[table.index.to_numpy()], index=table.index)
    shown = labels.value_counts().index[: len(GROUP_COLORS)].tolist()
    if set(shown) <= set(CRYSTAL_SYSTEMS):
        shown.sort(key=CRYSTAL_SYSTEMS.index)
    return {
        f"{plain_text(str(label))} ({(labels == label).sum():,})": table[labels == label]
        for label in shown
    }


def _add_equal_lengths(ax):
    """Draw lines where b = a, c = a and c = b."""
    style = {"color": REFERENCE_GREY, "linewidth": 0.9, "linestyle": "--", "zorder": 0}
    ax.axvline(1.0, **style)
    ax.axhline(1.0, **style)
    # By two points: matplotlib refuses a slope on logarithmic axes.
    ax.axline((1.0, 1.0), (2.0, 2.0), label="two lengths equal", **style)
