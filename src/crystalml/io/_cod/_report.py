"""What a download run did, entry by entry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd

from crystalml.io._cod._store import STORED

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
