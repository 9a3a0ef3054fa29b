"""Which model is right on which sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crystalml.crystallography import spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.plotting._style import OKABE_ITO, REFERENCE_GREY, axes_or_new, typeset_spacegroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike, RandomState

__all__ = ["plot_sample_consistency"]

_COLORS = (*OKABE_ITO, REFERENCE_GREY, "#000000")


def plot_sample_consistency(
    y_true: ArrayLike,
    predictions: pd.DataFrame | Mapping[str, ArrayLike],
    *,
    n_samples: int = 30,
    random_state: RandomState = None,
    sample_names: ArrayLike | None = None,
    spacegroups: bool = False,
    ax: Axes | None = None,
) -> Axes:
    r"""Show for some samples which models are right: one row per sample, one column per model.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        True labels of any type.
    predictions : DataFrame or dict of str to array-like of shape (n_rows,)
        Name of each model -> the labels that it predicts, for rows that it has not seen.
    n_samples : int, default=30
        Samples to show, drawn at random where there are more rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.
    sample_names : array-like of shape (n_rows,), default=None
        Name of each row, such as its formula, written beside the true label.
    spacegroups : bool, default=False
        Write labels as Hermann-Mauguin symbols of the space groups with these numbers.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        A circle where a model is right, a cross where it is wrong, in the colour of the model.
        Samples that most models know are on top; equal ones are in the order of the rows. Below
        each model stands how many of the samples shown it has right.

    Raises
    ------
    InvalidInputError
        If there are no models or rows, lengths differ or `n_samples` is less than one.
    SpaceGroupError
        If `spacegroups` is asked for and a label is not in 1-230.

    See Also
    --------
    crystalml.model_selection.compare_models : Its ``predictions`` are out of fold.

    Examples
    --------
    >>> from crystalml.plotting import plot_sample_consistency
    >>> predictions = {"tree": [14, 14, 225], "forest": [14, 62, 225]}
    >>> ax = plot_sample_consistency([14, 62, 227], predictions, spacegroups=True)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['$P2_{1}/c$', '$Pnma$', '$Fd\\overline{3}m$']
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['tree\n1 of 3', 'forest\n2 of 3']
    """
    right, labels = _right_answers(y_true, predictions, n_samples)
    rows = _drawn_rows(right, n_samples, random_state)
    right = right.iloc[rows]
    names = _row_names(labels[rows], sample_names, rows, len(labels), spacegroups)
    size = (1.6 + 0.85 * right.shape[1] + 0.06 * max(map(len, names)), 1.4 + 0.24 * len(rows))
    ax = axes_or_new(ax, needed_by="plot_sample_consistency", figsize=size)
    for column, (name, values) in enumerate(right.items()):
        _add_model(ax, column, name, values.to_numpy())
    ticks = [f"{name}\n{values.sum()} of {len(rows)}" for name, values in right.items()]
    ticks = [tick.replace("_", " ") for tick in ticks]
    ax.set_xticks(range(right.shape[1]), ticks, rotation=30, ha="right", rotation_mode="anchor")
    small: dict[str, Any] = {"fontsize": "small"} if len(rows) > 12 else {}
    ax.set_yticks(range(len(rows)), names, **small)
    ax.set(
        xlim=(-0.5, right.shape[1] - 0.5),
        # From large to small: the first sample is on top.
        ylim=(len(rows) - 0.5, -0.5),
        xlabel="model, right answers (circle: right, cross: wrong)",
        ylabel="true label" if sample_names is None else "sample, true label",
    )
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    return ax


def _right_answers(y_true, predictions, n_samples):
    """Return who is right where, and the true labels."""
    y_true = np.asarray(y_true)
    columns = {str(name): np.asarray(labels) for name, labels in dict(predictions).items()}
    shapes = [labels.shape for labels in columns.values()]
    if y_true.ndim != 1 or not len(y_true) or set(shapes) != {y_true.shape}:
        raise InvalidInputError(
            f"plot_sample_consistency: got true labels of shape {y_true.shape} and predictions of "
            f"shapes {shapes}; give one label per row and model, one of each at least."
        )
    if n_samples < 1:
        raise InvalidInputError(
            f"plot_sample_consistency: n_samples must be at least 1, got {n_samples!r}."
        )
    return pd.DataFrame({name: labels == y_true for name, labels in columns.items()}), y_true


def _drawn_rows(right, n_samples, random_state):
    """Draw rows, those that most models know first."""
    # Drawn before they are put in order: the best rows alone would flatter every model.
    rows = right.sample(min(n_samples, len(right)), random_state=random_state).index.to_numpy()
    # Ascending, so that the stable sort leaves rows known to equally many in this order.
    rows = np.sort(rows)
    return rows[np.argsort(-right.to_numpy()[rows].sum(axis=1), kind="stable")]


def _row_names(labels, sample_names, rows, n_rows, spacegroups):
    """Write name and true label of each row."""
    texts = [str(label) for label in labels.tolist()]
    if spacegroups:
        texts = [typeset_spacegroup(symbol) for symbol in spacegroup_symbol(labels)]
    if sample_names is None:
        return texts
    sample_names = np.asarray(sample_names, dtype=object)
    if sample_names.shape != (n_rows,):
        raise InvalidInputError(
            f"plot_sample_consistency: got {n_rows} true labels and sample_names of shape "
            f"{sample_names.shape}; give one name per row."
        )
    return [f"{name}, {text}" for name, text in zip(sample_names[rows], texts, strict=True)]


def _add_model(ax, column, name, right):
    """Draw the circles and crosses of one model."""
    color = _COLORS[column % len(_COLORS)]
    places = np.arange(len(right))
    # The marker tells right from wrong, so that colour can tell the models apart.
    for kind, marker, chosen in (("right", "o", right), ("wrong", "x", ~right)):
        ax.scatter(
            np.full(chosen.sum(), column),
            places[chosen],
            marker=marker,
            s=42 if marker == "o" else 30,
            color=color,
            label=f"{name}, {kind}",
        )
