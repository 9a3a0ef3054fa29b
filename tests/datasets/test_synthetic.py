import re

import numpy as np
import pandas as pd
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml import crystallography
from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS, TABLE_COLUMNS
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    cell_volume,
    find_spacegroup,
    lattice_system,
    metric_symmetry,
    parse_formulas,
    primitive_cell,
    reduced_formula,
    spacegroup_symbol,
)
from crystalml.crystallography._wyckoff import GRID, orbit, wyckoff_positions
from crystalml.datasets import load_cod_inorganic, make_crystals
from crystalml.datasets._synthetic import has_exact_symmetry, structure_templates
from crystalml.exceptions import InvalidInputError, SpaceGroupError

CELL = list(CELL_COLUMNS)


@pytest.fixture(scope="module")
def crystals():
    return make_crystals(5000, random_state=0)


def primitive_cells(frame):
    centring = [symbol[0] for symbol in spacegroup_symbol(frame["spacegroup_number"].to_numpy())]
    return primitive_cell(frame[CELL].to_numpy(), centring)


def test_bunch_is_like_that_of_the_real_data(crystals):
    real = load_cod_inorganic()
    assert set(real) - set(crystals) == {"filename"}
    assert set(crystals.data.columns) - set(real.data.columns) == {"formula_units"}
    assert set(crystals.frame.columns) - set(TABLE_COLUMNS) == {"n_atoms"}
    pd.testing.assert_frame_equal(crystals.frame[crystals.feature_names], crystals.data)
    pd.testing.assert_series_equal(crystals.frame["spacegroup_number"], crystals.target)
    assert not crystals.frame.isna().to_numpy().any()
    assert [find_spacegroup(symbol).number for symbol in crystals.target_names] == sorted(
        set(crystals.target)
    )


def test_the_metric_has_the_bravais_lattice_of_the_group(crystals):
    allowed = metric_symmetry(
        primitive_cells(crystals.frame), length_tolerance=1e-8, angle_tolerance=1e-6
    )
    own = crystals.frame["bravais_lattice"].map(BRAVAIS_LATTICES.index).to_numpy()
    assert allowed[np.arange(len(own)), own].all()


def test_the_metric_has_no_more_symmetry_than_the_group_asks_for(crystals):
    allowed = metric_symmetry(
        primitive_cells(crystals.frame), length_tolerance=1e-8, angle_tolerance=1e-6
    )
    own = crystals.frame["bravais_lattice"].to_numpy()
    # Each lattice allows fewer types than those above it, so its count of types is its own.
    for lattice in BRAVAIS_LATTICES:
        assert len(np.unique(allowed[own == lattice].sum(axis=1))) == 1, lattice


def test_cells_are_in_the_standard_setting(crystals):
    frame = crystals.frame
    system, angles = frame["crystal_system"], frame[["alpha", "beta", "gamma"]]
    right = angles == 90
    assert right[~system.isin(["triclinic", "monoclinic", "trigonal", "hexagonal"])].all(axis=None)
    assert (frame["gamma"][system.isin(["trigonal", "hexagonal"])] == 120).all()
    assert right.loc[system == "monoclinic", ["alpha", "gamma"]].all(axis=None)
    assert (frame["beta"][system == "monoclinic"] > 90).all()
    assert (frame["a"] == frame["b"])[
        ~system.isin(["triclinic", "monoclinic", "orthorhombic"])
    ].all()


def test_formula_atoms_and_formula_units_agree(crystals):
    data = crystals.data
    amounts = parse_formulas(data["formula"]).amounts
    per_formula_unit = np.asarray(amounts.sum(axis=1)).ravel()
    np.testing.assert_array_equal(per_formula_unit * data["formula_units"], data["n_atoms"])
    # Reduced already: no common factor is left.
    assert all(np.gcd.reduce(row.data.astype(int)) == 1 for row in amounts[:300])
    assert (
        amounts[:300] != parse_formulas(reduced_formula(data["formula"][:300])).amounts
    ).nnz == 0


def test_formulas_are_in_the_order_of_hill(crystals):
    for formula in crystals.data["formula"]:
        symbols = re.findall("[A-Z][a-z]?", formula)
        first = [symbol for symbol in ("C", "H") if symbol in symbols and "C" in symbols]
        assert symbols == first + sorted(set(symbols) - set(first)), formula
    assert crystals.data["formula"].str.contains("^C[0-9A-Z]").any()


def test_atoms_in_the_cell_fill_orbits_of_the_group(crystals):
    for number, n_atoms in zip(crystals.target, crystals.data["n_atoms"], strict=True):
        assert n_atoms in {sum(template.amounts) for template in structure_templates(number)}


