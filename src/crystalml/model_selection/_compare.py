"""Compare models with one another and with baselines, on the same folds and held-out rows."""

import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from time import perf_counter
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyClassifier
from sklearn.metrics import precision_recall_fscore_support
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import has_fit_parameter

from crystalml._progress import progress_bar
from crystalml._typing import (
    ArrayLike,
    CrossValidation,
    Estimator,
    MatrixLike,
    Progress,
    RandomState,
)
from crystalml._validation import private_random_state
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._classical import imputing_pipeline
from crystalml.model_selection._comparison import (
    BASELINES,
    HOLD_OUT,
    Failed,
    ModelComparison,
    Scored,
    ScoredProbabilities,
    assemble_comparison,
)
from crystalml.model_selection._folds import (
    check_rows,
    fold_of_row,
    hold_out_rows,
    make_splits,
    shuffled_splits,
    stratified_sample,
    take_rows,
)
from crystalml.model_selection._metrics import floored_log_loss, top_k_accuracy
from crystalml.model_selection._rare_classes import handle_rare_classes
from crystalml.model_selection._reliability import expected_calibration_error

__all__ = ["compare_models"]

_CALLER = "compare_models"


def compare_models(
    models: Mapping[str, Any],  # estimators; checkers call a mixture of them objects
    X: MatrixLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: CrossValidation = 5,
    test_size: float | None = 0.2,
    transformer: Estimator | None = None,
    min_count: int = 5,
    rare_classes: Literal["keep", "drop", "merge"] = "keep",
    merged_label: object = None,
    max_rows: int | Mapping[str, int] | None = None,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    progress: Progress = "auto",
) -> ModelComparison:
    """Compare classifiers by cross-validation and on held-out rows, with two baselines.

    A part of the rows is held out first. The others are cross-validated; then each model is
    fitted on all of them and predicts the rows held out, which no fold has seen. The two figures
    differ by the gain from more training rows, unless the first one was used to choose a model.
    Look at the second one once.

    Parameters
    ----------
    models : dict of str to classifier
        Name -> unfitted classifier, such as `classical_models` gives. They are cloned. One that
        raises an error in a fold is reported with its reason, and the others go on.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows, in whatever form the models (or `transformer`) take.
    y : array-like of shape (n_samples,)
        Labels of any type; none may be missing.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group are never on both sides of a split, neither of the folds nor of the
        rows held out; see `composition_groups`. Models whose ``fit`` takes ``groups`` (or whose
        last step does) get those of their training rows, and so do ``GridSearchCV`` and
        ``RandomizedSearchCV``, whose ``cv`` should then be a splitter of groups.
    cv : int, splitter or iterable of (train, test) row numbers, default=5
        A number means that many shuffled folds, stratified by `y`, in whole groups where they
        are given; classes may have fewer rows than there are folds. Row numbers count the rows
        that are cross-validated.
    test_size : float or None, default=0.2
        Share of the rows to hold out, between 0.05 and 0.5, stratified and in whole groups; it
        is rounded to a fraction whose denominator is at most 20. None holds out none.
    transformer : transformer, default=None
        Fitted on the training rows of each split, once for all models: from a table to numbers,
        say. The nearest-neighbour baseline needs numbers; of a DataFrame it uses the numeric
        columns.
    min_count : int, default=5
        Classes with fewer rows (fewer groups, where given) are rare.
    rare_classes : {"keep", "drop", "merge"}, default="keep"
        What happens to rare classes before anything is split; see `handle_rare_classes`. Rows
        that are not kept make every score look better, so the notes count them.
    merged_label : object, default=None
        Label of the merged classes, for ``"merge"`` alone.
    max_rows : int or dict of str to int, default=None
        Fit on at most so many rows: all models, or those named, for which more would take too
        long. Rows are drawn at random from the training rows of each split, each class in
        proportion; all test rows are predicted. The notes say so.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits and of the rows drawn. The models have seeds of their own.
    n_jobs : int, default=None
        Fits at the same time, as in joblib. Times are only comparable where each fit has a
        core of its own.
    progress : bool or "auto", default="auto"
        Show a progress bar; ``"auto"`` does on a terminal.

    Returns
    -------
    ModelComparison
        Figures by model and by fold, predictions for every row, counts and notes.

    Raises
    ------
    InvalidInputError
        If the arguments do not fit, a name of `models` is taken, a label or a group is missing,
        or there are fewer groups than folds.

    See Also
    --------
    classical_models : Six models to begin with.
    crystalml.plotting.plot_model_comparison : Bars of several metrics.
    crystalml.plotting.plot_ranking : One metric, best first, with every fold.
    crystalml.plotting.plot_sample_consistency : Which models are right on which row.

    Notes
    -----
    The baselines are ``prior``, which predicts the frequencies of the classes, and
    ``nearest_neighbour``, which predicts the label of the nearest training row after scaling.

    A test row whose class was not among the training rows counts as an error in every metric,
    and costs ``-log(1e-4)`` in the log loss (`floored_log_loss`). Weighted and macro means run
    over the labels that are true or predicted in the fold; weighted recall is the accuracy.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import compare_models
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_models({"Bayes": GaussianNB()}, X, y, random_state=0)
    >>> print(comparison.to_markdown(["accuracy", "log_loss"], digits=2))
    | model | accuracy | held out | log loss | held out |
    | --- | ---: | ---: | ---: | ---: |
    | Bayes | 0.95 ± 0.05 | 1.00 | 0.15 ± 0.14 | 0.05 |
    | prior | 0.33 ± 0.00 | 0.33 | 1.10 ± 0.00 | 1.10 |
    | nearest_neighbour | 0.93 ± 0.05 | 0.97 | 0.69 ± 0.42 | 0.31 |
    <BLANKLINE>
    - 120 of 150 rows in 5 folds, 30 rows held out.
    """
    _check_models(models)
    _check_numbers(test_size, max_rows, models)
    X, y, groups = check_rows(X, y, groups, caller=_CALLER)
    # Before anything is split, so that all splits have the same classes.
    kept = handle_rare_classes(
        y, min_count=min_count, policy=rare_classes, merged_label=merged_label, groups=groups
    )
    rows = np.flatnonzero(kept.mask)
    X, y, groups = take_rows(X, rows), kept.y, None if groups is None else groups[rows]
    generator = private_random_state(random_state)
    splits = _named_splits(X, y, groups, cv, test_size, generator)
    # One seed for each split: all models of a split that draw rows draw the same ones.
    seeds = generator.randint(2**31 - 1, size=len(splits))
    names = [*models, *BASELINES]
    trials = _trials(models, transformer, X, y, groups, splits, max_rows, seeds)
    with progress_bar(
        enabled=progress, description=_CALLER, total=len(names) * len(splits), unit="fit"
    ) as bar:
        outcomes = []
        # A generator, so that the bar moves and the rows of later splits are made when needed.
        for outcome in Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(fit_and_score)(trial) for trial in trials
        ):
            outcomes.append(outcome)
            bar.update()
    keys = [(name, split) for split in splits for name in names]
    results = dict(zip(keys, outcomes, strict=True))
    return assemble_comparison(names, results, splits, rows, y, groups, kept)


