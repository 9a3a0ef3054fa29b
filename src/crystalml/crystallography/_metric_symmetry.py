"""Which Bravais lattices the metric of a cell allows, exactly or nearly, and on which axes."""

from collections.abc import Callable
from functools import cache
from numbers import Real
from typing import Any

import numpy as np

from crystalml._typing import ArrayLike, BoolArray, FloatArray, ObjectArray
from crystalml.crystallography._bravais_table import CONVENTIONAL_BASES
from crystalml.crystallography._cell import as_cells, cells_from_products
from crystalml.crystallography._reduction import niggli_products, product_map
from crystalml.exceptions import InvalidInputError

BRAVAIS_LATTICES = (
    "aP", "mP", "mS", "oP", "oS", "oI", "oF", "tP", "tI", "hR", "hP", "cP", "cI", "cF",
)  # fmt: skip

# Every lattice of the type on the left is one of each type on the right as well.
_SPECIAL_CASES = {
    "cF": ("tI", "hR"),
    "cI": ("tI", "hR"),
    "cP": ("tP", "hR"),
    "hP": ("oS",),
    "hR": ("mS",),
    "tI": ("oI", "oF"),
    "tP": ("oP", "oS"),
    "oF": ("mS",),
    "oI": ("mS",),
    "oS": ("mP", "mS"),
    "oP": ("mP",),
}

# From high to low symmetry; among equals the centred ones first, whose cells are larger.
_BY_SYMMETRY = (
    "cF", "cI", "cP", "hP", "hR", "tI", "tP", "oF", "oI", "oS", "oP", "mS", "mP", "aP",
)  # fmt: skip

# Rows worked on together; all their conventional cells stay in the processor's cache.
_CHUNK = 128
# Strains below this are rounding of the reduction.
_ROUNDING = 1e-9
# The search sees every conventional basis of lattices strained less than this. Beyond, the
# bases it sees change with the reduced cell, and the smallest of their strains would jump.
_LARGEST = 0.2


def bravais_distances(cells: ArrayLike, *, centring: ArrayLike = "P") -> FloatArray:
    """Smallest strain that gives a lattice the metric of each Bravais type.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    centring : str or array-like of shape (n,) of str, default="P"
        Centring letter of all cells or of each, as in `primitive_cell`. With P the lattice
        is the one that the cell vectors span, whatever the crystal's centring.

    Returns
    -------
    ndarray of shape (n, 14) or (14,)
        Dimensionless, in the order of `BRAVAIS_LATTICES`: 0 where the metric allows the type,
        0.2 where it is that far from it or farther, and never larger for a type than for its
        special cases (an exact cP lattice has 0 for tP, oP, oS, mP, mS, hR and aP too). NaN
        where the row is no cell.

    Raises
    ------
    InvalidInputError
        If the shape is wrong or a centring letter is unknown.

    Notes
    -----
    Let G be the metric tensor on a conventional basis and P the ideal one, its average over
    the rotations of the type. The distance is the Frobenius norm of the strain
    (P^-1 G - 1) / 2, whose elements are about the relative errors of lengths and half those
    of angles in radians. It is the smallest over the conventional bases that a Niggli-reduced
    lattice may have when it is close to the type: the 44 lattice characters of International
    Tables for Crystallography, vol. A, section 3.1.3, with all their equivalents at the
    boundaries of reduction, as in Andrews & Bernstein (1988), Acta Cryst. A44, 1009-1018.
    Strains below 1e-9 are given as 0. Strains above 0.2 are given as 0.2: such a lattice is
    no distorted one of the type, and the bases above no longer hold the nearest. Up to there
    the distance changes continuously with the cell.

    Examples
    --------
    >>> from crystalml.crystallography import BRAVAIS_LATTICES, bravais_distances
    >>> distances = bravais_distances([4.0, 4.0, 4.02, 90.0, 90.0, 90.0])
    >>> dict(zip(BRAVAIS_LATTICES, distances.round(4).tolist(), strict=True))["cP"]
    0.0041
    >>> [name for name, d in zip(BRAVAIS_LATTICES, distances, strict=True) if d == 0]
    ['aP', 'mP', 'mS', 'oP', 'oS', 'tP']
    """
    cells, single = as_cells(cells, caller="bravais_distances")
    products, _ = niggli_products(cells, centring, caller="bravais_distances")
    squares = np.zeros((len(BRAVAIS_LATTICES), len(cells)))
    # In needles so thin that the short vector is lost in sums with the long one, some cells
    # come out flat: their strains are not finite, and count for nothing.
    with np.errstate(divide="ignore", invalid="ignore"):
        for chunk, conventional in _conventional_products(products):
            for row, bravais in enumerate(BRAVAIS_LATTICES[1:], start=1):
                strain = _SQUARED_STRAINS[bravais[0]](*conventional[bravais])
                np.fmin.reduce(strain, axis=0, out=squares[row, chunk])
    squares[0, np.isnan(products[0])] = np.nan
    _pass_to_general_types(squares, np.minimum)
    distances = np.sqrt(squares.T)
    distances[distances < _ROUNDING] = 0.0
    np.minimum(distances, _LARGEST, out=distances)
    return distances[0] if single else distances


