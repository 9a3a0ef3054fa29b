"""What `check_table` takes out of a table: typed arrays, missing is NaN."""

from typing import Any, NamedTuple

import gemmi
import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml._typing import BoolArray
from crystalml.crystallography import FormulaTable, find_spacegroup, parse_formulas
from crystalml.exceptions import InvalidInputError, SchemaError
from crystalml.io._remember import remember

_AXES = {"a": 0, "b": 1, "c": 2}
UNKNOWN_AXIS = -1


class CheckInput(NamedTuple):
    """Columns of a table of n rows; those that the table lacks are all NaN."""

    cells: np.ndarray  # (n, 6)
    cell_sus: np.ndarray  # (n, 6)
    volume: np.ndarray
    volume_su: np.ndarray
    number: np.ndarray  # space-group number as float
    symbols: np.ndarray  # Hermann-Mauguin symbols, object
    hall_symbols: np.ndarray
    formulas: FormulaTable
    is_ordered: np.ndarray  # bool: whole amounts, and no site said to be partly occupied
    is_fully_occupied: np.ndarray  # bool: whole amounts, and all sites said to be full
    formula_units: np.ndarray
    n_atoms: np.ndarray
    density: np.ndarray
    reader_flags: np.ndarray  # text, "" where there is none


def check_input(table):
    """Take the columns that are checked out of `table`."""
    if not isinstance(table, pd.DataFrame):
        raise InvalidInputError(
            f"check_table: table must be a DataFrame with the columns of read_cifs, got "
            f"{type(table).__name__}."
        )
    missing = [name for name in CELL_COLUMNS if name not in table.columns]
    if missing:
        raise SchemaError(
            f"check_table: the table has no column {missing[0]!r}; a cell needs "
            f"{', '.join(CELL_COLUMNS)}. Rename your columns to these names."
        )
    formulas = parse_formulas(_texts(table, "formula"), on_error="report", charges="strip")
    return CheckInput(
        np.column_stack([_numbers(table, name) for name in CELL_COLUMNS]),
        np.column_stack([_numbers(table, name) for name in CELL_SU_COLUMNS]),
        _numbers(table, "volume"),
        _numbers(table, "volume_su"),
        _group_numbers(table),
        _texts(table, "spacegroup_hm"),
        _texts(table, "spacegroup_hall"),
        formulas,
        *_is_ordered(table, formulas.amounts),
        _numbers(table, "formula_units"),
        _numbers(table, "n_atoms"),
        _numbers(table, "density"),
        np.array([text or "" for text in _texts(table, "flags")], dtype=object),
    )


@remember(8192)
def declared_setting(symbol):
    """Read number, unique axis and kind of rhombohedral axes out of a symbol, or None."""
    setting = find_spacegroup(symbol)
    if setting is None:
        return None
    axis = UNKNOWN_AXIS
    if setting.hall:
        group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(setting.hall))
        axis = _AXES.get(group.monoclinic_unique_axis(), UNKNOWN_AXIS) if group else axis
    # Without a qualifier, R is written for cells on either kind of axes.
    says_axes = setting.qualifier in ("H", "R") and symbol.rstrip()[-1:].upper() in ("H", "R")
    return setting.number, axis, setting.qualifier if says_axes else ""


def _numbers(table, name):
    """Return a column as float64."""
    if name not in table.columns:
        return np.full(len(table), np.nan)
    try:
        return table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"check_table: column {name!r} holds something that is no number ({error}). Turn it "
            "into numbers first, with NaN for what is missing."
        ) from error


def _texts(table, name):
    """Return a column of text, with None for what is missing; "NaN" is sodium nitride."""
    found = np.full(len(table), None, dtype=object)
    if name in table.columns:
        # By type: a missing text may be None, NaN or NA.
        found[:] = [value if isinstance(value, str) else None for value in table[name]]
    return found


def _group_numbers(table):
    """Space-group numbers; what is no number from 1 to 230 is missing."""
    numbers = _numbers(table, "spacegroup_number")
    with np.errstate(invalid="ignore"):
        known = (numbers >= 1) & (numbers <= 230) & (numbers == np.round(numbers))
    return np.where(known, numbers, np.nan)


def _is_ordered(table: pd.DataFrame, amounts: Any) -> tuple[BoolArray, BoolArray]:
    """Tell which formulas have whole amounts and may be ordered, and which surely are."""
    whole = np.ones(len(table), dtype=bool)
    rows = np.repeat(np.arange(len(table)), np.diff(amounts.indptr))
    # A fraction of an atom in the formula means that some site is shared or partly empty.
    whole[rows[amounts.data != np.round(amounts.data)]] = False
    if "is_disordered" not in table.columns:
        return whole, np.zeros(len(table), dtype=bool)
    # Three answers: where it is not known, a row may be ordered but is not surely so.
    disordered = table["is_disordered"].to_numpy(dtype=np.float64, na_value=np.nan)
    return whole & (disordered != 1.0), whole & (disordered == 0.0)
