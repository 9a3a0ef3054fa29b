"""A data block reduced to what the table needs, whichever parser has read it."""

import re
from functools import lru_cache
from typing import NamedTuple

from crystalml.crystallography import spacegroup_from_operations
from crystalml.crystallography._site_expansion import FULL_OCCUPANCY
from crystalml.io._remember import remember
from crystalml.io._tags import (
    ATOM_TAGS,
    CELL_TAGS,
    DISORDER_TAG,
    FAMILY_MARKS,
    FORMULA_TAG,
    OCCUPANCY_TAG,
    OPERATION_TAGS,
    SCALAR_TAGS,
    SITE_TAGS,
    canonical_tag,
)
from crystalml.io._values import NULLS, is_null, number, text

_COMMAS = 2  # in a coordinate triplet, x,y,z
# A group has 192 operations at most, in a multiplied cell some more. To identify a list takes a
# time that grows with its square.
_MOST_OPERATIONS = 1536
LONGEST_LIST = 16_384  # bytes of a list of operations that is remembered


class Block(NamedTuple):
    """One data block: raw values by canonical tag, its operations, sites and repairs."""

    name: str
    values: dict  # canonical tag -> raw value (bytes)
    operations: "Operations | None"
    sites: tuple | None  # (number of sites, is disordered)
    flags: tuple
    atoms: dict | None = None  # canonical tag -> raw values; only where there is no formula


class Operations:
    """The symmetry operations of a file; one object per distinct list, so a cheap key."""

    __slots__ = ("count", "identity_only", "repaired", "setting", "texts")

    def __init__(self, tokens):
        self.texts, self.repaired = _operation_texts(tokens)
        texts = self.texts
        distinct = {operation.replace(" ", "").replace("+", "").lower() for operation in texts}
        self.count = len(distinct)
        self.identity_only = distinct == {"x,y,z"}
        is_list = self.count <= _MOST_OPERATIONS
        self.setting = spacegroup_from_operations(texts) if is_list else None


def operations_of(tokens):
    """Operations of a tuple of raw values, or None if all are missing."""
    is_short = sum(map(len, tokens)) <= LONGEST_LIST
    return (_known_operations if is_short else _read_operations)(tokens)


def _read_operations(tokens):
    return None if all(map(is_null, tokens)) else Operations(tokens)


_known_operations = lru_cache(maxsize=4096)(_read_operations)


def are_triplets(tokens):
    """Tell whether all raw values have the commas of a coordinate triplet, or are missing."""
    return all(token.count(b",") == _COMMAS or is_null(token) for token in tokens)


class BlockBuilder:
    """Collects the items of one data block; the first of duplicates wins."""

    def __init__(self, name):
        self.name = name
        self.values = {}
        self.operations = {}
        self.sites = None
        self.atoms = None
        self.single_atom = {}  # an atom that is given without a loop
        self.flags = []

    def add_pair(self, tag, value):
        """Take in one tag (bytes) and its raw value."""
        name = canonical_tag(tag)
        if name is not None:
            self._add_column(name, [value])
            if name in ATOM_TAGS:
                self.single_atom.setdefault(name, (value,))
            # A structure of one atom needs no loop.
            if name in SITE_TAGS and not is_null(value):
                self.add_sites(1, [], [])

    def add_loop(self, tags, rows_of):
        """Take in a loop: its tags, and a function from column index to raw values."""
        columns = {}
        for index, tag in enumerate(tags):
            name = canonical_tag(tag)
            if name is not None and name not in columns:
                columns[name] = rows_of(index)
            elif name is not None and name not in FAMILY_MARKS:
                self.flag("duplicate_tag")
        for name, column in columns.items():
            self._add_column(name, column)
        self._add_site_loop(columns)

    def flag(self, name):
        """Note a repair, once."""
        if name not in self.flags:
            self.flags.append(name)

    def add_sites(self, count, occupancies, groups):
        """Take in a list of atom sites with their occupancies and disorder groups."""
        if self.sites is None:
            self.sites = (count, is_disordered(occupancies, groups))

    def build(self):
        """Finish the block."""
        found = (self.operations[tag] for tag in OPERATION_TAGS if tag in self.operations)
        operations = next(found, None)
        if operations is not None and operations.repaired:
            self.flag("unquoted_value")
        atoms = None
        if self.sites is not None and FORMULA_TAG not in self.values:
            # Kept only where they are needed: lists of atoms are long.
            atoms = self.atoms or self.single_atom
        return Block(self.name, self.values, operations, self.sites, tuple(self.flags), atoms)

    def _add_column(self, name, column):
        if name in OPERATION_TAGS:
            operations = operations_of(tuple(column))
            if operations is not None:
                # Equal lists are one object, so that identity tells whether they differ.
                first = self.operations.setdefault(name, operations)
                if first is not operations:
                    self.flag("duplicate_tag")
        elif name in FAMILY_MARKS:
            if any(not is_null(value) and value != b"0" for value in column):
                self.values[name] = b"yes"
        elif name in SCALAR_TAGS:
            self._add_scalar(name, column)

    def _add_scalar(self, name, column):
        given = [value for value in column if not is_null(value)]
        if given and self.values.get(name, given[0]) != given[0]:
            self.flag("duplicate_tag")
            return
        # Other looped scalars, such as names, are lists by nature; a cell is not.
        if name in CELL_TAGS and len(set(given)) > 1:
            self.flag("several_cells")
        if given:
            self.values[name] = given[0]

    def _add_site_loop(self, columns):
        named = next((columns[tag] for tag in columns if tag in SITE_TAGS), None)
        if not named:
            return
        if len(named) == 1 and is_null(named[0]):
            return  # an empty template
        if self.sites is None:
            self.atoms = {tag: tuple(columns[tag]) for tag in columns if tag in ATOM_TAGS}
        self.add_sites(len(named), columns.get(OCCUPANCY_TAG, []), columns.get(DISORDER_TAG, []))


def is_disordered(occupancies, groups):
    """Tell whether a site is partly occupied or belongs to a disorder group."""
    return any(map(_is_partial, set(occupancies))) or not NULLS.issuperset(groups)


@remember(8192)
def _is_partial(occupancy):
    """Tell whether a raw occupancy is below 1; a missing one is 1 by definition."""
    found = number(occupancy)
    return found is not None and found[0] < FULL_OCCUPANCY


def _operation_texts(tokens):
    """Texts of the operations, and whether words without quotes had to be joined."""
    texts = [text(token) or "" for token in tokens]
    if all(operation.count(",") == _COMMAS for operation in texts):
        return tuple(texts), False
    # Without quotes, a parser splits x, y, z at its blanks. Joined at the commas it is whole again.
    parts = re.sub(r"\s*,\s*", ",", " ".join(texts)).split()
    whole = all(part.count(",") == _COMMAS for part in parts)
    return (tuple(parts), True) if whole else (tuple(texts), False)
