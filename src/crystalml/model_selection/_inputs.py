"""Checks of probabilities, weights and cells that several functions share."""

from typing import Any

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import ArrayLike, FloatArray, NDArray
from crystalml._validation import as_pandas
from crystalml.exceptions import InvalidInputError, SchemaError


def check_probabilities(
    y_true: ArrayLike | None, y_proba: ArrayLike, labels: ArrayLike, caller: str
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the probabilities and, per row, the column of the true label (-1: unseen)."""
    y_proba = np.asarray(y_proba, dtype=float)
    columns = pd.Index(np.asarray(labels))
    # Without true labels any known one serves for the check of the shapes.
    y_true = np.asarray(columns[[0] * len(y_proba)] if y_true is None else y_true)
    if y_true.ndim != 1 or y_proba.shape != (len(y_true), len(columns)):
        raise InvalidInputError(
            f"{caller}: got y_true of shape {y_true.shape}, y_proba of shape {y_proba.shape} and "
            f"{len(columns)} labels; y_proba must have one row per true label and one column "
            "per label (pass labels=estimator.classes_)."
        )
    if not len(y_true):
        raise InvalidInputError(f"{caller}: got no rows; at least one is needed.")
    if not columns.is_unique:
        repeated = columns[columns.duplicated()].tolist()[0]
        raise InvalidInputError(
            f"{caller}: label {repeated!r} occurs twice; each names one column."
        )
    # Probabilities in single precision may exceed one by some 1e-7.
    outside = ~((y_proba >= 0) & (y_proba <= 1 + 1e-6)).all(axis=1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InvalidInputError(
            f"{caller}: {outside.sum()} rows of y_proba have values outside [0, 1] "
            f"(first: row {row}, {y_proba[row].min()!r} to {y_proba[row].max()!r}). "
            "Pass the output of predict_proba."
        )
    # `get_indexer` returns -1 for what it does not find, which is a valid index: callers must mask
    # these rows.
    return y_proba, columns.get_indexer(y_true)


def checked_weights(sample_weight: ArrayLike | None, n_rows: int, caller: str) -> FloatArray:
    """Return `sample_weight` as an array, ones by default."""
    weights = np.ones(n_rows) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if weights.shape != (n_rows,) or not (weights >= 0).all() or not weights.sum() > 0:
        raise InvalidInputError(
            f"{caller}: sample_weight must hold {n_rows} numbers >= 0 that are not all zero; "
            f"got shape {weights.shape}."
        )
    return weights


def has_cell_columns(table: Any) -> bool:
    """Whether some column of a table is one of a cell; an array has no names to go by."""
    return bool(set(getattr(table, "columns", ())).intersection(CELL_COLUMNS))


def cells_of(table: Any, caller: str) -> Any:
    """Return the six columns of a table as numbers, NaN where missing; others as they are."""
    table = as_pandas(table)
    if has_cell_columns(table):
        missing = [name for name in CELL_COLUMNS if name not in table.columns]
        if missing:
            raise SchemaError(
                f"{caller}: the table has no column {', '.join(map(repr, missing))}; give all of "
                f"{', '.join(map(repr, CELL_COLUMNS))}, or an array with six columns in this order."
            )
        table = table[list(CELL_COLUMNS)]
    # Nullable columns hold pd.NA, which NumPy cannot convert by itself.
    if isinstance(table, pd.DataFrame):
        return table.to_numpy(dtype=float, na_value=np.nan)
    return table
