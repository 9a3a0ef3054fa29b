"""What all net regressors share."""

from collections.abc import Sequence
from typing import Literal, Self, overload

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Bunch, Tags
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, FloatArray, RandomState
from crystalml._validation import StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._heads import make_head, tails
from crystalml.neural._parameters import Head
from crystalml.neural._uncertainty import dropout_passes, total_uncertainty


class BaseNetRegressor(RegressorMixin, BaseNetEstimator):
    """One or several targets, standardised for the training and given back in their units.

    A subclass may take the parameters `head` and `quantiles`; nothing else is needed, as long as
    its module has as many outputs as it is asked for.
    """

    # For nets whose constructor offers no choice of heads.
    head: Head = "point"
    quantiles: Sequence[float] | None = None
    _y_checks = {"multi_output": True, "y_numeric": True}  # noqa: RUF012
    _own_constraints = {  # noqa: RUF012
        "head": [StrOptions({"point", "gaussian", "quantile"})],
        "quantiles": ["array-like", None],
    }

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
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

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = ...) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(
        self, X: ArrayLike, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]: ...
    def predict(
        self, X: ArrayLike, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Return the predicted targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Return the predicted standard deviation of the targets too. Needs
            ``head="gaussian"``.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            As `y` was in `fit`: the mean, or the median where the head is ``"quantile"``.
        std : ndarray of the same shape
            Standard deviation, in the units of the target; only with `return_std`.
        """
        check_is_fitted(self)
        if return_std and self.head_ != "gaussian":
            raise InvalidInputError(
                f"{type(self).__name__}: return_std=True needs a net fitted with head='gaussian', "
                f"but its head is {self.head_!r}. Fit it so, or use NetEnsembleRegressor."
            )
        values = self._predict_distribution(X)
        y = self._drop_target_axis(self._head.centre(values))
        return (y, self._drop_target_axis(self._head.std(values))) if return_std else y

    def predict_quantiles(
        self, X: ArrayLike, quantiles: Sequence[float] | None = None
    ) -> FloatArray:
        """Return quantiles of the predicted distribution of the targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        quantiles : sequence of float or None, default=None
            Probabilities. ``None`` takes the learned ones (0.05, 0.25, 0.5, 0.75 and 0.95 where the
            head is ``"gaussian"``, of which any quantile can be had).

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles)
            In the units of the targets; quantiles of a row never cross.
        """
        check_is_fitted(self)
        name = type(self).__name__
        return self._drop_target_axis(
            self._head.quantiles(self._predict_distribution(X), quantiles, caller=name)
        )

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> FloatArray:
        """Return the central interval that should hold the target with some probability.

        It is not calibrated, and nets are often overconfident:
        `NetEnsembleRegressor.predict_interval` calibrates the width on rows set aside.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        coverage : float, default=0.9
            Probability. With ``head="quantile"`` both ends must be among the learned quantiles.

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Lower and upper end, in the units of the targets.
        """
        return self.predict_quantiles(X, tails(coverage, caller=type(self).__name__))

    def sample_predictions(
        self, X: ArrayLike, n_samples: int = 50, random_state: RandomState = None
    ) -> FloatArray:
        """Predict several times with dropout switched on (Monte-Carlo dropout [1]_).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        n_samples : int, default=50
            Number of samples.
        random_state : int, RandomState or None, default=None
            Decides the dropped units. The global generators are left as they are.

        Returns
        -------
        ndarray of shape (n_samples, n_rows) or (n_samples, n_rows, n_targets)
            What `predict` would give, once per sample. Batch normalisation keeps the averages of
            the training.

        References
        ----------
        .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation", ICML (2016).
        """
        passes = self._dropout_samples(X, n_samples, random_state)
        return np.stack([self._drop_target_axis(self._head.centre(values)) for values in passes])

    def dropout_uncertainty(
        self, X: ArrayLike, n_samples: int = 50, random_state: RandomState = None
    ) -> Bunch:
        """Return mean and standard deviation over samples with dropout switched on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        n_samples : int, default=50
            Number of samples.
        random_state : int, RandomState or None, default=None
            Decides the dropped units. The global generators are left as they are.

        Returns
        -------
        sklearn.utils.Bunch
            Arrays of shape (n_samples,) or (n_samples, n_targets), in the units of the targets:

            mean
                Mean of the samples.
            spread
                Standard deviation of the samples: how uncertain the net is about the mean.
            noise
                Root mean square of the predicted standard deviations: how much the target
                scatters; NaN unless the head is ``"gaussian"``.
            std
                All together, by the law of total variance.
        """
        check_is_fitted(self)
        head = self._head
        return total_uncertainty(
            (self._drop_target_axis(head.centre(values)), self._drop_target_axis(head.std(values)))
            for values in self._dropout_samples(X, n_samples, random_state)
        )

    @property
    def _head(self):
        """The head of the fit."""
        # By what the net was fitted with: the parameters may have been set anew since then.
        return make_head(self.head_, self.quantiles_, caller=type(self).__name__)

    @property
    def _criterion(self):
        return self._head.loss()

    @property
    def _n_outputs(self):
        # A Gaussian head has two outputs for each target, a quantile head one for each quantile.
        return len(self.target_mean_) * self._head.width

    def _predict_distribution(self, X):
        """Return the numbers of the head for each row and target, in units of the targets."""
        return self._in_units(self._apply(X, self._head.numbers))

    def _in_units(self, values):
        return self._head.in_units(values, self.target_mean_, self.target_scale_)

    def _drop_target_axis(self, values):
        """Drop the axis of the targets if `y` had none."""
        return values if values is None or not self._y_is_flat else values[:, 0]

    def _dropout_samples(self, X, n_samples, random_state):
        """Yield `_predict_distribution` with other units dropped in each pass."""
        check_is_fitted(self)
        passes = dropout_passes(
            self.net_,
            self._inputs(X),
            self._head.numbers,
            n_samples=n_samples,
            random_state=random_state,
            n_threads=self.n_threads,
            caller=type(self).__name__,
        )
        yield from map(self._in_units, passes)

    def _encode_target(self, y, weight, warm):
        """Standardise the targets, in columns; a fit that goes on keeps head and first scale."""
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        # Before anything is fitted: overflow would show only as a loss that is not a number.
        self._check_fits_float32(columns, columns)
        head = make_head(self.head, self.quantiles, caller=type(self).__name__)
        if warm:
            self._check_goes_on(head, columns.shape[1])
        else:
            self.head_, self.quantiles_ = head.name, getattr(head, "levels", None)
            self._y_is_flat = np.ndim(y) == 1
            self.target_mean_ = np.average(columns, axis=0, weights=weight)
            deviations = columns - self.target_mean_
            spread = np.sqrt(np.average(deviations**2, axis=0, weights=weight))
            # A constant target is learned as 0, not divided by zero.
            self.target_scale_ = np.where(spread > 0, spread, 1.0)
        standardised = (columns - self.target_mean_) / self.target_scale_
        # The mean and scale are those of the fit before, whose rows may have been quite different.
        if warm:
            self._check_fits_float32(standardised, columns)
        return standardised.astype(np.float32)

    def _check_fits_float32(self, values, columns):
        """Raise, showing the target of `columns`, where a value is too large for float32."""
        # NaN and infinity were refused before, so that only finite values can be too large.
        too_large = np.abs(values) > np.finfo(np.float32).max
        if too_large.any():
            row, column = np.argwhere(too_large)[0]
            raise InvalidInputError(
                f"{type(self).__name__}: y has {float(columns[row, column])!r} in row {row}, but "
                "nets compute in float32, which ends at 3.4e+38. Rescale y before, for example to "
                "other units, or give its logarithm."
            )

    def _check_goes_on(self, head, n_targets):
        """Raise if the net fitted before has another head or another number of targets."""
        name = type(self).__name__
        if n_targets != len(self.target_mean_):
            raise InvalidInputError(
                f"{name}: y has {n_targets} targets, but the fit before had "
                f"{len(self.target_mean_)}."
            )
        if head.name != self.head_ or not np.array_equal(
            getattr(head, "levels", ()), () if self.quantiles_ is None else self.quantiles_
        ):
            raise InvalidInputError(
                f"{name}: head or quantiles differ from those of the fit before, so its training "
                "cannot go on. Set warm_start=False and fit again."
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
