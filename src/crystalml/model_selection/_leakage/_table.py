"""Read the input of an audit: columns, target, cells, compositions, split."""

import re
from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.model_selection import check_cv

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import BoolArray, FloatArray, IntArray, ObjectArray
from crystalml._validation import as_pandas
from crystalml.crystallography import (
    cell_volume,
    find_spacegroup,
    lattice_system,
    parse_formulas,
    reduced_formula,
    validate_cells,
)
from crystalml.descriptors._table_columns import is_number
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import cells_of
from crystalml.model_selection._leakage._names import (
    SYMMETRY_NAMES,
    VOLUME_NAMES,
    is_named,
    vocabulary_of,
)
from crystalml.model_selection._leakage._scores import (
    Scoring,
    make_folds,
    number_rows,
    scaled_ranks,
)

CALLER = "audit_leakage"
# A column of numbers with more values per row than this has an order rather than a list of values.
_FEW_VALUES = 0.2
# With fewer rows per value than this, text names entries (formula, doi) rather than classes.
_ROWS_PER_LABEL = 5
# A column of a hashed or binary code has few values; more columns than this are no code.
_MOST_CODE_VALUES, _MOST_CODE_COLUMNS = 20, 64
# Share of rows that must be readable before cells or formulas found in the table are used.
_READABLE = 0.5
# Integers up to here may be encoded crystal systems; beyond, 1-230 reads as space groups.
_LARGEST_CODE = 14
# Of the rows, and in all; integers with more values are numbers to predict.
_MOST_CLASSES = 0.2, 600


@dataclass(frozen=True, eq=False)
class Column:
    """What a single column and a set of columns share: values of rows, numbered from 0.

    A missing value is a value like any other.
    """

    names: tuple
    codes: IntArray
    n_values: int

    @property
    def is_listed(self):
        """Whether values recur, so that they can be looked up one by one."""
        return True

    @property
    def names_entries(self):
        """Whether the values rather name entries or papers than classes."""
        return self.n_values * _ROWS_PER_LABEL > len(self.codes)

    @property
    def name(self):
        """Name of a single column."""
        return self.names[0]

    def ordered(self):
        """Finite numbers in the order of the values."""
        return self.codes.astype(float)


@dataclass(frozen=True, eq=False)
class TextColumn(Column):
    """A column of text, logicals with missing values, or other objects."""


@dataclass(frozen=True, eq=False)
class NumberColumn(Column):
    """A column of numbers; NaN where missing."""

    numbers: FloatArray

    @property
    def is_listed(self):
        return self.n_values <= _FEW_VALUES * len(self.codes)

    def ordered(self):
        """Finite numbers in the order of the values; missing lies below all others."""
        finite = np.isfinite(self.numbers)
        if finite.all():
            return self.numbers
        known = self.numbers[finite]
        low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
        return np.where(finite, self.numbers, low - (high - low) - 1)


@dataclass(frozen=True, eq=False)
class ColumnSet(Column):
    """Columns that encode one value together.

    The code of a row of a one-hot set is the place of the active column, counted from 1, or 0.
    """

    is_one_hot: bool


