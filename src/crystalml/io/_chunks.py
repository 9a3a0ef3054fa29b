"""Files in chunks, and a function of each chunk run by whatever backend joblib has."""

from itertools import chain, islice

import joblib
from joblib.parallel import get_active_backend

# Starting processes pays from some thousand small files on. A chunk is large enough to keep a
# worker busy much longer than its dispatch takes, and what is sent to a worker stays small.
_CHUNK_FILES, _CHUNK_BYTES, _CHUNK_HELD = 1000, 128_000_000, 8_000_000
_SERIAL_CHUNKS = 2
_CHUNKS_AHEAD, _CHUNKS_IN_WINDOW = 2, 8  # per worker


def read_in_chunks(sources, n_jobs, *, read):
    """Yield the number of files and ``read(files)`` chunk by chunk, in order."""
    return run_in_order(_CountAnd(read), chunks_of(sources), n_jobs)


def chunks_of(sources):
    """Group sources into lists of limited length, size on disk and size in memory."""
    chunk, size, held = [], 0, 0
    for source in sources:
        chunk.append(source)
        size += source.size
        held += len(source.data or b"")
        if len(chunk) >= _CHUNK_FILES or size >= _CHUNK_BYTES or held >= _CHUNK_HELD:
            yield chunk
            chunk, size, held = [], 0, 0
    if chunk:
        yield chunk


def run_in_order(function, chunks, n_jobs):
    """Yield ``function(chunk)`` for each chunk in order, a bounded number of them ahead."""
    chunks = iter(chunks)
    first = list(islice(chunks, _SERIAL_CHUNKS + 1))
    is_short = len(first) <= _SERIAL_CHUNKS
    chunks = chain(_emptied(first), chunks)
    n_workers = 1 if is_short else joblib.effective_n_jobs(n_jobs)
    if n_workers == 1:
        return map(function, chunks)
    return _run_in_windows(function, chunks, n_jobs, n_workers)


def _run_in_windows(function, chunks, n_jobs, n_workers):
    """Run a limited number of chunks after another, as joblib does not wait for its consumer."""
    backend, _ = get_active_backend()
    has_generators = getattr(backend, "supports_return_generator", False)
    run = joblib.Parallel(
        n_jobs=n_jobs,
        return_as="generator" if has_generators else "list",
        batch_size=1,  # larger ones would hold back what is done, and hold more in memory
        pre_dispatch=_CHUNKS_AHEAD * n_workers,
    )
    window = _CHUNKS_IN_WINDOW * n_workers
    while True:
        some = _Some(chunks, window)
        yield from run(joblib.delayed(function)(chunk) for chunk in some)
        if some.error is not None:
            raise some.error
        if some.n_taken < window:
            return


def _emptied(items):
    """Yield the items of a list and let go of each, as they may be large."""
    items.reverse()
    while items:
        yield items.pop()


class _Some:
    """Walk the next few items of an iterator; what it raises is kept for the caller.

    Backends take items in threads of their own, where an exception is lost or stops them.
    """

    def __init__(self, items, n_most):
        self._items, self._n_most = items, n_most
        self.n_taken, self.error = 0, None

    def __iter__(self):
        try:
            for item in islice(self._items, self._n_most):
                self.n_taken += 1
                yield item
        except BaseException as error:  # noqa: BLE001
            self.error = error


class _CountAnd:
    """Call a function, and return the length of its argument, too."""

    def __init__(self, read):
        self._read = read

    def __call__(self, chunk):
        return len(chunk), self._read(chunk)
