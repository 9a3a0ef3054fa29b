"""From files to a piece of a Parquet data set: what a worker does, and what it sends back.

Columns travel as bytes in the layout of Apache Arrow, written without and read with pyarrow. A
worker, which writes them, need not import pyarrow and the pandas that it brings along; whoever
reads them wraps the bytes and does nothing else.
"""

import hashlib
from time import perf_counter
from typing import NamedTuple

import numpy as np

from crystalml._dependencies import import_optional
from crystalml._schema import STATUSES
from crystalml.io._columns import Masked, columns_of
from crystalml.io._parquet._run_report import RunSummary
from crystalml.io._records import records_of_source
from crystalml.io._source import SourceList

# STATUSES run from the best to the worst.
_RANK = {status: rank for rank, status in enumerate(STATUSES)}


class Stamp(NamedTuple):
    """What tells whether a file is the one that was read: size and time, or checksum."""

    name: str
    size: int | None
    mtime_ns: int | None
    sha256: str | None


class Chunk(NamedTuple):
    """Some files of one part of the data set, on their way to a worker."""

    part: int
    is_last: bool  # of its part
    sources: SourceList


class ChunkResult(NamedTuple):
    """What became of a chunk: packed columns, stamps (column by column) and a summary."""

    part: int
    is_last: bool
    table: dict
    sources: dict
    stamps: list
    summary: RunSummary


class PackedColumn(NamedTuple):
    """Length, number of missing values, and the buffers of an Arrow array."""

    length: int
    n_missing: int
    buffers: tuple  # validity (None if nothing is missing), [offsets,] values


def stamp_of(source):
    """Tell what a file is now, without reading it if it has a time."""
    if source.mtime_ns is not None:
        return Stamp(source.name, source.n_bytes, source.mtime_ns, None)
    data = source.loaded().data
    if data is None:
        return Stamp(source.name, None, None, None)
    return Stamp(source.name, len(data), None, hashlib.sha256(data).hexdigest())


def read_chunk(chunk):
    """Read the files of a chunk; this runs in a worker."""
    records, stamps, n_rows, seconds = [], [], [], []
    for source in chunk.sources:
        start = perf_counter()
        # Without a time, the bytes tell whether a file has changed: read once, for both purposes.
        file = source.loaded() if source.mtime_ns is None else source
        found = records_of_source(file)
        seconds.append(perf_counter() - start)
        stamps.append(stamp_of(file))
        n_rows.append(len(found))
        records.extend(found)
    stamps = list(zip(*stamps, strict=True))
    columns = columns_of(records)
    sources = _source_columns(stamps, columns["status"], n_rows, seconds)
    return ChunkResult(
        chunk.part,
        chunk.is_last,
        pack(columns),
        pack(sources),
        stamps,
        RunSummary.of(columns, sources),
    )


def _source_columns(stamps, statuses, n_rows, seconds):
    """Columns of the manifest of the sources: one row per file."""
    names, sizes, times, checksums = stamps
    return {
        "source": _texts(names),
        "size": _integers(sizes),
        "mtime_ns": _integers(times),
        "sha256": _texts(checksums),
        "status": _worst_status(statuses, n_rows),
        "n_rows": Masked(np.array(n_rows, dtype=np.int32), np.zeros(len(n_rows), dtype=bool)),
        "seconds": np.array(seconds),
    }


def _worst_status(statuses, n_rows):
    """Per file, the worst status of its rows."""
    ranks = np.array([_RANK[status] for status in statuses])
    starts = np.cumsum([0, *n_rows[:-1]])
    return np.array(STATUSES, dtype=object)[np.maximum.reduceat(ranks, starts)]


def _texts(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _integers(values):
    missing = np.array([value is None for value in values], dtype=bool)
    return Masked(np.array([value or 0 for value in values], dtype=np.int64), missing)


def pack(columns):
    """Return every column, an array of float, integer or object or a Masked, as a PackedColumn."""
    return {name: _pack(column) for name, column in columns.items()}


def unpack_table(packed, schema):
    """Return the Arrow table of packed columns."""
    pyarrow = import_optional("pyarrow", needed_by="cifs_to_parquet")
    arrays = []
    for field in schema:
        length, n_missing, buffers = packed[field.name]
        is_text = field.type == pyarrow.string()
        layout = pyarrow.large_string() if is_text else field.type
        buffers = [None if found is None else pyarrow.py_buffer(found) for found in buffers]
        array = pyarrow.Array.from_buffers(layout, length, buffers, n_missing)
        arrays.append(array.cast(field.type) if is_text else array)
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _pack(column):
    if isinstance(column, Masked):
        values, missing = column
    elif column.dtype == object:
        return _pack_text(column)
    else:
        values, missing = column, np.isnan(column)
    if values.dtype == bool:
        # Arrow keeps logicals as bits, the first in the lowest.
        values = np.packbits(values, bitorder="little")
    return _packed(missing, values.tobytes())


def _pack_text(texts):
    """Pack strings, None for missing; names of files may hold bytes that are no UTF-8."""
    missing = np.array([text is None for text in texts], dtype=bool)
    encoded = [b"" if text is None else text.encode("utf-8", "backslashreplace") for text in texts]
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(texts)), out=offsets[1:])
    return _packed(missing, offsets.tobytes(), b"".join(encoded))


def _packed(missing, *buffers):
    n_missing = int(missing.sum())
    validity = np.packbits(~missing, bitorder="little").tobytes() if n_missing else None
    return PackedColumn(len(missing), n_missing, (validity, *buffers))
