"""Ranked lists, outside evidence, sets, abstention, explanations and unfamiliarity."""

import numpy as np
import pandas as pd
import pytest

from crystalml import SpaceGroupClassifier
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    chemical_system,
    extinction_class,
    spacegroups_of_bravais_lattice,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import (
    CellError,
    FormulaError,
    IgnoredInputWarning,
    InvalidInputError,
    SkippedRowsWarning,
)

pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def cod():
    """Rows to learn from, their groups, rows of other chemical systems, their groups."""
    table, y = load_cod_inorganic(return_X_y=True)
    _, system = np.unique(chemical_system(table["formula"]), return_inverse=True)
    train, test = np.flatnonzero(system % 2 == 0)[::12], np.flatnonzero(system % 2)[::16]
    return table.iloc[train], y.iloc[train], table.iloc[test], y.iloc[test]


@pytest.fixture(scope="module")
def model(cod):
    return SpaceGroupClassifier(n_trees=10, n_rounds=15, cv=3, random_state=0).fit(*cod[:2])


@pytest.fixture
def rows(cod):
    return cod[2].head(6)


# Ranked lists


def test_ranked_list(model, rows):
    named = rows.set_axis(list("uvwxyz"))
    ranked = model.rank(named, k=3)
    assert ranked.columns.tolist() == [
        "row", "rank", "spacegroup_number", "spacegroup_hm", "probability", "crystal_system",
    ]  # fmt: skip
    assert ranked["row"].tolist() == np.repeat(list("uvwxyz"), 3).tolist()
    found = model.predict_proba(rows)
    best = np.sort(found, axis=1)[:, ::-1][:, :3]
    np.testing.assert_allclose(ranked["probability"], best.ravel())
    first = ranked.loc[ranked["rank"] == 1, "spacegroup_number"]
    np.testing.assert_array_equal(first, model.predict(rows))


def test_rows_may_share_a_name(model, rows):
    ranked = model.rank(rows.set_axis([3] * 6), k=2)
    assert ranked["row"].tolist() == [3] * 12


@pytest.mark.parametrize("allowed", [*BRAVAIS_LATTICES, "cubic", 62, [62, "cF", "monoclinic"]])
def test_nothing_outside_of_what_is_allowed(model, rows, allowed):
    ranked = model.rank(rows, k=230, allowed=allowed)
    sums = ranked.groupby("row")["probability"].sum()
    np.testing.assert_allclose(sums, 1.0)
    if allowed in BRAVAIS_LATTICES:
        assert set(ranked["spacegroup_number"]) <= set(spacegroups_of_bravais_lattice(allowed))


def test_absences_as_an_extinction_symbol(model, rows):
    ranked = model.rank(rows, k=9, allowed="extinction:P n a -")
    assert set(ranked["spacegroup_number"]) <= set(extinction_class(62))


def test_nothing_that_was_learned_is_allowed(model, rows):
    unseen = int(next(n for n in range(1, 231) if n not in set(model.numbers_)))
    with pytest.raises(InvalidInputError, match=r"rank: none of the .* that were learned is all"):
        model.rank(rows, allowed=[unseen])


# Outside evidence


def test_log_likelihood_is_multiplied_in(model, rows):
    evidence = np.random.default_rng(0).normal(size=(len(rows), len(model.classes_)))
    expected = model.predict_proba(rows) * np.exp(evidence)
    expected /= expected.sum(axis=1, keepdims=True)
    by_array = model.rank(rows, k=230, log_likelihood=evidence)
    np.testing.assert_allclose(
        by_array["probability"], np.sort(expected, axis=1)[:, ::-1].ravel(), rtol=1e-9
    )
    table = pd.DataFrame(evidence, columns=model.classes_).iloc[:, ::-1]
    by_table = model.rank(rows, k=230, log_likelihood=table)
    pd.testing.assert_frame_equal(by_table, by_array)


@pytest.mark.parametrize("kind", [dict, pd.Series, lambda d: {str(k): v for k, v in d.items()}])
def test_log_likelihood_by_number(model, rows, kind):
    ranked = model.rank(rows, k=5, log_likelihood=kind({62: 0.0, 225: -1.0}))
    possible = ranked[ranked["probability"] > 0]
    assert set(possible["spacegroup_number"]) == {62, 225}
    found = model.predict_proba(rows[:1])[0]
    weight = dict(zip(model.classes_, found, strict=True))
    expected = weight[62] / (weight[62] + weight[225] * np.exp(-1.0))
    first = possible[(possible["row"] == rows.index[0]) & (possible["spacegroup_number"] == 62)]
    assert first["probability"].item() == pytest.approx(expected)


