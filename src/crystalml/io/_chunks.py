"""Files in chunks, and a function of each chunk run by whatever backend joblib has."""

import os
import sys
import threading
import time
from collections import deque
from functools import cache
from itertools import chain, islice

import joblib
from joblib.parallel import get_active_backend

from crystalml.io._source import SourceList

# Starting processes pays from some thousand small files on. A chunk is large enough to keep a
# worker busy much longer than its dispatch takes, and small enough that all end at about the
# same time; what is sent to a worker stays small.
_CHUNK_FILES, _CHUNK_BYTES, _CHUNK_HELD = 500, 64_000_000, 4_000_000
_SERIAL_CHUNKS = 4
# At the end of a window workers wait for one another. What is done waits in memory, for the one
# who asked, for as long as a whole window at worst.
_CHUNKS_AHEAD, _CHUNKS_ON_DASK, _CHUNKS_IN_WINDOW, _CHUNKS_IN_LIST = 2, 4, 64, 8  # per worker

_SECONDS_BETWEEN_LOOKS = 0.5  # of a worker, whether its parent is still there


def read_in_chunks(sources, n_jobs, *, read):
    """Yield the number of files and ``read(files)`` chunk by chunk, in order."""
    return run_in_order(_CountAnd(read), chunks_of(sources), n_jobs)


def chunks_of(sources):
    """Group sources into lists of limited length, size on disk and size in memory."""
    chunk, size, held = SourceList(), 0, 0
    for source in sources:
        chunk.append(source)
        size += source.size
        held += len(source.data or b"")
        if len(chunk) >= _CHUNK_FILES or size >= _CHUNK_BYTES or held >= _CHUNK_HELD:
            yield chunk
            chunk, size, held = SourceList(), 0, 0
    if chunk:
        yield chunk


def run_in_order(function, chunks, n_jobs):
    """Yield ``function(chunk)`` for each chunk in order, a bounded number of them ahead.

    The first few are done in this process, while others are being started; unless it has
    enough to do with unpacking what it hands on.
    """
    # An iterator, as what was taken here must not come again below.
    chunks = iter(chunks)
    start = _Some(chunks, _SERIAL_CHUNKS + 1)
    first = list(start)
    if len(first) <= _SERIAL_CHUNKS or joblib.effective_n_jobs(n_jobs) == 1:
        return map(function, chain(emptied(first), start.rest()))
    # Unpacking an archive keeps this process busy, so that it leaves all reading to the others.
    here = [] if any(map(_holds_data, first)) else [first.pop(0) for _ in range(_SERIAL_CHUNKS)]
    run = _run_on_dask if _is_dask() else _run_in_windows
    return run(function, here, chain(emptied(first), chunks), n_jobs)


def _holds_data(chunk):
    """Tell whether a chunk comes with the bytes of its files."""
    sources = getattr(chunk, "sources", chunk)
    return any(getattr(source, "data", None) is not None for source in sources)


def _is_dask():
    """Tell whether the active backend hands its work to Dask."""
    backend, _ = get_active_backend()
    # Whoever chose Dask has imported it; nobody else should have to wait for that import.
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(
        getattr(backend, "client", None), distributed.Client
    )


def _run_in_windows(function, first, chunks, n_jobs):
    """Run a limited number of chunks after another, as joblib does not wait for its consumer."""
    backend, _ = get_active_backend()
    # A generator gives the first results while the last chunks are still being read.
    has_generators = getattr(backend, "supports_return_generator", False)
    n_workers = joblib.effective_n_jobs(n_jobs)
    run = joblib.Parallel(
        n_jobs=n_jobs,
        return_as="generator" if has_generators else "list",
        batch_size=1,  # larger ones would hold back what is done, and hold more in memory
        pre_dispatch=_CHUNKS_AHEAD * n_workers,
    )
    there = _EndsWithParent(function)
    window = (_CHUNKS_IN_WINDOW if has_generators else _CHUNKS_IN_LIST) * n_workers
    while True:
        some = _Some(chunks, window)
        results = run(joblib.delayed(there)(chunk) for chunk in some)
        yield from map(function, emptied(first))
        yield from results
        if some.is_last():
            return


def _run_on_dask(function, first, chunks, n_jobs):
    """Hand chunks to Dask's own client: joblib's would wait for ever for a worker that died."""
    from dask import config  # whoever chose the backend has it

    backend, _ = get_active_backend()
    most = _CHUNKS_ON_DASK * joblib.effective_n_jobs(n_jobs)
    some, pending = _Some(chunks, sys.maxsize), deque()
    options = {"pure": False, **backend.submit_kwargs}
    untaken = iter(some)
    try:
        while True:
            # Chunks of archives hold their bytes, about which Dask would warn; they are meant to.
            with config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
                for chunk in islice(untaken, most - len(pending)):
                    pending.append(backend.client.submit(function, chunk, **options))
            yield from map(function, emptied(first))
            if not pending:
                break
            yield pending.popleft().result()
    finally:
        # Whoever stops asking does not want the rest to be read.
        backend.client.cancel(list(pending))
    some.is_last()


def emptied(items):
    """Yield the items of a list and let go of each, as they may be large."""
    # From the end, as taking from the front of a list moves all others.
    items.reverse()
    while items:
        yield items.pop()


class _Some:
    """Walk the next few items of an iterator; what it raises is kept for the caller.

    Backends take items in threads of their own, where an exception is lost or stops them.
    """

    def __init__(self, items, n_most):
        self._items, self._n_most = items, n_most
        self._n_taken, self._error = 0, None

    def __iter__(self):
        try:
            for item in islice(self._items, self._n_most):
                self._n_taken += 1
                yield item
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def is_last(self):
        """Tell whether there are no more items; raises what the iterator raised."""
        if self._error is not None:
            raise self._error
        return self._n_taken < self._n_most

    def rest(self):
        """Yield the items that were not taken; raises what the iterator raised."""
        if not self.is_last():
            yield from self._items


class _EndsWithParent:
    """Call a function in a worker process that ends when the process that made it is gone.

    A process that is killed cannot end its workers: they would wait for work, and hold their
    memory, for minutes or for ever.
    """

    def __init__(self, function):
        self._function, self._parent = function, os.getpid()

    def __call__(self, chunk):
        _watch(self._parent)
        return self._function(chunk)


@cache
def _watch(parent):
    """Start to watch the parent, once in a process, where this is a child of it.

    It is not with threads, nor with workers that others have started. On Windows the number of
    the parent stays when that is gone, so that nothing is noticed.
    """
    if os.getppid() == parent:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent):
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)  # at once: there is nobody to whom anything could be handed


class _CountAnd:
    """Call a function, and return the length of its argument, too."""

    def __init__(self, read):
        self._read = read

    def __call__(self, chunk):
        return len(chunk), self._read(chunk)
