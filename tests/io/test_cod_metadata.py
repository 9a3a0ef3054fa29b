"""COD's own tables in the column schema, and searches that bring them."""

import importlib.util
import json
import time
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest

from crystalml._schema import TABLE_COLUMNS
from crystalml.exceptions import CrystalmlWarning, DownloadError, InvalidInputError, SchemaError
from crystalml.io import CODClient, clean_cod_metadata
from crystalml.io._cod._columns import COD_COLUMNS
from crystalml.io._cod._search import hill_formula, search_queries

_spec = importlib.util.spec_from_file_location(
    "cod_server", Path(__file__).parent / "cod_server.py"
)
cod_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cod_server)

HALITE = {
    "file": "1000041",
    "a": "5.6402",
    "siga": "0.0002",
    "b": "5.6402",
    "c": "5.6402",
    "alpha": "90",
    "beta": "90",
    "gamma": "90",
    "vol": "179.43",
    "nel": "2",
    "sg": "F m -3 m",
    "sgHall": "-F 4 2 3",
    "sgNumber": "225",
    "formula": "- Cl Na -",
    "Z": "4",
    "year": "1962",
    "journal": "Acta",
    "volume": "17",
    "method": "single crystal",
    "flags": "has coordinates",
    "celltemp": "293",
    "mineral": "Halite",
    "doi": "10.1/x",
}
NITRIDE = HALITE | {
    "file": "4000001",
    "formula": "NaN",
    "mineral": "",
    "celltemp": "",
    "diffrtemp": "100",
    "flags": "has coordinates,has disorder",
    "title": 'Cells, "quoted"\nand long',
}


def frame(*rows):
    """A selection with all of COD's columns, as text."""
    table = pd.DataFrame([{name: row.get(name, "") for name in COD_COLUMNS} for row in rows])
    return table.astype(object)


def as_csv(*rows):
    return frame(*rows).to_csv(index=False).encode()


@pytest.fixture
def server():
    server = cod_server.Server()
    yield server
    server.close()


def client(server, **changes):
    options = {"delay": 0.0, "backoff": 0.001, "max_attempts": 3, "progress": False}
    return CODClient(server.url, **(options | changes))


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


def test_a_search_result_can_be_cleaned_too_and_its_csv(server, tmp_path):
    retracted = HALITE | {"file": "1000042", "status": "retracted"}
    server.answers["*"] = (200, as_csv(HALITE, NITRIDE, retracted))
    found = client(server).search(text="salt")
    found.to_csv(tmp_path / "found.csv", index=False)
    direct = clean_cod_metadata(found)
    saved = clean_cod_metadata(tmp_path / "found.csv")
    raw = clean_cod_metadata(frame(HALITE, NITRIDE, retracted))
    for other in (saved, raw):
        pd.testing.assert_frame_equal(direct.table, other.table)
        pd.testing.assert_frame_equal(direct.filters, other.filters)
    assert direct.table["formula"].tolist() == ["Cl Na", "NaN"]
    few = clean_cod_metadata(pd.DataFrame({"cod_id": [1000041]}), require_cell=False)
    assert few.table["cod_id"].tolist() == [1000041]


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


@pytest.mark.parametrize("form", ["csv", "json"])
def test_search_gives_the_schema(server, form):
    rows = [HALITE, NITRIDE]
    entries = [{k: v or None for k, v in row.items()} for row in frame(*rows).to_dict("records")]
    body = as_csv(*rows) if form == "csv" else json.dumps(entries).encode()
    server.answers["*"] = (200, body)
    table = client(server).search(elements=["Na", "Cl"], text="halite", response_format=form)
    assert table["formula"].tolist() == ["Cl Na", "NaN"]
    assert table["volume"].tolist() == [179.43, 179.43]
    assert list(table.columns[: len(TABLE_COLUMNS)]) == list(TABLE_COLUMNS)
    (path,) = server.requests
    asked = parse_qs(path.partition("?")[2])
    assert asked == {"el1": ["Na"], "el2": ["Cl"], "text": ["halite"], "format": [form]}


def test_a_server_that_ignores_a_range_is_corrected(server):
    big = HALITE | {"file": "1000042", "vol": "900", "a": ""}
    server.answers["*"] = (200, as_csv(HALITE, big))
    assert client(server).search(volume=(100, 200))["cod_id"].tolist() == [1000041]
    assert client(server).search(a=(5, None))["cod_id"].tolist() == [1000041]
    assert client(server).search(n_elements=2)["cod_id"].tolist() == [1000041, 1000042]
    assert client(server).search(n_elements=(3, 4)).empty
    assert client(server).search(spacegroup=225)["cod_id"].tolist() == [1000041, 1000042]
    assert client(server).search(spacegroup=14).empty


def test_no_hits_are_an_empty_table_of_the_schema(server):
    server.answers["*"] = (200, b"")
    for form in ("csv", "json"):
        table = client(server).search(formula="NaCl", response_format=form)
        assert table.empty
        assert set(TABLE_COLUMNS) <= set(table.columns)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>Fatal error</html>", "HTML"),
        (200, b"Query failed", "not a CSV table"),
        (500, b"", "HTTP 500"),
        (404, b"", "HTTP 404"),
        (200, b"\xff\xfe\x00", "not a CSV table"),
        (200, as_csv(HALITE) + b"<br /><b>Fatal error</b>: memory", "breaks off with an HTML"),
        (200, as_csv(HALITE)[:-1] + b',"torn', "not a whole CSV table"),
        (200, b"file" + b",a" * 2_000, "columns or more"),
        (200, b'file,"' + b"a" * 2_000_000, "not a CSV table"),
        (200, b"file" + (b',"' + b"a" * 100_000 + b'"') * 20, "columns or more"),
    ],
)
def test_an_answer_that_is_no_table_is_one_clear_error(server, status, body, said):
    server.answers["*"] = (status, body)
    with pytest.raises(DownloadError, match=said):
        client(server).search(text="halite")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"file": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "nested too deeply"),
        (b'{"file": 1000041}', "not a JSON list"),
        (b'[{"file": 1000041}, 7]', "not a JSON list"),
        (b'[{"file": 1000041}', "not a JSON list"),
        (b'"x"', "not a JSON list"),
        (b"null", "not a JSON list"),
        (b"\x00\xff", "not a JSON list"),
        (json.dumps([{"file": 1000041, **{f"c{k}": 1 for k in range(2000)}}]).encode(), "columns"),
    ],
    ids=range(9),
)
def test_json_that_is_no_table_is_one_clear_error(server, body, said):
    server.answers["*"] = (200, body)
    with pytest.raises(DownloadError, match=said):
        client(server).search(text="halite", response_format="json")


