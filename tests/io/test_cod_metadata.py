"""COD's own tables in the column schema."""

import importlib.util
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crystalml._schema import TABLE_COLUMNS
from crystalml.exceptions import CrystalmlWarning, InvalidInputError, SchemaError
from crystalml.io import clean_cod_metadata
from crystalml.io._cod._metadata import COD_COLUMNS

# Tests are collected in importlib mode, where neighbours are not importable by name.
_spec = importlib.util.spec_from_file_location(
    "cod_server", Path(__file__).parent / "cod_server.py"
)
cod_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cod_server)

HALITE, NITRIDE, as_csv, frame = (
    cod_server.HALITE,
    cod_server.NITRIDE,
    cod_server.as_csv,
    cod_server.frame,
)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_are_cleaned_as_those_of_pandas(library):
    module = pytest.importorskip(library)
    make = module.Table.from_pydict if library == "pyarrow" else module.DataFrame
    raw = frame(HALITE, {**NITRIDE, "status": "retracted"}, {**HALITE, "file": "1000042"})
    columns = raw.to_dict(orient="list")
    columns["a"] = [5.64, None, 5.65]  # numbers, and one is missing
    columns["sg"][2] = None
    found = clean_cod_metadata(make(columns))
    expected = clean_cod_metadata(pd.DataFrame(columns))
    assert len(found.table) == 2
    pd.testing.assert_frame_equal(found.table, expected.table)
    pd.testing.assert_frame_equal(found.filters, expected.filters)
    pd.testing.assert_frame_equal(found.dropped, expected.dropped)
    assert found.unreadable == expected.unreadable


def test_the_columns_of_the_schema_come_first_with_their_types():
    table = clean_cod_metadata(frame(HALITE, NITRIDE), max_missing=None).table
    for name, column in TABLE_COLUMNS.items():
        if name in table:
            assert table[name].dtype == column.dtype, name
    kept = clean_cod_metadata(frame(HALITE), max_missing=None, drop_identifiers=False).table
    assert list(kept.columns[: len(TABLE_COLUMNS)]) == list(TABLE_COLUMNS)


def test_values_are_mapped_and_the_two_volumes_kept_apart():
    row = clean_cod_metadata(frame(HALITE), max_missing=None, drop_identifiers=False).table.iloc[0]
    assert row["cod_id"] == 1000041
    assert row["block"] == "1000041"
    assert row["volume"] == 179.43
    assert row["journal_volume"] == "17"
    assert row["v_formula"] == pytest.approx(5.6402**3)
    assert row["a_su"] == 0.0002
    assert np.isnan(row["b_su"])
    assert (row["spacegroup_number"], row["spacegroup_source"]) == (225, "sgHall")
    assert (row["crystal_system"], row["bravais_lattice"]) == ("cubic", "cF")
    assert (row["formula"], row["formula_units"]) == ("Cl Na", 4.0)
    assert row["is_disordered"] is np.False_ or row["is_disordered"] is False
    assert row["temperature"] == 293.0
    assert row["status"] == "ok"
    assert row["error"] is None
    assert row["mineral"] == "Halite"


def test_sodium_nitride_survives_a_csv(tmp_path):
    path = tmp_path / "selection.csv"
    path.write_bytes(as_csv(HALITE, NITRIDE))
    for source in (path, str(path), path.read_bytes(), frame(HALITE, NITRIDE)):
        table = clean_cod_metadata(source, max_missing=None).table
        assert table["formula"].tolist() == ["Cl Na", "NaN"]
        assert table["mineral"].tolist() == ["Halite", None]
        assert table["temperature"].tolist() == [293.0, 100.0]
        assert table["is_disordered"].tolist() == [False, True]


