"""Ensembles of net regressors: mean, disagreement and calibrated intervals."""

from collections.abc import Sequence
from numbers import Real
from typing import Literal, overload

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, FloatArray, Progress, RandomState
from crystalml._validation import Interval
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base_regressor import BaseNetRegressor
from crystalml.neural._ensemble_base import BaseNetEnsemble
from crystalml.neural._heads import tails
from crystalml.neural._holdout import held_out_rows
from crystalml.neural._intervals import conformal_interval, conformal_scores
from crystalml.neural._mlp import MLPNetRegressor
from crystalml.neural._uncertainty import total_uncertainty


class NetEnsembleRegressor(RegressorMixin, BaseNetEnsemble):
    """Ensemble of net regressors that differ in their seeds: mean, spread, calibrated intervals.

    Each member has its own initial weights, order of rows, dropout and rows for early stopping
    (deep ensembles [1]_). The width of intervals is calibrated on rows that no member sees.

    Parameters
    ----------
    estimator : net regressor or None, default=None
        The net to copy, of any class of ``crystalml.neural``; ``None`` means
        ``MLPNetRegressor(head="gaussian")``. Its `random_state` and `warm_start` have no effect:
        every fit trains new members from seeds of the ensemble.
    n_members : int, default=5
        Number of nets; 1 is a single net with calibrated intervals.
    bootstrap : bool, default=False
        Train each member on as many rows as there are, drawn with replacement; with `groups`,
        whole groups are drawn. The members then differ more, and each knows less.
    calibration_fraction : float or None, default=0.2
        Share of the rows given to `fit` that is kept from all members, for their early stopping
        too, to calibrate `predict_interval`; with `groups`, whole groups. ``None`` trains on all
        rows, and intervals are then not calibrated.
    n_jobs : int or None, default=None
        Members trained at the same time by joblib; ``None`` means 1 unless in a
        ``joblib.parallel_config`` context, -1 all cores. The result does not depend on it.
    random_state : int, RandomState or None, default=None
        Decides the seeds of the members and the calibration rows. Global generators are left as
        they are.
    progress : bool or "auto", default=False
        Show a progress bar over the members; ``"auto"`` on a terminal only.

    Attributes
    ----------
    estimators_ : list of net regressors
        The trained members.
    calibration_scores_ : ndarray of shape (n_calibration, n_targets, n_inner) or None
        Ascending: how far the targets of the calibration rows lay from their predictions, in
        units of the target where the head is ``"point"``, in predicted standard deviations where
        it is ``"gaussian"``, outside of each symmetric pair of quantiles where it is
        ``"quantile"``.
    n_features_in_ : int
        Number of input columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the input columns, where they were all strings.

    See Also
    --------
    NetEnsembleClassifier : The same for labels.
    predict_interval : Intervals through a pipeline and a transformation of the target.

    Notes
    -----
    `fit` hands `sample_weight` and `groups` on to every member. Calibration rows count alike
    whatever their weight, but for rows of weight 0, which are left out.

    `predict_interval` holds its coverage on average over rows that are exchangeable with the
    calibration rows [2]_. If new rows come from groups that were never seen (compounds of new
    chemical systems), calibrate on such groups: pass `groups` to `fit`. It need not hold
    for each kind of row by itself.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS 30 (2017).
    .. [2] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113 (2018) 1094-1111.
    .. [3] Y. Romano, E. Patterson and E. J. Candès, "Conformalized quantile regression", NeurIPS
       32 (2019).

    Examples
    --------
    A target whose scatter grows:

    >>> import numpy as np
    >>> from crystalml.neural import MLPNetRegressor, NetEnsembleRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(1000, 1))
    >>> y = X[:, 0] + (X[:, 0] + 1.1) * rng.normal(size=1000)
    >>> net = MLPNetRegressor(head="gaussian", learning_rate=1e-2, max_epochs=20)
    >>> model = NetEnsembleRegressor(net, n_members=2, random_state=0).fit(X, y)
    >>> low, high = np.diff(model.predict_interval([[-0.8], [0.8]], coverage=0.9))
    >>> bool(high > 2 * low)
    True
    """

    _member_class = BaseNetRegressor
    _y_checks = BaseNetRegressor._y_checks
    _is_classification = False
    _own_constraints = {  # noqa: RUF012
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither"), None],
    }

    def __init__(
        self,
        estimator: BaseNetRegressor | None = None,
        n_members: int = 5,
        *,
        bootstrap: bool = False,
        calibration_fraction: float | None = 0.2,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        progress: Progress = False,
    ) -> None:
        self.estimator = estimator
        self.n_members = n_members
        self.bootstrap = bootstrap
        self.calibration_fraction = calibration_fraction
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

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
        """Return the mean of the members' predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Return a standard deviation too.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            As `y` was in `fit`.
        std : ndarray of the same shape
            Only with `return_std`. For members with ``head="gaussian"`` the law of total variance:
            spread of their means and their mean variance. For ``head="point"`` the spread alone,
            which leaves out how much the target itself scatters.
        """
        check_is_fitted(self)
        if not return_std:
            return self._drop_target_axis(
                self._head.centre(self._predict_distribution(self._checked(X)))
            )
        if self._head.name == "quantile":
            raise InvalidInputError(
                f"{type(self).__name__}: return_std=True needs members with head='gaussian' or "
                "'point', but theirs is 'quantile'. Use predict_quantiles or predict_interval."
            )
        known = self.predict_uncertainty(X)
        return known.mean, known.std

    def predict_uncertainty(self, X: ArrayLike) -> Bunch:
        """Return mean, spread of the members and predicted scatter of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        sklearn.utils.Bunch
            Arrays of shape (n_samples,) or (n_samples, n_targets), in the units of the targets:

            mean
                Mean of the members' predictions.
            spread
                Their standard deviation: what the members disagree on.
            noise
                Root mean square of their predicted standard deviations: how much the target
                scatters; NaN unless their head is ``"gaussian"``.
            std
                All together, by the law of total variance.
        """
        return total_uncertainty(
            (
                self._drop_target_axis(self._head.centre(values)),
                self._drop_target_axis(self._head.std(values)),
            )
            for values in self._samples(self._checked(X))
        )

    def predict_quantiles(
        self, X: ArrayLike, quantiles: Sequence[float] | None = None
    ) -> FloatArray:
        """Return quantiles as the members see them, without calibration.

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
            Means of the members' quantiles, or quantiles of the normal distribution with the mean
            and the variance of all members [1]_.
        """
        check_is_fitted(self)
        values, name = self._predict_distribution(self._checked(X)), type(self).__name__
        return self._drop_target_axis(self._head.quantiles(values, quantiles, caller=name))

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> FloatArray:
        """Return intervals that hold the target of a share `coverage` of new rows.

        Their width comes from the rows that `calibration_fraction` kept from the members: the same
        for all rows where the head is ``"point"``, in proportion to the standard deviation where it
        is ``"gaussian"`` [2]_, and from the learned quantiles, widened or narrowed by a constant,
        where it is ``"quantile"`` [3]_. Of the learned quantiles those are taken whose distance is
        nearest to `coverage`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        coverage : float, default=0.9
            Share of rows.

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Lower and upper end, in the units of the targets; each target has its own interval.
        """
        check_is_fitted(self)
        name = type(self).__name__
        # Checks the coverage, even where the interval is calibrated and needs no tails.
        ends = tails(coverage, caller=name)
        # No rows were kept to calibrate on: the members' own interval is all there is.
        if self.calibration_scores_ is None:
            return self.predict_quantiles(X, ends)
        values, scores = self._predict_distribution(self._checked(X)), self.calibration_scores_
        return self._drop_target_axis(
            conformal_interval(self._head, values, scores, coverage, caller=name)
        )

    @property
    def _head(self):
        # All members are clones of one net, so that the first speaks for all.
        return self.estimators_[0]._head

    def _default_member(self):
        return MLPNetRegressor(head="gaussian")

    def _samples(self, X):
        """Yield the distributions that the members predict for checked rows."""
        return (member._predict_distribution(X) for member in self.estimators_)

    def _predict_distribution(self, X):
        """Return one distribution for each checked row, of all members together."""
        if self._head.name != "gaussian":
            # Means of quantiles stay ascending, as each member's are.
            first, *others = self._samples(X)
            return sum(others, first) / len(self.estimators_)
        # Members that disagree widen the distribution, so standard deviations are not averaged.
        known = total_uncertainty((values[..., 0], values[..., 1]) for values in self._samples(X))
        return np.stack([known.mean, known.std], axis=-1)

    def _drop_target_axis(self, values):
        return self.estimators_[0]._drop_target_axis(values)

    def _set_aside(self, n_rows, weight, groups, generator):
        """Return the rows to learn from and those to calibrate on."""
        used = np.arange(n_rows) if weight is None else np.flatnonzero(weight)
        if self.calibration_fraction is None:
            return used, None
        kept = held_out_rows(
            # One stratum: numbers have no classes.
            np.zeros(len(used), dtype=np.int64),
            self.calibration_fraction,
            groups=None if groups is None else groups[used],
            random_state=generator,
        )
        if not kept.any():
            raise InvalidInputError(
                f"{type(self).__name__}: none of the {len(used)} rows can be set aside for "
                "calibration without taking all or the only group. Give more rows, or set "
                "calibration_fraction=None."
            )
        # No member sees the kept rows, not even to stop by: nets fit the rows that they stop by
        # too.
        return used[~kept], used[kept]

    def _finish_fit(self, X, y):
        """Measure how far the targets lie from their predictions on rows no member has seen."""
        if X is None:
            self.calibration_scores_ = None
            return
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        self.calibration_scores_ = conformal_scores(
            self._head, self._predict_distribution(X), columns
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
