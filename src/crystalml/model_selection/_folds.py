"""Folds for hundreds of rare classes, where scikit-learn refuses them; with or without groups."""

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.model_selection import PredefinedSplit, StratifiedGroupKFold, check_cv

from crystalml._typing import CrossValidation
from crystalml.exceptions import InvalidInputError

_FINEST_SHARE = 20


def group_codes(groups, *, caller):
    """Return each row's group as a number."""
    codes, _ = pd.factorize(np.asarray(groups))
    if (codes < 0).any():
        raise InvalidInputError(
            f"{caller}: groups has {(codes < 0).sum()} missing labels (first: row "
            f"{codes.argmin()}). Give every row a group, its own if it stands alone."
        )
    return codes


def as_rows(X):
    """Return X in a form from which rows can be taken."""
    if issparse(X):
        return X.tocsr()
    return X if hasattr(X, "shape") else np.asarray(X)


def take_rows(X, rows):
    """Rows of a table, an array or a sparse matrix."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def make_splits(cv: CrossValidation, X: Any, y: Any, groups: Any, *, caller: str) -> list[Any]:
    """List of (train, test); stratified folds of our own where a number is given."""
    if not isinstance(cv, int | np.integer):
        splits = list(check_cv(cv, y, classifier=True).split(X, y, groups))
        if groups is not None and any(np.isin(groups[b], groups[a]).any() for a, b in splits):
            raise InvalidInputError(
                f"{caller}: cv={cv!r} puts rows of one group on both sides of a split. Give a "
                "number of folds or a splitter of groups, such as GroupKFold."
            )
        return splits
    if len(y) < cv:
        raise InvalidInputError(
            f"{caller}: cv={cv} folds need as many rows, got n_samples={len(y)}."
        )
    _, codes = np.unique(y, return_inverse=True)
    if groups is None:
        return list(PredefinedSplit(_dealt(codes, cv)).split())
    n_groups = len(np.unique(groups))
    if n_groups < cv:
        raise InvalidInputError(
            f"{caller}: cv={cv} folds need as many groups, got {n_groups}. Lower cv, or choose "
            "finer groups."
        )
    # The splitter wants one class at least that could stand in every fold.
    strata = codes if np.bincount(codes).max() >= cv else np.zeros_like(codes)
    with warnings.catch_warnings():
        # Rare classes are the rule here, and callers report what becomes of them.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(StratifiedGroupKFold(cv).split(strata, strata, groups))


def _dealt(codes, n_folds):
    """Deal the rows of each class to the folds in turn.

    Unlike StratifiedKFold it puts no two rows of a class with fewer rows than folds together.
    """
    fold = np.empty(len(codes), dtype=int)
    fold[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % n_folds
    return fold


def shuffled_splits(n_folds, y, groups, random_state, *, caller):
    """Stratified folds that do not depend on the order of the rows."""
    order = random_state.permutation(len(y))
    groups = None if groups is None else groups[order]
    splits = make_splits(n_folds, order, y[order], groups, caller=caller)
    return [(np.sort(order[train]), np.sort(order[test])) for train, test in splits]


def hold_out_rows(test_size, y, groups, random_state, *, caller):
    """Rows to be kept out, stratified and in whole groups: as many folds as make up the share."""
    share = Fraction(test_size).limit_denominator(_FINEST_SHARE)
    folds = shuffled_splits(share.denominator, y, groups, random_state, caller=caller)
    return np.sort(np.concatenate([test for _, test in folds[: share.numerator]]))


def fold_of_row(splits, n_rows, *, caller):
    """Split in which each row is held out; -1 for none."""
    times, fold = np.zeros(n_rows, dtype=int), np.full(n_rows, -1)
    for number, (_, test) in enumerate(splits):
        np.add.at(times, test, 1)
        fold[test] = number
    if (times > 1).any():
        raise InvalidInputError(
            f"{caller}: row {np.flatnonzero(times > 1)[0]} is held out {times.max()} times by cv; "
            "give a splitter whose test sets do not overlap, such as GroupKFold, or a single "
            "split."
        )
    return fold


def stratified_sample(y, n_rows, random_state):
    """Draw rows without replacement, each class in proportion (rounded up or down)."""
    _, codes = np.unique(y, return_inverse=True)
    order = random_state.permutation(len(y))
    by_class = order[np.argsort(codes[order], kind="stable")]
    # Equal steps through the rows sorted by class.
    steps = (np.arange(n_rows) * 2 + 1) * len(y) // (2 * n_rows)
    return np.sort(by_class[steps])
