"""How many atoms a conventional cell holds, from the crystals that are most alike."""

import numpy as np

from crystalml.known_crystals._contents import atoms_per_unit

# Neighbours that vote, how fast their vote falls with the distance, and the weight of those of
# another stoichiometry or, where it is known, another space group.
_SAME, _SAME_REACH = 12, 1.0
_SIMILAR, _SIMILAR_REACH, _SIMILAR_WEIGHT = 6, 0.5, 0.05
_OTHER_GROUP_WEIGHT = 0.15
_SAME_NUMBER = 1e-3
_FEWEST_UNITS = 4  # formula units where nothing is known: the most frequent number in COD


def likely_contents(known, contents):
    """Return the most probable numbers of atoms in the conventional cells.

    Parameters
    ----------
    known : KnownCells
        The training crystals.
    contents : CellContents
        Crystals of known lattice; the atoms in their cells are not looked at.

    Returns
    -------
    n_atoms : ndarray of shape (n,)
        Atoms in the cell.
    probabilities : ndarray of shape (n,)
        Share of the votes.
    """
    # The contents are what is asked for: they must not take part in the likeness.
    crystals = contents.crystals()._replace(log_units=None)
    same, near = known.same(crystals, _SAME)
    similar, far = known.similar(crystals, _SIMILAR)
    units = atoms_per_unit(contents.amounts)
    snapped = _whole_units(known.n_atoms[similar], units)
    candidates = np.concatenate([known.n_atoms[same], snapped], axis=1)
    asked = contents.numbers[:, None]
    is_other = (asked > 0) & (asked != known.numbers[same])
    by_kind = [
        np.where(same >= 0, np.exp(-near / _SAME_REACH), 0.0)
        * np.where(is_other, _OTHER_GROUP_WEIGHT, 1.0),
        np.where(similar >= 0, _SIMILAR_WEIGHT * np.exp(-far / _SIMILAR_REACH), 0.0),
    ]
    votes = np.concatenate(by_kind, axis=1)
    unknown = votes.sum(axis=1) == 0.0
    votes[unknown, 0] = 1.0
    default = _FEWEST_UNITS * np.where(np.isnan(units), 1.0, units)
    candidates[unknown, 0] = default[unknown]
    logarithms = np.log(candidates)
    # Numbers of atoms need not be whole in disordered crystals, hence not `==`.
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
