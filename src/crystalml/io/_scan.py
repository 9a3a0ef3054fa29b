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
from typing import Any, NamedTuple

from crystalml.io._blocks import LONGEST_LIST, Block, are_triplets, is_disordered, operations_of
from crystalml.io._limits import Allowance, check_words
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
from crystalml.io._values import NULLS

# data_ and save_ bring a name along; the others are reserved as whole words alone, so that a site
# may be called loop_N4.
_WORD_END = rb"(?![^ \t\n#])"
_WHOLE_WORD = rb"(?:(?<=l)oop_|(?<=s)top_|(?<=g)lobal_)" + _WORD_END
_KEYWORD = rb"[dlsgDLSG](?i:(?<=d)ata_|(?<=s)ave_|" + _WHOLE_WORD + rb")"
_QUOTED = rb"""'(?:[^'\n]|'(?![ \t\n]|\Z))*+'|"(?:[^"\n]|"(?![ \t\n]|\Z))*+["]"""
_TOKEN = re.compile(_QUOTED + rb"|[^ \t\n]++")
_ITEM_IN_LINE = re.compile(rb"[ \t](?:_|" + _KEYWORD + rb")")
_BEGINS_QUOTED = re.compile(rb"""(?:\A|[ \t\n])['"]""")
_QUOTES = (b"'", b'"')
_LONGEST_HEADER = 4096  # bytes; the longest of mmCIF have a third

_NEWLINE, _HASH = b"\n#"
_BLANKS = b" \t"

# The expressions look at first letters before anything else: that is what they spend their
# time on. `_WANTED` has the beginnings of the wanted tags after the underscore, told by four
# letters, or by capitals among these; `canonical_tag` decides.
_WORD = rb"(?!" + _KEYWORD + rb""")[^ \t\n'"#_$\[\]{}][^ \t\n]*+"""
_SKIP = rb"(?:[ \t\n]++|#[^\n]*+)*+"
_WANTED = (
    rb"cell|symm(?i:etry)|spac(?i:e_group)|atom(?i:_site[_.])|supe(?i:rspace_group)"
    rb"|chem(?i:ical[_.](?:formula[_.]sum|name_))|diff(?i:rn[_.](?:ambient|radiation))"
    rb"|expt(?i:l[_.](?:method|crystal[_.](?:density_diffrn|size)))|magn(?i:etic_space_group)"
    rb"|cod_(?i:database_code|struct)|data(?i:base[_.]code_cod)|jour(?i:nal[_.](?:year|paper))"
    rb"|cita(?i:tion[_.](?:year|doi|database|pdbx))|pd_[mpi](?i:eas|roc|nstr)"
    rb"|[a-z]{0,3}+[A-Z]"
)

# Every keyword and tag has an underscore, which is rare elsewhere. A tag may bring a simple
# value that ends its line.
_LOOP_TAGS = rb"(?:[ \t\n]++_[^ \t\n]++)*+"
_HIT = re.compile(
    rb"_(?:(?<=\n_)(?P<tag>(?:" + _WANTED + rb")[^ \t\n]*+)"
    rb"""(?:[ \t]++(?P<value>'[^'\n]*+'|"[^"\n]*+"|""" + _WORD + rb")[ \t]*+(?=\n)|)"
    rb"|(?<=[ \tpPaAeElL]_)(?:"
    rb"(?<=(?i:loop_))(?=[ \t\n#])(?P<loop>" + _LOOP_TAGS + rb")(?:[ \t\n]++(?P<comment>#)|)"
    rb"|(?<=[ \t]_)(?P<inner>(?:" + _WANTED + rb")[^ \t\n]*+)"
    rb"|(?:(?<=[ \t\n](?i:data_))|(?<=\A(?i:data_)))(?P<data>[^ \t\n]*+)"
    rb"|(?P<other>(?<=(?i:save_))|(?<=(?i:stop_|obal_))" + _WORD_END + rb")))"
)  # fmt: skip
_TAG, _VALUE, _LOOP, _COMMENT, _INNER, _DATA = 1, 2, 3, 4, 5, 6  # groups of `_HIT`
_LOOPED_TAGS = SITE_TAGS.union(OPERATION_TAGS, ATOM_TAGS)
_LOOP_END = re.compile(rb"\n[ \t]*+(?:[_#]|" + _KEYWORD + rb")")
_ITEM_FOLLOWS = re.compile(_SKIP + rb"(?:_|" + _KEYWORD + rb"|\Z)")
# Any, as no type says that these always match, or are asked whether they do.
_SKIPPED: Any = re.compile(_SKIP)
_BLANK: Any = re.compile(rb"[ \t]*+")
_SINGLE_VALUE: Any = re.compile(_QUOTED + rb"|" + _WORD)
_ITEM_AT: Any = re.compile(rb"_|(?i:data_)|(?i:loop_)" + _WORD_END)  # begins a line that is no row
_AFTER_TEXT = (b"\n", b" ", b"\t", b"")


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


