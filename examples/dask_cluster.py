"""Read CIFs on a Dask cluster, be interrupted, and go on.

Everything that crystalml does in parallel goes through joblib, and joblib can hand the work to
a Dask cluster. Here the cluster is two processes on this machine; with the address of a real
scheduler in its place, nothing else changes. The run is interrupted on purpose, and continued.

Needs ``pip install distributed 'crystalml-sklearn[parquet,structures]'``; the structures are the
minerals that ASE brings along, many times over. Give a folder as argument to read that instead:
``python examples/dask_cluster.py /data/cod/cif``.
"""

import sys
import tempfile
from importlib.resources import files
from itertools import islice
from pathlib import Path

import joblib
import pandas as pd
from distributed import Client, LocalCluster

from crystalml.io import cifs_to_parquet

N_COPIES = 1000


def copies_of_minerals():
    """Name the eight minerals again and again, as a mirror would name its files."""
    minerals = files("ase") / "test" / "testdata" / "minerals"
    return sorted(Path(str(minerals)).glob("*.cif")) * N_COPIES


def interrupted_after(sources, n_files):
    """Yield some of the sources, and then break off as Ctrl-C would."""
    yield from islice(sources, n_files)
    raise KeyboardInterrupt


def main():
    """Read on two workers, break off, continue, and show what the data set holds."""
    sources = sys.argv[1] if len(sys.argv) > 1 else copies_of_minerals()
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with tempfile.TemporaryDirectory() as dest:
        # For a real cluster: with Client("scheduler.example.org:8786") as client:
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            print(f"cores of the cluster: {sum(client.ncores().values())}")
            with joblib.parallel_config(backend="dask"):
                if isinstance(sources, list):
                    try:
                        cifs_to_parquet(interrupted_after(sources, len(sources) * 3 // 4), dest)
                    except KeyboardInterrupt:
                        parts = len(list(Path(dest).glob("part-*.parquet")))
                        print(f"interrupted; parts that are finished: {parts}")
                report = cifs_to_parquet(sources, dest)
        print(report)
        table = pd.read_parquet(dest, columns=["crystal_system", "v_formula"])
        print(table.groupby("crystal_system")["v_formula"].agg(["size", "median"]).round(1))


if __name__ == "__main__":
    main()
