"""Probabilities of every row from a model that did not see its group."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from crystalml._typing import ArrayLike, CrossValidation, Estimator, MatrixLike
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._folds import (
    as_rows,
    fold_of_row,
    group_codes,
    make_splits,
    take_rows,
)

__all__ = ["OutOfFold", "out_of_fold_probabilities"]

_CALLER = "out_of_fold_probabilities"


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
    """Predict each row by a model that saw neither it nor any row of its group.

    It is what calibration, conformal thresholds and stacked models are fitted on. scikit-learn's
    ``cross_val_predict`` gives such probabilities too, but warns where a fold lacks a class and
    does not tell which rows that concerns; with 230 space groups it is every fold.

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

    The only row of I 4 was predicted by a model that had never heard of it.

    >>> held_out.unseen.tolist()
    [False, False, False, False, True]
    """
    if not hasattr(estimator, "predict_proba"):
        raise InvalidInputError(
            f"{_CALLER}: {type(estimator).__name__} has no predict_proba; give a "
            "classifier with probabilities."
        )
    y = np.asarray(y)
    X = as_rows(X)
    groups = None if groups is None else group_codes(groups, caller=_CALLER)
    if X.shape[0] != len(y) or (groups is not None and len(groups) != len(y)):
        n_groups = "" if groups is None else f" and {len(groups)} groups"
        raise InvalidInputError(
            f"{_CALLER}: got {X.shape[0]} rows, {len(y)} labels{n_groups}; "
            "the numbers must be equal."
        )
    splits = make_splits(cv, X, y, groups, caller=_CALLER)
    fold = fold_of_row(splits, len(y), caller=_CALLER)
    parts = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_predict)(estimator, X, y, train, test, fit_params or {})
        for train, test in splits
    )
    return _assembled(y, splits, fold, parts)


def _fit_and_predict(estimator, X, y, train, test, fit_params):
    """Fit on the training rows of a split; give the model and the probabilities of the others."""
    own = {
        name: take_rows(value, train) if _one_per_row(value, len(y)) else value
        for name, value in fit_params.items()
    }
    model = clone(estimator).fit(take_rows(X, train), y[train], **own)
    return model, model.predict_proba(take_rows(X, test))


def _one_per_row(value, n_rows):
    """Whether an argument of fit has one entry for every row."""
    return hasattr(value, "shape") and value.shape[:1] == (n_rows,)


def _assembled(y, splits, fold, parts):
    """Put the parts into one matrix over all labels."""
    labels = np.unique(np.concatenate([np.unique(y), *(model.classes_ for model, _ in parts)]))
    y_proba = np.full((len(y), len(labels)), np.nan)
    unseen = np.zeros(len(y), dtype=bool)
    for (_, test), (model, part) in zip(splits, parts, strict=True):
        y_proba[test] = 0.0
        y_proba[np.ix_(test, np.searchsorted(labels, model.classes_))] = part
        unseen[test] = ~np.isin(y[test], model.classes_)
    return OutOfFold(y_proba, labels, fold, unseen, [model for model, _ in parts])
