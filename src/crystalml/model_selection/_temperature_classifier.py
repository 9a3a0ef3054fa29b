"""A classifier whose probabilities are calibrated by one temperature."""

from numbers import Real

from sklearn.utils.validation import check_is_fitted

from crystalml._typing import CrossValidation, Estimator, FloatArray, MatrixLike
from crystalml._validation import Interval
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._base_calibrated import BaseCalibratedClassifier
from crystalml.model_selection._temperature import apply_temperature, fit_temperature

__all__ = ["TemperatureScaledClassifier"]


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
        Above 1 where the estimator was too sure.
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
    >>> model.temperature_ > 5  # naive Bayes is much too sure
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
