"""What all net estimators share; they differ in their module, defaults and extras."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from crystalml._typing import ArrayLike
from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
    private_random_state,
)
from crystalml.exceptions import InvalidInputError
from crystalml.neural._batches import apply_in_slices
from crystalml.neural._holdout import group_codes, held_out_rows, rows_of_splitter
from crystalml.neural._modules import can_normalise_batches
from crystalml.neural._serialization import net_state, restore_net
from crystalml.neural._torch_state import find_device, seeded
from crystalml.neural._training import build_net, continue_from, history_frame, train

_COMMON_CONSTRAINTS = {
    "optimizer": [StrOptions({"adam", "adamw", "rmsprop", "sgd"}), type],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "scheduler": [StrOptions({"cosine", "plateau", "step"}), callable, None],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "patience": [Interval(Integral, 1, None, closed="left"), None],
    "min_delta": [Interval(Real, 0, None, closed="left")],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
    "validation_splitter": [HasMethods(["split"]), None],
    "random_state": ["random_state"],
    "warm_start": ["boolean"],
    "device": [str],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    # What the list holds is checked with skorch at hand, when the net is built.
    "callbacks": [list, None],
    "progress": ["boolean", StrOptions({"auto"})],
    "verbose": ["boolean"],
}


class BaseNetEstimator(BaseEstimator):
    """Fit, warm start, validation rows and prediction in slices for any torch module.

    A subclass names its torch module in ``_module_class``, gives the module's parameters in
    ``_module_parameters``, and the constraints of its own parameters in ``_own_constraints``.
    """

    _own_constraints: ClassVar[dict[str, list[Any]]] = {}
    net_: Any
    n_features_in_: int

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the net.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs, best scaled to about unit variance.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss; rows of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never split between training and validation.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._check_parameters()
        warm = self.warm_start and hasattr(self, "net_")
        return self._fit(X, y, sample_weight, warm, groups=groups)

    def _fit(self, X, y, sample_weight, warm, *, groups=None, epochs=None, **target_arguments):
        """Train as `fit` does, or for some `epochs` without validation as `partial_fit` does."""
        X, y = self._validated(X, y, warm, ensure_min_samples=2 if epochs is None else 1)
        weight = check_sample_weight(sample_weight, X, caller=type(self).__name__)
        # Before the weights of the loss: those of classes need to know the classes.
        target = self._encode_target(y, weight, warm, **target_arguments)
        weight = self._loss_weights(y, weight)
        # Rows of weight 0 are left out, not multiplied by 0: batch normalisation and the validation
        # rows must not see them either.
        used = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        if not warm:
            # A fit that continues keeps the generator of the previous fit: a new one with the same
            # seed would repeat that fit's order of rows and its dropout.
            self._random_state = private_random_state(self.random_state)
        train_rows, valid_rows = used, None
        # The rows of one partial_fit may well be of one class, and all of them are to be learned.
        if epochs is None:
            self._check_learnable(target[used])
            train_rows, valid_rows = self._split(X, y, target, groups, used)
        self._train(X, target, weight, train_rows, valid_rows, previous=warm, epochs=epochs)
        return self

    def _validated(self, X: Any, y: Any, warm: bool, **checks: Any) -> tuple[np.ndarray, Any]:
        """Check inputs and target; float32 inputs in rows are used as they are."""
        # Single precision halves memory and time, and nets do not need more to learn. In rows,
        # since training gathers whole rows, and torch shares the memory of such an array.
        return validate_data(
            self,
            X,
            y,
            # A warm start checks columns against those of the fit before, as predict does.
            reset=not warm,
            dtype=np.float32,
            order="C",
            **checks,
            **self._y_checks,
        )

    def _check_parameters(self):
        check_parameters(self, {**_COMMON_CONSTRAINTS, **self._own_constraints})

    def _loss_weights(self, y, weight):  # noqa: ARG002
        """Return the weight of every row in the loss, or None if all count the same."""
        return weight

    def _check_learnable(self, target):
        """Raise if there is nothing to learn in the rows that count."""

    def _strata(self, target):
        """Return the class of each row, of which validation rows keep the proportions."""
        # One class for all: numbers have none, and without a target there are none.
        return np.zeros(len(target), dtype=np.int64)

    def _split(self, X, y, target, groups, used):
        """Return the rows to train on and the rows to validate on (or None)."""
        name = type(self).__name__
        if groups is not None:
            check_consistent_length(X, groups)
        if self.validation_splitter is not None:
            return rows_of_splitter(self.validation_splitter, X, y, groups, used, caller=name)
        if self.validation_fraction is None:
            return used, None
        # Strata and groups of the rows that count: a class that has one row beside rows of weight 0
        # is a class of one row.
        codes = None if groups is None else self._group_codes(groups)[used]
        held_out = held_out_rows(
            self._strata(target)[used],
            self.validation_fraction,
            groups=codes,
            random_state=self._random_state,
        )
        if not held_out.any():
            raise InvalidInputError(
                f"{name}: none of the {len(used)} rows can be set aside for validation without "
                "taking the only rows of a class or the only group. Give more rows, or set "
                "validation_fraction=None to train without early stopping."
            )
        return used[~held_out], used[held_out]

    def _group_codes(self, groups):
        """Return each row's group as a number."""
        return group_codes(groups, caller=type(self).__name__)

    def _train(self, X, target, weight, train_rows, valid_rows, *, previous, epochs=None):
        """Build the net, train it in a seeded scope, and keep what was learned."""
        name = type(self).__name__
        device = find_device(self.device, caller=name)
        # torch's generator takes a number. Drawn anew for each training, so that a second one with
        # the same generator differs from the first.
        seed = int(self._random_state.randint(np.iinfo(np.int32).max))
        with seeded(seed, device, self.n_threads):
            net = build_net(
                self,
                self._criterion,
                self._module_parameters(X.shape[1], self._n_outputs),
                max_epochs=epochs or self.max_epochs,
                validated=valid_rows is not None,
                # Every schedule needs to know how many epochs will come, which partial_fit does
                # not.
                scheduler=None if epochs else self.scheduler,
                device=device,
            )
            self._check_batches(net, len(train_rows))
            # partial_fit is one long training in parts and keeps the state of the optimiser. A warm
            # start is a new training from good weights, with a new optimiser.
            if previous:
                continue_from(net, self.net_, with_optimizer=epochs is not None, caller=name)
            else:
                self._set_initial_weights(net.module_)
            # Each part by itself, so that training and validation losses can be compared.
            weight = _normalised(weight, train_rows, valid_rows)
            train(net, X, target, weight, train_rows, valid_rows)
        self.net_ = net
        self.history_ = history_frame(net)
        self.n_iter_ = len(self.history_)
        self.best_epoch_ = net.kept_epoch_

    def _set_initial_weights(self, module):
        """Change weights that were drawn, where a subclass knows where to start from."""

    def _check_batches(self, net, n_rows):
        """Raise where batch normalisation would meet batches of one row."""
        # torch would raise as well, but in the middle of an epoch and without naming a parameter.
        if min(n_rows, self.batch_size) < 2 and can_normalise_batches(net.module_):
            raise InvalidInputError(
                f"{type(self).__name__}: batch normalisation needs batches of at least two rows, "
                f"but batch_size={self.batch_size!r} and there are {n_rows} rows to train on."
            )

    def _partial_fit(self, X, y, sample_weight, **target_arguments):
        """Pass once over the rows, going on from the net as it is."""
        self._check_parameters()
        warm = hasattr(self, "net_")
        return self._fit(X, y, sample_weight, warm, epochs=1, **target_arguments)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def _net_state(self, *, with_optimizer):
        """Return a description of the net and its tensors, for files that hold no code."""
        return net_state(self, with_optimizer=with_optimizer)

    def _restore_net(self, description, tensors):
        """Build the net that `_net_state` described."""
        restore_net(self, description, tensors)

    def _apply(self, X, convert):
        """Run the net over the rows of `X`, and `convert` over its outputs."""
        check_is_fitted(self)
        return apply_in_slices(self.net_, self._inputs(X), convert, n_threads=self.n_threads)

    def _inputs(self, X):
        """Check the rows to predict; for one row scikit-learn's checks cost more than the net.

        Plain float arrays of the right width, as scalers give, are taken as they are. Whatever
        is not that, or not finite, goes the long way to be converted or refused.
        """
        if (
            type(X) is np.ndarray
            and X.dtype.kind == "f"
            and X.shape[1:] == (self.n_features_in_,)
            and len(X) > 0
            and not hasattr(self, "feature_names_in_")
        ):
            # Values beyond single precision become infinite here, and take the slower way to be
            # refused.
            with np.errstate(over="ignore", invalid="ignore"):
                converted = np.asarray(X, dtype=np.float32, order="C")
                # One sum finds any NaN or infinity, without an array of truth values.
                if np.isfinite(converted.sum()):
                    return converted
        return validate_data(self, X, reset=False, dtype=np.float32, order="C")


def _normalised(weight, *parts):
    """Scale weights to average 1 over each part, so that a loss is a weighted mean."""
    if weight is None:
        return None
    scaled = np.zeros(len(weight), dtype=np.float32)
    for rows in parts:
        if rows is not None:
            # The mean loss of a part then is its weighted mean, and no weight changes the step
            # size.
            scaled[rows] = weight[rows] / weight[rows].mean()
    return scaled
