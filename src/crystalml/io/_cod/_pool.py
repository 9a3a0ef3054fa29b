"""A small pool of threads that downloads entries, and may be interrupted at any moment."""

import queue
import threading

from crystalml.exceptions import DownloadError
from crystalml.io._cod._pacing import Stopped

# How long an interrupt waits for threads that are reading; their bodies are then abandoned.
_GRACE_SECONDS = 5.0


class DownloadPool:
    """Run ``fetch_and_store(cod_id, stop)`` for many entries in `n_workers` threads.

    The threads fetch and write files; everything else (manifest, progress, report) happens in
    the caller's thread, in ``for cod_id, result in pool.run(ids)``.
    """

    def __init__(self, fetch_and_store, *, n_workers, stop_after):
        self._work = fetch_and_store
        self._n_workers, self._stop_after = n_workers, stop_after
        self._stop = threading.Event()
        self._results = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._failures_in_a_row = 0

    def run(self, ids):
        """Yield (cod_id, result) as entries finish; result is None for an entry not tried."""
        waiting, threads = iter(ids), []
        try:
            # Started in here: an interrupt between two starts must stop those that run already.
            for _ in range(min(self._n_workers, len(ids))):
                threads.append(threading.Thread(target=self._serve, args=(waiting,), daemon=True))
                threads[-1].start()
            for _ in range(len(ids)):
                cod_id, result = self._next_result()
                if isinstance(result, BaseException):
                    self._raise(result)
                yield cod_id, result
        finally:
            self._stop.set()
            for thread in threads:
                if thread.is_alive():
                    thread.join(_GRACE_SECONDS)

    def _next_result(self):
        """Wait in short turns, so that an interrupt is heard on every system."""
        while True:
            try:
                return self._results.get(timeout=0.5)
            except queue.Empty:
                continue

    def leftovers(self):
        """Yield what finished after the caller stopped listening, so that it is recorded."""
        while not self._results.empty():
            cod_id, result = self._results.get()
            if result is not None and not isinstance(result, BaseException):
                yield cod_id, result

    def _serve(self, waiting):
        """Take entries until none is left or the run is stopped."""
        while not self._stop.is_set():
            with self._lock:
                cod_id = next(waiting, None)
                given_up = self._stop_after and self._failures_in_a_row >= self._stop_after
            if cod_id is None:
                return
            self._results.put((cod_id, None if given_up else self._one(cod_id)))

    def _one(self, cod_id):
        """Return the result for one entry, or the exception that ends the whole run."""
        try:
            result = self._work(cod_id, self._stop)
        except Stopped as stopped:
            return stopped
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            return error
        with self._lock:
            failed = result["outcome"] == "failed"
            self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        return result

    @staticmethod
    def _raise(error):
        """Raise in the caller's thread what ended a worker."""
        if isinstance(error, OSError) and not isinstance(error, DownloadError):
            raise DownloadError(
                f"CODClient: a file could not be written ({error}). Finished files are kept; "
                "make room or choose another folder, and run the same call again."
            ) from error
        raise error
