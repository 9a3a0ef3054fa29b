"""What a run over many files did: counts that add up, and the report for the user.

Workers count, and start in half the time without pandas: only the report imports it.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from crystalml._schema import STATUSES

if TYPE_CHECKING:
    import pandas as pd

_FIRST, _SLOWEST = 3, 10


@dataclass
class RunSummary:
    """Counts of rows by status and flag, the first few of each, and the slowest files."""

    n_files: int = 0
    n_rows: int = 0
    statuses: dict = field(default_factory=dict)
    flags: dict = field(default_factory=dict)
    first: dict = field(default_factory=dict)  # status or flag -> [(source, error or None)]
    slowest: list = field(default_factory=list)  # (seconds, size or None, source)

    @classmethod
    def of(cls, columns, sources):
        """Summarise columns of the table, and of the manifest of the files they came from."""
        statuses, flags = columns["status"], columns["flags"]
        rows_with = {}
        for row in np.flatnonzero((statuses != STATUSES[0]) | (flags != "")):
            names = [statuses[row], *(flags[row].split(";") if flags[row] else ())]
            for name in names:
                rows_with.setdefault(name, []).append(row)
        # Sound rows are counted, but nobody needs to be shown the first of them.
        rows_with.pop(STATUSES[0], None)
        slow = np.argsort(-sources["seconds"], kind="stable")[:_SLOWEST]
        return cls(
            n_files=len(sources["source"]),
            n_rows=len(statuses),
            statuses=dict(Counter(statuses.tolist())),
            flags={name: len(rows) for name, rows in rows_with.items() if name not in STATUSES},
            first={
                name: [[columns["source"][row], columns["error"][row]] for row in rows[:_FIRST]]
                for name, rows in rows_with.items()
            },
            slowest=[_file(sources, row) for row in slow],
        )

    def add(self, other):
        """Add what happened later."""
        self.n_files += other.n_files
        self.n_rows += other.n_rows
        for mine, theirs in ((self.statuses, other.statuses), (self.flags, other.flags)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        for name, rows in other.first.items():
            self.first[name] = (self.first.get(name, []) + rows)[:_FIRST]
        slowest = sorted(self.slowest + other.slowest, key=lambda row: row[0], reverse=True)
        self.slowest = slowest[:_SLOWEST]


@dataclass(frozen=True)
class CIFRunReport:
    """What :func:`cifs_to_parquet` found, in this run and in the ones that it continued.

    Attributes
    ----------
    table : DataFrame
        One row per status and per flag that occurred: ``kind`` (``"status"`` or ``"flag"``),
        ``name``, ``rows`` and ``first``, the sources of the first few such rows.
    slowest : DataFrame
        The files that took longest: ``source``, ``seconds`` and ``size`` in bytes.
    errors : DataFrame
        The first rows with an ``error``: ``source`` and ``error``.
    folder : Path
        The data set.
    n_files, n_rows : int
        Files read and rows written, in all runs together.
    n_files_read : int
        Files read in this run; the others were found finished.
    n_parts : int
        Parquet files in the data set.
    seconds : float
        Duration of this run.

    Examples
    --------
    >>> import tempfile
    >>> from crystalml.io import cifs_to_parquet
    >>> texts = ["data_a _cell_length_a 5", "no CIF"]
    >>> report = cifs_to_parquet(texts, tempfile.mkdtemp())
    >>> report.counts
    {'incomplete': 1, 'error': 1}
    >>> report.table[["kind", "name", "rows"]]
         kind                name  rows
    0  status          incomplete     1
    1  status               error     1
    2    flag        missing_cell     1
    3    flag  missing_spacegroup     1
    """

    table: "pd.DataFrame" = field(repr=False)
    slowest: "pd.DataFrame" = field(repr=False)
    errors: "pd.DataFrame" = field(repr=False)
    folder: Path
    n_files: int
    n_rows: int
    n_files_read: int
    n_parts: int
    seconds: float

    @classmethod
    def of(
        cls,
        summary: RunSummary,
        folder: Path,
        *,
        n_files_read: int,
        n_parts: int,
        seconds: float,
    ) -> Self:
        """Build the report from the sum of the summaries of all parts."""
        import pandas as pd

        # By status only: a row with a flag is also among those of its status.
        first = [row for name in STATUSES for row in summary.first.get(name, []) if row[1]]
        # Names of files as objects: pandas 3 makes text of them that has no room for odd bytes.
        slowest = pd.DataFrame(
            summary.slowest, columns=["seconds", "size", "source"], dtype=object
        ).astype({"seconds": float, "size": "Int64"})
        return cls(
            table=_table(summary),
            slowest=slowest[["source", "seconds", "size"]],
            errors=pd.DataFrame(first, columns=["source", "error"], dtype=object),
            folder=folder,
            n_files=summary.n_files,
            n_rows=summary.n_rows,
            n_files_read=n_files_read,
            n_parts=n_parts,
            seconds=seconds,
        )

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status, the best first; what did not occur is left out."""
        rows = self.table[self.table["kind"] == "status"]
        return {name: int(count) for name, count in zip(rows["name"], rows["rows"], strict=True)}

    def __str__(self) -> str:
        lines = [
            f"{self.n_files} files, {self.n_rows} rows, {self.n_parts} parts in {self.folder}",
            f"{self.n_files_read} files read in {self.seconds:.1f} s",
        ]
        for kind, rows in self.table.groupby("kind", sort=False):
            lines.append(f"rows by {kind}:")
            lines += [_line(row) for row in rows.itertuples()]
        if len(self.errors):
            lines.append("first errors:")
            lines += [f"  {row.source}: {row.error}" for row in self.errors.itertuples()]
        if len(self.slowest):
            lines.append("slowest files:")
            lines += [
                f"  {row.seconds:8.3f} s  {row.source}" for row in self.slowest.head(3).itertuples()
            ]
        return "\n".join(lines)


def _line(row):
    first = f"  (first: {row.first[0]})" if row.first else ""
    return f"{row.rows:10d}  {row.name}{first}"


def _table(summary):
    """Rows by status and by flag, with the first few of each."""
    import pandas as pd

    kinds = {"status": {s: summary.statuses[s] for s in STATUSES if s in summary.statuses}}
    kinds["flag"] = dict(sorted(summary.flags.items(), key=lambda item: (-item[1], item[0])))
    records = [
        (kind, name, count, [source for source, _ in summary.first.get(name, [])])
        for kind, counts in kinds.items()
        for name, count in counts.items()
    ]
    return pd.DataFrame(records, columns=["kind", "name", "rows", "first"])


def _file(sources, row):
    """Seconds, size and name of one file."""
    size = None if sources["size"].missing[row] else int(sources["size"].values[row])
    return [round(float(sources["seconds"][row]), 6), size, sources["source"][row]]