def metric_symmetry(
    cells: ArrayLike,
    *,
    length_tolerance: float = 0.002,
    angle_tolerance: float = 0.2,
    centring: ArrayLike = "P",
) -> BoolArray:
    """Bravais types that the metric of a lattice allows within tolerances.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    length_tolerance : float, default=0.002
        Largest relative deviation of a conventional cell length from its ideal.
    angle_tolerance : float, default=0.2
        Largest deviation of a conventional angle from its ideal, in degrees.
    centring : str or array-like of shape (n,) of str, default="P"
        Centring letter of all cells or of each, as in `primitive_cell`.

    Returns
    -------
    ndarray of shape (n, 14) or (14,) of bool
        In the order of `BRAVAIS_LATTICES`. With a type, the types of which it is a special
        case are allowed too. Nothing is allowed where the row is no cell.

    Raises
    ------
    InvalidInputError
        If the shape is wrong, a tolerance is not a number >= 0, or a centring letter is
        unknown.

    See Also
    --------
    bravais_distances : How far the lattice is from each type.

    Notes
    -----
    A type is allowed when one of its conventional cells, found as in `bravais_distances`, is
    within both tolerances of the ideal: equal lengths are compared with their root mean
    square, angles with 90 or 120 degrees. For the monoclinic types the angle is that between
    the unique axis and the normal of the a, c plane, so that it does not depend on the choice
    of a and c. Rhombohedral lattices are judged on hexagonal axes.

    Examples
    --------
    >>> from crystalml.crystallography import BRAVAIS_LATTICES, metric_symmetry
    >>> allowed = metric_symmetry([4.0, 4.0, 4.001, 60.0, 60.01, 60.0])
    >>> [name for name, yes in zip(BRAVAIS_LATTICES, allowed, strict=True) if yes]
    ['aP', 'mS', 'oI', 'oF', 'tI', 'hR', 'cF']
    """
    for name, value in (("length", length_tolerance), ("angle", angle_tolerance)):
        if not (isinstance(value, Real) and 0.0 <= value < np.inf):
            raise InvalidInputError(
                f"metric_symmetry: {name}_tolerance is {value!r}; give a number >= 0."
            )
    cells, single = as_cells(cells, caller="metric_symmetry")
    products, _ = niggli_products(cells, centring, caller="metric_symmetry")
    allowed = np.zeros((len(BRAVAIS_LATTICES), len(cells)), dtype=bool)
    # Rounding must not count as a violation where the tolerance is 0.
    tolerances = length_tolerance + _ROUNDING, np.radians(angle_tolerance) + _ROUNDING
    with np.errstate(divide="ignore", invalid="ignore"):
        for chunk, conventional in _conventional_products(products):
            for row, bravais in enumerate(BRAVAIS_LATTICES[1:], start=1):
                fits = _FITS[bravais[0]](*conventional[bravais], *tolerances)
                np.any(fits, axis=0, out=allowed[row, chunk])
    allowed[0] = ~np.isnan(products[0])
    _pass_to_general_types(allowed, np.logical_or)
    allowed = np.ascontiguousarray(allowed.T)
    return allowed[0] if single else allowed


