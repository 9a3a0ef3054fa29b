"""The columns of a table as numbered values, and the sets that encode one value together."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from crystalml._validation import as_pandas
from crystalml.descriptors._table_columns import is_number
from crystalml.exceptions import InvalidInputError

# A column of numbers with more values per row than this has an order rather than a list of values.
FEW_VALUES = 0.2
# With fewer rows per value than this, text names entries (formula, doi) rather than classes.
ROWS_PER_LABEL = 5
# A column of a hashed or binary code has few values; more columns than this are no code.
_MOST_CODE_VALUES, _MOST_CODE_COLUMNS = 20, 64


class Column(NamedTuple):
    """One column, or several that encode one value together.

    `codes` numbers the values from 0 (missing is a value); `numbers` is None for text and sets.
    """

    names: tuple
    codes: np.ndarray
    n_values: int
    numbers: np.ndarray | None
    is_text: bool
    is_one_hot: bool = False

    @property
    def is_listed(self):
        """Whether values recur, so that they can be looked up one by one."""
        return self.numbers is None or self.n_values <= FEW_VALUES * len(self.codes)

    @property
    def names_entries(self):
        """Whether the values rather name entries or papers than classes."""
        return self.n_values * ROWS_PER_LABEL > len(self.codes)


def as_frame(X):
    """Look at any matrix as a DataFrame; columns without names are x0, x1, ..."""
    X = as_pandas(X)
    if isinstance(X, pd.DataFrame):
        frame = X
    else:
        array = X.toarray() if issparse(X) else np.asarray(X)
        if array.ndim != 2:
            raise InvalidInputError(
                f"audit_leakage: X has shape {array.shape}; give a table of rows and columns."
            )
        frame = pd.DataFrame(array, columns=[f"x{k}" for k in range(array.shape[1])])
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InvalidInputError(
            f"audit_leakage: X has more than one column {twice!r}; rename them, so that each can "
            "be named."
        )
    return frame


def read_columns(frame):
    """Read every column of a DataFrame."""
    return [_read(name, frame.iloc[:, k]) for k, name in enumerate(frame.columns)]


def joint_columns(columns):
    """One-hot sets and multi-column codes, each as one column with the names of all."""
    return [*_one_hot_sets(columns), *_code_sets(columns)]


def number_rows(*codes):
    """Give numbers to the different rows of several columns of codes."""
    joint = np.zeros(len(codes[0]), dtype=np.int64)
    for column in codes:
        joint = np.unique(joint * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return joint.astype(np.int64)


def _read(name, values):
    """Give numbers to the values of a column."""
    if is_number(values):
        numbers = values.astype(object).where(values.notna(), np.nan).astype(float).to_numpy()
        distinct, codes = np.unique(numbers, return_inverse=True)
        return Column((name,), codes, len(distinct), numbers, False)
    known = values.notna().to_numpy()
    text = values.astype(object).map(str).to_numpy()
    codes, distinct = pd.factorize(np.where(known, text, None), sort=True)
    codes = np.where(codes < 0, len(distinct), codes)
    return Column((name,), codes, len(distinct) + int(not known.all()), None, True)


def _one_hot_sets(columns):
    """Two-valued columns of which at most one is set in each row, as one column each set.

    The code of a row is the place of the active column, counted from 1, or 0 for none.
    """
    sets: list[list] = []  # [names, codes, prefix]; the last comes first when a place is sought
    for column in columns:
        if column.n_values != 2 or column.numbers is None:
            continue
        active, stem = column.codes == 1, _without_number(column.names[0])
        for entry in reversed(sets):
            prefix = _common_start(entry[2], stem)
            if prefix and not (entry[1][active] > 0).any():
                entry[0].append(column.names[0])
                entry[1][active] = len(entry[0])
                entry[2] = prefix
                break
        else:
            sets.append([[column.names[0]], active.astype(np.int64), stem])
    return [_joint(names, codes, is_one_hot=True) for names, codes, _ in sets if len(names) > 1]


def _code_sets(columns):
    """Columns with few values whose names differ in a last number: hashed or binary codes."""
    sets: dict[str, list] = {}
    for column in columns:
        stem = _without_number(column.names[0])
        numbered = stem != str(column.names[0]) and len(re.sub("[^A-Za-z]", "", stem)) > 1
        if numbered and column.n_values <= _MOST_CODE_VALUES:
            sets.setdefault(stem, []).append(column)
    return [
        _joint([c.names[0] for c in members], number_rows(*(c.codes for c in members)))
        for members in sets.values()
        if 1 < len(members) <= _MOST_CODE_COLUMNS
    ]


def _joint(names, codes, *, is_one_hot=False):
    return Column(tuple(names), codes, len(np.unique(codes)), None, False, is_one_hot)


def _common_start(first, second):
    """Return the letters that two names begin with."""
    differ = (k for k, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])
    return first[: next(differ, min(len(first), len(second)))]


def _without_number(name):
    """Return a name without the number it ends with."""
    return re.sub(r"\d+$", "", str(name))
