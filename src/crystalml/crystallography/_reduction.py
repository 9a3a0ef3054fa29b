"""Primitive and reduced cells."""

from typing import Any, Literal, overload

import numpy as np

from crystalml._typing import ArrayLike, FloatArray, IntArray
from crystalml.crystallography._cell import (
    as_cells,
    cells_from_products,
    scalar_products,
)
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

# Rows worked on together: their products stay in the processor's cache.
_CHUNK = 8192
_ITERATION_LIMIT = 1000

# A swap of two vectors is kept right-handed by inverting all three.
_SWAP_AB = np.array([1, 0, 2, 4, 3, 5])
_SWAP_BC = np.array([0, 2, 1, 3, 5, 4])

# Where the product of two vectors stands: at that of the third.
_MIXED = {(0, 1): 5, (0, 2): 4, (1, 2): 3}


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
    # The algorithm is written for 2 b·c and the like.
    products[3:] *= 2.0
    basis = _reduce_products(products, epsilon, with_basis=with_basis)
    products[3:] *= 0.5
    return products, basis


def primitive_products(products, cells, centring, *, caller):
    """Replace products by those of the primitive cells in place; tell which rows changed."""
    codes = _centring_codes(centring, len(cells), caller)
    centred = np.zeros(len(cells), dtype=bool)
    # One matrix product for each letter that occurs, instead of one for each row.
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
    # Of a·b and b·a, which are one product, both coefficients count; a square has only one.
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
    # As objects, so that a number or None among the letters is named as it came.
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


def _reduce_products(products, epsilon, *, with_basis):
    """Bring products to Niggli's normal form in place, by the loop of Krivy and Gruber.

    Parameters
    ----------
    products : ndarray of shape (6, n)
        A = a·a, B = b·b, C = c·c, xi = 2 b·c, eta = 2 a·c and zeta = 2 a·b, as in the papers.
        Overwritten with those of the reduced cells. NaN rows stay NaN, and become NaN where
        rounding prevents the reduction.
    epsilon : ndarray of shape (n,)
        Differences of products up to this count as equality.
    with_basis : bool
        Whether to keep account of the vectors.

    Returns
    -------
    ndarray of shape (3, 3, n) of int64, or None
        Entry ``[i, j]`` is the coefficient of the old vector j in the new vector i.
    """
    n = products.shape[1]
    basis = np.repeat(np.eye(3, dtype=np.int64)[:, :, None], n, axis=2) if with_basis else None
    # In needles of vanishing angles rounding may leave a square of 0; they end as NaN.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for start in range(0, n, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            part = None if basis is None else basis[:, :, chunk]
            _iterate(_approach, products[:, chunk], epsilon[chunk], part)
            _iterate(_normalise, products[:, chunk], epsilon[chunk], part)
    return basis


def _iterate(step, products, epsilon, basis):
    """Repeat a step on the rows that it still changes."""
    rows = np.flatnonzero(~np.isnan(products[0]))
    g, e = products[:, rows], epsilon[rows]
    t = None if basis is None else basis[:, :, rows]
    for _ in range(_ITERATION_LIMIT):
        changed = step(g, e, t)
        # Most rows need few rounds: those that are done leave, so that later rounds are short.
        done, left = np.flatnonzero(~changed), np.flatnonzero(changed)
        products[:, rows[done]] = g.take(done, axis=1)
        if t is not None:
            basis[:, :, rows[done]] = t.take(done, axis=2)
        if not left.size:
            return
        if done.size:
            rows, g, e = rows[left], g.take(left, axis=1), e[left]
            t = None if t is None else t.take(left, axis=2)
    # Double precision did not suffice: no cell is better than one that is not reduced.
    products[:, rows] = np.nan


def _approach(g, _epsilon, t):
    """Sort the vectors and subtract multiples of each from the longer ones; tell where.

    This takes large strides on all rows alike, and leaves equalities to the normalisation.
    """
    _order(g, t, 0)
    _order(g, t, 1)
    _order(g, t, 0)
    changed = np.zeros(g.shape[1], dtype=bool)
    for short, long in ((0, 1), (1, 2), (0, 2)):
        times = np.rint(0.5 * g[_MIXED[short, long]] / g[short])
        changed |= times != 0.0
        _subtract(g, t, slice(None), times, short, long)
    return changed


def _order(g, t, first):
    """Exchange the vectors `first` and `first` + 1 where the first is longer."""
    second = first + 1
    swapped = g[first] > g[second]
    for one, other in ((first, second), (first + 3, second + 3)):
        kept = np.where(swapped, g[other], g[one])
        g[other] = np.where(swapped, g[one], g[other])
        g[one] = kept
    if t is not None:
        order = (_SWAP_AB if first == 0 else _SWAP_BC)[:3]
        t[:] = np.where(swapped, -t[order], t)


