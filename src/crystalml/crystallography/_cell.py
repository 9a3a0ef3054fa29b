"""Geometry of unit cells, many at a time.

A cell is six numbers, a, b, c in Å and alpha, beta, gamma in degrees. Every function takes
an (n, 6) array of them, or one cell of shape (6,), and then returns the result for that one
alone. Rows that are no cell (see `cell_problems`) give NaN.
"""

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import ArrayLike, BoolArray, FloatArray, ObjectArray
from crystalml.exceptions import CellError, InvalidInputError

# Below this the normalised determinant of the metric is rounding noise: a flat cell.
_FLAT = 1e-14
# Beyond these the sixth power of a length, the determinant, leaves double precision.
_SHORTEST, _LONGEST = 1e-30, 1e30


@overload
def cell_volume(cells: Sequence[float]) -> float: ...
@overload
def cell_volume(cells: ArrayLike) -> FloatArray | Any: ...
def cell_volume(cells: ArrayLike) -> FloatArray | float:
    """Volume of the unit cell.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.

    Returns
    -------
    ndarray of shape (n,) or float
        Volume in Å^3, NaN where the row is no cell.

    Notes
    -----
    V² = a²b²c² (1 - cos² alpha - cos² beta - cos² gamma + 2 cos alpha cos beta cos gamma),
    the determinant of the metric tensor (International Tables for Crystallography, vol. B,
    section 1.1).

    Examples
    --------
    >>> from crystalml.crystallography import cell_volume
    >>> cell_volume([5.0, 6.0, 7.0, 90.0, 90.0, 90.0])
    210.0
    """
    cells, single = as_cells(cells, caller="cell_volume")
    lengths, _, flatness, _ = _parts(cells)
    # In place, which spares large arrays a copy.
    volume = np.sqrt(flatness, out=flatness)
    for length in lengths:
        volume *= length
    return float(volume[0]) if single else volume


