"""Temperature scaling: one number that brings probabilities and accuracy into line."""

from numbers import Real

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, CrossValidation, Estimator, FloatArray, MatrixLike
from crystalml._validation import Interval
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import check_probabilities, checked_weights
from crystalml.model_selection._wrapped_classifier import BaseCalibratedClassifier

__all__ = ["TemperatureScaledClassifier", "apply_temperature", "fit_temperature"]

# Logarithms of the temperatures tried first: the floored loss may have several minima.
_GRID = np.linspace(np.log(0.05), np.log(20.0), 25)


# CalibratedClassifierCV(method="temperature") of scikit-learn 1.9 does not serve here: it
# refuses data in which a class has fewer rows than there are folds, takes groups only under
# global metadata routing, and lets a true label of probability zero cost 36 nats, so that a
# few such rows decide the temperature.
class TemperatureScaledClassifier(BaseCalibratedClassifier):
    """Calibrate a classifier by one temperature, found on rows it did not see.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        It is cloned. Wrapped in ``sklearn.frozen.FrozenEstimator``, a fitted one is calibrated
        as it is, on rows that must be new to it.
    cv : int, splitter or iterable of (train, test) row numbers, default=5
        How rows are held out. A number means stratified folds, respecting the groups passed to
        ``fit``; see `out_of_fold_probabilities`. With several splits the estimator is fitted
        once more on all rows; with a single one the model of that split is kept.
    floor : float, default=1e-4
        Smallest probability in the loss that is minimised; see `fit_temperature`.
    n_jobs : int, default=None
        Splits fitted at the same time, as in joblib.

    Attributes
    ----------
    estimator_ : classifier
        The fitted estimator.
    temperature_ : float
        Above 1 where the estimator was overconfident.
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the columns of ``predict_proba``.
    n_features_in_ : int
        As of the estimator, where it has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        As of the estimator, where it has it.

    See Also
    --------
    fit_temperature : The same for probabilities at hand.
    sklearn.calibration.CalibratedClassifierCV : More methods, for classes that are not rare.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import TemperatureScaledClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = TemperatureScaledClassifier(GaussianNB()).fit(X, y)
    >>> model.temperature_ > 5  # naive Bayes is overconfident
    True
    """

    _own_constraints = {"floor": [Interval(Real, 0, 1, closed="neither")]}  # noqa: RUF012

    def __init__(
        self,
        estimator: Estimator,
        *,
        cv: CrossValidation = 5,
        floor: float = 1e-4,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.floor = floor
        self.n_jobs = n_jobs

    def _calibrate(self, held_out, X, y, sample_weight):  # noqa: ARG002
        """Find the temperature on the rows that were held out."""
        rows = held_out.fold >= 0
        if not rows.any():
            raise InvalidInputError(
                "TemperatureScaledClassifier: cv holds no row out, so there is nothing to "
                "calibrate on; give a splitter with test rows."
            )
        self.temperature_ = fit_temperature(
            y[rows],
            held_out.y_proba[rows],
            labels=held_out.labels,
            floor=self.floor,
            sample_weight=None if sample_weight is None else sample_weight[rows],
        )

    def predict_proba(self, X: MatrixLike) -> FloatArray:
        """Predict the calibrated probability of each label.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Rows, in the form that was fitted.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        return apply_temperature(self.estimator_.predict_proba(X), self.temperature_)


def apply_temperature(y_proba: ArrayLike, temperature: float) -> FloatArray:
    """Soften or sharpen probabilities: each to the power ``1 / temperature``, renormalised.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples, n_labels)
        Probabilities.
    temperature : float
        Above 1 the probabilities move together, below 1 apart; 1 changes nothing.

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
    powers = np.exp(_log_relative_to_top(y_proba, "apply_temperature") / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def _log_relative_to_top(y_proba, caller):
    """Logarithm of the ratio of each probability to the largest of its row.

    At a low temperature the powers of the probabilities themselves would all underflow to zero.
    """
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
    (`out_of_fold_probabilities`): on its own training rows every model looks underconfident.

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
        ``-log(floor)`` at every temperature and has no influence; without the floor one such
        row would decide alone.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        Temperature for `apply_temperature`, between 0.05 and 20; 1 where no row has any
        influence.

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
    A classifier that always predicts with probability 0.9 and is right in two of three cases:

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
    # The other rows cost the same at every temperature.
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
    # Where the loss does not depend on the temperature, 1 changes nothing.
    if np.ptp(values) <= 1e-12 * abs(values).max():
        return 1.0
    best = int(values.argmin())
    bounds = _GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)]
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x if found.fun <= values[best] else _GRID[best]))
