"""What a table says of crystals whose cells are to be learned or predicted."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml._validation import as_pandas
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    FormulaTable,
    bravais_lattice,
    metric_symmetry,
    parse_formulas,
    validate_cells,
)
from crystalml.descriptors._composition_input import as_list, one_column
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._cell_model._shapes import lattice_codes

# From high to low, the Bravais lattices that six numbers alone can tell.
_METRIC_LATTICES = ("cP", "hP", "tP", "hR", "oP", "mP", "aP")
_LENGTH_TOLERANCE, _ANGLE_TOLERANCE = 1e-3, 0.05


class CrystalRows(NamedTuple):
    """Rows of a table, each column as far as it is known."""

    formulas: list
    table: FormulaTable
    lattices: np.ndarray  # codes of the Bravais lattices, -1 where unknown
    numbers: np.ndarray  # space groups, 0 where unknown
    n_atoms: np.ndarray  # in the cell, NaN where unknown


def read_crystals(X, *, caller):
    """Read formulas and, from the further columns of a DataFrame, what is known of each row.

    Raises
    ------
    SchemaError
        If no column holds formulas.
    FormulaError
        If a formula is missing or cannot be read.
    InvalidInputError
        If a Bravais lattice, space group or number of atoms is none, or two of them disagree.
    """
    X = as_pandas(X)
    formulas = as_list(one_column(X, caller=caller))
    table = parse_formulas(formulas)
    columns = X if hasattr(X, "columns") else pd.DataFrame(index=range(len(formulas)))
    numbers = _numbers(columns, caller)
    lattices = _lattices(columns, numbers, caller)
    return CrystalRows(formulas, table, lattices, numbers, atoms_in_cells(columns, table, caller))


def read_cells(y, *, caller):
    """Return cells of shape (n, 6) from an array, or from the columns of a table."""
    y = as_pandas(y)
    columns = getattr(y, "columns", ())
    if set(CELL_COLUMNS) <= set(columns):
        y = y[list(CELL_COLUMNS)]
    cells = np.asarray(y, dtype=float)
    if cells.ndim != 2 or cells.shape[1] != len(CELL_COLUMNS):
        raise InvalidInputError(
            f"{caller}: y has shape {cells.shape}; give the cells, six columns "
            f"{', '.join(CELL_COLUMNS)} (Å, degrees)."
        )
    return validate_cells(cells, caller=caller)


def take_rows(table, rows):
    """Return some rows of a table of formulas."""
    parts = (table.amounts, table.errors, table.has_deuterium)
    return FormulaTable(table.elements, *(part[rows] for part in parts))


def lattices_of_metric(cells):
    """Codes of the primitive lattices (or hR, of a rhombohedral cell) that cells have."""
    allowed = metric_symmetry(
        cells, length_tolerance=_LENGTH_TOLERANCE, angle_tolerance=_ANGLE_TOLERANCE
    )
    codes = lattice_codes(_METRIC_LATTICES)
    return codes[np.argmax(allowed[:, codes], axis=1)]


def _numbers(columns, caller):
    """Return the column of space groups, 0 where there is none."""
    numbers = number_column(columns, "spacegroup_number", caller)
    wrong = ~np.isnan(numbers) & ~np.isin(numbers, np.arange(1, 231))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidInputError(
            f"{caller}: column 'spacegroup_number' has {float(numbers[row])!r} in row {row}; give "
            "whole numbers from 1 to 230, or leave unknown ones missing."
        )
    return np.nan_to_num(numbers).astype(np.int64)


def _lattices(columns, numbers, caller):
    """Return the codes of the Bravais lattices that are given, or follow from the groups."""
    followed = np.full(len(numbers), -1)
    known = numbers > 0
    followed[known] = lattice_codes(bravais_lattice(numbers[known]))
    if "bravais_lattice" not in columns:
        return followed
    values = columns["bravais_lattice"].to_numpy(dtype=object)
    codes = lattice_codes(values)
    wrong = (codes < 0) & ~pd.isna(values)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidInputError(
            f"{caller}: column 'bravais_lattice' has {values[row]!r} in row {row}; give one of "
            f"{', '.join(BRAVAIS_LATTICES)}, or leave unknown ones missing."
        )
    differ = (codes >= 0) & (followed >= 0) & (codes != followed)
    if differ.any():
        row = int(np.flatnonzero(differ)[0])
        raise InvalidInputError(
            f"{caller}: row {row} has the Bravais lattice {values[row]!r} and the space group "
            f"{numbers[row]}, whose lattice is {BRAVAIS_LATTICES[followed[row]]!r}. Drop one."
        )
    return np.where(codes >= 0, codes, followed)


def atoms_in_cells(columns, table, caller):
    """Return the atoms in the cell, from their own column or from the formula units."""
    atoms = number_column(columns, "n_atoms", caller)
    units = number_column(columns, "formula_units", caller)
    atoms = np.where(np.isnan(atoms), units * table.amounts.sum(axis=1), atoms)
    wrong = (atoms <= 0) | np.isinf(atoms)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidInputError(
            f"{caller}: row {row} has {float(atoms[row])!r} atoms in the cell; give numbers > 0, "
            "or leave unknown ones missing."
        )
    return atoms


def number_column(columns, name, caller):
    """Return a column as floats, NaN where it is missing; all NaN if there is none."""
    if name not in columns:
        return np.full(len(columns), np.nan)
    try:
        return columns[name].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{caller}: column {name!r} is of type {columns[name].dtype} and holds what is no "
            "number. Convert it, or leave unknown ones missing."
        ) from None
