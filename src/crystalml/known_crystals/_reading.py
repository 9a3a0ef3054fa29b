"""Tables of crystals, read into what the index compares."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml._validation import as_pandas, warn
from crystalml.crystallography import (
    FormulaTable,
    cell_problems,
    cell_volume,
    chemical_system,
    parse_formulas,
)
from crystalml.crystallography._cell import hexagonal_lengths
from crystalml.exceptions import InvalidInputError, SchemaError, SkippedRowsWarning
from crystalml.known_crystals._contents import contents_of_cells
from crystalml.known_crystals._descriptions import Compositions, ElementTable, Lattices
from crystalml.known_crystals._index import Crystals

# Rhombohedral axes are recognised within these limits: relative, and degrees.
_EQUAL_LENGTHS, _EQUAL_ANGLES = 2e-3, 0.1


class ReadTable(NamedTuple):
    """The rows of a table that can be compared."""

    rows: np.ndarray
    """Their positions in the table."""
    crystals: Crystals
    systems: np.ndarray | None
    """Their chemical systems, None if the table has no formulas."""


def as_table(X, *, caller):
    """Make a DataFrame of a table, of rows as dicts, or of formulas alone."""
    X = as_pandas(X)
    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, str | Mapping):
        X = [X]
    if isinstance(X, pd.Series):
        return X.to_frame("formula")
    if not np.iterable(X):
        raise SchemaError(
            f"{caller}: got a {type(X).__name__}; give a DataFrame with the columns formula and "
            f"{', '.join(CELL_COLUMNS)}, rows as dicts, or formulas."
        )
    return pd.DataFrame([row if isinstance(row, Mapping) else {"formula": row} for row in X])


def read_table(table, *, need_formula, caller):
    """Read formulas, cells and atoms, each as far as it is there.

    Parameters
    ----------
    table : DataFrame
        With the column ``formula``, the six of the cell, or both; a row may lack its cell.
    need_formula : bool
        Whether a table without formulas is refused.
    caller : str
        Name of the public function, for messages.

    Returns
    -------
    ReadTable
        Rows that cannot be read are left out with a warning.
    """
    has_cells = set(CELL_COLUMNS) <= set(table.columns)
    if "formula" not in table.columns and (need_formula or not has_cells):
        raise SchemaError(
            f"{caller}: the table has no column formula; it has "
            f"{', '.join(map(str, table.columns[:12]))}. Add it."
        )
    reasons = np.full(len(table), None, dtype=object)
    formulas = cells = None
    if "formula" in table.columns:
        written = table["formula"].astype(object).where(table["formula"].notna(), None)
        formulas = parse_formulas(written.tolist(), on_error="report")
        reasons = formulas.errors.copy()
    if has_cells:
        cells = _numbers(table, list(CELL_COLUMNS), caller)
        is_known = ~np.isnan(cells).all(axis=1)
        problems = np.full(len(table), None, dtype=object)
        problems[is_known] = cell_problems(cells[is_known]) if is_known.any() else None
        if formulas is None:
            problems[~is_known] = "it has no cell"
        # The formula's reason first, if both cannot be read.
        reasons = np.where(reasons == None, problems, reasons)  # noqa: E711
    bad = np.flatnonzero(reasons != None)  # noqa: E711
    if len(bad):
        warn(
            f"{caller}: {len(bad)} of {len(table)} rows are left out (first: row {bad[0]}: "
            f"{reasons[bad[0]]}).",
            SkippedRowsWarning,
        )
    rows = np.setdiff1d(np.arange(len(table)), bad)
    if formulas is not None:
        formulas = FormulaTable(
            formulas.elements,
            formulas.amounts[rows],
            formulas.errors[rows],
            formulas.has_deuterium[rows],
        )
    cells = None if cells is None else cells[rows]
    crystals = _describe(formulas, cells, _atoms(table, formulas, rows, caller))
    return ReadTable(rows, crystals, None if formulas is None else chemical_system(formulas))


def _describe(formulas, cells, n_atoms):
    """Describe rows that can be read; unknown atoms are those that fill the cell best."""
    compositions: Any = None
    lattices = log_units = None
    if formulas is not None:
        compositions = Compositions.of(formulas.amounts, ElementTable.read())
        # What only trees look at need not be kept.
        compositions = compositions._replace(statistics=compositions.statistics[:0])
    if cells is not None:
        known = ~np.isnan(cells).any(axis=1)
        cells, turned = hexagonal_axes(cells)
        lattices = Lattices.of(cells)
        if formulas is not None:
            log_units = np.full(len(cells), np.nan)
            atoms = contents_of_cells(
                formulas.amounts[known],
                cell_volume(cells[known]),
                # A hexagonal cell holds three rhombohedral ones.
                (n_atoms * np.where(turned, 3.0, 1.0))[known],
            )
            log_units[known] = np.log(atoms / compositions.sites.n_atoms[known])
        lattices = lattices._replace(strains=lattices.strains[:0], cosines=lattices.cosines[:0])
    n_rows = len(cells) if formulas is None else len(formulas)
    return Crystals(compositions, lattices, log_units, np.full(n_rows, -1))


def _atoms(table, formulas, rows, caller):
    """Return the atoms in the cell, NaN where neither they nor the formula units are known."""
    n_atoms = np.full(len(rows), np.nan)
    if formulas is None:
        return n_atoms
    if "n_atoms" in table.columns:
        n_atoms = _numbers(table, ["n_atoms"], caller)[rows, 0]
    if "formula_units" in table.columns:
        units = _numbers(table, ["formula_units"], caller)[rows, 0]
        n_atoms = np.where(np.isnan(n_atoms), units * formulas.amounts.sum(axis=1), n_atoms)
    return np.where(n_atoms > 0, n_atoms, np.nan)


def _numbers(table, names, caller):
    """Return columns as floats, NaN where they are missing, shape (n, len(names))."""
    try:
        # A nullable type takes None, NaN and NA alike, and refuses text.
        columns = [table[name].astype("Float64").to_numpy(float, na_value=np.nan) for name in names]
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"{caller}: {' or '.join(names)} holds what is no number. Convert the column, or leave "
            "unknown values missing."
        ) from None
    return np.column_stack(columns)


def hexagonal_axes(cells):
    """Turn cells on rhombohedral axes into hexagonal ones; tell which rows those were.

    Examples
    --------
    >>> import numpy as np
    >>> from crystalml.known_crystals._reading import hexagonal_axes
    >>> cells, turned = hexagonal_axes(np.array([[5.0, 5.0, 5.0, 55.0, 55.0, 55.0]]))
    >>> cells.round(3).tolist(), turned.tolist()
    ([[4.617, 4.617, 12.69, 90.0, 90.0, 120.0]], [True])
    """
    lengths, angles = cells[:, :3], cells[:, 3:]
    length, angle = lengths.mean(axis=1), angles.mean(axis=1)
    turned = (np.abs(lengths / length[:, None] - 1) < _EQUAL_LENGTHS).all(axis=1)
    turned &= (np.abs(angles - angle[:, None]) < _EQUAL_ANGLES).all(axis=1)
    # Near 90 degrees it is a cubic cell, measured with errors.
    turned &= np.abs(angle - 90.0) > 5 * _EQUAL_ANGLES
    if not turned.any():
        return cells, turned
    a, c = hexagonal_lengths(length[turned], angle[turned])
    cells = cells.copy()
    cells[turned] = np.column_stack(
        [a, a, c, *(np.full(turned.sum(), value) for value in (90.0, 90.0, 120.0))]
    )
    return cells, turned
