"""Abstention: labels withheld below a probability, and the accuracy that this gains."""

import numpy as np
import pandas as pd

from crystalml._typing import ArrayLike, ObjectArray
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import check_probabilities, checked_weights

__all__ = ["abstain_below", "risk_coverage_curve"]


def abstain_below(
    y_proba: ArrayLike, threshold: float, *, labels: ArrayLike, abstain_label: object = None
) -> ObjectArray:
    """Return the most probable label of each row, or none below a probability.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label; calibrate them first.
    threshold : float
        A row gets a label if its largest probability is at least this.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    abstain_label : object, default=None
        Stands in the rows without a label.

    Returns
    -------
    ndarray of shape (n_samples,), dtype object
        Labels and `abstain_label`.

    Raises
    ------
    InvalidInputError
        If `threshold` is not in [0, 1], the shapes do not fit or `y_proba` are no
        probabilities.

    See Also
    --------
    risk_coverage_curve : Accuracy and coverage at each threshold.

    Examples
    --------
    >>> from crystalml.model_selection import abstain_below
    >>> abstain_below([[0.9, 0.1], [0.4, 0.6]], 0.8, labels=[14, 62])
    array([14, None], dtype=object)
    """
    if not 0 <= threshold <= 1:
        raise InvalidInputError(f"abstain_below: threshold must lie in [0, 1], got {threshold!r}.")
    labels, y_proba = np.asarray(labels), np.asarray(y_proba, dtype=float)
    if len(y_proba):
        y_proba, _ = check_probabilities(None, y_proba, labels, "abstain_below")
    given = labels[y_proba.argmax(axis=1)].astype(object)
    given[y_proba.max(axis=1) < threshold] = abstain_label
    return given


def risk_coverage_curve(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Compute the accuracy of the labels that are given, for every threshold of abstention.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type; a row whose label is not in `labels` counts as wrong.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    pandas.DataFrame
        One row per distinct probability of a most probable label, the largest first:
        ``threshold`` (for `abstain_below`), ``coverage`` (share of rows with a label),
        ``accuracy`` of these, ``risk`` (one minus it) and ``count`` (rows with a label). Rows
        without weight are left out.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit or `y_proba` are no probabilities.

    See Also
    --------
    crystalml.plotting.plot_rejection_curve : A plot of it, for any measure of uncertainty.

    Notes
    -----
    The coverage of a classifier that abstains is not that of conformal sets: here it counts
    labels that are given, there sets that hold the true label. Choose the threshold on other
    rows than those on which you report the accuracy.

    References
    ----------
    R. El-Yaniv, Y. Wiener (2010). On the foundations of noise-free selective classification.
    Journal of Machine Learning Research 11, 1605-1641.

    Examples
    --------
    >>> from crystalml.model_selection import risk_coverage_curve
    >>> y_proba = [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.4, 0.6]]
    >>> risk_coverage_curve([1, 1, 2, 1], y_proba, labels=[1, 2])
       threshold  coverage  accuracy  risk  count
    0        0.9      0.25      1.00  0.00      1
    1        0.8      0.50      1.00  0.00      2
    2        0.6      1.00      0.75  0.25      4
    """
    y_proba, position = check_probabilities(y_true, y_proba, labels, "risk_coverage_curve")
    weights = checked_weights(sample_weight, len(position), "risk_coverage_curve")
    counted = weights > 0
    weights, y_proba, position = weights[counted], y_proba[counted], position[counted]
    # Rows of equal probability get a label at the same threshold, so they make one step.
    thresholds, step = np.unique(-y_proba.max(axis=1), return_inverse=True)
    right = y_proba.argmax(axis=1) == position
    answered = np.cumsum(np.bincount(step, weights))
    accuracy = np.cumsum(np.bincount(step, weights * right)) / answered
    return pd.DataFrame(
        {
            "threshold": -thresholds,
            "coverage": answered / answered[-1],
            "accuracy": accuracy,
            "risk": 1.0 - accuracy,
            "count": np.cumsum(np.bincount(step)),
        }
    )
