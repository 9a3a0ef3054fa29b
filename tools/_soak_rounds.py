"""What one round of `soak.py` does to the COD client and to the reader, and what must hold after.

A round takes a folder and a random generator, and raises SoakError where something is lost, left
over or done twice. Runs are interrupted (SIGINT), killed (SIGKILL) and find their files damaged
before they may finish.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
import warnings
import zipfile
from collections import Counter

from _fuzz_targets import CIFTarget
from _soak_checks import (
    ROOT,
    check_data_set,
    check_downloads,
    check_files,
    check_rows,
    cod_server,
    demand,
    unexpected_outcomes,
)

PASSING = (
    *("500", "503", "html", "empty", "truncated", "truncated_honestly", "truncated_chunks"),
    *("truncated_gzip", "reset", "redirect", "wrong_id"),
)
# Fault that stays -> outcome that the client must report.
LASTING = {
    **dict.fromkeys(("500", "503", "403", "truncated", "truncated_chunks", "reset"), "failed"),
    **dict.fromkeys(("redirect_loop", "stalled"), "failed"),
    **dict.fromkeys(("html", "empty", "wrong_id", "truncated_honestly"), "invalid"),
    "truncated_gzip": "invalid",
    "404": "missing",
    "huge": "too_large",
    "bomb": "too_large",
}
_ALWAYS = 10**9
_MOST_CALLS = 6
_LONGEST = 20_000  # bytes of a CIF: many inputs do more than few large ones
_KILLED_DOWNLOAD = """
import json, sys
from crystalml.io import CODClient
client, ids, dest = json.loads(sys.argv[1])
client = CODClient(**client)
print("ready", flush=True)
client.download(ids, dest)
"""
_KILLED_READING = """
import json, sys
import pyarrow.parquet
from crystalml.io import cifs_to_parquet
sources, dest, options = json.loads(sys.argv[1])
print("ready", flush=True)
cifs_to_parquet(sources, dest, **options)
"""


def killed(code, arguments, delay):
    """Run code in a process that is killed so many seconds after it is ready; tell if it was."""
    command = [sys.executable, "-c", code, json.dumps(arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:  # noqa: S603 - the code stands here
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        _, complaints = process.communicate()
    demand(process.returncode in (0, -signal.SIGKILL), complaints.decode(errors="replace"))
    return process.returncode != 0


def interrupted(work, delay):
    """Do something, and press Ctrl-C after so many seconds; tell whether that ended it."""
    armed = True

    def press(_number, _frame):
        if armed:
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, press)
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a pool warns of what it had to leave
            work()
        armed = False
    except KeyboardInterrupt:
        armed = False
        return True
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, previous)
    return False


def download_round(folder, chance, n_entries=120):
    """Download from a server that misbehaves; return what was done, by name."""
    server, done = cod_server.Server(), Counter()
    try:
        ids = chance.sample(range(1000000, 9999999), n_entries)
        lasting = _set_faults(server, ids, chance)
        client = _client_options(server, chance)
        done["kills"] += killed(_KILLED_DOWNLOAD, [client, ids, str(folder)], _delay(chance, 0.8))
        check_files(folder, ids)
        download = _downloader(client, ids, folder)
        done["interrupts"] += interrupted(download, _delay(chance, 0.6))
        check_files(folder, ids)
        done["damages"] += _damage_downloads(folder, chance)
        report = _completed(download, lasting)
        check_downloads(folder, ids, report, lasting)
        asked = len(server.requests)
        again = download(retry="none")
        demand(len(server.requests) == asked, "the second run asked the server again")
        check_downloads(folder, ids, again, lasting)
        done.update(entries=n_entries, requests=asked, faulty=len(server.faults))
    finally:
        server.close()
        _await_handlers()
    return done


def reading_round(folder, chance, n_files=120):
    """Read damaged files into a Parquet data set; return what was done, by name."""
    from crystalml.io import cifs_to_parquet, read_cifs

    done, dest = Counter(), folder / "table"
    sources = _damaged_cifs(folder / "cifs", chance, n_files)
    options = {"files_per_part": chance.choice([5, 20, 50]), "progress": False}
    done["kills"] += killed(_KILLED_READING, [sources, str(dest), options], _delay(chance, 0.5))
    n_jobs = chance.choice([None, None, None, 2])

    def run():
        return cifs_to_parquet(sources, dest, n_jobs=n_jobs, **options)

    done["interrupts"] += interrupted(run, _delay(chance, 0.5))
    done["damages"] += _damage_parts(dest, chance)
    report = run()
    expected = read_cifs(sources, progress=False)
    check_rows(expected, n_files)
    check_data_set(dest, report, expected, n_files)
    before = _contents(dest)
    demand(run().n_files_read == 0, "the second run read files again")
    demand(_contents(dest) == before, "the second run changed the data set")
    done.update(
        files=n_files, rows=len(expected), **{f"rows {k}": v for k, v in report.counts.items()}
    )
    return done


def _delay(chance, longest):
    return chance.uniform(0, longest)


def _set_faults(server, ids, chance):
    """Give a third of the entries a fault; return the outcomes of those whose fault stays."""
    faulty = chance.sample(ids, len(ids) // 3)
    stays = dict(zip(faulty[::3], chance.choices(sorted(LASTING), k=len(ids)), strict=False))
    server.faults = {cod_id: (chance.choice(PASSING), chance.randint(1, 2)) for cod_id in faulty}
    server.faults |= {cod_id: (name, _ALWAYS) for cod_id, name in stays.items()}
    server.gzip = chance.random() < 0.5
    return {cod_id: LASTING[name] for cod_id, name in stays.items()}


def _client_options(server, chance):
    """Return the parameters of a client in a hurry."""
    return {
        "base_url": server.url,
        "n_workers": chance.choice([1, 2, 4, 8]),
        "delay": chance.choice([0.0, 0.001]),
        "max_attempts": 3,
        "backoff": 0.001,
        "max_backoff": 0.002,
        "max_retry_after": 0.01,
        "read_timeout": 5.0,
        "max_file_size": 100_000,
        "random_state": 0,
        "progress": False,
    }


def _downloader(options, ids, folder):
    from crystalml.io import CODClient

    client = CODClient(**options)
    return lambda **how: client.download(ids, folder, **how)


def _completed(download, lasting):
    """Call until every entry is as it must be: a crowded machine may miss a time limit."""
    for _ in range(_MOST_CALLS):
        report = download()
        if not unexpected_outcomes(report, lasting):
            break
    return report


def _tear(manifest):
    """End a manifest as a power failure may: in the middle of a line."""
    with manifest.open("ab") as stream:
        stream.write(b'{"cod_id": 10000')


def _damage_downloads(folder, chance):
    """Cut, change and remove what was downloaded; return how many damages that made."""
    paths = sorted(folder.glob("?/??/??/*.cif"))
    for path, kind in zip(chance.sample(paths, min(3, len(paths))), range(3), strict=False):
        body = path.read_bytes()
        if kind == 0:
            path.unlink()
        else:
            path.write_bytes(body[:-9] if kind == 1 else body.replace(b"Na", b"Ka"))
    _tear(folder / "manifest.jsonl")
    return min(3, len(paths)) + 1


def _damaged_cifs(folder, chance, n_files):
    """Write CIFs, most of them damaged, as files, into a zip and a packed tar; return the paths."""
    folder.mkdir(parents=True)
    target = CIFTarget(ROOT / "tests" / "fuzz_corpus")
    names = []
    for number in range(n_files):
        good = chance.random() < 0.2
        body = cod_server.cif(1000000 + number) if good else target.make(chance)[:_LONGEST]
        path = folder / f"{number:04d}.cif"
        path.write_bytes(body)
        names.append(path)
    packed = names[n_files // 2 :]
    middle = len(packed) // 2
    with zipfile.ZipFile(folder / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in packed[:middle]:
            archive.write(path, path.name)
    with tarfile.open(folder / "some.tar.gz", "w:gz") as archive:
        for path in packed[middle:]:
            archive.add(path, path.name)
    for path in packed:
        path.unlink()
    return [
        str(path) for path in (*names[: n_files // 2], folder / "some.zip", folder / "some.tar.gz")
    ]


def _damage_parts(dest, chance):
    """Remove a finished part, and tear the manifest; return how many damages that made."""
    if not (dest / "_manifest.jsonl").exists():
        return 0
    _tear(dest / "_manifest.jsonl")
    parts = sorted(dest.glob("part-*.parquet"))
    if parts:
        chance.choice(parts).unlink()
    return 1 + bool(parts)


def _contents(folder):
    """Return every file with its content and its time."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def _await_handlers(limit=10.0):
    """Wait until the server's threads have noticed that it is closed."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and any(
        "process_request" in thread.name for thread in threading.enumerate()
    ):
        time.sleep(0.02)


def generator(seed, number):
    """Return the random generator of a round."""
    return random.Random(f"soak {seed} {number}")  # noqa: S311
