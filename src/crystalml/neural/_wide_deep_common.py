"""What the wide-and-deep estimators share: parameters and wide columns."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import NDArray
from crystalml._validation import Interval, StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._batches import apply_in_double
from crystalml.neural._mlp import hidden_sizes
from crystalml.neural._wide_deep_module import WideDeep

_AUTOMATIC = "v_formula"  # of the column schema: the volume that follows from the cell

WIDE_DEEP_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "wide_features": [StrOptions({"auto"}), "array-like", None],
    "head_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "reduction_ratio": [Interval(Integral, 1, None, closed="left")],
}


class WideDeepParameters(BaseNetEstimator):
    """Turns the parameters of a wide-and-deep estimator into those of its torch module."""

    _module_class = WideDeep
    wide_features_: NDArray[np.int64]

    def _module_parameters(self, n_inputs, n_outputs):
        return {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "wide_columns": self.wide_features_.tolist(),
            "hidden_sizes": hidden_sizes(self),
            "head_sizes": hidden_sizes(self, "head_layer_sizes"),
            "dropout": self.dropout,
            "reduction_ratio": self.reduction_ratio,
        }

    def _validated(self, X, y, goes_on, **checks):
        """Check the rows, and find the wide columns among theirs."""
        X, y = super()._validated(X, y, goes_on, **checks)
        found = self._find_wide_features()
        if goes_on and not np.array_equal(found, self.wide_features_):
            raise InvalidInputError(
                f"{type(self).__name__}: the wide columns are now {found.tolist()}, but the fit "
                f"before had {self.wide_features_.tolist()}. Set warm_start=False and fit again."
            )
        self.wide_features_ = found
        return X, y

    def _apply(self, X, finish):
        """Run the net in double precision, so that no answer depends on the rows beside it."""
        check_is_fitted(self)
        return apply_in_double(self.net_, self._inputs(X), finish, n_threads=self.n_threads)

    def _find_wide_features(self):
        """Return the positions of the wide columns."""
        names = getattr(self, "feature_names_in_", np.array([], dtype=object)).tolist()
        wanted = self.wide_features
        if isinstance(wanted, str):
            wanted = [_AUTOMATIC] if _AUTOMATIC in names else []
        found = [self._position(column, names) for column in ([] if wanted is None else wanted)]
        if len(set(found)) < len(found):
            raise InvalidInputError(
                f"{type(self).__name__}: wide_features={self.wide_features!r} has a column twice; "
                "name each once."
            )
        return np.array(found, dtype=np.int64)

    def _position(self, column, names):
        """Return the position of one wide column, or raise."""
        if isinstance(column, str) and column in names:
            return names.index(column)
        is_position = isinstance(column, Integral) and not isinstance(column, bool)
        if is_position and 0 <= column < self.n_features_in_:
            return int(column)
        remedy = f"it has {names!r}. Name columns, or give positions from 0."
        if not names:
            remedy = (
                f"it has {self.n_features_in_} columns without names. Give positions from 0, or "
                "a DataFrame (scalers keep one after set_output(transform='pandas'))."
            )
        raise InvalidInputError(
            f"{type(self).__name__}: {column!r} in wide_features is no column of X; {remedy}"
        )
