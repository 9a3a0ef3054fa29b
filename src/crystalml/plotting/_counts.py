"""Bar charts of counts: elements, space groups, Hall symbols, formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from crystalml.crystallography import parse_formulas, spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._style import (
    OKABE_ITO,
    axes_or_new,
    plain_text,
    typeset_formula,
    typeset_spacegroup,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike, Formulas

__all__ = ["plot_element_counts", "plot_most_frequent"]

_KINDS = {
    "space_group": ("space group", "space groups"),
    "hall_symbol": ("Hall symbol", "Hall symbols"),
    "formula": ("formula", "formulas"),
    "label": ("label", "labels"),
}


def plot_element_counts(
    formulas: Formulas, *, n_elements: int = 30, ax: Axes | None = None
) -> Axes:
    """Show in how many formulas each element occurs.

    Parameters
    ----------
    formulas : sequence of str, shape (n_samples,)
        Chemical formulas. Those that are missing or cannot be read are left out, and the axis
        says how many; `crystalml.crystallography.parse_formulas` has the reasons.
    n_elements : int, default=30
        How many elements to show, the most frequent ones.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A bar for each element, from the most frequent down. Deuterium counts as hydrogen.

    Raises
    ------
    InvalidInputError
        If no formula can be read, or `n_elements` is less than one.

    Examples
    --------
    >>> from crystalml.plotting import plot_element_counts
    >>> ax = plot_element_counts(["NaCl", "Na2O", "NaN"])
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['Na', 'N', 'O', 'Cl']
    >>> [int(bar.get_height()) for bar in ax.patches]
    [3, 1, 1, 1]
    """
    _check_number("plot_element_counts", "n_elements", n_elements)
    table = parse_formulas(formulas, on_error="report")
    n_read = int(table.is_valid.sum())
    if not n_read:
        raise InvalidInputError(
            f"plot_element_counts: none of the {len(table)} formulas can be read; "
            "parse_formulas(..., on_error='report').errors says why."
        )
    # A sparse row stores each element once, so that stored entries are formulas.
    occurrences = np.bincount(table.amounts.indices, minlength=len(table.elements))
    # Ties stay in the order of atomic numbers.
    order = np.argsort(-occurrences, kind="stable")[: min(n_elements, (occurrences > 0).sum())]
    ax = axes_or_new(ax, needed_by="plot_element_counts", figsize=(9, 3.6))
    ax.bar(np.arange(len(order)), occurrences[order], color=OKABE_ITO[0])
    ax.set_xticks(np.arange(len(order)), [table.elements[column] for column in order])
    n_left_out = len(table) - n_read
    left_out = f"; {n_left_out:,} not readable" if n_left_out else ""
    ax.set(
        xlim=(-0.7, len(order) - 0.3),
        xlabel=f"element ({len(order)} of {(occurrences > 0).sum()})",
        ylabel=f"formulas with the element (of {n_read:,}{left_out})",
    )
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    return ax


def plot_most_frequent(
    values: ArrayLike,
    *,
    kind: Literal["space_group", "hall_symbol", "formula", "label"] = "space_group",
    n_values: int = 15,
    ax: Axes | None = None,
) -> Axes:
    r"""Show the most frequent space groups, Hall symbols, formulas or other labels.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        Space-group numbers, Hall symbols, formulas or labels, according to `kind`. Missing ones
        are left out, and the axis says how many; the text ``"NaN"`` is sodium nitride.
    kind : {"space_group", "hall_symbol", "formula", "label"}, default="space_group"
        What the values are: how they are written, and what the axis is called.
    n_values : int, default=15
        How many to show.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A horizontal bar for each value, the most frequent on top, with count and share. Space
        groups are shown by symbol and number. Spellings count as they are: for compounds, pass
        the result of `crystalml.crystallography.reduced_formula`.

    Raises
    ------
    InvalidInputError
        If `kind` is unknown, `n_values` is less than one, or all values are missing.
    SpaceGroupError
        If a space-group number is not in 1-230.

    Examples
    --------
    >>> from crystalml.plotting import plot_most_frequent
    >>> ax = plot_most_frequent([225, 225, 62])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['$Fm\\overline{3}m$ (225)', '$Pnma$ (62)']
    >>> [text.get_text() for text in ax.texts]
    ['2 (66.7%)', '1 (33.3%)']
    """
    if kind not in _KINDS:
        raise InvalidInputError(
            f"plot_most_frequent: kind must be one of {tuple(_KINDS)}, got {kind!r}."
        )
    _check_number("plot_most_frequent", "n_values", n_values)
    # As objects: a number beside missing ones would become a float, and be shown as 225.0.
    column = pd.Series(values, dtype=object)
    # Drops None, NaN and NA, but no text: "NaN" is sodium nitride.
    counts = column.value_counts()
    if not len(counts):
        raise InvalidInputError(
            f"plot_most_frequent: all of the {len(column)} values are missing; there is nothing "
            "to count."
        )
    total, shown = int(counts.sum()), counts.iloc[:n_values]
    ax = axes_or_new(
        ax, needed_by="plot_most_frequent", figsize=(6.4, max(2.4, 1 + 0.27 * len(shown)))
    )
    ax.barh(np.arange(len(shown)), shown, color=OKABE_ITO[0])
    ax.set_yticks(np.arange(len(shown)), _write(shown.index, kind))
    # matplotlib draws the first bar at the bottom.
    ax.invert_yaxis()
    for row, count in enumerate(shown):
        share = count / total
        # A small share keeps two digits that mean something: 0.04%, not 0.0%.
        text = f"{count:,} ({share:.1%})" if share >= 0.01 else f"{count:,} ({share:.2%})"
        ax.annotate(text, (count, row), (4, 0), textcoords="offset points", va="center", size=9)
    _label_axes(ax, kind, counts, n_missing=len(column) - total)
    return ax


def _label_axes(ax, kind, counts, n_missing):
    """Say how many values there are in all, and make room for the text beside the bars."""
    singular, plural = _KINDS[kind]
    missing = f"; {n_missing:,} without one left out" if n_missing else ""
    ax.set_xlabel(f"entries (of {counts.sum():,} with {len(counts):,} {plural}{missing})")
    ax.set_ylabel(singular)
    ax.set_xlim(0, counts.iloc[0] * 1.4)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)


def _write(values, kind):
    """Return the text of each value, typeset."""
    if kind == "space_group":
        numbers = values.to_numpy().astype(np.int64)
        symbols = spacegroup_symbol(numbers)
        return [f"{typeset_spacegroup(s)} ({n})" for s, n in zip(symbols, numbers, strict=True)]
    typeset = typeset_formula if kind == "formula" else plain_text
    return [typeset(str(value)) for value in values]


def _check_number(caller, name, value):
    """Raise where a number of bars is less than one."""
    if value < 1:
        raise InvalidInputError(f"{caller}: {name} must be at least 1, got {value!r}.")
