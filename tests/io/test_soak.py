"""One round of the soak test, and that it notices what it should."""

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("urllib3")
psutil = pytest.importorskip("psutil")
if os.name == "nt":
    pytest.skip("the soak test kills processes as POSIX does", allow_module_level=True)

TOOLS = str(Path(__file__).resolve().parents[2] / "tools")


@pytest.fixture(scope="module")
def soak():
    sys.path.insert(0, TOOLS)
    import soak

    yield soak
    sys.path.remove(TOOLS)


@pytest.fixture(scope="module")
def rounds(soak):
    import _soak_rounds

    return _soak_rounds


@pytest.fixture(scope="module")
def checks(soak):
    import _soak_checks

    return _soak_checks


def test_a_round_of_downloads(rounds, tmp_path):
    done = rounds.download_round(tmp_path, rounds.generator("test", 0), n_entries=36)
    assert (done["entries"], done["faulty"]) == (36, 12)
    assert done["requests"] > 36


def test_a_round_of_reading(rounds, tmp_path):
    done = rounds.reading_round(tmp_path, rounds.generator("test", 0), n_files=24)
    assert done["files"] == 24
    assert done["rows"] == sum(count for name, count in done.items() if name.startswith("rows "))


@pytest.fixture
def downloads(rounds, tmp_path):
    """A finished download of three entries, one of which the server does not have."""
    server = rounds.cod_server.Server()
    server.faults = {1000003: ("404", 10**9)}
    options = rounds._client_options(server, rounds.generator("test", 1))
    ids = [1000001, 1000002, 1000003]
    report = rounds._downloader(options, ids, tmp_path)()
    server.close()
    return tmp_path, ids, report, {1000003: "missing"}


def test_good_downloads_pass(checks, downloads):
    checks.check_downloads(*downloads)


def damage_partial(folder):
    path = folder / "1/00/00/1000001.cif"
    path.write_bytes(path.read_bytes()[:-5])


def damage_leftover(folder):
    (folder / ".incoming").mkdir()


def damage_manifest(folder):
    path = folder / "manifest.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [record | {"sha256": "0" * 64} for record in records]
    path.write_text("".join(json.dumps(record) + "\n" for record in changed))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_partial, "is not the server's file"),
        (damage_leftover, r"left behind: .*\.incoming"),
        (damage_manifest, "the manifest says"),
        (lambda folder: (folder / "1/00/00/1000002.cif").unlink(), "files are missing"),
    ],
    ids=["partial file", "left-over folder", "wrong manifest", "lost file"],
)
def test_what_downloads_may_not_leave_is_noticed(checks, downloads, damage, said):
    damage(downloads[0])
    with pytest.raises(checks.SoakError, match=said):
        checks.check_downloads(*downloads)


def test_unexpected_outcomes_are_noticed(checks, downloads):
    *others, lasting = downloads
    with pytest.raises(checks.SoakError, match="unexpected outcomes"):
        checks.check_downloads(*others, {**lasting, 1000001: "failed"})


def test_lost_and_unexplained_rows_are_noticed(checks):
    from crystalml.io import read_cifs

    table = read_cifs(["data_a _cell_length_a 5", "no CIF"], progress=False)
    checks.check_rows(table, 2)
    with pytest.raises(checks.SoakError, match="1 of 2 files"):
        checks.check_rows(table.iloc[:1], 2)
    table.loc[1, "error"] = None
    with pytest.raises(checks.SoakError, match="no reason"):
        checks.check_rows(table, 2)


def test_growth_is_told_from_noise(soak):
    def history(growth):
        return [soak.Levels(1000.0 + 500 * (k % 3) + growth * k, 7 + (k % 2), 2) for k in range(40)]

    assert soak.leaks(history(0.0)) == []
    assert soak.leaks(history(200.0)[:8]) == [], "too few rounds to tell"
    assert soak.leaks(history(100.0)) == [], "3 MB in 30 rounds may be the allocator's"
    (told,) = soak.leaks(history(500.0))
    assert told.startswith("memory_kb grows by")
    open_files = [soak.Levels(1000.0, 7 + k, 2) for k in range(40)]
    assert soak.leaks(open_files)[0].startswith("open_files grows by 1 per round")


def test_a_failing_round_is_kept_and_named(soak, monkeypatch, tmp_path):
    def fail(folder, chance):
        (folder / "evidence").write_text("")
        raise soak.SoakError("a file was lost")

    monkeypatch.setattr(soak, "download_round", fail)
    with pytest.raises(SystemExit, match=r"round 3 of seed 0, kept in .*: a file was lost"):
        soak.main(["--minutes", "0", "--first", "3", "--keep", str(tmp_path)])
    assert list(tmp_path.rglob("evidence"))
