"""Reading many files: one and two processes, and a Dask cluster, beside gemmi and pymatgen.

The 16,634 files of both archives lie in one folder, as a mirror would, and in archives; for the
peers the time of some files is scaled up. Two processes can only be faster than one where two
cores are free. Where they are not, the processor time says how much faster they could be: it
knows nothing of waiting, so that the rows on it are upper bounds.
``python bench_scale.py memory KIND REPEAT N_JOBS ARCHIVE`` is what measures memory, in a
process of its own.
"""

import contextlib
import logging
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import warnings
from functools import partial
from pathlib import Path
from time import perf_counter

import gemmi
import joblib
import psutil

ARCHIVES = ("cifs_3dsc.tar.xz", "cifs_cod.tar.xz")
PACKED = {"zip": "zip", "tar": "tar", "tar.xz": "xztar"}  # ending -> what shutil calls it
TWO_PROCESSES = 1.4  # times as fast as one
REPEAT = 7
MEMORY_TARGET = 300.0  # MB over what the imports take
MEMORY_FILES = 5_000  # in what is read again and again
MEMORY_REPEATS = (1, 2, 5, 10)
LEVEL = 0.9  # of 10,000 files against 50,000: later ones take hardly more


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

    paths = sorted(folder.rglob("*.cif"))
    few, fewest = paths[::10], paths[::400]
    peers = {
        "gemmi + look-ups, every 10th": (lambda: _gemmi(few), None, len(paths) / len(few)),
        "pymatgen, every 400th": (lambda: _pymatgen(fewest), None, len(paths) / len(fewest)),
    }
    what = f"{len(paths)} files to Parquet"
    rows = compare(f"{what}, 1 process", lambda: _parquet(folder), peers, repeat=3)
    two = {"1 process": (lambda: _parquet(folder), None, 1.0), **peers}
    rows += compare(f"{what}, 2 processes", lambda: _parquet(folder, 2), two, repeat=3)
    with _dask():
        ours = partial(_on_dask, lambda: _parquet(folder))
        rows += compare(f"{what}, Dask, 2 workers", ours, two, repeat=3)
    return rows


def _two_processes(folder):
    """Rows on two processes against one: by the clock, and by processor time."""
    from crystalml.io import read_cifs

    sources = {"folder": folder}
    for ending, kind in PACKED.items():
        sources[ending] = shutil.make_archive(str(folder.parent / "packed"), kind, folder)
    rows = []
    for name, source in sources.items():
        rows += _two_against_one(f"{name} to Parquet", partial(_parquet, source))
        table = partial(read_cifs, source, progress=False)
        rows += _two_against_one(f"{name} to a table", table)
    return rows


def _two_against_one(what, call):
    """Run with one and with two processes in turn."""
    from _harness import Row

    call(n_jobs=2)  # the processes are started once, and stay
    call(n_jobs=1)
    runs = [(_times(call, 1), _times(call, 2)) for _ in range(REPEAT)]
    one, two = (statistics.median(run[n][0] for run in runs) for n in (0, 1))
    best = max(runs, key=lambda run: run[0][0] / run[1][0])
    alone = statistics.median(run[0][1] for run in runs)
    # Two processes do all of it, and the first of them cannot hand over what it does itself.
    shared = statistics.median(max(main, (main + workers) / 2) for _, (_, main, workers) in runs)
    return [
        Row(f"{what}, 2 processes", "1 process", two, one, TWO_PROCESSES),
        Row(f"{what}, 2 processes, best of {REPEAT}", "1 process", best[1][0], best[0][0], None),
        Row(f"{what}, 2 processes, processor time", "1 process", shared, alone, TWO_PROCESSES),
    ]


def _times(call, n_jobs):
    """Seconds of the clock, and of processor time of this process and of its workers."""
    before, start = _processor_times(), perf_counter()
    call(n_jobs=n_jobs)
    seconds, after = perf_counter() - start, _processor_times()
    return seconds, after[0] - before[0], after[1] - before[1]


def _processor_times():
    this = psutil.Process()
    return sum(this.cpu_times()[:2]), sum(sum(w.cpu_times()[:2]) for w in _workers(this))


def _workers(process):
    return [c for c in process.children(recursive=True) if "LokyProcess" in " ".join(c.cmdline())]


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
            for repeat in MEMORY_REPEATS:
                n_files = repeat * MEMORY_FILES
                command = [sys.executable, __file__, "memory", kind, str(repeat), str(n_jobs)]
                run = subprocess.run(
                    [*command, str(archive)], check=True, capture_output=True, text=True
                )
                peak[n_files], worker = map(float, run.stdout.split())
                what = f"peak MB, {n_files} files, {kind}, {n_jobs} process(es)"
                rows.append(Row(what, "300 MB", peak[n_files], MEMORY_TARGET, 1.0))
            if n_jobs > 1:
                what = f"peak MB of a worker, {n_files} files, {kind}, imports included"
                rows.append(Row(what, "300 MB", worker, MEMORY_TARGET, 1.0))
            what = f"peak MB, {n_files} files, {kind}, {n_jobs} process(es)"
            for fewer, target in ((5_000, None), (10_000, LEVEL)):
                rows.append(Row(what, f"{fewer} files", peak[n_files], peak[fewer], target))
    return rows


def _peak_memory(kind, repeat, n_jobs, archive):
    """Megabytes that reading takes at most, over what the imports took; and the largest worker."""
    import pyarrow.parquet  # noqa: F401

    from crystalml.io import cifs_to_parquet

    with tempfile.TemporaryDirectory() as folder:
        sources = [archive] * repeat
        if kind == "folder":
            subprocess.run(["tar", "xf", archive, "-C", folder], check=True)  # noqa: S607
            sources = [folder] * repeat
        baseline = _megabytes("self", "VmRSS")
        with tempfile.TemporaryDirectory() as dest:
            cifs_to_parquet(sources, dest, n_jobs=n_jobs)
    workers = [_megabytes(worker.pid, "VmHWM") for worker in _workers(psutil.Process())]
    return _megabytes("self", "VmHWM") - baseline, max(workers, default=0.0)


def _megabytes(pid, key):
    """Memory of a process, now (VmRSS) or at most (VmHWM), since its program was started.

    The peak that getrusage gives is of no use here: it begins with that of the parent process.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{key}:")[2].split()[0]) / 1024


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
        return [*_two_processes(files), *_speed(files), *_memory(files)]


if __name__ == "__main__" and sys.argv[1:2] == ["memory"]:
    _, _, kind, repeat, n_jobs, archive = sys.argv
    print(*_peak_memory(kind, int(repeat), int(n_jobs), archive))
