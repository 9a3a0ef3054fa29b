"""Columns as bytes in the layout of Apache Arrow, written without and read with pyarrow.

Whoever writes them, a worker, need not import pyarrow and the pandas that it brings along; whoever
reads them wraps the bytes and does nothing else.
"""

from typing import NamedTuple

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.io._columns import Masked


class PackedColumn(NamedTuple):
    """Length, number of missing values, and the buffers of an Arrow array."""

    length: int
    n_missing: int
    buffers: tuple  # validity (None if nothing is missing), [offsets,] values


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
