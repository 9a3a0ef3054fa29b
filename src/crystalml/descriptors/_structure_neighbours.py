"""Neighbours in a crystal: pairs of atoms, bonds, angles between bonds, Voronoi cells."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import QhullError, Voronoi

from crystalml._dependencies import import_optional
from crystalml.crystallography._site_expansion import OCCUPANCY_TOLERANCE, SITE_TOLERANCE
from crystalml.exceptions import InvalidInputError

# Two partly occupied sites nearer than this times the sum of their covalent radii are never
# occupied at once; the shortest real bonds of two heavy atoms, as in N2, have 0.77.
_ALTERNATIVE = 0.75
_SMALLEST_RADIUS = 4.0  # Å, where the search for nearest neighbours begins
_LARGEST_RADIUS = 60.0  # Å, where it gives up
_SELF = 1e-8  # Å, pymatgen's tolerance

_FIRST_REACH = 2.2  # in units of the cube root of the volume per atom; enough for dense packings
_GROWTH = 1.5
_MOST_STEPS = 12
_ROUNDING = 1e-6


class Pairs(NamedTuple):
    """Ordered pairs of sites (first, second); `first` ascends."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray  # Å
    vector: np.ndarray  # (n, 3), Å, from the first to the second

    def select(self, mask):
        """Return the pairs where `mask`."""
        return Pairs(*(values[mask] for values in self))


def neighbours(positions, vectors, radius):
    """Return first, second, image and distance of all ordered pairs up to `radius`."""
    search = import_optional("pymatgen.optimization.neighbors", needed_by="StructureDescriptors")
    positions = np.ascontiguousarray(positions)
    first, second, image, distance = search.find_points_in_spheres(
        positions,
        positions,
        float(radius),
        np.ones(3, dtype=np.int64),
        np.ascontiguousarray(vectors),
        _SELF,
    )
    other = np.flatnonzero((first != second) | (distance > _SELF))
    other = other[np.argsort(first[other], kind="stable")]
    return first[other], second[other], image[other], distance[other]


def pairs_within(crystal, radius):
    """Return all ordered pairs of sites up to `radius`, images included, alternatives left out."""
    positions = crystal.positions
    first, second, image, distance = neighbours(positions, crystal.vectors, radius)
    vector = positions[second] + image @ crystal.vectors - positions[first]
    pairs = Pairs(first, second, distance, vector)
    return pairs.select(~_are_alternatives(crystal, first, second, distance))


def first_of_place(fractions, vectors):
    """Return for each site the first one that is at the same place, most often itself."""
    one, other, _, _ = neighbours(fractions @ vectors, vectors, SITE_TOLERANCE)
    first = np.arange(len(fractions))
    np.minimum.at(first, one, other)
    return first[first]


def refuse_coinciding(crystal):
    """Raise where two sites that can be occupied at once are at one place."""
    pairs = pairs_within(crystal, SITE_TOLERANCE)
    if len(pairs.first):
        one, other = int(pairs.first[0]), int(pairs.second[0])
        names = [crystal.species[site][0][0] for site in (one, other)]
        raise InvalidInputError(
            f"sites {one} ({names[0]}) and {other} ({names[1]}) are {pairs.distance[0]:.3f} Å apart"
        )


def bonded_pairs(crystal, pairs, radius, *, bonds, tolerance):
    """Choose the bonded ones of `pairs`, which reach up to `radius`; search further if need be."""
    radii = crystal.covalent_radius
    if bonds == "covalent":
        reach = max(2.0 * np.nan_to_num(radii).max() * (1.0 + tolerance), SITE_TOLERANCE)
        if pairs is None or radius < reach:
            pairs = pairs_within(crystal, reach)
        return pairs.select(
            pairs.distance < (1.0 + tolerance) * (radii[pairs.first] + radii[pairs.second])
        )
    radius = radius or _SMALLEST_RADIUS
    while True:
        pairs = pairs_within(crystal, radius) if pairs is None else pairs
        nearest = np.full(len(radii), np.inf)
        np.minimum.at(nearest, pairs.first, pairs.distance)
        limit = nearest * (1.0 + tolerance)
        if limit.max() <= radius or radius > _LARGEST_RADIUS:
            return pairs.select(pairs.distance < limit[pairs.first])
        radius, pairs = 2.0 * radius, None


def coordination_numbers(crystal, bonded):
    """Return the number of bonded neighbours of each site, weighted by their occupancy."""
    weights = crystal.occupancy[bonded.second]
    return np.bincount(bonded.first, weights, minlength=len(crystal.occupancy))


