"""Perturbed cells: always cells, reproducible, of the stated size."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS
from crystalml.crystallography import cell_problems, cell_volume
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CellError, InvalidInputError, SchemaError
from crystalml.model_selection import jitter_cells

CELL = list(CELL_COLUMNS)


@pytest.fixture(scope="module")
def table():
    return load_cod_inorganic().data.head(3000)


def test_size_of_the_noise(table):
    cells = table[CELL].to_numpy()
    jittered = jitter_cells(cells, length_su=1e-3, angle_su=0.1, random_state=0)
    relative = jittered[:, :3] / cells[:, :3] - 1
    np.testing.assert_allclose(relative.std(axis=0), 1e-3, rtol=0.05)
    np.testing.assert_allclose((jittered - cells)[:, 3:].std(axis=0), 0.1, rtol=0.05)
    assert abs(np.corrcoef((jittered - cells).T) - np.eye(6)).max() < 0.08, "independent"


def test_table_and_array_agree_and_only_what_follows_from_the_cell_changes(table):
    before = table.copy(deep=True)
    with_both = table.assign(v_formula=table["volume"])
    jittered = jitter_cells(with_both, random_state=0)
    array = jitter_cells(table[CELL].to_numpy(), random_state=0)
    np.testing.assert_array_equal(jittered[CELL].to_numpy(), array)
    np.testing.assert_allclose(jittered["volume"], cell_volume(array))
    np.testing.assert_allclose(jittered["v_formula"], cell_volume(array))
    pd.testing.assert_frame_equal(jittered[["formula", "n_atoms"]], table[["formula", "n_atoms"]])
    assert list(jittered.columns) == list(with_both.columns)
    pd.testing.assert_frame_equal(table, before)


def test_reported_uncertainties_come_first_where_known(table):
    rows = table.head(1000).copy()
    for name in CELL_SU_COLUMNS:
        rows[name] = np.nan
    rows["a_su"] = 0.5e-6
    rows.loc[rows.index[:500], "alpha_su"] = 1e-6
    rows.loc[rows.index[500:], "alpha_su"] = 0.0  # fixed by symmetry: not known
    change = (jitter_cells(rows, random_state=0)[CELL] - rows[CELL]).abs()
    assert 0 < change["a"].max() < 1e-5
    assert change["b"].max() > 1e-4
    assert 0 < change["alpha"].iloc[:500].max() < 1e-5
    assert change["alpha"].iloc[500:].max() > 0.01
    ignored = jitter_cells(rows, reported_su=False, random_state=0)
    plain = jitter_cells(rows[CELL], random_state=0)
    np.testing.assert_array_equal(ignored[CELL], plain)


def test_noise_of_a_row_does_not_depend_on_the_other_rows(table):
    cells = table[CELL].to_numpy()
    whole = jitter_cells(cells, random_state=3)
    np.testing.assert_array_equal(jitter_cells(cells[:10], random_state=3), whole[:10])
    others = np.vstack([cells[:1], cells[100:]])
    np.testing.assert_array_equal(jitter_cells(others, random_state=3)[0], whole[0])


def test_copies_are_repeated_rows_with_noise_of_their_own(table):
    jittered = jitter_cells(table, n_copies=3, random_state=0)
    assert jittered.index.tolist() == np.repeat(table.index, 3).tolist()
    assert jittered["formula"].tolist() == np.repeat(table["formula"].to_numpy(), 3).tolist()
    assert jittered["a"].iloc[:3].nunique() == 3
    np.testing.assert_allclose(jittered["a"], np.repeat(table["a"].to_numpy(), 3), rtol=3e-3)
    rows = jitter_cells(table.head(5), n_copies=3, random_state=0)
    pd.testing.assert_frame_equal(rows, jittered.head(15))


@given(
    st.lists(
        st.tuples(*[st.floats(0.5, 50)] * 3, *[st.floats(1, 179)] * 3), min_size=1, max_size=20
    ),
    st.floats(0, 10),
    st.floats(0, 500),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_every_result_is_a_cell_however_large_the_noise(cells, length_su, angle_su, seed):
    cells = np.array(cells)
    cells = cells[[problem is None for problem in cell_problems(cells)]]
    jittered = jitter_cells(cells, length_su=length_su, angle_su=angle_su, random_state=seed)
    assert all(problem is None for problem in cell_problems(jittered))


def test_missing_rows_stay_and_the_global_generator_is_not_touched(table):
    rows = table.head(4).copy()
    rows.loc[rows.index[1], "b"] = np.nan
    rows.loc[rows.index[2], "volume"] = np.nan
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    jittered = jitter_cells(rows)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    pd.testing.assert_series_equal(jittered.iloc[1], rows.iloc[1])
    assert jittered["volume"].isna().tolist() == [False, False, True, False]
    assert (jittered["a"] != rows["a"]).tolist() == [True, False, True, True]


def test_nothing_changes_without_uncertainty(table):
    jittered = jitter_cells(table[CELL], length_su=0, angle_su=0)
    np.testing.assert_array_equal(jittered, table[CELL])


def test_nullable_and_integer_columns():
    table = pd.DataFrame([[4, 4, 6, 90, 90, 120], [5, 5, 5, 90, 90, 90]], columns=CELL)
    expected = jitter_cells(table.to_numpy(), random_state=0)
    nullable = table.astype("Float64")
    nullable.loc[1, "a"] = pd.NA
    assert jitter_cells(table, random_state=0).to_numpy().tolist() == expected.tolist()
    assert jitter_cells(nullable, random_state=0).loc[0].tolist() == expected[0].tolist()


@pytest.mark.parametrize(
    ("table", "arguments", "error", "reason"),
    [
        (pd.DataFrame({"a": [1.0], "b": [1.0]}), {}, SchemaError, "no column 'c', 'alpha'"),
        ([[4, 4, 4, 90, 90, 190]], {}, CellError, "jitter_cells: .*gamma is 190.0"),
        ([[np.nan] * 6, [4, 4, -4, 90, 90, 90]], {}, CellError, "row 1.*c is -4.0"),
        ([4, 4, 4, 90, 90, 90], {}, InvalidInputError, "put it into a list"),
        ([[4, 4, 4, 90, 90]], {}, InvalidInputError, "shape"),
        ([[4, 4, 4, 90, 90, 90]], {"length_su": -1}, InvalidInputError, "length_su.* got -1"),
        ([[4, 4, 4, 90, 90, 90]], {"angle_su": "1"}, InvalidInputError, "angle_su.* got '1'"),
        ([[4, 4, 4, 90, 90, 90]], {"angle_su": None}, InvalidInputError, "angle_su.* got None"),
        ([[4, 4, 4, 90, 90, 90]], {"n_copies": 0}, InvalidInputError, "n_copies.* got 0"),
    ],
)
def test_bad_input_is_named(table, arguments, error, reason):
    with pytest.raises(error, match=reason):
        jitter_cells(table, **arguments)