def scan_blocks(data, allowance=None):
    """Read CIF text (UTF-8 bytes) into blocks, or return None where in doubt."""
    try:
        return _Scanner(data, allowance or Allowance()).scan()
    # An exception, as doubts come up many calls deep, and only in a few files.
    except Doubt:
        return None


class _Scanner:
    """One pass over the text outside of text fields."""

    def __init__(self, data, allowance):
        self.data = data
        self.allowance = allowance
        self.spans = _outside_text_fields(data)
        self.span = 0  # index of the span at hand
        self.end = 0  # and where it ends
        self.line_start = self.looked_at = 0
        self.line_first = -1  # where the first word of that line begins; -1: not looked for
        self.blocks = []
        self.name, self.values, self.operations, self.sites = None, {}, {}, None
        self.atom_loop: Any = None  # plan and values of the loop that the sites were counted in

    def scan(self):
        """Walk the keywords and wanted tags."""
        simple, loop, wanted = _VALUE, _LOOP, _wanted_name  # local names: this is the hot loop
        for span, (start, end) in enumerate(self.spans):
            # Inside of text fields a carriage return does no harm, so only the rest is looked at.
            if self.data.find(b"\r", start, end) >= 0:
                raise Doubt  # where lines end is another module's business
            self.span, self.end = span, end
            values = self.values
            for hit in _HIT.finditer(self.data, start, end):
                kind = hit.lastindex
                if kind == simple:
                    tag, value = hit.group(1, 2)
                    name = wanted(tag)
                    if name is not None:
                        # The most frequent case, without a call; `_pair` knows the others.
                        if name in SCALAR_TAGS and name not in values and value not in NULLS:
                            values[name] = value
                        else:
                            self._pair(name, value)
                elif kind == loop:
                    self._loop(hit)
                else:
                    self._unusual(kind, hit)
                    values = self.values
        self._close()
        blocks = self.blocks
        # The tolerant parser flags blocks of the same name.
        if len(blocks) > 1 and len({block.name.lower() for block in blocks}) < len(blocks):
            raise Doubt
        return blocks

    def _unusual(self, kind, hit):
        """Take in what is no simple item or loop."""
        start = hit.start()
        if kind in (_TAG, _INNER):
            name = _wanted_name(hit[kind])
            if name is not None and self._starts_item(start):
                self._pair(name, self._value_after(hit.end()))
        elif kind == _DATA:
            if self._starts_item(start - 4):
                self._open(hit[_DATA])
        elif kind == _COMMENT or self._starts_item(start - 4) or self._starts_item(start - 6):
            raise Doubt  # a save frame, or a keyword of STAR that CIF reserves

    def _starts_item(self, position):
        """Tell whether a token at `position` is the first of its line.

        It is not if it is a part of a longer word or of a comment; where something else
        stands before it on the line, only a parser can tell.
        """
        data = self.data
        newline = data.rfind(b"\n", self.looked_at, position)  # no byte is looked at twice
        if newline >= 0:
            self.line_start, self.line_first = newline + 1, -1
        self.looked_at = max(self.looked_at, position)
        if position <= self.line_start:
            return True
        if data[position - 1] not in _BLANKS:
            return False
        if self.line_first < 0:
            self.line_first = _BLANK.match(data, self.line_start).end()
        if self.line_first < position and data[self.line_first] != _HASH:
            raise Doubt
        return self.line_first == position

    def _open(self, name):
        if self.name is not None:
            self._close()
        elif self.values:
            raise Doubt  # items before the first header
        self.name = name.decode("utf-8", "replace")
        self.values, self.operations, self.sites, self.atom_loop = {}, {}, None, None

    def _close(self):
        if self.name is None:
            raise Doubt  # there is no block
        self.allowance.take_block()
        operations = None
        for tag in OPERATION_TAGS:
            operations = operations or self.operations.get(tag)
        atoms = None
        # Atoms are taken apart only where nothing else gives the formula: that is the slow part.
        if self.sites is not None and FORMULA_TAG not in self.values:
            plan, body = self.atom_loop
            atoms = atoms_in(body, plan)
        self.blocks.append(Block(self.name, self.values, operations, self.sites, (), atoms))

    def _pair(self, name, value):
        values = self.values
        if name in SCALAR_TAGS:
            if name in values:
                raise Doubt
            if value not in NULLS:
                values[name] = value
        elif name in FAMILY_MARKS:
            if value not in NULLS and value != b"0":
                values[name] = b"yes"
        elif name in _LOOPED_TAGS:
            raise Doubt

    def _value_after(self, position):
        """Return the value that follows a tag in another layout than on its line, alone."""
        data, end = self.data, self.end
        position = _SKIPPED.match(data, position, end).end()
        if position == end and self.span + 1 < len(self.spans):
            after, end = self.spans[self.span + 1]
            # The next span begins behind a text field, which is therefore the value.
            value = data[position:after]
        else:
            found = _SINGLE_VALUE.match(data, position, end)
            if found is None:
                raise Doubt
            value, after = found.group(), found.end()
        if not self._item_follows(after, end):
            raise Doubt
        return value

    def _item_follows(self, position, end):
        """Tell whether no value follows: another item, a keyword, or the end of the file."""
        found = _ITEM_FOLLOWS.match(self.data, position, end)
        return found is not None and (found.end() < end or end == len(self.data))

    def _loop(self, hit):
        """Read a loop if it is wanted."""
        header = hit[_LOOP]
        start = hit.start() - len("loop")
        if self.data[start - 1] != _NEWLINE and not self._starts_item(start):
            if header:
                raise Doubt  # tags after a comment were passed over
            return
        if not header:
            raise Doubt
        plan = loop_plan(header)
        if plan is None:
            return
        if self.name is None:
            raise Doubt
        if plan.families:
            self._add_families(plan.families, hit.end())
        if plan.sites or plan.operations or plan.scalars:
            self.allowance.check_time()
            self._add_columns(plan, self._loop_body(hit.end()))

    def _add_families(self, families, start):
        """Look for evidence in the first row only: the others may be a measured profile."""
        for mark, column in families:
            position = start
            for _ in range(column + 1):
                position = _SKIPPED.match(self.data, position, self.end).end()
                value = _SINGLE_VALUE.match(self.data, position, self.end)
                if value is None:
                    raise Doubt
                position = value.end()
            if value.group() in NULLS or value.group() == b"0":
                raise Doubt
            self.values[mark] = b"yes"

    def _add_columns(self, plan, body):
        """Take in the wanted columns of a loop."""
        for tag, column in plan.operations:
            if tag in self.operations:
                raise Doubt
            operations = operations_in(body, plan.width, column)
            if operations is not None:
                self.operations[tag] = operations
        if plan.sites is not None and self.sites is None:
            self.sites = sites_in(body, plan.width, *plan.sites)
            # The text, not its tokens: most files have a formula, and never ask for the atoms.
            self.atom_loop = (plan, body)
        for tag, column in plan.scalars:
            # A scalar in a loop, such as one of several wavelengths: the first given one counts.
            given = (v for v in tokens_in(body, plan.width)[column :: plan.width] if v not in NULLS)
            self._pair(tag, next(given, b"?"))

    def _loop_body(self, start):
        """Return the text of a loop's values, which must be free of comments and text fields."""
        body = self._plain_loop_body(start)
        if body is not None:
            return body
        data = self.data
        found = _LOOP_END.search(data, start, self.end)
        if found is None:
            # A span that ends before the file does is followed by a text field.
            if self.end < len(data):
                raise Doubt  # a text field
            return data[start:]
        if data[found.end() - 1] == _HASH and not self._item_follows(found.start(), self.end):
            raise Doubt
        return data[start : found.start()]

    def _plain_loop_body(self, start):
        """Return the text up to the line of the next underscore if that line is no row.

        Without underscore and hash there is no other item in it. None: it must be looked for.
        """
        data, end = self.data, self.end
        underscore = data.find(b"_", start, end)
        if underscore >= 0:
            end = data.rfind(b"\n", start, underscore)
            found = _ITEM_AT.match(data, end + 1, self.end)
            is_row = found is None or found.end() != underscore + 1
        else:
            is_row = end < len(data)  # or a text field
        if is_row or end < 0:
            return None
        body = data[start:end]
        return None if b"#" in body else body


