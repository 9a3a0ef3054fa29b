"""Cells as a volume and a shape, and shapes that obey their Bravais lattice exactly.

A shape is six numbers: the logarithms of a, b and c over their geometric mean, and the angles in
radians less a right angle. What a crystal family asks of a cell is linear in them, so that means
and sums of shapes of one lattice are shapes of that lattice.
"""

import numpy as np

from crystalml.crystallography import BRAVAIS_LATTICES, cell_volume

FAMILIES = "amothc"
# Free numbers of the shape of a cell in each family.
FREE_NUMBERS = np.array([5, 3, 2, 1, 1, 0])
# The 120 degrees of hexagonal axes, less a right angle.
_TRIGONAL = np.pi / 6.0
# The part of a parallelepiped's volume that the angles must leave of the box's, at least.
_FLATTEST = 0.05


def lattice_codes(lattices):
    """Position of each Bravais lattice in ``BRAVAIS_LATTICES``; -1 where it is none."""
    table = {lattice: code for code, lattice in enumerate(BRAVAIS_LATTICES)}
    return np.array([table.get(lattice, -1) for lattice in lattices], dtype=np.int64)


def family_codes(codes):
    """Position in ``FAMILIES`` of the crystal family of each Bravais lattice code."""
    table = np.array([FAMILIES.index(lattice[0]) for lattice in BRAVAIS_LATTICES])
    return table[codes]


def cells_to_shapes(cells):
    """Return the shapes, (n, 6), and the volumes in Å^3, (n,), of cells of shape (n, 6)."""
    cells = np.asarray(cells, dtype=float)
    logarithms = np.log(cells[:, :3])
    logarithms -= logarithms.mean(axis=1, keepdims=True)
    angles = np.radians(cells[:, 3:] - 90.0)
    return np.concatenate([logarithms, angles], axis=1), cell_volume(cells)


def constrain(shapes, codes):
    """Return the shapes nearest to `shapes` that their Bravais lattice allows."""
    family = family_codes(codes)
    result = shapes.copy()
    result[:, :3] -= result[:, :3].mean(axis=1, keepdims=True)
    is_uniaxial = np.isin(family, (3, 4))
    result[is_uniaxial, :2] = result[is_uniaxial, :2].mean(axis=1, keepdims=True)
    result[family == 5, :3] = 0.0
    result[family > 0, 3] = 0.0
    result[family > 1, 4] = 0.0
    result[family > 0, 5] = 0.0
    result[family == 4, 5] = _TRIGONAL
    return result


def shapes_to_cells(shapes, volumes, codes):
    """Return cells of given volume (Å^3), the shapes being made to obey their lattices first."""
    family = family_codes(codes)
    shapes = constrain(shapes, codes)
    angles = _openable(90.0 + np.degrees(shapes[:, 3:]))
    # Exactly, whatever the way through radians does to the last digit.
    angles[family > 0, 0] = 90.0
    angles[family > 1, 1] = 90.0
    angles[family > 0, 2] = 90.0
    angles[family == 4, 2] = 120.0
    units = np.concatenate([np.exp(shapes[:, :3]), angles], axis=1)
    units[:, :3] *= np.cbrt(np.asarray(volumes) / cell_volume(units))[:, None]
    return units


def _openable(angles):
    """Move triples of angles that enclose hardly any volume towards right angles."""
    angles = angles.copy()
    for _ in range(60):
        flat = ~(_box_share(angles) >= _FLATTEST)
        if not flat.any():
            break
        angles[flat] += 0.1 * (90.0 - angles[flat])
    return angles


def _box_share(angles):
    """Volume of cells with edges of length one; NaN where the angles enclose none."""
    cosines = np.cos(np.radians(angles))
    square = 1.0 - (cosines**2).sum(axis=1) + 2.0 * cosines.prod(axis=1)
    is_angle = ((angles > 0.0) & (angles < 180.0)).all(axis=1)
    sums = angles.sum(axis=1)
    closes = (2.0 * angles.max(axis=1) < sums) & (sums < 360.0)
    return np.where(is_angle & closes & (square > 0.0), np.sqrt(np.abs(square)), np.nan)
