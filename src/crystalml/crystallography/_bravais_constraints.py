"""What each crystal family asks of the metric of a conventional cell.

Every function takes the six scalar products a·a, b·b, c·c, b·c, a·c, a·b as arrays of one
shape. The first group gives the squared strain to the ideal metric, the second tells where
the cell is within a relative tolerance of lengths and a tolerance of angles in radians.
"""

from collections.abc import Callable

import numpy as np

from crystalml._typing import BoolArray, FloatArray


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


FITS: dict[str, Callable[..., BoolArray]] = {
    "m": _monoclinic_fits,
    "o": _orthorhombic_fits,
    "t": _tetragonal_fits,
    "h": _hexagonal_fits,
    "c": _cubic_fits,
}

# By the first letter of the Bravais type, its crystal family.
SQUARED_STRAINS: dict[str, Callable[..., FloatArray]] = {
    "m": _monoclinic_strain,
    "o": _orthorhombic_strain,
    "t": _tetragonal_strain,
    "h": _hexagonal_strain,
    "c": _cubic_strain,
}
