"""The training compounds nearest in composition, whatever their stoichiometry."""

import numpy as np
from scipy import sparse

from crystalml.descriptors._elemental import elemental_table

_PROPERTIES = (
    "MendeleevNumber",
    "CovalentRadius",
    "Electronegativity",
    "GSvolume_pa",
    "Column",
    "Row",
    "NValence",
    "NpValence",
    "NdValence",
    "NUnfilled",
)
_KNOWN_ELEMENTS = 94  # the rest are imputed, and must not shift the scale
# The largest atomic fractions, and what they and the size of the cell count beside a property.
_FRACTIONS, _FRACTION_WEIGHT, _SIZE_WEIGHT = 4, 6.0, 1.5
_QUERIES_AT_ONCE = 512


class SimilarCompositions:
    """Compounds of known cells, to be asked for those nearest in composition.

    The coordinates are mean and spread of elemental properties, the largest atomic fractions
    and the logarithm of the atoms in the cell. They work where no compound has the same
    stoichiometry, as for most disordered ones.

    Parameters
    ----------
    amounts : sparse array of shape (n, 118)
        Amounts of the elements.
    systems : ndarray of shape (n,)
        Chemical systems.
    lattices : ndarray of shape (n,)
        Codes of the Bravais lattices.
    n_atoms : ndarray of shape (n,)
        Atoms in the cells.
    """

    def __init__(self, amounts, systems, lattices, n_atoms):
        self.coordinates = _coordinates(amounts).astype(np.float32)
        self.sizes = (_SIZE_WEIGHT * np.log(n_atoms)).astype(np.float32)
        self.systems = systems
        self.lattices = lattices

    def find(self, amounts, systems, k, *, lattices=None, n_atoms=None, apart=False):
        """Find the nearest compounds; see `IsostructuralNeighbours.find`.

        Without `n_atoms` (or where it is NaN) the size of the cell does not count; without
        `lattices` compounds of any lattice are found.
        """
        coordinates = _coordinates(amounts).astype(np.float32)
        n_rows = len(coordinates)
        sizes = np.full(n_rows, np.nan) if n_atoms is None else _SIZE_WEIGHT * np.log(n_atoms)
        sizes = sizes.astype(np.float32)
        rows = np.full((n_rows, k), -1, dtype=np.int64)
        distances = np.full((n_rows, k), np.inf)
        if lattices is None:
            self._search(
                coordinates, sizes, systems, slice(None), slice(None), rows, distances, apart
            )
            return rows, distances
        for lattice in np.unique(lattices):
            asked = np.flatnonzero(lattices == lattice)
            known = np.flatnonzero(self.lattices == lattice)
            if len(known):
                self._search(coordinates, sizes, systems, asked, known, rows, distances, apart)
        return rows, distances

    def _search(self, coordinates, sizes, systems, asked, known, rows, distances, apart):
        """Fill in the nearest of `known` for each of the rows `asked`."""
        asked = np.arange(len(coordinates))[asked]
        known = np.arange(len(self.coordinates))[known]
        theirs = self.coordinates[known]
        lengths = (theirs**2).sum(axis=1)
        for start in range(0, len(asked), _QUERIES_AT_ONCE):
            part = asked[start : start + _QUERIES_AT_ONCE]
            mine = coordinates[part]
            squares = (mine**2).sum(axis=1)[:, None] + lengths - 2.0 * mine @ theirs.T
            squares += np.nan_to_num(sizes[part][:, None] - self.sizes[known]) ** 2
            distance = np.sqrt(np.maximum(squares, 0.0))
            if apart:
                distance[systems[part][:, None] == self.systems[known]] = np.inf
            keep_nearest(distance, known, part, rows, distances)


def keep_nearest(distance, known, part, rows, distances):
    """Write the nearest of `known`, and how far they are, into the rows `part`, in place."""
    k = min(rows.shape[1], len(known))
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    found = np.take_along_axis(distance, nearest, axis=1)
    # Ties go to the earlier row.
    order = np.lexsort((nearest, found), axis=1)
    nearest, found = (np.take_along_axis(array, order, axis=1) for array in (nearest, found))
    rows[part[:, None], np.arange(k)] = np.where(np.isfinite(found), known[nearest], -1)
    distances[part[:, None], np.arange(k)] = found


def _coordinates(amounts):
    """Return the coordinates of compounds, without the size of the cell."""
    amounts = sparse.csr_array(amounts)
    fractions = sparse.csr_array(sparse.diags_array(1.0 / amounts.sum(axis=1)) @ amounts)
    values = _scaled_properties()
    means = fractions @ values
    spreads = np.sqrt(np.maximum(fractions @ values**2 - means**2, 0.0))
    return np.column_stack([means, spreads, _FRACTION_WEIGHT * _largest(fractions)])


def _scaled_properties():
    """Return elemental properties in units of their scatter, shape (118, n_properties)."""
    table = elemental_table("magpie", impute=True)
    values = table.values[:, [table.properties.index(name) for name in _PROPERTIES]]
    known = values[:_KNOWN_ELEMENTS]
    return (values - known.mean(axis=0)) / known.std(axis=0)


def _largest(fractions):
    """Return the largest fractions of each row, in falling order, zeros where there are fewer."""
    counts = np.diff(fractions.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-fractions.data, rows))
    places = np.arange(len(rows)) - np.repeat(fractions.indptr[:-1], counts)
    chosen = places < _FRACTIONS
    result = np.zeros((len(counts), _FRACTIONS))
    result[rows[chosen], places[chosen]] = fractions.data[order][chosen]
    return result
