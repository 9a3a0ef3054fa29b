"""What all net regressors share."""

import numpy as np
from sklearn.base import RegressorMixin

from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._modules import RegressionLoss


class BaseNetRegressor(RegressorMixin, BaseNetEstimator):
    """One or several targets, standardised for the training and given back in their units."""

    _criterion = RegressionLoss
    _y_checks = {"multi_output": True, "y_numeric": True}  # noqa: RUF012

    def partial_fit(self, X, y, sample_weight=None):
        """Pass once over some rows, going on from the net as it is.

        There is no validation and no scheduler here. The first call fixes ``target_mean_`` and
        ``target_scale_``, so it should hold typical rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss, relative to the others of this call.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Return the predicted targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            As `y` was in `fit`.
        """
        standardised = self._apply(X, _values)
        y = standardised * self.target_scale_ + self.target_mean_
        return y[:, 0] if self._y_is_flat else y

    @property
    def _n_outputs(self):
        return len(self.target_mean_)

    def _encode_target(self, y, weight, goes_on):
        """Standardise the targets, in columns; a fit that goes on keeps the first scale."""
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if not goes_on:
            self._y_is_flat = np.ndim(y) == 1
            self.target_mean_ = np.average(columns, axis=0, weights=weight)
            deviations = columns - self.target_mean_
            spread = np.sqrt(np.average(deviations**2, axis=0, weights=weight))
            self.target_scale_ = np.where(spread > 0, spread, 1.0)
        elif columns.shape[1] != self._n_outputs:
            raise InvalidInputError(
                f"{type(self).__name__}: y has {columns.shape[1]} targets, but the fit before "
                f"had {self._n_outputs}."
            )
        return ((columns - self.target_mean_) / self.target_scale_).astype(np.float32)

    def _strata(self, target):
        return np.zeros(len(target), dtype=np.int64)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _values(output):
    return output.double().cpu().numpy()
