"""One column of objects (formulas, structures, paths), in whatever container it comes."""

import os
from itertools import pairwise

import joblib
import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from crystalml.exceptions import InvalidInputError, SchemaError


def object_column(X, names, *, caller, kind):
    """Return the objects as a table with one column, or as an object array of shape (n, 1).

    `names` are the columns to pick from a table with several; `kind` says in messages what
    the objects are.
    """
    columns = list(getattr(X, "columns", ()))
    if columns:
        found = columns if len(columns) == 1 else [name for name in names if name in columns]
        if not found:
            raise SchemaError(
                f"{caller}: the table has {len(columns)} columns and none is named "
                f"{' or '.join(map(repr, names))}; select the column of {kind}."
            )
        return X[found[:1]]
    array = _object_array(X, caller, kind)
    if array.ndim > 2 or array.shape[1:] not in ((), (1,)):
        raise SchemaError(
            f"{caller}: X has shape {array.shape}; give {kind} of shape (n,) or (n, 1)."
        )
    return array.reshape(-1, 1)


def column_values(column):
    """Turn what `object_column` returns into a list; what is missing becomes None."""
    if hasattr(column, "to_numpy"):
        column = np.asarray(column.to_numpy(), dtype=object)
    return [None if is_missing(value) else value for value in column[:, 0]]


def is_missing(value):
    """Tell missing values; the string "NaN" is sodium nitride."""
    if isinstance(value, str | os.PathLike):
        return False
    import pandas as pd

    # Only scalars are asked: isna of a sequence, such as a structure, is an array.
    return value is None or (pd.api.types.is_scalar(value) and pd.isna(value))


def distinct_objects(values):
    """Return the different values, and for every row which of them it holds.

    Two objects that are not text are one if their pickles agree; in doubt they are two, which
    costs time only.
    """
    index = {}
    rows_of = [index.setdefault(_identity(value), (len(index), value))[0] for value in values]
    return [value for _, value in index.values()], np.array(rows_of, dtype=np.intp)


def map_objects(function, values, n_jobs):
    """Apply `function` to each of `values`, by joblib in a few chunks for each worker."""
    n_workers = effective_n_jobs(n_jobs)
    # There is nothing to share out, so that joblib would only add its dispatch.
    if n_workers == 1 or len(values) < 2:
        return _map_chunk(function, values)
    # More chunks than workers, as some structures take much longer than others.
    n_chunks = min(len(values), 4 * n_workers)
    edges = np.linspace(0, len(values), n_chunks + 1).astype(int)
    chunks = [values[start:stop] for start, stop in pairwise(edges)]
    done = Parallel(n_jobs=n_jobs)(delayed(_map_chunk)(function, chunk) for chunk in chunks)
    return [result for chunk in done for result in chunk]


def rows_with_errors(errors, rows_of):
    """Return the positions of the rows whose value has an entry in `errors`."""
    return np.flatnonzero(np.isin(rows_of, list(errors)))


def first_error(errors, values, rows_of):
    """Count the rows that cannot be used, and show the first: the middle of a message."""
    rows = rows_with_errors(errors, rows_of)
    value = rows_of[rows[0]]
    return (
        f"{len(rows)} of {len(rows_of)} rows (first: row {rows[0]}, {describe(values[value])}: "
        f"{errors[value]})"
    )


def error_report(X, errors, rows_of):
    """Return a table with one row per row of X and the column `error`, None where all is well."""
    import pandas as pd

    index = getattr(X, "index", None)
    index = range(len(rows_of)) if index is None or callable(index) else index
    return pd.DataFrame({"error": [errors.get(value) for value in rows_of]}, index, dtype=object)


def describe(value):
    """Name a value in a message, in some words rather than all its sites."""
    formula = getattr(value, "formula", None)
    if isinstance(formula, str):  # pymatgen's compositions and structures
        return f"{type(value).__name__} {formula}"
    if hasattr(value, "get_chemical_formula"):  # ASE
        return f"{type(value).__name__} {value.get_chemical_formula()}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _map_chunk(function, values):
    return [function(value) for value in values]


def _identity(value):
    """Return a key that is equal only for values that are the same in all respects."""
    if value is None or isinstance(value, str):
        return value
    # Only classes whose pickles are known to hold all that counts.
    if type(value).__module__.partition(".")[0] in ("pymatgen", "ase"):
        return joblib.hash(value), type(value)
    return id(value), type(value)


def _object_array(X, caller, kind):
    """Make an object array without looking into structures, which are sequences themselves."""
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        return X.astype(object)
    is_one = isinstance(X, str | bytes | os.PathLike | dict)
    if is_one or not isinstance(X, list | tuple):
        # pymatgen's and ASE's objects have a length, and would fall apart into their sites.
        raise InvalidInputError(
            f"{caller}: X is {describe(X)}, of type {type(X).__name__}; put {kind} into a list, "
            "an array, a Series or a table."
        )
    if len(X) and isinstance(X[0], list | tuple | np.ndarray):
        return np.array(X, dtype=object)
    return np.fromiter(X, dtype=object, count=len(X))