HUGE = {
    "file": ["99999999999999999999", "1e30", "9" * 5000, "42", "1000041.5", "\u0661\u0660" * 4],
    "year": ["1e30", "-1e300", "99999999999999999999", "9" * 5000, "inf"],
    "a": ["1e999", "nan", "5.64(2", "5,64"],
    "duplicateof": ["1e25", "1e18"],
}


@pytest.mark.parametrize(("column", "value"), [(c, v) for c in HUGE for v in HUGE[c]])
def test_a_value_beyond_its_column_loses_neither_the_row_nor_the_others(column, value):
    wrong = HALITE | {"file": "1000042", column: value}
    for table in (frame(HALITE, wrong), as_csv(HALITE, wrong)):
        cleaned = clean_cod_metadata(table, require_cell=False, max_missing=None)
        assert cleaned.unreadable == {column: 1}
        assert cleaned.table["cod_id"].tolist()[0] == 1000041
        assert len(cleaned.table) == 2
        assert cleaned.table[COD_COLUMNS[column][0]].isna().tolist()[1]


def test_numbers_that_python_holds_and_columns_do_not():
    rows = [10**400, Decimal("5.64"), complex(1, 2), b"x", pd.Timestamp("2020-01-01"), [5], True]
    table = pd.DataFrame({"file": [1000041] * len(rows), "celltemp": pd.Series(rows, dtype=object)})
    cleaned = clean_cod_metadata(
        table, require_cell=False, exclude_duplicates=False, max_missing=None
    )
    assert cleaned.unreadable == {"celltemp": 5}
    assert cleaned.table["cell_temperature"].dropna().tolist() == [5.64, 1.0]


@pytest.mark.parametrize(("length", "flagged"), [("1e-300", True), ("1e300", True)])
def test_cells_of_impossible_size_are_flagged_without_a_warning(length, flagged):
    wrong = HALITE | dict.fromkeys("abc", length)
    table = clean_cod_metadata(frame(wrong), require_cell=False).table
    assert (table["status"].tolist() == ["error"]) == flagged


@pytest.mark.parametrize("kind", ["object", "float64", "category", "Int64"])
def test_columns_of_text_may_be_empty_or_numbers(kind):
    names = {n: column for n, (column, dtype) in COD_COLUMNS.items() if dtype == "object"}
    options = {"max_missing": None, "drop_identifiers": False, "exclude_on_hold": False}
    for value, text in ((None, None), (17, "17")):
        columns = {n: pd.Series([value, value], dtype=kind) for n in names}
        table = clean_cod_metadata(frame(HALITE, NITRIDE).assign(**columns), **options).table
        for column in set(names.values()) - {"spacegroup_hall", "spacegroup_hm"}:
            assert table[column].tolist() == [text, text], column


def test_names_of_the_schema_are_not_taken_from_undocumented_columns():
    table = frame(HALITE).drop(columns=["celltemp", "diffrtemp"])
    table = table.assign(temperature="hot", v_formula="big", cod_id="x", spacegroup_number="?")
    cleaned = clean_cod_metadata(table, drop_identifiers=False, max_missing=None).table
    assert cleaned["cod_id"].tolist() == [1000041]
    assert cleaned["temperature"].isna().all()
    assert cleaned["unmapped_temperature"].tolist() == ["hot"]
    assert cleaned["unmapped_cod_id"].tolist() == ["x"]


def test_a_row_with_too_many_values_keeps_its_id_and_the_others_theirs(tmp_path):
    lines = as_csv(*(HALITE | {"file": str(1000041 + k)} for k in range(3))).splitlines()
    for row in (1, 2, 3):
        body = b"\n".join([*lines[:row], lines[row] + b",more,and more", *lines[row + 1 :]])
        path = tmp_path / "selection.csv"
        path.write_bytes(body)
        for source in (body, path):
            with pytest.warns(CrystalmlWarning, match=r"1 of 3 rows .*only the id"):
                table = clean_cod_metadata(source, require_cell=False).table
            assert table["cod_id"].tolist() == [1000041, 1000042, 1000043]
            assert table["status"].value_counts().to_dict() == {"ok": 2, "incomplete": 1}
    trailing = b"\n".join(line + b"," for line in lines[1:])
    table = clean_cod_metadata(lines[0] + b"\n" + trailing).table
    assert table["cod_id"].tolist() == [1000041, 1000042, 1000043]