def test_log_likelihood_and_what_is_allowed(model, rows):
    ranked = model.rank(rows, k=9, allowed="oP", log_likelihood={62: 0.0, 225: 50.0})
    assert (ranked.loc[ranked["rank"] == 1, "spacegroup_number"] == 62).all()
    with pytest.raises(InvalidInputError, match=r"excludes every space group .* allowed .*row 0"):
        model.rank(rows, allowed="oP", log_likelihood={225: 0.0})


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        ({62: -np.inf}, "excludes every space group"),
        ({62: np.nan}, "holds NaN or infinity"),
        ({62: np.inf}, "holds NaN or infinity"),
        ({62: "likely"}, "has values that are not numbers"),
        ({"P n m a": 0.0}, "label 'P n m a' is no space-group number .* Name groups by"),
        (np.zeros(3), r"has shape \(3,\); give \(6, "),
        (pd.DataFrame({62: [0.0]}), r"has shape \(1, "),
    ],
)
def test_log_likelihood_that_cannot_be_used(model, rows, evidence, message):
    with pytest.raises(InvalidInputError, match=f"SpaceGroupClassifier.rank: .*{message}"):
        model.rank(rows, log_likelihood=evidence)


# How sure


def test_abstention(model, cod):
    found = model.predict_proba(cod[2])
    answers = model.predict_or_abstain(cod[2], 0.5)
    sure = found.max(axis=1) >= 0.5
    assert 0 < sure.sum() < len(sure)
    assert all(
        (answer is not None) == is_sure for answer, is_sure in zip(answers, sure, strict=True)
    )
    assert (answers[sure] == model.predict(cod[2])[sure]).all()
    right = (answers == cod[3].to_numpy())[sure].mean()
    assert right > model.score(cod[2], cod[3]) + 0.1
    with pytest.raises(InvalidInputError, match=r"threshold must lie in \[0, 1\]"):
        model.predict_or_abstain(cod[2], 1.5)


@pytest.mark.parametrize("coverage", [0.6, 0.8])
def test_sets_cover_new_chemical_systems(model, cod, coverage):
    sets = model.predict_set(cod[2], coverage)
    covered = np.mean([true in found for true, found in zip(cod[3], sets, strict=True)])
    assert coverage - 0.08 < covered < coverage + 0.12
    assert np.mean([len(found) for found in sets]) < 30


def test_sets_begin_with_the_most_probable_group_and_grow(model, rows):
    small, large = model.predict_set(rows, 0.5), model.predict_set(rows, 0.8)
    for best, one, other in zip(model.predict(rows), small, large, strict=True):
        assert one.tolist() == other[: len(one)].tolist()
        assert not len(other) or other[0] == best


# Why


def test_evidence(model, rows, cod):
    evidence, _ = model.explain(rows, k=4)
    ranked = model.rank(rows, k=4)
    pd.testing.assert_frame_equal(evidence[ranked.columns.tolist()], ranked)
    assert evidence["by_forest"].between(0, 1).all()
    assert evidence["share_of_votes"].between(0, 1 + 1e-6).all()
    assert evidence["feasible_units"].between(0, 1 + 1e-6).all()
    counts = cod[1].value_counts().reindex(evidence["spacegroup_number"]).to_numpy()
    assert np.corrcoef(evidence["frequency"], counts)[0, 1] > 0.999


def test_strain_is_that_of_the_metric(model):
    cell = {"a": 4.0, "b": 4.0, "c": 4.4, "alpha": 90, "beta": 90, "gamma": 90}
    evidence, _ = model.explain([{"formula": "BaTiO3", **cell}], k=230)
    strain = evidence.groupby("crystal_system")["metric_strain"].max()
    assert strain["tetragonal"] < 1e-9
    assert strain["cubic"] > 0.02


def test_neighbours(model, rows, cod):
    _, neighbours = model.explain(rows, n_neighbours=3)
    assert neighbours.groupby("row").size().max() == 3
    assert set(neighbours["row"]) <= set(rows.index)
    for row, some in neighbours.groupby("row"):
        assert some["probability"].is_monotonic_decreasing, row
        assert some["entry"].is_unique
    known = cod[0].loc[neighbours["entry"]]
    assert neighbours["formula"].tolist() == known["formula"].tolist()
    assert neighbours["spacegroup_number"].tolist() == cod[1].loc[neighbours["entry"]].tolist()


def test_no_neighbours_asked_for(model, rows):
    assert len(model.explain(rows, n_neighbours=0)[1]) == 0
    for wrong in (1.5, True, -1):
        with pytest.raises(InvalidInputError, match="explain: n_neighbours must be"):
            model.explain(rows, n_neighbours=wrong)
    with pytest.raises(InvalidInputError, match="explain: k must be"):
        model.explain(rows, k=0)


