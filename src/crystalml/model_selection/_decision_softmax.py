"""Probabilities for classifiers that only give decision scores."""

from typing import Self

import numpy as np
from scipy.special import softmax
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, Estimator, FloatArray, MatrixLike
from crystalml._validation import HasMethods, check_parameters
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._wrapped_classifier import BaseWrappedClassifier

__all__ = ["DecisionSoftmaxClassifier"]


class DecisionSoftmaxClassifier(BaseWrappedClassifier):
    """Turn the decision scores of a classifier into numbers that sum to one.

    Support vector machines and other classifiers with a margin have no ``predict_proba``.
    The softmax of their scores keeps the order of the labels but is not calibrated: put it into
    `TemperatureScaledClassifier`.

    Parameters
    ----------
    estimator : classifier with ``decision_function``
        It is cloned. Its scores must have one column per label, as those of ``SVC`` with
        ``decision_function_shape="ovr"`` do, or be one column for two labels.

    Attributes
    ----------
    estimator_ : classifier
        The fitted estimator.
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the columns of ``predict_proba``.
    n_features_in_ : int
        As of the estimator, where it has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        As of the estimator, where it has it.

    See Also
    --------
    TemperatureScaledClassifier : Calibration by one number; survives rare classes.
    sklearn.calibration.CalibratedClassifierCV : Takes scores as they are, but needs as many rows
        of every class as there are folds.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import LinearSVC
    >>> from crystalml.model_selection import DecisionSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DecisionSoftmaxClassifier(LinearSVC(random_state=0)).fit(X, y)
    >>> model.predict_proba(X[:1]).round(1)
    array([[0.9, 0.1, 0. ]])
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator

    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the estimator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, in whatever form the estimator takes.
        y : array-like of shape (n_samples,)
            Labels of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, passed on to the estimator.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        check_parameters(self, {"estimator": [HasMethods(["fit", "decision_function"])]})
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._take_over(clone(self.estimator).fit(X, y, **weights))
        return self

    def predict_proba(self, X: MatrixLike) -> FloatArray:
        """Predict the softmax of the scores.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, in the form that was fitted.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Numbers that sum to one in each row, in the order of ``classes_``.

        Raises
        ------
        InvalidInputError
            If the estimator has not one score per label.
        """
        check_is_fitted(self)
        scores = np.asarray(self.estimator_.decision_function(X), dtype=np.float64)
        if scores.ndim == 1:
            # Two labels have one score, the difference of theirs.
            scores = np.column_stack([np.zeros(len(scores)), scores])
        if scores.shape[1] != len(self.classes_):
            raise InvalidInputError(
                f"{type(self).__name__}: {type(self.estimator_).__name__} gives "
                f"{scores.shape[1]} scores for {len(self.classes_)} labels; one per label is "
                "needed (for SVC: decision_function_shape='ovr')."
            )
        return softmax(scores, axis=1)
