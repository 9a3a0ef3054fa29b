"""Reliability diagram: how sure a model is against how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crystalml.model_selection import expected_calibration_error, reliability_curve
from crystalml.plotting._style import MARKERS, OKABE_ITO, REFERENCE_GREY, axes_or_new, cycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crystalml._typing import ArrayLike

__all__ = ["plot_reliability"]

_DIAGONAL = "perfect calibration"


def plot_reliability(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    n_bins: int = 15,
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the accuracy of the top answer against its probability, in equal-count bins.

    Call it again with the returned Axes to add another model in another colour and marker.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type; one that is not in `labels` makes every answer wrong.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    n_bins : int, default=15
        Largest number of bins.
    name : str, default=None
        Name of the model in the legend.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        One point per bin with its 95% Wilson interval, the diagonal of perfect calibration,
        and a legend with the expected calibration error and the rows per bin. Below the
        diagonal a model is surer than it should be. Since bins hold equal counts, points crowd
        together where most answers lie.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `n_bins` is less than one or `y_proba` are no probabilities.

    References
    ----------
    E. B. Wilson (1927). Probable inference, the law of succession, and statistical inference.
    J. Am. Stat. Assoc. 22, 209-212.

    Examples
    --------
    >>> from crystalml.plotting import plot_reliability
    >>> y_proba = [[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.9, 0.1]]
    >>> ax = plot_reliability([1, 1, 1, 1], y_proba, labels=[1, 2], n_bins=2, name="model")
    >>> print(ax.get_legend().get_texts()[-1].get_text())
    model: calibration error 0.100, 2 bins of 2 rows
    """
    curve = reliability_curve(y_true, y_proba, labels=labels, n_bins=n_bins)
    error = expected_calibration_error(y_true, y_proba, labels=labels, n_bins=n_bins)
    ax = axes_or_new(ax, needed_by="plot_reliability", figsize=(5.6, 5.6))
    _add_frame(ax)
    # Only models have error bars; the diagonal has none.
    n_models = sum(hasattr(container, "has_yerr") for container in ax.containers)
    ax.errorbar(
        curve["confidence"],
        curve["accuracy"],
        yerr=_wilson_distances(curve["accuracy"].to_numpy(), curve["count"].to_numpy()),
        color=cycle(OKABE_ITO, n_models),
        marker=cycle(MARKERS, n_models),
        markersize=5,
        elinewidth=1,
        capsize=2,
        label=_label(name, error, curve["count"]),
    )
    ax.legend(loc="best", fontsize="small")
    return ax


def _add_frame(ax):
    """Draw the diagonal and label the axes, once."""
    if any(line.get_label() == _DIAGONAL for line in ax.lines):
        return
    ax.plot([0, 1], [0, 1], color=REFERENCE_GREY, linestyle="--", linewidth=1, label=_DIAGONAL)
    ax.set(
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
        xlabel="mean probability of the top answer",
        ylabel="share of right top answers",
    )
    ax.grid(alpha=0.3)


def _label(name, error, counts):
    """Write the legend entry of one model."""
    smallest, largest = counts.min(), counts.max()
    rows = f"{smallest:,}" if smallest == largest else f"{smallest:,}-{largest:,}"
    bins = "1 bin" if len(counts) == 1 else f"{len(counts)} bins"
    prefix = "" if name is None else f"{name}: "
    return f"{prefix}calibration error {error:.3f}, {bins} of {rows} rows"


def _wilson_distances(share, count):
    """Return how far the 95% Wilson interval reaches below and above each share."""
    # Of a normal distribution, 95% lie within 1.96 standard deviations. Wilson's interval has a
    # width where all answers of a bin are right, and stays between 0 and 1.
    z = 1.96
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    # Rounding may leave an end of the interval 1e-17 on the wrong side of the share.
    return np.maximum([share - (centre - half), centre + half - share], 0)
