"""The training crystals, to be asked for candidates of the cell of another one."""

from typing import NamedTuple

import numpy as np

from crystalml.neural._cell_net import CANDIDATE_FEATURES, SHAPE
from crystalml.symmetry._atomic_volume_model import fit_element_volumes
from crystalml.symmetry._isostructural_neighbours import Compounds, IsostructuralNeighbours
from crystalml.symmetry._similar_compositions import SimilarCompositions

# Candidates for a cell: compounds of the same stoichiometry, and those of similar composition.
_SAME, _SIMILAR = 4, 3
N_CANDIDATES = _SAME + _SIMILAR
_N_CONTEXT_NEIGHBOURS = 3
N_CONTEXT = 2
_FURTHEST = 20.0
_SMALLEST_VOLUME = 2.0


class Candidates(NamedTuple):
    """What the memory offers for the cells of n crystals."""

    features: np.ndarray  # (n, N_CANDIDATES, CANDIDATE_FEATURES)
    shapes: np.ndarray  # (n, N_CANDIDATES, 6)


class CellMemory:
    """Formulas, lattices, contents, volumes and shapes of the training crystals.

    Parameters
    ----------
    table : FormulaTable
        Their formulas.
    lattices, numbers, n_atoms : ndarray of shape (n,)
        Codes of their Bravais lattices, space groups (0: unknown), atoms in the cell.
    shapes : ndarray of shape (n, 6)
        See `_cell_shapes`.
    volumes : ndarray of shape (n,)
        Volumes of the cells in Å^3.
    weight : ndarray of shape (n,)
        Weights of the crystals in the volumes of the elements.
    """

    def __init__(self, table, lattices, numbers, n_atoms, shapes, volumes, weight):
        compounds = Compounds(table)
        self.same = IsostructuralNeighbours(compounds, lattices, numbers, n_atoms)
        self.similar = SimilarCompositions(table.amounts, compounds.systems, lattices, n_atoms)
        self.numbers = numbers
        self.n_atoms = n_atoms
        self.shapes = shapes
        self.element_volumes = fit_element_volumes(table.amounts, volumes / n_atoms, weight)
        self.residuals = np.log(volumes / n_atoms) - self.log_sums(table.amounts)

    def log_sums(self, amounts):
        """Logarithm of the mean volume of the atoms, in Å^3: what all volumes are related to."""
        sums = (amounts @ self.element_volumes) / amounts.sum(axis=1)
        return np.log(np.maximum(sums, _SMALLEST_VOLUME))

    def volume_features(self, compounds, *, apart=False):
        """Return what compounds of the same stoichiometry say of the volume, of any lattice."""
        rows, distances = self.same.find(compounds, _N_CONTEXT_NEIGHBOURS, apart=apart)
        residuals = np.where(rows >= 0, self.residuals[rows], 0.0)
        return np.concatenate([residuals, _closeness(distances, 0.5)], axis=1)

    def candidates(self, compounds, amounts, lattices, numbers, n_atoms, *, apart=False):
        """Return candidates for the cells of crystals of known lattice and contents."""
        known = {"lattices": lattices, "n_atoms": n_atoms, "apart": apart}
        same = self.same.find(compounds, _SAME, numbers=numbers, **known)
        similar = self.similar.find(amounts, compounds.systems, _SIMILAR, **known)
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
        features[..., 5] = np.where(exists & (mine > 0) & (theirs > 0), agree, 0.0)
        shapes = np.where(exists[..., None], self.shapes[rows], 0.0)
        return Candidates(features, shapes.reshape(*rows.shape, SHAPE))


def _closeness(distances, reach):
    """Turn distances into numbers between 0 (none) and 1 (the same)."""
    return np.exp(-np.minimum(distances, _FURTHEST) / reach)
