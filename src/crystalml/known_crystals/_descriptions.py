"""Crystals as numbers: lattice, composition and stoichiometry, whatever their description.

Nothing here depends on the setting of a cell, on the scale of a formula or on other rows.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import sparse

from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    bravais_distances,
    cell_volume,
    metric_tensor,
    niggli_cell,
)
from crystalml.descriptors._elemental import elemental_table
from crystalml.known_crystals._stoichiometry import Stoichiometry, stoichiometry

# The lattices that the vectors of a conventional cell span, centred or not.
VECTOR_LATTICES = ("aP", "mP", "oP", "tP", "hP", "cP")
VECTOR_LATTICE_COLUMNS = [BRAVAIS_LATTICES.index(name) for name in VECTOR_LATTICES]
# A strain below this is taken for an error of measurement: several s.u. of a powder pattern.
METRIC_TOLERANCE = 0.004

# Half of the neighbouring lattice points around the origin: v and -v are equally long.
_LATTICE_POINTS = np.array([v for v in product((-1, 0, 1), repeat=3) if v > (0, 0, 0)])
N_LENGTHS = 10
# Stands for cells that are not known, until NaN takes its place.
_PLACEHOLDER = (1.0, 1.0, 1.0, 90.0, 90.0, 90.0)
# Differences below these are what errors of measurement make of none, and are taken for them:
# exact equalities are those of refined cells, and an indexed cell would not have them.
SMALLEST_STRAIN, SMALLEST_DIFFERENCE = 2.5e-3, 1.5e-3
# What makes atoms alike on a site, and how much each counts.
_SITE_PROPERTIES = {
    "MendeleevNumber": 1.5,
    "CovalentRadius": 1.0,
    "Electronegativity": 1.0,
    "NValence": 0.5,
    "Column": 0.7,
    "Row": 0.7,
}
ELECTRONEGATIVITY = list(_SITE_PROPERTIES).index("Electronegativity")
_MENDELEEV = list(_SITE_PROPERTIES).index("MendeleevNumber")
# Up to plutonium. The properties of later elements are mostly imputed and set no scale.
_COMMON_ELEMENTS = 94
_N_COUNTS = 6


class ElementTable(NamedTuple):
    """Elemental properties, kept with a model so that it needs no other source."""

    properties: np.ndarray
    """Magpie's properties, shape (118, 22)."""
    sites: np.ndarray
    """Scaled properties that tell like atoms from unlike ones, shape (118, 6)."""

    @classmethod
    def read(cls):
        """Take the properties from the data that the package brings."""
        table = elemental_table("magpie", impute=True)
        columns = [table.properties.index(name) for name in _SITE_PROPERTIES]
        common = table.values[:_COMMON_ELEMENTS, columns]
        scaled = (table.values[:, columns] - common.mean(axis=0)) / common.std(axis=0)
        return cls(table.values.copy(), scaled * list(_SITE_PROPERTIES.values()))


class Lattices(NamedTuple):
    """The lattices that the vectors of n conventional cells span."""

    lengths: np.ndarray
    """Logarithms of the ten shortest vectors, ascending, shape (n, 10): they change
    continuously with the cell, which a reduced cell does not."""
    strains: np.ndarray
    """Strain to each Bravais type, shape (n, 14)."""
    cosines: np.ndarray
    """Absolute cosines of the reduced angles, ascending, shape (n, 3)."""
    log_volumes: np.ndarray

    @classmethod
    def of(cls, cells):
        """Describe cells of shape (n, 6); a cell of NaN, which is not known, gives NaN."""
        known = ~np.isnan(cells).any(axis=1)
        if not known.all():
            found = cls.of(np.where(known[:, None], cells, _PLACEHOLDER))
            return cls(
                *(np.where(known.reshape(-1, *[1] * (a.ndim - 1)), a, np.nan) for a in found)
            )
        # Only around a reduced cell are the shortest vectors among the points next to the origin.
        reduced = niggli_cell(cells)
        squares = np.einsum(
            "vi,nij,vj->nv", _LATTICE_POINTS, metric_tensor(reduced), _LATTICE_POINTS
        )
        lengths = 0.5 * np.log(np.partition(squares, N_LENGTHS, axis=1)[:, :N_LENGTHS])
        lengths.sort(axis=1)
        cosines = np.sort(np.abs(np.cos(np.radians(reduced[:, 3:]))), axis=1)
        return cls(lengths, bravais_distances(reduced), cosines, np.log(cell_volume(reduced)))

    @property
    def shapes(self):
        """Lengths relative to their geometric mean."""
        return self.lengths - self.lengths.mean(axis=1, keepdims=True)

    @property
    def metric_strains(self):
        """Strain to the lattices of uncentred cells, shape (n, 6)."""
        return self.strains[:, VECTOR_LATTICE_COLUMNS]

    def columns(self):
        """Columns for trees."""
        return np.column_stack(
            [
                self.lengths,
                self.shapes,
                np.maximum(np.diff(self.lengths, axis=1), SMALLEST_DIFFERENCE),
                np.maximum(self.cosines, SMALLEST_DIFFERENCE),
                # Without the first: every lattice is triclinic, at no strain.
                np.log(np.maximum(self.strains[:, 1:], SMALLEST_STRAIN)),
                self.metric_strains[:, 1:] < METRIC_TOLERANCE,
                self.log_volumes,
            ]
        )