def test_text_of_blanks_takes_no_quadratic_time():
    blanks = "- Cl" + " " * 200_000 + "Na -"
    began = time.process_time()
    clean_cod_metadata(frame(HALITE | {"formula": blanks, "sg": blanks, "method": blanks}))
    assert time.process_time() - began < 2


def test_sparse_columns_and_identifiers_are_dropped_and_named():
    rows = [HALITE | {"file": str(1000041 + k), "Rall": "0.05" if k else ""} for k in range(4)]
    cleaned = clean_cod_metadata(frame(*rows), max_missing=0.5)
    dropped = cleaned.dropped.set_index("column")
    assert "r_factor_all" in cleaned.table
    assert dropped.loc["a_su" if "a_su" in dropped.index else "b_su", "reason"] == "sparse"
    assert dropped.loc["authors", "reason"] == "identifier"
    assert dropped.loc["r_factor_observed", "missing"] == 1.0
    assert dropped["reason"].isin(["sparse", "identifier"]).all()
    assert not set(dropped.index) & set(cleaned.table.columns)
    strict = clean_cod_metadata(frame(*rows), max_missing=0.2, keep=("b_su", "doi"))
    assert "r_factor_all" not in strict.table
    assert {"b_su", "doi", "cod_id", "formula", "gamma"} <= set(strict.table.columns)
    everything = clean_cod_metadata(frame(*rows), max_missing=None, drop_identifiers=False)
    assert everything.dropped.empty
    assert everything.table.shape[1] >= len(COD_COLUMNS)


def test_filters_count_what_they_remove():
    rows = [
        HALITE,
        HALITE | {"file": "1000042", "status": "retracted"},
        HALITE | {"file": "1000043", "status": "errors"},
        HALITE | {"file": "1000044", "status": "warnings"},
        HALITE | {"file": "1000045", "duplicateof": "1000041"},
        HALITE | {"file": "1000041"},
        HALITE | {"file": "1000046", "onhold": "2030-01-01"},
        HALITE | {"file": "1000047", "method": "theoretical prediction"},
        HALITE | {"file": "1000048", "celltemp": "10"},
        HALITE | {"file": "1000049", "cellpressure": "5e6"},
        HALITE | {"file": "1000050", "a": "", "celltemp": ""},
        HALITE | {"file": "1000051", "gamma": "190"},
        HALITE | {"file": "1000052", "celltemp": "", "diffrtemp": ""},
    ]
    cleaned = clean_cod_metadata(frame(*rows), temperature=(280, 310), pressure=(None, 200))
    counts = cleaned.filters.set_index("filter")
    assert counts["removed"].to_dict() == {
        "status": 2,
        "duplicate": 2,
        "on hold": 1,
        "theoretical": 1,
        "temperature": 1,
        "pressure": 1,
        "no cell": 2,
    }
    assert counts["left"].iloc[-1] == len(cleaned.table) == 3
    assert cleaned.table["cod_id"].tolist() == [1000041, 1000044, 1000052]
    none = clean_cod_metadata(
        frame(*rows),
        exclude_status=(),
        exclude_duplicates=False,
        exclude_on_hold=False,
        exclude_theoretical=False,
        require_cell=False,
    )
    assert none.filters["removed"].sum() == 0
    impossible = none.table.set_index("cod_id").loc[1000051]
    assert impossible["status"] == "error"
    assert "gamma" in impossible["error"]
    assert np.isnan(impossible["v_formula"])


