"""Fit any scikit-learn classifier inside another: weights, groups, oversampling, columns."""

from inspect import Parameter, signature

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.validation import validate_data

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._folds import take_rows


def check_classifier(estimator, *, caller, parameter):
    """Raise if `estimator` has no ``predict_proba``."""
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict_proba")):
        raise InvalidInputError(
            f"{caller}: {parameter}={estimator!r} has no predict_proba, so that there are no "
            "probabilities to combine. Give a classifier that has it, or wrap this one in "
            "sklearn.calibration.CalibratedClassifierCV."
        )


def checked_rows(estimator, X, *, reset):
    """Return a table with named columns as it is, anything else as a checked array."""
    if isinstance(X, pd.DataFrame) and all(isinstance(name, str) for name in X.columns):
        return validate_data(estimator, X, reset=reset, skip_check_array=True)
    tags = get_tags(estimator).input_tags
    return validate_data(
        estimator,
        X,
        reset=reset,
        accept_sparse="csr" if tags.sparse else False,
        ensure_all_finite="allow-nan" if tags.allow_nan else True,
    )


class InnerClassifier(ClassifierMixin, BaseEstimator):
    """Fits an estimator to any labels, with weights and groups as far as it takes them.

    Parameters
    ----------
    estimator : classifier
        A clone is fitted, if there is more than one label.
    balanced : bool
        Multiply the weights by the inverse frequency of the labels.
    oversample : bool
        Repeat rows of rarer labels at random until all labels are as frequent as the commonest.
    random_state : int
        Draws these rows.
    caller : str
        Who fits, for messages.
    """

    def __init__(
        self, estimator, *, balanced=False, oversample=False, random_state=None, caller=""
    ):
        self.estimator = estimator
        self.balanced = balanced
        self.oversample = oversample
        self.random_state = random_state
        self.caller = caller

    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit on the rows whose weight is not zero."""
        if sample_weight is not None and not sample_weight.all():
            rows = np.flatnonzero(sample_weight)
            X, y, sample_weight, groups = _rows_of(rows, X, y, sample_weight, groups)
        self.classes_ = np.unique(y)
        if len(self.classes_) == 1:
            # Many classifiers refuse a single class, where nothing is left to be learned.
            self.estimator_ = DummyClassifier(strategy="prior").fit(np.empty((len(y), 0)), y)
            return self
        if self.balanced:
            balance = compute_sample_weight("balanced", y)
            sample_weight = balance if sample_weight is None else balance * sample_weight
        if self.oversample:
            # Copies of a row must not stand on both sides of a split inside the estimator.
            groups = np.arange(len(y)) if groups is None else groups
            rows = _balanced_rows(y, self.random_state)
            X, y, sample_weight, groups = _rows_of(rows, X, y, sample_weight, groups)
        estimator = clone(self.estimator)
        metadata = _fit_metadata(estimator, sample_weight, groups, self.caller)
        self.estimator_ = estimator.fit(X, y, **metadata)
        return self

    def predict_proba(self, X):
        """Return the probabilities of ``classes_``."""
        return aligned_probabilities(self.estimator_, X, self.classes_)

    def fitted_on(self, X, y, **metadata):
        """Return the fitted estimator, without the wrapper."""
        return clone(self).fit(X, y, **metadata).estimator_


def aligned_probabilities(estimator, X, classes):
    """Return ``predict_proba`` with a column for each of `classes`, and rows that sum to one."""
    found = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    aligned = np.zeros((len(found), len(classes)))
    # Labels that the estimator has not seen keep a probability of zero.
    aligned[:, pd.Index(classes).get_indexer(estimator.classes_)] = found
    # Inner estimators may compute in single precision.
    return aligned / aligned.sum(axis=1, keepdims=True)


def join_columns(X, values, names):
    """Append columns to an array, a sparse matrix or a DataFrame (there by name)."""
    if isinstance(X, pd.DataFrame):
        added = pd.DataFrame(values, index=X.index, columns=names)
        return pd.concat([X, added], axis=1)
    if scipy.sparse.issparse(X):
        return scipy.sparse.hstack([X, scipy.sparse.csr_matrix(values)], format="csr")
    # A matrix of single precision stays one: doubling it may not fit into memory.
    return np.hstack([X, values.astype(X.dtype if X.dtype.kind == "f" else np.float64)])


def _rows_of(rows, X, *columns):
    """Take rows of a matrix, and of the arrays that are there."""
    return take_rows(X, rows), *(None if column is None else column[rows] for column in columns)


def _balanced_rows(y, seed):
    """Every row once, and rows of the rarer labels again at random."""
    random = np.random.RandomState(seed)
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    by_label = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    extra = [random.choice(rows, counts.max() - len(rows)) for rows in by_label]
    return np.concatenate([np.arange(len(y)), *extra])


def _fit_metadata(estimator, sample_weight, groups, caller):
    """Return the weights and groups that ``estimator.fit`` takes, by the names that it uses."""
    metadata = {}
    if sample_weight is not None:
        name = _argument_name(estimator, "sample_weight")
        if name is None:
            raise InvalidInputError(
                f"{caller}: weights were given (sample_weight or class_weight), but the fit of "
                f"{estimator!r} takes none. Leave them out, or use an estimator that takes "
                "sample_weight."
            )
        metadata[name] = sample_weight
    if groups is not None:
        name = _argument_name(estimator, "groups")
        if name is not None:
            metadata[name] = groups
    return metadata


def _argument_name(estimator, metadata):
    """Name under which ``estimator.fit`` takes a metadata, or None.

    A pipeline hands ``step__sample_weight`` to its last step. Where metadata routing is on,
    composed estimators take what their parts have requested.
    """
    if get_config()["enable_metadata_routing"]:
        routing = get_routing_for_object(estimator)
        if isinstance(routing, MetadataRouter):
            return metadata if routing.consumes("fit", [metadata]) else None
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        name = _argument_name(last, metadata)
        return None if name is None else f"{step}__{name}"
    parameters = signature(estimator.fit).parameters
    if metadata in parameters:
        return metadata
    passes_on = any(item.kind is Parameter.VAR_KEYWORD for item in parameters.values())
    # A search gives groups to its splitter; other composed estimators would hand them to parts
    # that may not know them.
    is_search = hasattr(estimator, "cv") and hasattr(estimator, "refit")
    return metadata if passes_on and (metadata == "sample_weight" or is_search) else None
