"""One index of known crystals, asked for those nearest to others in chosen coordinates.

The caller names the coordinates and their weights, the labels that must agree, and the groups of
rows that must not be found for one another. Trees are made when they are first asked, each in
time near-linear in the rows, and give what a comparison with every row would.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from crystalml.known_crystals._descriptions import Compositions, Lattices

STOICHIOMETRY, LATTICE = "stoichiometry", "Bravais lattice"
# Distances are compared when rounded so: what is equal but for the last bits must stay equal.
_DECIMALS = 6


class Crystals(NamedTuple):
    """The properties of n crystals that are compared; None where no crystal has the property."""

    compositions: Compositions | None
    lattices: Lattices | None
    log_units: np.ndarray | None
    """Logarithm of the number of formula units in the cell, NaN where unknown."""
    groups: np.ndarray
    """Rows of one group, such as a fold, never see one another; -1 sees all."""
    bravais: np.ndarray | None = None
    """Codes of the Bravais lattices."""

    def coordinates(self, name):
        """Return coordinates of all rows, shape (n, m), or None; rows of NaN are not known."""
        return _COORDINATES[name](self)

    def label(self, names):
        """Return one label for each row, or None if one of its parts is not known."""
        parts: list[Any] = []
        if STOICHIOMETRY in names:
            parts.append(None if self.compositions is None else self.compositions.sites.key)
        if LATTICE in names:
            parts.append(None if self.bravais is None else self.bravais.astype(str).astype(object))
        if any(part is None for part in parts):
            return None
        if not parts:
            return np.zeros(len(self.groups), dtype=object)
        # One text for both, so that labels stay a flat array that pandas can group.
        return parts[0] if len(parts) == 1 else parts[0] + " " + parts[1]


def _sites(crystals):
    """Features of the atoms on each site, so that distances are root-mean-square ones."""
    if crystals.compositions is None:
        return None
    sites, counts = crystals.compositions.sites.sites, crystals.compositions.sites.counts
    # By the sites that are there, not by the width of the array, which other rows decide.
    n_sites = np.maximum((counts > 0).sum(axis=1), 1)
    flat = sites.reshape(len(sites), -1).astype(np.float64)
    return flat / np.sqrt(n_sites)[:, None]


def _profile(crystals):
    return None if crystals.compositions is None else crystals.compositions.profiles()


def _lengths(crystals):
    lattices = crystals.lattices
    return None if lattices is None else lattices.lengths / np.sqrt(lattices.lengths.shape[1])


def _shape(crystals):
    lattices = crystals.lattices
    return None if lattices is None else lattices.shapes / np.sqrt(lattices.lengths.shape[1])


def _units(crystals):
    return None if crystals.log_units is None else crystals.log_units[:, None]


def _atoms(crystals):
    if crystals.log_units is None or crystals.compositions is None:
        return None
    return (crystals.log_units + np.log(crystals.compositions.sites.n_atoms))[:, None]


_COORDINATES: dict[str, Callable] = {
    "sites": _sites,
    "profile": _profile,
    "lengths": _lengths,
    "shape": _shape,
    "units": _units,
    "atoms": _atoms,
}


class Nearest(NamedTuple):
    """The nearest reference rows of m query rows, nearest first; equal ones in their order."""

    rows: np.ndarray
    """Shape (m, k), -1 where there are no more."""
    distances: np.ndarray
    """Shape (m, k), infinite where there are no more."""


class CrystalIndex:
    """Known crystals, arranged so that a search need not compare all of them.

    Parameters
    ----------
    crystals : Crystals
        The reference rows. Any of them may lack a cell: searches by coordinates that it has not
        leave it out.
    """

    def __init__(self, crystals):
        self.crystals = crystals
        self._searches = {}

    def nearest(self, queries, k, by, *, within=(), lacking=None):
        """Find the k nearest reference rows of each query row.

        Parameters
        ----------
        queries : Crystals
            The query rows.
        k : int
            How many rows to find.
        by : dict of str to float
            Names of coordinates and what a distance of one in them counts. Query rows without the
            first of them have no neighbours; others count where a query row has them.
        within : tuple of {"stoichiometry", "Bravais lattice"}
            What must agree.
        lacking : str, default=None
            Coordinates that a reference row must not have, such as "shape" for those without a
            cell.

        Returns
        -------
        Nearest
            No rows of the group of the query row are among them.
        """
        n_rows = len(queries.groups)
        found = Nearest(np.full((n_rows, k), -1, dtype=np.int64), np.full((n_rows, k), np.inf))
        labels = queries.label(within)
        if labels is None or not n_rows:
            return found
        given = {name: queries.coordinates(name) for name in by}
        has = np.zeros((n_rows, len(by)), dtype=bool)
        for place, values in enumerate(given.values()):
            if values is not None:
                has[:, place] = ~np.isnan(values).any(axis=1)
        # Rows of which the same is known are asked for together.
        for pattern in np.unique(has[has[:, 0]], axis=0):
            rows = np.flatnonzero((has == pattern).all(axis=1))
            used = {name: by[name] for name, is_known in zip(by, pattern, strict=True) if is_known}
            search = self._search(used, within, lacking)
            points = search.points({name: given[name][rows] for name in used})
            for label, asked in _rows_by_label(labels[rows]).items():
                search.fill(found, label, rows[asked], points[asked], queries.groups)
        return found

    def lacks(self, name):
        """Whether some rows do not have these coordinates, and others have."""
        values = self.crystals.coordinates(name)
        return values is not None and bool(np.isnan(values).any())

    def _search(self, by, within, lacking):
        """Return the search by some coordinates, made when it is asked for first."""
        key = (*by.items(), within, lacking)
        if key not in self._searches:
            self._searches[key] = _Search(self.crystals, by, within, lacking)
        return self._searches[key]


class _Search:
    """Trees of the reference rows in some coordinates, one for each label."""

    def __init__(self, crystals, by, within, lacking):
        self.by, self.groups = by, crystals.groups
        parts = {name: crystals.coordinates(name) for name in by}
        labels = crystals.label(within)
        self.widths = {name: 0 if part is None else part.shape[1] for name, part in parts.items()}
        if labels is None or any(part is None for part in parts.values()):
            self.rows_of: dict = {}
            return
        usable = ~np.any([np.isnan(part).any(axis=1) for part in parts.values()], axis=0)
        if lacking is not None:
            other = crystals.coordinates(lacking)
            usable &= True if other is None else np.isnan(other).any(axis=1)
        rows = np.flatnonzero(usable)
        self._points = self.points({name: part[rows] for name, part in parts.items()})
        self.rows_of = _rows_by_label(labels[rows])
        self._rows, self._trees = rows, {}

    def points(self, parts):
        """Put scaled coordinates side by side."""
        return np.hstack(
            [weight * _fitted(parts[name], self.widths[name]) for name, weight in self.by.items()]
        )

    def fill(self, found, label, asked, points, query_groups):
        """Write the nearest rows of this label into the rows `asked` of `found`."""
        places = self.rows_of.get(label)
        if places is None:
            return
        if label not in self._trees:
            self._trees[label] = cKDTree(self._points[places])
        tree, rows = self._trees[label], self._rows[places]
        k = found.rows.shape[1]
        # One more shows whether the last place is shared.
        n_asked = k + 1
        while len(asked):
            n_asked = min(n_asked, len(rows))
            # A list of places, not their number: of one place SciPy would drop the axis.
            distances, near = tree.query(points, k=np.arange(1, n_asked + 1))
            distances, near = np.round(distances, _DECIMALS), rows[near]
            furthest = distances[:, -1:].copy()
            own = query_groups[asked][:, None]
            distances[(own >= 0) & (self.groups[near] == own)] = np.inf
            # All rows nearer than the last one are known, so that their order is settled.
            settled = (distances < furthest).sum(axis=1) >= k
            settled |= n_asked == len(rows)
            self._write(found, asked[settled], distances[settled], near[settled])
            asked, points = asked[~settled], points[~settled]
            # Rows of its own group, or equally near ones, have filled the list of a query row.
            n_asked *= 2

    @staticmethod
    def _write(found, asked, distances, near):
        order = np.lexsort((near, distances), axis=1)[:, : found.rows.shape[1]]
        distances, near = (np.take_along_axis(part, order, axis=1) for part in (distances, near))
        columns = np.arange(order.shape[1])
        found.rows[asked[:, None], columns] = np.where(np.isfinite(distances), near, -1)
        found.distances[asked[:, None], columns] = distances


def _fitted(values, width):
    """Cut or pad to a width: of one stoichiometry, what lies beyond are sites without atoms."""
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing))) if missing > 0 else values[:, :width]


def _rows_by_label(labels):
    """Return the rows of each label, ascending."""
    return pd.Series(labels).groupby(labels, sort=False).indices
