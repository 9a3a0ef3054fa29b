"""Which features a model uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crystalml.exceptions import InvalidInputError
from crystalml.plotting._data import check_lengths
from crystalml.plotting._style import OKABE_ITO, axes_or_new, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike

__all__ = ["plot_feature_importances"]

_CALLER = "plot_feature_importances"


def plot_feature_importances(
    importances: pd.Series | ArrayLike,
    names: Iterable[object] | None = None,
    *,
    n_features: int = 20,
    label: str = "importance",
    ax: Axes | None = None,
) -> Axes:
    """Show the features that matter most.

    Parameters
    ----------
    importances : Series, or array-like of shape (n_features_in,) or (n_features_in, n_repeats)
        ``feature_importances_`` of a model; or several of them side by side, such as
        ``importances`` of `sklearn.inspection.permutation_importance`, or those of the trees
        of a forest.
    names : array-like of shape (n_features_in,), default=None
        Names of the features. By default the index of the Series or DataFrame.
    n_features : int, default=20
        How many features to show.
    label : str, default="importance"
        Text on the axis of importances: what they are, such as ``"fall of accuracy"``.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A horizontal bar for each feature, the most important on top. With repeats, bars are
        means, and lines reach one standard deviation to each side.

    Raises
    ------
    InvalidInputError
        If there are no names, not as many as importances, an importance is not finite, or
        `n_features` is less than one.

    Notes
    -----
    Importances of trees (mean decrease of impurity) were computed on the training rows and
    favour features with many values; those of permutation can be had on test rows.

    Examples
    --------
    >>> from crystalml.plotting import plot_feature_importances
    >>> ax = plot_feature_importances([0.1, 0.7, 0.2], ["a", "c_over_a", "volume"], n_features=2)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['c_over_a', 'volume']
    >>> ax.get_ylabel()
    'feature (2 of 3)'
    """
    if n_features < 1:
        raise InvalidInputError(f"{_CALLER}: n_features must be at least 1, got {n_features!r}.")
    if names is None:
        if not isinstance(importances, pd.Series | pd.DataFrame):
            raise InvalidInputError(
                f"{_CALLER}: an array has no names of features; pass names, such as "
                "get_feature_names_out() of the step before the model."
            )
        names = importances.index
    array, features = np.asarray(importances, dtype=np.float64), list(names)
    check_lengths(_CALLER, importances=array, names=features)
    if array.ndim not in (1, 2) or not array.size or not np.isfinite(array).all():
        raise InvalidInputError(
            f"{_CALLER}: importances must be finite numbers of shape (n_features_in,) or "
            f"(n_features_in, n_repeats), got shape {array.shape!r} with "
            f"{int((~np.isfinite(array)).sum())} that are not finite."
        )
    # One column for importances without repeats, so that both kinds go the same way.
    array = array.reshape(len(array), -1)
    means, spreads = array.mean(axis=1), array.std(axis=1)
    order = np.argsort(-means, kind="stable")[:n_features]
    rows = np.arange(len(order))
    ax = axes_or_new(ax, needed_by=_CALLER, figsize=(6.4, max(2.4, 1.0 + 0.27 * len(order))))
    # From one repeat alone a spread of zero would look like certainty.
    style = {"xerr": spreads[order], "error_kw": {"elinewidth": 1.2}} if array.shape[1] > 1 else {}
    ax.barh(rows, means[order], color=OKABE_ITO[0], **style)
    ax.set_yticks(rows, [plain_text(str(features[row])) for row in order])
    ax.invert_yaxis()
    repeats = f"\nmean of {array.shape[1]} ± standard deviation" if style else ""
    ax.set(xlabel=label + repeats, ylabel=f"feature ({len(order)} of {len(array)})")
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    return ax
