"""The training crystals with their cells: candidates for the cell of another crystal."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from crystalml.known_crystals._descriptions import Compositions, ElementTable
from crystalml.known_crystals._index import LATTICE, STOICHIOMETRY, CrystalIndex, Crystals
from crystalml.known_crystals._neighbours import LIKE_CONTENTS, LIKE_SITES
from crystalml.symmetry._cell_model._net import CANDIDATE_FEATURES, SHAPE
from crystalml.symmetry._cell_model._volume import fit_element_volumes

# Candidates for a cell: compounds of the same stoichiometry, and those of similar composition.
_SAME, _SIMILAR = 4, 3
N_CANDIDATES = _SAME + _SIMILAR
_N_CONTEXT_NEIGHBOURS = 3
N_CONTEXT = 2
_FURTHEST = 20.0
_SMALLEST_VOLUME = 2.0


class CellContents(NamedTuple):
    """n crystals whose lattice and contents are known, or assumed."""

    amounts: sparse.csr_array
    compositions: Compositions
    lattices: np.ndarray
    """Codes of the Bravais lattices."""
    numbers: np.ndarray
    """Space groups, 0 where unknown."""
    n_atoms: np.ndarray
    """Atoms in the cell, NaN where unknown."""

    @classmethod
    def of(cls, amounts, lattices, numbers, n_atoms):
        """Describe formulas by their amounts of the elements, shape (n, 118)."""
        compositions = Compositions.of(amounts, ElementTable.read())
        return cls(amounts, compositions, lattices, numbers, n_atoms)

    def crystals(self, groups=None):
        """Return what is compared; rows of one of the `groups` do not see each other."""
        log_units = np.log(self.n_atoms / self.compositions.sites.n_atoms)
        groups = np.full(len(log_units), -1) if groups is None else groups
        return Crystals(self.compositions, None, log_units, groups, self.lattices)


class Candidates(NamedTuple):
    """What known cells offer for the cells of n crystals."""

    features: np.ndarray  # (n, N_CANDIDATES, CANDIDATE_FEATURES)
    shapes: np.ndarray  # (n, N_CANDIDATES, 6)


class KnownCells:
    """Lattices, contents, volumes and shapes of the training crystals.

    Parameters
    ----------
    contents : CellContents
        The crystals.
    systems : ndarray of int, shape (n,)
        Their chemical systems, which can be hidden from one another.
    shapes : ndarray of shape (n, 6)
        See `_shapes`.
    volumes : ndarray of shape (n,)
        Volumes of the cells in Å^3.
    weight : ndarray of shape (n,)
        Weights of the crystals in the volumes of the elements.
    """

    def __init__(self, contents, systems, shapes, volumes, weight):
        compositions = contents.compositions
        # What only trees look at need not be kept.
        compositions = compositions._replace(statistics=compositions.statistics[:0])
        self.crystals = contents._replace(compositions=compositions).crystals(systems)
        self.numbers = contents.numbers
        self.n_atoms = contents.n_atoms
        self.shapes = shapes
        self.element_volumes = fit_element_volumes(contents.amounts, volumes / self.n_atoms, weight)
        self.residuals = np.log(volumes / self.n_atoms) - self.log_sums(contents.amounts)

    @cached_property
    def index(self):
        """The crystals to be searched; made when it is first asked, not kept in files."""
        return CrystalIndex(self.crystals)

    def log_sums(self, amounts):
        """Logarithm of the mean volume of the atoms, in Å^3: what all volumes are related to."""
        sums = (amounts @ self.element_volumes) / amounts.sum(axis=1)
        return np.log(np.maximum(sums, _SMALLEST_VOLUME))

    def same(self, crystals, k, *, within=(STOICHIOMETRY, LATTICE)):
        """Find crystals of the same stoichiometry, those with like elements on the sites first."""
        return self.index.nearest(crystals, k, LIKE_SITES, within=within)

    def similar(self, crystals, k, *, within=(LATTICE,)):
        """Find crystals of the same lattice and of like contents, whatever the stoichiometry."""
        return self.index.nearest(crystals, k, LIKE_CONTENTS, within=within)

    def volume_features(self, crystals):
        """Return what compounds of the same stoichiometry say of the volume, of any lattice."""
        # The atoms in the cell may not be known, and tell little of the volume of one.
        crystals = crystals._replace(log_units=None)
        rows, distances = self.same(crystals, _N_CONTEXT_NEIGHBOURS, within=(STOICHIOMETRY,))
        residuals = np.where(rows >= 0, self.residuals[rows], 0.0)
        return np.concatenate([residuals, _closeness(distances, 0.5)], axis=1)

    def candidates(self, crystals, numbers, n_atoms):
        """Return candidates for the cells of crystals of known lattice and contents."""
        same, similar = self.same(crystals, _SAME), self.similar(crystals, _SIMILAR)
        rows, distances = (
            np.concatenate(parts, axis=1) for parts in zip(same, similar, strict=True)
        )
        exists = rows >= 0
        features = np.zeros((*rows.shape, CANDIDATE_FEATURES))
        features[..., 0] = exists
        features[..., 1] = _closeness(distances, 0.5)
        features[..., 2] = _closeness(distances, 2.0)
        change = np.abs(np.log(self.n_atoms[rows] / n_atoms[:, None]))
        features[..., 3] = np.where(exists, np.minimum(change, 3.0), 0.0)
        features[..., 4] = np.where(exists, 3.0 * self.residuals[rows], 0.0)
        theirs, mine = self.numbers[rows], numbers[:, None]
        agree = np.where(theirs == mine, 1.0, -1.0)
        # Where one of the groups is unknown they neither agree nor disagree.
        features[..., 5] = np.where(exists & (mine > 0) & (theirs > 0), agree, 0.0)
        shapes = np.where(exists[..., None], self.shapes[rows], 0.0)
        return Candidates(features, shapes.reshape(*rows.shape, SHAPE))


def _closeness(distances, reach):
    """Turn distances into numbers between 0 (none) and 1 (the same)."""
    return np.exp(-np.minimum(distances, _FURTHEST) / reach)
