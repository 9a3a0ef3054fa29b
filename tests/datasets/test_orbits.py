import gemmi
import numpy as np
import pytest
import spglib

from crystalml.crystallography import lattice_system
from crystalml.datasets._orbits import (
    GRID,
    has_exact_symmetry,
    operations,
    orbit,
    place,
    positions,
    structure_templates,
)

# What spglib says of its own settings is not about the code under test.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

ALL_GROUPS = range(1, 231)
# Right angles and equal edges where the lattice system asks for them, and nowhere else.
LATTICES = {
    "triclinic": [[5.1, 0, 0], [0.7, 6.3, 0], [0.9, 1.3, 7.7]],
    "monoclinic": [[5.1, 0, 0], [0, 6.3, 0], [-1.9, 0, 7.7]],
    "orthorhombic": np.diag([5.1, 6.3, 7.7]),
    "tetragonal": np.diag([5.1, 5.1, 7.7]),
    "rhombohedral": [[5.1, 0, 0], [-2.55, 2.55 * 3**0.5, 0], [0, 0, 13.7]],
    "hexagonal": [[5.1, 0, 0], [-2.55, 2.55 * 3**0.5, 0], [0, 0, 7.7]],
    "cubic": np.diag([5.1, 5.1, 5.1]),
}


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
    found = sorted(p.multiplicity for p in positions(number) if p.n_free == 0)
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
    assert {(p.multiplicity, p.n_free) for p in positions(number) if p.n_free} == free


@pytest.mark.parametrize("number", ALL_GROUPS)
def test_positions_have_the_multiplicity_they_state(number):
    n_operations = len(gemmi.find_spacegroup_by_number(number).operations())
    generator = np.random.default_rng(0)
    assert positions(number)[-1].multiplicity == n_operations == len(operations(number)[0])
    for position in positions(number):
        point = position.anchor + position.directions @ generator.integers(0, GRID, 3)
        assert len(orbit(number, point)) == position.multiplicity


def test_an_orbit_is_closed_under_the_group():
    points = orbit(167, grid(0.1, 0.2, 0.3))
    again = np.concatenate([orbit(167, point) for point in points[:5]])
    assert len(np.unique(np.concatenate([points, again]), axis=0)) == 36


# Zinc blende, rock salt, diamond, fluorite, perovskite, and what they are not.
SODIUM, CHLORINE = orbit(225, grid(0, 0, 0)), orbit(225, grid(0.5, 0.5, 0.5))
ZINC, SULPHUR = orbit(216, grid(0, 0, 0)), orbit(216, grid(0.25, 0.25, 0.25))


@pytest.mark.parametrize(
    ("number", "structure", "exact"),
    [
        (225, [SODIUM, CHLORINE], True),
        (216, [SODIUM, CHLORINE], False),
        (202, [SODIUM, CHLORINE], False),
        (221, [SODIUM, CHLORINE], False),
        (221, [np.concatenate([SODIUM, CHLORINE])], False),
        (216, [ZINC, SULPHUR], True),
        (196, [ZINC, SULPHUR], False),
        (216, [np.concatenate([ZINC, SULPHUR])], False),
        (227, [orbit(227, grid(0, 0, 0))], True),
        (225, [SODIUM, orbit(225, grid(0.25, 0.25, 0.25))], True),
        (221, [orbit(221, grid(*x)) for x in [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]], True),
        (1, [orbit(1, grid(0.1, 0.2, 0.3))], False),
        (1, [orbit(1, grid(0.1, 0.2, 0.3)), orbit(1, grid(0.15, 0.47, 0.81))], True),
    ],
)
def test_further_symmetry_is_recognised(number, structure, exact):
    assert has_exact_symmetry(number, structure) is exact


@pytest.mark.parametrize("number", ALL_GROUPS)
def test_spglib_finds_the_group_of_the_templates(number):
    generator = np.random.default_rng(number)
    by_size = sorted(structure_templates(number), key=lambda template: sum(template.amounts))
    # The smallest structures are the likeliest to have too much symmetry.
    for template in (by_size[0], by_size[1], by_size[5]):
        points = place(number, template, generator)
        assert tuple(map(len, points)) == template.amounts
        species = np.repeat(np.arange(len(points)), template.amounts)
        cell = (LATTICES[lattice_system(number)], np.concatenate(points) / GRID, species)
        assert spglib.get_symmetry_dataset(cell, symprec=1e-5).number == number


def test_templates_are_distinct_and_the_same_in_every_run():
    first = structure_templates(62)
    structure_templates.cache_clear()
    assert structure_templates(62) == first
    assert len(set(first)) == len(first)
