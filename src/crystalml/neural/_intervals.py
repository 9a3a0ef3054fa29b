"""Intervals through the layers that people put around a regressor."""

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
        inputs = model[:-1].transform(X) if len(model) > 1 else X
        return predict_interval(model[-1], inputs, coverage)
    if isinstance(model, TransformedTargetRegressor):
        inner = predict_interval(model.regressor_, X, coverage)
        return _undone(model.transformer_, inner)
    if not hasattr(model, "predict_interval"):
        raise InvalidInputError(
            f"predict_interval: {model!r} has no method predict_interval. Put a "
            "NetEnsembleRegressor, or a net with head='gaussian' or 'quantile', in its place."
        )
    return model.predict_interval(X, coverage=coverage)


def _undone(transformer, interval):
    """Undo the transformation of both ends; one that falls turns them around."""
    columns = interval.reshape(len(interval), -1, 2)
    ends = [transformer.inverse_transform(columns[..., end]) for end in (0, 1)]
    return np.sort(np.stack(ends, axis=-1), axis=-1).reshape(interval.shape)
