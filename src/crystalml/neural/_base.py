"""What all net estimators share; they differ in their module, defaults and extras."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
)
from crystalml.exceptions import InvalidInputError
from crystalml.neural._holdout import held_out_rows, rows_of_splitter
from crystalml.neural._modules import ClassificationLoss, RegressionLoss
from crystalml.neural._torch_state import find_device, seeded
from crystalml.neural._training import (
    apply_in_slices,
    build_net,
    can_normalise_batches,
    continue_from,
    history_frame,
    train,
)

_COMMON_CONSTRAINTS = {
    "optimizer": [StrOptions({"adam", "adamw", "rmsprop", "sgd"}), type],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "scheduler": [StrOptions({"cosine", "plateau"}), callable, None],
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
    "callbacks": [list, None],
    "progress": ["boolean", StrOptions({"auto"})],
    "verbose": ["boolean"],
}


class BaseNetEstimator(BaseEstimator):
    """Fit, warm start, validation rows and prediction in slices for any torch module.

    A subclass names its torch module in ``_module_class``, gives the module's parameters in
    ``_module_parameters``, and the constraints of its own parameters in ``_own_constraints``.
    """

    _own_constraints = {}  # noqa: RUF012

    def fit(self, X, y, sample_weight=None, groups=None):
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
        goes_on = self.warm_start and hasattr(self, "net_")
        X, y = self._validated(X, y, goes_on, ensure_min_samples=2)
        target = self._encode_target(y, goes_on)
        weight = self._row_weights(sample_weight, X, y)
        used = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        self._check_learnable(target[used])
        if not goes_on:
            self._random_state = self._new_random_state()
        train_rows, valid_rows = self._split(X, y, target, groups, used)
        self._train(X, target, weight, train_rows, valid_rows, previous=goes_on)
        return self

    def _validated(self, X, y, goes_on, **checks):
        """Check inputs and target; float32 inputs in rows are used as they are."""
        return validate_data(
            self, X, y, reset=not goes_on, dtype=np.float32, order="C", **checks, **self._y_checks
        )

    def _check_parameters(self):
        check_parameters(self, {**_COMMON_CONSTRAINTS, **self._own_constraints})

    def _row_weights(self, sample_weight, X, y):  # noqa: ARG002
        """Return the weight of every row in the loss, or None if all count the same."""
        return check_sample_weight(sample_weight, X, caller=type(self).__name__)

    def _check_learnable(self, target):
        """Raise if there is nothing to learn in the rows that count."""

    def _new_random_state(self):
        """Return a generator of our own, or the user's; never the global one."""
        if isinstance(self.random_state, np.random.RandomState):
            return self.random_state
        return np.random.RandomState(self.random_state)

    def _split(self, X, y, target, groups, used):
        """Return the rows to train on and the rows to validate on (or None)."""
        name = type(self).__name__
        if groups is not None:
            check_consistent_length(X, groups)
        if self.validation_splitter is not None:
            train_rows, valid_rows = rows_of_splitter(
                self.validation_splitter, X, y, groups, caller=name
            )
            return np.intersect1d(train_rows, used), np.intersect1d(valid_rows, used)
        if self.validation_fraction is None:
            return used, None
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
        codes, _ = pd.factorize(np.asarray(groups))
        if (codes < 0).any():
            raise InvalidInputError(
                f"{type(self).__name__}: groups has {(codes < 0).sum()} missing labels (first: "
                f"row {codes.argmin()}). Give every row a group, its own if it stands alone."
            )
        return codes

    def _train(self, X, target, weight, train_rows, valid_rows, *, previous, epochs=None):
        """Build the net, train it in a seeded scope, and keep what was learned."""
        name = type(self).__name__
        device = find_device(self.device, caller=name)
        seed = int(self._random_state.randint(np.iinfo(np.int32).max))
        with seeded(seed, device, self.n_threads):
            net = build_net(
                self,
                self._criterion,
                self._module_parameters(X.shape[1], self._n_outputs),
                max_epochs=epochs or self.max_epochs,
                validated=valid_rows is not None,
                scheduler=None if epochs else self.scheduler,
                device=device,
            )
            self._check_batches(net, len(train_rows))
            if previous:
                continue_from(net, self.net_, with_optimizer=epochs is not None, caller=name)
            weight = _normalised(weight, train_rows, valid_rows)
            train(net, X, target, weight, train_rows, valid_rows)
        self.net_ = net
        self.history_ = history_frame(net)
        self.n_iter_ = len(self.history_)

    def _check_batches(self, net, n_rows):
        """Raise where batch normalisation would meet batches of one row."""
        if min(n_rows, self.batch_size) < 2 and can_normalise_batches(net.module_):
            raise InvalidInputError(
                f"{type(self).__name__}: batch normalisation needs batches of at least two rows, "
                f"but batch_size={self.batch_size!r} and there are {n_rows} rows to train on."
            )

    def _partial_fit(self, X, y, sample_weight, **target_arguments):
        """Pass once over the rows, going on from the net as it is."""
        self._check_parameters()
        goes_on = hasattr(self, "net_")
        X, y = self._validated(X, y, goes_on)
        target = self._encode_target(y, goes_on, **target_arguments)
        weight = self._row_weights(sample_weight, X, y)
        used = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        if not goes_on:
            self._random_state = self._new_random_state()
        self._train(X, target, weight, used, None, previous=goes_on, epochs=1)
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")

    def _apply(self, X, finish):
        """Run the net over the rows of `X`, and `finish` over its outputs."""
        check_is_fitted(self)
        return apply_in_slices(self.net_, self._inputs(X), finish, n_threads=self.n_threads)

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
            with np.errstate(over="ignore", invalid="ignore"):
                converted = np.asarray(X, dtype=np.float32, order="C")
                if np.isfinite(converted.sum()):
                    return converted
        return validate_data(self, X, reset=False, dtype=np.float32, order="C")


