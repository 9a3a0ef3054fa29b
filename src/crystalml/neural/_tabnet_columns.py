"""Categorical columns as codes: which they are, what they hold, and what is new in them."""

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from crystalml.exceptions import InvalidInputError


def find_categorical(X, wanted, *, caller):
    """Return the positions of the categorical columns of `X`, ascending.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows as the user gave them.
    wanted : "from_dtype", array-like of bool, int or str, or None
        The parameter `categorical_features`.
    caller : str
        Name of the estimator, used in messages.

    Raises
    ------
    InvalidInputError
        If a column is named that `X` does not have.
    """
    if wanted is None or issparse(X):
        return []
    if isinstance(wanted, str):
        if not isinstance(X, pd.DataFrame):
            return []
        return [i for i in range(X.shape[1]) if _holds_categories(X.iloc[:, i])]
    wanted = np.asarray(wanted, dtype=object).tolist()
    n_columns = np.shape(X)[1] if np.ndim(X) == 2 else 0
    if wanted and all(isinstance(choice, bool | np.bool_) for choice in wanted):
        if len(wanted) != n_columns:
            raise InvalidInputError(
                f"{caller}: categorical_features has {len(wanted)} truth values, but X has "
                f"{n_columns} columns. Give one for each, or the positions or names of columns."
            )
        return np.flatnonzero(wanted).tolist()
    names = X.columns.tolist() if isinstance(X, pd.DataFrame) else []
    return sorted({_position(column, names, n_columns, caller) for column in wanted})


def as_columns(X):
    """Return rows as a DataFrame or an array; lists may hold text beside numbers."""
    return X if isinstance(X, pd.DataFrame | np.ndarray) else np.array(X, dtype=object)


def category_values(X, column):
    """Return one column as a Series: numbers as float64, others as objects; missing is NaN."""
    values = X.iloc[:, column] if isinstance(X, pd.DataFrame) else X[:, column]
    values = np.array(values, dtype=object)
    values[pd.isna(values)] = np.nan
    values = pd.Series(values, dtype=object)
    inferred = values.infer_objects()
    is_text = inferred.dtype == object or isinstance(inferred.dtype, pd.StringDtype)
    return values if is_text else inferred.astype(np.float64)


def learn_categories(values):
    """Return the sorted categories of a column; missing values, if any, are the last one."""
    _, categories = pd.factorize(values[values.notna()], sort=True)
    categories = np.asarray(categories)
    if values.notna().all():
        return categories
    dtype = np.float64 if categories.dtype.kind == "f" else object
    return np.append(categories.astype(dtype), np.nan).astype(dtype)


def encode(values, categories):
    """Return codes from 1 in the order of the categories; what is not among them is 0."""
    known = pd.Index(categories)
    if known.dtype != values.dtype:
        known, values = known.astype(object), values.astype(object)
    return known.get_indexer(pd.Index(values)) + 1


def with_codes(X, columns, codes):
    """Return a copy of `X` that holds codes in the categorical columns."""
    if isinstance(X, pd.DataFrame):
        data = {i: X.iloc[:, i].array for i in range(X.shape[1])}
        data.update(zip(columns, codes, strict=True))
        return pd.DataFrame(data, index=X.index).set_axis(X.columns, axis=1)
    X = X.copy() if X.dtype.kind == "O" else X.astype(np.float64)
    for column, numbers in zip(columns, codes, strict=True):
        X[:, column] = numbers
    return X


def _holds_categories(column):
    """Tell whether a column of a table holds categories: by its dtype, or text throughout."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string"


def _position(column, names, n_columns, caller):
    """Return the position of one named column, or raise."""
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, int | np.integer) and 0 <= column < n_columns:
        return int(column)
    remedy = f"its names are {names!r}" if names else "its columns have no names"
    raise InvalidInputError(
        f"{caller}: {column!r} in categorical_features is no column of X, which has {n_columns} "
        f"columns; {remedy}. Give names of a DataFrame's columns, or positions from 0."
    )