class Compositions(NamedTuple):
    """Descriptors of n formulas."""

    fractions: sparse.csr_array
    """Atomic fractions of the elements, shape (n, 118)."""
    statistics: np.ndarray
    """Mean, mean deviation, minimum, maximum and range of each elemental property."""
    sites: Stoichiometry
    order: np.ndarray
    """The elements by Mendeleev number, shape (118,)."""

    def profiles(self, rows=slice(None)):
        """Return the fraction of atoms up to each element by Mendeleev number, shape (n, 118).

        The area between two profiles is the element mover's distance of the compositions
        (Hargreaves et al. 2020, Chem. Mater. 32, 10610).
        """
        return np.cumsum(self.fractions[rows].toarray()[:, self.order], axis=1)

    def largest_fractions(self, rows=slice(None)):
        """Return the six largest fractions, descending, whatever the elements, shape (n, 6)."""
        return -np.sort(-self.fractions[rows].toarray(), axis=1)[:, :_N_COUNTS]

    @classmethod
    def of(cls, amounts, elements):
        """Describe amounts of shape (n, 118)."""
        amounts = sparse.csr_array(amounts, dtype=np.float64)
        amounts.sort_indices()
        totals = np.repeat(amounts.sum(axis=1), np.diff(amounts.indptr))
        # Rounded, so that Fe2O3 and Fe4O6 are the same numbers to the last digit.
        shares = np.round(amounts.data / totals, 10)
        fractions = sparse.csr_array((shares, amounts.indices, amounts.indptr), shape=amounts.shape)
        sites = stoichiometry(amounts, elements.sites, ELECTRONEGATIVITY)
        order = np.argsort(elements.sites[:, _MENDELEEV], kind="stable")
        return cls(fractions, _statistics(fractions, elements.properties), sites, order)

    def columns(self, present):
        """Columns for trees; `present` are the elements whose fractions are among them."""
        counts = self.sites.counts
        largest = np.zeros((len(counts), _N_COUNTS), dtype=np.int64)
        # Ascending and padded on the right: the last ones are the most frequent.
        n_kinds = (counts > 0).sum(axis=1)
        for place in range(min(_N_COUNTS, counts.shape[1])):
            rows = np.flatnonzero(n_kinds > place)
            largest[rows, place] = counts[rows, n_kinds[rows] - 1 - place]
        return np.column_stack(
            [
                self.statistics,
                self.fractions[:, present].toarray(),
                np.log1p(largest),
                largest % 2,
                largest % 3 == 0,
                np.log(self.sites.n_atoms),
                n_kinds,
            ]
        )


def _statistics(fractions, properties):
    """Return statistics of the elemental properties over the atoms of each formula."""
    starts = fractions.indptr[:-1]
    values = properties[fractions.indices]
    weights = fractions.data[:, None]
    mean = np.add.reduceat(values * weights, starts)
    of_entry = np.repeat(np.arange(len(starts)), np.diff(fractions.indptr))
    deviation = np.add.reduceat(np.abs(values - mean[of_entry]) * weights, starts)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.hstack([mean, deviation, low, high, high - low])