@dataclass(frozen=True, eq=False)
class ClassTarget:
    """A target of labels, as codes.

    `lattice_systems` numbers those of the rows, where the space groups are known.
    """

    values: IntArray
    chance: float
    is_symmetry: bool
    lattice_systems: IntArray | None
    is_class: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class NumberTarget:
    """A target of numbers; `values` are their ranks from 0 to 1."""

    values: FloatArray
    numbers: FloatArray
    is_volume: bool
    chance: ClassVar[float] = 0.0
    is_symmetry: ClassVar[bool] = False
    is_class: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the rows, NaN where a row has none; `metric` numbers their exact equalities."""

    parameters: FloatArray
    metric: IntArray

    @property
    def known(self) -> BoolArray:
        """Whether each row has a cell."""
        return ~np.isnan(self.parameters[:, 0])


@dataclass(frozen=True, eq=False)
class Compositions:
    """Formulas of the rows.

    `compounds` numbers the reduced formulas, `n_atoms` counts their atoms; a formula that cannot
    be read is a compound of its own, with NaN atoms.
    """

    formulas: ObjectArray
    compounds: IntArray
    n_atoms: FloatArray


class Audit:
    """Everything that a check may ask for, read from the input of `audit_leakage`.

    ``frame`` is the table as it came, ``columns`` and ``sets`` what is judged of it. ``cells``
    and ``compositions`` are given or found in the table, ``volumes`` follow from the cells or
    stand in the table; they are None where unknown. So are ``spacegroups`` (numbers), ``groups``
    (codes) and ``pairs`` of training and test rows where the caller gave none.
    """

    def __init__(
        self,
        X,
        y,
        *,
        groups,
        split,
        formulas,
        cells,
        spacegroups,
        estimator,
        task,
        n_folds,
        max_samples,
        seed,
    ):
        self.frame = _as_frame(X)
        n_rows = len(self.frame)
        for name, values in {"y": y, "groups": groups, "spacegroups": spacegroups}.items():
            _check_length(values, n_rows, f"values of {name}")
        names = enumerate(self.frame.columns)
        self.columns = [_read_column(name, self.frame.iloc[:, k]) for k, name in names]
        self.sets = [*_one_hot_sets(self.columns), *_code_sets(self.columns)]
        self.target = _read_target(y, task, spacegroups)
        self.cells = _read_cells(self.frame, cells)
        self.compositions = _read_compositions(self.frame, formulas)
        self.volumes = _read_volumes(self.frame, self.cells)
        self.spacegroups = _read_spacegroups(spacegroups)
        self.groups = None if groups is None else pd.factorize(np.asarray(groups))[0]
        self.pairs = _read_split(split, n_rows, np.asarray(y), self.groups)
        # Otherwise identifiers of compounds would determine the target from row to row.
        together = self.groups
        if together is None:
            compositions = self.compositions
            together = np.arange(n_rows) if compositions is None else compositions.compounds
        folds = make_folds(together, n_folds, max_samples, seed)
        self.scoring = Scoring(
            self.target.values, self.target.is_class, self.target.chance, folds, estimator, seed
        )

    def with_target(self, target):
        """Return the same audit, with more known of the target."""
        informed = copy(self)
        informed.target = target
        return informed


def _as_frame(X):
    """Look at any matrix as a DataFrame; columns without names are x0, x1, ..."""
    X = as_pandas(X)
    if isinstance(X, pd.DataFrame):
        frame = X
    else:
        array = X.toarray() if issparse(X) else np.asarray(X)
        if array.ndim != 2:
            raise InvalidInputError(
                f"{CALLER}: X has shape {array.shape}; give a table of rows and columns."
            )
        frame = pd.DataFrame(array, columns=[f"x{k}" for k in range(array.shape[1])])
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InvalidInputError(
            f"{CALLER}: X has more than one column {twice!r}; rename them, so that each can be "
            "named."
        )
    return frame


def _check_length(values, n_rows, what):
    if values is not None and len(values) != n_rows:
        raise InvalidInputError(
            f"{CALLER}: got {n_rows} rows and {len(values)} {what}; the numbers must be equal."
        )


def _read_column(name, values):
    """Give numbers to the values of a column."""
    if is_number(values):
        # By way of objects, since nullable types hold pd.NA, which is no float.
        numbers = values.astype(object).where(values.notna(), np.nan).astype(float).to_numpy()
        distinct, codes = np.unique(numbers, return_inverse=True)
        return NumberColumn((name,), codes, len(distinct), numbers)
    known = values.notna().to_numpy()
    text = values.astype(object).map(str).to_numpy()
    codes, distinct = pd.factorize(np.where(known, text, None), sort=True)
    # `factorize` leaves missing values out; here they are one value more.
    codes = np.where(codes < 0, len(distinct), codes)
    return TextColumn((name,), codes, len(distinct) + int(not known.all()))


def _one_hot_sets(columns):
    """Two-valued columns of which at most one is set in each row, as one column each set."""
    sets: list[list] = []  # [names, codes, common start of the names]
    for column in columns:
        if column.n_values != 2 or not isinstance(column, NumberColumn):
            continue
        active, stem = column.codes == 1, _without_number(column.name)
        # Encoders write a set in one piece, so the last set is the likeliest.
        for entry in reversed(sets):
            prefix = _common_start(entry[2], stem)
            if prefix and not (entry[1][active] > 0).any():
                entry[0].append(column.name)
                entry[1][active] = len(entry[0])
                entry[2] = prefix
                break
        else:
            sets.append([[column.name], active.astype(np.int64), stem])
    return [_joint(names, codes, is_one_hot=True) for names, codes, _ in sets if len(names) > 1]


def _code_sets(columns):
    """Columns with few values whose names differ in a last number: hashed or binary codes."""
    sets: dict[str, list] = {}
    for column in columns:
        stem = _without_number(column.name)
        # A stem of a single letter is no name: x0, x1, ... are all columns of an array.
        numbered = stem != str(column.name) and len(re.sub("[^A-Za-z]", "", stem)) > 1
        if numbered and column.n_values <= _MOST_CODE_VALUES:
            sets.setdefault(stem, []).append(column)
    return [
        _joint([c.name for c in members], number_rows(*(c.codes for c in members)))
        for members in sets.values()
        if 1 < len(members) <= _MOST_CODE_COLUMNS
    ]


def _joint(names, codes, *, is_one_hot=False):
    return ColumnSet(tuple(names), codes, len(np.unique(codes)), is_one_hot)


def _common_start(first, second):
    """Return the letters that two names begin with."""
    differ = (k for k, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])
    return first[: next(differ, min(len(first), len(second)))]


def _without_number(name):
    """Return a name without the number it ends with."""
    return re.sub(r"\d+$", "", str(name))


def _read_target(y, task, spacegroups):
    """Read the target, and find out what it means."""
    y = y if isinstance(y, pd.Series) else pd.Series(np.asarray(y), dtype=None)
    if y.isna().any():
        row = int(np.flatnonzero(y.isna())[0])
        raise InvalidInputError(
            f"{CALLER}: y has {int(y.isna().sum())} missing values (first: row {row}). Drop these "
            "rows."
        )
    numeric = is_number(y) and y.dtype != bool
    is_class = _is_class(y, numeric) if task == "auto" else task == "classification"
    if y.nunique() < 2:
        raise InvalidInputError(f"{CALLER}: y has a single value, {y.iloc[0]!r}; nothing to leak.")
    if not is_class:
        # Ranks, so that neither outliers nor units count.
        numbers = _as_numbers(y)
        return NumberTarget(scaled_ranks(numbers), numbers, is_named(y.name, VOLUME_NAMES))
    codes, _ = pd.factorize(y.to_numpy() if numeric else y.astype(str).to_numpy(), sort=True)
    numbers = spacegroup_numbers(y if spacegroups is None else pd.Series(np.asarray(spacegroups)))
    is_symmetry = (
        numbers is not None
        or (not numeric and vocabulary_of(y) is not None)
        or is_named(y.name, SYMMETRY_NAMES)
    )
    chance = float(np.bincount(codes).max() / len(codes))
    systems = None if numbers is None else lattice_system_codes(numbers)
    return ClassTarget(codes, chance, is_symmetry, systems)


def _is_class(y, numeric):
    """Whether a target is one of labels."""
    if not numeric:
        return True
    numbers = _as_numbers(y)
    if not np.all(numbers == np.rint(numbers)):
        return False
    share, most = _MOST_CLASSES
    return spacegroup_numbers(y) is not None or y.nunique() <= max(2, min(share * len(y), most))


def _as_numbers(y):
    try:
        numbers = y.astype(float).to_numpy()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{CALLER}: task='regression' needs numbers in y ({error}); set "
            "task='classification' for labels."
        ) from error
    if not np.isfinite(numbers).all():
        raise InvalidInputError(f"{CALLER}: y has infinite values. Drop these rows.")
    return numbers


def spacegroup_numbers(values):
    """Space-group numbers of a column of numbers or symbols, or None if it is something else."""
    if values.isna().any() or values.dtype == bool:
        return None
    if is_number(values):
        numbers = values.astype(float).to_numpy()
        whole = bool(np.all((numbers >= 1) & (numbers <= 230) & (numbers == np.rint(numbers))))
        named = is_named(values.name, SYMMETRY_NAMES) or numbers.max() > _LARGEST_CODE
        return numbers.astype(int) if whole and named else None
    if vocabulary_of(values) != "space-group symbols":
        return None
    codes, words = pd.factorize(values.astype(str).to_numpy())
    found = [find_spacegroup(word.strip()) for word in words]
    known = [setting.number for setting in found if setting is not None]
    return np.array(known)[codes] if len(known) == len(found) else None


def lattice_system_codes(numbers):
    """Give numbers to the lattice systems of space groups."""
    return np.unique(lattice_system(numbers).astype(str), return_inverse=True)[1]


def _read_spacegroups(spacegroups):
    """Return the numbers of the space groups that were given, or raise."""
    if spacegroups is None:
        return None
    numbers = spacegroup_numbers(pd.Series(np.asarray(spacegroups), name="spacegroup_number"))
    if numbers is None:
        raise InvalidInputError(
            f"{CALLER}: spacegroups must be numbers from 1 to 230 or symbols of space groups, got "
            f"values such as {np.asarray(spacegroups)[:1].tolist()!r}."
        )
    return numbers


def _read_cells(frame, cells):
    """Find the cells: those given, else those of the table."""
    if cells is None:
        names = list(CELL_COLUMNS)
        if not set(names) <= set(frame.columns) or not all(is_number(frame[n]) for n in names):
            return None
        parameters = _valid_cells(frame[names])
        # Scaled cells are no cells any more.
        if np.mean(~np.isnan(parameters[:, 0])) < _READABLE:
            return None
    else:
        _check_length(cells, len(frame), "cells")
        parameters = _valid_cells(cells)
    return Cells(parameters, _exact_metric(parameters))


def _valid_cells(cells):
    cells = cells_of(cells, CALLER)
    return np.atleast_2d(validate_cells(cells, caller=CALLER, on_error="nan"))


def _exact_metric(cells):
    """Give numbers to the patterns of what is exactly equal in a cell: edges, angles, 90, 120."""
    # A refinement sets these equal; from a measured cell they differ in the last digits.
    equalities = [
        *(cells[:, i] == cells[:, j] for i, j in ((0, 1), (1, 2), (0, 2), (3, 4), (4, 5))),
        *(cells[:, k] == angle for k in (3, 4, 5) for angle in (90.0, 120.0)),
        np.isnan(cells[:, 0]),
    ]
    return number_rows(*(np.asarray(equality, dtype=np.int64) for equality in equalities))


def _read_volumes(frame, cells):
    """Find the cell volumes: of the cells, else the table's column of that name, else None."""
    if cells is not None:
        return cell_volume(cells.parameters)
    for name in ("volume", "v_formula"):
        if name in frame.columns and is_number(frame[name]):
            values = frame[name].to_numpy(dtype=float, na_value=np.nan)
            # Scaled volumes are no volumes any more.
            return values if np.nanmin(values) > 0 else None
    return None


