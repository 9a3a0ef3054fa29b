"""The two tables of a data set as Parquet: the rows, and the manifest of their sources."""

from functools import cache

import pandas as pd

from crystalml._dependencies import import_optional
from crystalml._schema import TABLE_COLUMNS
from crystalml.io._parquet._packing import unpack_table
from crystalml.io._table import build_table

_ARROW_TYPES = {"object": "string", "float64": "float64", "Int64": "int64", "boolean": "bool_"}
_SOURCE_COLUMNS = {  # one row per file: Arrow type and pandas dtype
    "source": ("string", "object"),
    "size": ("int64", "Int64"),
    "mtime_ns": ("int64", "Int64"),
    "sha256": ("string", "object"),
    "status": ("string", "object"),
    "n_rows": ("int32", "int32"),
    "seconds": ("float64", "float64"),
}


@cache
def table_schema():
    """Return the Arrow schema of the rows; it tells pandas which columns to make nullable."""
    types = {name: _ARROW_TYPES[column.dtype] for name, column in TABLE_COLUMNS.items()}
    return _schema(types, build_table([]))


@cache
def source_schema():
    """Return the Arrow schema of the manifest of the sources."""
    columns = {name: pd.Series(dtype=dtype) for name, (_, dtype) in _SOURCE_COLUMNS.items()}
    return _schema({name: kind for name, (kind, _) in _SOURCE_COLUMNS.items()}, columns)


def to_parquet_bytes(pieces, schema):
    """Join packed columns to the bytes of one Parquet file with one row group."""
    pyarrow = import_optional("pyarrow", needed_by="cifs_to_parquet")
    parquet = import_optional("pyarrow.parquet", needed_by="cifs_to_parquet")
    table = pyarrow.concat_tables([unpack_table(piece, schema) for piece in pieces])
    stream = pyarrow.BufferOutputStream()
    parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _schema(types, columns):
    """Return a schema with what pandas needs to get its own dtypes back."""
    pyarrow = import_optional("pyarrow", needed_by="cifs_to_parquet")
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in types.items()])
    empty = pyarrow.Table.from_pandas(pd.DataFrame(columns), schema=schema, preserve_index=False)
    return empty.schema
