"""The base of the classifiers that calibrate another classifier on held-out rows."""

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


class BaseCalibratedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Hold rows out, let the subclass learn from them, and keep a model of all rows.

    A subclass names the constraints of its own parameters in ``_own_constraints`` and learns
    from the held-out rows in ``_calibrate(held_out, X, y, sample_weight)``.
    """

    estimator: Estimator
    estimator_: Any
    cv: CrossValidation
    n_jobs: int | None
    classes_: NDArray[Any]
    _own_constraints: ClassVar[dict[str, list[Any]]] = {}

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Predict the rows out of fold, learn from these answers, and fit on all rows.

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
        # The one split of a split calibration has the model that was calibrated.
        if len(held_out.models) == 1:
            self.estimator_ = held_out.models[0]
        else:
            self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self.classes_ = np.asarray(self.estimator_.classes_)
        self._calibrate(held_out, X, y, sample_weight)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        return tags
