"""Rows set aside to decide when training should stop."""

import numpy as np
import pandas as pd

from crystalml.exceptions import InvalidInputError


def group_codes(groups, *, caller):
    """Return each row's group as a number (0, 1, ...), or raise where one is missing."""
    # Unlike np.unique it need not sort: labels may be of several types.
    codes, _ = pd.factorize(np.asarray(groups))
    if (codes < 0).any():
        raise InvalidInputError(
            f"{caller}: groups has {(codes < 0).sum()} missing labels (first: row "
            f"{codes.argmin()}). Give every row a group, its own if it stands alone."
        )
    return codes


def held_out_rows(strata, fraction, *, groups, random_state):
    """Choose the rows to validate on: whole groups, or a share of every stratum.

    No stratum is set aside completely, so each class that is validated is also learned.

    Parameters
    ----------
    strata : ndarray of int of shape (n_samples,)
        Class codes; all zero where there are no classes.
    fraction : float
        Share of the rows to set aside, at least one row.
    groups : ndarray of int of shape (n_samples,) or None
        Rows with the same code (0, 1, ...) stay together. Groups are then drawn at random, and
        strata only decide which groups must be learned from.
    random_state : RandomState
        Draws the rows.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        True for the rows to validate on; all False where no row can be spared.
    """
    if groups is None:
        return _stratified(strata, fraction, random_state)
    return _grouped(strata, fraction, groups, random_state)


def rows_of_splitter(splitter, X, y, groups, used, *, caller):
    """Return the first (training, validation) pair of a user's splitter, as far as rows count."""
    parts = next(iter(splitter.split(X, y, groups)))
    # The splitter sees all rows, as it may have been made for them; weights decide afterwards.
    train, valid = (np.intersect1d(rows, used) for rows in parts)
    if not (train.size and valid.size):
        raise InvalidInputError(
            f"{caller}: the first split of validation_splitter {splitter!r} has {train.size} rows "
            f"to train on and {valid.size} to validate on that count; both need at least one."
        )
    if np.intersect1d(train, valid).size:
        raise InvalidInputError(
            f"{caller}: validation_splitter {splitter!r} puts rows on both sides of its first "
            "split; give a splitter whose two parts share no row."
        )
    return train, valid


def _stratified(strata, fraction, random_state):
    """Mark `fraction` of the rows, each stratum by its share rounded down or up at random."""
    n_rows = len(strata)
    sizes = np.bincount(strata)
    # At least one row is wanted, however small the fraction.
    wanted = max(fraction, 1 / n_rows)
    # Rounding the running total, in random order, keeps the sum right and favours no stratum.
    order = random_state.permutation(len(sizes))
    running = np.floor(np.cumsum(wanted * sizes[order]) + 0.5 + 1e-9)
    quota = np.empty(len(sizes), dtype=np.int64)
    quota[order] = np.diff(running, prepend=0)
    # Every class keeps a row to learn from: none is validated that the net has never seen.
    quota = np.clip(quota, 0, np.maximum(sizes - 1, 0))
    if not quota.any() and sizes.max() > 1:
        # Many small classes may round to nothing; the largest can spare a row.
        quota[sizes.argmax()] = 1

    # Sorted by stratum, and in random order within each.
    shuffled = np.lexsort((random_state.random_sample(n_rows), strata))
    starts = np.cumsum(sizes) - sizes
    rank_in_stratum = np.arange(n_rows) - np.repeat(starts, sizes)
    marked = np.zeros(n_rows, dtype=bool)
    marked[shuffled[rank_in_stratum < np.repeat(quota, sizes)]] = True
    return marked


def _grouped(strata, fraction, groups, random_state):
    """Mark random whole groups until `fraction` of the rows is reached, then give back some.

    Groups larger than that come last; a group with the only rows of a stratum is given back.
    """
    sizes = np.bincount(groups)
    wanted = fraction * len(groups)
    order = random_state.permutation(len(sizes))
    # A group that is larger than all that is wanted would leave too little to learn from, so it
    # is taken only if there is nothing else.
    order = order[np.argsort(sizes[order] > wanted, kind="stable")]
    n_chosen = 1 + np.searchsorted(np.cumsum(sizes[order]), wanted)
    chosen = np.zeros(len(sizes), dtype=bool)
    # Never all groups: one at least stays to learn from.
    chosen[order[: min(n_chosen, len(sizes) - 1)]] = True
    marked = chosen[groups]
    # Whole groups go back, since a part of one would be known to the net.
    unlearned = np.bincount(strata[~marked], minlength=strata.max() + 1) == 0
    return marked & ~np.isin(groups, groups[marked & unlearned[strata]])
