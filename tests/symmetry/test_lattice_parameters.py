"""LatticeParameterRegressor: exact lattices, honest spread, at home in scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml import LatticeParameterRegressor, load, save
from crystalml.crystallography import BRAVAIS_LATTICES, bravais_lattice, cell_volume
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CellError, FormulaError, InvalidInputError, SchemaError
from crystalml.model_selection import composition_groups
from crystalml.symmetry._cell_model._lattice_prior import SpaceGroupVotes

pytest.importorskip("torch")

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
QUICK = {"max_epochs": 4, "max_iter": 2, "hidden_layer_sizes": (32,), "random_state": 0}


@pytest.fixture(scope="module")
def cod():
    frame = load_cod_inorganic().frame.sample(1600, random_state=0).reset_index(drop=True)
    groups = composition_groups(frame["formula"], by="chemical_system")
    train, test = next(GroupShuffleSplit(random_state=0).split(frame, groups=groups))
    return frame.iloc[train], frame.iloc[test]


@pytest.fixture(scope="module")
def fitted(cod):
    known = ["formula", "n_atoms", "spacegroup_number"]
    return LatticeParameterRegressor(**QUICK).fit(cod[0][known], cod[0][CELL])


@parametrize_with_checks([LatticeParameterRegressor(**QUICK)])
def test_estimator_obeys_scikit_learn(estimator, check):
    check(estimator)


def test_cells_obey_every_lattice_exactly(fitted):
    for lattice in BRAVAIS_LATTICES:
        X = pd.DataFrame({"formula": ["NaCl", "Fe2O3", "CaTiO3", "U2Zn17", "Ga0.5Fe0.5"]})
        cells = fitted.predict(X.assign(bravais_lattice=lattice))
        a, b, c, alpha, beta, gamma = cells.T
        assert (cell_volume(cells) > 0).all()
        family = lattice[0]
        if family in "thc":
            assert_array_equal(a, b)
        if family == "c":
            assert_array_equal(a, c)
        right = {"a": [], "m": [alpha, gamma], "h": [alpha, beta]}.get(family, [alpha, beta, gamma])
        assert all((angle == 90.0).all() for angle in right)
        if family == "h":
            assert (gamma == 120.0).all()


def test_unseen_chemical_systems_are_predicted_better_than_by_the_mean(fitted, cod):
    train, test = cod
    known = test[["formula", "n_atoms", "bravais_lattice"]]
    cells, stds = fitted.predict(known, return_std=True)
    cubic = (test["bravais_lattice"].str[0] == "c") & test["cell_matches_spacegroup"]
    errors = np.abs(cells[cubic, 0] / test.loc[cubic, "a"] - 1.0)
    by_volume = np.cbrt(test["n_atoms"] * (train["volume"] / train["n_atoms"]).median())
    naive = np.abs(by_volume[cubic] / test.loc[cubic, "a"] - 1.0)
    assert errors.median() < 0.5 * naive.median()
    inside = np.abs(cells - test[CELL])[cubic]["a"] < stds[cubic, 0]
    assert 0.5 < inside.mean() < 0.9
    volumes, spread = fitted.predict_volume_per_atom(test["formula"], return_std=True)
    off = np.abs(volumes / (test["volume"] / test["n_atoms"]) - 1.0)
    assert off.median() < 0.1
    assert 0.5 < (off * volumes < spread).mean() < 0.9


def test_spread_vanishes_only_where_symmetry_fixes_the_number(fitted):
    X = pd.DataFrame({"formula": ["NaCl"] * 3, "bravais_lattice": ["cF", "mP", "hR"]})
    _, stds = fitted.predict(X, return_std=True)
    assert ((stds > 0) == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0]]).all()


def test_the_way_a_row_is_written_does_not_matter(fitted):
    ways = [
        {"formula": "Fe2O3", "formula_units": 6.0},
        {"formula": "Fe4O6", "formula_units": 3.0},
        {"formula": "O3 Fe2", "n_atoms": 30.0},
    ]
    X = pd.DataFrame(ways).assign(bravais_lattice="hR")
    cells = fitted.predict(X)
    assert_allclose(cells, cells[[0, 0, 0]], rtol=1e-6)
    shuffled = fitted.predict(X.iloc[[2, 0, 1]])
    assert_allclose(shuffled, cells[[2, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize("container", [list, np.array, pd.Series, lambda v: np.array(v)[:, None]])
def test_formulas_alone_are_enough(fitted, container):
    formulas = ["NaCl", "NaN", "TiO2"]  # sodium nitride is no missing value
    cells = fitted.predict(container(formulas))
    assert_allclose(cells, fitted.predict(pd.DataFrame({"formula": formulas})))
    assert (cells[:, :3] > 1.0).all()


def test_table_says_what_was_assumed(fitted):
    X = pd.DataFrame(
        {"formula": ["NaN", "KCl"], "bravais_lattice": [None, "cF"], "n_atoms": [np.nan, 8.0]},
        index=["x", "y"],
    )
    table = fitted.predict_table(X)
    assert table.index.tolist() == ["x", "y"]
    assert table["formula"].tolist() == ["NaN", "KCl"]
    assert table.loc["y", "bravais_lattice"] == "cF"
    assert table.loc["y", "n_atoms"] == 8.0
    assert table.loc["x", "n_atoms"] % 2 == 0
    assert_allclose(table["volume"], cell_volume(table[CELL].to_numpy()))
    assert_allclose(table[CELL], fitted.predict(X))
    assert (table["volume_std"] > 0).all()


def test_ranked_cells(fitted):
    table = fitted.predict_cells(["NaN", "BaTiO3"], k=3, space_groups=2)
    for formula, part in table.groupby("formula", sort=False):
        assert part["rank"].tolist() == list(range(1, len(part) + 1))
        assert part["bravais_lattice"].nunique() == 3
        assert part["bravais_probability"].is_monotonic_decreasing
        within = part.groupby("bravais_lattice")["spacegroup_probability"]
        assert within.apply(lambda p: p.is_monotonic_decreasing).all()
        assert (within.sum() <= part.groupby("bravais_lattice")["bravais_probability"].first()
                + 1e-9).all(), formula  # fmt: skip
    numbers = table["spacegroup_number"].to_numpy(int)
    assert bravais_lattice(numbers).tolist() == table["bravais_lattice"].tolist()
    assert_allclose(cell_volume(table[CELL].to_numpy()), table["volume"])
    assert table["n_atoms_probability"].between(0, 1 + 1e-9).all()


def test_ranked_cells_keep_to_what_is_known(fitted):
    X = pd.DataFrame(
        {"formula": ["NaCl", "NaCl"], "spacegroup_number": [221, None], "n_atoms": [None, 4.0]}
    )
    table = fitted.predict_cells(X, k=2)
    first = table[table["rank"] == 1]
    assert first["spacegroup_number"].iloc[0] == 221
    assert table["spacegroup_number"].eq(221).sum() == 1
    assert table["n_atoms"].iloc[-1] == 4.0


class Fixed(SpaceGroupVotes):
    """Says of every formula that its group is 221 or, less probably, 166."""

    def fit(self, X, y):
        assert list(X.columns) == ["formula"]
        self.classes_ = np.array([166, 221])
        return self

    def predict_proba(self, X):
        return np.tile([0.2, 0.8], (len(X), 1))


@pytest.mark.parametrize("already", [False, True])
def test_another_classifier_decides_on_the_symmetry(cod, already):
    estimator = Fixed()
    if already:
        estimator.fit(pd.DataFrame({"formula": ["NaCl"]}), [221])
    X = cod[0][["formula", "n_atoms", "spacegroup_number"]].head(300)
    model = LatticeParameterRegressor(space_group_estimator=estimator, **QUICK)
    model.fit(X, cod[0][CELL].head(300))
    assert (model.space_group_estimator_ is estimator) == already
    assert model.predict_table(["KCl"])["bravais_lattice"].tolist() == ["cP"]
    table = model.predict_cells(["KCl"], k=5)
    assert table["spacegroup_number"].tolist() == [221, 166]
    assert_allclose(table["bravais_probability"], [0.8, 0.2])


def test_lattices_and_contents_can_follow_from_the_cells(cod):
    train = cod[0][cod[0]["bravais_lattice"].str[1] == "P"]
    model = LatticeParameterRegressor(**QUICK).fit(train["formula"], train[CELL])
    assert model.space_group_estimator_ is None
    table = model.predict_cells(["CsCl"], k=2)
    assert table["bravais_lattice"].str[1].eq("P").all()
    assert table["spacegroup_number"].isna().all()
    by_table = LatticeParameterRegressor(**QUICK).fit(train[["formula"]], train)
    assert_allclose(model.predict(["CsCl"]), by_table.predict(["CsCl"]))


def test_settings_are_kept_or_standardized(cod):
    train = cod[0][cod[0]["bravais_lattice"] == "oP"]
    X = train[["formula", "n_atoms", "bravais_lattice"]]
    sorted_axes, given = (
        LatticeParameterRegressor(axes=axes, **QUICK).fit(X, train[CELL]).predict(X)
        for axes in ("standardized", "as given")
    )
    lengths = sorted_axes[:, :3]
    assert (np.diff(lengths, axis=1) >= 0).mean() > 0.95
    assert (np.diff(given[:, :3], axis=1) >= 0).mean() < 0.8


def test_rows_that_contradict_are_left_out(cod):
    train = cod[0].head(400)
    X, y = train[["formula", "n_atoms", "bravais_lattice"]], train[CELL].copy()
    before = LatticeParameterRegressor(**QUICK).fit(X, y)
    cubic = np.flatnonzero(X["bravais_lattice"].str[0] == "c")[:3]
    y.iloc[cubic, 0] *= 1.5
    after = LatticeParameterRegressor(**QUICK).fit(X, y)
    assert after.n_contradictory_ == before.n_contradictory_ + 3
    weight = np.ones(len(X))
    weight[cubic] = 0.0
    weighted = LatticeParameterRegressor(**QUICK).fit(X, train[CELL], sample_weight=weight)
    assert_allclose(weighted.predict(X), after.predict(X), rtol=1e-6)


def test_clone_pickle_save_and_search(fitted, cod, tmp_path):
    X = cod[1][["formula", "n_atoms", "bravais_lattice"]].head(50)
    expected = fitted.predict(X)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), expected)
    save(fitted, tmp_path / "cells.model")
    assert_array_equal(load(tmp_path / "cells.model").predict(X), expected)
    assert clone(fitted).get_params() == fitted.get_params()
    train = cod[0].head(300)
    known = train[["formula", "n_atoms", "bravais_lattice"]]
    search = GridSearchCV(LatticeParameterRegressor(**QUICK), {"max_epochs": [1, 3]}, cv=2)
    search.fit(known, train[CELL])
    assert -1.0 < search.best_score_ < 0.0
    pipeline = make_pipeline(FunctionTransformer(), LatticeParameterRegressor(**QUICK))
    alone = LatticeParameterRegressor(**QUICK).fit(known, train[CELL])
    assert_array_equal(pipeline.fit(known, train[CELL]).predict(X), alone.predict(X))


def test_score_is_blind_to_the_setting_of_the_truth(fitted, cod):
    X = cod[1][["formula", "n_atoms", "bravais_lattice"]]
    orthorhombic = cod[1]["bravais_lattice"] == "oP"
    X, y = X[orthorhombic], cod[1].loc[orthorhombic, CELL]
    permuted = y[["c", "a", "b", "gamma", "alpha", "beta"]].to_numpy()
    assert_allclose(fitted.score(X, permuted), fitted.score(X, y))
    assert fitted.score(X, y) < 0.0


@pytest.mark.parametrize(
    ("columns", "error", "says"),
    [
        ({"bravais_lattice": "xP"}, InvalidInputError, "'xP' in row 0"),
        ({"spacegroup_number": 231}, InvalidInputError, "231"),
        ({"spacegroup_number": "P1"}, InvalidInputError, "'spacegroup_number'"),
        ({"bravais_lattice": "cF", "spacegroup_number": 221}, InvalidInputError, "'cP'"),
        ({"n_atoms": -1.0}, InvalidInputError, "-1.0 atoms"),
        ({"formula": "La2-xSrxCuO4"}, FormulaError, "La2-xSrxCuO4"),
        ({"formula": None}, FormulaError, "missing"),
    ],
)
def test_wrong_rows_are_told(fitted, columns, error, says):
    X = pd.DataFrame([{"formula": "NaCl", **columns}])
    with pytest.raises(error, match=says):
        fitted.predict(X)


def test_wrong_tables_cells_and_parameters_are_told(fitted):
    X = ["NaCl", "KCl", "MgO"]
    cells = np.array([[5.6, 5.6, 5.6, 90, 90, 90]] * 3)
    with pytest.raises(CellError, match="LatticeParameterRegressor"):
        LatticeParameterRegressor(**QUICK).fit(X, cells * [-1, 1, 1, 1, 1, 1])
    with pytest.raises(InvalidInputError, match=r"shape \(3, 3\)"):
        LatticeParameterRegressor(**QUICK).fit(X, cells[:, :3])
    with pytest.raises(SchemaError, match="'formula'"):
        fitted.predict(pd.DataFrame({"x": X, "y": X}))
    with pytest.raises(InvalidInputError, match="axes"):
        LatticeParameterRegressor(axes="sorted").fit(X, cells)
    with pytest.raises(InvalidInputError, match="k is 0"):
        fitted.predict_cells(X, k=0)
    with pytest.raises(InvalidInputError, match="not fitted"):
        LatticeParameterRegressor(space_group_estimator=Fixed(), **QUICK).fit(X, cells)
    hexagonal = pd.DataFrame({"formula": X, "bravais_lattice": "hP"})
    with pytest.raises(InvalidInputError, match="0 of 3 rows"):
        LatticeParameterRegressor(**QUICK).fit(hexagonal, cells)
