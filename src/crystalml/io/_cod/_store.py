"""The folder of downloaded CIFs: COD's layout, atomic writes, verification."""

import hashlib
import os
import shutil
import threading
from pathlib import Path

from crystalml.io._atomic import write_atomically
from crystalml.io._cod._content import cif_problem
from crystalml.io._cod._ids import cod_relative_path

# Unfinished bodies wait here, on the same file system, so that one removal clears whatever a
# killed process left, and the N/NN/NN folders never hold anything but complete files.
STAGING_NAME = ".incoming"

# Outcomes that leave a verified file in the folder.
STORED = ("downloaded", "verified", "found")


class Store:
    """CIFs below `folder` as ``N/NN/NN/NNNNNNN.cif``, each complete or absent."""

    def __init__(self, folder, *, max_size, syntax):
        self.folder = Path(folder)
        self.staging = self.folder / STAGING_NAME
        self.max_size, self._syntax = max_size, syntax

    def clear(self):
        """Remove the staging area with whatever an interrupted run left in it."""
        shutil.rmtree(self.staging, ignore_errors=True)

    def path(self, cod_id):
        """Where the CIF of an entry lies."""
        return self.folder / cod_relative_path(cod_id)

    def problem(self, cod_id, body):
        """Say why `body` is not the CIF of the entry, or return None."""
        return cif_problem(body, cod_id, syntax=self._syntax)

    def put(self, cod_id, body):
        """Write a checked body so that its path holds the whole file or nothing at all."""
        self.staging.mkdir(exist_ok=True)
        final = self.path(cod_id)
        final.parent.mkdir(parents=True, exist_ok=True)
        # A thread that an interrupted run has left behind may be writing the same entry.
        unfinished = self.staging / f"{cod_id}.{os.getpid()}.{threading.get_ident()}.part"
        write_atomically(final, body, unfinished=unfinished)

    def adopt(self, cod_id, path):
        """Check a file that another program brought, and move it to its place.

        Returns (problem, size, checksum); it is moved where problem is None.
        """
        problem, body = self._inspect(cod_id, path)
        if problem is None:
            self._move(path, cod_id)
        return problem, len(body), checksum(body)

    def check(self, cod_id, record, *, verify):
        """Return (outcome, size, checksum) of a file that is there and good, or None.

        ``"verified"``: as the manifest recorded it. ``"found"``: the manifest has no record of
        it (an interruption, a mirror), and its content is that of the entry.
        """
        path = self.path(cod_id)
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        if record is not None and record["outcome"] in STORED:
            if size != record.get("bytes"):
                return None
            if verify == "size" or checksum(path.read_bytes()) == record.get("sha256"):
                return "verified", size, record.get("sha256")
            return None
        problem, body = self._inspect(cod_id, path)
        return ("found", size, checksum(body)) if problem is None else None

    def _inspect(self, cod_id, path):
        """Return (problem, body) of a file on disk."""
        if path.stat().st_size > self.max_size:
            return f"larger than {self.max_size} bytes", b""
        body = path.read_bytes()
        return self.problem(cod_id, body), body

    def _move(self, unfinished, cod_id):
        """Put a finished file in its place in one step."""
        final = self.path(cod_id)
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(unfinished, final)


def checksum(body):
    """SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
