"""Primitive and reduced cells."""

from typing import Any, Literal, overload

import numpy as np

from crystalml._typing import ArrayLike, FloatArray, IntArray
from crystalml.crystallography._cell import (
    as_cells,
    cells_from_products,
    scalar_products,
)
from crystalml.crystallography._niggli import reduce_products
from crystalml.exceptions import InvalidInputError

# Products that differ by less than this times V^(2/3) are equal.
_RELATIVE_EPSILON = 1e-9

# Rows are the primitive vectors in terms of the centred ones, right-handed.
_PRIMITIVE_VECTORS = {
    "P": np.eye(3),
    "A": np.array([[2, 0, 0], [0, 1, -1], [0, 1, 1]]) / 2,
    "B": np.array([[1, 0, 1], [0, 2, 0], [-1, 0, 1]]) / 2,
    "C": np.array([[1, -1, 0], [1, 1, 0], [0, 0, 2]]) / 2,
    "I": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2,
    "F": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2,
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
_CENTRINGS = tuple(_PRIMITIVE_VECTORS)


@overload
def niggli_cell(
    cells: ArrayLike, *, centring: ArrayLike = ..., return_transformation: Literal[False] = ...
) -> FloatArray: ...
@overload
def niggli_cell(
    cells: ArrayLike, *, centring: ArrayLike = ..., return_transformation: Literal[True]
) -> tuple[FloatArray, IntArray]: ...
def niggli_cell(
    cells: ArrayLike, *, centring: ArrayLike = "P", return_transformation: bool = False
) -> FloatArray | tuple[FloatArray, IntArray]:
    """Niggli-reduced cell, the one cell that every description of a lattice shares.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    centring : str or array-like of shape (n,) of str, default="P"
        Centring letter of all cells or of each, as in `primitive_cell`.
    return_transformation : bool, default=False
        Whether to return the new basis vectors in terms of the old.

    Returns
    -------
    reduced : ndarray of shape (n, 6) or (6,)
        Cells with a <= b <= c and all angles below 90 degrees or none; NaN where the row is
        no cell, or one so oblique that double precision does not suffice to reduce it.
    transformation : ndarray of shape (n, 3, 3) or (3, 3) of int64
        Given if `return_transformation`. Row i holds the integer coefficients of the i-th
        reduced vector on the vectors of the primitive cell, so that the metric tensors obey
        G' = T G T.T; the determinant is +1. It is 0 throughout where the row is no cell.

    Raises
    ------
    InvalidInputError
        If the shape is wrong or a centring letter is unknown.

    Notes
    -----
    The algorithm of Krivy & Gruber (1976), Acta Cryst. A32, 297-298, made stable against
    rounding as in Grosse-Kunstleve, Sauter & Adams (2004), Acta Cryst. A60, 1-6: scalar
    products of vectors count as equal when they differ by less than 1e-9 V^(2/3), which is
    well above the rounding of double precision and below that of any measurement. Cells
    whose equalities hold only within their rounding (a = 5.000, b = 5.001) are reduced as
    they stand: use `metric_symmetry` to find what they are within a tolerance.

    Examples
    --------
    >>> from crystalml.crystallography import niggli_cell
    >>> niggli_cell([4.0, 4.0, 4.0, 90.0, 90.0, 90.0], centring="F").round(4)
    array([ 2.8284,  2.8284,  2.8284, 60.    , 60.    , 60.    ])
    """
    cells, single = as_cells(cells, caller="niggli_cell")
    products, basis = niggli_products(
        cells, centring, caller="niggli_cell", with_basis=return_transformation
    )
    reduced = cells_from_products(products)
    if not return_transformation:
        return reduced[0] if single else reduced
    transformation = np.ascontiguousarray(np.moveaxis(basis, 2, 0))
    transformation[np.isnan(reduced[:, 0])] = 0
    return (reduced[0], transformation[0]) if single else (reduced, transformation)


def primitive_cell(cells: ArrayLike, centring: ArrayLike) -> FloatArray:
    """Primitive cell of centred cells.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    centring : str or array-like of shape (n,) of str
        Centring letter of all cells or of each: P, A, B, C, I, F or R. R means the obverse
        setting on hexagonal axes where gamma is more than 15 degrees above the mean of alpha
        and beta, and otherwise rhombohedral axes, whose cell is primitive as it is.

    Returns
    -------
    ndarray of shape (n, 6) or (6,)
        Cells of a half, a third or a quarter of the volume, not reduced; rows with P are
        returned as they came. NaN where the row is no cell.

    Raises
    ------
    InvalidInputError
        If the shape is wrong or a centring letter is unknown.

    Examples
    --------
    >>> from crystalml.crystallography import primitive_cell
    >>> primitive_cell([4.0, 4.0, 4.0, 90.0, 90.0, 90.0], "I").round(4)
    array([  3.4641,   3.4641,   3.4641, 109.4712, 109.4712, 109.4712])
    """
    cells, single = as_cells(cells, caller="primitive_cell")
    products = scalar_products(cells)
    centred = primitive_products(products, cells, centring, caller="primitive_cell")
    primitive = np.where(np.isnan(products[:1].T), np.nan, cells)
    primitive[centred] = cells_from_products(products[:, centred])
    return primitive[0] if single else primitive


def niggli_products(
    cells: FloatArray, centring: ArrayLike, *, caller: str, with_basis: bool = False
) -> tuple[FloatArray, Any]:
    """Return A, B, C, xi, eta, zeta (6, n) of the reduced cells, and the basis or None."""
    products = scalar_products(cells)
    primitive_products(products, cells, centring, caller=caller)
    epsilon = _RELATIVE_EPSILON * np.cbrt(_determinant(products))
    products[3:] *= 2.0
    basis = reduce_products(products, epsilon, with_basis=with_basis)
    products[3:] *= 0.5
    return products, basis


def primitive_products(products, cells, centring, *, caller):
    """Replace products by those of the primitive cells in place; tell which rows changed."""
    codes = _centring_codes(centring, len(cells), caller)
    centred = np.zeros(len(cells), dtype=bool)
    for code in np.flatnonzero(np.bincount(codes)):
        letter = _CENTRINGS[code]
        if letter == "P":
            continue
        rows = codes == code
        if letter == "R":
            rows &= cells[:, 5] - (cells[:, 3] + cells[:, 4]) / 2 > 15.0
        products[:, rows] = product_map(_PRIMITIVE_VECTORS[letter]) @ products[:, rows]
        centred |= rows
    return centred


def product_map(vectors):
    """Return the (6, 6) matrix that takes scalar products to those of the new vectors."""
    vectors = np.asarray(vectors, dtype=float)
    i, j = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
    pairs = vectors[i][:, :, None] * vectors[j][:, None, :]
    pairs = pairs + pairs.transpose(0, 2, 1)
    matrix = pairs[:, i, j]
    matrix[:, :3] /= 2
    return matrix


def _determinant(products):
    """Return the determinant of the metric, the squared volume."""
    aa, bb, cc, bc, ac, ab = products
    return aa * bb * cc + 2.0 * bc * ac * ab - aa * bc**2 - bb * ac**2 - cc * ab**2


def _centring_codes(centring, n, caller):
    """Check the letters, and give each row the position of its own in `_CENTRINGS`."""
    letters = np.asarray(centring, dtype=object)
    if letters.ndim > 1 or (letters.ndim == 1 and len(letters) != n):
        raise InvalidInputError(
            f"{caller}: centring has shape {letters.shape!r} for {n} cells; give one letter or "
            "one per cell."
        )
    code_of = {letter: code for code, letter in enumerate(_CENTRINGS)}
    codes = [code_of.get(letter, -1) for letter in letters.ravel().tolist()]
    if -1 in codes:
        row = codes.index(-1)
        raise InvalidInputError(
            f"{caller}: centring {letters.ravel()[row]!r} (row {row}) is unknown; give one of "
            f"{', '.join(_CENTRINGS)}."
        )
    return np.broadcast_to(np.array(codes, dtype=np.intp).reshape(letters.shape), (n,))
