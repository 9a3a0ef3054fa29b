"""Read input tables: formulas, cells, atoms in the cell, lattices and space groups."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml._validation import as_pandas, warn
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    FormulaTable,
    bravais_lattice,
    cell_problems,
    cell_volume,
    chemical_system,
    conventional_cell,
    metric_symmetry,
    parse_formulas,
    validate_cells,
)
from crystalml.descriptors._composition_input import as_list, one_column
from crystalml.exceptions import (
    CellError,
    FormulaError,
    IgnoredInputWarning,
    ImplausibleCellWarning,
    InvalidInputError,
    SchemaError,
)
from crystalml.known_crystals._reading import hexagonal_axes
from crystalml.model_selection import duplicate_groups
from crystalml.symmetry._cell_model._shapes import lattice_codes
from crystalml.symmetry._implausible_cells import (
    complaint_about_cells,
    doubts_about_cells,
    exchange_hint,
)

COMPOSITION, CELL, ATOMS = "composition", "cell", "atoms"
ATOM_COLUMNS = ("n_atoms", "formula_units")
# From high to low, the Bravais lattices that six numbers alone can tell.
_METRIC_LATTICES = ("cP", "hP", "tP", "hR", "oP", "mP", "aP")
_LENGTH_TOLERANCE, _ANGLE_TOLERANCE = 1e-3, 0.05
# Lattices whose lengths differ by less are taken for one compound where no formula tells; more
# would join most cubic cells into a single chain.
_SAME_LENGTHS = 2e-4


@dataclass(frozen=True)
class Entries:
    """Columns of n crystals; None where the classifier does not look at them."""

    amounts: sparse.csr_array | None
    """Atoms of each element in the formula, shape (n, 118)."""
    cells: np.ndarray | None
    """Conventional cells, shape (n, 6); rhombohedral axes are turned into hexagonal ones."""
    cells_su: np.ndarray | None
    """Standard uncertainties of the cells, 0 where unknown; None if no column gives any."""
    n_atoms: np.ndarray | None
    """Atoms in the cell, NaN where unknown; None if no column has them."""
    index: pd.Index
    """Names of the rows."""

    def __len__(self):
        return len(self.index)

    def rows(self, rows):
        """Return some of the crystals."""
        columns = (getattr(self, field.name) for field in fields(self))
        return Entries(*(None if column is None else column[rows] for column in columns))

    def shifted(self, draw):
        """Return the same crystals with cells that are this many s.u. away, shape (6,).

        Where no such cell is possible, the cell stays as it is.
        """
        if self.cells is None or self.cells_su is None:
            return self
        cells = self.cells + draw * self.cells_su
        cells = validate_cells(cells, caller="Entries", on_error="nan")
        return replace(self, cells=np.where(np.isnan(cells), self.cells, cells))


def as_table(X, parts, *, caller):
    """Return the input as a DataFrame that has the columns a classifier with these `parts` needs.

    Parameters
    ----------
    X : DataFrame, Series, list, dict or array
        A table, of pandas or another library; rows as dicts; formulas alone; an array of the
        columns needed, in their order.
    parts : set of {"composition", "cell", "atoms"}
        What the classifier looks at.
    caller : str
        Who asks, for messages.

    Raises
    ------
    SchemaError
        If there is no such column, or `X` is something else.
    """
    X = as_pandas(X)
    if isinstance(X, Mapping):
        # A dict of columns is a table, a dict of single values is a row.
        X = pd.DataFrame(X if any(np.ndim(value) for value in X.values()) else [X])
    elif _are_rows(X):
        X = pd.DataFrame(list(X))
    # Where only formulas are looked at, their column may have any name.
    if isinstance(X, pd.DataFrame) and (parts != {COMPOSITION} or "formula" in X.columns):
        table = X
    elif parts == {COMPOSITION}:
        index = X.index if isinstance(X, (pd.Series, pd.DataFrame)) else None
        column = X if isinstance(X, pd.DataFrame) else _without_name(X)
        formulas = as_list(one_column(column, caller=caller))
        table = pd.DataFrame({"formula": pd.Series(formulas, index=index, dtype=object)})
    else:
        table = _from_array(X, parts, caller)
    _check_columns(table, parts, caller)
    return table


def _are_rows(X):
    """Whether these are rows as dicts (from column to value), not formulas as dicts."""
    names = {"formula", *CELL_COLUMNS}
    is_list = isinstance(X, (list, tuple)) and len(X) > 0
    return is_list and all(isinstance(row, Mapping) and names & set(row) for row in X)


def warn_of_ignored_atoms(X, parts, *, caller):
    """Warn that the atoms in the cell were typed for a classifier that does not use them.

    Tables give no warning: those of readers and data sets always have these columns.
    """
    rows = [X] if isinstance(X, Mapping) else X
    if ATOMS in parts or not _are_rows(rows):
        return
    given = [name for name in ATOM_COLUMNS if any(_is_given(row.get(name)) for row in rows)]
    if given:
        warn(
            f"{caller}: {' and '.join(given)} {'is' if len(given) == 1 else 'are'} ignored; only a "
            "classifier with inputs='composition+cell+atoms' looks at the atoms in the cell.",
            IgnoredInputWarning,
        )


def _is_given(value):
    """Whether a value, or any of a column of values, is there."""
    return bool(np.any(pd.notna(value)))


def _without_name(X):
    """Turn a Series into its values."""
    return X.to_numpy(dtype=object) if isinstance(X, pd.Series) else X


def _from_array(X, parts, caller):
    """Name the columns of an array."""
    names = needed_columns(parts)
    array = np.asarray(X, dtype=object) if isinstance(X, (list, tuple, np.ndarray)) else None
    # An empty list is a table without rows.
    if array is not None and array.shape == (0,):
        array = array.reshape(0, len(names))
    if array is None or array.ndim != 2 or array.shape[1] != len(names):
        came = "" if array is None else f" of shape {array.shape}"
        raise SchemaError(
            f"{caller}: X is a {type(X).__name__}{came}; give a DataFrame with the columns "
            f"{', '.join(names)}, as read_cifs makes them, or an array of these in this order."
        )
    return pd.DataFrame(array, columns=names)


def needed_columns(parts):
    """Return the names of the columns that are needed; for the atoms, the first of two."""
    names = ["formula"] if COMPOSITION in parts else []
    names += list(CELL_COLUMNS) if CELL in parts else []
    return names + ([ATOM_COLUMNS[0]] if ATOMS in parts else [])


def _check_columns(table, parts, caller):
    # Tables of readers have dozens of columns; the first tell which table it is.
    has = ", ".join(map(str, table.columns[:12]))
    missing = [name for name in needed_columns(parts - {ATOMS}) if name not in table.columns]
    if missing:
        raise SchemaError(
            f"{caller}: the table lacks the columns {', '.join(missing)}; it has {has}. Add them, "
            "or choose other inputs."
        )
    if ATOMS in parts and not set(ATOM_COLUMNS) & set(table.columns):
        raise SchemaError(
            f"{caller}: the table has neither n_atoms (atoms in the cell) nor formula_units (Z); "
            "add one of them, or choose inputs='composition+cell'."
        )
    if not table.columns.is_unique:
        double = table.columns[table.columns.duplicated()][0]
        raise SchemaError(
            f"{caller}: the table has more than one column {double!r}. Drop all but one."
        )


def read_entries(table, parts, *, setting="conventional", doubts=False, caller):
    """Read the columns that a classifier with these `parts` needs.

    Parameters
    ----------
    table : DataFrame
        From `as_table`.
    parts : set of {"composition", "cell", "atoms"}
        What the classifier looks at.
    setting : {"conventional", "primitive"}
        What the cells are.
    doubts : bool
        Whether to warn of cells that no crystal of their composition has.
    caller : str
        Who asks, for messages.

    Raises
    ------
    FormulaError, CellError, InvalidInputError
        If a formula, a cell or a number is impossible.
    """
    amounts = cells = cells_su = n_atoms = None
    n_points = np.ones(len(table))
    if COMPOSITION in parts:
        formulas = _formulas(table, caller)
        amounts = formulas.amounts
    if CELL in parts:
        given = _given_cells(table, caller)
        # Checked before they are changed, so that a message shows the user's numbers.
        _check_cells(given, caller)
        if doubts:
            _warn_of_implausible_cells(table, given, amounts, caller)
        cells, n_points, is_new = _conventional(given, setting)
        cells_su = _su_of_axes(_uncertainties(table, caller), given, cells, is_new)
    if ATOMS in parts:
        # The atoms were counted in the cell as it was given.
        n_atoms = atoms_in_cells(table, formulas, caller) * n_points
    return Entries(amounts, cells, cells_su, n_atoms, table.index)


def usable_rows(table, parts, *, caller):
    """Return the positions of the rows whose formula and cell can be read, and why not the others.

    Parameters
    ----------
    table : DataFrame
        From `as_table`.
    parts : set of {"composition", "cell", "atoms"}
        What the classifier looks at.
    caller : str
        Who asks, for messages.

    Returns
    -------
    usable : ndarray of int
        Positions in the table, in order.
    reasons : dict of int to str
        Position of each other row -> why it cannot be answered.
    """
    reasons: dict[int, str] = {}
    if CELL in parts:
        problems = cell_problems(_given_cells(table, caller))
        reasons |= {row: problem for row, problem in enumerate(problems) if problem}
    if COMPOSITION in parts:
        written = as_list(table[["formula"]])
        errors = parse_formulas(written, on_error="report").errors
        for row, error in enumerate(errors):
            if error is not None:
                reasons[row] = error if written[row] is not None else "it has no formula"
    usable = np.setdiff1d(np.arange(len(table)), list(reasons))
    return usable, dict(sorted(reasons.items()))


def _given_cells(table, caller):
    """Return the cells as they stand in the table, shape (n, 6)."""
    return np.column_stack([number_column(table, name, caller) for name in CELL_COLUMNS])


def _check_cells(cells, caller):
    """Refuse impossible cells; say so where lengths and angles seem to be exchanged."""
    try:
        validate_cells(cells, caller=caller)
    except CellError as error:
        bad = cells[np.isnan(cell_volume(cells))]
        raise CellError(f"{error} {exchange_hint(bad)}".rstrip()) from None


def _warn_of_implausible_cells(table, cells, amounts, caller):
    doubts = doubts_about_cells(cells, amounts)
    if not doubts.any():
        return
    names = [f"row {row}" for row in range(len(table))]
    formulas = table["formula"].tolist() if amounts is not None else None
    complaint = complaint_about_cells(doubts, cells, amounts, names, formulas)
    warn(f"{caller}: {complaint}", ImplausibleCellWarning)


def _formulas(table, caller):
    """Parse the formulas, all of which must be readable."""
    written = as_list(table[["formula"]])
    # Reported rather than raised, so that the message can count all of them.
    formulas = parse_formulas(written, on_error="report")
    missing = [row for row, formula in enumerate(written) if formula is None]
    if missing:
        raise FormulaError(
            f"{caller}: {len(missing)} of {len(table)} rows have no formula (first: row "
            f"{missing[0]}). Drop them with X = X[X['formula'].notna()]; rank and explain leave "
            "such rows out themselves."
        )
    bad = [row for row, reason in enumerate(formulas.errors) if reason is not None]
    if bad:
        raise FormulaError(
            f"{caller}: {len(bad)} of {len(table)} formulas cannot be read (first: row {bad[0]}, "
            f"{formulas.errors[bad[0]]}). Correct or drop these rows."
        )
    return formulas


def _uncertainties(table, caller):
    """Return the s.u. of the cells where the table has such columns and any is above zero."""
    known = [name for name in CELL_SU_COLUMNS if name in table.columns]
    su = np.zeros((len(table), 6))
    for name in known:
        # Infinity stays, to be refused below.
        values = np.nan_to_num(number_column(table, name, caller), nan=0.0, posinf=np.inf)
        wrong = (values < 0) | np.isinf(values)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InvalidInputError(
                f"{caller}: column {name!r} has {float(values[row])!r} in row {row}; give finite "
                "s.u. >= 0, or leave unknown ones missing."
            )
        su[:, CELL_SU_COLUMNS.index(name)] = values
    return su if su.any() else None


def _conventional(cells, setting):
    """Return conventional cells, how many times larger they are, and which are on other axes."""
    if setting == "primitive":
        found, _ = conventional_cell(cells)
        # Lattice points in the conventional cell: 1, 2, 3 or 4.
        n_points = np.rint(cell_volume(found) / cell_volume(cells))
        return found, n_points, np.ones(len(cells), dtype=bool)
    found, turned = hexagonal_axes(cells)
    return found, np.where(turned, 3.0, 1.0), turned


def _su_of_axes(su, given, cells, is_new):
    """Give new axes the mean s.u. of those in the table, relative to the length."""
    if su is None or not is_new.any():
        return su
    relative = (su[:, :3] / given[:, :3]).mean(axis=1, keepdims=True)
    angle = np.repeat(su[:, 3:].mean(axis=1, keepdims=True), 3, axis=1)
    return np.where(is_new[:, None], np.hstack([relative * cells[:, :3], angle]), su)


def natural_groups(table, cells):
    """Group rows that would give one another away across a split.

    Parameters
    ----------
    table : DataFrame
        With a column ``formula``, used or not, rows of one chemical system are a group.
    cells : ndarray of shape (n, 6) or None
        Without it, rows of equal lattice are one.

    Returns
    -------
    object array of shape (n,)
        Rows whose formula cannot be read are groups of their own.
    """
    if "formula" not in table.columns:
        # With the same formula everywhere, the lattices alone decide.
        return duplicate_groups(["H"] * len(cells), cells, length_tolerance=_SAME_LENGTHS)
    formulas = table["formula"].tolist()
    errors = parse_formulas(formulas, on_error="report").errors
    readable = np.flatnonzero([error is None for error in errors])
    groups = np.array([f"row {row}" for row in range(len(formulas))], dtype=object)
    groups[readable] = chemical_system([formulas[row] for row in readable])
    return groups


class CrystalRows(NamedTuple):
    """Rows of a table, each column as far as it is known."""

    formulas: list
    table: FormulaTable
    lattices: np.ndarray  # codes of the Bravais lattices, -1 where unknown
    numbers: np.ndarray  # space groups, 0 where unknown
    n_atoms: np.ndarray  # in the cell, NaN where unknown


def read_crystals(X, *, caller):
    """Read formulas and, where a DataFrame has them, lattices, space groups and atoms.

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
    # A space group tells its lattice; a column of lattices is for rows without a group, and must
    # not contradict it elsewhere.
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
    # Z counts formulas as they are written, reduced or not.
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
        # Unlike float, Float64 takes every kind of missing value.
        return columns[name].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{caller}: column {name!r} is of type {columns[name].dtype} and holds what is no "
            "number. Convert it, or leave unknown ones missing."
        ) from None
