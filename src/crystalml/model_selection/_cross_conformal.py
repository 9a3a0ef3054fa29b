"""Conformal sets by the models of the folds, which treat a new row as the calibration rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crystalml._typing import BoolArray, FloatArray, NDArray
from crystalml.model_selection._conformal import _label_scores

__all__ = ["cross_conformal_sets", "scores_of_fold"]


def scores_of_fold(
    y_proba: FloatArray,
    classes: NDArray[Any],
    labels: NDArray[Any],
    prior: FloatArray,
    prior_weight: float,
    caller: str,
    **score_arguments: Any,
) -> FloatArray:
    """Score every label in every row by the model of one fold; labels unknown to it, infinity."""
    known = np.isin(labels, classes)
    spread = np.zeros((len(y_proba), len(labels)))
    spread[:, known] = y_proba
    scores = _label_scores(
        (1 - prior_weight) * spread + prior_weight * prior, caller=caller, **score_arguments
    )
    scores[:, ~known] = np.inf
    return scores


def cross_conformal_sets(
    scores: Sequence[FloatArray],
    calibration: FloatArray,
    folds: NDArray[Any],
    coverage: float,
    of_calibration: NDArray[Any],
    of_entries: NDArray[Any],
) -> BoolArray:
    """List the labels that are no stranger than a share of the calibration rows.

    Parameters
    ----------
    scores : list of ndarray of shape (n_samples, n_labels)
        Score of each label by the model of each fold.
    calibration, folds : ndarray of shape (n_held_out,)
        Scores of the true labels of the calibration rows, and in which fold they were held out.
    coverage : float
        Share of new rows whose set is to hold the true label.
    of_calibration, of_entries : ndarray of int of shape (n_held_out,), (1 or n_samples, \
1 or n_labels)
        Groups within which rows are compared.

    Returns
    -------
    ndarray of shape (n_samples, n_labels) of bool
        True for the labels of the set.

    Notes
    -----
    A label is held against each calibration row by the model that did not see that row: CV+ of
    Y. Romano, M. Sesia, E. J. Candès (2020), Advances in Neural Information Processing Systems
    33, 3581-3591, appendix; a group for each kind of row (Mondrian) is added here.
    """
    shape = scores[0].shape
    of_entries = np.broadcast_to(of_entries, shape)
    sets = np.ones(shape, dtype=bool)
    for group in np.unique(of_entries):
        entries, inside = of_entries == group, of_calibration == group
        at_least = np.zeros(int(entries.sum()), dtype=np.int64)
        for number, of_fold in enumerate(scores):
            sorted_scores = np.sort(calibration[inside & (folds == number)])
            below = np.searchsorted(sorted_scores, of_fold[entries], side="left")
            at_least += len(sorted_scores) - below
        # Rounded, since (n + 1) * 0.1 may come out a little below an integer.
        needed = np.round((inside.sum() + 1) * (1 - coverage), 9)
        sets[entries] = 1 + at_least > needed
    return sets
