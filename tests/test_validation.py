"""Checks of parameters and weights."""

from functools import cache
from importlib.resources import files
from numbers import Real

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from crystalml import (
    LatticeParameterRegressor,
    SpaceGroupClassifier,
    check_table,
    read_cifs,
    to_pymatgen,
)
from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    as_pandas,
    check_parameters,
    check_sample_weight,
    group_codes,
    private_random_state,
    warn,
)
from crystalml.crystallography import chemical_system, parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CrystalmlWarning, InvalidInputError
from crystalml.model_selection import (
    composition_groups,
    duplicate_groups,
    jitter_cells,
    volume_report,
)

_CONSTRAINTS = {
    "share": [Interval(Real, 0, 1, closed="neither"), None],
    "kind": [StrOptions({"plain", "fancy"})],
    "splitter": [HasMethods(["split"]), None],
}


class Example(BaseEstimator):
    def __init__(self, share=None, kind="plain", splitter=None):
        self.share = share
        self.kind = kind
        self.splitter = splitter


def test_allowed_parameters_pass():
    check_parameters(Example(), _CONSTRAINTS)
    check_parameters(Example(share=0.5, kind="fancy"), _CONSTRAINTS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"share": 1.0}, r"'share' parameter of Example must be .*\(0\.0, 1\.0\).* Got 1\.0"),
        ({"kind": "best"}, r"'kind' parameter of Example must be .*'fancy'.* Got 'best'"),
        ({"splitter": 3}, r"'splitter' parameter of Example must be .*'split'.* Got 3"),
    ],
)
def test_others_are_named_with_what_is_allowed(parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        check_parameters(Example(**parameters), _CONSTRAINTS)


def test_no_weight_stays_none():
    assert check_sample_weight(None, np.zeros((3, 1)), caller="net") is None


@pytest.mark.parametrize("weight", [2, [2, 2, 2], np.full(3, 2.0, dtype=np.float32)])
def test_weights_become_one_float_per_row(weight):
    checked = check_sample_weight(weight, np.zeros((3, 1)), caller="net")
    assert checked.dtype == np.float64
    assert_array_equal(checked, [2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1, -2, 1], InvalidInputError, r"net: sample_weight must be >= 0, but row 1 has"),
        ([0, 0, 0], InvalidInputError, "net: every sample_weight is zero"),
        ([[1], [1], [1]], InvalidInputError, r"net: sample_weight has shape \(3, 1\)"),
        ([1, 1], ValueError, "inconsistent numbers of samples"),
        ([1, np.nan, 1], ValueError, "sample_weight contains NaN"),
    ],
)
def test_bad_weights(weight, error, message):
    with pytest.raises(error, match=message):
        check_sample_weight(weight, np.zeros((3, 1)), caller="net")


def test_groups_become_numbers_and_none_may_be_missing():
    assert group_codes(["b", "a", "b"], caller="net").tolist() == [0, 1, 0]
    assert group_codes(np.array([7, 3, 7]), caller="net").tolist() == [0, 1, 0]
    with pytest.raises(InvalidInputError, match=r"net: groups has 1 missing .*row 0"):
        group_codes([None, 1.5, "b"], caller="net")


def test_a_private_generator_is_seeded_by_numbers_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the one not to touch
    drawn = [private_random_state(seed).random_sample(3) for seed in (0, 0, None, None)]
    assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[2], drawn[3])
    assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    own = np.random.RandomState(0)
    assert private_random_state(own) is own
    with pytest.raises(ValueError, match="'seed' cannot be used to seed"):
        private_random_state("seed")


def test_warnings_point_to_the_line_that_called_into_the_package(monkeypatch):
    with pytest.warns(CrystalmlWarning, match="odd") as said:
        warn("odd", CrystalmlWarning)
    assert said[0].filename == __file__

    def complain(*arguments, **options):
        warn("deep", CrystalmlWarning)

    monkeypatch.setattr("crystalml.crystallography._formula.FormulaTable", complain)
    with pytest.warns(CrystalmlWarning, match="deep") as said:
        parse_formulas(["NaCl"], on_error="report")
    assert said[0].filename == __file__


