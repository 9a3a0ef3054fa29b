"""From files to a piece of a Parquet data set: what a worker does, and what it sends back."""

from time import perf_counter
from typing import NamedTuple

import numpy as np
import pandas as pd

from crystalml._dependencies import import_optional
from crystalml._schema import STATUSES, TABLE_COLUMNS
from crystalml.io._parquet._run_summary import RunSummary
from crystalml.io._sources import Source
from crystalml.io._table import build_table, records_of_source

_ARROW_TYPES = {"object": "string", "float64": "float64", "Int64": "int64", "boolean": "bool_"}
# The manifest of the sources: one row per file.
SOURCE_COLUMNS = {
    "source": "string",
    "size": "int64",
    "mtime_ns": "int64",
    "sha256": "string",
    "status": "string",
    "n_rows": "int32",
    "seconds": "float64",
}


class Stamp(NamedTuple):
    """What tells whether a file is the one that was read: size and time, or checksum."""

    name: str
    size: int | None
    mtime_ns: int | None
    sha256: str | None


class Chunk(NamedTuple):
    """Some files of one part of the data set, on their way to a worker."""

    part: int
    digest: str | None  # of all files of the part, with its last chunk
    sources: list[Source]
    stamps: list[Stamp]


class ChunkResult(NamedTuple):
    """What became of a chunk: two Arrow tables and a summary."""

    part: int
    digest: str | None
    table: object
    sources: object
    summary: RunSummary


def read_chunk(chunk):
    """Read the files of a chunk; this runs in a worker."""
    records, n_rows, seconds = [], [], []
    for source in chunk.sources:
        start = perf_counter()
        found = records_of_source(source)
        seconds.append(perf_counter() - start)
        n_rows.append(len(found))
        records.extend(found)
    table = build_table(records)
    stamps = [stamp._replace(name=_utf8(stamp.name)) for stamp in chunk.stamps]
    sources = pd.DataFrame(stamps, columns=list(Stamp._fields), dtype=object)
    sources = sources.rename(columns={"name": "source"})
    sources = sources.astype({"size": "Int64", "mtime_ns": "Int64"})  # no float has all digits
    sources["status"] = _worst_status(table["status"], n_rows)
    sources["n_rows"], sources["seconds"] = n_rows, seconds
    return ChunkResult(
        chunk.part,
        chunk.digest,
        to_arrow(table, {name: _ARROW_TYPES[c.dtype] for name, c in TABLE_COLUMNS.items()}),
        to_arrow(sources, SOURCE_COLUMNS),
        RunSummary.of(table, sources),
    )


def to_arrow(frame, types):
    """Turn a data frame into an Arrow table of a fixed schema; missing becomes null."""
    pyarrow = import_optional("pyarrow", needed_by="cifs_to_parquet")
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in types.items()])
    if "source" in frame:  # names of files may hold bytes that are no UTF-8
        frame = frame.assign(source=frame["source"].map(_utf8))
    return pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=False)


def to_parquet_bytes(tables):
    """Join Arrow tables to the bytes of one Parquet file with one row group."""
    pyarrow = import_optional("pyarrow", needed_by="cifs_to_parquet")
    parquet = import_optional("pyarrow.parquet", needed_by="cifs_to_parquet")
    stream = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.concat_tables(tables), stream, compression="zstd")
    return stream.getvalue()


def _worst_status(statuses, n_rows):
    """Per file, the worst status of its rows."""
    codes = pd.Categorical(statuses, categories=STATUSES).codes
    starts = np.cumsum([0, *n_rows[:-1]])
    return np.array(STATUSES, dtype=object)[np.maximum.reduceat(codes, starts)]


def _utf8(name):
    return name.encode("utf-8", "backslashreplace").decode()
