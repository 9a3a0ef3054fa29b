"""Find the wanted items of a CIF without parsing the rest of it.

Most bytes of real files are embedded reflection lists and refinement logs, so tokenising
all of them costs many times what the few wanted items need. The scanner rests on three
facts about the syntax (International Tables vol. G, chapter 2.2):

- a semicolon at the start of a line begins or ends a text field, and nothing else does, so
  text fields are cut out exactly by looking at semicolons only;
- outside of text fields no token spans lines, so the start of a line is the start of a token;
- a tag belongs to a loop only if nothing but tags and comments stands between it and
  ``loop_``.

Whatever it is not sure of (several items on a line, a wanted item in a loop, anything
malformed near a wanted item) it leaves to the full parser: the answer is then None.
"""

import re
from functools import lru_cache

from crystalml.io._blocks import Block, is_disordered, operations_of
from crystalml.io._tags import (
    DISORDER_TAG,
    FAMILY_MARKS,
    OCCUPANCY_TAG,
    OPERATION_TAGS,
    SCALAR_TAGS,
    SITE_TAGS,
    canonical_tag,
)
from crystalml.io._values import is_null

_NEWLINE, _BLANKS = ord("\n"), b" \t"
_LARGE = 32_768  # from here on, copying text fields costs more than looking for semicolons

_KEYWORD = rb"(?i:data_|loop_|save_|stop_|global_)"
_QUOTED = rb"""'(?:[^'\n]|'(?![ \t\n]))*+'|"(?:[^"\n]|"(?![ \t\n]))*+\""""
_WORD = rb"(?!" + _KEYWORD + rb""")[^ \t\n'"#_$;\[\]{}][^ \t\n]*+"""
_SKIP = rb"(?:[ \t\n]++|#[^\n]*+)*+"

# Beginnings of the wanted tags, after the underscore; `canonical_tag` decides.
_WANTED = rb"""(?i:cell|symmetry|space_group|superspace_group|magnetic_space_group|atom_site_
|atom_site\.|chemical[_.](?:formula[_.]sum|name_)|diffrn[_.](?:ambient|radiation)
|exptl[_.](?:method|crystal[_.](?:density_diffrn|size))|cod_(?:database_code|struct)
|database[_.]code_cod|journal[_.](?:year|paper)|citation[_.](?:year|doi|database|pdbx)
|pd_(?:meas|proc|instr))""".replace(b"\n", b"")

# Every keyword and tag has an underscore, which is rare elsewhere: searching for it first
# is what makes this fast. A tag may bring a simple value that ends its line.
_HIT = re.compile(
    rb"_(?:(?<=[ \t\n]_)" + _WANTED + rb"(?P<tag>[^ \t\n]*+)"
    rb"""(?:[ \t]++(?P<value>'[^'\n]*+'|"[^"\n]*+"|""" + _WORD + rb")[ \t]*+(?=\n))?"
    rb"|(?P<loop>(?i:(?<=loop_))(?=[ \t\n]))"
    rb"|(?P<data>(?i:(?<=data_))[^ \t\n]*+)"
    rb"|(?P<other>(?i:(?<=save_|stop_)|(?<=global_))))"
)  # fmt: skip
_LOOP_TAGS = re.compile(rb"(?:" + _SKIP + rb"_[^ \t\n]++)++")
_TAG_OR_COMMENT = re.compile(rb"[ \t\n](?:#[^\n]*+|(_[^ \t\n]++))")
_LOOP_END = re.compile(rb"\n[ \t]*+(?:[_;#]|" + _KEYWORD + rb")|\Z")
_ITEM_FOLLOWS = re.compile(_SKIP + rb"(?:_|" + _KEYWORD + rb"|\Z)")
_NOT_PLAIN = re.compile(rb"[#;]|[ \t](?:_|" + _KEYWORD + rb")")
_NEXT_VALUE = re.compile(
    _SKIP + rb"(?:(?P<text>(?<=\n);\n;)|(?P<value>" + _QUOTED + rb"|" + _WORD + rb"))"
)
_TOKEN = re.compile(_QUOTED + rb"|[^ \t\n]++")
_TEXT_FIELD = b"\n;\n;"  # what is left of a text field

