"""Downloads from a server that misbehaves on purpose, one fault at a time and all together."""

import hashlib
import importlib.util
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crystalml.exceptions import DownloadError, InvalidInputError, MissingDependencyError
from crystalml.io import CODClient
from crystalml.io._cod._store import STAGING_NAME

pytest.importorskip("urllib3")

# Tests are collected in importlib mode, where neighbours are not importable by name.
_spec = importlib.util.spec_from_file_location(
    "cod_server", Path(__file__).parent / "cod_server.py"
)
cod_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cod_server)

TRANSIENT = (
    *("500", "503", "html", "empty", "truncated", "truncated_honestly", "truncated_chunks"),
    *("truncated_gzip", "reset", "redirect", "wrong_id"),
)
FIRST = 1000041


@pytest.fixture
def server():
    server = cod_server.Server()
    yield server
    server.close()


def client(server, **changes):
    """A client in a hurry."""
    options = {
        "delay": 0.0,
        "backoff": 0.001,
        "max_backoff": 0.002,
        "read_timeout": 5.0,
        "progress": False,
        "random_state": 0,
    }
    return CODClient(server.url, **(options | changes))


def files_in(folder):
    """Every file below the folder, relative, with forward slashes."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def global_random_states():
    return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002


def path_of(cod_id):
    digits = str(cod_id)
    return f"{digits[0]}/{digits[1:3]}/{digits[3:5]}/{digits}.cif"


def assert_good_files(folder, ids):
    for cod_id in ids:
        assert (folder / path_of(cod_id)).read_bytes() == cod_server.cif(cod_id)


def test_files_lie_as_in_a_cod_mirror_and_the_report_describes_them(server, tmp_path):
    report = client(server).download([FIRST, str(FIRST + 1), np.int64(FIRST)], tmp_path)
    assert files_in(tmp_path) == {path_of(FIRST), path_of(FIRST + 1), "manifest.jsonl"}
    assert report.counts == {"downloaded": 2}
    assert report.complete
    assert report.table["cod_id"].tolist() == [FIRST, FIRST + 1]
    assert report.paths == [str(tmp_path / path_of(i)) for i in (FIRST, FIRST + 1)]
    body = cod_server.cif(FIRST)
    row = report.table.iloc[0]
    assert row["sha256"] == hashlib.sha256(body).hexdigest()
    assert (row["bytes"], row["http_status"], row["attempts"]) == (len(body), 200, 1)
    assert row["error"] is None
    assert "2 downloaded" in str(report)
    (agent,) = server.agents
    assert agent.startswith("crystalml-sklearn/")


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_is_tried_again(server, tmp_path, fault):
    server.faults[FIRST] = (fault, 2)
    report = client(server).download([FIRST], tmp_path)
    assert report.counts == {"downloaded": 1}
    assert_good_files(tmp_path, [FIRST])
    assert report.table.loc[0, "attempts"] == (1 if fault == "redirect" else 3)


@pytest.mark.parametrize(
    ("fault", "outcome", "said", "asked"),
    [
        ("500", "failed", "HTTP 500", 3),
        ("503", "failed", "HTTP 503", 3),
        ("404", "missing", "HTTP 404", 1),
        ("403", "failed", "HTTP 403", 1),
        ("html", "invalid", "HTML", 3),
        ("empty", "invalid", "empty", 3),
        ("wrong_id", "invalid", "'9999999', not 1000041", 3),
        ("truncated", "failed", "IncompleteRead", 3),
        ("truncated_honestly", "invalid", "truncated or damaged", 3),
        ("truncated_gzip", "invalid", "truncated gzip", 3),
        ("reset", "failed", "", 3),
        ("redirect_loop", "failed", "redirect", 3 * 6),
        ("huge", "too_large", "max_file_size is 100000", 1),
        ("bomb", "too_large", "unpacks to more than 100000 bytes", 1),
    ],
)
def test_a_lasting_fault_is_reported_and_leaves_no_file(
    server, tmp_path, fault, outcome, said, asked
):
    server.faults[FIRST] = (fault, 10**9)
    report = client(server, max_attempts=3, max_file_size=100_000).download([FIRST], tmp_path)
    assert report.counts == {outcome: 1}
    assert said in report.table.loc[0, "error"]
    assert report.table.loc[0, "path"] is None
    assert not report.complete
    assert files_in(tmp_path) == {"manifest.jsonl"}
    assert len(server.requests) == asked


def test_a_stalled_body_meets_the_read_timeout(server, tmp_path):
    server.faults[FIRST] = ("stalled", 2)
    hasty = client(server, read_timeout=0.1, max_attempts=2)
    report = hasty.download([FIRST], tmp_path)
    assert report.counts == {"failed": 1}
    assert report.table.loc[0, "error"].startswith("ReadTimeoutError")
    assert hasty.download([FIRST], tmp_path).counts == {"downloaded": 1}


def test_a_slow_body_meets_the_time_limit_of_the_file(server, tmp_path):
    server.faults[FIRST] = ("slow", 10**9)
    report = client(server, file_timeout=0.3).download([FIRST], tmp_path)
    assert report.counts == {"failed": 1}
    assert "time limit of 0.3 s" in report.table.loc[0, "error"]
    assert len(server.requests) == 1


def test_gzip_is_asked_for_and_undone(server, tmp_path):
    server.gzip = True
    assert client(server).download([FIRST], tmp_path).complete
    assert_good_files(tmp_path, [FIRST])


def test_retry_after_is_honoured_up_to_its_cap(server, tmp_path):
    server.faults[FIRST] = ("503", 1)
    server.retry_after = "3600"
    began = time.monotonic()
    assert client(server, max_retry_after=0.3).download([FIRST], tmp_path).complete
    assert time.monotonic() - began >= 0.3


def test_requests_start_at_least_the_delay_apart(server, tmp_path):
    ids = range(FIRST, FIRST + 6)
    began = time.monotonic()
    client(server, delay=0.05, n_workers=4).download(ids, tmp_path)
    assert time.monotonic() - began >= 5 * 0.05


def test_a_thousand_entries_with_a_fifth_faulty(server, tmp_path):
    ids = list(range(2100001, 2101001))
    rng = random.Random(5)  # noqa: S311
    faulty = rng.sample(ids, 200)
    lasting = dict(
        zip(faulty[:60], ["404", "html", "wrong_id", "truncated_honestly"] * 15, strict=True)
    )
    passing = {i: rng.choice(TRANSIENT) for i in faulty[60:]}
    server.faults = {i: (fault, 10**9) for i, fault in lasting.items()}
    server.faults |= {i: (fault, 2) for i, fault in passing.items()}
    before = global_random_states()
    shy = client(server, n_workers=4)
    report = shy.download(ids, tmp_path)
    assert global_random_states() == before
    good = [i for i in ids if i not in lasting]
    assert report.counts == {"downloaded": 940, "missing": 15, "invalid": 45}
    assert set(report.problems["cod_id"]) == set(lasting)
    assert report.problems["error"].notna().all()
    assert_good_files(tmp_path, good)
    assert files_in(tmp_path) == {*map(path_of, good), "manifest.jsonl"}

    asked = len(server.requests)
    again = shy.download(ids, tmp_path)
    assert len(server.requests) == asked, "a second run makes no request"
    assert again.counts == {"verified": 940, "missing": 15, "invalid": 45}
    assert again.table["cod_id"].tolist() == ids


def test_what_failed_is_tried_again_and_verdicts_on_request(server, tmp_path):
    server.faults = {FIRST: ("500", 2), FIRST + 1: ("404", 1)}
    hasty = client(server, max_attempts=2)
    ids = [FIRST, FIRST + 1]
    assert hasty.download(ids, tmp_path).counts == {"missing": 1, "failed": 1}
    assert hasty.download(ids, tmp_path, retry="none").counts == {"missing": 1, "failed": 1}
    assert len(server.requests) == 3
    assert hasty.download(ids, tmp_path).counts == {"downloaded": 1, "missing": 1}
    assert hasty.download(ids, tmp_path, retry="all").counts == {"downloaded": 1, "verified": 1}


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    client(server).download([FIRST, FIRST + 1], tmp_path)
    flipped = tmp_path / path_of(FIRST)
    body = bytearray(flipped.read_bytes())
    body[-3] ^= 1
    flipped.write_bytes(body)
    (tmp_path / path_of(FIRST + 1)).write_bytes(body[:-5])
    assert client(server).download([FIRST], tmp_path, verify="size").counts == {"verified": 1}
    report = client(server).download([FIRST, FIRST + 1], tmp_path)
    assert report.counts == {"downloaded": 2}
    assert_good_files(tmp_path, [FIRST, FIRST + 1])


def test_files_of_a_mirror_are_taken_over_after_a_look_at_their_content(server, tmp_path):
    for cod_id, body in ((FIRST, cod_server.cif(FIRST)), (FIRST + 1, b"<html>")):
        path = tmp_path / path_of(cod_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    report = client(server).download([FIRST, FIRST + 1], tmp_path)
    assert report.counts == {"downloaded": 1, "found": 1}
    assert len(server.requests) == 1
    assert_good_files(tmp_path, [FIRST, FIRST + 1])
    assert client(server).download([FIRST], tmp_path).counts == {"verified": 1}


def test_a_torn_manifest_is_tolerated(server, tmp_path):
    client(server).download([FIRST, FIRST + 1], tmp_path)
    manifest = tmp_path / "manifest.jsonl"
    with manifest.open("ab") as stream:
        stream.write(b'\x00\xff\n[1, 2]\n{"cod_id": 1000041, "outco')
    report = client(server).download([FIRST, FIRST + 1, FIRST + 2], tmp_path)
    assert report.counts == {"downloaded": 1, "verified": 2}
    last = json.loads(manifest.read_bytes().splitlines()[-1])
    assert last["cod_id"] == FIRST + 2
    assert set(last) == {
        *("cod_id", "outcome", "http_status", "bytes", "sha256", "attempts", "error", "time")
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"http_status": "four hundred"},
        {"http_status": 1 << 70},
        {"outcome": ["missing"]},
        {"outcome": "lost"},
        {"error": {"a": 1}},
        {"cod_id": float(FIRST)},
        {"cod_id": [FIRST]},
        {"nested": None},
    ],
    ids=str,
)
def test_a_manifest_with_a_record_that_makes_no_sense_is_used_without_it(server, tmp_path, changes):
    record = {"cod_id": FIRST, "outcome": "missing", "http_status": 404, "error": "HTTP 404"}
    line = json.dumps(record | changes).replace("null", "[" * 50_000)
    (tmp_path / "manifest.jsonl").write_text(line + "\n")
    assert client(server).download([FIRST], tmp_path).counts == {"downloaded": 1}


def test_offline_never_opens_a_socket(server, tmp_path, monkeypatch):
    client(server).download([FIRST], tmp_path)

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    quiet = client(server, offline=True)
    report = quiet.download([FIRST, FIRST + 1], tmp_path)
    assert report.counts == {"verified": 1, "offline": 1}
    with pytest.raises(DownloadError, match="offline"):
        quiet.search(formula="NaCl")


BAD_IDS = (
    *("../../x", "../1000041", "1000041/../../x", "1000041.cif", "%2e%2e", "١٠٠٠٠٤١", "", "NaN"),
    *("0999999", "10000410", 999999, 10000000, -1000041, 1000041.5, True, None, float("nan")),
    *(b"1000041", "1000041\n../x", "1000041?x=1", "\x00", float("inf")),
)


@pytest.mark.parametrize("bad", BAD_IDS, ids=repr)
def test_what_is_no_id_reaches_neither_the_file_system_nor_an_address(server, tmp_path, bad):
    folder = tmp_path / "a" / "b"
    with pytest.raises(InvalidInputError, match="no COD id"):
        client(server).download([FIRST, bad], folder)
    assert not folder.exists()
    report = client(server).download([FIRST, bad], folder, on_invalid="report")
    assert report.counts == {"downloaded": 1}
    assert report.refused["position"].tolist() == [1]
    assert not report.complete
    assert server.requests == [f"/cod/{FIRST}.cif"]
    assert {p.relative_to(tmp_path).parts[:2] for p in tmp_path.rglob("*") if p.is_file()} == {
        ("a", "b")
    }


def test_ids_come_from_tables_and_scalars(server, tmp_path):
    table = pd.DataFrame({"cod_id": pd.array([FIRST, FIRST + 1], dtype="Int64")})
    assert client(server).download(table, tmp_path).counts == {"downloaded": 2}
    assert client(server).download(FIRST, tmp_path).counts == {"verified": 1}
    assert client(server).download([], tmp_path).counts == {}


def test_a_dead_server_is_given_up(tmp_path, server):
    server.close()
    report = client(server, max_attempts=1, stop_after_failures=5, n_workers=1).download(
        range(FIRST, FIRST + 20), tmp_path
    )
    assert report.counts == {"failed": 5, "skipped": 15}
    assert "5 entries in a row" in report.table["error"].iloc[-1]


def test_two_downloads_into_one_folder_are_refused(server, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    client(server).download([FIRST], tmp_path)
    with (tmp_path / "manifest.jsonl").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another download"):
            client(server).download([FIRST], tmp_path)
    assert client(server).download([FIRST], tmp_path).complete


def test_a_folder_that_cannot_be_written_is_one_clear_error(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot be used"):
        client(server).download([FIRST], tmp_path / "file")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DownloadError, match=r"could not be written.*No space left"):
        client(server).download([FIRST], tmp_path)
    monkeypatch.undo()
    assert files_in(tmp_path) == {"file", "manifest.jsonl"}
    assert client(server).download([FIRST], tmp_path).complete


def test_an_interrupt_keeps_what_is_finished(server, tmp_path, monkeypatch):
    from crystalml.io._cod._store import Manifest

    append, seen = Manifest.append, []

    def interrupted(self, **fields):
        seen.append(fields["cod_id"])
        if len(seen) == 30:
            raise KeyboardInterrupt
        append(self, **fields)

    ids = list(range(FIRST, FIRST + 100))
    monkeypatch.setattr(Manifest, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client(server).download(ids, tmp_path)
    monkeypatch.undo()
    arrived = files_in(tmp_path) - {"manifest.jsonl"}
    assert 30 <= len(arrived) < 100
    assert_good_files(tmp_path, [int(Path(name).stem) for name in arrived])
    asked = len(server.requests)
    report = client(server).download(ids, tmp_path)
    assert report.complete
    assert len(server.requests) - asked == 100 - len(arrived)


def test_an_interrupt_while_threads_start_stops_those_that_run(server, tmp_path, monkeypatch):
    start, started = threading.Thread.start, []

    def interrupted(thread):
        if thread._target.__name__ == "_serve":
            if len(started) == 2:
                raise KeyboardInterrupt
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    ids = range(FIRST, FIRST + 200)
    with pytest.raises(KeyboardInterrupt):
        client(server, n_workers=4, delay=0.01).download(ids, tmp_path)
    monkeypatch.undo()
    assert not any(thread.is_alive() for thread in started)
    assert len(server.requests) < 100
    assert client(server, n_workers=4).download(ids, tmp_path).complete


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
def test_a_killed_process_loses_nothing_and_leaves_no_partial_file(server, tmp_path, number):
    code = (
        "import sys; from crystalml.io import CODClient\n"
        f"client = CODClient({server.url!r}, delay=0.02, progress=False)\n"
        f"client.download(range({FIRST}, {FIRST + 400}), {str(tmp_path)!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(server.requests) < 60 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert b"KeyboardInterrupt" in stderr
        assert not (tmp_path / STAGING_NAME).exists()
    finished = sorted(tmp_path.rglob("*.cif"))
    assert finished
    assert_good_files(tmp_path, [int(path.stem) for path in finished])
    time.sleep(0.2)  # the server may still be reading the last requests of the dead process
    asked = len(server.requests)
    ids = range(FIRST, FIRST + 400)
    report = client(server).download(ids, tmp_path)
    assert report.complete
    assert len(server.requests) - asked == 400 - len(finished)
    assert files_in(tmp_path) == {*map(path_of, ids), "manifest.jsonl"}


needs_scripts = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")

FAKE_RSYNC = """#!{python}
import pathlib, sys
sys.path.insert(0, {here!r})
import cod_server
log, *_ = [{log!r}]
args = sys.argv[1:]
pathlib.Path(log).open("a").write(repr(args) + "\\n")
(files_from,) = [a.partition("=")[2] for a in args if a.startswith("--files-from=")]
dest = pathlib.Path(args[-1])
for name in pathlib.Path(files_from).read_text().split():
    cod_id = int(pathlib.Path(name).stem)
    if cod_id % 10 == 4:
        continue
    path = dest / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cod_server.cif(cod_id) if cod_id % 10 != 7 else b"<html>oops")
