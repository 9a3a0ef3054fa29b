"""What is read of a table: any container, s.u., settings of cells, atoms; groups of rows."""

import numpy as np
import pandas as pd
import pytest

from crystalml.crystallography import cell_volume, niggli_cell, primitive_cell
from crystalml.exceptions import CellError, FormulaError, InvalidInputError, SchemaError
from crystalml.symmetry._input_tables import (
    ATOMS,
    CELL,
    COMPOSITION,
    as_table,
    hexagonal_axes,
    natural_groups,
    needed_columns,
    read_entries,
)

CELL_NAMES = ["a", "b", "c", "alpha", "beta", "gamma"]
HALITE = dict(zip(["formula", *CELL_NAMES], ["NaCl", 5.64, 5.64, 5.64, 90, 90, 90], strict=True))
CELLS = np.array(
    [
        [5.64, 5.64, 5.64, 90.0, 90.0, 90.0],
        [5.6403, 5.6403, 5.6403, 90.0, 90.0, 90.0],
        [4.0, 5.0, 6.0, 90.0, 100.0, 90.0],
        [6.0, 5.0, 4.0, 90.0, 80.0, 90.0],
        [4.0, 5.0, 6.0, 90.0, 101.0, 90.0],
    ]
)
BOTH, EVERYTHING = {COMPOSITION, CELL}, {COMPOSITION, CELL, ATOMS}


def read(X, parts=BOTH, **parameters):
    return read_entries(as_table(X, parts, caller="Me"), parts, caller="Me", **parameters)


@pytest.mark.parametrize(
    "X",
    [
        HALITE,
        [HALITE],
        (HALITE,),
        {name: [value] for name, value in HALITE.items()},
        pd.DataFrame([HALITE]),
        pd.DataFrame([HALITE])[["gamma", "a", "b", "c", "alpha", "beta", "formula"]],
        pd.DataFrame([HALITE]).astype({"a": "Float64", "formula": "string"}),
        [list(HALITE.values())],
        np.array([list(HALITE.values())], dtype=object),
    ],
)
def test_tables_of_any_kind(X):
    entries = read(X)
    np.testing.assert_allclose(entries.cells, [[5.64] * 3 + [90] * 3])
    assert entries.amounts[:, [10, 16]].toarray().tolist() == [[1, 1]]
    assert len(entries) == 1


@pytest.mark.parametrize(
    "X",
    [
        ["NaCl", "NaN"],
        ("NaCl", "NaN"),
        np.array(["NaCl", "NaN"]),
        np.array([["NaCl"], ["NaN"]]),
        pd.Series(["NaCl", "NaN"], name="anything"),
        pd.DataFrame({"anything": ["NaCl", "NaN"]}),
        [{"Na": 1, "Cl": 1}, {"Na": 1, "N": 1}],
        [{"formula": "NaCl"}, {"formula": "NaN"}],
    ],
)
def test_formulas_alone_in_any_container(X):
    entries = read(X, {COMPOSITION})
    assert entries.amounts.sum(axis=1).tolist() == [2, 2]
    assert entries.cells is None
    assert entries.n_atoms is None


def test_index_is_kept():
    index = pd.Index([7, 7])
    assert read(pd.Series(["NaCl", "KCl"], index=index), {COMPOSITION}).index.equals(index)
    assert read(pd.DataFrame([HALITE] * 2, index=index)).index.equals(index)


@pytest.mark.parametrize(
    ("X", "parts", "message"),
    [
        ("NaCl", BOTH, r"Me: X is a str; give a DataFrame with the columns formula, a"),
        (["NaCl"], BOTH, r"Me: X is a list of shape \(1,\)"),
        (np.ones((2, 5)), {CELL}, r"Me: X is a ndarray of shape \(2, 5\)"),
        ("NaCl", {COMPOSITION}, r"Me: X is 'NaCl'; put formulas into a list"),
        ([["NaCl", "KCl"]], {COMPOSITION}, r"Me: X has shape \(1, 2\)"),
        (pd.DataFrame({"a": [1]}), BOTH, "Me: the table lacks the columns formula, b, c"),
        ([HALITE], EVERYTHING, "Me: the table has neither n_atoms .* nor formula_units"),
        (pd.DataFrame([HALITE] * 2).iloc[:, [0, *range(7)]], BOTH, "more than one column 'form"),
    ],
)
def test_tables_that_cannot_be_read(X, parts, message):
    with pytest.raises(SchemaError, match=message):
        as_table(X, parts, caller="Me")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"formula": None}, FormulaError, r"Me: 1 of 1 rows have no formula \(first: row 0\)"),
        ({"formula": float("nan")}, FormulaError, r"X = X\[X\['formula'\].notna\(\)\]"),
        ({"formula": "Xx"}, FormulaError, "Me: 1 of 1 formulas cannot be read .*'Xx'"),
        ({"a": np.nan}, CellError, "Me: impossible unit cell"),
        ({"alpha": 190}, CellError, "Me: impossible unit cell"),
        ({"a": "five"}, InvalidInputError, "Me: column 'a' is of type .* no number"),
        ({"a_su": -0.1}, InvalidInputError, r"Me: column 'a_su' has -0.1 in row 0; give finite"),
        ({"a_su": np.inf}, InvalidInputError, r"Me: column 'a_su' has inf in row 0"),
    ],
)
def test_rows_that_cannot_be_read(changes, error, message):
    with pytest.raises(error, match=message):
        read([HALITE | changes])