def conventional_cell(
    cells: ArrayLike,
    *,
    length_tolerance: float = 0.002,
    angle_tolerance: float = 0.2,
    centring: ArrayLike = "P",
) -> tuple[FloatArray, ObjectArray | Any]:
    """Conventional cell of the most symmetric Bravais type that the metric allows.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    length_tolerance, angle_tolerance : float
        Relative, and in degrees, as in `metric_symmetry`.
    centring : str or array-like of shape (n,) of str, default="P"
        Centring letter of all cells or of each, as in `primitive_cell`.

    Returns
    -------
    cells : ndarray of shape (n, 6) or (6,)
        Cells whose metric is close to that of the type, not forced to it; the reduced cell for
        aP, hexagonal axes for hR. NaN where the row is no cell.
    bravais : ndarray of shape (n,) of str, or str
        The Bravais type of each, None where the row is no cell.

    Notes
    -----
    The metric alone decides: a crystal may be less symmetric than its lattice. Of the bases of
    the type (see `bravais_distances`) the one with the least strain is taken.

    Examples
    --------
    >>> from crystalml.crystallography import conventional_cell
    >>> cell, bravais = conventional_cell([4.0, 4.0, 4.0, 60.0, 60.0, 60.0])
    >>> cell.round(4).tolist(), bravais
    ([5.6569, 5.6569, 5.6569, 90.0, 90.0, 90.0], 'cF')
    """
    cells, single = as_cells(cells, caller="conventional_cell")
    allowed = metric_symmetry(
        cells,
        length_tolerance=length_tolerance,
        angle_tolerance=angle_tolerance,
        centring=centring,
    )
    products, _ = niggli_products(cells, centring, caller="conventional_cell")
    order = [BRAVAIS_LATTICES.index(name) for name in _BY_SYMMETRY]
    # argmax finds the first, that is the most symmetric, of the allowed types.
    bravais = np.array([*_BY_SYMMETRY, None], dtype=object)[
        np.where(allowed.any(axis=1), allowed[:, order].argmax(axis=1), len(order))
    ]
    found = products.copy()
    tolerances = length_tolerance, np.radians(angle_tolerance)
    with np.errstate(divide="ignore", invalid="ignore"):
        for chunk, bases in _conventional_products(products):
            for name in set(bravais[chunk]) - {"aP", None}:
                rows = np.flatnonzero(bravais[chunk] == name)
                found[:, chunk.start + rows] = _least_strained(
                    bases[name][..., rows], name, tolerances
                )
    result = cells_from_products(found)
    return (result[0], bravais[0]) if single else (result, bravais)


def _least_strained(products, name, tolerances):
    """Choose for every row, of products (6, bases, rows), the basis with the least strain."""
    strain = _SQUARED_STRAINS[name[0]](*products)
    # A basis within the tolerances before one that only has little strain.
    strain = np.where(_FITS[name[0]](*products, *tolerances), strain, 1.0 + strain)
    best = np.nan_to_num(strain, nan=np.inf).argmin(axis=0)
    return products[:, best, np.arange(products.shape[2])]


@cache
def _conventional_maps():
    """Return the distinct rows of all maps to conventional products, and where each is used.

    The bases share many vectors, so that most products are needed several times.
    """
    maps, slices = [], {}
    for bravais, bases in CONVENTIONAL_BASES.items():
        slices[bravais] = slice(len(maps), len(maps) + len(bases))
        maps.extend(product_map(_parse_basis(text)) for text in bases)
    rows = np.array(maps).transpose(1, 0, 2).reshape(-1, 6)
    # Each distinct product is computed once, and copied to where the bases need it.
    distinct, used = np.unique(rows, axis=0, return_inverse=True)
    return distinct, used.reshape(6, -1), slices


def _parse_basis(text):
    """Read a basis of the table, such as "1-10 110 001"."""
    digits = iter(text.replace(" ", ""))
    entries = [-int(next(digits)) if digit == "-" else int(digit) for digit in digits]
    return np.array(entries).reshape(3, 3)


def _conventional_products(products):
    """Yield slices of rows, and by Bravais type the six products (6, bases, rows)."""
    distinct, used, slices = _conventional_maps()
    n = products.shape[1]
    for start in range(0, n, _CHUNK):
        chunk = slice(start, min(start + _CHUNK, n))
        every = (distinct @ products[:, chunk])[used]
        yield chunk, {bravais: every[:, bases] for bravais, bases in slices.items()}


def _pass_to_general_types(values, combine):
    """Let what is true of a type count for the types that it is a special case of."""
    index = {bravais: row for row, bravais in enumerate(BRAVAIS_LATTICES)}
    for special, general_types in _SPECIAL_CASES.items():
        for general in general_types:
            row = values[index[general]]
            combine(row, values[index[special]], out=row)


# What each crystal family asks of the metric of a conventional cell. Every function takes the six
# scalar products a·a, b·b, c·c, b·c, a·c, a·b as arrays of one shape. The first group gives the
# squared strain to the ideal metric, the second tells where the cell is within a relative
# tolerance of lengths and a tolerance of angles in radians.