def _read_compositions(frame, formulas):
    """Find the formulas: those given, else those of the table."""
    if formulas is not None:
        _check_length(formulas, len(frame), "formulas")
        formulas = list(formulas)
        table = parse_formulas(formulas, on_error="report")
    else:
        if "formula" not in frame.columns or is_number(frame["formula"]):
            return None
        # None is a missing formula; the text "NaN" is sodium nitride.
        formulas = frame["formula"].astype(object).where(frame["formula"].notna(), None).tolist()
        table = parse_formulas(formulas, on_error="report")
        if not table.is_valid.mean() >= _READABLE:
            return None
    compounds, distinct = pd.factorize(reduced_formula(table, on_error="missing"))
    n_atoms = np.full(len(formulas), np.nan)
    if len(distinct):
        of_compound = np.asarray(parse_formulas(list(distinct)).amounts.sum(axis=1)).ravel()
        known = compounds >= 0
        n_atoms[known] = of_compound[compounds[known]]
    unknown = np.flatnonzero(compounds < 0)
    compounds[unknown] = len(distinct) + np.arange(len(unknown))
    return Compositions(np.asarray(formulas, dtype=object), compounds, n_atoms)


def _read_split(split, n_rows, y, groups):
    """List of (train, test) row numbers, or None."""
    if split is None:
        return None
    if _is_pair(split):
        pairs = [split]
    else:
        try:
            # Classes do not matter here, so a number means plain folds.
            splitter = check_cv(split, y, classifier=False)
        except ValueError as error:
            raise InvalidInputError(
                f"{CALLER}: split must be a pair of row numbers (train, test), a splitter or a "
                f"number of folds, got {split!r}."
            ) from error
        pairs = list(splitter.split(np.zeros((n_rows, 1)), y, groups))
    return [tuple(_row_numbers(side, n_rows) for side in pair) for pair in pairs]


def _is_pair(split: object) -> bool:
    """Whether these are two sides; a list of two arrays is what train_test_split returns."""
    if not isinstance(split, tuple | list) or len(split) != 2:
        return False
    if isinstance(split, list) and not all(isinstance(side, np.ndarray) for side in split):
        return False
    return all(np.ndim(side) == 1 for side in split)


def _row_numbers(side, n_rows):
    """Row numbers of one side, given as such or as a mask."""
    side = np.asarray(side)
    if side.dtype == bool and len(side) == n_rows:
        return np.flatnonzero(side)
    numbers = side.dtype.kind in "iu"
    if not numbers or (len(side) and not 0 <= side.min() <= side.max() < n_rows):
        raise InvalidInputError(
            f"{CALLER}: split must hold row numbers from 0 to {n_rows - 1} or masks of {n_rows} "
            f"rows, got {side.dtype} values such as {side[:1].tolist()!r}."
        )
    return side
