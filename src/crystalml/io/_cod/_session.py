"""One download run: what is there, what to ask for, what to write down."""

from contextlib import closing
from typing import Any

import pandas as pd

from crystalml._progress import progress_bar
from crystalml.exceptions import DownloadError, InvalidInputError
from crystalml.io._cod._manifest import Manifest
from crystalml.io._cod._pacing import Stopped
from crystalml.io._cod._pool import DownloadPool
from crystalml.io._cod._report import CODDownloadReport
from crystalml.io._cod._rsync import rsync_entries, rsync_program
from crystalml.io._cod._store import STORED, Store, checksum

# From here on, one rsync is kinder to the server than single requests.
RSYNC_FROM = 5000

# The server's own verdicts, which asking again does not change.
_VERDICTS = ("missing", "invalid", "too_large")

_FIELDS = ("outcome", "http_status", "bytes", "sha256", "attempts", "error")


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
                if outcome == "found":
                    self._record(manifest, cod_id, settled[cod_id])
            elif record is not None and self._is_final(record["outcome"]):
                settled[cod_id] = {name: record.get(name) for name in _FIELDS} | {"attempts": 0}
            elif self._client.offline:
                settled[cod_id] = {"outcome": "offline", "error": "the client is offline"}
        return settled

    def _is_final(self, outcome):
        """Whether an earlier outcome without a file stands."""
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
            return len(wanted) > RSYNC_FROM and source is not None and rsync_program() is not None
        return method == "rsync"

    def _by_rsync(self, wanted):
        timeout = self._client.rules.read_timeout
        return rsync_entries(wanted, self._client.rsync_url, self._store, timeout=timeout)

    def _by_http(self, wanted, manifest):
        """Yield (cod_id, result) from the pool of threads, and record stragglers at the end."""
        self._transport = self._client.open_transport("CODClient")
        pool = DownloadPool(
            self._one_by_http,
            n_workers=self._client.n_workers,
            stop_after=self._client.stop_after_failures,
        )
        stream = pool.run(wanted)
        try:
            for cod_id, result in stream:
                yield cod_id, result or self._skipped()
        finally:
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
