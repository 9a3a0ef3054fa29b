"""Back from rows of a table to the CIFs that they came from."""

import os
from pathlib import Path

from crystalml.exceptions import CIFError
from crystalml.io._source import READ_ERRORS, file_source, named_file, reason
from crystalml.io._sources import iterate_sources

_IN_MEMORY = ("<text>", "<bytes>", "<file>")


def read_row_sources(names):
    """Yield the distinct names of column `source`, each with its bytes or a CIFError.

    Archives are walked once each, however many members are wanted.
    """
    members = {}  # archive -> wanted names
    for name in dict.fromkeys(names):
        archive = None
        if isinstance(name, str) and not os.path.isfile(named_file(name)):
            parents = (named_file(str(parent)) for parent in Path(name).parents)
            archive = next((parent for parent in parents if os.path.isfile(parent)), None)
        if archive is None:
            yield name, _read(name)
        else:
            members.setdefault(archive, {})[name] = None
    for archive, wanted in members.items():
        for source in iterate_sources(archive, caller="read_row_sources"):
            if source.name in wanted:
                del wanted[source.name]
                yield source.name, source_bytes(source)
        for name in wanted:
            yield name, CIFError(f"archive {archive!r} has no such member")


def source_bytes(source):
    """Bytes of a Source, or the CIFError that says why there are none."""
    if source.error is not None:
        return CIFError(source.error)
    try:
        return source.read()
    except READ_ERRORS as error:
        return CIFError(reason(error))


def _read(name):
    if not isinstance(name, str):
        return CIFError("the row has no source to read the atoms from; pass the CIF itself")
    if name in _IN_MEMORY:
        return CIFError(
            "the row came from a CIF in memory, which the table does not keep; pass the text, "
            "bytes or file instead"
        )
    return source_bytes(file_source(named_file(name)))
