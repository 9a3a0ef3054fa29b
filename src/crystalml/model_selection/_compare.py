"""Models beside one another and beside baselines, on the same folds and the same held-out rows."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state

from crystalml._progress import progress_bar
from crystalml._typing import (
    ArrayLike,
    CrossValidation,
    Estimator,
    MatrixLike,
    Progress,
    RandomState,
)
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._classical import imputing_pipeline
from crystalml.model_selection._comparison import BASELINES, HOLD_OUT, ModelComparison
from crystalml.model_selection._comparison_tables import assembled
from crystalml.model_selection._fit_and_score import Fit, fit_and_score
from crystalml.model_selection._folds import (
    as_rows,
    fold_of_row,
    group_codes,
    hold_out_rows,
    make_splits,
    shuffled_splits,
    take_rows,
)
from crystalml.model_selection._rare_classes import handle_rare_classes

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
    """Compare classifiers by cross-validation and on held-out rows, beside two baselines.

    A part of the rows is held out first. The others are cross-validated; then each model is
    fitted on all of them and answers for the rows held out, which no fold has seen. The two
    figures agree up to what the additional training rows are worth, unless the first one has been
    used to choose; look at the second once.

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
        What becomes of rare classes before anything is split; see `handle_rare_classes`. What
        is not kept makes every score look better, and is told in the notes.
    merged_label : object, default=None
        Label of the merged classes, for ``"merge"`` alone.
    max_rows : int or dict of str to int, default=None
        Fit on at most so many rows: all models, or those named, for which more would take too
        long. Rows are drawn at random from the training rows of each split, each class in
        proportion; all test rows are answered. It is told in the notes.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits and of the rows drawn. The models have their own.
    n_jobs : int, default=None
        Fits at the same time, as in joblib. Times are only comparable where each fit has a
        core of its own.
    progress : bool or "auto", default="auto"
        Show a progress bar; ``"auto"`` does on a terminal.

    Returns
    -------
    ModelComparison
        Figures by model and by fold, answers for every row, counts and notes.

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
    crystalml.plotting.plot_sample_consistency : Who is right on which row.

    Notes
    -----
    The baselines are ``prior``, which answers with the frequencies of the classes, and
    ``nearest_neighbour``, which gives the label of the nearest training row after scaling. What
    the second achieves is looked up, not learned.

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
    X, y = as_rows(X), np.asarray(y)
    groups = None if groups is None else group_codes(groups, caller=_CALLER)
    _check_lengths(X, y, groups)
    kept = handle_rare_classes(
        y, min_count=min_count, policy=rare_classes, merged_label=merged_label, groups=groups
    )
    rows = np.flatnonzero(kept.mask)
    X, y, groups = take_rows(X, rows), kept.y, None if groups is None else groups[rows]
    generator = check_random_state(random_state)
    splits = _named_splits(X, y, groups, cv, test_size, generator)
    seeds = generator.randint(2**31 - 1, size=len(splits))
    names = [*models, *BASELINES]
    fits = _fits(models, transformer, X, y, groups, splits, max_rows, seeds)
    with progress_bar(
        enabled=progress, description=_CALLER, total=len(names) * len(splits), unit="fit"
    ) as bar:
        outcomes = []
        for outcome in Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(fit_and_score)(fit) for fit in fits
        ):
            outcomes.append(outcome)
            bar.update()
    keys = [(name, split) for split in splits for name in names]
    results = dict(zip(keys, outcomes, strict=True))
    return assembled(names, results, splits, rows, y, groups, kept)


def _check_models(models):
    """Raise where names or estimators cannot be used."""
    if not isinstance(models, Mapping) or not models:
        raise InvalidInputError(
            f"{_CALLER}: models must be a dict from name to classifier, with one at least; got "
            f"{models!r}."
        )
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


def _check_lengths(X, y, groups):
    if X.shape[0] != len(y) or (groups is not None and len(groups) != len(y)):
        n_groups = "" if groups is None else f" and {len(groups)} groups"
        raise InvalidInputError(
            f"{_CALLER}: got {X.shape[0]} rows, {len(y)} labels{n_groups}; the numbers must be "
            "equal."
        )


def _named_splits(X, y, groups, cv, test_size, generator):
    """Name of each split -> training and test rows; the one of the rows held out is last."""
    everything = np.arange(len(y))
    held_out = everything[:0]
    if test_size is not None:
        held_out = hold_out_rows(test_size, y, groups, generator, caller=_CALLER)
    rows = np.setdiff1d(everything, held_out)
    own_groups = None if groups is None else groups[rows]
    if isinstance(cv, Integral):
        folds = shuffled_splits(cv, y[rows], own_groups, generator, caller=_CALLER)
    else:
        folds = make_splits(cv, take_rows(X, rows), y[rows], own_groups, caller=_CALLER)
    fold_of_row(folds, len(rows), caller=_CALLER)
    splits = {str(i): (rows[a], rows[b]) for i, (a, b) in enumerate(folds, start=1)}
    return splits if test_size is None else splits | {HOLD_OUT: (rows, held_out)}


def _fits(models, transformer, X, y, groups, splits, max_rows, seeds):
    """Yield all fits, split by split, so that rows are transformed once."""
    for (train, test), seed in zip(splits.values(), seeds, strict=True):
        X_train, X_test = take_rows(X, train), take_rows(X, test)
        if transformer is not None:
            fitted = clone(transformer)
            X_train = fitted.fit_transform(X_train, y[train])
            X_test = fitted.transform(X_test)
        train_groups = None if groups is None else groups[train]
        for name, model in {**models, **_baselines(X_train)}.items():
            limit = max_rows.get(name) if isinstance(max_rows, Mapping) else max_rows
            yield Fit(name, model, X_train, y[train], train_groups, limit, seed, X_test, y[test])


def _baselines(X):
    """Models that stand for counting and for looking up."""
    nearest = imputing_pipeline(KNeighborsClassifier(1), scale=True)
    if hasattr(X, "select_dtypes"):
        numeric = make_column_selector(dtype_include="number")
        nearest = make_pipeline(ColumnTransformer([("numeric", "passthrough", numeric)]), nearest)
    return dict(zip(BASELINES, (DummyClassifier(strategy="prior"), nearest), strict=True))