_FULLY_OCCUPIED = frozenset({b"1", b"1.", b"1.0", b"1.00", b"1.000", b"1.0000", b".", b"?"})
_NO_GROUP = frozenset({b".", b"?"})


class _Doubt(Exception):  # noqa: N818
    """The scanner is not sure; the full parser must read this file."""


def scan_blocks(data):
    """Read normalised CIF text into blocks, or return None where in doubt."""
    try:
        return _Scanner(data).scan()
    except _Doubt:
        return None


class _Scanner:
    """One pass over the text outside of text fields."""

    def __init__(self, data):
        self.outside, self.texts = _cut_text_fields(data)
        self.blocks = []
        self.names = set()
        self.values = self.operations = self.sites = None

    def scan(self):
        """Walk the keywords and wanted tags."""
        skip_to = 0
        outside = self.outside
        for hit in _HIT.finditer(outside):
            start = hit.start()
            if start < skip_to:
                continue
            kind = hit.lastgroup
            if kind in ("tag", "value"):
                if outside[start - 1] == _NEWLINE or self._starts_item(start):
                    self._pair(hit, start)
            elif kind == "loop":
                if self._starts_item(start - 4):
                    skip_to = self._loop(hit.end())
            elif kind == "data":
                if self._starts_item(start - 4):
                    self._open(hit["data"])
            elif self._starts_item(start - 4) or self._starts_item(start - 6):
                raise _Doubt
        if self.values is None:
            raise _Doubt
        self._close()
        return self.blocks

    def _starts_item(self, position):
        """Tell whether a token at `position` is the first of its line, rather than inside
        a word or a comment.
        """  # noqa: D205
        outside = self.outside
        if position <= 0 or outside[position - 1] == _NEWLINE:
            return True
        if outside[position - 1] not in _BLANKS:
            return False
        line = outside[outside.rfind(b"\n", 0, position) + 1 : position].lstrip(_BLANKS)
        if line and not line.startswith(b"#"):
            raise _Doubt
        return not line

    def _open(self, name):
        if self.values is not None:
            self._close()
        self.name = name.decode("utf-8", "replace")
        if self.name.lower() in self.names:
            raise _Doubt
        self.names.add(self.name.lower())
        self.values, self.operations, self.sites = {}, {}, None

    def _close(self):
        operations = None
        for tag in OPERATION_TAGS:
            operations = operations or self.operations.get(tag)
        flags = ("unquoted_value",) if operations and operations.repaired else ()
        self.blocks.append(Block(self.name, self.values, operations, self.sites, flags))

    def _pair(self, hit, start):
        name = canonical_tag(self.outside[start : hit.end("tag")])
        if name is None:
            return
        value = hit["value"]
        if value is None:
            value = self._value_after(hit.end("tag"))
        if self.values is None or name in OPERATION_TAGS or name in SITE_TAGS:
            raise _Doubt
        if name in FAMILY_MARKS:
            if not is_null(value) and value != b"0":
                self.values[name] = b"yes"
        elif name in self.values:
            raise _Doubt
        elif name in SCALAR_TAGS and not is_null(value):
            self.values[name] = value

    def _value_after(self, position):
        """Return the value that follows a tag in another layout than on its line, alone."""
        found = _NEXT_VALUE.match(self.outside, position)
        if found is None or not _ITEM_FOLLOWS.match(self.outside, found.end()):
            raise _Doubt
        if found["value"] is not None:
            return found["value"]
        before = self.outside.count(_TEXT_FIELD, 0, found.start("text") - 1)
        return b";" + self.texts[before] + b"\n;"

    def _loop(self, position):
        """Read a loop if it is wanted; return where its values begin."""
        header = _LOOP_TAGS.match(self.outside, position)
        if header is None:
            raise _Doubt
        plan = _loop_plan(header.group())
        if plan is None:
            return header.end()
        if self.values is None or plan is _UNSURE:
            raise _Doubt
        body = self._loop_body(header.end())
        width, operation_columns, site_columns = plan
        for tag, column in operation_columns:
            if tag in self.operations:
                raise _Doubt
            operations = _operations_in(body, width, column)
            if operations is not None:
                self.operations[tag] = operations
        if site_columns is not None and self.sites is None:
            self.sites = _sites_in(body, width, *site_columns)
        return header.end()

    def _loop_body(self, start):
        """Return the text of a loop's values, which must be free of comments and text fields."""
        outside = self.outside
        end = _LOOP_END.search(outside, start)
        if end.group()[-1:] == b";":
            raise _Doubt
        if end.group()[-1:] == b"#" and not _ITEM_FOLLOWS.match(outside, end.start()):
            raise _Doubt
        return outside[start : end.start()]


