"""The result of a comparison of models: figures, predictions, and what they rest on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crystalml.exceptions import InvalidInputError

__all__ = ["BASELINES", "COMPARISON_METRICS", "HOLD_OUT", "ModelComparison"]

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
        in which it was held out, and the label that each model gave it there (None where it
        failed).
    probabilities : dict of str to ndarray of shape (n_rows, n_labels)
        The same as probabilities, in the rows of `predictions`; NaN where there are none.
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
        What a reader of the figures has to know: rows drawn, failures, rare classes, models
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
