"""Folds whose rows are held out together, for stages that must not see each other's answers."""

import numpy as np

from crystalml._validation import group_codes
from crystalml.crystallography import chemical_system, parse_formulas
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import duplicate_groups
from crystalml.model_selection._folds import grouped_splits

# Lattices whose lengths differ by less are taken for one compound where no formula tells; more
# would join most cubic cells into a single chain.
_SAME_LENGTHS = 2e-4


def natural_groups(table, cells):
    """Group rows that are no news to one another.

    Parameters
    ----------
    table : DataFrame
        With a column ``formula``, used or not, rows of one chemical system are a group.
    cells : ndarray of shape (n, 6) or None
        Without it, rows of equal lattice are one.

    Returns
    -------
    object array of shape (n,)
        Rows whose formula cannot be read are groups of their own.
    """
    if "formula" not in table.columns:
        return duplicate_groups(["H"] * len(cells), cells, length_tolerance=_SAME_LENGTHS)
    formulas = table["formula"].tolist()
    errors = parse_formulas(formulas, on_error="report").errors
    readable = np.flatnonzero([error is None for error in errors])
    groups = np.array([f"row {row}" for row in range(len(formulas))], dtype=object)
    groups[readable] = chemical_system([formulas[row] for row in readable])
    return groups


def deal_folds(codes, groups, n_folds, *, seed, caller):
    """Return the fold of each row; a group of rows is never split.

    Parameters
    ----------
    codes : ndarray of int
        Labels, spread evenly over the folds as far as groups allow.
    groups : array-like or None
        Group of each row; None makes each row its own.
    n_folds : int
        At most; fewer where there are fewer groups.
    seed : int
        Of the order in which groups are dealt.
    caller : str
        Who asks, for messages.

    Raises
    ------
    InvalidInputError
        If there is only one group, or a group is missing.
    """
    groups = np.arange(len(codes)) if groups is None else group_codes(groups, caller=caller)
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise InvalidInputError(
            f"{caller}: all {len(codes)} rows are of one group, so that none can be held out; "
            "give rows of several chemical systems, or other groups."
        )
    n_folds = min(n_folds, n_groups)
    folds = np.zeros(len(codes), dtype=np.int64)
    for number, (_, held_out) in enumerate(grouped_splits(codes, groups, n_folds, seed=seed)):
        folds[held_out] = number
    return folds
