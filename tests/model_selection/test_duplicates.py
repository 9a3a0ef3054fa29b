"""Duplicates: one crystal described twice is one group, whatever the setting and the order."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    cell_from_metric,
    metric_tensor,
    niggli_cell,
    primitive_cell,
    reduced_formula,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CellError, FormulaError, InvalidInputError
from crystalml.model_selection import composition_groups, duplicate_groups, jitter_cells
from crystalml.model_selection._duplicates import _shortest_lengths

CELL = list(CELL_COLUMNS)
QUARTZ = [4.913, 4.913, 5.405, 90, 90, 120]


@pytest.fixture(scope="module")
def table():
    return load_cod_inorganic(subset="all").data


def random_cells(generator, n_rows):
    """Cells of random oblique bases, none nearly flat."""
    bases = generator.normal(size=(5 * n_rows, 3, 3)) * 5
    bases = bases[abs(np.linalg.det(bases)) > 20][:n_rows]
    return cell_from_metric(bases @ bases.transpose(0, 2, 1))


def other_settings(generator, cells):
    """The same lattices on other bases: products of shears and permutations."""
    metrics = metric_tensor(cells)
    for _ in range(4):
        shear = np.broadcast_to(np.eye(3), metrics.shape).copy()
        i, j = generator.permutation(3)[:2]
        shear[:, i, j] = generator.integers(-1, 2, len(cells))
        change = shear[:, generator.permutation(3)] * generator.choice([-1, 1], (len(cells), 3, 1))
        metrics = change @ metrics @ change.transpose(0, 2, 1)
    return cell_from_metric(metrics)


def as_partition(labels):
    """Sets of row numbers that share a label."""
    return {tuple(rows) for rows in pd.Series(range(len(labels))).groupby(labels).agg(list)}


def test_lengths_are_the_shortest_of_their_classes():
    cells = random_cells(np.random.default_rng(0), 200)
    expected = {parity: [] for parity in itertools.product((0, 1), repeat=3)}
    metrics = metric_tensor(niggli_cell(cells))
    for vector in itertools.product(range(-3, 4), repeat=3):
        squares = np.einsum("i,nij,j->n", vector, metrics, vector)
        expected[tuple(np.mod(vector, 2))].append(squares)
    del expected[0, 0, 0]
    lengths = np.sqrt(np.sort([np.min(part, axis=0) for part in expected.values()], axis=0)).T
    np.testing.assert_allclose(_shortest_lengths(cells, "P"), lengths, rtol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_setting_and_scale_of_the_formula_do_not_matter(seed):
    generator = np.random.default_rng(seed)
    cells = random_cells(generator, 30)
    formulas = generator.choice(["Fe2O3", "NaN", "SiO2"], len(cells))
    twice = {"Fe2O3": "Fe4O6", "NaN": "NNa", "SiO2": "Si3O6"}
    groups = duplicate_groups(
        [*formulas, *(twice[name] for name in formulas)],
        np.vstack([cells, other_settings(generator, cells)]),
        length_tolerance=1e-6,
    )
    assert (groups[: len(cells)] == groups[len(cells) :]).all()
    assert len(set(groups)) == len(cells)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_order_of_rows_does_not_matter(seed):
    generator = np.random.default_rng(seed)
    cells = np.array(QUARTZ) * (1 + 0.02 * generator.random((40, 1)) * [1, 1, 1, 0, 0, 0])
    formulas = generator.choice(["SiO2", "GeO2"], 40)
    groups = duplicate_groups(formulas, cells, length_tolerance=0.001)
    order = generator.permutation(40)
    again = duplicate_groups(formulas[order], cells[order], length_tolerance=0.001)
    assert (again == groups[order]).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_groups_are_the_transitive_closure_of_nearness(seed):
    generator = np.random.default_rng(seed)
    cells = np.array([QUARTZ] * 25, dtype=float)
    cells[:, :3] *= 1 + 0.2 * generator.random((25, 1))
    formulas = generator.choice(["SiO2", "GeO2"], 25)
    logs = np.log(_shortest_lengths(cells, "P"))
    near = abs(logs[:, None] - logs).max(axis=2) <= np.log1p(0.01)
    near &= formulas[:, None] == formulas
    for _ in range(5):
        near = near @ near
    expected = {tuple(np.flatnonzero(row)) for row in near}
    assert as_partition(duplicate_groups(formulas, cells)) == expected


def test_a_lattice_within_its_uncertainty_stays_with_itself(table):
    """Where Niggli cells jump: every exact cell and the same, jittered."""
    rows = table.iloc[:4000]
    both = pd.concat([rows, jitter_cells(rows, angle_su=0.01, random_state=0)])
    groups = duplicate_groups(both["formula"], both, length_tolerance=0.003)
    assert (groups[:4000] == groups[4000:]).all()
    jumped = abs(niggli_cell(both[CELL])[:4000, 3:] - niggli_cell(both[CELL])[4000:, 3:]).max(1)
    assert (jumped > 10).sum() > 100, "the comparison of Niggli cells would part these"


def test_groups_are_finer_than_compounds_and_hold_repeated_entries(table):
    groups = duplicate_groups(table["formula"], table)
    compounds = composition_groups(table["formula"])
    assert pd.Series(compounds).groupby(groups).nunique().max() == 1
    assert len(set(compounds)) < len(set(groups)) < len(table)
    assert (pd.Series(groups).str.rpartition("-")[0] == compounds).all()
    twice = duplicate_groups([*table["formula"][:500]] * 2, np.tile(table[CELL][:500], (2, 1)))
    assert (twice[:500] == twice[500:]).all()


def test_centred_and_primitive_cells_are_told_by_the_centring():
    conventional = np.array([5.43, 5.43, 5.43, 90, 90, 90])
    cells = [conventional, primitive_cell(conventional, "F")]
    assert len(set(duplicate_groups(["Si", "Si"], cells))) == 2
    assert len(set(duplicate_groups(["Si", "Si"], cells, centring=["F", "P"]))) == 1


def test_many_copies_are_quick_and_one_group():
    groups = duplicate_groups(["SiO2"] * 20_000, np.tile(QUARTZ, (20_000, 1)))
    assert set(groups) == {"O2Si-1"}


def test_numbers_count_from_the_smallest_lattice():
    cells = [[a, a, a, 90, 90, 90] for a in (7.0, 5.0, 6.0, 5.0)]
    groups = duplicate_groups(["KCl", "KCl", "KCl", "NaCl"], cells)
    assert groups.tolist() == ["ClK-3", "ClK-1", "ClK-2", "ClNa-1"]
    assert reduced_formula("KCl") == "ClK"


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"formulas": ["SiO2", None]}, FormulaError, "duplicate_groups: 1 of 2 formulas"),
        ({"cells": [QUARTZ, [1, 1, 1, 90, 90, 190]]}, CellError, "row 1.*gamma is 190.0"),
        ({"cells": [QUARTZ, [np.nan] * 6]}, CellError, "row 1"),
        ({"cells": [QUARTZ]}, InvalidInputError, "2 formulas and 1 cells"),
        ({"length_tolerance": 1.0}, InvalidInputError, "got 1.0"),
        ({"length_tolerance": None}, InvalidInputError, "got None"),
        ({"length_tolerance": "1%"}, InvalidInputError, "got '1%'"),
        ({"centring": "X"}, InvalidInputError, "X"),
    ],
)
def test_bad_input_is_named(arguments, error, reason):
    good = {"formulas": ["SiO2", "SiO2"], "cells": [QUARTZ, QUARTZ]}
    with pytest.raises(error, match=reason):
        duplicate_groups(**(good | arguments))
