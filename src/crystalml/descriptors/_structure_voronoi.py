"""Voronoi cells of the atoms of a crystal."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import QhullError, Voronoi

from crystalml.exceptions import InvalidInputError

_FIRST_REACH = 2.2  # in units of the cube root of the volume per atom; enough for dense packings
_GROWTH = 1.5
_MOST_STEPS = 12
_ROUNDING = 1e-6


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
