"""Wyckoff positions: against International Tables, and against the groups themselves."""

import gemmi
import numpy as np
import pytest

from crystalml.crystallography._wyckoff import (
    GRID,
    IMPOSSIBLE,
    fewest_positions,
    grid_operations,
    orbit,
    wyckoff_multiplicities,
    wyckoff_positions,
)

ALL_GROUPS = range(1, 231)


def grid(*fractions):
    return np.array([round(fraction * GRID) for fraction in fractions])


@pytest.mark.parametrize(
    ("number", "fixed_points"),
    [
        # Wyckoff positions without free coordinates: International Tables, vol. A.
        (2, [1] * 8),
        (14, [2] * 4),
        (62, [4] * 2),
        (141, [4, 4, 8, 8]),
        (166, [3, 3, 9, 9]),
        (194, [2, 2, 2, 2, 6]),
        (216, [4] * 4),
        (221, [1, 1, 3, 3]),
        (225, [4, 4, 8, 24]),
        (227, [8, 8, 16, 16]),
        (230, [16, 16, 24, 24]),
        (1, []),
        (33, []),
        (76, []),
    ],
)
def test_fixed_points_are_those_of_international_tables(number, fixed_points):
    found = sorted(p.multiplicity for p in wyckoff_positions(number) if p.n_free == 0)
    assert found == fixed_points


@pytest.mark.parametrize(
    ("number", "free"),
    [
        (6, {(1, 2), (2, 3)}),
        (62, {(4, 2), (8, 3)}),
        (225, {(24, 1), (32, 1), (48, 1), (96, 2), (192, 3)}),
        (227, {(32, 1), (48, 1), (96, 1), (96, 2), (192, 3)}),
        (33, {(4, 3)}),
    ],
)
def test_free_positions_have_the_multiplicities_of_international_tables(number, free):
    assert {(p.multiplicity, p.n_free) for p in wyckoff_positions(number) if p.n_free} == free


@pytest.mark.parametrize("number", ALL_GROUPS)
def test_positions_have_the_multiplicity_they_state(number):
    n_operations = len(gemmi.find_spacegroup_by_number(number).operations())
    generator = np.random.default_rng(0)
    assert (
        wyckoff_positions(number)[-1].multiplicity
        == n_operations
        == len(grid_operations(number)[0])
    )
    for position in wyckoff_positions(number):
        point = position.anchor + position.directions @ generator.integers(0, GRID, 3)
        assert len(orbit(number, point)) == position.multiplicity


def test_an_orbit_is_closed_under_the_group():
    points = orbit(167, grid(0.1, 0.2, 0.3))
    again = np.concatenate([orbit(167, point) for point in points[:5]])
    assert len(np.unique(np.concatenate([points, again]), axis=0)) == 36


@pytest.mark.parametrize(
    ("number", "fixed", "free"),
    [
        (1, [], [1]),
        (62, [4, 4], [4, 8]),
        (166, [3, 3, 9, 9], [6, 18, 36]),
        (225, [4, 4, 8, 24], [24, 32, 48, 96, 192]),
    ],
)
def test_multiplicities_are_those_of_international_tables(number, fixed, free):
    assert wyckoff_multiplicities(number) == (fixed, free)


def test_fewest_positions_of_some_atoms():
    fixed, free = wyckoff_multiplicities(225)
    needed = fewest_positions(fixed, free, 40)
    assert needed[[0, 4, 8, 16, 20, 24, 32, 36]].tolist() == [0, 1, 1, 3, IMPOSSIBLE, 1, 1, 2]
    # With whole orbits of free positions for nothing, only the fixed ones count.
    assert fewest_positions(fixed, free, 40, free_count=0)[[24, 28, 32]].tolist() == [0, 1, 0]
