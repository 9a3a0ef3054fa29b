"""Chunks of files, run in order by any joblib backend."""

import pickle
import threading
import time

import joblib
import pytest

from crystalml.io import _chunks
from crystalml.io._chunks import chunks_of, run_in_order
from crystalml.io._source import Member, Source, SourceList


def squares(numbers):
    time.sleep(0.001 * (numbers[0] % 3))
    return [number**2 for number in numbers]


def failing(numbers):
    if numbers[0] >= 10:
        raise ValueError(f"cannot do {numbers}")
    return numbers


CHUNKS = [[n, n + 1] for n in range(0, 60, 2)]


@pytest.mark.parametrize("backend", ["sequential", "threading", "multiprocessing", "loky"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_order(backend, n_jobs):
    with joblib.parallel_config(backend=backend):
        found = list(run_in_order(squares, CHUNKS, n_jobs))
    assert found == [squares(chunk) for chunk in CHUNKS]


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_errors_come_through(backend):
    with joblib.parallel_config(backend=backend), pytest.raises(ValueError, match="cannot do"):
        list(run_in_order(failing, CHUNKS, 2))


@pytest.mark.parametrize("backend", ["sequential", "threading", "multiprocessing", "loky"])
@pytest.mark.parametrize("error", [ValueError("bad source"), KeyboardInterrupt()])
def test_errors_of_the_source_come_after_what_was_taken(backend, error):
    def chunks():
        yield from CHUNKS[:20]
        raise error

    found = []
    with joblib.parallel_config(backend=backend), pytest.raises(type(error)):
        found.extend(run_in_order(squares, chunks(), 2))
    assert len(found) <= 20


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_few_chunks_are_taken_ahead(backend, monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNKS_IN_WINDOW", 3)
    monkeypatch.setattr(_chunks, "_CHUNKS_IN_LIST", 3)
    taken = []

    def chunks():
        for chunk in CHUNKS:
            taken.append(chunk)
            yield chunk

    with joblib.parallel_config(backend=backend):
        for done, _ in enumerate(run_in_order(squares, chunks(), 2)):
            time.sleep(0.01)  # a slow consumer
            assert len(taken) <= max(done, _chunks._SERIAL_CHUNKS) + 6 + 1
    assert len(taken) == len(CHUNKS)


def test_few_chunks_and_the_first_of_many_stay_in_this_process():
    def thread(chunk):
        return threading.get_ident()

    here, few = threading.get_ident(), _chunks._SERIAL_CHUNKS
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert list(run_in_order(thread, CHUNKS[:few], None)) == [here] * few
        found = list(run_in_order(thread, CHUNKS, None))
    assert found[:few] == [here] * few
    assert here not in found[few:]


def test_what_was_unpacked_here_is_read_elsewhere():
    def thread(chunk):
        return threading.get_ident()

    chunks = [SourceList([Source("x", data=b"data_x")])] * (_chunks._SERIAL_CHUNKS + 3)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert threading.get_ident() not in list(run_in_order(thread, chunks, None))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("n_chunks", [0, 3, 7])
def test_error_of_the_source_comes_after_the_first_chunks(n_jobs, n_chunks):
    def chunks():
        yield from CHUNKS[:n_chunks]
        raise KeyboardInterrupt

    found = []
    with joblib.parallel_config(backend="threading"), pytest.raises(KeyboardInterrupt):
        found.extend(run_in_order(squares, chunks(), n_jobs))
    few = min(n_chunks, _chunks._SERIAL_CHUNKS)
    assert found[:few] == [squares(chunk) for chunk in CHUNKS[:few]]


def test_sources_travel_whole():
    sources = SourceList(
        [
            Source("a.cif", path="a.cif", n_bytes=3, mtime_ns=10**18),
            Source("b", data=b"data_", max_size=7),
            Source("c", error="no"),
            Source("z/d", path="z", n_bytes=1, member=Member(10, 2, 1, 77, 8)),
        ]
    )
    for some in (sources, SourceList(sources[:1]), SourceList()):
        back = pickle.loads(pickle.dumps(some))
        assert back == some
        assert type(back) is SourceList
        assert [type(source.member) for source in back] == [type(s.member) for s in some]


def test_chunks_are_limited_in_length_and_in_size(monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 4)
    monkeypatch.setattr(_chunks, "_CHUNK_HELD", 100)
    small = [Source(str(n), data=bytes(10)) for n in range(10)]
    large = [Source(str(n), data=bytes(60)) for n in range(5)]
    assert [len(chunk) for chunk in chunks_of(small)] == [4, 4, 2]
    assert [len(chunk) for chunk in chunks_of(large)] == [2, 2, 1]
    assert list(chunks_of([])) == []
