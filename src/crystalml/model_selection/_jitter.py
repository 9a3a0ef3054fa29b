"""Perturb cells within their standard uncertainty, as if they came from indexing."""

from numbers import Integral, Real

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml._typing import ArrayLike, FloatArray, RandomState
from crystalml._validation import as_pandas, private_random_state
from crystalml.crystallography import cell_volume, validate_cells
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import cells_of, has_cell_columns

__all__ = ["jitter_cells"]

_CALLER = "jitter_cells"
_VOLUME_COLUMNS = ("volume", "v_formula")
# After so many halvings a perturbation is below the rounding of double precision.
_HALVINGS = 60


def jitter_cells(
    table: pd.DataFrame | ArrayLike,
    *,
    length_su: float = 3e-4,
    angle_su: float = 0.03,
    reported_su: bool = True,
    n_copies: int = 1,
    random_state: RandomState = None,
) -> pd.DataFrame | FloatArray:
    """Perturb cells within their standard uncertainty, as if they had just been indexed.

    Deposited cells were refined under the reported symmetry and hold ``a == b`` and 90 degrees
    exactly. A model may learn these equalities, which a freshly indexed cell does not have.
    Jitter the test rows to see how much of the score remains, and the training rows to keep the
    model from learning the equalities.

    Parameters
    ----------
    table : DataFrame or array-like of shape (n_samples, 6)
        A table with the columns `a`, `b`, `c` (Å), `alpha`, `beta`, `gamma` (degrees), or an
        array of the six in this order. Rows with a missing value stay as they are.
    length_su : float, default=3e-4
        Relative standard uncertainty of a length that has none of its own.
    angle_su : float, default=0.03
        Standard uncertainty of an angle that has none of its own, in degrees.
    reported_su : bool, default=True
        Whether `a_su` to `gamma_su` of the table (Å and degrees) come first, where they are
        known and above zero. A cell parameter fixed by symmetry has none, and is perturbed by
        `length_su` or `angle_su`.
    n_copies : int, default=1
        Perturbed copies of each row, one after another as ``np.repeat`` would give them; repeat
        labels and groups the same way, so that all copies stay on one side of a split.
    random_state : int, RandomState instance or None, default=None
        Source of the noise. With an integer the noise of a row depends on this number, on
        `n_copies` and on the position of the row, not on the other rows: the first rows of a
        longer table are perturbed alike.

    Returns
    -------
    DataFrame or ndarray of shape (n_samples * n_copies, 6)
        A table for a table, with the index repeated; an array for an array. In a table `volume`
        and `v_formula` are recomputed from the perturbed cell where they are present and known;
        all other columns stay as they are.

    Raises
    ------
    SchemaError
        If the table lacks one of the six columns.
    CellError
        If a row without missing values is no unit cell.
    InvalidInputError
        If an uncertainty is negative or `n_copies` is less than one.

    Notes
    -----
    The errors are independent and normal. A perturbation that would make an impossible cell is
    halved until it does not, so that every result is a cell. `volume_su` and other columns
    that follow from the cell are not touched.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.model_selection import jitter_cells
    >>> table = pd.DataFrame({"formula": ["NaCl"], "a": 5.64, "b": 5.64, "c": 5.64,
    ...                       "alpha": 90.0, "beta": 90.0, "gamma": 90.0, "volume": 179.4})
    >>> jitter_cells(table, n_copies=2, random_state=0).round(3)
      formula      a      b      c   alpha    beta   gamma   volume
    0    NaCl  5.643  5.641  5.642  90.067  90.056  89.971  179.575
    0    NaCl  5.642  5.640  5.640  90.012  90.004  90.044  179.444
    """
    _check_parameters(length_su, angle_su, n_copies)
    table = as_pandas(table)
    names = list(getattr(table, "columns", ()))
    cells = _known_cells(cells_of(table, _CALLER))
    su = _standard_uncertainties(table, names, cells, length_su, angle_su, reported_su)
    cells, su = np.repeat(cells, n_copies, axis=0), np.repeat(su, n_copies, axis=0)
    # All six numbers of a row are drawn before the next row's, missing or not, so that the noise
    # of a row depends on its position alone.
    noise = private_random_state(random_state).standard_normal(cells.shape)
    jittered = _possible_cells(cells, noise * su)
    if not has_cell_columns(table):
        return jittered
    return _as_table(table, n_copies, names, jittered)


def _check_parameters(length_su: float, angle_su: float, n_copies: int) -> None:
    for name, value in (("length_su", length_su), ("angle_su", angle_su)):
        if not (isinstance(value, Real) and 0 <= value < np.inf):
            raise InvalidInputError(f"{_CALLER}: {name} must be a number >= 0, got {value!r}.")
    # True is an integer for Python, but no number of copies.
    if isinstance(n_copies, bool) or not isinstance(n_copies, Integral) or n_copies < 1:
        raise InvalidInputError(f"{_CALLER}: n_copies must be an integer >= 1, got {n_copies!r}.")


def _known_cells(columns):
    """Check the cells without missing values; the rows with some come back as they are."""
    blanked = validate_cells(columns, caller=_CALLER, on_error="nan")
    if blanked.ndim != 2:
        raise InvalidInputError(
            f"{_CALLER}: got the single cell {np.asarray(columns).tolist()!r}; put it into a list."
        )
    cells = np.array(columns, dtype=float)
    impossible = np.isnan(blanked[:, 0]) & ~np.isnan(cells).any(axis=1)
    if impossible.any():
        # Of the whole table, so that the message names the right row.
        validate_cells(
            np.where(impossible[:, None] | ~np.isnan(blanked), cells, [1, 1, 1, 90, 90, 90]),
            caller=_CALLER,
        )
    return cells


def _standard_uncertainties(table, names, cells, length_su, angle_su, reported_su):
    """Give every parameter its standard uncertainty, in its own unit."""
    # An s.u. of zero or none stands for a parameter that symmetry fixes; a measured cell has one.
    su = np.full(cells.shape, float(angle_su))
    su[:, :3] = length_su * cells[:, :3]
    if reported_su:
        for column, name in enumerate(CELL_SU_COLUMNS):
            if name in names:
                reported = table[name].to_numpy(dtype=float, na_value=np.nan)
                known = np.isfinite(reported) & (reported > 0)
                su[known, column] = reported[known]
    return su


def _possible_cells(cells, change):
    """Add the change to the cells, halved as often as it takes to stay a cell."""
    rows = np.flatnonzero(~np.isnan(cells).any(axis=1))
    jittered, original = cells.copy(), cells
    for _ in range(_HALVINGS):
        jittered[rows] = original[rows] + change[rows]
        impossible = np.isnan(validate_cells(jittered[rows], caller=_CALLER, on_error="nan")[:, 0])
        rows = rows[impossible]
        if not rows.size:
            return jittered
        change[rows] /= 2
    # What no halving makes possible stays as it was.
    jittered[rows] = original[rows]
    return jittered


def _as_table(table, n_copies, names, jittered):
    """Put the cells and what follows from them into copies of the rows."""
    table = table.iloc[np.repeat(np.arange(len(table)), n_copies)]
    columns = dict(zip(CELL_COLUMNS, jittered.T, strict=True))
    volumes = cell_volume(jittered)
    for name in _VOLUME_COLUMNS:
        if name in names:
            known = table[name].notna().to_numpy() & ~np.isnan(volumes)
            columns[name] = np.where(
                known, volumes, table[name].to_numpy(dtype=float, na_value=np.nan)
            )
    return table.assign(**columns)
