"""Worker processes end with the process that started them, however that ends."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

RUN = """
import sys
import joblib
from crystalml.io import _chunks, cifs_to_parquet, read_cifs

_chunks._CHUNK_FILES = 20

def sources():
    for number in range(10**9):
        if number == 2000:
            print("reading", flush=True)
        yield f"data_{number}\\n_cell_length_a 5\\n"

with joblib.parallel_config(backend=sys.argv[2]):
    if sys.argv[1] == "read_cifs":
        read_cifs(sources(), n_jobs=2, progress=False)
    else:
        cifs_to_parquet(sources(), sys.argv[1], n_jobs=2, progress=False)
"""


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell that a parent is gone")
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize("job", ["read_cifs", "cifs_to_parquet"])
def test_workers_of_a_killed_process_end(job, backend, tmp_path):
    dest = job if job == "read_cifs" else str(tmp_path / "data")
    parent = subprocess.Popen([sys.executable, "-c", RUN, dest, backend], stdout=subprocess.PIPE)
    children = []
    try:
        assert parent.stdout.readline() == b"reading\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        time.sleep(0.5)  # each of them has got some work
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        wait_for(lambda: all(map(is_gone, children)))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for child in children:
            if not is_gone(child):
                child.kill()
