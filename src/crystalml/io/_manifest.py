"""A record of outcomes that survives interruptions: lines of JSON, only ever appended."""

import json
import os
from typing import Any


class ManifestBusyError(Exception):
    """Another process is writing to the manifest."""


class AppendOnlyManifest:
    """Append records to a file of JSON lines, and read them back.

    One process at a time writes: where the system has ``flock``, a second one is refused with
    ManifestBusyError. A line that an interruption cut off is skipped on reading and closed off
    before appending.
    """

    def __init__(self, path):
        self.path = path
        self._stream: Any = None  # open inside of the with statement

    def __enter__(self):
        # Unbuffered, so that a line is written by one call and a kill leaves no half of a buffer.
        self._stream = self.path.open("a+b", buffering=0)
        _lock(self._stream)
        self._close_torn_line()
        return self

    def __exit__(self, *error):
        self.sync()
        self._stream.close()
        self._stream = None

    def append(self, **fields):
        """Write one record whole, or nothing where the disk is full; a kill may tear the last."""
        line = memoryview(json.dumps(fields, allow_nan=False).encode() + b"\n")
        size = os.fstat(self._stream.fileno()).st_size
        try:
            while line:
                line = line[self._stream.write(line) :]
        except BaseException:
            # Half a record would make the next one unreadable as well.
            self._stream.truncate(size)
            raise

    def sync(self):
        """Wait until the disk has what was appended."""
        os.fsync(self._stream.fileno())

    def records(self):
        """Yield every readable record, oldest first."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            for line in stream:
                try:
                    record = json.loads(line)
                # A line that was torn, or nested to overflow the parser: the others are still good.
                except (ValueError, RecursionError):
                    continue
                if isinstance(record, dict):
                    yield record

    def _close_torn_line(self):
        """End a last line that has no newline, so that the next record starts its own."""
        size = self._stream.seek(0, os.SEEK_END)
        if size:
            self._stream.seek(size - 1)
            if self._stream.read(1) != b"\n":
                self._stream.write(b"\n")


def _lock(stream):
    """Refuse a file that another process is writing to."""
    try:
        import fcntl
    except ImportError:  # Windows has none; there, two writers are the user's care
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        # Or the file would stay open for as long as the exception is kept.
        stream.close()
        raise ManifestBusyError from error