@remember(16384)
def _wanted_name(tag):
    """Canonical form of a tag without its underscore; None if it is not wanted."""
    return canonical_tag(b"_" + tag)


def _outside_text_fields(data):
    """Spans of `data` (start, end) between its text fields, in doubt where one has no end.

    Only semicolons are looked for, which is fast as they are rare: embedded reflection lists
    have none.
    """
    if data.startswith((b"_", b";")):
        raise Doubt  # no header
    spans, start, is_text = [], 0, False
    found = data.find(b";")
    while found >= 0:
        # At position 0 there is no line before, and -1 would look at the end of the file.
        if data[found - 1] == _NEWLINE and found:
            if not is_text:
                spans.append((start, found))
            elif data[found + 1 : found + 2] not in _AFTER_TEXT:
                raise Doubt  # something is glued to the end of a text field
            start, is_text = found + 1, not is_text
        found = data.find(b";", found + 1)
    if is_text:
        raise Doubt
    spans.append((start, len(data)))
    return spans


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
    # A hostile file must not fill the memory with long lists that never come again.
    look_up = _known_operations if len(body) <= LONGEST_LIST else _read_operations
    return look_up(body, width, column)


def _read_operations(body, width, column):
    tokens = tokens_in(body, width)[column::width]
    # Blanks without quotes may split operations and still fill the rows.
    if not are_triplets(tokens):
        raise Doubt
    return operations_of(tuple(tokens)) if tokens else None


_known_operations = lru_cache(maxsize=4096)(_read_operations)


def sites_in(body, width, named, occupancy, group):
    """Count the sites in a loop's values, and tell whether they are disordered."""
    tokens = tokens_in(body, width)
    count = len(tokens) // width
    # Templates list one site of question marks: that is no atom.
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
    # A value is missing, or has blanks without quotes; which one, only lines tell.
    if len(tokens) % width:
        raise Doubt
    return tokens