def test_the_space_group_comes_from_hall_then_symbol_then_number():
    rows = [
        HALITE | {"sgHall": "-P 2yn", "sg": "P 1 21/c 1", "sgNumber": "225"},
        HALITE | {"file": "1000042", "sgHall": "", "sg": "P 1 21/n 1", "sgNumber": "225"},
        HALITE | {"file": "1000043", "sgHall": "", "sg": "nonsense", "sgNumber": "62"},
        HALITE | {"file": "1000044", "sgHall": "", "sg": "", "sgNumber": "231"},
    ]
    table = clean_cod_metadata(frame(*rows)).table
    sources = table["spacegroup_source"].tolist()
    assert sources == ["sgHall", "sg", "sgNumber", None]
    assert table["spacegroup_number"].tolist()[1:3] == [14, 62]
    assert table["spacegroup_number"].isna().tolist() == [False, False, False, True]


def test_values_that_are_no_numbers_are_counted_not_hidden():
    rows = [HALITE, HALITE | {"file": "1000042", "vol": "about 180", "Z": "4.5", "year": "19x2"}]
    cleaned = clean_cod_metadata(frame(*rows))
    assert cleaned.unreadable == {"vol": 1, "year": 1}
    assert np.isnan(cleaned.table["volume"].iloc[1])
    missing = HALITE | {"file": "1000043", "vol": "NULL", "Z": "?", "sigvol": "\\N"}
    assert clean_cod_metadata(frame(missing)).unreadable == {}


def test_undocumented_columns_stay_and_few_columns_are_enough():
    table = frame(HALITE).assign(band_gap="5.0")
    assert clean_cod_metadata(table).table["band_gap"].tolist() == ["5.0"]
    few = clean_cod_metadata(pd.DataFrame({"file": [1000041]}), require_cell=False).table
    assert few["cod_id"].tolist() == [1000041]
    none = clean_cod_metadata(frame(HALITE).iloc[:0])
    assert len(none.table) == 0
    assert none.filters["removed"].sum() == 0


def test_numeric_frames_are_taken_too():
    table = frame(HALITE)
    for name in ("file", "a", "b", "c", "alpha", "beta", "gamma", "vol"):
        table[name] = pd.to_numeric(table[name])
    assert clean_cod_metadata(table).table["volume"].tolist() == [179.43]


def test_real_entries_keep_their_formulas_and_space_groups(shared_data):
    known = pd.read_csv(
        shared_data / "cod_cells.csv.gz", dtype=str, keep_default_na=False, na_values=[""]
    ).iloc[::5]
    selection = known.rename(columns={"spacegroup_symbol": "sg", "volume": "vol"})
    selection = selection.drop(columns=["spacegroup_number"])
    selection["file"] = known["source_id"].str.removeprefix("cod-")
    selection["formula"] = "- " + known["formula"] + " -"
    table = clean_cod_metadata(selection, exclude_duplicates=False).table
    assert table["formula"].tolist() == known["formula"].tolist()
    assert table["spacegroup_number"].tolist() == known["spacegroup_number"].astype(int).tolist()
    relative = table["v_formula"] / table["volume"] - 1
    assert relative.abs().max() < 1e-3


def test_bad_input_is_one_sentence():
    with pytest.raises(SchemaError, match="no column 'file'"):
        clean_cod_metadata(pd.DataFrame({"identifier": [1]}))
    for wrong in (b"", b'file,a\n1,2,3,4\n"torn'):
        with pytest.raises(SchemaError, match="no CSV table"):
            clean_cod_metadata(wrong)
    with pytest.raises(InvalidInputError, match="max_missing is 5"):
        clean_cod_metadata(frame(HALITE), max_missing=5)
    with pytest.raises(InvalidInputError, match="temperature is 300"):
        clean_cod_metadata(frame(HALITE), temperature=300)
    with pytest.raises(InvalidInputError, match="lowest comes first"):
        clean_cod_metadata(frame(HALITE), pressure=(5, 1))
