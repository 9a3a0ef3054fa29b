"""What ensembles of nets share: members of the same kind, each with its own seed."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, clone
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from crystalml._progress import progress_bar
from crystalml._typing import ArrayLike
from crystalml._validation import (
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
    private_random_state,
)
from crystalml.exceptions import InvalidInputError
from crystalml.neural._holdout import group_codes

_COMMON_CONSTRAINTS = {
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "bootstrap": ["boolean"],
    # joblib gives any integer a meaning, 0 excepted, and says so itself.
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "progress": ["boolean", StrOptions({"auto"})],
}


class BaseNetEnsemble(BaseEstimator):
    """Fit of the members, in parallel, from seeds drawn before.

    A subclass names the class of its members in ``_member_class``, gives the one to take where
    there is none in ``_default_member``, how `y` is checked in ``_y_checks``, which rows are kept
    from all members in ``_set_aside``, and what is done with these at the end in ``_finish_fit``.
    """

    _own_constraints: ClassVar[dict[str, list[Any]]] = {}

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train all members.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs, best scaled to about unit variance.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss; rows of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay together wherever rows are set aside or drawn.

        Returns
        -------
        self : object
            The fitted ensemble.
        """
        check_parameters(self, {**_COMMON_CONSTRAINTS, **self._own_constraints})
        member = self._member()
        name = type(self).__name__
        X, y = self._validated(X, y, ensure_min_samples=2, **self._y_checks)
        weight = check_sample_weight(sample_weight, X, caller=name)
        if groups is not None:
            check_consistent_length(X, groups)
            groups = group_codes(groups, caller=name)
        # Drawn before anything runs: the members do not depend on who is ready first.
        generator = private_random_state(self.random_state)
        # One seed for the net and one for its bootstrap sample, drawn in any case: with and without
        # bootstrap the members start from the same weights.
        seeds = generator.randint(np.iinfo(np.int32).max, size=(self.n_members, 2))
        learned, kept = self._set_aside(len(X), weight, groups, generator)
        rows = (_select_rows(part, learned) for part in (X, y, weight, groups))
        self.estimators_ = self._fit_members(member, seeds, *rows)
        self._finish_fit(_select_rows(X, kept), _select_rows(y, kept))
        return self

    def _member(self):
        """Return the member to copy, or raise if it is no net of the right kind."""
        if self.estimator is None:
            return self._default_member()
        if not isinstance(self.estimator, self._member_class):
            raise InvalidInputError(
                f"{type(self).__name__}: estimator must be a net of crystalml.neural such as "
                f"{self._default_member()!r}, got {self.estimator!r}. Steps such as a scaler "
                "belong before the ensemble, in a pipeline."
            )
        return self.estimator

    def _fit_members(self, member, seeds, X, y, weight, groups):
        """Train copies of `member`, one for each pair of seeds."""
        backend, _ = get_active_backend()
        # A generator lets the progress bar move with each member; not all backends offer one.
        in_turn = getattr(backend, "supports_return_generator", False)
        run = Parallel(n_jobs=self.n_jobs, return_as="generator" if in_turn else "list")
        fits = run(
            delayed(_fit_member)(
                # A clone for each, as fits must neither share state nor change the user's net.
                clone(member).set_params(random_state=int(seed)),
                *(X, y, weight, groups),
                draw=int(draw) if self.bootstrap else None,
                by_class=self._is_classification,
            )
            for seed, draw in seeds
        )
        description = type(self).__name__
        bar = progress_bar(
            fits, enabled=self.progress, description=description, total=len(seeds), unit="net"
        )
        return list(bar)

    def _validated(
        self, X: Any, y: Any, **checks: Any
    ) -> tuple[np.ndarray | pd.DataFrame, np.ndarray]:
        """Check inputs and target once for all members, except what only they understand."""
        if _has_text(X):
            # Which columns hold categories is a parameter of the members, so they check the values.
            X, y = validate_data(self, X, y, skip_check_array=True)
            return X, np.asarray(y)
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", **checks)
        return self._named(X), y

    def _checked(self, X):
        """Check the rows to predict, once for all members."""
        check_is_fitted(self)
        if _has_text(X):
            return validate_data(self, X, reset=False, skip_check_array=True)
        return self._named(validate_data(self, X, reset=False, dtype=np.float32, order="C"))

    def _named(self, X):
        """Give the columns the names of `fit`, which members may refer to."""
        # Checked arrays have lost them, and wide or categorical columns may be given by name.
        names = getattr(self, "feature_names_in_", None)
        return X if names is None else pd.DataFrame(X, columns=names)


def _has_text(X):
    """Tell whether some columns may be no numbers: categories, which some nets take."""
    if isinstance(X, pd.DataFrame):
        return not all(pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes)
    return isinstance(X, np.ndarray) and X.dtype.kind in "OUS"


def _select_rows(array, rows):
    """Return some rows, without a copy where all are asked for."""
    if array is None or rows is None or len(rows) == len(array):
        return None if rows is None else array
    return array.iloc[rows] if isinstance(array, pd.DataFrame) else array[rows]


def _fit_member(member, X, y, weight, groups, *, draw, by_class):
    """Train one net, if asked on a bootstrap sample: rows count as often as they are drawn."""
    if draw is not None:
        # Counts as weights, not copies of rows: copies of one row could lie on both sides of a
        # member's own validation split, and a class that was not drawn would be unknown to it.
        weight = np.ones(len(X)) if weight is None else weight
        weight = weight * _draw_counts(draw, y, weight > 0, groups, by_class)
    return member.fit(X, y, sample_weight=weight, groups=groups)


def _draw_counts(seed, y, counts_at_all, groups, by_class):
    """Count how often each row, or each whole group, is drawn with replacement.

    A sample with rows of one class only teaches a classifier nothing and is drawn again.
    """
    generator = np.random.RandomState(seed)
    units = np.arange(len(y)) if groups is None else groups
    n_units = units.max() + 1
    while True:
        drawn = generator.randint(n_units, size=n_units)
        counts = np.bincount(drawn, minlength=n_units)[units]
        used = y[(counts > 0) & counts_at_all]
        enough = len(used) > 1 and not (by_class and _is_one_class(used))
        # Where the rows themselves have one class, no sample can do better: the member says so.
        if enough or _is_one_class(y[counts_at_all]):
            return counts


def _is_one_class(y):
    return bool(np.all(y == y[0]))
