"""How many atoms a conventional cell holds, from the crystals that are most alike."""

import numpy as np

from crystalml.known_crystals._contents import atoms_per_unit

# Neighbours that vote, how fast their vote falls with the distance, and the weight of those of
# another stoichiometry.
_SAME, _SAME_REACH = 12, 0.5
_SIMILAR, _SIMILAR_REACH, _SIMILAR_WEIGHT = 6, 2.0, 0.05
_SAME_NUMBER = 1e-3
_FEWEST_UNITS = 4  # formula units where nothing is known: the most frequent number in COD


def likely_contents(memory, compounds, amounts, lattices, numbers):
    """Return the most probable numbers of atoms in the conventional cells.

    Parameters
    ----------
    memory : CellMemory
        The training crystals.
    compounds : Compounds
        Crystals whose contents are asked for.
    amounts : sparse array of shape (n, 118)
        Amounts of their elements.
    lattices, numbers : ndarray of shape (n,)
        Codes of their Bravais lattices, and space groups (0: unknown).

    Returns
    -------
    n_atoms : ndarray of shape (n,)
        Atoms in the cell.
    probabilities : ndarray of shape (n,)
        Share of the votes.
    """
    same, near = memory.same.find(compounds, _SAME, lattices=lattices, numbers=numbers)
    similar, far = memory.similar.find(amounts, compounds.systems, _SIMILAR, lattices=lattices)
    units = atoms_per_unit(amounts)
    snapped = _whole_units(memory.n_atoms[similar], units)
    candidates = np.concatenate([memory.n_atoms[same], snapped], axis=1)
    by_kind = [
        np.where(same >= 0, np.exp(-near / _SAME_REACH), 0.0),
        np.where(similar >= 0, _SIMILAR_WEIGHT * np.exp(-far / _SIMILAR_REACH), 0.0),
    ]
    votes = np.concatenate(by_kind, axis=1)
    unknown = votes.sum(axis=1) == 0.0
    votes[unknown, 0] = 1.0
    default = _FEWEST_UNITS * np.where(np.isnan(units), 1.0, units)
    candidates[unknown, 0] = default[unknown]
    logarithms = np.log(candidates)
    agree = np.abs(logarithms[:, :, None] - logarithms[:, None]) < _SAME_NUMBER
    scores = (agree * votes[:, None]).sum(axis=2)
    best = scores.argmax(axis=1)
    rows = np.arange(len(best))
    return candidates[rows, best], scores[rows, best] / votes.sum(axis=1)


def _whole_units(n_atoms, units):
    """Move numbers of atoms to the nearest that hold whole formula units."""
    units = units[:, None]
    moved = np.maximum(np.rint(n_atoms / units), 1.0) * units
    return np.where(np.isnan(units), n_atoms, moved)
