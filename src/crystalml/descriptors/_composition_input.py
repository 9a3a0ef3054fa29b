"""Formulas in whatever container they come, to a matrix of element amounts."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import sparse

from crystalml.crystallography import ELEMENTS, parse_formulas
from crystalml.descriptors._composition_features import SMALLEST_AMOUNT
from crystalml.exceptions import SchemaError

_FORMULA_COLUMN = "formula"
_SEPARATOR = "\x00"


class Reading(NamedTuple):
    """Amounts of n formulas, and what was noticed."""

    amounts: sparse.csr_array  # (n, 118); no elements where there is an error
    errors: dict[int, str]  # formula -> why it cannot be used
    has_deuterium: np.ndarray  # (n,), whether D or T was written


def is_amounts(X):
    """Tell a matrix of element amounts from a column of formulas."""
    if sparse.issparse(X):
        return True
    is_as_wide = getattr(X, "shape", ())[1:] == (len(ELEMENTS),)
    return is_as_wide and _FORMULA_COLUMN not in getattr(X, "columns", ())


def one_column(X, *, caller):
    """Return the formulas as a table with one column, or as an object array of shape (n, 1)."""
    names = list(getattr(X, "columns", ()))
    if names:
        if len(names) == 1:
            return X
        if _FORMULA_COLUMN in names:
            return X[[_FORMULA_COLUMN]]
        raise SchemaError(
            f"{caller}: the table has {len(names)} columns and none is named "
            f"{_FORMULA_COLUMN!r}; select the column of formulas."
        )
    # One formula alone has a length, and would be taken apart into letters or elements.
    if isinstance(X, (str, bytes, Mapping)) or not hasattr(X, "__len__"):
        raise SchemaError(f"{caller}: X is {X!r}; put formulas into a list.")
    array = _object_array(X)
    if array.ndim > 2 or array.shape[1:] not in ((), (1,)):
        raise SchemaError(
            f"{caller}: X has shape {array.shape}; give formulas of shape (n,) or (n, 1), or "
            f"element amounts of shape (n, {len(ELEMENTS)})."
        )
    return array.reshape(-1, 1)


def as_list(column):
    """Turn what `one_column` returns into a list of str, mappings and None."""
    if hasattr(column, "to_numpy"):
        column = np.asarray(column.to_numpy(), dtype=object)
    values = column[:, 0].tolist()
    # The usual case, and quicker told for all values than for each.
    if set(map(type, values)) <= {str, type(None)}:
        return values
    return [_plain(value) for value in values]


def distinct(formulas):
    """Return the different formulas, and for every row which of them it holds."""
    n = len(formulas) if isinstance(formulas, list) else formulas.shape[0]
    if not _are_texts(formulas):  # pymatgen compares compositions with a tolerance
        return formulas, np.arange(n)
    # Texts only: two that differ may mean the same, which costs time but no correctness.
    index = dict.fromkeys(formulas)
    if len(index) == n:
        return formulas, np.arange(n)
    index = {formula: position for position, formula in enumerate(index)}
    return list(index), np.fromiter(map(index.__getitem__, formulas), dtype=np.intp, count=n)


def read(formulas, *, charges):
    """Read a list of formulas, or check a CSR matrix of amounts; report, never raise."""
    if isinstance(formulas, list):
        parsed = parse_formulas(formulas, on_error="report", charges=charges)
        amounts, isotopes = parsed.amounts, parsed.has_deuterium
        errors = {row: parsed.errors[row] for row in _empty_rows(amounts)}
    else:
        # A copy, as impossible rows are emptied, and the matrix is the user's.
        amounts, isotopes, errors = formulas.copy(), np.zeros(formulas.shape[0], dtype=bool), {}
        _drop_impossible(amounts, errors)
    if (amounts.data < SMALLEST_AMOUNT).any():
        amounts.data[amounts.data < SMALLEST_AMOUNT] = 0.0
        amounts.eliminate_zeros()
    for row in _empty_rows(amounts):
        errors.setdefault(row, f"no element has an amount of at least {SMALLEST_AMOUNT:g}")
    return Reading(amounts, errors, isotopes)


def as_key(formulas, *, charges):
    """Turn formulas into what joblib can hash quickly: one text, or three arrays."""
    if _are_texts(formulas):
        text = _SEPARATOR.join([*formulas, ""]) if None not in formulas else ""
        if text.count(_SEPARATOR) == len(formulas):
            return text
        # A missing formula is as good as an empty one; no readable one has the separator.
        texts = [(formula or "").replace(_SEPARATOR, "?") for formula in formulas]
        return _SEPARATOR.join([*texts, ""])
    if isinstance(formulas, list):
        formulas = read(formulas, charges=charges).amounts
    return formulas.data, formulas.indices, formulas.indptr


def from_key(key):
    """Undo `as_key`."""
    if isinstance(key, str):
        return key.split(_SEPARATOR)[:-1]
    return sparse.csr_array(key, shape=(len(key[2]) - 1, len(ELEMENTS)))


def _are_texts(formulas):
    return isinstance(formulas, list) and set(map(type, formulas)) <= {str, type(None)}


def _object_array(X):
    """Make an object array without looking into mappings, which are formulas themselves."""
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        return X.astype(object)
    if len(X) and isinstance(X[0], (list, tuple, np.ndarray)):
        return np.array(X, dtype=object)
    return np.fromiter(X, dtype=object, count=len(X))


def _plain(value):
    """Make str of its subclasses and None of what is missing; "NaN" is sodium nitride."""
    import pandas as pd

    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return value
    return None if pd.api.types.is_scalar(value) and pd.isna(value) else value


def _empty_rows(amounts):
    return np.flatnonzero(np.diff(amounts.indptr) == 0).tolist()


def _drop_impossible(amounts, errors):
    """Empty the rows of a CSR matrix with amounts that are none, and say so."""
    # A CSR matrix may hold an entry in parts; only their sum is an amount.
    amounts.sum_duplicates()
    bad = np.flatnonzero(~((amounts.data >= 0.0) & (amounts.data < np.inf)))
    rows = np.searchsorted(amounts.indptr, bad, side="right") - 1
    for row, entry in zip(rows.tolist(), bad.tolist(), strict=True):
        element = ELEMENTS[amounts.indices[entry]]
        errors.setdefault(row, f"the amount of {element} is {float(amounts.data[entry])}")
    for row in errors:
        amounts.data[amounts.indptr[row] : amounts.indptr[row + 1]] = 0.0