def test_atoms_come_from_their_column_or_from_the_formula_units():
    table = pd.DataFrame([HALITE] * 4).assign(
        n_atoms=[8, np.nan, np.nan, 8], formula_units=[1, 4, np.nan, np.nan]
    )
    np.testing.assert_array_equal(read(table, EVERYTHING).n_atoms, [8, 8, np.nan, 8])
    for wrong in (0, -4, np.inf):
        with pytest.raises(InvalidInputError, match=r"row 0 has .* atoms in the cell"):
            read([HALITE | {"n_atoms": wrong}], EVERYTHING)


def test_names_of_the_columns():
    assert needed_columns(EVERYTHING) == ["formula", *CELL_NAMES, "n_atoms"]
    assert needed_columns({COMPOSITION}) == ["formula"]


def test_rhombohedral_axes_become_hexagonal_ones():
    hexagonal = np.array([4.76, 4.76, 12.99, 90, 90, 120.0])
    rhombohedral = primitive_cell(hexagonal, "R")
    assert np.ptp(rhombohedral[:3]) < 1e-9
    cells, turned = hexagonal_axes(np.array([rhombohedral, hexagonal, [4, 4, 4, 90, 90, 90]]))
    np.testing.assert_allclose(cells[0], hexagonal, rtol=1e-9)
    assert turned.tolist() == [True, False, False]
    row = HALITE | dict(zip(CELL_NAMES, rhombohedral, strict=True)) | {"n_atoms": 10}
    np.testing.assert_allclose(read([row], EVERYTHING).n_atoms, 30)


def test_primitive_cells_become_conventional_ones():
    row = HALITE | dict(zip(CELL_NAMES, [3.988, 3.988, 3.988, 60, 60, 60], strict=True))
    entries = read([row | {"n_atoms": 2}], EVERYTHING, setting="primitive")
    np.testing.assert_allclose(entries.cells, [[3.988 * np.sqrt(2)] * 3 + [90] * 3])
    np.testing.assert_allclose(entries.n_atoms, 8)


def test_uncertainties():
    assert read([HALITE]).cells_su is None
    assert read([HALITE | {"a_su": np.nan, "alpha_su": 0.0}]).cells_su is None
    entries = read([HALITE | {"a_su": 0.01}, HALITE | {"beta_su": 0.1}])
    assert entries.cells_su.tolist() == [[0.01, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0.1, 0]]
    # On other axes the relative s.u. are the same.
    changes = {"a_su": 0.03, "b_su": 0.03, "c_su": 0.03, "alpha": 60, "beta": 60, "gamma": 60}
    entries = read([HALITE | changes], setting="primitive")
    np.testing.assert_allclose(entries.cells_su[:, :3], 0.03 / 5.64 * entries.cells[:, :3])


def test_cells_are_shifted_by_their_uncertainties_where_that_is_possible():
    entries = read([HALITE | {"a_su": 0.01, "gamma_su": 0.1}, HALITE | {"a_su": 9.0}])
    shifted = entries.shifted(np.array([-1.0, 0, 0, 0, 0, 2.0]))
    expected = [[5.63, 5.64, 5.64, 90, 90, 90.2], [5.64, 5.64, 5.64, 90, 90, 90]]
    np.testing.assert_allclose(shifted.cells, expected)
    assert (cell_volume(shifted.cells) > 0).all()


def test_rows_of_entries():
    entries = read(pd.DataFrame([HALITE, HALITE | {"a": 6.0}], index=["x", "y"]))
    some = entries.rows(np.array([1]))
    assert some.cells[0, 0] == 6.0
    assert some.index.tolist() == ["y"]
    assert some.amounts.shape == (1, 118)
    assert some.n_atoms is None


def test_empty_tables():
    assert len(read(pd.DataFrame([HALITE])[:0])) == 0
    assert len(read([], {COMPOSITION})) == 0
    assert len(read([])) == 0


def test_chemical_systems_where_there_are_formulas():
    table = pd.DataFrame({"formula": ["NaCl", "Na2Cl3", "NaN", "Na3N", "KCl"]})
    groups = natural_groups(table, None)
    assert groups.tolist() == ["Cl-Na", "Cl-Na", "N-Na", "N-Na", "Cl-K"]
    np.testing.assert_array_equal(natural_groups(table, CELLS), groups)


def test_formulas_that_nobody_asked_for_may_be_unreadable():
    groups = natural_groups(pd.DataFrame({"formula": ["NaCl", "?", None, "?", "ClNa"]}), CELLS)
    assert groups[0] == groups[4]
    assert len(set(groups)) == 4


def test_lattices_where_there_are_none():
    groups = natural_groups(pd.DataFrame(index=range(5)), CELLS)
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len(set(groups)) == 3
    reduced = natural_groups(pd.DataFrame(index=range(5)), niggli_cell(CELLS))
    same = groups[:, None] == groups
    np.testing.assert_array_equal(reduced[:, None] == reduced, same)


@pytest.mark.parametrize("names", [["formula"], []])
def test_no_rows_are_no_groups(names):
    assert len(natural_groups(pd.DataFrame(columns=names), np.empty((0, 6)))) == 0
