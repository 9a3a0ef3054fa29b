"""Checks of parameters and of rows: the only module that touches scikit-learn's private helpers."""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_array, check_consistent_length

from crystalml._typing import FloatArray, IntArray, RandomState
from crystalml.exceptions import CrystalmlWarning, InvalidInputError

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "as_pandas",
    "check_parameters",
    "check_sample_weight",
    "group_codes",
    "private_random_state",
    "warn",
]

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


def as_pandas(X: Any) -> Any:
    """Return a table of another library, such as polars, as a pandas DataFrame.

    Parameters
    ----------
    X : object
        What a user gave. A table has column names and gives each column as an array; whatever
        is none, or is pandas' own already, is returned as it is.

    Returns
    -------
    DataFrame or object
        Text is of type object with None where it is missing, numbers are NaN where they are.

    Raises
    ------
    InvalidInputError
        If the table has not been computed yet.
    """
    # Before its columns, which polars computes with a warning.
    if hasattr(X, "collect"):
        raise InvalidInputError(
            f"a {type(X).__name__} holds no rows yet; call its method collect() first."
        )
    # A pyarrow.Table has its names there, and its columns where others have their names.
    names = getattr(X, "column_names", None)
    if names is None:
        names = getattr(X, "columns", None)
    if names is None or hasattr(X, "iloc") or isinstance(X, Mapping):
        return X
    import pandas as pd

    columns = {name: np.asarray(X[name].to_numpy()) for name in names}
    # Text stays of type object, whatever type pandas would choose for it.
    series = {name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}
    return pd.DataFrame(series, columns=list(names))


def check_parameters(estimator: BaseEstimator, constraints: Mapping[str, Sequence[Any]]) -> None:
    """Raise one clear sentence where a parameter of `estimator` breaks its constraint.

    Parameters
    ----------
    estimator : BaseEstimator
        Its ``get_params(deep=False)`` is checked.
    constraints : dict of str to list
        Parameter name -> what is allowed, in the grammar of scikit-learn's parameter
        validation: types, `Interval`, `StrOptions`, ``"boolean"``, ``None``, ...

    Raises
    ------
    InvalidInputError
        Names the estimator, the parameter, what is allowed and what came.
    """
    name = type(estimator).__name__
    try:
        validate_parameter_constraints(constraints, estimator.get_params(deep=False), name)
    except InvalidParameterError as error:
        raise InvalidInputError(str(error)) from error


def check_sample_weight(sample_weight: Any, X: Any, *, caller: str) -> FloatArray | None:
    """Return `sample_weight` as a float64 array of one finite weight >= 0 per row.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
        A number means that weight for every row. ``None`` is returned as it is.
    X : array of shape (n_samples, ...)
        The rows the weights belong to.
    caller : str
        Name of the estimator that asks, used in messages.

    Raises
    ------
    InvalidInputError
        If there is not one weight per row, a weight is negative, or all are zero.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(len(X), sample_weight)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.ndim != 1:
        raise InvalidInputError(
            f"{caller}: sample_weight has shape {weight.shape!r}; give one weight per row, "
            f"an array of shape ({len(X)},)."
        )
    check_consistent_length(X, weight)
    if (weight < 0).any():
        row = int(np.flatnonzero(weight < 0)[0])
        raise InvalidInputError(
            f"{caller}: sample_weight must be >= 0, but row {row} has {weight[row]!r}. "
            "Drop rows that should not count, or give them weight 0."
        )
    if not weight.any():
        raise InvalidInputError(
            f"{caller}: every sample_weight is zero, so there is nothing to learn from. "
            "Give some row a positive weight."
        )
    return weight


def group_codes(groups: Any, *, caller: str) -> IntArray:
    """Return the group of each row as a number (0, 1, ...).

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Labels of any type.
    caller : str
        Name of the function or estimator that asks, used in messages.

    Raises
    ------
    InvalidInputError
        If a label is missing.
    """
    codes, _ = pd.factorize(np.asarray(groups))
    if (codes < 0).any():
        raise InvalidInputError(
            f"{caller}: groups has {(codes < 0).sum()} missing labels (first: row "
            f"{codes.argmin()}). Give every row a group, its own if it stands alone."
        )
    return codes


def private_random_state(random_state: RandomState) -> np.random.RandomState:
    """Return a generator that is never NumPy's global one, unless the user passes that one.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An instance is returned as it is. Unlike `sklearn.utils.check_random_state`, ``None``
        starts a new generator: what a library draws must not move the numbers that the user
        draws from the global one.

    Raises
    ------
    ValueError
        If it is none of the three.
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def warn(message: str, category: type[CrystalmlWarning]) -> None:
    """Warn in the name of the line outside the package that called into it.

    However deep inside the package the reason is found, users see their own line, and Python's
    rule of one warning for each line works for each of their calls.
    """
    # Python 3.12 has skip_file_prefixes for this.
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
