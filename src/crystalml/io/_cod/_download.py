"""One download run: what is there, what to ask for by http or rsync, what to write down."""

import queue
import shutil
import subprocess
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from crystalml._progress import progress_bar
from crystalml.exceptions import DownloadError, InvalidInputError, MissingDependencyError
from crystalml.io._cod._ids import cod_relative_path
from crystalml.io._cod._store import STORED, CODDownloadReport, Manifest, Store, checksum
from crystalml.io._cod._transport import Stopped, printable

# From here on, one rsync is kinder to the server than single requests.
_RSYNC_FROM = 5000

# The server's own verdicts, which asking again does not change.
_VERDICTS = ("missing", "invalid", "too_large")

# What the manifest keeps of an outcome. No path: the folder may be moved, and the id gives it.
_FIELDS = ("outcome", "http_status", "bytes", "sha256", "attempts", "error")

# How long an interrupt waits for threads that are reading; their bodies are then abandoned.
_GRACE_SECONDS = 5.0

# Exit codes after which whatever arrived is complete: some files were not there (23) or
# vanished meanwhile (24). See EXIT VALUES in rsync(1).
_PARTIAL_EXITS = (23, 24)

# Entries of one rsync call: large enough that starting it costs nothing, small enough that
# files reach their places, and the progress bar moves, all the time.
_BATCH = 1000


class DownloadSession:
    """Verify, fetch, record and report, for one folder."""

    def __init__(self, client, folder, *, verify, retry):
        self._client, self._verify, self._retry = client, verify, retry
        self._store = Store(folder, max_size=client.rules.max_size, syntax=client.syntax_check)
        self._transport: Any = None  # while files are fetched by http

    def run(self, ids, refused, *, method):
        """Bring every entry to its outcome, and return the report."""
        store = self._store
        try:
            store.folder.mkdir(parents=True, exist_ok=True)
            # The lock comes first: the staging area of another download must not be cleared.
            with Manifest(store.folder) as manifest:
                store.clear()
                try:
                    results = self._settle_known(ids, manifest)
                    wanted = [cod_id for cod_id in ids if cod_id not in results]
                    results.update(self._fetch_all(wanted, manifest, method))
                finally:
                    store.clear()
        except DownloadError:
            raise
        except OSError as error:
            raise DownloadError(
                f"CODClient.download: the folder {str(store.folder)!r} cannot be used ({error}). "
                "Finished files are kept; run the same call again."
            ) from error
        return self._report(ids, refused, results)

    def _settle_known(self, ids, manifest):
        """Outcomes of the entries that need no request."""
        records, settled = manifest.last_records(), {}
        for cod_id in progress_bar(
            ids, enabled=self._client.progress, description="verifying", unit="file"
        ):
            record = records.get(cod_id)
            found = self._store.check(cod_id, record, verify=self._verify)
            if found is not None:
                outcome, size, digest = found
                settled[cod_id] = {"outcome": outcome, "bytes": size, "sha256": digest}
                # Recorded now, so that the next run need not parse the file again.
                if outcome == "found":
                    self._record(manifest, cod_id, settled[cod_id])
            # The earlier verdict stands, with no attempts: none was made in this run.
            elif record is not None and self._is_final(record["outcome"]):
                settled[cod_id] = {name: record.get(name) for name in _FIELDS} | {"attempts": 0}
            elif self._client.offline:
                settled[cod_id] = {"outcome": "offline", "error": "the client is offline"}
        return settled

    def _is_final(self, outcome):
        """Whether an earlier outcome without a file stands."""
        # Stored, but not found good by `check`: the file is gone or damaged, and is fetched again.
        if outcome in STORED or self._retry == "all":
            return False
        return self._retry == "none" or outcome in _VERDICTS

    def _fetch_all(self, wanted, manifest, method):
        """Fetch entries, record each outcome as it comes, and return them."""
        results = {}
        if not wanted:
            return results
        stream = self._by_rsync(wanted) if self._use_rsync(method, wanted) else None
        if stream is None:
            stream = self._by_http(wanted, manifest)
        bar = progress_bar(
            enabled=self._client.progress, description="COD", total=len(wanted), unit="file"
        )
        # Closing the stream is what stops the threads when the user interrupts this loop.
        with bar, closing(stream):
            for cod_id, result in stream:
                results[cod_id] = result
                # With a record, what was never tried would count as settled where retry is "none".
                if result["outcome"] != "skipped":
                    self._record(manifest, cod_id, result)
                bar.update()
        return results

    def _use_rsync(self, method, wanted):
        """Decide between rsync and http."""
        source = self._client.rsync_url
        if method == "rsync" and source is None:
            raise InvalidInputError(
                "CODClient: method='rsync' needs rsync_url for a base_url that is not the COD's."
            )
        if method == "auto":
            return len(wanted) > _RSYNC_FROM and source is not None and _rsync_program() is not None
        return method == "rsync"

    def _by_rsync(self, wanted):
        timeout = self._client.rules.read_timeout
        return _rsync_entries(wanted, self._client.rsync_url, self._store, timeout=timeout)

    def _by_http(self, wanted, manifest):
        """Yield (cod_id, result) from the pool of threads, and record stragglers at the end."""
        self._transport = self._client.open_transport("CODClient")
        pool = _DownloadPool(
            self._one_by_http,
            n_workers=self._client.n_workers,
            stop_after=self._client.stop_after_failures,
        )
        stream = pool.run(wanted)
        try:
            for cod_id, result in stream:
                yield cod_id, result or self._skipped()
        finally:
            # In this order: closing waits for the threads, whose last results are then left over.
            stream.close()
            for cod_id, result in pool.leftovers():
                self._record(manifest, cod_id, result)
            self._transport.close()

    def _one_by_http(self, cod_id, stop):
        """Fetch and store one entry; runs in a thread of the pool."""
        reply = self._transport.fetch(
            self._client.url(cod_id), lambda body: self._store.problem(cod_id, body), stop=stop
        )
        result = {
            "outcome": reply.outcome,
            "http_status": reply.http_status,
            "attempts": reply.attempts,
            "error": reply.error,
        }
        if reply.body is not None:
            # After an interrupt the caller may have left: nothing is written behind its back.
            if stop.is_set():
                raise Stopped
            self._store.put(cod_id, reply.body)
            result |= {"bytes": len(reply.body), "sha256": checksum(reply.body)}
        return result

    def _skipped(self):
        limit = self._client.stop_after_failures
        return {"outcome": "skipped", "error": f"{limit} entries in a row had failed before"}

    @staticmethod
    def _record(manifest, cod_id, result):
        manifest.append(cod_id=cod_id, **{name: result.get(name) for name in _FIELDS})

    def _report(self, ids, refused, results):
        """Lay the outcomes out in the order asked for."""
        rows = []
        for cod_id in ids:
            result = results[cod_id]
            stored = result["outcome"] in STORED
            rows.append(
                {
                    **{name: result.get(name) for name in _FIELDS},
                    "cod_id": cod_id,
                    "path": str(self._store.path(cod_id)) if stored else None,
                    "attempts": result.get("attempts") or 0,
                }
            )
        listed = pd.DataFrame(refused, columns=["position", "value"])
        return CODDownloadReport.from_records(rows, self._store.folder, refused=listed)


