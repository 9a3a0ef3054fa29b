"""Split-conformal intervals: wide enough for a known share of rows that no net has seen.

A score says how far a target lies from its prediction. An interval holds all values whose score is
at most the right quantile of the scores of the calibration rows; if new rows are as exchangeable
with these as they are with one another, it covers the asked share on average, whatever the net.
"""

import numpy as np

from crystalml.exceptions import InvalidInputError


def conformal_scores(head, values, y):
    """Return the sorted scores of calibration rows for each target and each inner interval.

    Absolute errors for a point, in standard deviations for a normal distribution (Lei et al.,
    2018), and the distance to the interval between two learned quantiles, negative inside, for
    every symmetric pair of them (conformalised quantile regression: Romano et al., 2019).

    Parameters
    ----------
    head : PointHead
        Says what `values` are.
    values : ndarray of shape (n_rows, n_targets, head.width)
        Predictions.
    y : ndarray of shape (n_rows, n_targets)
        Targets.

    Returns
    -------
    ndarray of shape (n_rows, n_targets, n_inner)
        Ascending along the first axis.
    """
    if head.name == "quantile":
        low, high = symmetric_pairs(head.levels)
        scores = np.maximum(values[..., low] - y[..., None], y[..., None] - values[..., high])
    else:
        scores = np.abs(y - head.centre(values))
        scores = (scores if head.std(values) is None else scores / head.std(values))[..., None]
    return np.sort(scores, axis=0)


def conformal_interval(head, values, scores, coverage, *, caller):
    """Return the lower and upper end that hold a share `coverage` of the calibration rows.

    Parameters
    ----------
    head, values
        As in `conformal_scores`, for the rows to predict.
    scores : ndarray of shape (n_calibration, n_targets, n_inner)
        As `conformal_scores` gives them.
    coverage : float
        Between 0 and 1.
    caller : str
        Name of the estimator, used in messages.

    Returns
    -------
    ndarray of shape (n_rows, n_targets, 2)

    Raises
    ------
    InvalidInputError
        If there are too few calibration rows for so large a coverage.
    """
    n_rows = len(scores)
    rank = int(np.ceil((n_rows + 1) * coverage - 1e-9))  # rounding must not cost a row
    if rank > n_rows:
        raise InvalidInputError(
            f"{caller}: an interval with coverage={coverage!r} needs at least "
            f"{int(np.ceil(coverage / (1 - coverage) - 1e-9))} calibration rows, but there were "
            f"{n_rows}. Give more rows, raise calibration_fraction, or ask for less coverage."
        )
    reach = scores[rank - 1]
    if head.name != "quantile":
        half = reach[:, 0] * (1 if head.std(values) is None else head.std(values))
        centre = head.centre(values)
        return np.stack([centre - half, centre + half], axis=-1)
    low, high = symmetric_pairs(head.levels)
    inner = np.abs(head.levels[high] - head.levels[low] - coverage).argmin()
    ends = values[..., low[inner]] - reach[:, inner], values[..., high[inner]] + reach[:, inner]
    # A large negative reach may turn a narrow interval around; it is then a point.
    middle = (ends[0] + ends[1]) / 2
    return np.stack([np.minimum(ends[0], middle), np.maximum(ends[1], middle)], axis=-1)


def symmetric_pairs(levels):
    """Return the positions of the quantiles p <= 0.5 whose 1 - p is there, and of those."""
    rows, columns = np.nonzero(np.isclose(levels[:, None] + levels, 1))
    below = rows <= columns
    return rows[below], columns[below]
