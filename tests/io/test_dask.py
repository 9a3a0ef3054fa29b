"""The same calls on a Dask cluster: two worker processes."""

import os

import dask
import joblib
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from crystalml.exceptions import ParquetError
from crystalml.io import CIFReader, _chunks, cifs_to_parquet, read_cifs
from crystalml.io._parquet import _write
from crystalml.io._parquet._parts import read_chunk

# Real processes that talk over sockets: apart from the suite, by `nox -s cluster`.
pytestmark = pytest.mark.cluster

TEXTS = [
    f"data_{n}\n_cell_length_a {5 + n / 1000}\n_space_group_IT_number {n % 230 + 1}\n"
    for n in range(600)
]


@pytest.fixture(scope="module")
def client():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def on_dask(client, monkeypatch):
    """Chunks small enough for several per worker, and Dask as the backend."""
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 50)
    with joblib.parallel_config(backend="dask"):
        yield client


def where(chunk):
    from distributed import get_worker

    return get_worker().address


def test_chunks_go_to_both_workers(on_dask, monkeypatch):
    monkeypatch.setattr(_chunks, "_SERIAL_CHUNKS", 0)
    found = set(_chunks.run_in_order(where, [[n] for n in range(40)], None))
    assert found == set(on_dask.scheduler_info()["workers"])


def test_table_is_the_same(on_dask):
    with joblib.parallel_config(backend="sequential"):
        expected = read_cifs(TEXTS)
    pd.testing.assert_frame_equal(read_cifs(TEXTS), expected)
    row = CIFReader(columns=["a"]).fit_transform(TEXTS)
    assert row["a"].tolist() == expected["a"].tolist()


def test_data_set_is_the_same(on_dask, tmp_path):
    report = cifs_to_parquet(TEXTS, tmp_path, files_per_part=120)
    with joblib.parallel_config(backend="sequential"):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), read_cifs(TEXTS))
    assert report.n_parts == 5
    assert cifs_to_parquet(TEXTS, tmp_path, files_per_part=120).n_files_read == 0


def test_errors_of_the_sources_come_through(on_dask, tmp_path):
    def interrupted():
        yield from TEXTS[:400]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cifs_to_parquet(interrupted(), tmp_path, files_per_part=100)
    assert cifs_to_parquet(TEXTS, tmp_path, files_per_part=100).n_files_read == 200
    with pytest.raises(ParquetError, match="has changed"):
        cifs_to_parquet([*TEXTS[:250], "data_other _cell_length_a 1", *TEXTS[251:]], tmp_path,
                        files_per_part=100)  # fmt: skip


def killing(chunk):
    """Read a chunk, but let the worker die of the files that say so."""
    if any("data_450" in str(source.data) for source in chunk.sources):
        os._exit(1)
    return read_chunk(chunk)


def test_killed_worker_is_said_and_continued(on_dask, tmp_path, monkeypatch):
    monkeypatch.setattr(_write, "read_chunk", killing)
    with pytest.raises(ParquetError, match=r"a worker process died.*360 files are finished"):
        cifs_to_parquet(TEXTS, tmp_path, files_per_part=120)
    monkeypatch.undo()
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 50)
    on_dask.wait_for_workers(2)
    assert cifs_to_parquet(TEXTS, tmp_path, files_per_part=120).n_files_read == 240
    with joblib.parallel_config(backend="sequential"):
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path), read_cifs(TEXTS))
