"""table_preprocessor: nothing learned outside fit, nothing that gives the target away."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml._schema import CELL_SU_COLUMNS
from crystalml.descriptors import TableColumnSelector, table_preprocessor
from crystalml.descriptors._table_columns import EXCLUDED
from crystalml.exceptions import InvalidInputError
from crystalml.io import clean_cod_metadata
from crystalml.io._cod._metadata import COD_COLUMNS


def make_table(n_rows=120, seed=0):
    """A table with every kind of column: numbers, gaps, categories few and many, leaks."""
    rng = np.random.default_rng(seed)
    number = rng.integers(1, 231, n_rows)
    table = pd.DataFrame(
        {
            "a": rng.uniform(3, 20, n_rows),
            "volume": rng.uniform(50, 900, n_rows),
            "temperature": np.where(rng.random(n_rows) < 0.3, np.nan, rng.uniform(10, 400, n_rows)),
            "pressure": np.where(np.arange(n_rows) % 10, np.nan, 100.0),
            "year": pd.array(rng.integers(1950, 2024, n_rows), dtype="Int64"),
            "is_disordered": pd.array(rng.random(n_rows) < 0.2, dtype="boolean"),
            "method": rng.choice(["single crystal", "powder diffraction"], n_rows),
            "journal": [f"journal {k % 40}" for k in range(n_rows)],
            "formula": "NaN",
            "cod_id": pd.array(np.arange(n_rows) + 1000000, dtype="Int64"),
            "spacegroup_number": pd.array(number, dtype="Int64"),
            "spacegroup_hall": [f"hall {k}" for k in number],
            "sgNumber": number,
            "Z": number % 8,
            "formula_units": number % 8,
            "a_su": np.where(number > 194, np.nan, 0.001),
        },
    )
    table.loc[::7, "method"] = None
    table.loc[::11, ["year", "is_disordered"]] = pd.NA
    return table


@parametrize_with_checks([TableColumnSelector(exclude=None)])
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


def test_every_column_kind_becomes_numbers_without_gaps():
    table = make_table()
    out = table_preprocessor().set_output(transform="pandas").fit_transform(table)
    assert list(out.columns) == [
        *("a", "volume", "temperature", "year", "is_disordered"),
        *("method_powder diffraction", "method_single crystal", "journal"),
    ]
    assert out.notna().all().all()
    assert out.index.equals(table.index)
    scaled = out.drop(columns=[name for name in out if name.startswith("method")])
    assert_allclose(scaled.mean(), 0, atol=1e-12)
    assert_allclose(scaled.std(ddof=0), 1)
    assert_allclose(out.filter(like="method").sum(axis=1), 1)


def test_names_and_arrays_agree():
    table = make_table()
    plain = table_preprocessor().fit(table)
    framed = clone(plain).set_output(transform="pandas").fit(table)
    assert plain.get_feature_names_out().tolist() == list(framed.transform(table).columns)
    assert_allclose(plain.transform(table), framed.transform(table))


def test_medians_modes_and_scales_come_from_the_training_rows_alone():
    table = make_table()
    train, test = table.iloc[:80], table.iloc[80:].copy()
    fitted = table_preprocessor().fit(train)
    before = fitted.transform(train)
    numbers = fitted[-1].named_transformers_["number"]
    medians = train[["a", "volume", "temperature", "year", "is_disordered"]].astype("Float64")
    assert_allclose(numbers["impute"].statistics_, medians.median().astype(float))
    test["a"] *= 1e6
    test["method"] = "neutron"
    test.loc[:, "pressure"] = 1.0
    out = fitted.transform(test)
    assert_array_equal(fitted.transform(train), before)
    alone = np.vstack([fitted.transform(test.iloc[[k]]) for k in range(len(test))])
    assert_allclose(out, alone, err_msg="a row's output depends on the other rows")


def test_the_choice_of_columns_is_learned_in_fit():
    table = make_table()
    full = table.assign(pressure=100.0 + np.arange(len(table)))
    fitted = table_preprocessor().fit(table)
    assert fitted["select"].dropped_["pressure"] == "sparse"
    assert "pressure" not in fitted.get_feature_names_out()
    assert fitted.transform(full).shape[1] == fitted.transform(table).shape[1]
    assert (
        "pressure"
        in table_preprocessor(max_missing=0.95)
        .fit(table.assign(pressure=table["pressure"] * table["a"]))
        .get_feature_names_out()
    )


def test_symmetry_is_left_out_unless_asked_for():
    table = make_table()
    table["spacegroup_number"] = table["spacegroup_number"].astype("int64")
    target = table["spacegroup_number"] > 140
    honest = make_pipeline(table_preprocessor(), DecisionTreeClassifier(random_state=0))
    leaky = make_pipeline(
        table_preprocessor(exclude="identifiers"), DecisionTreeClassifier(random_state=0)
    )
    assert cross_val_score(leaky, table, target).mean() > 0.95
    assert cross_val_score(honest, table, target).mean() < 0.75
    for name in (*EXCLUDED["symmetry"], *CELL_SU_COLUMNS):
        frame = pd.DataFrame({name: np.arange(9.0), "a": np.arange(9.0)})
        assert table_preprocessor().fit(frame).get_feature_names_out().tolist() == ["a"]


def test_single_columns_can_be_excluded_beside_groups():
    selector = TableColumnSelector(exclude=["symmetry", "identifiers", "year"]).fit(make_table())
    assert selector.dropped_["year"] == "excluded"
    assert selector.dropped_["Z"] == "excluded"
    assert selector.get_feature_names_out().tolist() == [
        *("a", "volume", "temperature", "is_disordered", "method", "journal"),
    ]
    everything = TableColumnSelector(exclude=None, max_missing=1.0).fit(make_table())
    assert set(everything.dropped_) == {"formula"}


def test_cod_metadata_goes_straight_in_without_what_gives_symmetry_away():
    rng = np.random.default_rng(1)
    n_rows = 60
    raw = pd.DataFrame({name: [""] * n_rows for name in COD_COLUMNS})
    for name in (*"abc", "vol", "celltemp", "Rall", "Z", "Zprime", "siga", "sigalpha", "year"):
        raw[name] = rng.integers(1, 300, n_rows).astype(str)
    for name in ("alpha", "beta", "gamma"):
        raw[name] = rng.uniform(85, 95, n_rows).round(3).astype(str)
    raw["file"] = np.arange(1000000, 1000000 + n_rows).astype(str)
    raw["sg"] = np.where(rng.random(n_rows) < 0.5, "P n m a", "F m -3 m")
    raw["sgNumber"] = np.where(raw["sg"] == "P n m a", "62", "225")
    raw["formula"] = "- Cl Na -"
    raw["method"] = rng.choice(["single crystal", "powder diffraction", ""], n_rows)
    raw["status"] = rng.choice(["", "warnings"], n_rows)
    raw["volume"] = rng.integers(1, 90, n_rows).astype(str)
    cleaned = clean_cod_metadata(raw, max_missing=None, drop_identifiers=False)
    assert cleaned.table.shape[1] > len(COD_COLUMNS)
    fitted = table_preprocessor().fit(cleaned.table.iloc[:40])
    assert fitted.get_feature_names_out().tolist() == [
        *("a", "b", "c", "alpha", "beta", "gamma", "volume", "v_formula", "temperature"),
        *("year", "cell_temperature", "r_factor_all"),
        *("method_powder diffraction", "method_single crystal"),
    ]
    assert np.isfinite(fitted.transform(cleaned.table.iloc[40:])).all()


def test_sodium_nitride_is_a_category_and_no_gap():
    table = pd.DataFrame({"compound": ["NaN", "NaCl", None, "NaN"] * 5, "a": np.arange(20.0)})
    out = table_preprocessor().set_output(transform="pandas").fit_transform(table)
    assert out["compound_NaN"].tolist() == [1.0, 0.0, 1.0, 1.0] * 5, "the mode fills the gap"


def test_unknown_categories_and_empty_columns_are_safe():
    table = make_table()
    fitted = table_preprocessor().set_output(transform="pandas").fit(table)
    new = table.head(3).assign(method="neutron", journal="unheard of", temperature=None)
    out = fitted.transform(new)
    assert (out.filter(like="method") == 0).all().all()
    assert out.notna().all().all()
    assert_allclose(out["journal"], out["journal"].iloc[0])
    with pytest.raises(InvalidInputError, match="'temperature' held numbers in fit"):
        fitted.transform(table.assign(temperature="warm"))


def test_options():
    table = make_table()
    dropped = table_preprocessor(many_categories="drop").fit(table)
    assert "journal" not in dropped.get_feature_names_out()
    one_hot = table_preprocessor(max_categories=50).fit(table)
    assert "journal_journal 7" in one_hot.get_feature_names_out()
    marked = table_preprocessor(add_indicator=True).fit(table)
    assert "missingindicator_temperature" in marked.get_feature_names_out()
    unscaled = table_preprocessor(scale=False).set_output(transform="pandas").fit_transform(table)
    assert_allclose(unscaled["a"], table["a"])
    for wrong in ({"max_categories": 0}, {"many_categories": "hash"}):
        with pytest.raises(InvalidInputError, match=next(iter(wrong))):
            table_preprocessor(**wrong)
    with pytest.raises(InvalidInputError, match="max_missing"):
        table_preprocessor(max_missing=2).fit(table)
    with pytest.raises(InvalidInputError, match="no column is left"):
        table_preprocessor().fit(table[["cod_id", "sgNumber"]])


def test_it_is_one_step_of_a_pipeline_that_can_be_searched_cloned_and_saved():
    table = make_table()
    target = np.where(table["a"] > 10, "large", "small")
    model = make_pipeline(table_preprocessor(), LogisticRegression(max_iter=500))
    grid = {
        "pipeline__select__max_missing": [0.2, 0.95],
        "pipeline__encode__number__impute__strategy": ["median", "mean"],
    }
    search = GridSearchCV(clone(model), grid, cv=3).fit(table, target)
    assert search.best_score_ > 0.9
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict(table), search.predict(table))


def test_arrays_work_too():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(40, 3))
    array[::9, 1] = np.nan
    out = table_preprocessor().fit_transform(array)
    assert out.shape == (40, 3)
    assert not np.isnan(out).any()
    mixed = array.astype(object)
    mixed[:, 2] = np.where(array[:, 2] > 0, "plus", "minus")
    assert table_preprocessor().fit_transform(mixed).shape == (40, 4)