def test_values_of_json_that_no_column_holds_lose_no_row(server, tmp_path):
    odd = [
        '{"file": 1000041, "year": 1e30, "title": "half of a pair: \\ud800", "a": 5.64}',
        '{"file": "1000042", "title": {"nested": [1]}, "\\udfff": 1, "formula": ["- N -"]}',
        '{"file": ' + "9" * 5000 + ', "Z": NaN, "a": Infinity}',
        '{"file": null, "celltemp": true}',
    ]
    server.answers["*"] = (200, f"[{','.join(odd)}]".encode() + b"")
    with pytest.warns(CrystalmlWarning, match=r"do not belong.*'file': 1") as caught:
        table = client(server).search(text="x", response_format="json")
    assert len(caught) == 1
    assert table["cod_id"].tolist()[:2] == [1000041, 1000042]
    assert table["cod_id"].isna().sum() == 2
    assert table["title"].tolist() == ["half of a pair: ?", '{"nested": ["1"]}', None, None]
    table.to_csv(tmp_path / "found.csv")
    with pytest.raises(InvalidInputError, match="no COD id"):
        client(server).download(table, tmp_path)


def test_a_byte_that_is_no_utf_8_costs_one_letter(server):
    rows = [HALITE | {"mineral": "Cr\u00e9edite"}]
    for form, body in (("csv", as_csv(*rows)), ("json", json.dumps(rows).encode())):
        body = body.replace("\u00e9".encode(), b"\xe9").replace(b"\\u00e9", b"\xe9")
        server.answers["*"] = (200, body)
        table = client(server).search(text="x", response_format=form)
        assert table["mineral"].tolist() == ["Cr\ufffdedite"]


def test_a_search_tries_again_after_half_a_table(server):
    """The second answer to the same query is whole."""
    bodies = [as_csv(HALITE)[:-1] + b',"torn', as_csv(HALITE)]
    server.answers = Answers(bodies)
    assert client(server).search(text="x")["cod_id"].tolist() == [1000041]


class Answers(dict):
    """One body after another, whatever is asked for."""

    def __init__(self, bodies):
        super().__init__()
        self.bodies = iter(bodies)

    def get(self, *_):
        return 200, next(self.bodies)


def test_search_terms_in_the_words_of_the_cod():
    (query,) = search_queries(
        {
            "formula": "Fe2O3",
            "a": (5, None),
            "gamma": 120,
            "volume": (None, 302.5),
            "formula_units": (1, 4),
            "without_elements": ["C"],
            "year": 1999,
            "text": None,
        },
        caller="test",
    )
    assert query == {
        "formula": "Fe2 O3",
        "amin": "5",
        "gamin": "120",
        "gamax": "120",
        "vmax": "302.5",
        "minZ": "1",
        "maxZ": "4",
        "nel1": "C",
        "year": "1999",
    }
    assert search_queries({"spacegroup": "P 1 21/n 1"}, caller="t") == [
        {"spacegroup": "P 1 21/n 1"}
    ]
    symbols = [q["spacegroup"] for q in search_queries({"spacegroup": 14}, caller="t")]
    assert {"P 1 21/c 1", "P 1 21/n 1", "P 1 21/a 1", "P 1 1 21/b"} <= set(symbols)
    batches = search_queries({"ids": range(1000000, 1001200)}, caller="t")
    assert [len(b["id"].split(",")) for b in batches] == [500, 500, 200]


@pytest.mark.parametrize(
    ("formula", "hill"),
    [
        ("NaN", "N Na"),
        ("C8H10N4O2", "C8 H10 N4 O2"),
        ("H2O", "H2 O"),
        ("CaCO3", "C Ca O3"),
        ("La1.5Sr0.5CuO4", "Cu La1.5 O4 Sr0.5"),
    ],
)
def test_formulas_are_sent_in_hill_order(formula, hill):
    assert hill_formula(formula) == hill


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({}, "at least one search term"),
        ({"elements": ["Fee"]}, "no element symbol"),
        ({"elements": [*list("HCNOFPSK"), "Na"]}, "at most 8"),
        ({"volume": (5, 1)}, "lowest comes first"),
        ({"a": "long"}, "give a number"),
        ({"ids": ["../../x"]}, "no COD id"),
        ({"spacegroup": 231}, "231"),
    ],
)
def test_terms_that_cannot_be_used_are_refused_before_any_request(server, terms, said):
    with pytest.raises(InvalidInputError, match=said):
        client(server).search(**terms)
    assert server.requests == []


def test_terms_are_encoded_not_pasted(server):
    server.answers["*"] = (200, as_csv(HALITE))
    client(server).search(text="a&format=zip#../x")
    (path,) = server.requests
    assert parse_qs(path.partition("?")[2]) == {"text": ["a&format=zip#../x"], "format": ["csv"]}
