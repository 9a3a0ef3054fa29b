"""Reading many files: one and two processes, and a Dask cluster, beside gemmi and pymatgen.

The 16,634 files of both archives lie in one folder, as a mirror would; for the peers the time
of some files is scaled up. Two processes can only be faster than one where two cores are free.
``python bench_scale.py memory KIND REPEAT N_JOBS ARCHIVE`` is what measures memory, in a
process of its own.
"""

import contextlib
import logging
import resource
import subprocess
import sys
import tarfile
import tempfile
import warnings
from functools import partial
from pathlib import Path

import gemmi
import joblib

ARCHIVES = ("cifs_3dsc.tar.xz", "cifs_cod.tar.xz")
MEGABYTE = 2**20
MEMORY_TARGET = 300.0  # MB over what the imports take
MEMORY_FILES = 5_000


def _unpack(folder):
    """Write the files of both archives below a folder."""
    from _harness import SHARED_DATA

    for name in ARCHIVES:
        with tarfile.open(SHARED_DATA / name) as archive:
            archive.extractall(folder, filter="data")


def _gemmi(paths):
    from bench_cif import _look_up

    for path in paths:
        _look_up(gemmi.cif.read(str(path)))


def _pymatgen(paths):
    from bench_cif import _pymatgen as parse

    parse([path.read_bytes().decode("latin-1") for path in paths])


def _parquet(source, n_jobs=1):
    from crystalml.io import cifs_to_parquet

    with tempfile.TemporaryDirectory() as dest:
        cifs_to_parquet(source, dest, n_jobs=n_jobs, progress=False)


@contextlib.contextmanager
def _dask():
    """Two worker processes of one thread each, as joblib's backend."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        LocalCluster(silence_logs=logging.ERROR, **options) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _on_dask(call):
    with joblib.parallel_config(backend="dask"):
        call()


def _speed(folder):
    """Rows on speed: each way of ours beside each peer."""
    from _harness import compare
    from crystalml.io import read_cifs

    paths = sorted(folder.rglob("*.cif"))
    few, fewest = paths[::10], paths[::400]
    peers = {
        "gemmi + look-ups, every 10th": (lambda: _gemmi(few), None, len(paths) / len(few)),
        "pymatgen, every 400th": (lambda: _pymatgen(fewest), None, len(paths) / len(fewest)),
    }
    one = {"1 process": (lambda: _parquet(folder), 1.4, 1.0)}
    table = {"1 process": (lambda: read_cifs(folder, progress=False), None, 1.0)}
    what = f"{len(paths)} files"
    rows = compare(f"{what} to Parquet, 1 process", lambda: _parquet(folder), peers, repeat=3)
    two = f"{what} to Parquet, 2 processes"
    rows += compare(two, lambda: _parquet(folder, 2), {**one, **peers})
    two = f"{what} to a table, 2 processes"
    rows += compare(two, lambda: read_cifs(folder, n_jobs=2, progress=False), table)
    one["1 process"] = (*one["1 process"][:1], None, 1.0)
    with _dask():
        dask = f"{what} to Parquet, Dask, 2 workers"
        ours = partial(_on_dask, lambda: _parquet(folder))
        rows += compare(dask, ours, {**one, **peers}, repeat=3)
    return rows


def _memory(folder):
    """Rows on peak memory: ours and the target in MB, not in seconds."""
    from _harness import Row

    large = sorted((folder / "cod_single_crystal").rglob("*.cif"))
    small = sorted((folder / "3dsc_mp").rglob("*.cif"))
    archive = folder.parent / "some.tar.xz"
    with tarfile.open(archive, "w:xz", preset=0) as tar:
        for path in [*large, *small][:MEMORY_FILES]:
            tar.add(path, path.name)
    rows = []
    for kind in ("folder", "archive"):
        for n_jobs in (1, 2):
            peak = {}
            for repeat in (1, 10):
                command = [sys.executable, __file__, "memory", kind, str(repeat), str(n_jobs)]
                run = subprocess.run(
                    [*command, str(archive)], check=True, capture_output=True, text=True
                )
                peak[repeat] = float(run.stdout)
                what = f"peak MB, {repeat * MEMORY_FILES} files, {kind}, {n_jobs} process(es)"
                rows.append(Row(what, "300 MB", peak[repeat], MEMORY_TARGET, 1.0))
            rows.append(Row(what, "5000 files", peak[10], peak[1], 0.9))
    return rows


def _peak_memory(kind, repeat, n_jobs, archive):
    """Megabytes that reading takes at most, over what the imports took; children counted once."""
    import pyarrow.parquet  # noqa: F401

    from crystalml.io import cifs_to_parquet

    with tempfile.TemporaryDirectory() as folder:
        sources = [archive] * repeat
        if kind == "folder":
            subprocess.run(["tar", "xf", archive, "-C", folder], check=True)  # noqa: S607
            sources = [folder] * repeat
        baseline = _resident()
        with tempfile.TemporaryDirectory() as dest:
            cifs_to_parquet(sources, dest, n_jobs=n_jobs)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - baseline


def _resident():
    """Megabytes of this process that are in memory now."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def benchmarks():
    """Rows of the table; empty where the shared data folder is absent."""
    from _harness import SHARED_DATA

    if not SHARED_DATA.is_dir():
        return []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # pymatgen warns about most files
        files = Path(folder) / "files"
        files.mkdir()
        _unpack(files)
        return [*_speed(files), *_memory(files)]


if __name__ == "__main__" and sys.argv[1:2] == ["memory"]:
    _, _, kind, repeat, n_jobs, archive = sys.argv
    print(_peak_memory(kind, int(repeat), int(n_jobs), archive))
