"""Distributions of cell lengths and angles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import cell_quantities, entries_label
from crystalml.plotting._style import OKABE_ITO, axes_or_new, plain_log_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike

__all__ = ["plot_angle_deviations", "plot_cell_angles", "plot_cell_lengths"]

_LENGTHS, _ANGLES = ("a", "b", "c"), ("alpha", "beta", "gamma")
_GREEK = {"alpha": r"$\alpha$", "beta": r"$\beta$", "gamma": r"$\gamma$"}
# Curves differ in line as well as colour, so that a grey print can be read.
_STYLES = ("-", "--", ":")
_NO_CELL = "without a cell"
# Angles nearer to a special one than this are deposited as equal to it.
_EXACT = 5e-4


def plot_cell_lengths(
    cells: pd.DataFrame | ArrayLike, *, bins: int = 60, ax: Axes | None = None
) -> Axes:
    """Show how long the axes of the unit cells are.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells: a table with the columns `a`, `b`, `c` (Å), `alpha`, `beta`, `gamma` (degrees)
        among others, or an array of the six in this order. Rows that are no unit cell are left
        out, and the axis says how many.
    bins : int, default=60
        Number of bins, equal on the logarithmic scale.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A histogram each of a, b and c over one logarithmic scale, and a legend with the medians.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    See Also
    --------
    plot_cell_angles : The other three parameters.
    plot_axis_ratio_densities : Their ratios.

    Examples
    --------
    >>> from crystalml.plotting import plot_cell_lengths
    >>> ax = plot_cell_lengths([[4.0, 4.0, 6.0, 90, 90, 90], [5.0, 6.0, 7.0, 90, 95, 90]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a: median 4.50 Å', 'b: median 5.00 Å', 'c: median 6.50 Å']
    """
    table, n_left_out = cell_quantities(cells, _LENGTHS, caller="plot_cell_lengths")
    ax = axes_or_new(ax, needed_by="plot_cell_lengths")
    # Beyond the ends, since equal lengths, as of one cubic cell, would span no bins.
    ends = table.to_numpy().min() * 0.98, table.to_numpy().max() * 1.02
    edges = np.geomspace(*ends, bins + 1)
    labels = [f"{name}: median {table[name].median():.2f} Å" for name in _LENGTHS]
    _draw_steps(ax, [table[name] for name in _LENGTHS], edges, labels, "upper right")
    ax.set_xscale("log")
    plain_log_ticks(ax.xaxis)
    ax.set(xlabel="cell length / Å", ylabel=entries_label(n_left_out, _NO_CELL))
    ax.set_ylim(0, None)
    return ax


def plot_cell_angles(
    cells: pd.DataFrame | ArrayLike, *, bins: int = 60, ax: Axes | None = None
) -> Axes:
    r"""Show the angles between the axes of the unit cells.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells, as `plot_cell_lengths` takes them.
    bins : int, default=60
        Number of bins.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A histogram each of alpha, beta and gamma. Counts are logarithmic, since most angles are
        90 degrees; the legend has their shares.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    See Also
    --------
    plot_angle_deviations : How near angles come to 90 and 120 degrees without being equal.

    Examples
    --------
    >>> from crystalml.plotting import plot_cell_angles
    >>> ax = plot_cell_angles([[4.0, 4.0, 6.0, 90, 90, 120], [5.0, 6.0, 7.0, 90, 95, 90]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['$\\alpha$: 100% are 90°', '$\\beta$: 50% are 90°', '$\\gamma$: 50% are 90°']
    """
    table, n_left_out = cell_quantities(cells, _ANGLES, caller="plot_cell_angles")
    ax = axes_or_new(ax, needed_by="plot_cell_angles")
    # Whole bins around 90, so that the peak is one bin.
    width = max(np.ptp(table.to_numpy()), 1.0) / bins
    first, last = (
        (table.to_numpy().min() - 90.0) // width,
        (table.to_numpy().max() - 90.0) / width,
    )
    edges = 90.0 + width * (np.arange(first - 1, np.ceil(last) + 2) + 0.5)
    shares = [((table[name] - 90.0).abs() < _EXACT).mean() for name in _ANGLES]
    labels = [
        f"{_GREEK[name]}: {share:.0%} are 90°" for name, share in zip(_ANGLES, shares, strict=True)
    ]
    _draw_steps(ax, [table[name] for name in _ANGLES], edges, labels, "upper left")
    ax.set_yscale("log")
    ax.set(xlabel="cell angle / degrees", ylabel=entries_label(n_left_out, _NO_CELL))
    return ax


def plot_angle_deviations(
    cells: pd.DataFrame | ArrayLike,
    *,
    references: Sequence[float] = (90.0, 120.0),
    bins: int = 50,
    ax: Axes | None = None,
) -> Axes:
    r"""Show how far cell angles are from the special angle next to them.

    Angles that are exactly special were fixed by the reported symmetry. Where angles deviate by as
    little as the error of a measurement, the cell alone does not tell the symmetry.

    Parameters
    ----------
    cells : DataFrame or array-like of shape (n_samples, 6 or more)
        The cells, as `plot_cell_lengths` takes them.
    references : sequence of float, default=(90.0, 120.0)
        The special angles in degrees.
    bins : int, default=50
        Number of bins, equal on the logarithmic scale.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A histogram each of the deviations of alpha, beta and gamma on logarithmic scales; those
        that are zero have no place there, and their share is in the legend.

    Raises
    ------
    InvalidInputError
        If no row is a unit cell, or a reference is not in (0, 180).
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.

    Examples
    --------
    >>> from crystalml.plotting import plot_angle_deviations
    >>> ax = plot_angle_deviations([[4.0, 4.0, 6.0, 90, 90, 120], [5.0, 6.0, 7.0, 90, 95, 90]])
    >>> ax.get_legend().get_texts()[1].get_text()
    '$\\beta$: 50% exactly special'
    >>> ax.get_xlabel()
    'distance to the nearest of 90° and 120° / degrees'
    """
    special = np.asarray(references, dtype=np.float64)
    if not special.size or special.ndim != 1 or not ((special > 0) & (special < 180)).all():
        raise InvalidInputError(
            f"plot_angle_deviations: references must be angles in (0, 180) degrees, "
            f"got {references!r}."
        )
    table, n_left_out = cell_quantities(cells, _ANGLES, caller="plot_angle_deviations")
    ax = axes_or_new(ax, needed_by="plot_angle_deviations")
    distances = np.abs(table.to_numpy()[:, :, None] - special).min(axis=2)
    labels = [
        f"{_GREEK[name]}: {share:.0%} exactly special"
        for name, share in zip(_ANGLES, (distances < _EXACT).mean(axis=0), strict=True)
    ]
    # One degree at least: if all angles are special, there is no largest deviation.
    largest = max(distances.max(), 1.0) * 1.02
    edges = np.geomspace(_EXACT, largest, bins + 1)
    _draw_steps(
        ax, [column[column >= _EXACT] for column in distances.T], edges, labels, "upper left"
    )
    ax.set_xscale("log")
    plain_log_ticks(ax.xaxis, (1.0,))
    # Else there is nothing that a logarithm could show.
    if (distances >= _EXACT).any():
        ax.set_yscale("log")
    names = " and ".join(f"{angle:g}°" for angle in special)
    nearest = f"the nearest of {names}" if len(special) > 1 else names
    ax.set_xlabel(f"distance to {nearest} / degrees")
    ax.set_ylabel(entries_label(n_left_out, _NO_CELL))
    return ax


def _draw_steps(ax, columns, edges, labels, loc):
    """Draw outlines of histograms, which stay visible where they overlap."""
    for index, (column, label) in enumerate(zip(columns, labels, strict=True)):
        counts, _ = np.histogram(column, edges)
        ax.stairs(
            counts,
            edges,
            color=OKABE_ITO[index],
            linestyle=_STYLES[index],
            linewidth=1.8,
            label=label,
        )
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", loc=loc)
