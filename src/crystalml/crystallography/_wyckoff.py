"""Wyckoff positions of the space groups, their orbits, and the numbers of atoms they hold.

Groups are in their standard setting: unique axis b, origin choice 1, hexagonal axes. Coordinates
are integers in units of 1/GRID of the cell edge, so that symmetry is exact.
"""

from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

import gemmi
import numpy as np

from crystalml.crystallography._spacegroups import lattice_system

# Translations of space groups are multiples of 1/24; the other factor leaves room for generic
# coordinates, and GRID**3 still fits into 64 bits.
GRID = 24 * 2**15
_STEP = GRID // 24

# Points of all zero-dimensional positions, and on every axis and plane, have such coordinates.
_EIGHTHS = np.arange(0, 24, 3)
_TWELFTHS = np.arange(0, 24, 2)
_SIXTHS = np.arange(0, 24, 4)
# Any vector without simple relations among its components serves as a generic one.
_GENERIC = np.array([10_007, 31_013, 72_019])

IMPOSSIBLE = 999
"""Stands for the number of positions of atoms that have no place."""
_OUT_OF_REACH = 10**6


class WyckoffPosition(NamedTuple):
    """Points with one site symmetry: a fixed point, axis or plane, or the general position."""

    anchor: np.ndarray
    """Grid coordinates of one such point."""
    directions: np.ndarray
    """Integer matrix; adding its product with any vector gives another such point."""
    multiplicity: int
    """Number of equivalent points in the conventional cell."""
    n_free: int
    """Number of free coordinates, 0 to 3."""


@lru_cache(maxsize=230)
def grid_operations(number):
    """Return rotations (n, 3, 3) and translations (n, 3) on the grid, centrings included."""
    group = gemmi.find_spacegroup_by_number(number).operations()
    rotations = np.array([op.rot for op in group], dtype=np.int64) // gemmi.Op.DEN
    translations = np.array([op.tran for op in group], dtype=np.int64) % gemmi.Op.DEN
    return rotations, translations * _STEP


def orbit(number, point):
    """Return the distinct points equivalent to `point` in the cell, shape (multiplicity, 3)."""
    rotations, translations = grid_operations(number)
    images = (rotations @ point + translations) % GRID
    # As one integer each, points compare faster than as rows of three.
    _, first = np.unique(encode_points(images), return_index=True)
    return images[first]


@lru_cache(maxsize=230)
def wyckoff_positions(number):
    """Return special positions and the general one (last), fixed points each once.

    Positions with free coordinates can be occupied again and again, so one for each
    multiplicity and number of free coordinates is enough.
    """
    fixed, free = [], {}
    for anchor in _special_points(number):
        rotations, translations = grid_operations(number)
        fixing = ((rotations @ anchor + translations - anchor) % GRID == 0).all(axis=1)
        site_symmetry = rotations[fixing]
        multiplicity = len(rotations) // len(site_symmetry)
        directions = site_symmetry.sum(axis=0)
        if not directions.any():
            fixed.append(WyckoffPosition(anchor, directions, multiplicity, 0))
        for rotation in site_symmetry:
            position = _free_position(number, anchor, *_axis_or_plane(rotation.tobytes()))
            if position.n_free:
                free.setdefault(position[2:], position)
    general = WyckoffPosition(
        np.zeros(3, np.int64), np.eye(3, dtype=np.int64), len(grid_operations(number)[0]), 3
    )
    free.pop(general[2:], None)
    return (*fixed, *free.values(), general)


def wyckoff_multiplicities(number):
    """Return the multiplicities of fixed positions, and the distinct ones of all others."""
    available = wyckoff_positions(number)
    fixed = sorted(position.multiplicity for position in available if not position.n_free)
    free = sorted({position.multiplicity for position in available if position.n_free})
    return fixed, free


def fewest_positions(fixed, free, largest, *, free_count=1):
    """Return how many positions 0 to `largest` atoms need; 999 where they have no place.

    Those with free coordinates count as `free_count` each.
    """
    best = np.full(largest + 1, _OUT_OF_REACH)
    best[0] = 0
    for multiplicity in fixed:
        # The right side is read before it is written, so that each fixed position counts once.
        best[multiplicity:] = np.minimum(best[multiplicity:], best[:-multiplicity] + 1)
    for multiplicity in free:
        # Numbers of atoms that differ by whole orbits stand below one another.
        n_rows = -(-len(best) // multiplicity)
        grid = np.full(n_rows * multiplicity, _OUT_OF_REACH)
        grid[: len(best)] = best
        cost = free_count * np.arange(n_rows)[:, None]
        grid = np.minimum.accumulate(grid.reshape(n_rows, -1) - cost, axis=0) + cost
        best = grid.ravel()[: len(best)]
    return np.where(best > largest, IMPOSSIBLE, best)


def encode_points(points):
    """Encode each point of shape (..., 3) as one integer."""
    return (points[..., 0] * GRID + points[..., 1]) * GRID + points[..., 2]


def _special_points(number):
    """Return one point of each orbit with site symmetry among points with simple coordinates."""
    on_hexagonal_axes = lattice_system(number) in ("rhombohedral", "hexagonal")
    axes = (_SIXTHS, _SIXTHS, _TWELFTHS) if on_hexagonal_axes else (_EIGHTHS,) * 3
    points = np.array(list(product(*axes)), dtype=np.int64) * _STEP
    rotations, translations = grid_operations(number)
    images = (points @ rotations.transpose(0, 2, 1) + translations[:, None]) % GRID
    special = (images == points).all(axis=2).sum(axis=0) > 1
    _, first = np.unique(encode_points(images[:, special]).min(axis=0), return_index=True)
    return points[special][first]


@cache
def _axis_or_plane(rotation_bytes):
    """Return the sum of the powers of a rotation, a projector on what it fixes, and its rank."""
    rotation = np.frombuffer(rotation_bytes, dtype=np.int64).reshape(3, 3)
    powers = [np.eye(3, dtype=np.int64)]
    while not np.array_equal(power := powers[-1] @ rotation, powers[0]):
        powers.append(power)
    directions = np.sum(powers, axis=0)
    return directions, int(np.trace(directions)) // len(powers)


def _free_position(number, anchor, directions, n_free):
    """Describe the points that `directions` reaches from `anchor`."""
    rotations, translations = grid_operations(number)
    point = anchor + directions @ _GENERIC
    # Operations that keep the point: the order of its site symmetry, by orbit and stabiliser.
    n_fixing = ((rotations @ point + translations - point) % GRID == 0).all(axis=1).sum()
    return WyckoffPosition(anchor, directions, len(rotations) // int(n_fixing), n_free)
