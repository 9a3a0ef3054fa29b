"""The folder of a Parquet data set that can be continued after any interruption."""

import hashlib
import re
import shutil
from dataclasses import asdict
from functools import cache
from itertools import zip_longest

import pandas as pd

from crystalml._dependencies import import_optional
from crystalml._schema import TABLE_COLUMNS
from crystalml._version import __version__
from crystalml.exceptions import ParquetError
from crystalml.io._atomic import sync_folder, write_atomically
from crystalml.io._manifest import AppendOnlyManifest, ManifestBusyError
from crystalml.io._parquet._parts import unpack_table
from crystalml.io._parquet._run_report import RunSummary
from crystalml.io._read_cifs import build_table

# Readers of Parquet data sets pass over names that begin with "_" or ".".
MANIFEST_NAME, SOURCES_NAME, STAGING_NAME = "_manifest.jsonl", "_sources", ".incoming"
_PART_NAME = re.compile(r"part-\d{5,}\.parquet")
_FORMAT = 2

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


class ParquetFolder:
    """Numbered parts below `folder`, each with the manifest of its sources.

    A part is finished when its line stands in ``_manifest.jsonl``. The line is written after
    the part and its sources lie whole on the disk under their names, so that whatever a run
    leaves behind, the next one knows what to keep; everything else is written anew.
    """

    def __init__(self, folder, *, settings):
        self.folder = folder
        self._settings = {"format": _FORMAT, "crystalml": __version__, **settings}
        self._manifest = AppendOnlyManifest(folder / MANIFEST_NAME)
        self._parts = {}

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._manifest.path.exists() and any(self.folder.iterdir()):
            raise ParquetError(
                f"cifs_to_parquet: dest {str(self.folder)!r} is not empty and has no "
                f"{MANIFEST_NAME} of an earlier run. Choose a new or empty folder."
            )
        try:
            self._manifest.__enter__()
        except ManifestBusyError:
            raise ParquetError(
                f"cifs_to_parquet: {str(self.folder)!r} is being written by another process. "
                "Wait for it, or choose another folder."
            ) from None
        try:
            self._continue()
        except BaseException:
            # Where __enter__ fails, __exit__ is not called, and the lock would stay.
            self._manifest.__exit__()
            raise
        return self

    def __exit__(self, *error):
        # What is left there belongs to no finished part.
        shutil.rmtree(self.folder / STAGING_NAME, ignore_errors=True)
        self._manifest.__exit__(*error)

    @property
    def n_parts(self):
        """Number of finished parts."""
        return len(self._parts)

    @property
    def n_files(self):
        """Number of files in the finished parts."""
        return sum(record["summary"]["n_files"] for record in self._parts.values())

    def summary(self):
        """Sum of the summaries of all parts."""
        total = RunSummary()
        for _, record in sorted(self._parts.items()):
            total.add(RunSummary(**record["summary"]))
        return total

    def has(self, part):
        """Tell whether a part was finished, from whatever files."""
        return part in self._parts

    def has_from(self, part, stamps):
        """Tell whether a part that was finished was read from these files."""
        return self._parts[part]["inputs"] == digest(stamps)

    def difference(self, part, stamps):
        """Say which file of a finished part is another one now."""
        from pyarrow import parquet

        columns = ["source", "size", "mtime_ns", "sha256"]
        before = parquet.read_table(self._sources_path(part), columns=columns).to_pylist()
        # The shorter list is filled with None: files are gone or new.
        for old, new in zip_longest(before, zip(*stamps, strict=True)):
            if old is None:
                return f"{new[0]!r} is new"
            if new is None:
                return f"{old['source']!r} is gone"
            if old["source"] != new[0]:
                return f"{new[0]!r} stands where {old['source']!r} was"
            if tuple(old.values())[1:] != new[1:]:
                return f"{new[0]!r} has changed"
        return "names differ in bytes that are no UTF-8"

    def write(self, part, tables, sources, summary, stamps):
        """Write a part so that it is there whole, with its manifest, or not at all."""
        staging = self.folder / STAGING_NAME
        staging.mkdir(exist_ok=True)
        (self.folder / SOURCES_NAME).mkdir(exist_ok=True)
        body = to_parquet_bytes(tables, table_schema())
        for path, content in (
            # The sources first: whoever sees a part finds its sources, too.
            (self._sources_path(part), to_parquet_bytes(sources, source_schema())),
            (self._part_path(part), body),
        ):
            write_atomically(path, content, unfinished=staging / path.name)
            sync_folder(path.parent)
        record = {
            "part": part,
            "file": self._part_path(part).name,
            "bytes": body.size,
            "inputs": digest(stamps),
            "summary": asdict(summary),
        }
        self._manifest.append(**record)
        self._manifest.sync()
        self._parts[part] = record

    def forget_from(self, part):
        """Remove this part and all after it: there are no files for them any more."""
        for number in [number for number in self._parts if number >= part]:
            # Before the files go: what is left of them after a kill, the next run clears away.
            self._manifest.append(part=number, file=None)
            self._manifest.sync()
            del self._parts[number]
            self._part_path(number).unlink()
            self._sources_path(number).unlink()

    def _continue(self):
        """Learn what is finished, and clear away what an interrupted run left unfinished."""
        header = None
        for record in self._manifest.records():
            if "format" in record:
                header = record
            elif record["file"] is None:
                self._parts.pop(record["part"], None)
            else:
                self._parts[record["part"]] = record
        if header is None:
            self._manifest.append(**self._settings)
        elif header != self._settings:
            self._refuse(header)
        shutil.rmtree(self.folder / STAGING_NAME, ignore_errors=True)
        # A disk that lost its last writes, or a user, may have taken what the manifest promises.
        for number in [n for n, record in self._parts.items() if not self._is_whole(n, record)]:
            del self._parts[number]
        finished = {self._part_path(number).name for number in self._parts}
        for folder in (self.folder, self.folder / SOURCES_NAME):
            for path in folder.glob("part-*.parquet"):
                # Only names of our own making are removed.
                if _PART_NAME.fullmatch(path.name) and path.name not in finished:
                    path.unlink()

    def _is_whole(self, part, record):
        path = self._part_path(part)
        is_there = path.exists() and self._sources_path(part).exists()
        return is_there and path.stat().st_size == record["bytes"]

    def _refuse(self, header):
        name = next(
            n for n in {**header, **self._settings} if header.get(n) != self._settings.get(n)
        )
        raise ParquetError(
            f"cifs_to_parquet: the data set in {str(self.folder)!r} was begun with {name} = "
            f"{header.get(name)!r}, this call has {self._settings.get(name)!r}. Use the same to "
            "continue it, or choose another folder."
        )

    def _part_path(self, part):
        return self.folder / f"part-{part:05d}.parquet"

    def _sources_path(self, part):
        return self.folder / SOURCES_NAME / f"part-{part:05d}.parquet"


def digest(stamps):
    """Checksum of the files of a part: their names, sizes, and times or contents, in order."""
    text = repr([tuple(column) for column in stamps])
    # Names that are no UTF-8 hold surrogates, which no strict encoder takes.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


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
