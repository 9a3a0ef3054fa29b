"""Calibration: the probability of the most probable label against its accuracy."""

import numpy as np
import pandas as pd

from crystalml._typing import ArrayLike
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import check_probabilities, checked_weights

__all__ = ["expected_calibration_error", "reliability_curve"]


def reliability_curve(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    n_bins: int = 15,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Compare the probabilities of the most probable labels with their accuracy.

    Rows are sorted by the probability of their most probable label and cut into bins of equal
    count (equal weight, where weights are given). Rows with equal probability stay in one bin,
    so the curve does not depend on the order of the rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type; a row whose label is not in `labels` counts as wrong.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    n_bins : int, default=15
        Largest number of bins; fewer where probabilities are equal.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``confidence`` (mean probability of the most probable label),
        ``accuracy`` (share of rows where it is right), ``count`` (rows) and ``weight`` (share
        of the total weight).

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `n_bins` is less than one or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import reliability_curve
    >>> y_proba = [[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.9, 0.1]]
    >>> reliability_curve([1, 1, 1, 1], y_proba, labels=[1, 2], n_bins=2)
       confidence  accuracy  count  weight
    0         0.6       0.5      2     0.5
    1         0.9       1.0      2     0.5
    """
    if n_bins < 1:
        raise InvalidInputError(f"reliability_curve: n_bins must be at least 1, got {n_bins!r}.")
    y_proba, position = check_probabilities(y_true, y_proba, labels, "reliability_curve")
    weights = checked_weights(sample_weight, len(position), "reliability_curve")
    confidence = y_proba.max(axis=1)
    right = y_proba.argmax(axis=1) == position
    _, bin_of_row = np.unique(_equal_weight_bins(confidence, weights, n_bins), return_inverse=True)
    weight = np.bincount(bin_of_row, weights)
    # A bin of rows without weight would divide zero by zero; it is left out below.
    with np.errstate(invalid="ignore"):
        curve = pd.DataFrame(
            {
                "confidence": np.bincount(bin_of_row, weights * confidence) / weight,
                "accuracy": np.bincount(bin_of_row, weights * right) / weight,
                "count": np.bincount(bin_of_row),
                "weight": weight / weight.sum(),
            }
        )
    return curve[curve["weight"] > 0].reset_index(drop=True)


def _equal_weight_bins(values, weights, n_bins):
    """Bin number of each value by the weight below it, the same for equal values."""
    _, inverse = np.unique(values, return_inverse=True)
    weight_of_value = np.bincount(inverse, weights)
    below = np.cumsum(weight_of_value) - weight_of_value
    # The small shift keeps a boundary that rounding put below an integer in its bin.
    return np.floor(below * n_bins / weights.sum() + 1e-9).astype(int)[inverse]


def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    n_bins: int = 15,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Compute the mean gap between the probability of the most probable label and its accuracy.

    The gap is averaged over bins of equal count (see `reliability_curve`). Bins of equal width
    would be nearly empty where few probabilities are high.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type; a row whose label is not in `labels` counts as wrong.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    n_bins : int, default=15
        Largest number of bins.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        Between 0 (calibrated) and 1.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `n_bins` is less than one or `y_proba` are no probabilities.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht (2015). Obtaining well calibrated probabilities
    using Bayesian binning. Proceedings of AAAI 29, 2901-2907. (There for bins of equal width.)

    Examples
    --------
    >>> from crystalml.model_selection import expected_calibration_error
    >>> expected_calibration_error([1, 2], [[0.75, 0.25], [0.75, 0.25]], labels=[1, 2])
    0.25
    """
    curve = reliability_curve(
        y_true, y_proba, labels=labels, n_bins=n_bins, sample_weight=sample_weight
    )
    return float(curve["weight"] @ (curve["confidence"] - curve["accuracy"]).abs())