print("rsync error: \x1b[2Jsome files could not be transferred", file=sys.stderr)
sys.exit({status})
"""


def install_fake_rsync(tmp_path, monkeypatch, *, status):
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir(exist_ok=True)
    log = tmp_path / "rsync.log"
    program = bin_folder / "rsync"
    here = str(Path(__file__).parent)
    program.write_text(
        FAKE_RSYNC.format(python=sys.executable, here=here, log=str(log), status=status)
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder))
    return log


@needs_scripts
@pytest.mark.parametrize("status", [23, 10], ids=["partial", "connection lost"])
def test_rsync_brings_a_list_of_files_that_are_checked_like_any(
    server, tmp_path, monkeypatch, status
):
    log = install_fake_rsync(tmp_path, monkeypatch, status=status)
    source = "rsync://127.0.0.1/cif/"
    dest = tmp_path / "with space; and $(semicolon)"
    ids = list(range(1000040, 1000050))
    shy = client(server, rsync_url=source)
    report = shy.download(ids, dest, method="rsync")
    absent = "missing" if status == 23 else "failed"
    assert report.counts == {"downloaded": 8, absent: 1, "invalid": 1}
    assert server.requests == []
    assert report.problems["error"].map(str.isprintable).all()
    good = [i for i in ids if i not in (1000044, 1000047)]
    assert_good_files(dest, good)
    assert files_in(dest) == {*map(path_of, good), "manifest.jsonl"}
    arguments = log.read_text()
    assert "'--', 'rsync://127.0.0.1/cif/'" in arguments
    again = shy.download(good, dest, method="rsync")
    assert again.counts == {"verified": 8}
    assert log.read_text() == arguments, "a second run does not call rsync"


@needs_scripts
def test_rsync_that_brings_too_much_is_told_from_one_that_brings_rubbish(
    server, tmp_path, monkeypatch
):
    install_fake_rsync(tmp_path, monkeypatch, status=0)
    short = client(server, rsync_url="rsync://127.0.0.1/cif/", max_file_size=100)
    report = short.download([1000041, 1000047], tmp_path / "dest", method="rsync")
    assert report.counts == {"invalid": 1, "too_large": 1}
    assert "max_file_size is 100" in report.table.loc[0, "error"]


@needs_scripts
def test_an_interrupted_rsync_keeps_what_had_arrived(server, tmp_path, monkeypatch):
    install_fake_rsync(tmp_path, monkeypatch, status=0)
    run = subprocess.run

    def interrupted(*args, **kwargs):
        run(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    dest, ids = tmp_path / "dest", list(range(1000040, 1000050))
    shy = client(server, rsync_url="rsync://127.0.0.1/cif/")
    with pytest.raises(KeyboardInterrupt):
        shy.download(ids, dest, method="rsync")
    good = [i for i in ids if i not in (1000044, 1000047)]
    assert files_in(dest) == {*map(path_of, good), "manifest.jsonl"}
    assert shy.download(good, dest).counts == {"verified": 8}


def test_rsync_is_named_when_it_is_missing_or_unknown(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="not on the PATH"):
        client(server, rsync_url="rsync://x/").download([FIRST], tmp_path / "a", method="rsync")
    with pytest.raises(InvalidInputError, match="rsync_url"):
        client(server).download([FIRST], tmp_path / "a", method="rsync")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_workers", 0),
        ("n_workers", 2.5),
        ("delay", -1),
        ("max_attempts", True),
        ("read_timeout", "10"),
        ("max_file_size", 0),
        ("stop_after_failures", 0),
    ],
)
def test_parameters_are_checked(parameter, value):
    with pytest.raises(InvalidInputError, match=f"CODClient: {parameter} is {value!r}"):
        CODClient(**{parameter: value})


@pytest.mark.parametrize(
    "url", ["ftp://x/", "file:///etc/", "www.crystallography.net", "http://[::1/", None]
)
def test_only_web_addresses_are_taken(url):
    with pytest.raises(InvalidInputError, match="base_url"):
        CODClient(url)


@pytest.mark.parametrize("agent", ["me\r\nX: y", "J\u00f6rg", 5])
def test_a_user_agent_is_one_line_of_ascii(agent):
    with pytest.raises(InvalidInputError, match="user_agent is"):
        CODClient(user_agent=agent)


def test_choices_are_checked(server, tmp_path):
    for name in ("method", "verify", "retry", "on_invalid"):
        with pytest.raises(InvalidInputError, match=f"{name} is 'never'"):
            client(server).download([FIRST], tmp_path, **{name: "never"})
