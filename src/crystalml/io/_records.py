"""From one file to its records: its bytes to text, the text to blocks, the blocks to records.

The one place that decides what a file is, and that lets no file stop the others. Text is read by
the scanner where it is sure, else by gemmi, else tolerantly.
"""

import gemmi

from crystalml.io._blocks import BlockBuilder, are_triplets
from crystalml.io._columns import columns_of
from crystalml.io._limits import Allowance, FileLimitError, check_words
from crystalml.io._record import error_record, has_cell, record_of
from crystalml.io._repair import CIF2_MAGIC, repair_blocks
from crystalml.io._scan import scan_blocks
from crystalml.io._source import READ_ERRORS, reason
from crystalml.io._tags import OPERATION_TAGS, canonical_tag

READER_FAILED = "the reader failed, please report this file"

NO_CELL = "no data block has a unit cell"

# How files begin that are often called .cif by mistake: most are what a server sent instead.
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

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def columns_of_all(sources):
    """Read Sources into columns with one row per data block."""
    return columns_of([record for source in sources for record in records_of_source(source)])


def columns_of_first(sources):
    """Read Sources into columns with one row per file: its first record."""
    # The first has a cell if any has one, as `read_records` sorts out the others.
    return columns_of([records_of_source(source)[0] for source in sources])


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


def read_records(data, source):
    """Rows of one file: one per block with a cell, else a single one that says why not.

    Raises FileLimitError where it takes more than one file may.
    """
    # One for the whole file: many small blocks are as slow as a large one.
    allowance = Allowance()
    blocks, flags = parse_blocks(data, allowance)
    records = []
    for block in filter(has_cell, blocks):
        allowance.check_time()
        records.append(record_of(block, source, file_flags=flags))
    if records:
        return records
    # Without a cell, a block with some known item still says what the file was.
    described = next((block for block in blocks if block.values), None)
    if described is None:
        return [error_record(source, _why_nothing(data, blocks))]
    return [record_of(described, source, file_flags=flags, error=NO_CELL)]


def _why_nothing(data, blocks):
    """Say in one sentence why no record came out."""
    # A file may be of any size; its beginning is enough to name it.
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


def parse_blocks(data, allowance):
    """Read the bytes of a CIF into blocks and flags.

    Raises FileLimitError where the file takes more than the `Allowance`, and nothing else.
    """
    data, other_encoding = to_utf8(data)
    return _parse_text(data, allowance), (("encoding",) if other_encoding else ())


def to_utf8(data):
    """Turn `data` into UTF-8 without a mark; also tell whether it was something else.

    Latin-1 gives every byte a meaning, so nothing fails; the names that CIFs write in it
    (authors, minerals) come out right.
    """
    if data.startswith(_UTF16_MARKS):
        # Half a character at the end of a file costs itself alone.
        return data.decode("utf-16", "replace").encode(), True
    data = data.removeprefix(_UTF8_MARK)
    if data.isascii() or _is_utf8(data):
        return data, False
    return data.decode("latin-1").encode(), True


def _is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parse_text(data, allowance):
    """Read CIF text (UTF-8 bytes) into blocks."""
    is_cif2 = data.startswith(CIF2_MAGIC)  # gemmi reads CIF 1.1
    blocks = None if is_cif2 else scan_blocks(data, allowance)
    if blocks is None and b"\r" in data:
        # Only if need be, as this copies the whole file.
        data = with_line_feeds(data)
        blocks = None if is_cif2 else scan_blocks(data, allowance)
    if blocks is not None:
        return blocks
    # What follows holds every word in memory, which the scanner does not.
    check_words(data)
    if is_cif2:
        return repair_blocks(data, allowance)
    try:
        # Strict, and compiled: only what it refuses goes to the tolerant parser.
        return gemmi_blocks(data, allowance)
    except (ValueError, RuntimeError):
        return repair_blocks(data, allowance)


def with_line_feeds(data):
    """Turn the line ends of Windows and of the old Macintosh into line feeds."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def gemmi_blocks(data, allowance=None):
    """Read well-formed CIF text with gemmi; raises ValueError or RuntimeError otherwise."""
    allowance = allowance or Allowance()
    return [_block(block, allowance) for block in gemmi.cif.read_string(data)]


def _block(block, allowance):
    """Reduce a block of gemmi."""
    allowance.take_block()
    builder = BlockBuilder(block.name.strip())
    for item in block:
        if item.pair is not None:
            tag, value = item.pair
            builder.add_pair(tag.encode(), value.encode())
        elif item.loop is not None:
            _add_loop(builder, item.loop)
    return builder.build()


def _add_loop(builder, loop):
    """Hand a loop over, without touching the values of one that is not wanted."""
    tags = [tag.encode() for tag in loop.tags]
    # Values that nobody wants are not even turned into Python objects.
    if not any(map(canonical_tag, tags)):
        return
    values, width = loop.values, len(tags)
    for index, tag in enumerate(tags):
        if canonical_tag(tag) in OPERATION_TAGS:
            column = values[index::width]
            # Missing quotes may still fill the rows by chance; the tolerant parser knows the lines.
            if not are_triplets([value.encode() for value in column]):
                raise ValueError(f"{tag!r} has values that are no operations")
    builder.add_loop(tags, lambda index: [value.encode() for value in values[index::width]])
