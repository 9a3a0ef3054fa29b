"""What an audit knows of its rows: the target, the cells, the compounds."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
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
from crystalml.model_selection._leakage_columns import number_rows
from crystalml.model_selection._leakage_names import (
    SYMMETRY_NAMES,
    VOLUME_NAMES,
    is_named,
    vocabulary_of,
)
from crystalml.model_selection._leakage_scores import ranks

CALLER = "audit_leakage"
# Share of rows that must be readable before cells or formulas found in the table are used.
_READABLE = 0.5
# Integers up to here may be encoded crystal systems; beyond, 1-230 reads as space groups.
_LARGEST_CODE = 14
# Of the rows, and in all; integers with more values are numbers to predict.
_MOST_CLASSES = 0.2, 600


class Target(NamedTuple):
    """The target: class codes, or ranks of numbers, and what is known of its meaning.

    `meaning` is "symmetry", "volume" or "other"; `families` numbers the lattice systems of the
    rows where the space groups are known.
    """

    is_class: bool
    values: np.ndarray
    numbers: np.ndarray | None
    chance: float
    meaning: str
    families: np.ndarray | None


class Crystals(NamedTuple):
    """Cells and formulas of the rows; None where not known.

    `metric` numbers the patterns of exact equalities, `atoms` counts the atoms of the reduced
    formula (NaN where it cannot be read), `compounds` numbers the reduced formulas, `volumes`
    are those of the cells, else of the table.
    """

    cells: np.ndarray | None
    metric: np.ndarray | None
    atoms: np.ndarray | None
    compounds: np.ndarray | None
    formulas: np.ndarray | None
    volumes: np.ndarray | None


def read_target(y, task, spacegroups):
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
        numbers = _as_numbers(y)
        meaning = "volume" if is_named(y.name, VOLUME_NAMES) else "other"
        return Target(False, ranks(numbers), numbers, 0.0, meaning, None)
    codes, _ = pd.factorize(y.to_numpy() if numeric else y.astype(str).to_numpy(), sort=True)
    groups = spacegroup_numbers(y if spacegroups is None else pd.Series(np.asarray(spacegroups)))
    speaks = not numeric and vocabulary_of(y) is not None
    known = groups is not None or speaks or is_named(y.name, SYMMETRY_NAMES)
    families = None
    if groups is not None:
        _, families = np.unique(lattice_system(groups).astype(str), return_inverse=True)
    chance = float(np.bincount(codes).max() / len(codes))
    return Target(True, codes, None, chance, "symmetry" if known else "other", families)


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


def read_crystals(frame, cells, formulas):
    """Find the cells and formulas: those given, else those of the table."""
    cells = _read_cells(frame, cells)
    metric = None if cells is None else exact_metric(cells)
    volumes = _volumes(frame, cells)
    formulas = _find_formulas(frame, formulas)
    if formulas is None:
        return Crystals(cells, metric, None, None, None, volumes)
    table = parse_formulas(formulas, on_error="report")
    names = reduced_formula(table, on_error="missing")
    compounds, distinct = pd.factorize(names)
    reduced = parse_formulas(list(distinct)) if len(distinct) else None
    atoms = np.full(len(formulas), np.nan)
    if reduced is not None:
        known = compounds >= 0
        atoms[known] = np.asarray(reduced.amounts.sum(axis=1)).ravel()[compounds[known]]
    # A formula that cannot be read stands alone.
    unknown = np.flatnonzero(compounds < 0)
    compounds[unknown] = len(distinct) + np.arange(len(unknown))
    return Crystals(cells, metric, atoms, compounds, np.asarray(formulas, dtype=object), volumes)


def exact_metric(cells):
    """Give numbers to the patterns of what is exactly equal in a cell: edges, angles, 90, 120."""
    equalities = [
        *(cells[:, i] == cells[:, j] for i, j in ((0, 1), (1, 2), (0, 2), (3, 4), (4, 5))),
        *(cells[:, k] == angle for k in (3, 4, 5) for angle in (90.0, 120.0)),
        np.isnan(cells[:, 0]),
    ]
    return number_rows(*(np.asarray(equality, dtype=np.int64) for equality in equalities))


def _volumes(frame, cells):
    """Cell volumes: of the cells, else the table's column of that name, else None."""
    if cells is not None:
        return cell_volume(cells)
    for name in ("volume", "v_formula"):
        if name in frame.columns and is_number(frame[name]):
            values = frame[name].to_numpy(dtype=float, na_value=np.nan)
            return values if np.nanmin(values) > 0 else None
    return None


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


def _read_cells(frame, cells):
    """Cells as an array with NaN rows for what is none; None where there are none."""
    if cells is None:
        names = list(CELL_COLUMNS)
        if not set(names) <= set(frame.columns) or not all(is_number(frame[n]) for n in names):
            return None
        found = _valid_cells(frame[names])
        # Scaled cells are no cells any more.
        return found if np.mean(~np.isnan(found[:, 0])) >= _READABLE else None
    cells = as_pandas(cells)
    if isinstance(cells, pd.DataFrame) and set(CELL_COLUMNS) <= set(cells.columns):
        cells = cells[list(CELL_COLUMNS)]
    _check_length(cells, frame, "cells")
    return _valid_cells(cells)


def _valid_cells(cells):
    if isinstance(cells, pd.DataFrame):
        cells = cells.to_numpy(dtype=float, na_value=np.nan)
    return np.atleast_2d(validate_cells(cells, caller=CALLER, on_error="nan"))


def _find_formulas(frame, formulas):
    """Formulas as a list; None where there are none."""
    if formulas is not None:
        _check_length(formulas, frame, "formulas")
        return list(formulas)
    if "formula" not in frame.columns or is_number(frame["formula"]):
        return None
    found = frame["formula"].astype(object).where(frame["formula"].notna(), None).tolist()
    readable = parse_formulas(found, on_error="report").is_valid.mean()
    return found if readable >= _READABLE else None


def _check_length(values, frame, name):
    if len(values) != len(frame):
        raise InvalidInputError(
            f"{CALLER}: got {len(frame)} rows and {len(values)} {name}; the numbers must be equal."
        )
