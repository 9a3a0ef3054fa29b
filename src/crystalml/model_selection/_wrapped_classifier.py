"""The bases of classifiers that wrap another classifier."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Tags, assert_all_finite, column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, CrossValidation, Estimator, MatrixLike, NDArray
from crystalml._validation import HasMethods, Interval, check_parameters, check_sample_weight
from crystalml.model_selection._folds import out_of_fold_probabilities

COMMON_CONSTRAINTS = {
    "estimator": [HasMethods(["fit", "predict_proba"])],
    "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"]), "cv_object"],
    "n_jobs": [Integral, None],
}


class BaseWrappedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Labels from probabilities, and the attributes and tags of the estimator inside."""

    estimator: Estimator
    estimator_: Any
    classes_: NDArray[Any]

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict the most probable label of each row.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Rows, in the form that was fitted.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        top = self.predict_proba(X).argmax(axis=1)
        return self.classes_[top]

    def predict_proba(self, X: MatrixLike) -> NDArray[Any]:
        """Predict the probability of each label.

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
        return self.estimator_.predict_proba(X)

    def _take_over(self, fitted):
        """Keep the fitted estimator, and what scikit-learn looks for on the outside."""
        self.estimator_ = fitted
        self.classes_ = np.asarray(fitted.classes_)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def __sklearn_tags__(self) -> Tags:
        # What the estimator inside can take (text, missing values, ...), the wrapper takes.
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        return tags


class BaseCalibratedClassifier(BaseWrappedClassifier):
    """Hold rows out, let the subclass learn from them, and keep a model of all rows.

    A subclass names the constraints of its own parameters in ``_own_constraints`` and learns
    from the held-out rows in ``_calibrate(held_out, X, y, sample_weight)``.
    """

    cv: CrossValidation
    n_jobs: int | None
    _own_constraints: ClassVar[dict[str, list[Any]]] = {}

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Predict the rows out of fold, calibrate on these predictions, and fit on all rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Rows, in whatever form the estimator takes.
        y : array-like of shape (n_samples,)
            Labels of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, passed on to the estimator.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are held out together. The estimator itself does not get them:
            pass its own with their prefix, such as ``mlp__groups``, where its ``fit`` takes any.
        **fit_params : dict
            Further arguments of the estimator's ``fit``; those with one value per row are cut
            to the rows of each fold.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        check_parameters(self, COMMON_CONSTRAINTS | self._own_constraints)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        # Checked here, since the weights of the held-out rows count in the calibration as well.
        sample_weight = check_sample_weight(sample_weight, y, caller=type(self).__name__)
        if sample_weight is not None:
            fit_params["sample_weight"] = sample_weight
        held_out = out_of_fold_probabilities(
            self.estimator,
            X,
            y,
            groups=groups,
            cv=self.cv,
            n_jobs=self.n_jobs,
            fit_params=fit_params,
        )
        # With a single split the model that was calibrated is kept: only for this model is the
        # calibration exact.
        if len(held_out.models) == 1:
            self._take_over(held_out.models[0])
        else:
            self._take_over(clone(self.estimator).fit(X, y, **fit_params))
        self._calibrate(held_out, X, y, sample_weight)
        return self
