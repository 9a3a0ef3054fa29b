"""A tolerant CIF tokeniser for files that are not well-formed: every repair leaves a flag.

It takes linear time on any bytes: each expression consumes what it matches at once
(possessive), and no position is visited twice.
"""

import re
from typing import Any

from crystalml.io._blocks import BlockBuilder, are_triplets
from crystalml.io._limits import Allowance
from crystalml.io._tags import OPERATION_TAGS, canonical_tag

CIF2_MAGIC = b"#\\#CIF_2.0"
# Any, as no type says that these always match where they are looked for.
_SPACE: Any = re.compile(rb"(?:[ \t\n]++|#[^\n]*+)*+")
_WORD: Any = re.compile(rb"[^ \t\n]++")
_QUOTED = {
    b"'": re.compile(rb"'(?:[^'\n]|'(?![ \t\n]|\Z))*+'"),
    b'"': re.compile(rb'"(?:[^"\n]|"(?![ \t\n]|\Z))*+"'),
}
# In CIF 2 a quote ends the string wherever it stands; in CIF 1 only before a blank.
_CIF2_QUOTED = {b"'": re.compile(rb"'[^'\n]*+'"), b'"': re.compile(rb'"[^"\n]*+"')}
_CIF2_WORD = re.compile(rb"[^ \t\n\[\]{}]++")
_TOKENS_PER_LOOK = 4096  # at the clock
_BRACKETS = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_KEYWORDS = (b"data_", b"loop_", b"save_", b"stop_", b"global_")
# Asked first: a file that is no CIF is not worth taking apart.
_LOOKS_LIKE_CIF = re.compile(rb"(?i)(?:^|[ \t\n])(?:data_|loop_|_[a-z]\w*[.\w/-]*+[ \t\n])")


def repair_blocks(data, allowance=None):
    """Read CIF text (UTF-8 bytes, line feeds) as far as it can be understood."""
    if not _LOOKS_LIKE_CIF.search(data):
        return []
    return _Reader(data, allowance or Allowance()).read()


class _Reader:
    """Walks the tokens once and hands items to the builder of their block."""

    def __init__(self, data, allowance):
        self.tokens = _Tokens(data, allowance)
        self.allowance = allowance
        self.blocks = []
        self.builder: Any = None  # of the open block
        self.in_frame = False

    def read(self):
        tokens = self.tokens
        tokens.advance()
        while tokens.kind is not None:
            if tokens.kind == "tag":
                self._pair()
            elif tokens.kind == "keyword":
                self._keyword()
            else:
                self._note("stray_text")
                tokens.advance()
        self._name_twins()
        return [builder.build() for builder in self.blocks]

    def _keyword(self):
        word = self.tokens.raw.lower()
        if word.startswith(b"data_"):
            self._open(self.tokens.raw[5:].decode("utf-8", "replace"))
        elif word.startswith(b"save_"):
            # A frame begins by its name and ends by the bare word. Its items are definitions.
            self.in_frame = len(word) > len(b"save_")
        elif word == b"loop_":
            self._loop()
            return
        self.tokens.advance()

    def _pair(self):
        tokens, tag = self.tokens, self.tokens.raw
        known = canonical_tag(tag) is not None
        tokens.advance()
        if tokens.kind != "value":
            if known:
                self._note("no_value" if tokens.kind else "truncated")
            return
        words = [tokens.raw]
        self._note_unterminated(known)
        # Words on the line of a tag belong to it: somebody forgot the quotes, as in P 1.
        while tokens.advance() == "value" and not tokens.first_on_line:
            words.append(tokens.raw)
        if known and len(words) > 1:
            self._note("unquoted_value")
        if not self.in_frame:
            self._block().add_pair(tag, b" ".join(words))

    def _loop(self):
        tokens, tags = self.tokens, []
        while tokens.advance() == "tag":
            tags.append(tokens.raw)
        lines = []
        while tokens.kind == "value":
            # Kept by lines: where quotes are missing, these tell what belonged to one row.
            if tokens.first_on_line or not lines:
                lines.append([])
            lines[-1].append(tokens.raw)
            self._note_unterminated(any(map(canonical_tag, tags)))
            tokens.advance()
        if tags and not self.in_frame and any(map(canonical_tag, tags)):
            values = self._whole_rows(tags, lines)
            self._block().add_loop(tags, lambda index: values[index :: len(tags)])

    def _whole_rows(self, tags, lines):
        """Values of the loop, without the rows that are not complete."""
        width, count = len(tags), sum(map(len, lines))
        if canonical_tag(tags[-1]) in OPERATION_TAGS and _has_split_triplets(lines, width):
            self._note("unquoted_value")
            return [v for s in lines for v in (*s[: width - 1], b" ".join(s[width - 1 :]))]
        if count % width == 0:
            return [value for line in lines for value in line]
        # At the end of the file the rest was cut off; elsewhere a value is missing or too many.
        self._note("loop_length" if self.tokens.kind else "truncated")
        # Lines that are rows are trusted; without any, rows are counted from the start.
        whole = [value for line in lines if len(line) == width for value in line]
        return whole or [v for line in lines for v in line][: count - count % width]

    def _block(self):
        if self.builder is None:
            self._open("")
            self._note("no_block_header")
        return self.builder

    def _open(self, name):
        self.allowance.take_block()
        self.builder = BlockBuilder(name)
        self.blocks.append(self.builder)
        self.in_frame = False

    def _note(self, flag):
        if self.builder is not None:
            self.builder.flag(flag)

    def _note_unterminated(self, known):
        # What nobody reads may be damaged, unless it swallowed the rest of the file.
        if self.tokens.unterminated and (known or self.tokens.at_end):
            self._note("truncated" if self.tokens.at_end else "unquoted_value")

    def _name_twins(self):
        seen = {}
        for builder in self.blocks:
            if builder.name.lower() in seen:
                builder.flag("duplicate_block")
                seen[builder.name.lower()].flag("duplicate_block")
            seen.setdefault(builder.name.lower(), builder)


