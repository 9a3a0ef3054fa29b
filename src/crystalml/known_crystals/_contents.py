"""How many atoms a cell holds, where only its volume and its formula are known."""

import numpy as np
from scipy import sparse

from crystalml.io._check._reference import check_reference
from crystalml.io._check._volume import formula_volumes

# Å^3, for elements of which no volume is known.
_TYPICAL_ATOM = 16.0


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
    # A solid solution has no smallest whole formula: the one that was written is the unit.
    units = np.where(np.isnan(units), totals, units)
    filled = formula_volumes(sparse.csr_array(amounts), check_reference())
    filled = np.where(np.isnan(filled), _TYPICAL_ATOM * totals, filled)
    fitting = np.rint(volumes * totals / filled / units)
    # Even a cell that seems too small holds one unit: zero atoms have no logarithm.
    return np.where(known, n_atoms, np.maximum(fitting, 1.0) * units)


def atoms_per_unit(amounts):
    """Return the atoms of the reduced formula; NaN where the amounts are not whole."""
    amounts = sparse.csr_array(amounts)
    starts = amounts.indptr[:-1]
    whole = np.rint(amounts.data)
    is_whole = np.logical_and.reduceat(np.abs(amounts.data - whole) < 1e-9, starts)
    divisors = np.gcd.reduceat(np.maximum(whole, 1.0).astype(np.int64), starts)
    return np.where(is_whole, amounts.sum(axis=1) / divisors, np.nan)
