"""Predicted volumes beside the one that follows from the cell."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, r2_score
from sklearn.utils.validation import check_consistent_length

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import ArrayLike, FloatArray
from crystalml._validation import as_pandas
from crystalml.crystallography import cell_volume, validate_cells
from crystalml.exceptions import InvalidInputError, SchemaError
from crystalml.model_selection._probabilities import checked_weights

__all__ = ["volume_report"]

_CALLER = "volume_report"
_EXACT = "exact formula"


def volume_report(
    y_true: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    cells: pd.DataFrame | ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score predicted cell volumes, and the volume computed from the cell beside them.

    The volume of a cell is arithmetic. Whatever a model predicts from inputs that hold the six
    cell parameters competes with a formula that has no error but rounding, so the last row of the
    report is always that formula.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Volumes in Å^3, > 0.
    predictions : dict of str to array-like of shape (n_samples,)
        Name of each model -> volumes that it predicts, in Å^3.
    cells : DataFrame or array-like of shape (n_samples, 6)
        The cells: a table with the columns `a`, `b`, `c` (Å), `alpha`, `beta`, `gamma` (degrees)
        among others, or an array of the six in this order.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    DataFrame of shape (n_models + 1, 3)
        A row for each model, in the order given, and ``"exact formula"``. The columns are ``r2``
        (coefficient of determination of the volumes themselves, not of their logarithms),
        ``mean_absolute_error`` in Å^3, and ``mean_absolute_percentage_error``, which despite its
        name is a fraction of the true volume.

    Raises
    ------
    InvalidInputError
        If `predictions` is no dict, a volume is not finite, or a true one is not > 0.
    SchemaError
        If `cells` has neither the names nor the number of columns of a cell.
    CellError
        If a row of `cells` is no unit cell.

    See Also
    --------
    crystalml.crystallography.cell_volume : The formula.
    crystalml.log_volume : Regression of volumes on a log scale.

    Examples
    --------
    The product of the edges, a poor man's volume, for halite and quartz:

    >>> from crystalml.model_selection import volume_report
    >>> cells = [[5.64, 5.64, 5.64, 90, 90, 90], [4.91, 4.91, 5.40, 90, 90, 120]]
    >>> product = [a * b * c for a, b, c, *_ in cells]
    >>> volume_report([179.4, 112.7], {"edge product": product}, cells).round(2)
                     r2  mean_absolute_error  mean_absolute_percentage_error
    edge product   0.86                 8.74                            0.08
    exact formula  1.00                 0.02                            0.00
    """
    if not isinstance(predictions, Mapping) or _EXACT in predictions:
        raise InvalidInputError(
            f"{_CALLER}: predictions must be a dict from the name of a model to its volumes, "
            f"without {_EXACT!r}, which is computed here; got {predictions!r}."
        )
    y_true = _volumes(y_true, "y_true")
    if (y_true <= 0).any():
        row = int((y_true <= 0).argmax())
        raise InvalidInputError(
            f"{_CALLER}: y_true must be > 0, but row {row} has {float(y_true[row])!r}. Drop it."
        )
    weights = checked_weights(sample_weight, len(y_true), _CALLER)
    exact = cell_volume(validate_cells(_cells(cells), caller=_CALLER))
    rows = {
        str(name): _scores(y_true, volumes, name, weights)
        for name, volumes in {**predictions, _EXACT: exact}.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _cells(cells):
    """Pick the six columns of a table by name."""
    cells = as_pandas(cells)
    if not isinstance(cells, pd.DataFrame) or not set(cells.columns).intersection(CELL_COLUMNS):
        return np.asarray(cells, dtype=np.float64)
    missing = [name for name in CELL_COLUMNS if name not in cells.columns]
    if missing:
        raise SchemaError(
            f"{_CALLER}: cells has no column {', '.join(map(repr, missing))}; give all of "
            f"{', '.join(map(repr, CELL_COLUMNS))}."
        )
    return cells[list(CELL_COLUMNS)].to_numpy(dtype=np.float64)


def _volumes(values: ArrayLike, name: str) -> FloatArray:
    """Return finite numbers in one dimension, or raise."""
    volumes = np.asarray(values, dtype=np.float64)
    if volumes.ndim != 1:
        raise InvalidInputError(
            f"{_CALLER}: {name} has shape {volumes.shape!r}; give one volume per row."
        )
    bad = ~np.isfinite(volumes)
    if bad.any():
        row = int(bad.argmax())
        raise InvalidInputError(
            f"{_CALLER}: {name} has {bad.sum()} NaN or infinite volumes (first: row {row}). Drop "
            "these rows everywhere, and say how many they were."
        )
    return volumes


def _scores(y_true, volumes, name, weights):
    """Return the metrics of one model."""
    volumes = _volumes(volumes, f"predictions[{name!r}]")
    check_consistent_length(y_true, volumes)
    metrics = {
        "r2": r2_score,
        "mean_absolute_error": mean_absolute_error,
        "mean_absolute_percentage_error": mean_absolute_percentage_error,
    }
    return {
        label: float(metric(y_true, volumes, sample_weight=weights))
        for label, metric in metrics.items()
    }
