"""``crystalml read``: CIF files to one table."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from crystalml._cli._output import print_json, records, text_table, without_folder
from crystalml._cli._tables import check_output, write_table
from crystalml.io import cifs_to_parquet, read_cifs

_SHOWN = ("source", "block", "status", "formula", "spacegroup_hm", "a", "b", "c")
_MOST_ERRORS = 10


def run(options: argparse.Namespace) -> int:
    """Read, write, and say what was read."""
    output = options.output
    # A data set is written part by part, since it may not fit into memory; a single file has to.
    if output is not None and not Path(output).suffix:
        return _read_to_folder(options)
    if output is not None:
        # Now, not after minutes of reading.
        check_output(output)
    table = read_cifs(options.sources, n_jobs=options.n_jobs)
    if output is not None:
        write_table(table, output)
    unread = table.loc[table["error"].notna(), ["source", "error"]]
    counts = table["status"].value_counts().to_dict()
    if options.json:
        report = {"rows": len(table), "status": counts, "output": output}
        # The rows are in the file then; only what could not be read is news.
        report["errors" if output else "table"] = records(unread if output else table)
        print_json(report)
    else:
        if output is None:
            # Where each file has one row, its name is enough.
            names = [n for n in _SHOWN if n != "block" or table["source"].duplicated().any()]
            folder, sources = without_folder(table["source"].tolist())
            shown = table[names].astype(object).assign(source=sources)
            if folder:
                print(f"in {folder}\n")
            print(text_table(names, shown.itertuples(index=False)), end="\n\n")
        _tell(len(table), counts, unread, len(unread), output)
    return int(len(unread) > 0)


def _read_to_folder(options: argparse.Namespace) -> int:
    """Read into a Parquet data set, part by part."""
    report = cifs_to_parquet(options.sources, options.output, n_jobs=options.n_jobs)
    counts = report.counts
    # Not the length of `errors`, which holds the first ones only.
    n_unread = counts.get("error", 0)
    if options.json:
        found: dict[str, Any] = {"rows": report.n_rows, "status": counts}
        found |= {"output": options.output, "errors": records(report.errors)}
        print_json(found)
    else:
        _tell(report.n_rows, counts, report.errors, n_unread, options.output)
    return int(len(report.errors) > 0)


def _tell(
    n_rows: int, counts: dict[str, int], errors: pd.DataFrame, n_errors: int, output: str | None
) -> None:
    """Say how many rows there are, and which could not be read."""
    by_status = ", ".join(f"{n:,} {status}" for status, n in counts.items())
    target = f" in {output}" if output else ""
    print(f"{n_rows:,} {'row' if n_rows == 1 else 'rows'}{target}: {by_status}")
    for source, error in errors.head(_MOST_ERRORS).itertuples(index=False):
        print(f"  {source}: {error}")
    if n_errors > _MOST_ERRORS:
        print(f"  and {n_errors - _MOST_ERRORS:,} more; the column error has the reasons")
