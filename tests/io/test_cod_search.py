"""Searches: terms in the words of the COD, and answers of all kinds as one table."""

import importlib.util
import json
from pathlib import Path
from urllib.parse import parse_qs

import pandas as pd
import pytest

from crystalml._schema import TABLE_COLUMNS
from crystalml.exceptions import CrystalmlWarning, DownloadError, InvalidInputError
from crystalml.io import CODClient, clean_cod_metadata
from crystalml.io._cod._search import hill_formula, search_queries

pytest.importorskip("urllib3")

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


@pytest.fixture
def server():
    server = cod_server.Server()
    yield server
    server.close()


def client(server, **changes):
    options = {"delay": 0.0, "backoff": 0.001, "max_attempts": 3, "progress": False}
    return CODClient(server.url, **(options | changes))


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


class Answers(dict):
    """One body after another, whatever is asked for."""

    def __init__(self, bodies):
        super().__init__()
        self.bodies = iter(bodies)

    def get(self, *_):
        return 200, next(self.bodies)
