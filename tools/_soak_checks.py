"""What must hold of a download and of a data set, whatever happened before: for `soak.py`."""

import json
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "io"))

import cod_server  # noqa: E402 - beside the tests of the client, which share it

STORED = {"downloaded", "verified", "found"}


class SoakError(Exception):
    """Something was lost, left over, or done twice."""


def demand(holds, complaint):
    """Raise unless something holds."""
    if not holds:
        raise SoakError(complaint)


def check_downloads(folder, ids, report, lasting):
    """Check report, folder and manifest against one another and against the server's files."""
    table = report.table
    demand(table["cod_id"].tolist() == ids, "the report has other entries than were asked for")
    wrong = unexpected_outcomes(report, lasting)
    demand(not wrong, f"unexpected outcomes {wrong!r}, expected {lasting!r}")
    demand(
        table["error"].notna().equals(~table["outcome"].isin(STORED)), "no reason, or one too many"
    )
    stored = table.loc[table["outcome"].isin(STORED), "cod_id"].tolist()
    check_files(folder, stored, exactly=True)
    records = _manifest_records(folder / "manifest.jsonl")
    last = {record["cod_id"]: record for record in records if "cod_id" in record}
    for row in table.itertuples():
        record, kept = last[row.cod_id], row.outcome in STORED
        same = (record["outcome"] in STORED) == kept and (
            not kept or record["sha256"] == row.sha256
        )
        demand(same, f"the manifest says {record!r}, the report {row!r}")


def unexpected_outcomes(report, lasting):
    """Return the outcomes that are none of an entry with this fault, or with none, by entry."""
    outcomes = dict(zip(report.table["cod_id"], report.table["outcome"], strict=True))
    return {
        cod_id: outcome
        for cod_id, outcome in outcomes.items()
        if outcome != lasting.get(cod_id) and (outcome not in STORED or cod_id in lasting)
    }


def check_files(folder, ids, *, exactly=False):
    """Check that every CIF in the folder is whole, whatever became of the run."""
    found = {int(path.stem): path for path in folder.glob("?/??/??/*")}
    demand(set(found) <= set(ids), "there are files of entries that were not asked for")
    demand(not exactly or set(found) == set(ids), "files are missing")
    for cod_id, path in found.items():
        demand(path.read_bytes() == cod_server.cif(cod_id), f"{path} is not the server's file")
    if exactly:
        others = {path.name for path in folder.iterdir() if not path.name.isdigit()}
        demand(others == {"manifest.jsonl"}, f"left behind: {sorted(others)}")


def _manifest_records(path):
    """Return the lines of a manifest that can be read; a kill and a damage may tear one each."""
    lines, records = path.read_bytes().splitlines(), []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    demand(len(lines) - len(records) <= 2, f"{path} has {len(lines) - len(records)} torn lines")
    return records


def check_rows(table, n_files):
    """Check that every file has a row, and every row that is not good a reason."""
    from crystalml._schema import STATUSES

    demand(table["source"].nunique() == n_files, f"{table['source'].nunique()} of {n_files} files")
    demand(set(table["status"]) <= set(STATUSES), f"unknown status in {set(table['status'])}")
    reasons = table["error"].notna() | (table["flags"].fillna("") != "") | (table["status"] == "ok")
    demand(reasons.all(), f"no reason for {table.loc[~reasons, 'source'].tolist()[:3]}")


def check_data_set(dest, report, expected, n_files):
    """Check data set, report and manifest against the same files read in one go."""
    table = pd.concat([pd.read_parquet(path) for path in sorted(dest.glob("part-*"))])
    _demand_same_rows(table, expected)
    sources = pd.concat([pd.read_parquet(path) for path in sorted((dest / "_sources").glob("*"))])
    demand(len(sources) == n_files, f"{len(sources)} sources, not {n_files}")
    demand(not sources["source"].duplicated().any(), "a file was read twice")
    numbers = report.n_files, report.n_rows, sum(report.counts.values())
    demand(numbers == (n_files, len(expected), len(expected)), f"the report says {numbers}")
    listed = {record["file"] for record in _manifest_records(dest / "_manifest.jsonl")[1:]}
    present = {path.name for path in dest.iterdir()}
    demand(present == listed | {"_manifest.jsonl", "_sources"}, f"left behind: {present ^ listed}")


def _demand_same_rows(table, expected):
    """Compare as text: the two ways have other types for the same."""
    demand(list(table.columns) == list(expected.columns), "the data set has other columns")
    demand(len(table) == len(expected), f"{len(table)} rows, not {len(expected)}")
    for name in expected.columns:
        ours = [_as_text(value) for value in table[name]]
        theirs = [_as_text(value) for value in expected[name]]
        demand(ours == theirs, f"column {name!r} differs from reading in one go")


def _as_text(value):
    missing = value is None or value is pd.NA or value != value
    return "" if missing else repr(float(value)) if isinstance(value, float) else str(value)