class BaseNetClassifier(ClassifierMixin, BaseNetEstimator):
    """Any labels in, probabilities in the order of ``classes_`` out."""

    _criterion = ClassificationLoss
    _y_checks = {}  # noqa: RUF012
    _own_constraints = {  # noqa: RUF012
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Pass once over some rows, going on from the net as it is.

        There is no validation and no scheduler here. The first call fixes the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the loss, relative to the others of this call.

        Returns
        -------
        self : object
            The estimator.
        """
        if self.class_weight == "balanced":
            raise InvalidInputError(
                f"{type(self).__name__}: class_weight='balanced' needs all rows at once; give "
                "partial_fit a dict of class weights instead."
            )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def predict(self, X):
        """Return the most probable label of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        codes = self._apply(X, _largest)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.
        """
        return self._apply(X, _probabilities)

    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; finite also where the probability is not.
        """
        return self._apply(X, _log_probabilities)

    @property
    def _n_outputs(self):
        return len(self.classes_)

    def _encode_target(self, y, goes_on, classes=None):
        """Fix ``classes_``, or hold the labels against them, and return the codes of `y`."""
        check_classification_targets(y)
        name = type(self).__name__
        if not hasattr(self, "net_") or not goes_on:
            self.classes_ = np.unique(y if classes is None else classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise InvalidInputError(
                f"{name}: classes {np.unique(classes)!r} differ from those of the fit before, "
                f"{self.classes_!r}."
            )
        codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[codes] != y
        if unknown.any():
            raise InvalidInputError(
                f"{name}: label {y[unknown.argmax()]!r} of row {unknown.argmax()} is not among "
                f"the classes known so far, {self.classes_!r}. Name all labels in the first "
                "partial_fit (classes=...), or fit anew with warm_start=False."
            )
        return codes.astype(np.int64)

    def _strata(self, target):
        return target

    def _check_learnable(self, target):
        present = np.unique(target)
        if len(present) < 2:
            raise InvalidInputError(
                f"{type(self).__name__}: there is only one class, {self.classes_[present[0]]!r}, "
                "among the rows that count. Give rows of at least two classes."
            )

    def _row_weights(self, sample_weight, X, y):
        weight = super()._row_weights(sample_weight, X, y)
        if self.class_weight is None:
            return weight
        by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        by_row = by_class[np.searchsorted(self.classes_, y)]
        return by_row if weight is None else weight * by_row


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

    def _encode_target(self, y, goes_on):
        """Standardise the targets, in columns; a fit that goes on keeps the first scale."""
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if not goes_on:
            self._y_is_flat = np.ndim(y) == 1
            self.target_mean_ = columns.mean(axis=0)
            spread = columns.std(axis=0)
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


def _normalised(weight, *parts):
    """Scale weights to average 1 over each part, so that a loss is a weighted mean."""
    if weight is None:
        return None
    scaled = np.zeros(len(weight), dtype=np.float32)
    for rows in parts:
        if rows is not None:
            scaled[rows] = weight[rows] / weight[rows].mean()
    return scaled


def _largest(logits):
    return logits.argmax(dim=1).cpu().numpy()


def _probabilities(logits):
    return torch.softmax(logits.double(), dim=1).cpu().numpy()


def _log_probabilities(logits):
    return torch.log_softmax(logits.double(), dim=1).cpu().numpy()


def _values(output):
    return output.double().cpu().numpy()
