"""Folds for hundreds of rare classes, and the probabilities of every row from its own fold.

scikit-learn's stratified splitters refuse, or warn of, a class with fewer rows than folds, and
``cross_val_predict`` warns where a fold lacks a class. With 230 space groups every fold does.
"""

import warnings
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit, StratifiedGroupKFold, check_cv

from crystalml._typing import (
    ArrayLike,
    CrossValidation,
    Estimator,
    IntArray,
    MatrixLike,
    NDArray,
)
from crystalml._validation import group_codes
from crystalml.exceptions import InvalidInputError

__all__ = ["OutOfFold", "out_of_fold_probabilities"]

_CALLER = "out_of_fold_probabilities"
# `hold_out_rows` keeps out whole folds, so the share is a fraction with at most this denominator.
_MOST_FOLDS = 20


class OutOfFold(NamedTuple):
    """Out-of-fold probabilities, and which fold each row was held out in.

    Attributes
    ----------
    y_proba : ndarray of shape (n_samples, n_labels)
        Probabilities from the model that did not see the row; 0 for a label that this model
        did not see, NaN in a row that was never held out.
    labels : ndarray of shape (n_labels,)
        The label of each column, sorted.
    fold : ndarray of shape (n_samples,) of int
        Number of the split in which the row was held out; -1 for none.
    unseen : ndarray of shape (n_samples,) of bool
        Whether the true label of the row was absent from the training rows of its fold.
    models : list of estimators
        The fitted model of each split.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import out_of_fold_probabilities
    >>> held_out = out_of_fold_probabilities(GaussianNB(), *load_iris(return_X_y=True))
    >>> held_out.y_proba.shape, len(held_out.models)
    ((150, 3), 5)
    """

    y_proba: np.ndarray
    labels: np.ndarray
    fold: np.ndarray
    unseen: np.ndarray
    models: list[Any]


def out_of_fold_probabilities(
    estimator: Estimator,
    X: MatrixLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: CrossValidation = 5,
    n_jobs: int | None = None,
    fit_params: Mapping[str, Any] | None = None,
) -> OutOfFold:
    """Predict each row by a model that was fitted without it and without its group.

    Calibration, conformal thresholds and stacked models are fitted on such probabilities.
    scikit-learn's ``cross_val_predict`` computes them too, but warns where a fold lacks a class
    and does not say which rows that concerns; with 230 space groups every fold lacks some.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        It is cloned, not changed.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows, in whatever form the estimator takes.
    y : array-like of shape (n_samples,)
        Labels of any type.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group are held out together; see `composition_groups`.
    cv : int, splitter or iterable of (train, test) row numbers, default=5
        A number means that many stratified folds, which respect the groups where they are
        given; classes may have fewer rows than there are folds. A row must not be held out
        twice.
    n_jobs : int, default=None
        Splits fitted at the same time, as in joblib.
    fit_params : dict, default=None
        Further arguments of the estimator's ``fit``. Those with one value per row
        (``sample_weight``) are cut to the training rows.

    Returns
    -------
    OutOfFold
        The probabilities with their labels, folds and models.

    Raises
    ------
    InvalidInputError
        If the estimator has no ``predict_proba``, there are fewer groups than folds, a group
        is missing or stands on both sides of a split, lengths differ, or a row is held out
        twice.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import out_of_fold_probabilities
    >>> X = np.array([[0.0], [0.2], [1.0], [1.2], [5.0]])
    >>> y = np.array(["P 1", "P 1", "C 2", "C 2", "I 4"])
    >>> held_out = out_of_fold_probabilities(GaussianNB(), X, y, cv=2)
    >>> held_out.labels.tolist()
    ['C 2', 'I 4', 'P 1']

    The only row of I 4 was predicted by a model without I 4 among its training rows.

    >>> held_out.unseen.tolist()
    [False, False, False, False, True]
    """
    if not hasattr(estimator, "predict_proba"):
        raise InvalidInputError(
            f"{_CALLER}: {type(estimator).__name__} has no predict_proba; give a "
            "classifier with probabilities."
        )
    X, y, groups = check_rows(X, y, groups, caller=_CALLER)
    splits = make_splits(cv, X, y, groups, caller=_CALLER)
    fold = fold_of_row(splits, len(y), caller=_CALLER)
    predictions = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_predict)(estimator, X, y, train, test, fit_params or {})
        for train, test in splits
    )
    models = [model for model, _ in predictions]
    # A fitted model in FrozenEstimator may know labels that y lacks, and lack some of y.
    labels = np.unique(np.concatenate([np.unique(y), *(model.classes_ for model in models)]))
    y_proba = np.full((len(y), len(labels)), np.nan)
    unseen = np.zeros(len(y), dtype=bool)
    for (_, test), (model, of_test) in zip(splits, predictions, strict=True):
        # Labels that the model does not know have probability zero; NaN stays for rows never held
        # out.
        y_proba[test] = 0.0
        y_proba[np.ix_(test, np.searchsorted(labels, model.classes_))] = of_test
        unseen[test] = ~np.isin(y[test], model.classes_)
    return OutOfFold(y_proba, labels, fold, unseen, models)


