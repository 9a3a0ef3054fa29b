"""The index as a person asks it: tables in, a table of known crystals out."""

import numpy as np
import pandas as pd
import pytest

from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError, SchemaError, SkippedRowsWarning
from crystalml.known_crystals import KnownCrystals

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
CUBIC = dict.fromkeys(["a", "b", "c"], 5.64) | dict.fromkeys(["alpha", "beta", "gamma"], 90.0)


@pytest.fixture(scope="module")
def cod():
    table, y = load_cod_inorganic(return_X_y=True)
    return table.assign(spacegroup_number=y, source="COD").iloc[::5]


@pytest.fixture(scope="module")
def known(cod):
    return KnownCrystals(cod)


def test_a_known_crystal_finds_itself_first(known, cod):
    found = known.nearest(cod.iloc[:50], k=3)
    first = found[found["rank"] == 1].set_index("row")
    assert (first["distance"] == 0).all()
    assert first["formula"].tolist() == cod["formula"].iloc[:50].tolist()
    assert set(found.columns) == {
        *("row", "rank", "entry", "formula", "spacegroup_number", "spacegroup_hm"),
        *("source", "distance", "found_by"),
    }
    assert found.groupby("row")["distance"].is_monotonic_increasing.all()


def test_neighbours_often_have_the_same_group_though_their_system_is_hidden(known, cod):
    asked = cod.sample(200, random_state=0)
    found = known.nearest(asked, k=1, hide_same_system=True).set_index("row")
    truth = asked.loc[found.index, "spacegroup_number"]
    right = (found["spacegroup_number"] == truth).mean()
    assert 0.3 < right < 0.95  # the most frequent group would give 0.09
    elements = "[A-Z][a-z]?"
    mine, theirs = (
        table["formula"].str.findall(elements).map(frozenset)
        for table in (asked.loc[found.index], found)
    )
    assert (mine.to_numpy() != theirs.to_numpy()).all()


def test_scale_of_the_formula_and_axes_do_not_matter(known, cod):
    rows = cod[(cod["formula"].str.len() < 7) & (cod["alpha"] == 90)].head(20)
    turned = rows.assign(a=rows["b"], b=rows["c"], c=rows["a"])
    turned = turned.assign(alpha=rows["beta"], beta=rows["gamma"], gamma=rows["alpha"])
    found, expected = known.nearest(turned), known.nearest(rows)
    np.testing.assert_array_equal(found["entry"], expected["entry"])
    np.testing.assert_array_equal(
        known.nearest(["Fe4O6"])["entry"], known.nearest(["Fe2O3"])["entry"]
    )


def test_sources_and_rows_without_a_cell_stay_apart():
    table = pd.DataFrame(
        [
            {"formula": "NaCl", **CUBIC, "n_atoms": 8, "source": "cells", "spacegroup_number": 225},
            {"formula": "KBr", "source": "formulas", "spacegroup_number": 225},
            {"formula": "CsCl", "source": "formulas", "spacegroup_number": 221},
        ],
        index=["x", "y", "z"],
    )
    known = KnownCrystals(table)
    assert len(known) == 3
    found = known.nearest({"formula": "NaBr", **CUBIC, "n_atoms": 8})
    assert set(found["source"]) == {"cells", "formulas"}
    assert found["entry"].tolist()[-1] == "z"
    assert found.loc[found["entry"] == "x", "found_by"].item() == "stoichiometry, contents"
    assert set(known.nearest(["NaBr"])["entry"]) == {"x", "y", "z"}
    assert known.nearest(CUBIC)[["entry", "found_by"]].to_numpy().tolist() == [["x", "lattice"]]


def test_groups_and_sources_may_be_unknown():
    table = pd.DataFrame({"formula": ["NaCl", "KBr"], "spacegroup_number": [225, None]})
    found = KnownCrystals(table).nearest(["KCl"])
    assert found["spacegroup_number"].isna().sum() == 1
    assert found["spacegroup_hm"].notna().sum() == 1
    assert found["source"].isna().all()
    found = KnownCrystals(table[["formula"]]).nearest(["KCl"])
    assert found["spacegroup_number"].isna().all()


def test_rhombohedral_axes_are_those_of_the_hexagonal_cell():
    rhombohedral = dict(zip(CELL, [5.0, 5.0, 5.0, 55.0, 55.0, 55.0], strict=True))
    hexagonal = dict(zip(CELL, [4.6175, 4.6175, 12.690, 90.0, 90.0, 120.0], strict=True))
    known = KnownCrystals(pd.DataFrame([{"formula": "Al2O3", **hexagonal, "n_atoms": 30}]))
    found = known.nearest({"formula": "Al2O3", **rhombohedral, "n_atoms": 10})
    assert found["distance"].item() < 0.01


def test_rows_that_cannot_be_read_are_named():
    table = pd.DataFrame({"formula": ["NaCl", "Xq", None, "KBr"]}, index=[3, 5, 7, 9])
    with pytest.warns(SkippedRowsWarning, match=r"KnownCrystals: 2 of 4 rows .* row 1: .*Xq"):
        known = KnownCrystals(table)
    assert len(known) == 2
    with pytest.warns(SkippedRowsWarning, match="nearest: 1 of 2 rows"):
        found = known.nearest(["KCl", "K(Cl"])
    assert set(found["row"]) == {0}
    broken = {"formula": "KCl", **CUBIC, "gamma": 190.0}
    with pytest.warns(SkippedRowsWarning, match="gamma is 190"):
        assert known.nearest([broken]).empty
    with (
        pytest.warns(SkippedRowsWarning),
        pytest.raises(InvalidInputError, match="none of 1 rows can be searched"),
    ):
        KnownCrystals(table.iloc[1:2])


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_wrong_k(known, k):
    with pytest.raises(InvalidInputError, match=r"k is .*; give a whole number above 0"):
        known.nearest(["KCl"], k=k)


def test_wrong_tables(known):
    with pytest.raises(SchemaError, match="KnownCrystals: the table has no column formula"):
        KnownCrystals(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(SchemaError, match="nearest: got a int"):
        known.nearest(3)
    with pytest.raises(InvalidInputError, match="holds what is no number"):
        KnownCrystals(pd.DataFrame([{"formula": "NaCl", **CUBIC, "a": "wide"}]))


def test_more_than_the_usual_number_can_be_asked_for(known):
    assert len(known.nearest(["KCl"], k=90)) == 90
