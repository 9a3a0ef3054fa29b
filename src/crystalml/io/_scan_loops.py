"""The wanted columns of a loop, where its values are plain enough to be sure of them."""

import re
from functools import lru_cache
from typing import NamedTuple

from crystalml.io._blocks import LONGEST_LIST, are_triplets, is_disordered, operations_of
from crystalml.io._limits import check_words
from crystalml.io._remember import remember
from crystalml.io._tags import (
    ATOM_TAGS,
    CELL_TAGS,
    DISORDER_TAG,
    FAMILY_MARKS,
    OCCUPANCY_TAG,
    OPERATION_TAGS,
    SCALAR_TAGS,
    SITE_TAGS,
    canonical_tag,
)
from crystalml.io._values import NULLS

# data_ and save_ bring a name along; the others are reserved as whole words alone, so that a site
# may be called loop_N4.
WORD_END = rb"(?![^ \t\n#])"
_WHOLE_WORD = rb"(?:(?<=l)oop_|(?<=s)top_|(?<=g)lobal_)" + WORD_END
KEYWORD = rb"[dlsgDLSG](?i:(?<=d)ata_|(?<=s)ave_|" + _WHOLE_WORD + rb")"
QUOTED = rb"""'(?:[^'\n]|'(?![ \t\n]|\Z))*+'|"(?:[^"\n]|"(?![ \t\n]|\Z))*+["]"""
_TOKEN = re.compile(QUOTED + rb"|[^ \t\n]++")
_ITEM_IN_LINE = re.compile(rb"[ \t](?:_|" + KEYWORD + rb")")
_BEGINS_QUOTED = re.compile(rb"""(?:\A|[ \t\n])['"]""")
_QUOTES = (b"'", b'"')
_LONGEST_HEADER = 4096  # bytes; the longest of mmCIF have a third


class Doubt(Exception):  # noqa: N818
    """The scanner is not sure; the full parser must read this file."""


class LoopPlan(NamedTuple):
    """Where in a loop the wanted columns are."""

    width: int
    operations: tuple  # (tag, column)
    sites: tuple | None  # columns of name, occupancy and disorder group (None: no such column)
    scalars: tuple  # (tag, column)
    families: tuple  # (mark, column)
    atoms: tuple  # (tag, column)


@remember(4096, longest=_LONGEST_HEADER)
def loop_plan(header):
    """Plan for a loop with this header; None if nothing of it is wanted.

    In doubt where a tag occurs twice, and where the cell is looped, which deserves a flag.
    """
    tags = [canonical_tag(tag) for tag in header.split()]
    columns = {tag: tags.index(tag) for tag in tags if tag is not None}
    if not columns:
        return None
    once = [tag for tag in tags if tag is not None and tag not in FAMILY_MARKS]
    if len(set(once)) < len(once) or not columns.keys().isdisjoint(CELL_TAGS):
        raise Doubt
    named = next((column for tag, column in columns.items() if tag in SITE_TAGS), None)
    sites = (named, columns.get(OCCUPANCY_TAG), columns.get(DISORDER_TAG))
    return LoopPlan(
        width=len(tags),
        operations=tuple((tag, columns[tag]) for tag in OPERATION_TAGS if tag in columns),
        sites=None if named is None else sites,
        scalars=tuple((tag, columns[tag]) for tag in columns if tag in SCALAR_TAGS),
        families=tuple((tag, columns[tag]) for tag in columns if tag in FAMILY_MARKS),
        atoms=tuple((tag, columns[tag]) for tag in columns if tag in ATOM_TAGS),
    )


def operations_in(body, width, column):
    """Operations in a loop's values; real files share few lists, so this is mostly known."""
    look_up = _known_operations if len(body) <= LONGEST_LIST else _read_operations
    return look_up(body, width, column)


def _read_operations(body, width, column):
    tokens = tokens_in(body, width)[column::width]
    if not are_triplets(tokens):
        raise Doubt
    return operations_of(tuple(tokens)) if tokens else None


_known_operations = lru_cache(maxsize=4096)(_read_operations)


def sites_in(body, width, named, occupancy, group):
    """Count the sites in a loop's values, and tell whether they are disordered."""
    tokens = tokens_in(body, width)
    count = len(tokens) // width
    if count == 0 or (count == 1 and tokens[named] in NULLS):
        return None
    occupancies = () if occupancy is None else tokens[occupancy::width]
    groups = () if group is None else tokens[group::width]
    return count, is_disordered(occupancies, groups)


def atoms_in(body, plan):
    """Raw values of what tells the formula, by tag."""
    tokens = tokens_in(body, plan.width)
    return {tag: tuple(tokens[column :: plan.width]) for tag, column in plan.atoms}


def tokens_in(body, width):
    """Values of a loop; in doubt where they do not fill its rows."""
    check_words(body)
    if b"#" in body or (b"_" in body and _ITEM_IN_LINE.search(body)):
        raise Doubt
    if (b"'" in body or b'"' in body) and _BEGINS_QUOTED.search(body):  # not O2' or C1"
        tokens = _TOKEN.findall(body)
        if any(token[:1] in _QUOTES and token[1:][-1:] != token[:1] for token in tokens):
            raise Doubt  # a quote has no end
    else:
        tokens = body.split()
    if len(tokens) % width:
        raise Doubt
    return tokens