def _fit_and_predict(estimator, X, y, train, test, fit_params):
    """Fit on the training rows of a split; return the model and the probabilities of the others."""
    of_train = {
        # What has one entry for every row, such as weights, is cut to the training rows.
        name: take_rows(value, train) if getattr(value, "shape", ())[:1] == (len(y),) else value
        for name, value in fit_params.items()
    }
    model = clone(estimator).fit(take_rows(X, train), y[train], **of_train)
    return model, model.predict_proba(take_rows(X, test))


def check_rows(
    X: Any, y: ArrayLike, groups: ArrayLike | None, *, caller: str
) -> tuple[Any, NDArray[Any], IntArray | None]:
    """Return X with rows that can be taken, y as an array, and the groups as numbers (or None)."""
    if issparse(X):
        X = X.tocsr()  # the other sparse formats cannot be indexed by rows
    elif not hasattr(X, "shape"):
        X = np.asarray(X)
    y = np.asarray(y)
    groups = None if groups is None else group_codes(groups, caller=caller)
    if X.shape[0] != len(y) or (groups is not None and len(groups) != len(y)):
        n_groups = "" if groups is None else f" and {len(groups)} groups"
        raise InvalidInputError(
            f"{caller}: got {X.shape[0]} rows, {len(y)} labels{n_groups}; the numbers must be "
            "equal."
        )
    return X, y, groups


def take_rows(X, rows):
    """Rows of a table, an array or a sparse matrix."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def make_splits(cv: CrossValidation, X: Any, y: Any, groups: Any, *, caller: str) -> list[Any]:
    """List of (train, test); a number means stratified folds that allow for rare classes."""
    if not isinstance(cv, int | np.integer):
        splits = list(check_cv(cv, y, classifier=True).split(X, y, groups))
        # A splitter that ignores groups would undo what the user asked for, without a word.
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
        return list(PredefinedSplit(_deal_in_turn(codes, cv)).split())
    n_groups = len(np.unique(groups))
    if n_groups < cv:
        raise InvalidInputError(
            f"{caller}: cv={cv} folds need as many groups, got {n_groups}. Lower cv, or choose "
            "finer groups."
        )
    return grouped_splits(codes, groups, cv)


def _deal_in_turn(codes, n_folds):
    """Deal the rows of each class to the folds in turn.

    Unlike StratifiedKFold it puts no two rows of a class with fewer rows than folds together.
    """
    fold = np.empty(len(codes), dtype=int)
    fold[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % n_folds
    return fold


def grouped_splits(codes, groups, n_folds, *, seed=None):
    """List of (train, test): folds of whole groups, stratified by class codes where possible.

    With a `seed` the groups are dealt in random order.
    """
    # StratifiedGroupKFold raises unless one class at least could stand in every fold.
    strata = codes if np.bincount(codes).max() >= n_folds else np.zeros_like(codes)
    splitter = StratifiedGroupKFold(n_folds, shuffle=seed is not None, random_state=seed)
    with warnings.catch_warnings():
        # Rare classes are the rule here, and callers report what becomes of them.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return list(splitter.split(strata, strata, groups))


def shuffled_splits(n_folds, y, groups, random_state, *, caller):
    """Stratified folds that do not depend on the order of the rows."""
    order = random_state.permutation(len(y))
    groups = None if groups is None else groups[order]
    splits = make_splits(n_folds, order, y[order], groups, caller=caller)
    return [(np.sort(order[train]), np.sort(order[test])) for train, test in splits]


def hold_out_rows(test_size, y, groups, random_state, *, caller):
    """Rows to be kept out, stratified and in whole groups: as many folds as make up the share."""
    # Folds are stratified and keep groups whole, which a random draw of rows does not.
    share = Fraction(test_size).limit_denominator(_MOST_FOLDS)
    folds = shuffled_splits(share.denominator, y, groups, random_state, caller=caller)
    return np.sort(np.concatenate([test for _, test in folds[: share.numerator]]))


def fold_of_row(splits, n_rows, *, caller):
    """Split in which each row is held out; -1 for none."""
    # `add.at` counts a row as often as it occurs, also twice in one test set.
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
