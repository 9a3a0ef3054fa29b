"""Crystallographic orbits on an exact grid, and structures whose space group is proved.

A structure built from orbits of a space group has that group's symmetry, and may have more:
zinc and sulphur on positions 4a and 4b of F-43m make the structure of NaCl. `structure_templates`
keeps only those choices of orbits that have no further symmetry, so that a crystal made from
them belongs to its group and to no supergroup.

Coordinates are integers in units of 1/GRID of the cell edge, so that symmetry is exact.
"""

from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

import gemmi
import numpy as np

from crystalml.crystallography import lattice_system

N_TEMPLATES = 12
# How often a structure has one, two, three or four chemical species.
_SPECIES_WEIGHTS = (0.05, 0.3, 0.45, 0.2)

# Translations of space groups are multiples of 1/24; the other factor leaves room for generic
# coordinates, and GRID**3 still fits into 64 bits.
GRID = 24 * 2**15
_STEP = GRID // 24

# Point groups of the lattices: the symmetry that a structure could have in its cell.
_HOLOHEDRIES = {
    "triclinic": "P -1",
    "monoclinic": "P 1 2/m 1",
    "orthorhombic": "P m m m",
    "tetragonal": "P 4/m m m",
    "rhombohedral": "R -3 m:H",
    "hexagonal": "P 6/m m m",
    "cubic": "P m -3 m",
}
# Points of all zero-dimensional positions, and on every axis and plane, have such coordinates.
_EIGHTHS = np.arange(0, 24, 3)
_TWELFTHS = np.arange(0, 24, 2)
_SIXTHS = np.arange(0, 24, 4)
_GENERIC = np.array([10_007, 31_013, 72_019])


class Position(NamedTuple):
    """Points with one site symmetry: a fixed point, axis or plane, or the general position."""

    anchor: np.ndarray
    """Grid coordinates of one such point."""
    directions: np.ndarray
    """Integer matrix; adding its product with any vector gives another such point."""
    multiplicity: int
    """Number of equivalent points in the conventional cell."""
    n_free: int
    """Number of free coordinates, 0 to 3."""


class Template(NamedTuple):
    """Orbits of one space group, distributed over chemical species."""

    species: tuple[tuple[int, ...], ...]
    """Per species, the indices of its positions in ``positions(number)``."""
    amounts: tuple[int, ...]
    """Per species, the number of atoms in the conventional cell."""


@lru_cache(maxsize=230)
def operations(number):
    """Return rotations (n, 3, 3) and translations (n, 3) on the grid, centrings included."""
    group = gemmi.find_spacegroup_by_number(number).operations()
    rotations = np.array([op.rot for op in group], dtype=np.int64) // gemmi.Op.DEN
    translations = np.array([op.tran for op in group], dtype=np.int64) % gemmi.Op.DEN
    return rotations, translations * _STEP


def orbit(number, point):
    """Return the distinct points equivalent to `point` in the cell, shape (multiplicity, 3)."""
    rotations, translations = operations(number)
    images = (rotations @ point + translations) % GRID
    _, first = np.unique(_codes(images), return_index=True)
    return images[first]


@lru_cache(maxsize=230)
def positions(number):
    """Return special positions and the general one (last), fixed points each once.

    Positions with free coordinates can be occupied again and again, so one for each
    multiplicity and number of free coordinates is enough.
    """
    fixed, free = [], {}
    for anchor in _special_points(number):
        rotations, translations = operations(number)
        fixing = ((rotations @ anchor + translations - anchor) % GRID == 0).all(axis=1)
        site_symmetry = rotations[fixing]
        multiplicity = len(rotations) // len(site_symmetry)
        directions = site_symmetry.sum(axis=0)
        if not directions.any():
            fixed.append(Position(anchor, directions, multiplicity, 0))
        for rotation in site_symmetry:
            position = _free_position(number, anchor, *_axis_or_plane(rotation.tobytes()))
            if position.n_free:
                free.setdefault(position[2:], position)
    general = Position(
        np.zeros(3, np.int64), np.eye(3, dtype=np.int64), len(operations(number)[0]), 3
    )
    free.pop(general[2:], None)
    return (*fixed, *free.values(), general)