def test_volume_belongs_to_cell_and_atoms(crystals):
    data = crystals.data
    np.testing.assert_allclose(data["volume"], cell_volume(data[CELL].to_numpy()), rtol=1e-12)
    per_atom = data["volume"] / data["n_atoms"]
    assert per_atom.between(3, 80).all()


def test_the_same_seed_gives_the_same_crystals_and_another_gives_others(crystals):
    pd.testing.assert_frame_equal(make_crystals(5000, random_state=0).frame, crystals.frame)
    other = make_crystals(5000, random_state=1)
    assert not other.frame["a"].equals(crystals.frame["a"])
    state = np.random.RandomState(0)
    pd.testing.assert_frame_equal(make_crystals(5000, random_state=state).frame, crystals.frame)
    assert not make_crystals(10, random_state=state).data.equals(crystals.data[:10])


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = make_crystals(20), make_crystals(20)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert not first.data.equals(second.data)


@given(length_su=st.floats(1e-5, 0.05), angle_su=st.floats(1e-4, 1.0))
@settings(max_examples=15)
def test_noise_is_as_large_as_stated(length_su, angle_su):
    exact = make_crystals(400, random_state=3)
    noisy = make_crystals(400, length_su=length_su, angle_su=angle_su, random_state=3)
    assert noisy.data["formula"].equals(exact.data["formula"])
    uncertainties = noisy.data[list(CELL_SU_COLUMNS)].to_numpy()
    np.testing.assert_allclose(uncertainties[:, :3], length_su * exact.data[CELL[:3]])
    np.testing.assert_array_equal(uncertainties[:, 3:], angle_su)
    scaled = (noisy.data[CELL] - exact.data[CELL]).to_numpy() / uncertainties
    # 2,400 normal deviates: standard error 0.014 of their spread, 0.02 of their mean.
    assert abs(scaled.std() - 1) < 0.08
    assert abs(scaled.mean()) < 0.1
    np.testing.assert_allclose(noisy.data["volume"], cell_volume(noisy.data[CELL].to_numpy()))


def test_the_largest_noise_leaves_cells():
    noisy = make_crystals(5000, length_su=0.05, angle_su=1.0, random_state=0)
    problems = crystallography.cell_problems(noisy.data[CELL].to_numpy())
    assert [problem for problem in problems if problem is not None] == []


def test_space_groups_come_as_asked():
    numbers = make_crystals(600, space_groups=[14, 14, 225], random_state=0).target
    counts = numbers.value_counts()
    assert set(counts.index) == {14, 225}
    assert 1.5 < counts[14] / counts[225] < 2.7
    uniform = make_crystals(23_000, random_state=0).target.value_counts()
    assert len(uniform) == 230
    # Poisson with mean 100: five standard deviations either way.
    assert uniform.between(50, 150).all()


def test_cod_frequencies_are_those_of_the_data_set():
    real = load_cod_inorganic(subset="all").target.value_counts(normalize=True)
    drawn = make_crystals(20_000, space_groups="cod", random_state=0).target
    drawn = drawn.value_counts(normalize=True)
    assert set(drawn.index) <= set(real.index)
    assert (drawn - real.reindex(drawn.index)).abs().max() < 0.01


def test_pair_of_data_and_target(crystals):
    data, target = make_crystals(5000, return_X_y=True, random_state=0)
    pd.testing.assert_frame_equal(data, crystals.data)
    pd.testing.assert_series_equal(target, crystals.target)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be an integer above zero, got 0"),
        ({"n_samples": 2.5}, "got 2.5"),
        ({"length_su": -1e-4}, r"length_su must lie in \[0, 0.05\], got -0.0001"),
        ({"angle_su": float("nan")}, "angle_su must lie in"),
        ({"space_groups": "real"}, "'uniform', 'cod' or numbers from 1 to 230, got 'real'"),
        ({"space_groups": []}, "at least one number"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InvalidInputError, match=f"make_crystals: .*{message}"):
        make_crystals(**({"n_samples": 5} | arguments))


def test_numbers_beyond_230_are_no_space_groups():
    with pytest.raises(SpaceGroupError, match="231"):
        make_crystals(5, space_groups=[1, 231])


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


def place(number, template, generator):
    """Points of each species of a template, the free coordinates drawn."""
    available = wyckoff_positions(number)

    def draws(n):
        return generator.integers(0, GRID, (n, 3))

    return [
        np.concatenate(
            [
                orbit(number, available[i].anchor + available[i].directions @ free)
                for i, free in zip(indices, draws(len(indices)), strict=True)
            ]
        )
        for indices in template.species
    ]


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
@pytest.mark.parametrize("number", range(1, 231))
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
