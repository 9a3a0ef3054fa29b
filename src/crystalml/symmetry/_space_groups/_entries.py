"""What a table says of crystals whose space groups are to be told: formulas, cells, atoms."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml.crystallography import (
    cell_volume,
    conventional_cell,
    parse_formulas,
    validate_cells,
)
from crystalml.exceptions import SchemaError

COMPOSITION, CELL, ATOMS = "composition", "cell", "atoms"
# Rhombohedral axes are recognised within these limits: relative, and degrees.
_EQUAL_LENGTHS, _EQUAL_ANGLES = 2e-3, 0.1


class Entries(NamedTuple):
    """Columns of n crystals; None where the classifier does not look at them."""

    amounts: sparse.csr_array | None
    """Atoms of each element in the formula, shape (n, 118)."""
    cells: np.ndarray | None
    """Conventional cells, shape (n, 6); rhombohedral axes are turned into hexagonal ones."""
    cells_su: np.ndarray | None
    """Standard uncertainties of the cells, 0 where unknown; None if no column gives any."""
    n_atoms: np.ndarray | None
    """Atoms in the cell, NaN where unknown; None if nothing is said of them."""
    index: object
    """Names of the rows."""

    def __len__(self):
        return len(self.index)

    def rows(self, rows):
        """Some of the crystals."""
        return Entries(*(None if column is None else column[rows] for column in self))

    def with_cells(self, cells):
        """The same crystals with other cells."""
        return self._replace(cells=cells)


def read_entries(table, parts, *, setting="conventional", caller):
    """Read the columns that a classifier with these `parts` needs.

    Parameters
    ----------
    table : DataFrame, or sequence of str (formulas alone) or array of shape (n, 6) (cells alone)
        Rows.
    parts : set of {"composition", "cell", "atoms"}
        What the classifier looks at.
    setting : {"conventional", "primitive"}
        What the cells are.
    caller : str
        Who asks, for messages.

    Raises
    ------
    SchemaError
        If a column is missing.
    FormulaError, InvalidInputError
        If a formula or a cell is impossible.
    """
    table = _as_table(table, parts, caller)
    _check_columns(table, parts, caller)
    amounts = cells = cells_su = n_atoms = None
    tripled = np.zeros(len(table), dtype=bool)
    if COMPOSITION in parts:
        amounts = parse_formulas(list(table["formula"])).amounts
    if CELL in parts:
        cells = table[list(CELL_COLUMNS)].to_numpy(dtype=float)
        validate_cells(cells, caller=caller)
        cells_su = _uncertainties(table)
        if setting == "primitive":
            cells, n_lattice_points = _conventional(cells)
        else:
            cells, tripled = hexagonal_axes(cells)
            n_lattice_points = np.where(tripled, 3.0, 1.0)
        if cells_su is not None:
            cells_su[tripled] = 0.0
    if ATOMS in parts:
        n_atoms = _atoms(table, amounts) * n_lattice_points
    return Entries(amounts, cells, cells_su, n_atoms, table.index)


def _as_table(table, parts, caller):
    """Make a DataFrame of what came."""
    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, pd.Series):
        return table.to_frame("formula")
    if parts == {COMPOSITION}:
        if isinstance(table, str) or not hasattr(table, "__len__"):
            raise SchemaError(f"{caller}: the table is {table!r}; put formulas into a list.")
        return pd.DataFrame(
            {"formula": np.asarray(table, dtype=object).reshape(len(table), -1)[:, 0]}
        )
    array = np.asarray(table)
    if parts == {CELL} and array.ndim == 2 and array.shape[1] == len(CELL_COLUMNS):
        return pd.DataFrame(array, columns=list(CELL_COLUMNS))
    raise SchemaError(
        f"{caller}: X is a {type(table).__name__}; give a DataFrame with the columns "
        f"{', '.join(_columns(parts))}, as read_cifs makes them."
    )


def _columns(parts):
    """Name the columns that are needed."""
    names = ["formula"] if COMPOSITION in parts else []
    return names + (list(CELL_COLUMNS) if CELL in parts else [])


def _check_columns(table, parts, caller):
    missing = [name for name in _columns(parts) if name not in table.columns]
    if missing:
        raise SchemaError(
            f"{caller}: the table lacks the columns {', '.join(missing)}; it has "
            f"{', '.join(map(str, table.columns[:12]))}. Add them, or choose other inputs."
        )
    if ATOMS in parts and not {"n_atoms", "formula_units"} & set(table.columns):
        raise SchemaError(
            f"{caller}: the table has neither n_atoms (atoms in the cell) nor formula_units (Z); "
            "add one of them, or choose inputs='composition+cell'."
        )


def _uncertainties(table):
    """Return the s.u. of the cells where the table has such columns and any is above zero."""
    known = [name for name in CELL_SU_COLUMNS if name in table.columns]
    if not known:
        return None
    su = np.zeros((len(table), 6))
    for name in known:
        su[:, CELL_SU_COLUMNS.index(name)] = table[name].to_numpy(dtype=float)
    su = np.nan_to_num(su, nan=0.0)
    return su if su.any() else None


def _atoms(table, amounts):
    """Return the atoms in the cell, from `n_atoms` or else from Z."""
    found = np.full(len(table), np.nan)
    if "n_atoms" in table.columns:
        found = pd.to_numeric(table["n_atoms"]).to_numpy(dtype=float, na_value=np.nan).copy()
    if "formula_units" in table.columns:
        units = pd.to_numeric(table["formula_units"]).to_numpy(dtype=float, na_value=np.nan)
        found = np.where(np.isnan(found), units * amounts.sum(axis=1), found)
    return np.where(found > 0, found, np.nan)


def hexagonal_axes(cells):
    """Turn cells on rhombohedral axes into hexagonal ones; tell which rows those were.

    Examples
    --------
    >>> import numpy as np
    >>> from crystalml.symmetry._space_groups._entries import hexagonal_axes
    >>> cells, turned = hexagonal_axes(np.array([[5.0, 5.0, 5.0, 55.0, 55.0, 55.0]]))
    >>> cells.round(3).tolist(), turned.tolist()
    ([[4.617, 4.617, 12.69, 90.0, 90.0, 120.0]], [True])
    """
    lengths, angles = cells[:, :3], cells[:, 3:]
    length, angle = lengths.mean(axis=1), angles.mean(axis=1)
    turned = (np.abs(lengths / length[:, None] - 1) < _EQUAL_LENGTHS).all(axis=1)
    turned &= (np.abs(angles - angle[:, None]) < _EQUAL_ANGLES).all(axis=1)
    turned &= np.abs(angle - 90.0) > 5 * _EQUAL_ANGLES
    if not turned.any():
        return cells, turned
    half = np.radians(angle[turned] / 2)
    height = np.sqrt(np.maximum(3.0 - 4.0 * np.sin(half) ** 2, 1e-6) * 3.0)
    cells = cells.copy()
    cells[turned] = np.column_stack(
        [
            2 * length[turned] * np.sin(half),
            2 * length[turned] * np.sin(half),
            length[turned] * height,
            *(np.full(turned.sum(), value) for value in (90.0, 90.0, 120.0)),
        ]
    )
    return cells, turned


def _conventional(cells):
    """Return the conventional cells of primitive ones, and how many times larger they are."""
    found, _ = conventional_cell(cells)
    return found, np.rint(cell_volume(found) / cell_volume(cells))