class _DownloadPool:
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
                # Daemons: a thread that waits for a dead server must not keep Python from ending.
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
                # Under the lock, since two threads must not advance one iterator at a time.
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
            # A missing entry is an answer, too: only failures tell that the server is down.
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


def _rsync_program():
    """Path of the rsync executable, or None."""
    return shutil.which("rsync")


def _rsync_command(program, source, list_file, folder, *, timeout):
    """Argument list of one transfer; no shell ever sees it."""
    return [
        program,
        # Not --archive: links, owners and permissions of the server are not wanted here.
        "--times",
        "--compress",
        f"--timeout={max(1, round(timeout))}",
        f"--files-from={list_file}",
        "--",
        source,
        f"{folder}/",
    ]


def _rsync_entries(ids, source, store, *, timeout):
    """Fetch entries in batches, and yield (cod_id, result) for each in turn.

    Nothing reaches its final place before its content was checked; an interruption in the
    middle of a batch keeps what had arrived.
    """
    program = _rsync_program()
    if program is None:
        raise MissingDependencyError(
            "CODClient: method='rsync' needs the program rsync, which is not on the PATH; "
            "install it with the system's package manager, or use method='http'."
        )
    for start in range(0, len(ids), _BATCH):
        yield from _one_batch(program, ids[start : start + _BATCH], source, store, timeout)


def _one_batch(program, ids, source, store, timeout):
    """Let rsync bring some entries into the staging area, then check and move each."""
    store.staging.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.staging) as folder:
        arrived = Path(folder) / "files"
        arrived.mkdir()
        list_file = Path(folder) / "list.txt"
        list_file.write_text("".join(f"{cod_relative_path(i)}\n" for i in ids), encoding="ascii")
        command = _rsync_command(program, source, list_file, arrived, timeout=timeout)
        interrupt = None
        try:
            run = subprocess.run(  # noqa: S603 - fixed arguments, and paths made from checked ids
                command, capture_output=True, text=True, errors="replace", check=False
            )
            finished = run.returncode in (0, *_PARTIAL_EXITS)
            complaint = _last_line(run.stderr) or f"exit status {run.returncode}"
        # Held back until what has arrived is in its place and recorded.
        except KeyboardInterrupt as error:
            interrupt, finished, complaint = error, False, "interrupted"
        for cod_id in ids:
            path = arrived / cod_relative_path(cod_id)
            if interrupt is None or path.is_file():
                yield cod_id, _take(cod_id, path, store, finished=finished, complaint=complaint)
        if interrupt is not None:
            raise interrupt


def _take(cod_id, path, store, *, finished, complaint):
    """Check one file that rsync brought, and say what became of it."""
    # A link could lead out of the folder.
    if path.is_file() and not path.is_symlink():
        # Looked at before `adopt`, for which such a file would be an invalid one.
        if path.stat().st_size > store.max_size:
            error = f"has {path.stat().st_size} bytes; max_file_size is {store.max_size}"
            return {"outcome": "too_large", "attempts": 1, "error": error}
        problem, size, digest = store.adopt(cod_id, path)
        if problem is None:
            return {"outcome": "downloaded", "bytes": size, "sha256": digest, "attempts": 1}
        return {"outcome": "invalid", "attempts": 1, "error": problem}
    if finished:
        return {"outcome": "missing", "attempts": 1, "error": "rsync brought no such file"}
    return {"outcome": "failed", "attempts": 1, "error": f"rsync: {complaint}"}


def _last_line(text):
    """Last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(lines[-1][:300]) if lines else ""
