"""Groups of compounds and of duplicates, used with scikit-learn's own splitters on real data."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_val_score,
)

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    anonymous_formula,
    cell_from_metric,
    chemical_system,
    metric_tensor,
    niggli_cell,
    primitive_cell,
    reduced_formula,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CellError, FormulaError, InvalidInputError, SchemaError
from crystalml.model_selection import composition_groups, duplicate_groups, jitter_cells

FORMULAS = ["SiO2", "Si2O4", "NaN", "Fe2O3", "FeO1.5", "FeO", "N Na", "K2O", "Al2O3"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (
            "reduced_formula",
            ["O2Si", "O2Si", "NNa", "Fe2O3", "Fe2O3", "FeO", "NNa", "K2O", "Al2O3"],
        ),
        ("chemical_system", ["O-Si", "O-Si", "N-Na", *["Fe-O"] * 3, "N-Na", "K-O", "Al-O"]),
        ("anonymous_formula", ["AB2", "AB2", "AB", "A2B3", "A2B3", "AB", "AB", "AB2", "A2B3"]),
    ],
)
def test_labels(by, expected):
    assert composition_groups(FORMULAS, by=by).tolist() == expected


def test_reduced_formula_is_the_default():
    assert composition_groups(FORMULAS).tolist() == reduced_formula(FORMULAS).tolist()


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pd.Index])
def test_containers(container):
    groups = composition_groups(container(FORMULAS), by="chemical_system")
    assert isinstance(groups, np.ndarray)
    assert groups.tolist() == chemical_system(FORMULAS).tolist()


@pytest.mark.parametrize(
    "splitter",
    [
        GroupKFold(n_splits=3),
        StratifiedGroupKFold(n_splits=2),
        GroupShuffleSplit(n_splits=5, test_size=0.4, random_state=0),
        LeaveOneGroupOut(),
    ],
)
@pytest.mark.parametrize("by", ["reduced_formula", "chemical_system", "anonymous_formula"])
def test_no_group_is_on_both_sides(splitter, by):
    formulas = FORMULAS * 4
    groups = composition_groups(formulas, by=by)
    X, y = np.zeros((len(formulas), 1)), np.arange(len(formulas)) % 2
    splits = list(splitter.split(X, y, groups))
    assert splits
    for train, test in splits:
        assert len(test) > 0
        assert not set(groups[train]) & set(groups[test])


def test_groups_serve_cross_validation_and_search():
    groups = composition_groups(FORMULAS)
    X, y = np.zeros((len(FORMULAS), 1)), np.zeros(len(FORMULAS))
    model = DummyClassifier()
    scores = cross_val_score(model, X, y, cv=GroupKFold(3), groups=groups)
    assert scores.tolist() == [1.0, 1.0, 1.0]
    search = GridSearchCV(model, {"strategy": ["prior", "most_frequent"]}, cv=GroupKFold(3))
    assert search.fit(X, y, groups=groups).best_score_ == 1.0


def test_polymorphs_of_the_shared_table_stay_together(shared_data):
    table = pd.read_csv(shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""])
    groups = composition_groups(table["formula"], by="chemical_system")
    assert (groups == table["chemical_system"].to_numpy()).all()
    by_formula = composition_groups(table["formula"])
    berlinite = table[by_formula == "AlO4P"]
    assert len(set(berlinite["formula"])) == 3, "written in several ways"
    assert berlinite["spacegroup_number"].nunique() > 20, "one compound, many polymorphs"
    # Each kind of group is a union of groups of the finer kind.
    for finer, coarser in ((by_formula, groups), (by_formula, anonymous_formula(table["formula"]))):
        assert pd.Series(coarser).groupby(finer).nunique().max() == 1


def test_sodium_nitride_is_a_group_of_its_own_after_a_table_was_written_and_read(tmp_path):
    table = pd.DataFrame({"formula": FORMULAS, "groups": composition_groups(FORMULAS)})
    table.to_csv(tmp_path / "groups.csv", index=False)
    back = pd.read_csv(tmp_path / "groups.csv", keep_default_na=False, na_values=[""])
    assert composition_groups(back["formula"]).tolist() == back["groups"].tolist()
    assert back.loc[back["formula"] == "NaN", "groups"].tolist() == ["NNa"]


@pytest.mark.parametrize("unknown", [None, float("nan"), "", "ThO2+x", "NaCl.2H2O"])
def test_a_formula_without_a_group_is_refused(unknown):
    with pytest.raises(FormulaError) as caught:
        composition_groups(["NaN", unknown, "FeO", None])
    assert str(caught.value).startswith(
        "composition_groups: 2 of 4 formulas cannot be read, so they belong to no group (first: "
        "row 1, "
    )
    assert str(caught.value).endswith("Correct or drop these rows.")


def test_charges():
    with pytest.raises(FormulaError, match="carries the charge"):
        composition_groups(["SO4 2-"])
    assert composition_groups(["SO4 2-", "SO4"], charges="strip").tolist() == ["O4S", "O4S"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((FORMULAS, "formula"), "by must be one of .* got 'formula'"),
        ((FORMULAS, None), "got None"),
        (("Fe2O3",), "composition_groups: .* the single value 'Fe2O3'; put it into a list"),
        ((pd.DataFrame({"formula": FORMULAS}),), "composition_groups: .*select one column"),
    ],
)
def test_wrong_arguments(arguments, reason):
    with pytest.raises(InvalidInputError, match=reason):
        composition_groups(*arguments)


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


def shortest_vector_lengths(cells):
    """Lengths of the shortest vector of each class modulo twice the lattice, by trying many."""
    classes = {parity: [] for parity in itertools.product((0, 1), repeat=3)}
    metrics = metric_tensor(niggli_cell(cells))
    for vector in itertools.product(range(-3, 4), repeat=3):
        squares = np.einsum("i,nij,j->n", vector, metrics, vector)
        classes[tuple(np.mod(vector, 2))].append(squares)
    del classes[0, 0, 0]
    return np.sqrt(np.sort([np.min(part, axis=0) for part in classes.values()], axis=0)).T


def test_lattices_are_joined_up_to_the_difference_of_their_shortest_vectors():
    cells = random_cells(np.random.default_rng(0), 100)
    changed = jitter_cells(cells, length_su=0.01, angle_su=0.1, random_state=0)
    logs = np.log(shortest_vector_lengths(cells)), np.log(shortest_vector_lengths(changed))
    apart = abs(logs[0] - logs[1]).max(axis=1)
    # Where a cell is oblique, a small angle changes the lattice by more than any tolerance.
    rows = np.flatnonzero(apart < 0.1)
    assert len(rows) > 80
    for cell, other, distance in zip(cells[rows], changed[rows], apart[rows], strict=True):
        for factor, n_groups in ((0.999, 2), (1.001, 1)):
            tolerance = np.expm1(factor * distance)
            groups = duplicate_groups(["Si", "Si"], [cell, other], length_tolerance=tolerance)
            assert len(set(groups)) == n_groups


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
    logs = np.log(shortest_vector_lengths(cells))
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
        ({"cells": pd.DataFrame([QUARTZ] * 2, columns=list("abcxyz"))}, SchemaError, "'alpha'"),
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
