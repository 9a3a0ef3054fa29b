"""Comparisons of models: bars of several metrics, and a ranking by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import COMPARISON_METRICS, ModelComparison
from crystalml.plotting._style import OKABE_ITO, REFERENCE_GREY, axes_or_new, cycle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["plot_model_comparison", "plot_ranking"]

_FOUR = ("accuracy", "precision_macro", "recall_macro", "f1_macro")
# Width of the bars of one model, in steps of the axis.
_BARS = 0.84
# Distance of the folds from their mean.
_BELOW = 0.24


def plot_model_comparison(
    comparison: ModelComparison, *, metrics: Sequence[str] = _FOUR, ax: Axes | None = None
) -> Axes:
    """Draw bars of several metrics side by side for each model.

    Parameters
    ----------
    comparison : ModelComparison
        What `crystalml.model_selection.compare_models` returns.
    metrics : sequence of str, default=("accuracy", "precision_macro", "recall_macro", "f1_macro")
        Metrics between 0 and 1, of `crystalml.model_selection.COMPARISON_METRICS`. (Weighted
        recall is the accuracy.)
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The models in their order, a bar for the mean of each metric over the folds with its
        standard deviation, and a diamond for the rows held out. A model that failed in a fold
        has no bars.

    Raises
    ------
    InvalidInputError
        If `comparison` is none, or a metric is unknown or not between 0 and 1.

    See Also
    --------
    plot_ranking : One metric, best first, with every fold.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import compare_models
    >>> from crystalml.plotting import plot_model_comparison
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_models({"Bayes": GaussianNB()}, X, y, random_state=0)
    >>> ax = plot_model_comparison(comparison)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['Bayes', 'prior', 'nearest neighbour']
    """
    _check_comparison(comparison, "plot_model_comparison")
    _check_shares(metrics)
    n_models, n_metrics = len(comparison.models), len(metrics)
    ax = axes_or_new(
        ax, needed_by="plot_model_comparison", figsize=(max(6.4, 0.4 * n_models * n_metrics), 4.8)
    )
    width = _BARS / n_metrics
    for i, metric in enumerate(metrics):
        values = comparison.table[metric]
        x = np.arange(n_models) + (i - (n_metrics - 1) / 2) * width
        ax.bar(
            x,
            values["mean"],
            0.92 * width,
            yerr=values["std"],
            color=cycle(OKABE_ITO, i),
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "black"},
            label=COMPARISON_METRICS[metric],
        )
        if values["hold_out"].notna().any():
            # Named once, with the last metric, so that the legend ends with it.
            last = i == n_metrics - 1
            _add_held_out(ax, x, values["hold_out"], label="rows held out" if last else None)
    names = [name.replace("_", " ") for name in comparison.models]
    ax.set_xticks(range(n_models), names, rotation=30, ha="right", rotation_mode="anchor")
    # Bars start at zero: cut off, small differences would look large.
    ax.set(ylim=(0, 1), xlabel="model", ylabel=f"mean over {comparison.report['folds']} folds")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    # Above the axes: the bars of a good model leave no free corner.
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=n_metrics + 1, frameon=False,
        fontsize="small", columnspacing=1.2, handlelength=1.5, borderaxespad=0.2,
    )  # fmt: skip
    return ax


def plot_ranking(
    comparison: ModelComparison, *, metric: str = "accuracy", ax: Axes | None = None
) -> Axes:
    """Rank models by one metric, and show the value of every fold.

    Parameters
    ----------
    comparison : ModelComparison
        What `crystalml.model_selection.compare_models` returns.
    metric : str, default="accuracy"
        One of `crystalml.model_selection.COMPARISON_METRICS`.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The best model on top: the mean over the folds with its standard deviation, a small
        circle for each fold, and a diamond for the rows held out. Baselines are grey. A model
        that failed in a fold is at the bottom, without a mean.

    Raises
    ------
    InvalidInputError
        If `comparison` is none, or `metric` is unknown.

    See Also
    --------
    plot_model_comparison : Several metrics.

    Notes
    -----
    Folds share most of their training rows, so the bars are no confidence intervals. Models are
    compared fold by fold, where they met the same rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import compare_models
    >>> from crystalml.plotting import plot_ranking
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_models({"Bayes": GaussianNB()}, X, y, random_state=0)
    >>> ax = plot_ranking(comparison)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['Bayes', 'nearest neighbour', 'prior']
    """
    _check_comparison(comparison, "plot_ranking")
    ranking = comparison.ranking(metric)
    ax = axes_or_new(ax, needed_by="plot_ranking", figsize=(6.4, 1.6 + 0.42 * len(ranking)))
    folds = comparison.fold_table
    # The rows held out have a marker of their own.
    folds = folds[folds["fold"] != "hold-out"]
    for place, (name, row) in enumerate(ranking.iterrows()):
        color = REFERENCE_GREY if name in comparison.baselines else OKABE_ITO[0]
        own = folds.loc[folds["model"] == name, metric]
        # Below the mean, which would cover those that lie close to it.
        ax.scatter(
            own, np.full(len(own), place + _BELOW), s=16, facecolor="none", edgecolor=color,
            linewidth=0.8, label="one fold" if place == 0 else None,
        )  # fmt: skip
        ax.errorbar(
            row["mean"], place, xerr=row["std"], fmt="o", markersize=7, color=color, capsize=3,
            label="mean and standard deviation" if place == 0 else None,
        )  # fmt: skip
    if ranking["hold_out"].notna().any():
        _add_held_out(ax, ranking["hold_out"], range(len(ranking)), label="rows held out")
    ax.set_yticks(range(len(ranking)), [name.replace("_", " ") for name in ranking.index])
    ax.invert_yaxis()
    ax.set(xlabel=COMPARISON_METRICS[metric], ylabel="model, best first")
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize="small",
        columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
    return ax


def _add_held_out(ax, x, y, *, label):
    """Mark what was reached on the rows held out."""
    ax.scatter(
        x, y, marker="D", s=18, color="white", edgecolor="black", linewidth=0.9, zorder=3,
        label=label,
    )  # fmt: skip


def _check_comparison(comparison, caller):
    if not isinstance(comparison, ModelComparison):
        raise InvalidInputError(
            f"{caller}: comparison must be what model_selection.compare_models returns, got "
            f"{type(comparison).__name__}."
        )


def _check_shares(metrics):
    """Raise for metrics that would not share an axis from 0 to 1."""
    shares = [name for name in COMPARISON_METRICS if not name.endswith(("_loss", "_seconds"))]
    wrong = [metric for metric in metrics if metric not in shares]
    # A text is a sequence too, of letters.
    if wrong or not len(metrics) or isinstance(metrics, str):
        raise InvalidInputError(
            f"plot_model_comparison: metrics must be a list of some of {shares}, got {metrics!r}. "
            "Use plot_ranking for another one."
        )
