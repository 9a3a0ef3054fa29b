"""fetch_cod from a loopback server: choose, filter, download, and do nothing twice."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crystalml.datasets import fetch_cod
from crystalml.exceptions import DownloadError, InvalidInputError
from crystalml.io import CODClient

pytest.importorskip("urllib3")

_path = Path(__file__).parents[1] / "io" / "cod_server.py"
_spec = importlib.util.spec_from_file_location("cod_server", _path)
cod_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cod_server)

IDS = [1000041, 1000042, 1000043, 1000044]
SELECTION = pd.DataFrame(
    {
        "file": [str(i) for i in IDS],
        "formula": ["- Cl Na -", "NaN", "- O Mg -", "- Cl K -"],
        **dict.fromkeys("abc", "5.64"),
        **dict.fromkeys(["alpha", "beta", "gamma"], "90"),
        "vol": "179.4",
        "sg": "F m -3 m",
        "volume": "17",
        "flags": "has disorder",
        "status": ["", "", "retracted", "warnings"],
    }
)
CSV = SELECTION.to_csv(index=False).encode()


@pytest.fixture
def server():
    server = cod_server.Server()
    server.answers["*"] = (200, CSV)
    yield server
    server.close()


def client(server, **changes):
    return CODClient(server.url, delay=0.0, progress=False, **changes)


def test_a_search_is_filtered_then_only_the_chosen_are_downloaded(server, tmp_path):
    bunch = fetch_cod(client=client(server), data_home=tmp_path, elements=["Na", "Cl"])
    assert bunch.table["cod_id"].tolist() == [1000041, 1000042, 1000044]
    assert bunch.table["formula"].tolist() == ["Cl Na", "NaN", "Cl K"]
    assert bunch.table["outcome"].eq("downloaded").all()
    assert bunch.cleaned.filters.set_index("filter").loc["status", "removed"] == 1
    assert bunch.report.complete
    assert sorted(bunch.paths) == sorted(bunch.table["path"])
    assert all(Path(p).is_relative_to(bunch.folder) for p in bunch.paths)
    assert "public domain" in bunch.DESCR
    assert "/cod/1000043.cif" not in server.requests


def test_a_second_call_makes_no_request_and_gives_the_same_table(server, tmp_path):
    first = fetch_cod(client=client(server), data_home=tmp_path, text="salt", volume=(100, 200))
    asked = len(server.requests)
    second = fetch_cod(client=client(server), data_home=tmp_path, text="salt", volume=(100, 200))
    assert len(server.requests) == asked
    columns = [name for name in first.table if name != "outcome"]
    pd.testing.assert_frame_equal(second.table[columns], first.table[columns])
    offline = client(server, offline=True)
    assert fetch_cod(client=offline, data_home=tmp_path, text="salt", volume=(100, 200)).paths
    with pytest.raises(DownloadError, match="offline"):
        fetch_cod(client=offline, data_home=tmp_path, text="other")
    fetch_cod(
        client=client(server), data_home=tmp_path, text="salt", volume=(100, 200), refresh=True
    )
    assert len(server.requests) == asked + 1


def test_terms_of_numpy_and_sets_are_remembered(server, tmp_path):
    for terms in (
        {"spacegroup": np.int64(225), "elements": {"Na", "Cl"}},
        {"spacegroup": 225, "elements": ["Cl", "Na"]},
    ):
        bunch = fetch_cod(client=client(server), data_home=tmp_path, max_entries=1, **terms)
        assert bunch.report.complete
    searches = [path for path in server.requests if "result" in path]
    assert len(searches) == len(set(searches)), "the second call asks nothing"


def test_an_id_that_is_none_costs_its_own_row(server, tmp_path):
    wrong = SELECTION.assign(file=["1000041", "42", "9" * 20, "1000044"], status="")
    bunch = fetch_cod(wrong, client=client(server), data_home=tmp_path)
    assert bunch.table["cod_id"].tolist() == [1000041, 1000044]
    assert bunch.cleaned.unreadable == {"file": 2}


def test_a_saved_selection_works_as_input(server, tmp_path):
    path = tmp_path / "selection.csv"
    path.write_bytes(CSV)
    options = {"exclude_status": (), "max_missing": None}
    bunch = fetch_cod(path, client=client(server), data_home=tmp_path, clean=options, max_entries=3)
    assert bunch.table["cod_id"].tolist() == IDS[:3]
    assert bunch.table["is_disordered"].tolist() == [True] * 3
    assert {r.rpartition("/")[2] for r in server.requests} == {f"{i}.cif" for i in IDS[:3]}


def test_ids_alone_need_no_metadata(server, tmp_path):
    server.faults[IDS[1]] = ("404", 9)
    bunch = fetch_cod(ids=IDS[:2], client=client(server), data_home=tmp_path)
    assert bunch.table["outcome"].tolist() == ["downloaded", "missing"]
    assert bunch.table["path"].isna().tolist() == [False, True]
    assert bunch.cleaned is None


def test_exactly_one_choice_is_made(server, tmp_path):
    for wrong in ({}, {"ids": IDS, "text": "salt"}, {"metadata": SELECTION, "ids": IDS}):
        with pytest.raises(InvalidInputError, match="exactly one"):
            fetch_cod(client=client(server), data_home=tmp_path, **wrong)
    with pytest.raises(InvalidInputError, match="max_entries is 0"):
        fetch_cod(ids=IDS, client=client(server), data_home=tmp_path, max_entries=0)
    with pytest.raises(InvalidInputError, match="no COD id"):
        fetch_cod(ids=["../../x"], client=client(server), data_home=tmp_path)
    assert server.requests == []
