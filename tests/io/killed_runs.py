"""Kill a run again and again, then let it finish: a script, started by the tests.

Usage: killed_runs.py SOURCES DEST KILLS FILES_PER_PART N_JOBS SEED. Each run is a fork of this
process, so that modules are imported once; it and its workers are killed (SIGKILL) at a random
moment. Prints how many parts each killed run found, and left behind.
"""

import os
import random
import signal
import sys
import time

import pyarrow.parquet  # noqa: F401 - so that no fork has to import it

from crystalml.io import (
    cifs_to_parquet,
    read_cif,  # noqa: F401
)


def finished_parts(dest):
    manifest = os.path.join(dest, "_manifest.jsonl")
    if not os.path.exists(manifest):
        return 0
    with open(manifest, "rb") as stream:
        return sum(b'"part"' in line for line in stream)


def start(sources, dest, files_per_part, n_jobs):
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        code = 1
        try:
            cifs_to_parquet(sources, dest, files_per_part=files_per_part, n_jobs=n_jobs)
            code = 0
        finally:
            os._exit(code)
    return pid


def main(sources, dest, kills, files_per_part, n_jobs, seed):
    sources = sources.split(os.pathsep)
    generator = random.Random(int(seed))  # noqa: S311
    options = int(files_per_part), int(n_jobs)
    began = time.perf_counter()
    pid = start(sources, dest + "-uninterrupted", *options)
    assert os.waitpid(pid, 0)[1] == 0
    duration = time.perf_counter() - began
    total = finished_parts(dest + "-uninterrupted")
    for kill in range(int(kills)):
        before = finished_parts(dest)
        pid = start(sources, dest, *options)
        # Each killed run gets some way, and dies anywhere between two parts or within one.
        wanted = before + generator.randint(0, total // int(kills))
        deadline = time.perf_counter() + 2 * duration
        while finished_parts(dest) < min(wanted, total) and time.perf_counter() < deadline:
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 2 * duration / total))
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0
            print(f"run {kill}: finished before the kill")
            break
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        print(f"run {kill}: killed, {before} -> {finished_parts(dest)} parts")
    pid = start(sources, dest, *options)
    assert os.waitpid(pid, 0)[1] == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