def test_known_crystals_are_familiar(model, cod):
    known, new = model.unfamiliarity(cod[0].head(80)), model.unfamiliarity(cod[2].head(80))
    assert known.index.equals(cod[0].head(80).index)
    assert known["best_likeness"].mean() > new["best_likeness"].mean()
    odd = {"formula": "Xe17Pu11Fr13Og2", "a": 9, "b": 31, "c": 3, "alpha": 61, "beta": 97,
           "gamma": 119}  # fmt: skip
    odd = model.unfamiliarity([odd])
    assert odd["n_same_stoichiometry"].item() == 0
    # A small pair model is sure of little; the compounds it has seen are likelier anyway.
    assert odd["best_likeness"].item() < known["best_likeness"].median()


# Atoms in the cell


def test_typed_atoms_are_said_to_be_ignored(model, rows):
    cell = rows[["formula", "a", "b", "c", "alpha", "beta", "gamma"]].iloc[0].to_dict()
    for typed in ({"n_atoms": 8}, {"formula_units": 4.0}):
        for X in (cell | typed, [cell, cell | typed]):
            with pytest.warns(
                IgnoredInputWarning, match=rf"{next(iter(typed))} is ignored;"
            ) as said:
                model.rank(X)
            assert len(said) == 1
    with pytest.warns(IgnoredInputWarning, match="n_atoms and formula_units are ignored; .*atoms'"):
        model.predict([cell | {"n_atoms": 8, "formula_units": 4}])


def test_atoms_in_tables_are_passed_over(model, rows):
    cell = rows[["formula", "a", "b", "c", "alpha", "beta", "gamma"]].iloc[0].to_dict()
    assert "n_atoms" in rows
    model.rank(rows)
    model.rank([cell | {"n_atoms": None, "formula_units": np.nan}])
    model.rank({name: [value] for name, value in cell.items()})


# Rows that cannot be ranked


def test_rows_without_formula_or_cell_are_left_out_and_counted(model, rows):
    table = rows.set_axis(list("uvwxyz")).astype({"formula": object})
    table.loc["v", "formula"] = None
    table.loc["x", "a"] = np.nan
    table.loc["y", "formula"] = "Xx2"
    whole = table.loc[["u", "w", "z"]]
    with pytest.warns(
        SkippedRowsWarning,
        match=r"rank: 3 of 6 rows are left out \(first: row 1: it has no formula",
    ) as said:
        ranked = model.rank(table, k=3)
    assert len(said) == 1
    pd.testing.assert_frame_equal(ranked, model.rank(whole, k=3))
    with pytest.warns(SkippedRowsWarning, match="explain: 3 of 6 rows"):
        evidence, neighbours = model.explain(table, k=2, n_neighbours=2)
    assert set(evidence["row"]) == {"u", "w", "z"} >= set(neighbours["row"])


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist, pd.DataFrame, dict])
def test_evidence_goes_with_the_rows_that_are_left(model, rows, kind):
    values = np.random.default_rng(0).normal(size=(len(rows), len(model.classes_)))
    table = rows.reset_index(drop=True).astype({"formula": object})
    table.loc[2, "formula"] = np.nan
    if kind is pd.DataFrame:
        evidence, kept = pd.DataFrame(values, columns=model.classes_), np.delete(values, 2, axis=0)
    elif kind is dict:
        evidence = kept = dict(zip(model.classes_.tolist(), values[0], strict=True))
    else:
        evidence, kept = kind(values), np.delete(values, 2, axis=0)
    with pytest.warns(SkippedRowsWarning, match=r"1 of 6 rows .*row 2"):
        found = model.rank(table, log_likelihood=evidence)
    expected = model.rank(table.drop(index=2), log_likelihood=kept)
    pd.testing.assert_frame_equal(found, expected)


def test_what_answers_every_row_refuses_rows_without_a_formula(model, rows):
    table = rows.reset_index(drop=True).astype({"formula": object})
    table.loc[2, "formula"] = np.nan
    for answer in (model.predict, model.predict_proba, model.predict_set, model.unfamiliarity):
        with pytest.raises(
            FormulaError, match=r"1 of 6 rows have no formula \(first: row 2\)\. Drop"
        ):
            answer(table)
    assert len(model.predict(table[table["formula"].notna()])) == 5


def test_a_table_with_nothing_to_rank_is_refused(model, rows):
    with pytest.raises(FormulaError, match="6 of 6 rows have no formula"):
        model.rank(rows.assign(formula=None))
    with pytest.raises(CellError, match="6 of 6 rows"):
        model.rank(rows.assign(a=np.nan))


# Empty tables


def test_empty_tables(model, rows):
    nothing = rows[:0]
    assert model.predict_proba(nothing).shape == (0, len(model.classes_))
    assert model.predict(nothing).shape == (0,)
    assert model.predict_set(nothing) == []
    assert len(model.predict_or_abstain(nothing, 0.5)) == 0
    assert len(model.rank(nothing)) == len(model.unfamiliarity(nothing)) == 0
    assert [len(part) for part in model.explain(nothing)] == [0, 0]
