"""Rejection curve: what accuracy is gained by not answering where a model is unsure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_consistent_length

from crystalml.exceptions import InvalidInputError
from crystalml.plotting._style import OKABE_ITO, REFERENCE_GREY, axes_or_new, cycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike

__all__ = ["plot_rejection_curve"]

# Rows: the accuracy of fewer jumps up and down.
_SHOWN_FROM = 20
_SHARE_IN_LEGEND = 0.8


def plot_rejection_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    uncertainty: ArrayLike,
    *,
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the accuracy of the rows that are kept when the most uncertain ones are rejected.

    Call it again with the returned Axes to add another uncertainty, or another model, in another
    colour.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted labels of any type.
    uncertainty : array-like of shape (n_samples,)
        Larger where the answer is less sure; only the order matters.
    name : str, default=None
        Name of the uncertainty in the legend.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The curve from all rows (right) to few (left), a dotted line for the order that rejects
        every wrong answer first, and a legend with the accuracy of all rows and of the surest
        80%. A flat curve means that the uncertainty does not tell wrong answers from right
        ones.

    Raises
    ------
    InvalidInputError
        If the arrays are empty or differ in length, or an uncertainty is NaN.

    See Also
    --------
    crystalml.NetEnsembleClassifier.predict_uncertainty : Entropy and mutual information.
    plot_reliability : Whether the probabilities themselves are right.

    References
    ----------
    R. El-Yaniv and Y. Wiener (2010). On the foundations of noise-free selective classification.
    J. Mach. Learn. Res. 11, 1605-1641.

    Examples
    --------
    >>> import numpy as np
    >>> from crystalml.plotting import plot_rejection_curve
    >>> y_true = np.arange(100) % 2
    >>> y_pred = np.where(np.arange(100) < 80, y_true, 1 - y_true)
    >>> ax = plot_rejection_curve(y_true, y_pred, np.arange(100), name="perfect")
    >>> print(ax.get_legend().get_texts()[-1].get_text())
    perfect: 0.800, of the surest 80% 1.000
    """
    kept, accuracy = _kept_and_accuracy(y_true, y_pred, uncertainty)
    ax = axes_or_new(ax, needed_by="plot_rejection_curve", figsize=(5.6, 4.6))
    _add_perfect_order(ax, accuracy[-1])
    # Curves carry this module's name, so that the next call does not count dotted lines among them.
    n_drawn = sum(line.get_gid() == __name__ for line in ax.lines)
    shown = kept >= min(_SHOWN_FROM / len(np.asarray(y_true)), 1)
    color = cycle(OKABE_ITO, n_drawn)
    ax.plot(
        kept[shown], accuracy[shown], color=color, label=_label(name, kept, accuracy), gid=__name__
    )
    ax.set(xlim=(0, 1), xlabel="share of rows kept, surest first", ylabel="share of right answers")
    # A little above 1, or a line along the edge would be cut in half.
    ax.set_ylim(top=1.01)
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left", fontsize="small")
    return ax


def _kept_and_accuracy(y_true, y_pred, uncertainty):
    """Return share of rows and of right answers below each uncertainty; equal ones go together."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    uncertainty = np.asarray(uncertainty, dtype=np.float64)
    check_consistent_length(y_true, y_pred, uncertainty)
    if uncertainty.ndim != 1 or not len(uncertainty) or np.isnan(uncertainty).any():
        raise InvalidInputError(
            "plot_rejection_curve: uncertainty must be one number per row, at least one and none "
            f"NaN; got shape {uncertainty.shape!r} with {np.isnan(uncertainty).sum()} NaN."
        )
    # Equal uncertainties say nothing of the order of their rows: all are kept, or none.
    _, step = np.unique(uncertainty, return_inverse=True)
    counts = np.cumsum(np.bincount(step))
    return counts / counts[-1], np.cumsum(np.bincount(step, y_true == y_pred)) / counts


def _add_perfect_order(ax, accuracy):
    """Draw the curve that no uncertainty can beat, once for each accuracy."""
    label = f"perfect order of answers {accuracy:.1%} of which are right"
    if any(line.get_label() == label for line in ax.lines):
        return
    # Not from zero, where the share of right answers is not defined.
    kept = np.linspace(0.002, 1, 500)
    best = np.minimum(1, accuracy / kept)
    ax.plot(kept, best, color=REFERENCE_GREY, linestyle=":", linewidth=1.2, label=label)


def _label(name, kept, accuracy):
    """Write the legend entry of one curve."""
    surest = np.interp(_SHARE_IN_LEGEND, kept, accuracy)
    prefix = "" if name is None else f"{name}: "
    return f"{prefix}{accuracy[-1]:.3f}, of the surest {_SHARE_IN_LEGEND:.0%} {surest:.3f}"