def _check_models(models):
    """Raise where names or estimators cannot be used."""
    if not isinstance(models, Mapping) or not models:
        raise InvalidInputError(
            f"{_CALLER}: models must be a dict from name to classifier, with one at least; got "
            f"{models!r}."
        )
    # Names become columns of the table of predictions.
    taken = {*BASELINES, "y_true", "fold"}
    for name, model in models.items():
        if not isinstance(name, str) or name in taken:
            raise InvalidInputError(
                f"{_CALLER}: {name!r} cannot be the name of a model; names are text other than "
                f"{sorted(taken)}."
            )
        if not (hasattr(model, "fit") and hasattr(model, "predict")) or isinstance(model, type):
            raise InvalidInputError(
                f"{_CALLER}: models[{name!r}] must be a classifier with fit and predict, got "
                f"{model!r}."
            )


def _check_numbers(test_size: float | None, max_rows: Any, models: Mapping[str, Any]) -> None:
    if test_size is not None and not (isinstance(test_size, Real) and 0.05 <= test_size <= 0.5):
        raise InvalidInputError(
            f"{_CALLER}: test_size must be None or between 0.05 and 0.5, got {test_size!r}."
        )
    limits = max_rows if isinstance(max_rows, Mapping) else {"max_rows": max_rows}
    for limit in limits.values():
        if limit is not None and (not isinstance(limit, Integral) or limit < 2):
            raise InvalidInputError(
                f"{_CALLER}: max_rows must be a number of rows, at least 2, or a dict of them, "
                f"got {max_rows!r}."
            )
    if isinstance(max_rows, Mapping) and not set(max_rows) <= {*models, *BASELINES}:
        unknown = sorted(set(max_rows) - {*models, *BASELINES})
        raise InvalidInputError(f"{_CALLER}: max_rows names {unknown}, which are no models here.")