def _cut_text_fields(data):
    """Return the text outside of text fields, where each is left empty, and their contents."""
    if data.startswith(b";"):
        raise _Doubt
    parts = data.split(b"\n;") if len(data) < _LARGE else _split_large(data)
    if len(parts) % 2 == 0:
        raise _Doubt  # the last text field has no end
    for part in parts[2::2]:
        if part and part[0] not in b" \t\n":
            raise _Doubt  # something is glued to the end of a text field
    if len(parts) == 1:
        return data + b"\n", ()
    return _TEXT_FIELD.join(parts[::2]) + b"\n", parts[1::2]


def _split_large(data):
    """Split at semicolons that start a line; faster than ``split`` where they are rare."""
    parts, start, find = [], 0, data.find
    found = find(b";")
    while found >= 0:
        if data[found - 1] == _NEWLINE and found > start:
            parts.append(data[start : found - 1])
            start = found + 1
        found = find(b";", found + 1)
    parts.append(data[start:])
    return parts


_UNSURE = "unsure"


@lru_cache(maxsize=4096)
def _loop_plan(header):
    """Where in a loop with this header the wanted columns are; None if there is none.

    Otherwise the width, the operations (tag, column) and, of the sites, the columns of name,
    occupancy and disorder group (None: no such column).
    """
    tags = [canonical_tag(tag) for tag in _TAG_OR_COMMENT.findall(header) if tag]
    wanted = [tag for tag in tags if tag is not None]
    if not wanted:
        return None
    columns = {tag: tags.index(tag) for tag in wanted}
    is_site_list = not SITE_TAGS.isdisjoint(wanted)
    expected = {*OPERATION_TAGS, *SITE_TAGS, OCCUPANCY_TAG, DISORDER_TAG}
    if len(columns) < len(wanted) or not expected.issuperset(wanted):
        return _UNSURE
    operations = [(tag, columns[tag]) for tag in OPERATION_TAGS if tag in columns]
    sites = None
    if is_site_list:
        named = next(columns[tag] for tag in wanted if tag in SITE_TAGS)
        sites = (named, columns.get(OCCUPANCY_TAG), columns.get(DISORDER_TAG))
    return len(tags), operations, sites


def _tokens_in(body, width):
    """Values of a loop; in doubt where they do not fill its rows."""
    if _NOT_PLAIN.search(body):
        raise _Doubt
    if b"'" in body or b'"' in body:
        tokens = _TOKEN.findall(body)
        if any(
            token[0] in b"'\"" and (len(token) < 2 or token[-1] != token[0]) for token in tokens
        ):
            raise _Doubt
    else:
        tokens = body.split()
    if len(tokens) % width:
        raise _Doubt
    return tokens


@lru_cache(maxsize=4096)
def _operations_in(body, width, column):
    """Operations in a loop's values; real files share few lists, so this is mostly known."""
    tokens = _tokens_in(body, width)[column::width]
    return operations_of(tuple(tokens)) if tokens else None


def _sites_in(body, width, named, occupancy, group):
    """Count the sites in a loop's values, and tell whether they are disordered."""
    tokens = _tokens_in(body, width)
    count = len(tokens) // width
    if count == 0 or (count == 1 and is_null(tokens[named])):
        return None
    occupancies = set() if occupancy is None else set(tokens[occupancy::width])
    groups = set() if group is None else set(tokens[group::width])
    if occupancies <= _FULLY_OCCUPIED and groups <= _NO_GROUP:
        return count, False
    return count, is_disordered(occupancies, groups)
