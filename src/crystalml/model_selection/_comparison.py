"""The result of a comparison of models: figures, predictions, counts and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crystalml.exceptions import InvalidInputError

__all__ = ["COMPARISON_METRICS", "ModelComparison"]

BASELINES = ("prior", "nearest_neighbour")
HOLD_OUT = "hold-out"

# Name in the tables -> what to call it in print.
COMPARISON_METRICS = {
    "accuracy": "accuracy",
    "precision_weighted": "precision, weighted",
    "precision_macro": "precision, macro",
    "recall_weighted": "recall, weighted",
    "recall_macro": "recall, macro",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "top_3_accuracy": "top-3 accuracy",
    "top_5_accuracy": "top-5 accuracy",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "fit_seconds": "time to fit, s",
    "predict_seconds": "time to predict, s",
}
_LOWER_IS_BETTER = {"log_loss", "calibration_error", "fit_seconds", "predict_seconds"}
_IN_PRINT = ("accuracy", "f1_weighted", "f1_macro", "top_5_accuracy", "log_loss", "fit_seconds")


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """What `compare_models` found.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per model. The columns have two levels: each metric of `COMPARISON_METRICS`, and
        under it ``mean`` and ``std`` (sample standard deviation) over the folds, and
        ``hold_out``. A model that failed in a fold has no mean, since it would not be comparable.
    fold_table : pandas.DataFrame
        One row per model and fold: ``model``, ``fold`` (``"1"``, ``"2"``, ... and
        ``"hold-out"``), ``train_rows``, ``test_rows``, the metrics, and ``error`` (None, or why
        the model failed).
    predictions : pandas.DataFrame
        One row per row of the data that was used, indexed by its number: ``y_true``, ``fold``
        in which it was held out, and the label that each model predicted there (None where it
        failed).
    probabilities : dict of str to ndarray of shape (n_rows, n_labels)
        Probabilities for the rows of `predictions`; NaN where there are none.
        Classes that a model had not seen in training have probability 0.
    labels : ndarray of shape (n_labels,)
        The label of each column of the probabilities.
    rare_classes : pandas.DataFrame
        The report of `handle_rare_classes`.
    report : dict
        Counts: ``rows``, ``rows_used``, ``rows_cross_validated``, ``rows_held_out``,
        ``rows_of_unseen_classes`` (tested by models that had not seen their class), ``groups``
        (None without), ``folds``, ``classes`` and ``classes_used``.
    notes : tuple of str
        Remarks to publish with the figures: rows drawn, failures, rare classes, models
        without probabilities.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import compare_models
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_models({"Bayes": GaussianNB()}, X, y, random_state=0)
    >>> comparison
    ModelComparison(3 models, 5 folds of 120 rows, 30 rows held out)
    >>> comparison.predictions.columns.tolist()
    ['y_true', 'fold', 'Bayes', 'prior', 'nearest_neighbour']
    """

    table: pd.DataFrame
    fold_table: pd.DataFrame
    predictions: pd.DataFrame
    probabilities: dict[str, np.ndarray]
    labels: np.ndarray
    rare_classes: pd.DataFrame
    report: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def models(self) -> list[str]:
        """Names of the models, the baselines last."""
        return self.table.index.tolist()

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines."""
        return [name for name in self.models if name in BASELINES]

    def ranking(self, metric: str = "accuracy") -> pd.DataFrame:
        """Order the models by one metric.

        Parameters
        ----------
        metric : str, default="accuracy"
            One of `COMPARISON_METRICS`.

        Returns
        -------
        pandas.DataFrame
            ``mean``, ``std`` and ``hold_out`` of each model, the best mean first; models
            without one last.

        Raises
        ------
        InvalidInputError
            If `metric` is unknown.
        """
        _check_metrics([metric])
        return self.table[metric].sort_values(
            "mean", ascending=metric in _LOWER_IS_BETTER, kind="stable", na_position="last"
        )

    def to_markdown(self, metrics: Sequence[str] = _IN_PRINT, *, digits: int = 3) -> str:
        """Write the table in Markdown, with the notes below it.

        Parameters
        ----------
        metrics : sequence of str
            Columns, of `COMPARISON_METRICS`.
        digits : int, default=3
            Digits after the point; times have one.

        Returns
        -------
        str
            Of each metric mean ± standard deviation over the folds and, where rows were held
            out, the figure on those.

        Raises
        ------
        InvalidInputError
            If a metric is unknown.
        """
        _check_metrics(metrics)
        held_out = self.report["rows_held_out"] > 0
        header, cells = ["model"], [self.models]
        for metric in metrics:
            places = 1 if metric.endswith("_seconds") else digits
            values = self.table[metric]
            header.append(COMPARISON_METRICS[metric])
            cells.append(
                [
                    f"{_number(mean, places)} ± {_number(std, places)}"
                    for mean, std in zip(values["mean"], values["std"], strict=True)
                ]
            )
            if held_out:
                header.append("held out")
                cells.append([_number(value, places) for value in values["hold_out"]])
        lines = [header, ["---"] + ["---:"] * (len(header) - 1), *zip(*cells, strict=True)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([table, "\n".join(f"- {note}" for note in self.notes)])

    def __repr__(self) -> str:
        report = self.report
        return (
            f"{type(self).__name__}({len(self.table)} models, {report['folds']} folds of "
            f"{report['rows_cross_validated']:,} rows, {report['rows_held_out']:,} rows held out)"
        )


def _check_metrics(metrics):
    unknown = [metric for metric in metrics if metric not in COMPARISON_METRICS]
    if unknown or isinstance(metrics, str):
        raise InvalidInputError(
            f"ModelComparison: metrics must be of {list(COMPARISON_METRICS)}, got "
            f"{metrics if isinstance(metrics, str) else unknown[0]!r}."
        )


def _number(value, digits):
    return "n/a" if np.isnan(value) else f"{value:.{digits}f}"


class Failed(NamedTuple):
    """A model that raised an error on a split."""

    train_rows: int
    error: str


class Scored(NamedTuple):
    """Figures and labels that a model without probabilities gave for the test rows of a split."""

    train_rows: int
    scores: dict[str, float]
    y_pred: np.ndarray


class ScoredProbabilities(NamedTuple):
    """The same, with probabilities for the labels in `classes`."""

    train_rows: int
    scores: dict[str, float]
    y_pred: np.ndarray
    y_proba: np.ndarray
    classes: np.ndarray


def assemble_comparison(names, results, splits, rows, y, groups, kept):
    """Put the results of all models on all splits together."""
    labels = np.unique(y)
    fold_table = _fold_table(names, results, splits)
    of_models = {name: _of_model(name, results, splits, y, labels) for name in names}
    # None for rows that a splitter of the user's never holds out.
    fold = np.full(len(y), None, dtype=object)
    for split, (_, test) in splits.items():
        fold[test] = split
    predictions = pd.DataFrame(
        {"y_true": y, "fold": fold, **{name: y_pred for name, (y_pred, _) in of_models.items()}},
        index=pd.Index(rows, name="row"),
    )
    report = _report(splits, y, groups, kept)
    return ModelComparison(
        table=_table(names, fold_table),
        fold_table=fold_table,
        predictions=predictions,
        probabilities={name: y_proba for name, (_, y_proba) in of_models.items()},
        labels=labels,
        rare_classes=kept.report,
        report=report,
        notes=tuple(_notes(names, fold_table, report, kept, splits)),
    )


def _fold_table(names, results, splits):
    """One row per model and split."""
    lines = []
    for name in names:
        for split, (_, test) in splits.items():
            result = results[name, split]
            failed = isinstance(result, Failed)
            scores = {} if failed else result.scores
            line = {"model": name, "fold": split, "train_rows": result.train_rows}
            line |= {"test_rows": len(test)}
            line |= {metric: scores.get(metric, np.nan) for metric in COMPARISON_METRICS}
            lines.append(line | {"error": result.error if failed else None})
    return pd.DataFrame(lines).astype({"error": object})


def _table(names, fold_table):
    """Mean and spread over the folds of each model, and its figures on the rows held out."""
    metrics = list(COMPARISON_METRICS)
    held_out = fold_table["fold"] == HOLD_OUT
    by_model = fold_table[~held_out].groupby("model", sort=False)[metrics]
    parts = {
        # NaN where a fold failed: a mean over fewer folds would not be comparable.
        "mean": by_model.agg(lambda values: values.mean(skipna=False)),
        "std": by_model.agg(lambda values: values.std(skipna=False)),
        "hold_out": fold_table[held_out].set_index("model")[metrics],
    }
    order = [(metric, part) for metric in metrics for part in parts]
    table = pd.concat(parts, axis=1).swaplevel(axis=1).reindex(index=names)
    columns = pd.MultiIndex.from_tuples(order, names=["metric", "value"])
    return table.reindex(columns=columns).rename_axis(index="model")


def _of_model(name, results, splits, y, labels):
    """Labels and probabilities of a model for each row, from the split in which it was held out."""
    y_pred = np.full(len(y), None, dtype=object)
    y_proba = np.full((len(y), len(labels)), np.nan)
    for split, (_, test) in splits.items():
        result = results[name, split]
        if isinstance(result, Failed):
            continue
        y_pred[test] = result.y_pred
        if isinstance(result, ScoredProbabilities):
            y_proba[test] = 0.0
            y_proba[np.ix_(test, np.searchsorted(labels, result.classes))] = result.y_proba
    # None fits into a column of objects only; without failures the labels keep their type.
    is_complete = all(label is not None for label in y_pred)
    return (y_pred.astype(y.dtype) if is_complete else y_pred), y_proba


def _report(splits, y, groups, kept):
    """Count rows, groups, folds and classes."""
    held_out = len(splits[HOLD_OUT][1]) if HOLD_OUT in splits else 0
    # Counted once for each split in which such a row is tested.
    unseen = sum(int((~np.isin(y[test], y[train])).sum()) for train, test in splits.values())
    return {
        "rows": len(kept.mask),
        "rows_used": len(y),
        "rows_cross_validated": len(y) - held_out,
        "rows_held_out": held_out,
        "rows_of_unseen_classes": unseen,
        "groups": None if groups is None else len(np.unique(groups)),
        "folds": len(splits) - (HOLD_OUT in splits),
        "classes": len(kept.report),
        "classes_used": len(np.unique(y)),
    }


def _notes(names, fold_table, report, kept, splits):
    """Yield the sentences that belong below the table."""
    grouped = "" if report["groups"] is None else f", in {report['groups']:,} groups"
    yield (
        f"{report['rows_cross_validated']:,} of {report['rows']:,} rows in {report['folds']} folds"
        f", {report['rows_held_out']:,} rows held out{grouped}."
    )
    changed = kept.report[kept.report["action"] != "kept"]
    if len(changed):
        yield (
            f"Rare classes {changed['action'].iloc[0]}: {len(changed)} of {report['classes']}, "
            f"with {changed['rows'].sum():,} rows."
        )
    if report["rows_of_unseen_classes"]:
        yield (
            f"{report['rows_of_unseen_classes']:,} rows were tested by models that had not seen "
            "their class; they count as errors."
        )
    for name in names:
        own = fold_table[fold_table["model"] == name]
        yield from _notes_on_model(name, own, [len(train) for train, _ in splits.values()])


def _notes_on_model(name, folds, n_train):
    """Say which model was fitted on fewer rows, failed, or has no probabilities."""
    if (folds["train_rows"] < n_train).any():
        yield (
            f"{name} was fitted on {folds['train_rows'].max():,} rows drawn from "
            f"{min(n_train):,} to {max(n_train):,}, each class in proportion."
        )
    failed = folds[folds["error"].notna()]
    for error, folds_of_error in failed.groupby("error", sort=False)["fold"]:
        yield f"{name} failed (fold {', '.join(folds_of_error)}): {error}"
    worked = folds[folds["error"].isna()]
    if len(worked) and worked["log_loss"].isna().all():
        yield f"{name} has no predict_proba, and so no metrics of probabilities."
