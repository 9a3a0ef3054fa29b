"""``crystalml check``: the entries of files or a table that are probably wrong."""

import argparse
from collections.abc import Iterator
from typing import Any

import pandas as pd

from crystalml._cli._output import print_json, records, text_table, without_folder, wrapped
from crystalml._cli._tables import cells_of, check_columns, is_table, read_table
from crystalml._schema import CELL_COLUMNS
from crystalml.exceptions import InvalidInputError
from crystalml.io import CHECK_FLAGS, check_table, read_cifs

_NAMES = ("source", "block", "cod_id", "formula", "spacegroup_hm")


def run(options: argparse.Namespace) -> int:
    """Read, check, and list the suspects."""
    # Before anything is read, which may take minutes; check_table would see it only afterwards.
    unknown = [flag for flag in options.flag or () if flag not in CHECK_FLAGS]
    if unknown:
        raise InvalidInputError(f"--flag {unknown[0]!r}: choose from {', '.join(CHECK_FLAGS)}.")
    table = _table(options)
    check = check_table(table, flags=options.flag)
    suspects = check.suspects
    unread = _unread(table)
    counts = {flag: int(n) for flag, n in check.counts.items() if n}
    if options.json:
        found = {"rows": len(table), "flags": counts, "unread": records(unread)}
        print_json(found | {"suspects": records(suspects)})
    else:
        _tell(suspects, counts, options.top)
        for source, error in unread.itertuples(index=False):
            print(f"not read: {source}: {error}")
        print(f"{len(suspects):,} of {len(table):,} rows are suspect, {len(unread):,} not read")
    return int(len(suspects) + len(unread) > 0)


def _table(options: argparse.Namespace) -> pd.DataFrame:
    """Read the table, or make one of CIF files."""
    if len(options.sources) == 1 and is_table(options.sources[0]):
        table = read_table(options.sources[0])
        check_columns(table, CELL_COLUMNS, options.sources[0])
        # A CSV has texts where a field is no number; this names the first of them.
        table[list(CELL_COLUMNS)] = cells_of(table, options.sources[0])
        return table
    tables = [source for source in options.sources if is_table(source)]
    if tables:
        raise InvalidInputError(
            f"{tables[0]} is a table; check one table alone, or any number of CIF files."
        )
    return read_cifs(options.sources, n_jobs=options.n_jobs)


def _unread(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that could not be read, with the reason."""
    # Tables that `crystalml read` did not write need not have these columns.
    if not {"source", "error"} <= set(table.columns):
        return pd.DataFrame(columns=["source", "error"])
    return table.loc[table["error"].notna(), ["source", "error"]]


def _tell(suspects: pd.DataFrame, counts: dict[str, int], most: int) -> None:
    """List the suspects, and what the flags among them mean."""
    if suspects.empty:
        return
    names = [name for name in _NAMES if name in suspects.columns]
    shown = suspects.head(most)
    if "source" in names:
        # Where each file has one row, its name is enough; and the COD's files are named by number.
        is_enough = not shown["source"].duplicated().any()
        names = [name for name in names if name not in ("cod_id", "block")[: 1 + is_enough]]
        folder, sources = without_folder(shown["source"].tolist())
        shown = shown.assign(source=sources)
        if folder:
            print(f"in {folder}\n")
    rows = [line for row in records(shown) for line in _lines(row, names)]
    print(text_table(("score", *names, "flags"), rows, whole=("score", "flags")))
    if len(suspects) > most:
        print(f"... and {len(suspects) - most:,} more (--top, or --json for all)")
    print()
    meanings = ((flag, str(n), CHECK_FLAGS[flag]) for flag, n in counts.items())
    sentences = (wrapped(f"{flag} ({n}): {meaning}", "    ") for flag, n, meaning in meanings)
    print("\n".join(sentences), end="\n\n")


def _lines(row: dict[str, Any], names: list[str]) -> Iterator[tuple[Any, ...]]:
    """Write a suspect in as many lines of the table as it has flags."""
    first, *others = row["flags"].split(";")
    yield (f"{row['score']:.1f}", *(row[name] for name in names), first)
    for flag in others:
        yield (None, *(None for _ in names), flag)