# Tables of other libraries

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]


@pytest.fixture(scope="module")
def entries():
    """Some packaged entries, whose formulas include sodium nitride."""
    table = load_cod_inorganic().frame
    table = pd.concat([table[table["formula"] == "NaN"], table.iloc[::50]])
    return table.reset_index(drop=True)


@pytest.fixture(scope="module", params=["polars", "pyarrow"])
def foreign(request):
    """Turn a pandas table into one of another library."""
    library = pytest.importorskip(request.param)
    return library.Table.from_pandas if request.param == "pyarrow" else _as_polars


def _as_polars(table):
    polars = pytest.importorskip("polars")
    columns = {
        name: [None if pd.isna(value) else value for value in values.tolist()]
        for name, values in table.items()
    }
    return polars.DataFrame(columns, strict=False)


def test_tables_become_those_of_pandas(foreign, entries):
    table = entries[["formula", "spacegroup_number", *CELL]].copy()
    table.loc[2, "a"] = np.nan
    table.loc[3, "formula"] = None
    found = as_pandas(foreign(table))
    pd.testing.assert_frame_equal(found, table.astype({"formula": object}), check_dtype=False)
    assert found["formula"].dtype == object


@pytest.mark.parametrize("given", [None, [1, 2], {"a": [1]}, np.zeros((2, 2)), "text"])
def test_what_is_no_table_stays_as_it_is(given, entries):
    assert as_pandas(given) is given
    assert as_pandas(entries) is entries
    assert as_pandas(entries["a"]) is not None


def test_tables_that_are_not_computed_yet_are_refused(entries):
    with pytest.raises(InvalidInputError, match=r"a LazyFrame holds no rows yet; call .*collect"):
        as_pandas(_as_polars(entries[CELL]).lazy())


def small_classifier():
    return SpaceGroupClassifier(n_trees=5, n_rounds=5, cv=3, random_state=0)


def small_regressor():
    return LatticeParameterRegressor(max_epochs=1, max_iter=3, random_state=0)


ROOMS = {
    "fit": lambda t: small_classifier().fit(t, t["spacegroup_number"]).predict_proba(t),
    "rank": lambda t: ready().rank(t[:4], k=2),
    "explain": lambda t: ready().explain(t[:4], k=2)[0],
    "evidence": lambda t: ready().rank(t[:1], log_likelihood=_evidence(t)),
    "cells": lambda t: small_regressor().fit(t, t).predict(t),
    "check_table": lambda t: check_table(t).rows,
    "parse_formulas": lambda t: parse_formulas(t["formula"]).amounts.toarray(),
    "chemical_system": lambda t: chemical_system(t["formula"]),
    "composition_groups": lambda t: composition_groups(t["formula"]),
    "duplicate_groups": lambda t: duplicate_groups(t["formula"], t),
    "jitter_cells": lambda t: jitter_cells(t, random_state=0),
    "volume_report": lambda t: volume_report(t["volume"], {"same": t["volume"]}, t),
}


@cache
def ready():
    table, y = load_cod_inorganic(return_X_y=True)
    return small_classifier().fit(table[::50], y[::50])


def _evidence(table):
    """Evidence for one row, a column for each group, in a table of the same library."""
    evidence = pd.DataFrame({str(number): [float(number)] for number in ready().classes_})
    return evidence if isinstance(table, pd.DataFrame) else _as_polars(evidence)


@pytest.mark.parametrize("room", ROOMS)
def test_answers_to_polars_tables_are_those_to_pandas_tables(room, entries):
    pytest.importorskip("lightgbm")
    expected, found = ROOMS[room](entries), ROOMS[room](_as_polars(entries))
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        # Text has two types in pandas 3, of which tables of other libraries get the older one.
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    else:
        assert_array_equal(found, expected)


def test_structures_of_the_rows_of_a_polars_table():
    pytest.importorskip("pymatgen")
    cifs = read_cifs(str(files("ase") / "test" / "testdata" / "minerals"), progress=False)
    found = to_pymatgen(_as_polars(cifs[["source", "block"]]))
    assert [s.formula for s in found] == [s.formula for s in to_pymatgen(cifs)]
