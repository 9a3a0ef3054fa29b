"""Distances between atoms: bonds, and the radial distribution function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from crystalml.descriptors._structure_neighbours import bonded_pairs, refuse_coinciding
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import check_lengths
from crystalml.plotting._structures import read_crystals
from crystalml.plotting._style import OKABE_ITO, REFERENCE_GREY, axes_or_new, plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["plot_bond_lengths", "plot_radial_distribution"]

_CRITERIA = ("nearest", "covalent")
_MOST_PAIRS = len(OKABE_ITO)
_RDF_COLUMN = re.compile(r"rdf_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)")
# With six colours, a style may come twice.
_STYLES = ("-", "--", ":", "-.", "-", "--")


def plot_bond_lengths(
    structures: Any,
    *,
    bonds: Literal["nearest", "covalent"] = "nearest",
    tolerance: float = 0.1,
    bin_width: float = 0.05,
    ax: Axes | None = None,
) -> Axes:
    """Show how long the bonds of crystal structures are, by the elements that they join.

    Parameters
    ----------
    structures : structure, path of a CIF, or sequence of these
        Each a pymatgen Structure, ASE Atoms (periodic in all directions) or the path of a CIF.
    bonds : {"nearest", "covalent"}, default="nearest"
        Which pairs are bonded, as in `StructureDescriptors`: from each atom to all that are not
        farther than its nearest one by more than the tolerance, or nearer than the sum of the
        covalent radii times one plus the tolerance.
    tolerance : float, default=0.1
        Relative tolerance of the bonds.
    bin_width : float, default=0.05
        Width of a bin in Å.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A stacked histogram; the six most frequent pairs of elements have colours, all others are
        grey. Heights are bonds per atom, averaged over the structures, so that neither the
        choice of the cell nor its size matters. Bonds count by the occupancies of their sites,
        a shared site by its most abundant element.

    Raises
    ------
    InvalidInputError
        If a structure cannot be read, two of its atoms are at one place, `bonds` is unknown,
        `tolerance` is negative, `bin_width` is not positive, or there are no bonds.
    MissingDependencyError
        If pymatgen or ASE is not installed.

    See Also
    --------
    crystalml.StructureDescriptors : Minimum, mean and spread of bond lengths as descriptors.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from crystalml.plotting import plot_bond_lengths
    >>> ax = plot_bond_lengths([bulk("NaCl", "rocksalt", a=5.64), bulk("Si")])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['Cl-Na', 'Si-Si']
    """
    caller = "plot_bond_lengths"
    if bonds not in _CRITERIA:
        raise InvalidInputError(f"{caller}: bonds must be one of {_CRITERIA}, got {bonds!r}.")
    if not tolerance >= 0 or not bin_width > 0:
        raise InvalidInputError(
            f"{caller}: tolerance must be at least 0 and bin_width above 0, got {tolerance!r} and "
            f"{bin_width!r}."
        )
    crystals = read_crystals(structures, caller=caller)
    table = pd.concat([_bonds(crystal, bonds, tolerance, caller) for crystal in crystals])
    if table.empty:
        raise InvalidInputError(f"{caller}: there are no bonds; try bonds='nearest'.")
    members = _by_pair(table)
    ax = axes_or_new(ax, needed_by=caller)
    # Edges are multiples of the width, so that two pictures have the same bins.
    first = np.floor(table["length"].min() / bin_width)
    last = np.floor(table["length"].max() / bin_width) + 1
    ax.hist(
        [rows["length"] for rows in members.values()],
        (np.arange(first, last + 1) * bin_width).tolist(),
        weights=[rows["weight"] / len(crystals) for rows in members.values()],
        stacked=True,
        color=[*OKABE_ITO, REFERENCE_GREY][: len(members)],
        edgecolor="white",
        linewidth=0.4,
        label=list(members),
    )
    ax.set(xlabel="bond length / Å", ylabel=f"bonds per atom in {bin_width:g} Å")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(fontsize="small")
    return ax


def plot_radial_distribution(
    descriptors: pd.DataFrame, *, names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw radial distribution functions as `StructureDescriptors` computes them.

    Parameters
    ----------
    descriptors : DataFrame of shape (n_structures, n_columns)
        Result of ``StructureDescriptors("rdf").set_output(transform="pandas")``; other columns
        do no harm.
    names : sequence of str, default=None
        Name of each structure. By default the index.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A step line for each of up to six structures; of more, the median and a band from the
        first to the third quartile. A line at 1 is the mean density of the crystal.

    Raises
    ------
    InvalidInputError
        If there are no columns of a radial distribution function that follow one another, no
        structure has one, or there are not as many names as structures.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from crystalml import StructureDescriptors
    >>> from crystalml.plotting import plot_radial_distribution
    >>> describe = StructureDescriptors("rdf", rdf_cutoff=6.0).set_output(transform="pandas")
    >>> rdf = describe.fit_transform([bulk("Cu"), bulk("Si")])
    >>> ax = plot_radial_distribution(rdf, names=["copper", "silicon"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['copper', 'silicon', 'mean density']
    """
    caller = "plot_radial_distribution"
    edges, table = _rdf_columns(descriptors, caller)
    names = [str(name) for name in (table.index if names is None else names)]
    check_lengths(caller, names=names, structures=table)
    # StructureDescriptors may leave a row of NaN for a structure that it could not describe.
    known = table.notna().all(axis=1).to_numpy()
    if not known.any():
        raise InvalidInputError(f"{caller}: all {len(table)} structures have missing values.")
    rows = table.to_numpy(dtype=np.float64)[known]
    ax = axes_or_new(ax, needed_by=caller, figsize=(7, 4.4))
    if len(rows) <= len(OKABE_ITO):
        shown = [plain_text(name) for name, there in zip(names, known, strict=True) if there]
        for row, name, color, style in zip(rows, shown, OKABE_ITO, _STYLES, strict=False):
            ax.stairs(row, edges, color=color, linestyle=style, linewidth=1.5, label=name)
    else:
        low, median, high = np.percentile(rows, (25, 50, 75), axis=0)
        band = f"first to third quartile of {len(rows):,} structures"
        ax.stairs(high, edges, baseline=low, fill=True, color=OKABE_ITO[4], alpha=0.6, label=band)
        ax.stairs(median, edges, color=OKABE_ITO[0], linewidth=1.5, label="median")
    ax.axhline(1, color=REFERENCE_GREY, linestyle="--", linewidth=1, label="mean density")
    ax.set(xlim=(edges[0], edges[-1]), xlabel="distance r between two atoms / Å")
    ax.set(ylabel="radial distribution g(r)")
    ax.set_ylim(0, None)
    ax.legend(fontsize="small")
    return ax


