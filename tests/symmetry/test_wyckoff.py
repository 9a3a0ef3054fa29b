"""Room for a cell's contents: against brute force, random occupations and real crystals."""

import pickle
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.crystallography import parse_formulas
from crystalml.crystallography._wyckoff import (
    IMPOSSIBLE,
    fewest_positions,
    wyckoff_multiplicities,
    wyckoff_positions,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.known_crystals._stoichiometry import stoichiometry
from crystalml.symmetry._space_group_model._wyckoff import LARGEST, WyckoffTable, _scarce_positions

ALL_GROUPS = np.arange(1, 231)


@pytest.fixture(scope="module")
def table():
    return WyckoffTable.of(ALL_GROUPS)


def place(table, contents):
    """Feasibility of contents of cells, one candidate each."""
    contents = np.array(contents)
    ones = np.ones((len(contents), 1))
    return table.feasibility(contents, ones.astype(int), ones)


def test_known_groups(table):
    assert_array_equal(table.numbers, ALL_GROUPS)
    # Fm-3m: 4a 4b 8c 24d are fixed, 24e 32f 48 96 192 free.
    rock_salt = table.orbits[224]
    assert rock_salt[[4, 8, 12, 16, 20, 24]].tolist() == [1, 1, 2, 3, IMPOSSIBLE, 1]
    assert table.fixed[224, [4, 8, 24, 28]].tolist() == [1, 1, 0, 1]
    assert table.n_fixed[[0, 1, 224]].tolist() == [0, 8, 4]
    assert table.general_multiplicity[[0, 1, 165, 224]].tolist() == [1, 2, 36, 192]
    assert table.orbits.shape == table.fixed.shape == (230, LARGEST + 1)
    assert table.orbits.dtype == table.fixed.dtype == np.int16


def test_elements_compete_for_fixed_positions(table):
    share, orbits, fixed = place(table, [[4, 4, 0], [4, 4, 4], [4, 4, 8], [4, 8, 8]])
    assert share[:, 224].tolist() == [1.0, 0.0, 1.0, 0.0]
    # Two elements of eight atoms each: one on 8c, none left for the other but 4a and 4b.
    assert place(table, [[8, 8, 0]])[0][0, 224] == 1.0
    assert orbits[:, 224].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert fixed[:, 224].tolist() == [2.0, 3.0, 3.0, 3.0]
    # P1 has room for everything, at one orbit for each atom.
    assert share[:, 0].tolist() == [1.0] * 4
    assert_allclose(orbits[:, 0], [4, 4, 16 / 3, 20 / 3], rtol=1e-6)


def test_candidates_are_weighted(table):
    counts, units = np.array([[1, 1]]), np.array([[2, 4]])
    share, _, _ = table.feasibility(counts, units, np.array([[0.25, 0.75]]))
    assert share[0, [0, 224]].tolist() == [1.0, 0.75]
    _, orbits, _ = table.feasibility(counts, units, np.array([[0.5, 0.5]]))
    assert orbits[0, [0, 1]].tolist() == [3.0, 1.5]


def test_a_formula_without_counts_says_nothing(table):
    share, orbits, fixed = place(table, [[0, 0]])
    assert share.min() == 1.0
    assert orbits.max() == fixed.max() == 0.0


def _has_room(contents, fixed, free):
    """Try all sets of fixed positions for the first element, then the others."""
    if not contents:
        return True
    for n_used in range(len(fixed) + 1):
        for used in set(combinations(fixed, n_used)):
            if not _fills(contents[0] - sum(used), free):
                continue
            left = list(fixed)
            for multiplicity in used:
                left.remove(multiplicity)
            if _has_room(contents[1:], left, free):
                return True
    return False


@cache
def _fills(n_atoms, free):
    return n_atoms == 0 or (n_atoms > 0 and any(_fills(n_atoms - each, free) for each in free))


@pytest.mark.parametrize(
    "number", [2, 12, 47, 62, 123, 136, 148, 166, 191, 194, 208, 216, 221, 223, 224, 225, 227, 229]
)
def test_agrees_with_brute_force(number, table):
    fixed, free = wyckoff_multiplicities(number)
    generator = np.random.default_rng(number)
    smallest = min(fixed)
    contents = np.sort(generator.integers(0, 9, size=(60, 4)) * smallest, axis=1)[:, ::-1]
    share = place(table, contents)[0][:, number - 1]
    expected = [_has_room(row[row > 0].tolist(), fixed, tuple(free)) for row in contents]
    assert_array_equal(share, np.array(expected, dtype=float))


def test_smallest_numbers_of_orbits_are_reached_by_no_fewer(table):
    for number in (2, 148, 194, 225, 230):
        fixed, free = wyckoff_multiplicities(number)
        reached = {0: 0}
        for n_orbits in range(1, 4):
            for n_fixed in range(n_orbits + 1):
                for used in set(combinations(fixed, n_fixed)):
                    for rest in _multisets(free, n_orbits - n_fixed):
                        reached.setdefault(sum(used) + sum(rest), n_orbits)
        orbits = table.orbits[number - 1]
        for n_atoms, n_orbits in reached.items():
            if n_atoms <= LARGEST:
                assert orbits[n_atoms] == n_orbits
        assert {*np.flatnonzero(orbits <= 3)} == {n for n in reached if n <= LARGEST}


def _multisets(items, length):
    if length == 0:
        return [()]
    return [(*rest, item) for item in items for rest in _multisets(items, length - 1)]


def test_large_cells_are_reduced_without_a_change(table):
    """Beyond 600 atoms: as a table that reaches farther says, in every group."""
    farther = LARGEST + 380  # less than what stands for impossible, more than any orbit
    beyond = np.arange(LARGEST + 1, farther + 1)
    orbits, fixed, demands = table._look_up(beyond)
    for row, number in enumerate(ALL_GROUPS):
        occupied = wyckoff_multiplicities(number)
        expected = fewest_positions(*occupied, farther)[beyond]
        has_place = expected != IMPOSSIBLE
        assert_array_equal(orbits[has_place, row], expected[has_place])
        needed = fewest_positions(*occupied, farther, free_count=0)[beyond]
        assert_array_equal(fixed[has_place, row], needed[has_place])
        codes, _ = _scarce_positions(*occupied, farther)
        assert_array_equal(demands[:, row], codes[beyond])


@settings(max_examples=150)
@given(data=st.data(), number=st.integers(1, 230))
def test_what_is_occupied_has_room(data, number, table):
    """Elements that are put on positions find room in that group, on no more orbits."""
    available = wyckoff_positions(number)
    unused = list(range(len(available)))
    contents, n_orbits = [], 0
    for _ in range(data.draw(st.integers(1, 4))):
        total = 0
        for _ in range(data.draw(st.integers(1, 3))):
            if unused:
                chosen = data.draw(st.sampled_from(unused))
                total += available[chosen].multiplicity
                n_orbits += 1
                if available[chosen].n_free == 0:
                    unused.remove(chosen)
        contents.append(total)
    contents = [total for total in contents if total]
    share, orbits, _ = place(table, [contents])
    assert share[0, number - 1] == 1.0
    assert orbits[0, number - 1] * len(contents) <= n_orbits + 1e-4


def _share_in_own_group(frame, numbers, table):
    found = stoichiometry(parse_formulas(frame.formula).amounts, np.zeros((118, 1)), 0)
    units = frame.n_atoms.to_numpy() / found.n_atoms
    known = ~found.is_merged & (np.abs(units - np.rint(units)) < 1e-3)
    contents = found.counts * np.rint(units).astype(int)[:, None]
    share = place(table, contents[known])[0]
    return share[np.arange(known.sum()), np.asarray(numbers)[known] - 1], known.mean(), share


def test_real_crystals_are_feasible_in_their_groups(table):
    data = load_cod_inorganic()
    sound = data.frame.cell_matches_spacegroup.to_numpy()
    frame, numbers = data.frame[sound], data.target[sound]
    own, known, share = _share_in_own_group(frame, numbers, table)
    # The rest are solid solutions with round formulas, which share positions.
    assert own.mean() > 0.95
    assert known > 0.9
    assert share.mean() < 0.7


def test_computed_structures_are_all_feasible(table, shared_data):
    frame = pd.read_csv(shared_data / "mp_cells.csv.gz", keep_default_na=False, na_values=[""])
    own, known, _ = _share_in_own_group(frame, frame.spacegroup_number, table)
    assert known > 0.98
    assert own.min() == 1.0


def test_rows_and_groups_do_not_depend_on_others(table):
    generator = np.random.default_rng(0)
    counts = np.sort(generator.integers(0, 5, size=(3000, 3)), axis=1)
    units = generator.integers(1, 40, size=(3000, 4))
    weights = generator.dirichlet(np.ones(4), size=3000)
    together = table.feasibility(counts, units, weights)
    few = WyckoffTable.of([225, 14, 62])
    order = generator.permutation(3000)[:100]
    alone = few.feasibility(counts[order], units[order], weights[order])
    for left, right in zip(alone, together, strict=True):
        assert left.dtype == np.float32
        assert_array_equal(left, right[order][:, [224, 13, 61]])
    assert table.feasibility(counts[:0], units[:0], weights[:0])[0].shape == (0, 230)
    copy = pickle.loads(pickle.dumps(few))
    assert_array_equal(copy.feasibility(counts[order], units[order], weights[order])[0], alone[0])
