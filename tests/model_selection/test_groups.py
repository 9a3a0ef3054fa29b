"""Group labels of compositions, used with scikit-learn's own splitters on real data."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_val_score,
)

from crystalml.crystallography import anonymous_formula, chemical_system, reduced_formula
from crystalml.exceptions import FormulaError, InvalidInputError
from crystalml.model_selection import composition_groups

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
