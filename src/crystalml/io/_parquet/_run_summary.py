"""What happened in reading many files, small enough to keep and to add up."""

from dataclasses import dataclass, field

import pandas as pd

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
    def of(cls, table, sources):
        """Summarise the rows of a table and the files that they came from."""
        statuses = table["status"]
        flagged = table.loc[table["flags"] != "", ["source", "flags", "error"]]
        flagged = flagged.assign(flags=flagged["flags"].str.split(";")).explode("flags")
        first = {}
        for status in (name for name in STATUSES[1:] if (statuses == name).any()):
            first[status] = _first_rows(table[statuses == status])
        for flag, rows in flagged.groupby("flags"):
            first[flag] = _first_rows(rows)
        slow = sources.nlargest(_SLOWEST, "seconds")
        return cls(
            n_files=len(sources),
            n_rows=len(table),
            statuses=_counts(statuses),
            flags=_counts(flagged["flags"]),
            first=first,
            slowest=[
                [round(seconds, 6), None if pd.isna(size) else int(size), source]
                for seconds, size, source in zip(
                    slow["seconds"], slow["size"], slow["source"], strict=True
                )
            ],
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


def _counts(column):
    return {name: int(count) for name, count in column.value_counts().items()}


def _first_rows(rows):
    head = rows.head(_FIRST)
    errors = head["error"].astype(object).where(head["error"].notna(), None)
    return [list(row) for row in zip(head["source"], errors, strict=True)]


def summary_table(summary):
    """Rows by status and by flag, with the first few of each, as a data frame."""
    kinds = {"status": {s: summary.statuses[s] for s in STATUSES if s in summary.statuses}}
    kinds["flag"] = dict(sorted(summary.flags.items(), key=lambda item: (-item[1], item[0])))
    records = [
        (kind, name, count, [source for source, _ in summary.first.get(name, [])])
        for kind, counts in kinds.items()
        for name, count in counts.items()
    ]
    return pd.DataFrame(records, columns=["kind", "name", "rows", "first"])
