"""The manifest of a download folder: one line of JSON per outcome, only ever appended."""

import json
import os
import time

from crystalml.exceptions import DownloadError

MANIFEST_NAME = "manifest.jsonl"


class Manifest:
    """Append outcomes to ``manifest.jsonl``, and find the last outcome of each entry.

    One process at a time writes: where the system has ``flock``, a second one is refused. A
    line that an interruption cut off is skipped on reading and closed off before appending.
    """

    def __init__(self, folder):
        self.path = folder / MANIFEST_NAME
        self._stream = None

    def __enter__(self):
        self._stream = self.path.open("a+b", buffering=0)
        _lock(self._stream, self.path)
        self._close_torn_line()
        return self

    def __exit__(self, *error):
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._stream = None

    def append(self, **fields):
        """Write one outcome; a single write call, so that a line is there whole or torn last."""
        fields["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._stream.write(json.dumps(fields, allow_nan=False).encode() + b"\n")

    def last_records(self):
        """Last readable record of each COD id."""
        records = {}
        if not self.path.exists():
            return records
        with self.path.open("rb") as stream:
            for line in stream:
                record = _parse(line)
                if record is not None:
                    records[record["cod_id"]] = record
        return records

    def _close_torn_line(self):
        """End a last line that has no newline, so that the next record starts its own."""
        size = self._stream.seek(0, os.SEEK_END)
        if size:
            self._stream.seek(size - 1)
            if self._stream.read(1) != b"\n":
                self._stream.write(b"\n")


def _parse(line):
    """Return the record of one line, or None where it is torn or foreign."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    known = isinstance(record, dict) and isinstance(record.get("cod_id"), int)
    return record if known and isinstance(record.get("outcome"), str) else None


def _lock(stream, path):
    """Refuse a folder that another process is writing to."""
    try:
        import fcntl
    except ImportError:  # Windows has none; there, two writers are the user's care
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.close()
        raise DownloadError(
            f"CODClient: {str(path.parent)!r} is being written by another download. "
            "Wait for it, or choose another folder."
        ) from error
