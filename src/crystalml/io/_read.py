"""From the bytes of one file to its records: the one place that decides what a file is."""

from crystalml.io._limits import Allowance
from crystalml.io._parse import parse_blocks
from crystalml.io._record import error_record, has_cell, record_of

NO_CELL = "no data block has a unit cell"

_SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or an office document",
    b"\x1f\x8b": "gzip-compressed",
    b"\x7fELF": "a program",
    b"<!doctype": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "an XML document",
    b"{": "JSON",
}


def read_records(data, source):
    """Rows of one file: one per block with a cell, else a single one that says why not.

    Raises FileLimitError where it takes more than one file may.
    """
    allowance = Allowance()
    blocks, flags = parse_blocks(data, allowance)
    records = []
    for block in filter(has_cell, blocks):
        allowance.check_time()
        records.append(record_of(block, source, file_flags=flags))
    if records:
        return records
    described = next((block for block in blocks if block.values), None)
    if described is None:
        return [error_record(source, _why_nothing(data, blocks))]
    return [record_of(described, source, file_flags=flags, error=NO_CELL)]


def _why_nothing(data, blocks):
    """Say in one sentence why no record came out."""
    head = data[:4096].lstrip()
    if not head:
        return "the file is empty"
    lowered = head.lower()
    for signature, what in _SIGNATURES.items():
        if lowered.startswith(signature.lower()):
            return f"this is no CIF: it looks like {what}"
    if blocks:
        return NO_CELL
    return f"this is no CIF: it has neither data_ header nor item, and begins with {head[:20]!r}"