def _has_split_triplets(lines, width):
    """Tell whether each line is a row whose last value, an operation, lacks its quotes."""
    whole = all(len(line) >= width for line in lines)
    return whole and not are_triplets([line[width - 1] for line in lines])


class _Tokens:
    """The token at hand: its kind ("tag", "keyword", "value" or None), and where it stands."""

    def __init__(self, data, allowance):
        self.data = data
        self.allowance = allowance
        self.n_read = 0
        self.end = 0
        self.kind: str | None = None
        self.raw = b""
        self.first_on_line = self.unterminated = False
        self.cif2 = data.startswith(CIF2_MAGIC)

    @property
    def at_end(self):
        return self.end >= len(self.data)

    def advance(self):
        """Move to the next token and return its kind."""
        self.n_read += 1
        # Only now and then, as asking the clock has its price.
        if self.n_read % _TOKENS_PER_LOOK == 0:
            self.allowance.check_time()
        start = _SPACE.match(self.data, self.end).end()
        self.first_on_line = b"\n" in self.data[self.end : start] or self.end == 0
        self.unterminated = False
        if start >= len(self.data):
            self.end, self.kind, self.raw = start, None, b""
        else:
            self._read(start)
        return self.kind

    def _read(self, start):
        first = self.data[start : start + 1]
        self.kind = "value"
        if first == b";" and (start == 0 or self.data[start - 1 : start] == b"\n"):
            self._until(start, start + 1, b"\n;")
        elif first in _QUOTED:
            self._quoted(start, first)
        elif self.cif2 and first in _BRACKETS:
            self._bracketed(start)
        else:
            self._word(start)

    def _word(self, start):
        self.end = _WORD.match(self.data, start).end()
        self.raw = self.data[start : self.end]
        if self.raw.startswith(b"_"):
            self.kind = "tag"
        elif self.raw[:7].lower().startswith(_KEYWORDS):
            word = self.raw.lower()
            # These two bring a name along; the others count as whole words alone.
            named = word.startswith((b"data_", b"save_"))
            self.kind = "keyword" if named or word in _KEYWORDS else "value"

    def _quoted(self, start, quote):
        if self.cif2 and self.data.startswith(quote * 3, start):
            self._until(start, start + 3, quote * 3)
            return
        match = (_CIF2_QUOTED if self.cif2 else _QUOTED)[quote].match(self.data, start)
        if match is not None:
            self.end, self.raw = match.end(), match.group()
            return
        self.unterminated = True
        # No string spans lines, so that one without an end costs its own line at most.
        newline = self.data.find(b"\n", start)
        self.end = len(self.data) if newline < 0 else newline
        self.raw = self.data[start + 1 : self.end].strip()

    def _until(self, start, inside, close):
        """Read up to `close`, or to the end of the file."""
        found = self.data.find(close, inside)
        self.unterminated = found < 0
        self.end = len(self.data) if found < 0 else found + len(close)
        self.raw = self.data[start : self.end] + (close if found < 0 else b"")

    def _bracketed(self, start):
        """Read a CIF 2 list or table as one value."""
        depth, position, data = 0, start, self.data
        while position < len(data):
            first = data[position : position + 1]
            depth += _BRACKETS.get(first, 0)
            if first in _QUOTED:
                self._quoted(position, first)
                position = self.end
            elif first in _BRACKETS:
                position += 1
            else:
                word = _CIF2_WORD.match(data, position)
                position = _SPACE.match(data, word.end() if word else position).end()
            if depth <= 0:
                break
            position = _SPACE.match(data, position).end()
        self.unterminated = depth != 0
        self.end, self.raw = position, data[start:position]