def metric_tensor(cells: ArrayLike) -> FloatArray:
    """Metric tensor, the scalar products of the basis vectors.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.

    Returns
    -------
    ndarray of shape (n, 3, 3) or (3, 3)
        ``G[i, j]`` is the scalar product of basis vectors i and j in Å^2.

    Examples
    --------
    >>> from crystalml.crystallography import metric_tensor
    >>> metric_tensor([2.0, 2.0, 3.0, 90.0, 90.0, 90.0])
    array([[4., 0., 0.],
           [0., 4., 0.],
           [0., 0., 9.]])
    """
    cells, single = as_cells(cells, caller="metric_tensor")
    products = scalar_products(cells)
    # The products are in the order aa, bb, cc, bc, ac, ab.
    metrics = products.T[:, [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    return metrics[0] if single else metrics


def cell_from_metric(metrics: ArrayLike) -> FloatArray:
    """Cell parameters of a metric tensor, the inverse of `metric_tensor`.

    Parameters
    ----------
    metrics : array-like of shape (n, 3, 3) or (3, 3)
        Symmetric matrices of scalar products in Å^2; the upper triangle is read.

    Returns
    -------
    ndarray of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees; NaN where the metric is not positive
        definite.

    Raises
    ------
    InvalidInputError
        If the array has another shape.

    Examples
    --------
    >>> from crystalml.crystallography import cell_from_metric
    >>> cell_from_metric([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 9.0]])
    array([ 2.,  2.,  3., 90., 90., 90.])
    """
    metrics = np.asarray(metrics, dtype=float)
    if metrics.shape[-2:] != (3, 3) or metrics.ndim not in (2, 3):
        raise InvalidInputError(
            f"cell_from_metric: metrics has shape {metrics.shape!r}; "
            "give an array of shape (n, 3, 3) or (3, 3)."
        )
    flat = metrics.reshape(-1, 9).T
    cells = cells_from_products(flat[[0, 4, 8, 5, 2, 1]])
    cells[~valid_cells(cells)] = np.nan
    return cells[0] if metrics.ndim == 2 else cells


def lattice_vectors(cells: ArrayLike) -> FloatArray:
    """Basis vectors in Cartesian coordinates, as rows.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.

    Returns
    -------
    ndarray of shape (n, 3, 3) or (3, 3)
        Rows are a, b, c in Å: a along x, b in the xy plane with positive y, c with
        positive z. ASE's ``cellpar_to_cell`` makes the same choice.

    Examples
    --------
    >>> from crystalml.crystallography import lattice_vectors
    >>> lattice_vectors([2.0, 2.0, 3.0, 90.0, 90.0, 120.0]).round(3)
    array([[ 2.   ,  0.   ,  0.   ],
           [-1.   ,  1.732,  0.   ],
           [ 0.   ,  0.   ,  3.   ]])
    """
    cells, single = as_cells(cells, caller="lattice_vectors")
    (a, b, c), (cos_alpha, cos_beta, cos_gamma), flatness, valid = _parts(cells)
    vectors = np.zeros((len(cells), 3, 3))
    # As a product, since 1 - cos² loses digits near 0 and 180 degrees.
    sin_gamma = np.sqrt((1.0 - cos_gamma) * (1.0 + cos_gamma))
    vectors[:, 0, 0] = a
    vectors[:, 1, 0] = b * cos_gamma
    vectors[:, 1, 1] = b * sin_gamma
    vectors[:, 2, 0] = c * cos_beta
    vectors[:, 2, 1] = c * (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    vectors[:, 2, 2] = c * np.sqrt(flatness) / sin_gamma
    vectors[~valid] = np.nan
    return vectors[0] if single else vectors


def reciprocal_cell(cells: ArrayLike) -> FloatArray:
    """Cell parameters of the reciprocal lattice.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.

    Returns
    -------
    ndarray of shape (n, 6) or (6,)
        a*, b*, c* in Å^-1 in the crystallographic convention (a · a* = 1, no factor of
        2 pi), alpha*, beta*, gamma* in degrees.

    Notes
    -----
    a* = bc sin alpha / V, cos alpha* = (cos beta cos gamma - cos alpha) / (sin beta sin gamma),
    and cyclically (International Tables for Crystallography, vol. B, section 1.1).

    Examples
    --------
    >>> from crystalml.crystallography import reciprocal_cell
    >>> reciprocal_cell([2.0, 4.0, 5.0, 90.0, 90.0, 90.0])
    array([ 0.5 ,  0.25,  0.2 , 90.  , 90.  , 90.  ])
    """
    cells, single = as_cells(cells, caller="reciprocal_cell")
    lengths, cosines, flatness, _ = _parts(cells)
    reciprocal = np.empty_like(cells)
    sines = np.sqrt((1.0 - cosines) * (1.0 + cosines))
    height = np.sqrt(flatness)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        reciprocal[:, i] = sines[i] / (lengths[i] * height)
        cosine = (cosines[j] * cosines[k] - cosines[i]) / (sines[j] * sines[k])
        reciprocal[:, 3 + i] = _angles(cosine)
    return reciprocal[0] if single else reciprocal


def cell_problems(cells: ArrayLike) -> ObjectArray | Any:
    """Say of every row why it is no unit cell.

    A cell has finite lengths above 0, angles inside (0, 180) degrees, and a metric tensor of
    positive determinant.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.

    Returns
    -------
    ndarray of shape (n,) of object, or object
        None where the row is a cell, otherwise the first reason why not.

    Examples
    --------
    >>> from crystalml.crystallography import cell_problems
    >>> cell_problems([[4.0, 4.0, 4.0, 90.0, 90.0, 90.0], [4.0, 4.0, 4.0, 90.0, 90.0, 190.0]])
    array([None, 'gamma is 190.0 degrees, must lie in (0, 180)'], dtype=object)
    """
    cells, single = as_cells(cells, caller="cell_problems")
    problems = np.full(len(cells), None, dtype=object)
    for row in np.flatnonzero(~valid_cells(cells)):
        problems[row] = _problem(cells[row])
    return problems[0] if single else problems


def validate_cells(
    cells: ArrayLike, *, caller: str, on_error: Literal["raise", "nan"] = "raise"
) -> FloatArray:
    """Check cells, and refuse or blank the impossible ones.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    caller : str
        Name that the message begins with.
    on_error : {"raise", "nan"}, default="raise"
        Raise on the first impossible row, or set such rows to NaN.

    Returns
    -------
    ndarray of shape (n, 6) or (6,)
        A float array, never the caller's own memory.

    Raises
    ------
    CellError
        If a row is no cell and `on_error` is "raise".
    InvalidInputError
        If the shape is wrong or `on_error` is none of the two.

    Examples
    --------
    >>> from crystalml.crystallography import validate_cells
    >>> validate_cells([[4, 4, 4, 90, 90, 190]], caller="example", on_error="nan")
    array([[nan, nan, nan, nan, nan, nan]])
    """
    if on_error not in ("raise", "nan"):
        raise InvalidInputError(f"{caller}: on_error is {on_error!r}; give 'raise' or 'nan'.")
    cells, single = as_cells(cells, caller=caller)
    bad = np.flatnonzero(~valid_cells(cells))
    if bad.size and on_error == "raise":
        where = "" if single else f"{bad.size} of {len(cells)} rows (first: row {bad[0]}): "
        raise CellError(
            f"{caller}: impossible unit cell, {where}{_problem(cells[bad[0]])}. "
            "Give lengths in Å and angles in degrees, or drop these rows."
        )
    cells = cells.copy()
    cells[bad] = np.nan
    return cells[0] if single else cells


def as_cells(cells: ArrayLike, *, caller: str) -> tuple[FloatArray, bool]:
    """Make a float (n, 6) array, and tell whether one cell of shape (6,) came."""
    try:
        array = np.asarray(cells, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{caller}: cells holds something that is no number ({error}); "
            f"give the six numbers {', '.join(CELL_COLUMNS)} per row."
        ) from error
    if array.ndim not in (1, 2) or array.shape[-1] != 6:
        raise InvalidInputError(
            f"{caller}: cells has shape {array.shape!r}; give (n, 6) or (6,) with the columns "
            f"{', '.join(CELL_COLUMNS)}."
        )
    return array.reshape(-1, 6), array.ndim == 1


def valid_cells(cells: FloatArray) -> BoolArray:
    """Tell which rows of an (n, 6) float array are cells."""
    return _parts(cells)[3]


def scalar_products(cells: FloatArray) -> FloatArray:
    """Return a·a, b·b, c·c, b·c, a·c, a·b as a (6, n) array, NaN where the row is no cell."""
    lengths, cosines, _, _ = _parts(cells)
    products = np.empty((6, len(cells)))
    np.multiply(lengths, lengths, out=products[:3])
    for row, (j, k) in enumerate(((1, 2), (0, 2), (0, 1)), start=3):
        np.multiply(lengths[j], lengths[k], out=products[row])
        products[row] *= cosines[row - 3]
    return products


def cells_from_products(products: FloatArray) -> FloatArray:
    """Turn a (6, n) array of scalar products into (n, 6) cells, the inverse of the above."""
    cells = np.empty((products.shape[1], 6))
    with np.errstate(invalid="ignore", divide="ignore"):
        lengths = np.sqrt(products[:3])
        cells[:, :3] = lengths.T
        for i, (j, k) in enumerate(((1, 2), (0, 2), (0, 1)), start=3):
            cells[:, i] = _angles(products[i] / (lengths[j] * lengths[k]))
    return cells


def hexagonal_lengths(lengths: FloatArray, angles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a and c, on hexagonal axes, of rhombohedral cells with these edges and angles."""
    half = np.radians(angles / 2.0)
    # Beyond 120 degrees there is no such cell: a flat one keeps the numbers finite.
    height = np.sqrt(np.maximum(3.0 - 4.0 * np.sin(half) ** 2, 1e-6) * 3.0)
    return 2.0 * lengths * np.sin(half), lengths * height


def _parts(cells: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Return lengths (3, n), cosines (3, n), the normalised determinant, and what is valid.

    Rows that are no cell are NaN throughout, and so is what is computed from them.
    """
    # Everything below runs along the columns a, b, ..., so each becomes contiguous.
    columns = np.array(cells.T, order="C")
    lengths, cosines = columns[:3], columns[3:]
    valid = (lengths.min(axis=0) >= _SHORTEST) & (lengths.max(axis=0) <= _LONGEST)
    valid &= (cosines.min(axis=0) > 0.0) & (cosines.max(axis=0) < 180.0)
    if not valid.all():
        columns[:, ~valid] = np.nan
    # The sine of the complement is exactly 0 for a right angle, as the cosine is not.
    np.subtract(90.0, cosines, out=cosines)
    np.sin(np.radians(cosines, out=cosines), out=cosines)
    # The determinant of the metric of a cell with these angles and edges of length 1.
    flatness = 2.0 * cosines[0]
    flatness *= cosines[1]
    flatness *= cosines[2]
    flatness += 1.0
    for cosine in cosines:
        flatness -= cosine * cosine
    flat = ~(flatness > _FLAT)
    if flat.any():
        columns[:, flat] = flatness[flat] = np.nan
        valid &= ~flat
    return lengths, cosines, flatness, valid


def _angles(cosines: FloatArray) -> FloatArray:
    """Angles in degrees, exactly 90 where the cosine is 0."""
    # Less the arcsine, for the arccosine of 0 is a right angle only within rounding.
    return 90.0 - np.degrees(np.arcsin(np.clip(cosines, -1.0, 1.0)))


def _problem(cell: FloatArray) -> str:
    """First reason why these six numbers are no cell."""
    for name, value in zip(CELL_COLUMNS[:3], cell[:3].tolist(), strict=True):
        if not np.isfinite(value):
            return f"{name} is {value}, must be a finite number"
        if value <= 0.0:
            return f"{name} is {value}, must be > 0"
        if not _SHORTEST <= value <= _LONGEST:
            return f"{name} is {value}, must lie between {_SHORTEST} and {_LONGEST}"
    for name, value in zip(CELL_COLUMNS[3:], cell[3:].tolist(), strict=True):
        if not np.isfinite(value):
            return f"{name} is {value}, must be a finite number"
        if not 0.0 < value < 180.0:
            return f"{name} is {value} degrees, must lie in (0, 180)"
    return "the angles enclose no volume"