def _special_points(number):
    """Return one point of each orbit with site symmetry among points with simple coordinates."""
    on_hexagonal_axes = lattice_system(number) in ("rhombohedral", "hexagonal")
    axes = (_SIXTHS, _SIXTHS, _TWELFTHS) if on_hexagonal_axes else (_EIGHTHS,) * 3
    points = np.array(list(product(*axes)), dtype=np.int64) * _STEP
    rotations, translations = operations(number)
    images = (points @ rotations.transpose(0, 2, 1) + translations[:, None]) % GRID
    special = (images == points).all(axis=2).sum(axis=0) > 1
    _, first = np.unique(_codes(images[:, special]).min(axis=0), return_index=True)
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
    rotations, translations = operations(number)
    # Any vector without simple relations among its components serves as a generic one.
    point = anchor + directions @ _GENERIC
    n_fixing = ((rotations @ point + translations - point) % GRID == 0).all(axis=1).sum()
    return Position(anchor, directions, len(rotations) // int(n_fixing), n_free)


def _codes(points):
    """Encode each point of shape (..., 3) as one integer."""
    return (points[..., 0] * GRID + points[..., 1]) * GRID + points[..., 2]


def place(number, template, generator):
    """Draw coordinates for a template: per species, points on the grid of shape (n, 3)."""
    available = positions(number)
    return [
        np.concatenate([_draw_orbit(number, available[i], generator) for i in indices])
        for indices in template.species
    ]


def _draw_orbit(number, position, generator):
    """Draw the free coordinates of a position and return all its points."""
    free_vector = generator.integers(0, GRID, 3)
    return orbit(number, position.anchor + position.directions @ free_vector)


@lru_cache(maxsize=230)
def structure_templates(number):
    """Return `N_TEMPLATES` choices of orbits whose structures belong to this very group.

    The draw depends on the group alone. Positions of small multiplicity are preferred, so that
    most cells have as few atoms as those of real inorganic crystals.
    """
    generator = np.random.default_rng(number)
    found = {}
    while len(found) < N_TEMPLATES:
        template = _grow_template(number, generator)
        if template is not None:
            found[template] = None
    return tuple(found)


def _grow_template(number, generator):
    """Add orbits until nothing but the symmetry of the group is left; None if that takes long."""
    available = positions(number)
    weights = np.array([1 / position.multiplicity for position in available])
    n_species = generator.choice(len(_SPECIES_WEIGHTS), p=_SPECIES_WEIGHTS) + 1
    species, points = [[] for _ in range(n_species)], [[] for _ in range(n_species)]
    n_wanted = n_species + generator.poisson(1.5)
    for n_orbits in range(1, n_wanted + 8):
        if not weights.any():
            return None
        chosen = int(generator.choice(len(available), p=weights / weights.sum()))
        if not available[chosen].n_free:
            weights[chosen] = 0  # a fixed point has room for one atom
        # First one orbit for each species, then more for any of them.
        receiver = n_orbits - 1 if n_orbits <= n_species else generator.integers(n_species)
        species[receiver].append(chosen)
        points[receiver].append(_draw_orbit(number, available[chosen], generator))
        if n_orbits >= n_wanted and has_exact_symmetry(number, [*map(np.concatenate, points)]):
            return _as_template(species, available)
    return None


def _as_template(species, available):
    """Freeze a choice of orbits and count its atoms."""
    amounts = (sum(available[i].multiplicity for i in indices) for indices in species)
    return Template(tuple(tuple(sorted(indices)) for indices in species), tuple(amounts))


def has_exact_symmetry(number, points_of_species):
    """Tell whether a structure, built from orbits of a group, has no symmetry beyond it.

    Any further operation combines a rotation of the lattice, one for each coset of the point
    group, with a translation that takes some atom to an atom of its species. All of them are
    tried, for a cell with no more symmetry than the crystal system asks for.
    """
    by_size = sorted(points_of_species, key=len)
    centrings = _codes(_centrings(number))
    for rotation in _lattice_rotations_beyond(number):
        shifts = (by_size[0] - rotation @ by_size[0][0]) % GRID
        if np.array_equal(rotation, np.eye(3)):
            shifts = shifts[~np.isin(_codes(shifts), centrings)]
        for points in by_size:
            images = _codes((points @ rotation.T + shifts[:, None]) % GRID)
            kept = (np.sort(images, axis=1) == np.sort(_codes(points))).all(axis=1)
            shifts = shifts[kept]
        if len(shifts):
            return False
    return True


def _centrings(number):
    """Return the translations of the conventional cell, the null vector included."""
    rotations, translations = operations(number)
    return translations[(rotations == np.eye(3)).all(axis=(1, 2))]


@lru_cache(maxsize=230)
def _lattice_rotations_beyond(number):
    """Return one rotation of the lattice for each coset of the group's point group."""
    lattice_group = gemmi.SpaceGroup(_HOLOHEDRIES[lattice_system(number)]).operations()
    own = {rotation.tobytes(): rotation for rotation in operations(number)[0]}
    representatives, covered = [], set()
    for op in lattice_group:
        rotation = np.array(op.rot, dtype=np.int64) // gemmi.Op.DEN
        if rotation.tobytes() not in covered:
            representatives.append(rotation)
            covered.update((rotation @ other).tobytes() for other in own.values())
    return representatives
