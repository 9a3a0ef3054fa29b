"""Metrics of probabilistic predictions that survive rare classes and classes never seen.

scikit-learn's ``top_k_accuracy_score`` and ``log_loss`` refuse a true label that the
classifier was not fitted on. With 230 space groups and folds by compound that is the rule,
not the exception: here such a row counts as an error, at the price stated by each metric.
"""

from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from crystalml._typing import ArrayLike
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._probabilities import check_probabilities, checked_weights
from crystalml.model_selection._reliability import expected_calibration_error

__all__ = ["evaluate_probabilities", "floored_log_loss", "top_k_accuracy"]


def top_k_accuracy(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    k: int = 5,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of rows whose true label is among the `k` most probable.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type. A label that is not in `labels` counts as missed.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    k : int, default=5
        Length of the list. With fewer than `k` labels all of them are listed.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        Between 0 and 1. Equal probabilities rank in the order of their columns.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `k` is less than one or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import top_k_accuracy
    >>> y_proba = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    >>> top_k_accuracy([14, 227, 166], y_proba, k=2, labels=[14, 225, 166])
    0.333...
    """
    if k < 1:
        raise InvalidInputError(f"top_k_accuracy: k must be at least 1, got {k!r}.")
    y_proba, position = check_probabilities(y_true, y_proba, labels, "top_k_accuracy")
    weights = checked_weights(sample_weight, len(position), "top_k_accuracy")
    return float(np.average(_ranks(y_proba, position) < k, weights=weights))


def _ranks(y_proba, position):
    """Count the labels listed before the true one; more than all labels where it is unseen."""
    of_true = y_proba[np.arange(len(position)), position][:, None]
    before = np.arange(y_proba.shape[1]) < position[:, None]
    rank = ((y_proba > of_true) | ((y_proba == of_true) & before)).sum(axis=1)
    return np.where(position < 0, np.iinfo(np.int64).max, rank)


def floored_log_loss(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    floor: float = 1e-4,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean negative logarithm of the probability of the true label, never below `floor`.

    A single row with probability zero would make the plain log loss infinite. The floor is the
    stated price of such a row, and of a row whose label the classifier has never seen; the
    other probabilities stay as they are. A constant answer of `floor` costs ``-log(floor)``.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type; one that is not in `labels` has probability `floor`.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    floor : float, default=1e-4
        Smallest probability, in (0, 1).
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        In nats; 0 is perfect.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `floor` is not in (0, 1) or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import floored_log_loss
    >>> floored_log_loss([14, 227], [[0.5, 0.5], [1.0, 0.0]], floor=0.01, labels=[14, 225])
    2.649...
    """
    if not 0 < floor < 1:
        raise InvalidInputError(f"floored_log_loss: floor must lie in (0, 1), got {floor!r}.")
    y_proba, position = check_probabilities(y_true, y_proba, labels, "floored_log_loss")
    weights = checked_weights(sample_weight, len(position), "floored_log_loss")
    of_true = np.where(position < 0, 0.0, y_proba[np.arange(len(position)), position])
    # "0.0 -" so that a perfect answer prints as 0.0 and not as -0.0.
    return float(0.0 - np.average(np.log(np.clip(of_true, floor, 1.0)), weights=weights))


def evaluate_probabilities(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    floor: float = 1e-4,
    n_bins: int = 15,
    sample_weight: ArrayLike | None = None,
) -> dict[str, float]:
    """Score a table of probabilities by every metric at once: one row of a comparison.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type, seen in training or not.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    floor : float, default=1e-4
        Smallest probability in the log loss (see `floored_log_loss`).
    n_bins : int, default=15
        Bins of the calibration error (see `expected_calibration_error`).
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    dict of str to float
        ``top_1_accuracy``, ``top_5_accuracy``, ``macro_f1`` (mean F1 over all true and
        predicted labels; 0 for one never predicted), ``log_loss`` in nats and
        ``calibration_error``.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import evaluate_probabilities
    >>> y_proba = [[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]]
    >>> scores = evaluate_probabilities([14, 225, 2], y_proba, labels=[14, 62, 225])
    >>> {name: round(score, 3) for name, score in scores.items()}
    {'top_1_accuracy': 0.667, 'top_5_accuracy': 0.667, 'macro_f1': 0.556,
     'log_loss': 3.359, 'calibration_error': 0.267}
    """
    rows: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight}
    scores = {
        "top_1_accuracy": top_k_accuracy(y_true, y_proba, k=1, **rows),
        "top_5_accuracy": top_k_accuracy(y_true, y_proba, k=5, **rows),
    }
    y_pred = np.asarray(labels)[np.asarray(y_proba).argmax(axis=1)]
    macro_f1 = f1_score(
        y_true, y_pred, average="macro", zero_division=0, sample_weight=sample_weight
    )
    return scores | {
        "macro_f1": float(macro_f1),
        "log_loss": floored_log_loss(y_true, y_proba, floor=floor, **rows),
        "calibration_error": expected_calibration_error(y_true, y_proba, n_bins=n_bins, **rows),
    }
