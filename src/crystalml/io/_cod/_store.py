"""The folder of downloaded CIFs: what counts as one, its layout, manifest and report."""

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import gemmi
import pandas as pd

from crystalml.exceptions import DownloadError
from crystalml.io._atomic import write_atomically
from crystalml.io._cod._ids import cod_relative_path, parse_cod_id
from crystalml.io._manifest import AppendOnlyManifest, ManifestBusyError

# Unfinished bodies wait here, on the same file system, so that one removal clears whatever a
# killed process left, and the N/NN/NN folders never hold anything but complete files.
STAGING_NAME = ".incoming"

# Outcomes that leave a verified file in the folder.
STORED = ("downloaded", "verified", "found")

# Closed vocabulary of the outcomes, in the order of the summary.
OUTCOMES = {
    "downloaded": "fetched and checked in this run",
    "verified": "already there, as the manifest recorded it; nothing was requested",
    "found": "already there without a record, content checked; nothing was requested",
    "missing": "the server has no such entry (HTTP 404 or 410)",
    "invalid": "every answer was something else: a page, a part, another entry",
    "too_large": "beyond the size limit",
    "failed": "network or server errors until the last attempt",
    "offline": "not there, and the client may not connect",
    "skipped": "not tried, because too many entries in a row had failed",
}

_MANIFEST_NAME = "manifest.jsonl"

# Int64 where an outcome may have no value: files already there have no HTTP status.
_DTYPES = {
    "cod_id": "int64",
    "outcome": "object",
    "path": "object",
    "http_status": "Int64",
    "bytes": "Int64",
    "sha256": "object",
    "attempts": "int64",
    "error": "object",
}

# Blanks of one line only: over the ends of lines, a body of them would take quadratic time.
_BLOCK = re.compile(rb"^[ \t]*data_(\S+)", re.MULTILINE | re.IGNORECASE)
_CODE = re.compile(rb"^[ \t]*_cod_database_code\s+['\"]?(\d+)", re.MULTILINE | re.IGNORECASE)
# Bytes in which a body shows whether it is a page or binary; the whole may be large.
_PIECE = 1 << 16


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
        # Where a file lies in the place of one of the folders, the entry is not there either.
        except (FileNotFoundError, NotADirectoryError):
            return None
        if record is not None and record["outcome"] in STORED:
            # The size first, which costs no reading.
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


def cif_problem(body, cod_id, *, syntax=True):
    """Say why `body` is not the complete CIF of entry `cod_id`, or return None.

    With `syntax`, the whole file must parse, which a file cut off inside a loop row or a text
    field does not.
    """
    if not body.strip():
        return "empty body"
    body = body.removeprefix(b"\xef\xbb\xbf")
    start = body[:_PIECE].lstrip()
    if start.startswith(b"<"):
        return "an HTML or XML page, not a CIF"
    if b"\0" in start:
        return "binary content, not a CIF"
    if _first_word(start)[:5].lower() != b"data_":
        return "does not start like a CIF (no data_ block)"
    names, codes = _identifiers_parsed(body) if syntax else _identifiers_seen(body)
    if isinstance(names, str):
        return names
    # The code decides where there is one: the name of a block is up to its author.
    found = codes or names
    if str(cod_id) not in found:
        return f"is entry {', '.join(sorted(found))[:60]!r}, not {cod_id}"
    return None


def _first_word(start):
    """First bytes of the first line that is neither blank nor a comment."""
    for line in start.splitlines():
        text = line.strip()
        if text and not text.startswith(b"#"):
            return text
    return b""


def _identifiers_seen(body):
    """First block name and first database code, by their looks."""
    name, code = _BLOCK.search(body), _CODE.search(body)
    return (
        {name[1].decode("latin-1")} if name else set(),
        {code[1].decode("ascii")} if code else set(),
    )


