"""From files to records and columns, in one place that lets no file stop the others."""

from crystalml.io._columns import columns_of
from crystalml.io._limits import FileLimitError
from crystalml.io._read import read_records
from crystalml.io._record import error_record
from crystalml.io._source import READ_ERRORS, reason

READER_FAILED = "the reader failed, please report this file"


def records_of_source(source):
    """Read one Source into records, one per data block; whatever fails becomes a reason."""
    if source.error is not None:
        return [error_record(source.name, source.error)]
    try:
        data = source.read()
    except READ_ERRORS as error:
        return [error_record(source.name, reason(error))]
    return records_of_data(data, source.name)


def records_of_data(data, name):
    """Read the bytes of one CIF into records.

    This is the one place where the reader's own failure is caught: among half a million
    files, one that breaks it must not cost the others.
    """
    try:
        return read_records(data, name)
    except FileLimitError as error:
        return [error_record(name, str(error))]
    except Exception as error:  # noqa: BLE001
        return [error_record(name, f"{READER_FAILED}: {type(error).__name__}: {error}")]


def columns_of_all(sources):
    """Read Sources into columns with one row per data block."""
    return columns_of([record for source in sources for record in records_of_source(source)])


def columns_of_first(sources):
    """Read Sources into columns with one row per file: its first record."""
    return columns_of([records_of_source(source)[0] for source in sources])
