"""How many atoms a conventional cell holds, from the crystals that are most alike."""

import numpy as np
from scipy import sparse

from crystalml.io._check._reference import check_reference
from crystalml.io._check._volume import formula_volumes

# Neighbours that vote, how fast their vote falls with the distance, and the weight of those of
# another stoichiometry.
_SAME, _SAME_REACH = 12, 0.5
_SIMILAR, _SIMILAR_REACH, _SIMILAR_WEIGHT = 6, 2.0, 0.05
_SAME_NUMBER = 1e-3
_TYPICAL_ATOM = 16.0  # Å^3, for elements of which no volume is known
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


def contents_of_cells(amounts, volumes, n_atoms):
    """Fill in unknown numbers of atoms by the whole number of formula units that fits best.

    Parameters
    ----------
    amounts : sparse array of shape (n, 118)
        Amounts of the elements.
    volumes : ndarray of shape (n,)
        Volumes of the cells in Å^3.
    n_atoms : ndarray of shape (n,)
        Atoms in the cells, NaN where unknown.

    Notes
    -----
    The volumes of atoms are those by which `check_table` judges cells, in alloys and in salts.
    """
    known = ~np.isnan(n_atoms)
    if known.all():
        return n_atoms
    totals = amounts.sum(axis=1)
    units = atoms_per_unit(amounts)
    units = np.where(np.isnan(units), totals, units)
    filled = formula_volumes(sparse.csr_array(amounts), check_reference())
    filled = np.where(np.isnan(filled), _TYPICAL_ATOM * totals, filled)
    fitting = np.rint(volumes * totals / filled / units)
    return np.where(known, n_atoms, np.maximum(fitting, 1.0) * units)


def atoms_per_unit(amounts):
    """Return the atoms of the reduced formula; NaN where the amounts are not whole."""
    amounts = sparse.csr_array(amounts)
    starts = amounts.indptr[:-1]
    whole = np.rint(amounts.data)
    is_whole = np.logical_and.reduceat(np.abs(amounts.data - whole) < 1e-9, starts)
    divisors = np.gcd.reduceat(np.maximum(whole, 1.0).astype(np.int64), starts)
    return np.where(is_whole, amounts.sum(axis=1) / divisors, np.nan)


def _whole_units(n_atoms, units):
    """Move numbers of atoms to the nearest that hold whole formula units."""
    units = units[:, None]
    moved = np.maximum(np.rint(n_atoms / units), 1.0) * units
    return np.where(np.isnan(units), n_atoms, moved)
