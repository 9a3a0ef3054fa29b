"""From records to typed columns, with what is computed for a whole table at once.

Without pandas: a worker needs columns to send back, and starts in half the time.
"""

from typing import NamedTuple

import numpy as np

from crystalml._schema import CELL_COLUMNS, STATUSES, TABLE_COLUMNS
from crystalml.crystallography import (
    bravais_lattice,
    cell_problems,
    cell_volume,
    crystal_system,
)
from crystalml.io._record import RECORD_FIELDS

OK, REPAIRED, INCOMPLETE, UNSUPPORTED, ERROR = STATUSES
_BEYOND = frozenset({"magnetic", "modulated"})
LARGEST_INTEGER = 2**63 - 1
VOLUME_TOLERANCE = 0.01  # relative; above it `volume_contradicts_cell` is flagged


class Masked(NamedTuple):
    """A column of integers or logicals, and where there is none."""

    values: np.ndarray
    missing: np.ndarray


def columns_of(records):
    """Return the columns of the table: arrays of float or object, or Masked."""
    values = zip(*records, strict=True) if records else [()] * len(RECORD_FIELDS)
    given = dict(zip(RECORD_FIELDS, values, strict=True))
    oversized = _blank_oversized(given)
    columns = {name: _array(values, TABLE_COLUMNS[name].dtype) for name, values in given.items()}
    cells = np.column_stack([columns[name] for name in CELL_COLUMNS])
    columns["v_formula"] = cell_volume(cells) if len(cells) else np.empty(0)
    number = columns["spacegroup_number"]
    columns["crystal_system"] = _of_number(crystal_system, number)
    columns["bravais_lattice"] = _of_number(bravais_lattice, number)
    # After the columns are typed, since flags are an array from here on.
    _add_flag(columns["flags"], oversized, "bad_number")
    _check_cells(columns, cells)
    _set_status(columns, cells)
    return {name: columns[name] for name in TABLE_COLUMNS}


def join_columns(pieces):
    """Put the columns of several lists of records one after another."""
    pieces = pieces or [columns_of([])]
    return {name: _join([piece[name] for piece in pieces]) for name in TABLE_COLUMNS}


def _join(columns):
    if isinstance(columns[0], Masked):
        return Masked(*map(np.concatenate, zip(*columns, strict=True)))
    return np.concatenate(columns)


def _array(values, dtype):
    """Turn a tuple of Python values, with None for missing, into a typed column."""
    if dtype == "float64":
        return np.array(values, dtype=np.float64)
    if dtype == "object":
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    missing = np.array([value is None for value in values], dtype=bool)
    # The zero is never seen: `missing` covers it.
    filled = [0 if value is None else value for value in values]
    return Masked(np.array(filled, dtype=bool if dtype == "boolean" else np.int64), missing)


def _blank_oversized(columns):
    """Blank integers beyond 64 bits, such as a year of 1e30; return which rows had one."""
    oversized = np.zeros(len(columns["source"]), dtype=bool)
    for name, values in columns.items():
        if TABLE_COLUMNS[name].dtype == "Int64":
            rows = [n for n, v in enumerate(values) if v is not None and abs(v) > LARGEST_INTEGER]
            if rows:
                oversized[rows] = True
                kept = list(values)
                for row in rows:
                    kept[row] = None
                columns[name] = kept
    return oversized


def _of_number(function, numbers):
    """Property of each space-group number, None where it is missing."""
    found = np.full(len(numbers.values), None, dtype=object)
    known = ~numbers.missing
    if known.any():
        found[known] = function(numbers.values[known])
    return found


def _check_cells(columns, cells):
    """Flag cells that are incomplete, impossible or contradict the reported volume."""
    errors = columns["error"]
    # A file that could not be read has no cell to be incomplete.
    is_record = columns["status"] != ERROR
    incomplete = np.isnan(cells).any(axis=1)
    partial = is_record & incomplete
    _add_flag(columns["flags"], partial, "missing_cell")
    for row in np.flatnonzero(partial):
        # What the reader said first is nearer to the cause.
        if errors[row] is None:
            missing = np.array(CELL_COLUMNS)[np.isnan(cells[row])]
            errors[row] = f"the cell is incomplete: {', '.join(missing)} missing"
    impossible = ~incomplete & np.isnan(columns["v_formula"])
    _add_flag(columns["flags"], impossible, "impossible_cell")
    if impossible.any():
        errors[impossible] = cell_problems(cells[impossible])
    with np.errstate(invalid="ignore"):
        excess = np.abs(columns["volume"] / columns["v_formula"] - 1.0)
        _add_flag(columns["flags"], excess > VOLUME_TOLERANCE, "volume_contradicts_cell")


def _add_flag(flags, rows, flag):
    for row in np.flatnonzero(rows):
        flags[row] = f"{flags[row]};{flag}" if flags[row] else flag


def _set_status(columns, cells):
    """Settle the status of every row that is not an error."""
    given, flags = columns["status"], columns["flags"]
    incomplete = np.isnan(cells).any(axis=1) | np.isnan(columns["v_formula"])
    incomplete |= columns["spacegroup_number"].missing
    unsupported = np.zeros(len(flags), dtype=bool)
    flagged = np.flatnonzero(flags != "")
    # Only flagged rows are looked at; most tables have few.
    unsupported[flagged] = [not _BEYOND.isdisjoint(text.split(";")) for text in flags[flagged]]
    status = np.full(len(flags), OK, dtype=object)
    # From the mildest to the most serious: a later one replaces an earlier one.
    status[flagged] = REPAIRED
    status[incomplete] = INCOMPLETE
    status[unsupported] = UNSUPPORTED
    status[given == ERROR] = ERROR
    columns["status"] = status