def _normalise(g, e, t):
    """Take one round of the algorithm, steps 1 to 8; tell where it is not the last."""
    _sort(g, e, t)
    _normalise_signs(g, e, t)
    return _shorten(g, e, t)


def _sort(g, e, t):
    """Take steps 1 and 2: A <= B <= C, equal lengths by the opposite products."""
    _swap(g, e, t, 0, _SWAP_AB)
    if _swap(g, e, t, 1, _SWAP_BC):
        _swap(g, e, t, 0, _SWAP_AB)


def _swap(g, e, t, first, order):
    """Exchange the vectors `first` and `first` + 1 where they stand in the wrong order."""
    second = first + 1
    rows = np.flatnonzero(g[first] > g[second] - e)
    if not rows.size:
        return False
    excess = g[first, rows] - g[second, rows]
    tie = np.abs(g[first + 3, rows]) > np.abs(g[second + 3, rows]) + e[rows]
    rows = rows[(excess > e[rows]) | ((excess >= -e[rows]) & tie)]
    g[:, rows] = g[order][:, rows] if rows.size * 2 > g.shape[1] else g[order[:, None], rows]
    if t is not None:
        t[:, :, rows] = -t[order[:3]][:, :, rows]
    return rows.size > 0


def _normalise_signs(g, e, t):
    """Take steps 3 and 4: all three mixed products positive, or none."""
    signs = (g[3:] > e).view(np.int8) - (g[3:] < -e).view(np.int8)
    acute = signs[0] * signs[1] * signs[2] > 0
    # A product of 0 takes either sign, and lets an odd number of inversions come out even.
    flips = np.where(acute, signs, 1 - 2 * (signs > 0).view(np.int8))
    odd = np.flatnonzero(flips[0] * flips[1] * flips[2] < 0)
    if odd.size:
        zero = np.argmin(np.abs(signs[:, odd]), axis=0)
        flips[zero, odd] *= np.int8(-1)
    g[3] *= flips[1] * flips[2]
    g[4] *= flips[0] * flips[2]
    g[5] *= flips[0] * flips[1]
    if t is not None:
        t *= flips[:, None, :]


def _shorten(g, e, t):
    """Take steps 5 to 8: subtract vectors where that shortens or breaks a tie; tell where."""
    changed = np.zeros(g.shape[1], dtype=bool)
    # (subtrahend, minuend, mixed products that break ties)
    for short, long, first, second in ((1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 3, 4)):
        mixed = _MIXED[short, long]
        rows = np.flatnonzero(~changed & (np.abs(g[mixed]) > g[short] - e))
        if rows.size:
            rows = rows[_is_long(g[:, rows], e[rows], mixed, short, first, second)]
            changed[rows] = True
            _subtract(g, t, rows, np.sign(g[mixed, rows]), short, long)
    # The square of a + b + c less that of c: negative where the sum is the shorter.
    total = g[3] + g[4] + g[5] + g[0] + g[1]
    rows = np.flatnonzero(~changed & (total < e))
    if rows.size:
        tie = 2.0 * (g[0, rows] + g[4, rows]) + g[5, rows] > e[rows]
        rows = rows[(total[rows] < -e[rows]) | tie]
        changed[rows] = True
        _add_both(g, t, rows, total[rows])
    return changed


def _is_long(g, e, mixed, short, first, second):
    """Tell whether a vector is not the shortest of its row, or not the normal one of two."""
    excess = np.abs(g[mixed]) - g[short]
    tie = np.where(g[mixed] > 0.0, 2.0 * g[first] < g[second] - e, g[second] < -e)
    return (excess > e) | ((excess >= -e) & tie)


def _subtract(g, t, rows, times, short, long):
    """Subtract `times` the vector `short` from the vector `long`."""
    mixed = _MIXED[short, long]
    # 3 + i is the product that vector i has no part in: that of `long` and the third vector
    # stands at 3 + short, that of `short` and the third at 3 + long.
    with_long, with_short = 3 + short, 3 + long
    shift = times * g[short, rows]
    g[long, rows] += times * (shift - g[mixed, rows])
    g[with_long, rows] -= times * g[with_short, rows]
    g[mixed, rows] -= 2.0 * shift
    if t is not None:
        t[long][:, rows] -= times.astype(np.int64) * t[short][:, rows]


def _add_both(g, t, rows, total):
    """Replace c by a + b + c."""
    g[2, rows] += total
    zeta = g[5, rows]
    g[3, rows] += 2.0 * g[1, rows] + zeta
    g[4, rows] += 2.0 * g[0, rows] + zeta
    if t is not None:
        t[2][:, rows] += t[0][:, rows] + t[1][:, rows]