def _named_splits(X, y, groups, cv, test_size, generator):
    """Name of each split -> training and test rows; the one of the rows held out is last."""
    all_rows = np.arange(len(y))
    held_out = all_rows[:0]
    if test_size is not None:
        held_out = hold_out_rows(test_size, y, groups, generator, caller=_CALLER)
    rows = np.setdiff1d(all_rows, held_out)
    groups_of_rows = None if groups is None else groups[rows]
    if isinstance(cv, Integral):
        folds = shuffled_splits(cv, y[rows], groups_of_rows, generator, caller=_CALLER)
    else:
        folds = make_splits(cv, take_rows(X, rows), y[rows], groups_of_rows, caller=_CALLER)
    # Only for its error: a row held out twice would have two predictions.
    fold_of_row(folds, len(rows), caller=_CALLER)
    splits = {str(i): (rows[a], rows[b]) for i, (a, b) in enumerate(folds, start=1)}
    return splits if test_size is None else splits | {HOLD_OUT: (rows, held_out)}


def _trials(models, transformer, X, y, groups, splits, max_rows, seeds):
    """Yield every model on every split, split by split, so that rows are transformed once."""
    for (train, test), seed in zip(splits.values(), seeds, strict=True):
        X_train, X_test = take_rows(X, train), take_rows(X, test)
        if transformer is not None:
            fitted = clone(transformer)
            X_train = fitted.fit_transform(X_train, y[train])
            X_test = fitted.transform(X_test)
        train_groups = None if groups is None else groups[train]
        for name, model in {**models, **_baselines(X_train)}.items():
            limit = max_rows.get(name) if isinstance(max_rows, Mapping) else max_rows
            yield Trial(model, X_train, y[train], train_groups, limit, seed, X_test, y[test])


def _baselines(X):
    """Return a model that predicts the class frequencies, and one that looks labels up."""
    nearest = imputing_pipeline(KNeighborsClassifier(1), scale=True)
    if hasattr(X, "select_dtypes"):
        # Distances need numbers; text columns are for the user's models alone.
        numeric = make_column_selector(dtype_include="number")
        nearest = make_pipeline(ColumnTransformer([("numeric", "passthrough", numeric)]), nearest)
    return dict(zip(BASELINES, (DummyClassifier(strategy="prior"), nearest), strict=True))


class Trial(NamedTuple):
    """One model on one split; `seed` draws the rows where there are more than `max_rows`."""

    model: Any
    X: Any
    y: np.ndarray
    groups: np.ndarray | None
    max_rows: int | None
    seed: int
    X_test: Any
    y_test: np.ndarray


def fit_and_score(trial):
    """Fit and score a model on a split; whatever it raises is reported."""
    trial = _with_fewer_rows(trial)
    try:
        # Hours of other models must not be lost to one that fails.
        return _fit_and_score(trial)
    except Exception as error:  # noqa: BLE001 - models raise anything; it is reported
        reason = " ".join(str(error).split()) or "no message"
        return Failed(len(trial.y), f"{type(error).__name__}: {reason}")


def _with_fewer_rows(trial):
    """Keep at most `max_rows` training rows."""
    if trial.max_rows is None or trial.max_rows >= len(trial.y):
        return trial
    rows = stratified_sample(trial.y, trial.max_rows, np.random.RandomState(trial.seed))
    groups = None if trial.groups is None else trial.groups[rows]
    return trial._replace(X=take_rows(trial.X, rows), y=trial.y[rows], groups=groups)


def _fit_and_score(trial):
    start = perf_counter()
    groups = _group_argument(trial.model, trial.groups)
    model = clone(trial.model).fit(trial.X, trial.y, **groups)
    fit_seconds = perf_counter() - start
    if not hasattr(model, "predict_proba"):
        y_pred, predict_seconds = _timed(model.predict, trial.X_test)
        scores = _label_scores(trial.y_test, y_pred)
        times = {"fit_seconds": fit_seconds, "predict_seconds": predict_seconds}
        return Scored(len(trial.y), scores | times, y_pred)
    # One prediction is timed: that of the probabilities where there are any.
    y_proba, predict_seconds = _timed(model.predict_proba, trial.X_test)
    # Asked for, not derived from the probabilities: SVC, for one, may disagree with its own.
    y_pred = np.asarray(model.predict(trial.X_test))
    scores = _label_scores(trial.y_test, y_pred)
    scores |= _probability_scores(trial.y_test, y_proba, model.classes_)
    times = {"fit_seconds": fit_seconds, "predict_seconds": predict_seconds}
    classes = np.asarray(model.classes_)
    return ScoredProbabilities(len(trial.y), scores | times, y_pred, y_proba, classes)


def _timed(predict, X):
    """Return predictions and the seconds that they took."""
    start = perf_counter()
    return np.asarray(predict(X)), perf_counter() - start


def _group_argument(model, groups):
    """Return the groups under the name by which the model's `fit` takes them, if it does."""
    name = None if groups is None else _group_parameter(model)
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