def bond_angles(crystal, bonded):
    """Return the angles between bonds of one site in degrees, and their weights."""
    start = np.arange(len(bonded.first))
    end = np.searchsorted(bonded.first, bonded.first, side="right")
    n_later = end - start - 1
    one = np.repeat(start, n_later)
    other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(n_later) - n_later, n_later)
    a, b = bonded.vector[one], bonded.vector[other]
    cosines = (a * b).sum(axis=1) / (bonded.distance[one] * bonded.distance[other])
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    ends = bonded.second[one], bonded.second[other]
    weights = np.prod([crystal.occupancy[site] for site in (bonded.first[one], *ends)], axis=0)
    coexist = ~_are_alternatives(crystal, *ends, np.linalg.norm(a - b, axis=1))
    return angles[coexist], weights[coexist]


def _are_alternatives(crystal, first, second, distance):
    """Tell pairs of partly occupied sites too close to be occupied at once."""
    partial = crystal.is_partial
    if not partial.any():
        return np.zeros(len(first), dtype=bool)
    shortest = _ALTERNATIVE * (crystal.covalent_radius[first] + crystal.covalent_radius[second])
    together = crystal.occupancy[first] + crystal.occupancy[second]
    exclusive = partial[first] & partial[second] & (together <= 1.0 + OCCUPANCY_TOLERANCE)
    return exclusive & (distance < shortest)


class Faces(NamedTuple):
    """Faces of the Voronoi cells of the n atoms of a crystal."""

    owner: np.ndarray  # (m,), the atom
    distance: np.ndarray  # (m,), Å, to the atom on the other side
    area: np.ndarray  # (m,), Å^2


def voronoi_faces(crystal):
    """Return the faces of the Voronoi cells of all sites.

    The sites of the cell and all images within some reach are given to Qhull. A Voronoi cell
    depends on the points within twice the distance of its farthest vertex alone, so that the
    result is exact as soon as the reach is as large; until then the reach grows.
    """
    fractions = crystal.fractions - np.floor(crystal.fractions)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(crystal.vectors), axis=0)
    reach = _FIRST_REACH * np.cbrt(crystal.volume / len(fractions))
    for _ in range(_MOST_STEPS):
        points = _with_images(fractions, reach / heights) @ crystal.vectors
        try:
            diagram = Voronoi(points)
        except QhullError as error:
            raise InvalidInputError(f"Qhull finds no Voronoi cells: {error}") from error
        needed = _needed_reach(diagram, len(fractions))
        if needed <= reach * (1.0 + _ROUNDING):
            return _faces(diagram, len(fractions))
        reach = min(needed, _GROWTH * reach)
    raise InvalidInputError("its Voronoi cells have no bounds")


def _with_images(fractions, margins):
    """Return the points, and after them their images within `margins` of the cell."""
    steps = [np.arange(-n, n + 1) for n in np.ceil(margins).astype(int)]
    shifts = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = shifts[shifts.any(axis=1)]
    images = (fractions + shifts[:, None]).reshape(-1, 3)
    near = ((images >= -margins) & (images <= 1.0 + margins)).all(axis=1)
    return np.concatenate([fractions, images[near]])


def _needed_reach(diagram, n_atoms):
    """Return twice the distance from an atom to the farthest vertex of its cell, the largest."""
    regions = [diagram.regions[region] for region in diagram.point_region[:n_atoms]]
    corners = np.concatenate(regions).astype(int)
    if (corners < 0).any() or not all(regions):
        return np.inf
    atoms = np.repeat(np.arange(n_atoms), [len(region) for region in regions])
    return 2.0 * np.linalg.norm(diagram.vertices[corners] - diagram.points[atoms], axis=1).max()


def _faces(diagram, n_atoms):
    """Collect the faces of the first atoms; the vertices of a face come in order from Qhull."""
    chosen = np.flatnonzero((diagram.ridge_points < n_atoms).any(axis=1))
    corners = [diagram.ridge_vertices[ridge] for ridge in chosen]
    pairs = diagram.ridge_points[chosen]
    areas = _polygon_areas(diagram.vertices, corners)
    distances = np.linalg.norm(np.diff(diagram.points[pairs], axis=1)[:, 0], axis=1)
    sides = [pairs[:, side] < n_atoms for side in (0, 1)]
    return Faces(
        owner=np.concatenate([pairs[own, side] for side, own in enumerate(sides)]),
        distance=np.concatenate([distances[own] for own in sides]),
        area=np.concatenate([areas[own] for own in sides]),
    )


def _polygon_areas(vertices, polygons):
    """Return the areas of plane polygons, each a list of vertices in order."""
    sizes = np.array([len(polygon) for polygon in polygons])
    starts = np.cumsum(sizes) - sizes
    corners = vertices[np.concatenate(polygons)]
    # From the first corner, which keeps the cross products small and exact.
    corners = corners - np.repeat(corners[starts], sizes, axis=0)
    following = np.arange(1, len(corners) + 1)
    following[starts + sizes - 1] = starts
    products = np.cross(corners, corners[following])
    return 0.5 * np.linalg.norm(np.add.reduceat(products, starts, axis=0), axis=1)