def _bonds(crystal, bonds, tolerance, caller):
    """Return the pair, the length in Å and the weight of each bond of each atom."""
    try:
        # The nearest neighbour of an atom at the same place would be a bond of no length.
        refuse_coinciding(crystal)
    except InvalidInputError as error:
        raise InvalidInputError(f"{caller}: {error}; correct or drop this structure.") from error
    found = bonded_pairs(crystal, None, None, bonds=bonds, tolerance=tolerance)
    names = np.array([max(here, key=lambda pair: pair[1])[0] for here in crystal.species])
    one, other = names[found.first], names[found.second]
    occupancy = crystal.occupancy
    return pd.DataFrame(
        {
            # In alphabetical order, so that Cl-Na and Na-Cl are one pair.
            "pair": [f"{min(pair)}-{max(pair)}" for pair in zip(one, other, strict=True)],
            "length": found.distance,
            # Each atom lists its own bonds; the sum of the weights is bonds per atom.
            "weight": occupancy[found.first] * occupancy[found.second] / occupancy.sum(),
        }
    )


def _by_pair(table):
    """Split bonds by pair of elements, most frequent first, the rest together."""
    weights = table.groupby("pair")["weight"].sum().sort_values(ascending=False, kind="stable")
    shown = weights.index[:_MOST_PAIRS]
    members = {pair: table[table["pair"] == pair] for pair in shown}
    rest = table[~table["pair"].isin(shown)]
    return members if rest.empty else {**members, f"{len(weights) - len(shown)} others": rest}


def _rdf_columns(descriptors, caller):
    """Return the edges of the shells in Å and the columns, sorted by distance."""
    columns = getattr(descriptors, "columns", ())
    found = {name: _RDF_COLUMN.fullmatch(str(name)) for name in columns}
    shells = sorted((float(m[1]), float(m[2]), name) for name, m in found.items() if m)
    # Shells that follow one another, or a step would cover distances of which nothing is known.
    edges = [low for low, _, _ in shells] + [high for _, high, _ in shells[-1:]]
    if not shells or [high for _, high, _ in shells] != edges[1:]:
        raise InvalidInputError(
            f"{caller}: needs a DataFrame with the columns 'rdf_0.00_0.10' and so on of "
            f"StructureDescriptors('rdf'), without gaps; got {len(shells)} such columns."
        )
    return np.array(edges), descriptors[[name for _, _, name in shells]]
