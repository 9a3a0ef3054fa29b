"""What happened in reading many files, small enough to keep and to add up."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from crystalml._schema import STATUSES

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


def _file(sources, row):
    """Seconds, size and name of one file."""
    size = None if sources["size"].missing[row] else int(sources["size"].values[row])
    return [round(float(sources["seconds"][row]), 6), size, sources["source"][row]]
