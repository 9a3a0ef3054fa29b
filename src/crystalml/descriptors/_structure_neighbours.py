"""Pairs of atoms in a crystal, those that are bonded, and angles between bonds."""

from typing import NamedTuple

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.crystallography._site_expansion import OCCUPANCY_TOLERANCE, SITE_TOLERANCE
from crystalml.exceptions import InvalidInputError

# Two partly occupied sites nearer than this times the sum of their covalent radii are never
# occupied at once; the shortest real bonds of two heavy atoms, as in N2, have 0.77.
_ALTERNATIVE = 0.75
_SMALLEST_RADIUS = 4.0  # Å, where the search for nearest neighbours begins
_LARGEST_RADIUS = 60.0  # Å, where it gives up
_SELF = 1e-8  # Å, pymatgen's tolerance


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