def _identifiers_parsed(body):
    """Block names and database codes of the parsed file; a reason in place of both if none."""
    try:
        # Latin-1 decodes any bytes: old files have other encodings, and ids are ASCII in all.
        blocks = gemmi.cif.read_string(body.decode("latin-1"))
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        return f"truncated or damaged CIF ({reason[:120]})", None
    codes = (gemmi.cif.as_string(b.find_value("_cod_database_code") or "") for b in blocks)
    return {block.name for block in blocks}, {code for code in codes if code}


class Manifest(AppendOnlyManifest):
    """Append outcomes to ``manifest.jsonl``, and find the last outcome of each entry."""

    def __init__(self, folder):
        super().__init__(folder / _MANIFEST_NAME)

    def __enter__(self):
        try:
            return super().__enter__()
        except ManifestBusyError:
            raise DownloadError(
                f"CODClient: {str(self.path.parent)!r} is being written by another download. "
                "Wait for it, or choose another folder."
            ) from None

    def append(self, **fields):
        """Write one outcome, with the time."""
        super().append(**fields, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    def last_records(self):
        """Last readable record of each COD id."""
        return {record["cod_id"]: record for record in self.records() if _is_outcome(record)}


def _is_outcome(record):
    """Whether a record has the fields of an outcome; the file may come from elsewhere."""
    cod_id, outcome = record.get("cod_id"), record.get("outcome")
    status, error = record.get("http_status"), record.get("error")
    return (
        # Not isinstance, for which the true of JSON is an integer.
        type(cod_id) is int
        and parse_cod_id(cod_id) is not None
        and isinstance(outcome, str)
        and outcome in OUTCOMES
        and (status is None or (type(status) is int and 0 <= status < 1000))
        and (error is None or isinstance(error, str))
    )


@dataclass(frozen=True)
class CODDownloadReport:
    """Outcome of every entry that a download was asked for.

    Attributes
    ----------
    table : DataFrame
        One row per entry, in the order asked for: ``cod_id``, ``outcome``, ``path`` (None where
        there is no file), ``http_status`` of the last answer, ``bytes``, ``sha256``,
        ``attempts`` (requests sent in this run) and ``error`` (None where there is a file).
    folder : Path
        The download folder.
    refused : DataFrame
        ``position`` and ``value`` of what was no COD id, where that did not raise.

    Examples
    --------
    >>> from crystalml.io import CODClient
    >>> import tempfile
    >>> client = CODClient(offline=True, progress=False)
    >>> report = client.download([1000041], tempfile.mkdtemp())
    >>> report.counts
    {'offline': 1}
    >>> report.complete
    False
    """

    table: pd.DataFrame = field(repr=False)
    folder: Path
    refused: pd.DataFrame = field(repr=False)

    @classmethod
    def from_records(
        cls, records: Iterable[Mapping[str, Any]], folder: Path, *, refused: pd.DataFrame
    ) -> Self:
        """Build the report from one dict per entry."""
        table = pd.DataFrame(records, columns=list(_DTYPES)).astype(_DTYPES)
        for name in ("path", "sha256", "error"):
            table[name] = table[name].where(table[name].notna(), None)
        return cls(table, folder, refused)

    @property
    def counts(self) -> dict[str, int]:
        """Entries by outcome, the good ones first; outcomes that did not occur are left out."""
        counts = self.table["outcome"].value_counts()
        return {name: int(counts[name]) for name in OUTCOMES if name in counts}

    @property
    def paths(self) -> list[str]:
        """Paths of the files that are there and good, as ``read_cifs`` takes them."""
        return self.table.loc[self.table["outcome"].isin(STORED), "path"].tolist()

    @property
    def problems(self) -> pd.DataFrame:
        """Rows of `table` without a file."""
        return self.table[~self.table["outcome"].isin(STORED)]

    @property
    def complete(self) -> bool:
        """Whether every entry has its file, and nothing was refused."""
        return self.problems.empty and self.refused.empty

    def __str__(self) -> str:
        lines = [f"{len(self.table)} COD entries in {self.folder}"]
        lines += [f"{count:8d} {name}: {OUTCOMES[name]}" for name, count in self.counts.items()]
        lines += [f"  {row.cod_id}: {row.error}" for row in self.problems.head(5).itertuples()]
        return "\n".join(lines)
