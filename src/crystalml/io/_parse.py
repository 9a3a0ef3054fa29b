"""Reading CIF text: by the scanner where it is sure, else by gemmi, else tolerantly."""

import gemmi

from crystalml.io._blocks import BlockBuilder, are_triplets
from crystalml.io._encoding import to_utf8, with_line_feeds
from crystalml.io._limits import Allowance, check_words
from crystalml.io._repair import CIF2_MAGIC, repair_blocks
from crystalml.io._scan import scan_blocks
from crystalml.io._tags import OPERATION_TAGS, canonical_tag


def parse_blocks(data, allowance):
    """Read the bytes of a CIF into blocks and flags.

    Raises FileLimitError where the file takes more than the `Allowance`, and nothing else.
    """
    data, other_encoding = to_utf8(data)
    return _parse_text(data, allowance), (("encoding",) if other_encoding else ())


def _parse_text(data, allowance):
    """Read CIF text (UTF-8 bytes) into blocks."""
    is_cif2 = data.startswith(CIF2_MAGIC)  # gemmi reads CIF 1.1
    blocks = None if is_cif2 else scan_blocks(data, allowance)
    if blocks is None and b"\r" in data:
        data = with_line_feeds(data)
        blocks = None if is_cif2 else scan_blocks(data, allowance)
    if blocks is not None:
        return blocks
    check_words(data)
    if is_cif2:
        return repair_blocks(data, allowance)
    try:
        return gemmi_blocks(data, allowance)
    except (ValueError, RuntimeError):
        return repair_blocks(data, allowance)


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
    if not any(map(canonical_tag, tags)):
        return
    values, width = loop.values, len(tags)
    for index, tag in enumerate(tags):
        if canonical_tag(tag) in OPERATION_TAGS:
            column = values[index::width]
            if not are_triplets([value.encode() for value in column]):
                raise ValueError(f"{tag!r} has values that are no operations")
    builder.add_loop(tags, lambda index: [value.encode() for value in values[index::width]])
