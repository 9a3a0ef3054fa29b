"""The training compounds most like a compound: element by element at the same stoichiometry."""

from copy import copy
from functools import cache

import numpy as np
from scipy import sparse

from crystalml.crystallography import anonymous_formula, chemical_system
from crystalml.descriptors._elemental import elemental_table
from crystalml.symmetry._similar_compositions import keep_nearest

# Elemental properties by which elements resemble one another, and how much each counts.
_PROPERTIES = {
    "MendeleevNumber": 1.5,
    "CovalentRadius": 1.2,
    "Electronegativity": 1.2,
    "GSvolume_pa": 1.0,
    "Column": 0.7,
    "Row": 0.7,
    "NValence": 0.5,
    "NpValence": 0.3,
    "NdValence": 0.3,
    "NfValence": 0.3,
}
_KNOWN_ELEMENTS = 94  # the rest are imputed, and must not shift the scale
# Distance added for another space group, and for each factor of e in the atoms of the cell.
_OTHER_GROUP, _OTHER_SIZE = 0.5, 2.0
_QUERIES_AT_ONCE = 512


@cache
def element_distances():
    """Return how unlike elements are, (118, 118), and their Mendeleev numbers, (118,)."""
    table = elemental_table("magpie", impute=True)
    columns = [table.properties.index(name) for name in _PROPERTIES]
    values = table.values[:, columns]
    known = values[:_KNOWN_ELEMENTS]
    scaled = (values - known.mean(axis=0)) / known.std(axis=0) * [*_PROPERTIES.values()]
    squares = (scaled**2).sum(axis=1)
    squared = squares[:, None] + squares - 2.0 * scaled @ scaled.T
    np.fill_diagonal(squared, 0.0)
    order = table.values[:, table.properties.index("MendeleevNumber")]
    return np.maximum(squared, 0.0), order


class Compounds:
    """Formulas by stoichiometry, their elements in an order that like compounds share.

    Parameters
    ----------
    table : FormulaTable
        Formulas that can be read.
    """

    def __init__(self, table):
        self.anonymous = np.asarray(anonymous_formula(table), dtype=object)
        self.systems = np.asarray(chemical_system(table), dtype=object)
        amounts = sparse.csr_array(table.amounts)
        counts = np.diff(amounts.indptr)
        rows = np.repeat(np.arange(len(counts)), counts)
        fractions = amounts.data / np.repeat(amounts.sum(axis=1), counts)
        order = element_distances()[1][amounts.indices]
        # Within one stoichiometry fractions agree; like elements then stand at like places.
        places = np.lexsort((order, np.round(fractions, 4), rows))
        self.elements = amounts.indices[places]
        self.fractions = fractions[places]
        self.starts, self.counts = amounts.indptr[:-1], counts

    def __len__(self):
        return len(self.anonymous)

    def take(self, rows):
        """Return the compounds in some rows."""
        taken = copy(self)
        taken.anonymous, taken.systems = self.anonymous[rows], self.systems[rows]
        taken.starts, taken.counts = self.starts[rows], self.counts[rows]
        return taken

    def by_stoichiometry(self):
        """Return the rows of each anonymous formula."""
        names, codes = np.unique(self.anonymous.astype(str), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(1, len(names)))
        return dict(zip(names.tolist(), np.split(order, bounds), strict=True))

    def elements_of(self, rows, count):
        """Elements of rows that have `count` of them each, shape (n, count)."""
        return self.elements[self.starts[rows][:, None] + np.arange(count)]


class IsostructuralNeighbours:
    """Compounds of known cells, to be asked for those most like others.

    Parameters
    ----------
    compounds : Compounds
        The compounds.
    lattices : ndarray of shape (n,)
        Codes of their Bravais lattices.
    numbers : ndarray of shape (n,)
        Their space-group numbers, 0 where unknown.
    n_atoms : ndarray of shape (n,)
        Atoms in their cells, NaN where unknown.
    """

    def __init__(self, compounds, lattices, numbers, n_atoms):
        self.compounds = compounds
        self.lattices = lattices
        self.numbers = numbers
        self.log_atoms = np.log(n_atoms)
        self.rows_of = compounds.by_stoichiometry()

    def find(self, compounds, k, *, lattices=None, numbers=None, n_atoms=None, apart=False):
        """Find the nearest compounds of the same stoichiometry.

        Parameters
        ----------
        compounds : Compounds
            What to find neighbours for.
        k : int
            How many.
        lattices : ndarray of shape (m,), default=None
            Codes of Bravais lattices, which neighbours must have.
        numbers, n_atoms : ndarray of shape (m,), default=None
            Space groups (0: unknown) and atoms in the cell (NaN: unknown), which neighbours had
            better have.
        apart : bool, default=False
            Whether to leave out all compounds of the same elements.

        Returns
        -------
        rows : ndarray of shape (m, k)
            Rows of the neighbours, nearest first; -1 where there are no more.
        distances : ndarray of shape (m, k)
            Their distances; infinite where there are no more.
        """
        n_rows = len(compounds)
        rows = np.full((n_rows, k), -1, dtype=np.int64)
        distances = np.full((n_rows, k), np.inf)
        log_atoms = None if n_atoms is None else np.log(n_atoms)
        for name, asked in compounds.by_stoichiometry().items():
            known = self.rows_of.get(name)
            if known is None:
                continue
            for start in range(0, len(asked), _QUERIES_AT_ONCE):
                part = asked[start : start + _QUERIES_AT_ONCE]
                distance = self._chemical(compounds, part, known)
                self._penalize(distance, known, part, lattices, numbers, log_atoms)
                if apart:
                    systems = self.compounds.systems[known]
                    distance[compounds.systems[part][:, None] == systems] = np.inf
                keep_nearest(distance, known, part, rows, distances)
        return rows, distances

    def _chemical(self, compounds, part, known):
        """Root mean square distance of the elements, weighted by the root of their share."""
        first, count = compounds.starts[part[0]], compounds.counts[part[0]]
        weights = np.sqrt(compounds.fractions[first : first + count])
        squared_distances, _ = element_distances()
        asked = compounds.elements_of(part, len(weights))
        found = self.compounds.elements_of(known, len(weights))
        total = np.zeros((len(part), len(known)))
        for place, weight in enumerate(weights / weights.sum()):
            # One row of the table for each element that occurs, not one for each compound.
            table = squared_distances[:, found[:, place]]
            total += weight * table[asked[:, place]]
        return np.sqrt(total)

    def _penalize(self, distance, known, part, lattices, numbers, log_atoms):
        """Move away what has another lattice, space group or size, in place."""
        if lattices is not None:
            distance[lattices[part][:, None] != self.lattices[known]] = np.inf
        if numbers is not None:
            mine, theirs = numbers[part][:, None], self.numbers[known]
            distance[(mine > 0) & (mine != theirs)] += _OTHER_GROUP
        if log_atoms is not None:
            change = np.abs(log_atoms[part][:, None] - self.log_atoms[known])
            distance += _OTHER_SIZE * np.nan_to_num(change)
