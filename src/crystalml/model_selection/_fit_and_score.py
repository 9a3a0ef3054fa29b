"""One model on one split: fitted, timed, scored by every metric; or the reason why not."""

import warnings
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.metrics import precision_recall_fscore_support
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from crystalml.model_selection._folds import stratified_sample, take_rows
from crystalml.model_selection._metrics import floored_log_loss, top_k_accuracy
from crystalml.model_selection._reliability import expected_calibration_error


class Fit(NamedTuple):
    """What one fit needs; `seed` draws the rows where there are more than `max_rows`."""

    name: str
    model: Any
    X: Any
    y: np.ndarray
    groups: np.ndarray | None
    max_rows: int | None
    seed: int
    X_test: Any
    y_test: np.ndarray


class Outcome(NamedTuple):
    """What came of it: figures and answers for the test rows, or the error."""

    train_rows: int
    scores: dict = {}  # noqa: RUF012 - never changed
    y_pred: np.ndarray | None = None
    y_proba: np.ndarray | None = None
    classes: np.ndarray | None = None
    error: str | None = None


def fit_and_score(fit):
    """Fit and score a model; whatever it raises is its result."""
    fit = _drawn(fit)
    try:
        return _fit_and_score(fit)
    except Exception as error:  # noqa: BLE001 - models raise anything; it is reported
        reason = " ".join(str(error).split()) or "no message"
        return Outcome(len(fit.y), error=f"{type(error).__name__}: {reason}")


def _drawn(fit):
    """Keep at most `max_rows` training rows."""
    if fit.max_rows is None or fit.max_rows >= len(fit.y):
        return fit
    rows = stratified_sample(fit.y, fit.max_rows, np.random.RandomState(fit.seed))
    groups = None if fit.groups is None else fit.groups[rows]
    return fit._replace(X=take_rows(fit.X, rows), y=fit.y[rows], groups=groups)


def _fit_and_score(fit):
    start = perf_counter()
    model = clone(fit.model).fit(fit.X, fit.y, **_group_argument(fit.model, fit.groups))
    fitted = perf_counter()
    y_proba = model.predict_proba(fit.X_test) if hasattr(model, "predict_proba") else None
    asked = perf_counter()
    y_pred = np.asarray(model.predict(fit.X_test))
    predicted = perf_counter()
    # One answer is timed: the probabilities where there are any, the labels otherwise.
    took = predicted - asked if y_proba is None else asked - fitted
    scores = _label_scores(fit.y_test, y_pred)
    if y_proba is not None:
        scores |= _probability_scores(fit.y_test, y_proba, model.classes_)
    scores |= {"fit_seconds": fitted - start, "predict_seconds": took}
    classes = None if y_proba is None else np.asarray(model.classes_)
    return Outcome(len(fit.y), scores, y_pred, y_proba, classes)


def _group_argument(model, groups):
    """Argument by which the model's `fit` takes groups, for what it holds out itself."""
    if groups is None:
        return {}
    name = _group_parameter(model)
    return {} if name is None else {name: groups}


def _group_parameter(model):
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        inner = _group_parameter(last)
        return inner and f"{name}__{inner}"
    # A search hands its `groups` on to its splitter, but does not name them.
    if isinstance(model, GridSearchCV | RandomizedSearchCV) or has_fit_parameter(model, "groups"):
        return "groups"
    return None


def _label_scores(y_true, y_pred):
    """Return the scores that need labels only."""
    scores = {"accuracy": float(np.mean(y_true == y_pred))}
    with warnings.catch_warnings():
        # Small test sets of many rare classes look like regression to scikit-learn.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        for average in ("weighted", "macro"):
            values = precision_recall_fscore_support(
                y_true, y_pred, average=average, zero_division=0
            )
            for metric, value in zip(("precision", "recall", "f1"), values, strict=False):
                scores[f"{metric}_{average}"] = float(value)
    return scores


def _probability_scores(y_true, y_proba, classes):
    return {
        "top_3_accuracy": top_k_accuracy(y_true, y_proba, k=3, labels=classes),
        "top_5_accuracy": top_k_accuracy(y_true, y_proba, k=5, labels=classes),
        "log_loss": floored_log_loss(y_true, y_proba, labels=classes),
        "calibration_error": expected_calibration_error(y_true, y_proba, labels=classes),
    }
