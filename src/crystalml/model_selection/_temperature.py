"""Temperature scaling: one number that makes a classifier as sure as it is right."""

from numbers import Real

import numpy as np
from scipy.optimize import minimize_scalar

from crystalml._typing import ArrayLike, FloatArray
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._probabilities import check_probabilities, checked_weights

__all__ = ["apply_temperature", "fit_temperature"]

# Logarithms of the temperatures tried first: the floored loss may have several minima.
_GRID = np.linspace(np.log(0.05), np.log(20.0), 25)


def apply_temperature(y_proba: ArrayLike, temperature: float) -> FloatArray:
    """Soften or sharpen probabilities: each to the power ``1 / temperature``, renormalised.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples, n_labels)
        Probabilities.
    temperature : float
        Above 1 the answers become less sure, below 1 surer; 1 changes nothing.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Rows that sum to one. The order of the labels stays, and so does a probability of zero.

    Raises
    ------
    InvalidInputError
        If `temperature` is not above 0, or a row holds no positive probability.

    Examples
    --------
    >>> from crystalml.model_selection import apply_temperature
    >>> apply_temperature([[0.8, 0.2, 0.0]], 2.0).round(3)
    array([[0.667, 0.333, 0.   ]])
    """
    if not (isinstance(temperature, Real) and 0 < temperature < np.inf):
        raise InvalidInputError(
            f"apply_temperature: temperature must be a number above 0, got {temperature!r}."
        )
    return _softened(_log_relative_to_top(y_proba, "apply_temperature"), temperature)


def _log_relative_to_top(y_proba, caller):
    """Logarithm of the ratio of each probability to the largest of its row."""
    y_proba = np.asarray(y_proba, dtype=float)
    if y_proba.ndim != 2:
        raise InvalidInputError(
            f"{caller}: y_proba has shape {y_proba.shape}; give one row per sample, one column "
            "per label."
        )
    top = y_proba.max(axis=1, keepdims=True, initial=0.0)
    bad = ~((top > 0) & (top < np.inf) & (y_proba >= 0).all(axis=1, keepdims=True))[:, 0]
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InvalidInputError(
            f"{caller}: {bad.sum()} rows of y_proba are no probabilities (first: row {row}, "
            f"{y_proba[row].min()!r} to {y_proba[row].max()!r}). Pass the output of predict_proba."
        )
    with np.errstate(divide="ignore"):
        return np.log(y_proba / top)


def _softened(log_ratio, temperature):
    powers = np.exp(log_ratio / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    floor: float = 1e-4,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Find the temperature of least log loss.

    Use probabilities of rows that the model was not fitted on
    (`out_of_fold_probabilities`): on its own training rows every model looks too unsure.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type, seen in training or not.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    floor : float, default=1e-4
        Smallest probability of the true label, as in `floored_log_loss`, which is the loss
        that is minimised. A row whose label is unseen, or has probability zero, costs
        ``-log(floor)`` at every temperature and has no say; without the floor one such row
        would decide alone.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        Temperature for `apply_temperature`, between 0.05 and 20; 1 where no row has a say.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `floor` is not in (0, 1) or `y_proba` are no probabilities.

    Notes
    -----
    The loss is tried at 25 temperatures and then minimised by Brent's bounded search around the
    best of them.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017). On calibration of modern neural
    networks. Proceedings of Machine Learning Research 70, 1321-1330.

    Examples
    --------
    A classifier that is always sure to 0.9 and right in two of three cases:

    >>> from crystalml.model_selection import apply_temperature, fit_temperature
    >>> y_proba = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]
    >>> temperature = fit_temperature([1, 1, 2], y_proba, labels=[1, 2])
    >>> apply_temperature(y_proba, temperature)[0].round(3)
    array([0.667, 0.333])
    """
    if not 0 < floor < 1:
        raise InvalidInputError(f"fit_temperature: floor must lie in (0, 1), got {floor!r}.")
    y_proba, position = check_probabilities(y_true, y_proba, labels, "fit_temperature")
    weights = checked_weights(sample_weight, len(position), "fit_temperature")
    log_ratio = _log_relative_to_top(y_proba, "fit_temperature")
    of_true = np.where(position < 0, -np.inf, log_ratio[np.arange(len(position)), position])
    counted = np.isfinite(of_true) & (weights > 0)
    if not counted.any():
        return 1.0
    log_ratio, of_true, weights = log_ratio[counted], of_true[counted], weights[counted]

    def loss(log_temperature):
        temperature = np.exp(log_temperature)
        total = np.exp(log_ratio / temperature).sum(axis=1)
        log_proba = of_true / temperature - np.log(total)
        return -weights @ np.maximum(log_proba, np.log(floor))

    return _minimum(loss)


def _minimum(loss):
    """Temperature of least loss, from a grid and a search around its best point."""
    values = np.array([loss(point) for point in _GRID])
    # Where the loss does not depend on the temperature, the answer is to change nothing.
    if np.ptp(values) <= 1e-12 * abs(values).max():
        return 1.0
    best = int(values.argmin())
    bounds = _GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)]
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x if found.fun <= values[best] else _GRID[best]))
