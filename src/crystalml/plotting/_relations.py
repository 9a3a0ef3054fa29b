"""Relations between the columns of a table: correlations and scatter plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from crystalml._validation import as_pandas
from crystalml.crystallography import CRYSTAL_SYSTEMS
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import check_lengths, quantity_label
from crystalml.plotting._style import (
    GROUP_COLORS,
    OKABE_ITO,
    REFERENCE_GREY,
    annotate_cells,
    axes_grid_or_new,
    axes_or_new,
    enlarge_markers,
    plain_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from crystalml._typing import ArrayLike

__all__ = ["plot_correlations", "plot_scatter_matrix"]

_METHODS = ("pearson", "spearman", "kendall")
# Cells of larger matrices are too small for a number at the default size.
_MOST_ANNOTATED = 16
# Of a scatter matrix: more would be too small to see.
_MOST_COLUMNS = 10
# Area in points of a marker among few.
_LARGEST = 12.0


def plot_correlations(
    table: pd.DataFrame,
    *,
    method: Literal["spearman", "pearson", "kendall"] = "spearman",
    ax: Axes | None = None,
    cmap: str | Colormap = "PuOr_r",
) -> Axes:
    """Show which columns rise and fall together: a heat map of correlation coefficients.

    Parameters
    ----------
    table : DataFrame
        Its numeric columns are compared; a missing value leaves its row out of the pairs of that
        column.
    method : {"spearman", "pearson", "kendall"}, default="spearman"
        Correlation of ranks, which sees any monotonic relation, or of the values, which sees
        straight ones.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.
    cmap : str or matplotlib Colormap, default="PuOr_r"
        Colour map from -1 to 1, white in the middle.

    Returns
    -------
    matplotlib.axes.Axes
        The matrix, with its numbers up to 16 columns. A column that does not vary correlates
        with nothing, and its cells are grey.

    Raises
    ------
    InvalidInputError
        If `method` is unknown, or there are fewer than two numeric columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.plotting import plot_correlations
    >>> ax = plot_correlations(pd.DataFrame({"a": [3, 4, 5], "volume": [30, 64, 120]}))
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['a', 'volume']
    >>> [text.get_text() for text in ax.texts]
    ['1.00', '1.00', '1.00', '1.00']
    """
    if method not in _METHODS:
        raise InvalidInputError(
            f"plot_correlations: method must be one of {_METHODS}, got {method!r}."
        )
    numbers = _numeric(table, "plot_correlations")
    coefficients = numbers.corr(method).to_numpy()
    n = len(coefficients)
    side = float(np.clip(2.2 + 0.5 * n, 4.2, 11))
    ax = axes_or_new(ax, needed_by="plot_correlations", figsize=(side + 1, side))
    # Seen through masked cells: white would read as a correlation of zero.
    ax.set_facecolor("#bbbbbb")
    image = ax.imshow(np.ma.masked_invalid(coefficients), vmin=-1, vmax=1, cmap=cmap)
    names = [plain_text(str(name)) for name in numbers.columns]
    ax.set_xticks(np.arange(n), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(n), names)
    ax.set(xlabel="column", ylabel="column")
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label(f"{method.capitalize()} correlation")
    if n <= _MOST_ANNOTATED:
        texts = [
            ["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in coefficients
        ]
        annotate_cells(ax, image, coefficients, np.array(texts, dtype=object))
    return ax


def plot_scatter_matrix(
    table: pd.DataFrame,
    groups: ArrayLike | None = None,
    *,
    log: Sequence[str] = (),
    axes: ArrayLike | None = None,
) -> np.ndarray:
    """Draw every numeric column against every other one.

    Parameters
    ----------
    table : DataFrame
        Its numeric columns are drawn, ten at most.
    groups : array-like of shape (n_samples,), default=None
        A label of each row, such as its crystal system, for the colour. The seven most
        frequent have colours, all others are grey.
    log : sequence of str, default=()
        Columns on a logarithmic scale; their values that are not positive are left out.
    axes : array-like of matplotlib.axes.Axes, default=None
        Where to draw, as many as the square of the number of columns; a new figure by default.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (n_columns, n_columns)
        Histograms on the diagonal, scatter plots elsewhere, with units where the column is one of
        the table or of `CellDescriptors`; a legend above if there are groups.

    Raises
    ------
    InvalidInputError
        If there are fewer than two or more than ten numeric columns, a column of `log` is not
        among them, one has no value, or there are not as many groups as rows or Axes as panels.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.plotting import plot_scatter_matrix
    >>> cells = pd.DataFrame({"a": [3.0, 4.0, 5.0], "volume": [30.0, 64.0, 120.0]})
    >>> axes = plot_scatter_matrix(cells, log=["volume"])
    >>> axes.shape, axes[1, 0].get_xlabel(), axes[1, 0].get_ylabel()
    ((2, 2), 'cell length a / Å', 'cell volume V / Å$^{3}$')
    """
    caller = "plot_scatter_matrix"
    numbers = _numeric(table, caller)
    n, names = numbers.shape[1], list(numbers.columns)
    if n > _MOST_COLUMNS or set(log) - set(names):
        raise InvalidInputError(
            f"{caller}: needs at most {_MOST_COLUMNS} numeric columns, log among them; got "
            f"{names!r} and log={list(log)!r}."
        )
    empty = [x for x in names if not (numbers[x] > 0 if x in log else numbers[x].notna()).any()]
    if empty:
        raise InvalidInputError(f"{caller}: columns {empty!r} have no value that can be drawn.")
    members = _members(numbers, groups, caller)
    side = float(np.clip(2.1 * n, 5, 14))
    axes = axes_grid_or_new(axes, (n, n), needed_by=caller, figsize=(side, side))
    for (i, j), ax in np.ndenumerate(axes):
        _draw_panel(ax, members, names[i], names[j], log)
        # Inner panels have labels too, unseen; that of the upper right one is shown below.
        ax.set_xlabel(quantity_label(names[j]), visible=i == n - 1)
        ax.set_ylabel(quantity_label(names[i]) if i != j else "rows", visible=i > 0 and j == 0)
        ax.tick_params(labelbottom=i == n - 1, labelleft=i > 0 and j == 0, labelsize="small")
        # Panels are too small for the numbers between the powers of ten.
        ax.tick_params(which="minor", labelbottom=False, labelleft=False)
    # The panel at the upper left counts rows, so that the scale of the first row is at its end.
    axes[0, -1].yaxis.set_label_position("right")
    axes[0, -1].yaxis.label.set_visible(True)
    axes[0, -1].yaxis.tick_right()
    axes[0, -1].tick_params(labelright=True)
    if groups is not None:
        handles, labels = axes[1, 0].get_legend_handles_labels()
        legend = axes[0, -1].figure.legend(
            handles, labels, loc="outside upper center", ncols=4, frameon=False
        )
        enlarge_markers(legend.legend_handles)
    return axes


def _draw_panel(ax, members, y, x, log):
    """Draw a histogram of one column, or two columns against each other."""
    if x in log:
        ax.set_xscale("log")
    if x == y:
        _draw_histogram(ax, members, x, x in log)
        return
    if y in log:
        ax.set_yscale("log")
    n = sum(map(len, (rows for rows, _ in members.values())))
    size = float(np.clip(2e4 / n, 1.0, _LARGEST))
    style = {"s": size, "alpha": 0.5, "linewidth": 0, "rasterized": True}
    for label, (rows, color) in members.items():
        ax.scatter(rows[x], rows[y], color=color, label=label, **style)


def _draw_histogram(ax, members, name, is_log):
    """Draw stacked histograms of the groups."""
    columns = [rows[name].dropna() for rows, _ in members.values()]
    columns = [column[column > 0] if is_log else column for column in columns]
    low, high = (getattr(pd.concat(columns), end)() for end in ("min", "max"))
    # On a logarithmic scale a little beyond the ends, which rounding could leave outside.
    edges = np.geomspace(0.999 * low, 1.001 * high, 31) if is_log else np.linspace(low, high, 31)
    colors = [color for _, color in members.values()]
    ax.hist(columns, edges, stacked=True, color=colors)


def _members(numbers, groups, caller):
    """Split rows by their label; the rarer labels, drawn first, are grey."""
    if groups is None:
        return {None: (numbers, OKABE_ITO[0])}
    check_lengths(caller, rows=numbers, groups=groups)
    labels = pd.Series(pd.Series(groups).to_numpy(dtype=object), index=numbers.index)
    shown = labels.value_counts().index[: len(GROUP_COLORS)].tolist()
    if set(shown) <= set(CRYSTAL_SYSTEMS):
        shown.sort(key=CRYSTAL_SYSTEMS.index)
    rest = numbers[~labels.isin(shown)]
    # First, so that the rows of named groups are drawn over them.
    members = {"others": (rest, REFERENCE_GREY)} if len(rest) else {}
    for label, color in zip(shown, GROUP_COLORS, strict=False):
        members[plain_text(str(label))] = (numbers[labels == label], color)
    return members


def _numeric(table, caller):
    """Return the numeric columns of a table, at least two."""
    table = as_pandas(table)
    if not isinstance(table, pd.DataFrame):
        raise InvalidInputError(
            f"{caller}: table must be a DataFrame, whose columns have names; got "
            f"{type(table).__name__}."
        )
    numbers = table.select_dtypes("number").astype(np.float64)
    if numbers.shape[1] < 2 or not len(numbers):
        raise InvalidInputError(
            f"{caller}: needs two numeric columns or more, and rows; got {len(table)} rows with "
            f"the numeric columns {list(numbers.columns)!r}."
        )
    return numbers