def _monoclinic_tilt(aa, bb, cc, bc, ac, ab):
    """Return the squared sine of the angle between b and the normal of the a, c plane."""
    in_plane = ab * ab * cc - 2.0 * ab * bc * ac + bc * bc * aa
    return np.abs(in_plane / ((aa * cc - ac * ac) * bb))


def _monoclinic_strain(*products):
    return 0.5 * _monoclinic_tilt(*products)


def _orthorhombic_strain(aa, bb, cc, bc, ac, ab):
    return 0.5 * (ab * ab / (aa * bb) + ac * ac / (aa * cc) + bc * bc / (bb * cc))


def _tetragonal_strain(aa, bb, cc, bc, ac, ab):
    mean = 0.5 * (aa + bb)
    difference = 0.5 * (aa - bb)
    shear = (ac * ac + bc * bc) / (mean * cc)
    return 0.5 * ((difference * difference + ab * ab) / (mean * mean) + shear)


def _hexagonal_strain(aa, bb, cc, bc, ac, ab):
    # On a and (a + 2b) / sqrt(3), which are equal and normal in the ideal cell.
    ab2 = 2.0 * ab
    return _tetragonal_strain(
        aa,
        (aa + 2.0 * ab2 + 4.0 * bb) / 3.0,
        cc,
        (ac + 2.0 * bc) / np.sqrt(3.0),
        ac,
        (aa + ab2) / np.sqrt(3.0),
    )


def _cubic_strain(aa, bb, cc, bc, ac, ab):
    # The ideal metric is the average over the rotations: one length, right angles.
    mean = (aa + bb + cc) / 3.0
    squares = sum((length - mean) ** 2 for length in (aa, bb, cc))
    squares += 2.0 * (ab * ab + ac * ac + bc * bc)
    return 0.25 * squares / (mean * mean)


def _equal(lengths, mean, tolerance):
    """Tell where squared lengths are those of the squared mean within the tolerance."""
    low, high = max(1.0 - tolerance, 0.0) ** 2 * mean, (1.0 + tolerance) ** 2 * mean
    fits = lengths[0] >= low
    for length in lengths:
        fits &= (length >= low) & (length <= high)
    return fits


def _right_angles(lengths, products, angle):
    """Tell where the vectors of the given squared lengths are normal to one another."""
    square = np.sin(min(angle, np.pi / 2)) ** 2
    (aa, bb, cc), (bc, ac, ab) = lengths, products
    fits = ab * ab <= square * aa * bb
    fits &= ac * ac <= square * aa * cc
    fits &= bc * bc <= square * bb * cc
    return fits


def _monoclinic_fits(aa, bb, cc, bc, ac, ab, _length, angle):
    return _monoclinic_tilt(aa, bb, cc, bc, ac, ab) <= np.sin(min(angle, np.pi / 2)) ** 2


def _orthorhombic_fits(aa, bb, cc, bc, ac, ab, _length, angle):
    return _right_angles((aa, bb, cc), (bc, ac, ab), angle)


def _tetragonal_fits(aa, bb, cc, bc, ac, ab, length, angle):
    fits = _right_angles((aa, bb, cc), (bc, ac, ab), angle)
    return fits & _equal((aa, bb), 0.5 * (aa + bb), length)


def _hexagonal_fits(aa, bb, cc, bc, ac, ab, length, angle):
    fits = _equal((aa, bb), 2.0 / 3.0 * (aa + bb + ab), length)
    fits &= _right_angles((aa, bb, cc), (bc, ac, np.zeros_like(ab)), angle)
    cosine = ab / np.sqrt(aa * bb)
    fits &= cosine <= np.cos(max(2.0 / 3.0 * np.pi - angle, 0.0))
    fits &= cosine >= np.cos(min(2.0 / 3.0 * np.pi + angle, np.pi))
    return fits


def _cubic_fits(aa, bb, cc, bc, ac, ab, length, angle):
    fits = _right_angles((aa, bb, cc), (bc, ac, ab), angle)
    return fits & _equal((aa, bb, cc), (aa + bb + cc) / 3.0, length)


_FITS: dict[str, Callable[..., BoolArray]] = {
    "m": _monoclinic_fits,
    "o": _orthorhombic_fits,
    "t": _tetragonal_fits,
    "h": _hexagonal_fits,
    "c": _cubic_fits,
}

# By the first letter of the Bravais type, its crystal family.
_SQUARED_STRAINS: dict[str, Callable[..., FloatArray]] = {
    "m": _monoclinic_strain,
    "o": _orthorhombic_strain,
    "t": _tetragonal_strain,
    "h": _hexagonal_strain,
    "c": _cubic_strain,
}
