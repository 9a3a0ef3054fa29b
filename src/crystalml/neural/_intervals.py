"""Intervals of predicted numbers: calibrated on rows set aside, and carried through pipelines.

Split-conformal calibration: a score says how far a target lies from its prediction. An interval
holds all values whose score is at most the right quantile of the scores of the calibration rows; if
new rows are as exchangeable with these as they are with one another, it covers the asked share on
average, whatever the net.
"""

from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from crystalml._typing import Estimator, MatrixLike, NDArray
from crystalml.exceptions import InvalidInputError


def predict_interval(model: Estimator, X: MatrixLike, coverage: float = 0.9) -> NDArray[Any]:
    """Return the intervals of a regressor inside pipelines and target transformations.

    scikit-learn's ``Pipeline`` and ``TransformedTargetRegressor`` do not pass on
    `predict_interval`, and the latter cannot undo a transformation of standard deviations. An
    interval goes through any monotonic transformation as it is: if the logarithm of a volume lies
    between two ends in 90 of 100 cases, so does the volume between their exponentials.

    Parameters
    ----------
    model : estimator
        Fitted: a net regressor, `NetEnsembleRegressor` or any estimator with a method
        ``predict_interval(X, coverage=...)``, inside any number of ``Pipeline`` and
        ``TransformedTargetRegressor`` whose transformation is monotonic.
    X : array-like of shape (n_samples, n_features)
        Inputs of `model`.
    coverage : float, default=0.9
        Share of rows whose target the interval should hold.

    Returns
    -------
    ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
        Lower and upper end, in the units that `model` predicts.

    Raises
    ------
    InvalidInputError
        If the innermost estimator has no `predict_interval`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.compose import TransformedTargetRegressor
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from crystalml.neural import MLPNetRegressor, NetEnsembleRegressor, predict_interval
    >>> rng = np.random.default_rng(0)
    >>> edges = rng.uniform(3, 20, size=(400, 3))
    >>> volume = edges.prod(axis=1) * rng.lognormal(sigma=0.1, size=400)
    >>> net = MLPNetRegressor(head="gaussian", learning_rate=1e-2, max_epochs=20)
    >>> model = TransformedTargetRegressor(
    ...     make_pipeline(StandardScaler(), NetEnsembleRegressor(net, 2, random_state=0)),
    ...     func=np.log1p,
    ...     inverse_func=np.expm1,
    ... ).fit(edges, volume)
    >>> low, high = predict_interval(model, edges[:5], coverage=0.9).T
    >>> bool((low < model.predict(edges[:5])).all())
    True
    """
    if isinstance(model, Pipeline):
        # The steps before the regressor, if there are any: an empty slice has no transform.
        inputs = model[:-1].transform(X) if len(model) > 1 else X
        return predict_interval(model[-1], inputs, coverage)
    if isinstance(model, TransformedTargetRegressor):
        inner = predict_interval(model.regressor_, X, coverage)
        return _inverse_transformed(model.transformer_, inner)
    if not hasattr(model, "predict_interval"):
        raise InvalidInputError(
            f"predict_interval: {model!r} has no method predict_interval. Put a "
            "NetEnsembleRegressor, or a net with head='gaussian' or 'quantile', in its place."
        )
    return model.predict_interval(X, coverage=coverage)


def _inverse_transformed(transformer, interval):
    """Undo the transformation of both ends; one that falls turns them around."""
    columns = interval.reshape(len(interval), -1, 2)
    # One end at a time, as transformers expect a column for each target.
    ends = [transformer.inverse_transform(columns[..., end]) for end in (0, 1)]
    return np.sort(np.stack(ends, axis=-1), axis=-1).reshape(interval.shape)


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
        # In units of the predicted standard deviation, so that sure rows get narrow intervals.
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
    # The new row is one of n + 1 exchangeable ones, hence n + 1. The small number is for products
    # that rounding lifts above a whole number, which would cost a row.
    rank = int(np.ceil((n_rows + 1) * coverage - 1e-9))
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
    # Any pair would keep the promise after calibration; the nearest one needs the least change.
    inner = np.abs(head.levels[high] - head.levels[low] - coverage).argmin()
    ends = values[..., low[inner]] - reach[:, inner], values[..., high[inner]] + reach[:, inner]
    # A large negative reach may turn a narrow interval around; it is then a point.
    middle = (ends[0] + ends[1]) / 2
    return np.stack([np.minimum(ends[0], middle), np.maximum(ends[1], middle)], axis=-1)


def symmetric_pairs(levels):
    """Return the positions of the quantiles p <= 0.5 whose 1 - p is there, and of those."""
    rows, columns = np.nonzero(np.isclose(levels[:, None] + levels, 1))
    # The median pairs with itself: its interval is calibrated from a point.
    below = rows <= columns
    return rows[below], columns[below]
