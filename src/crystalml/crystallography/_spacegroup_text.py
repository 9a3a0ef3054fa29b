"""The text around and inside a space-group symbol: markup, qualifiers, spacing."""

import re
import unicodedata
from typing import NamedTuple

# Characters that publishers, word processors and LaTeX put where CIF has ASCII.
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00af\u203e\u02c9", "-"),
        **dict.fromkeys("\u2018\u2019\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u2033", '"'),
        "\u2044": "/",
        **{character: f"^{i}" for i, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
        **{character: f"_{i}" for i, character in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    }
)
_MARKUP = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\\(?:bar|overline)\s*\{?\s*(\d)\s*\}?", r"-\1"),
        (r"(\d)[\u0304\u0305]", r"-\1"),  # combining overline behind its digit
        (r"<sup>", "^"),
        (r"<sub>|~(?=\d~)", "_"),
        (r"\\(?:math(?:rm|it|bf)|text(?:it|bf|rm)?|rm|it|bf)\b|\\[,;:! ]|</?[a-z]+>|[${}~]", ""),
        (r"(?<=[2346])\(([1-5])\)", r"_\1"),  # P2(1)/c
        (r"(\d)-(?=\s|[mcnd]?$)", r"-\1"),  # P 1-, R 3-m
        (r"\^(\d)\^(\d)", r"^\1\2"),
    )
]

_NUMBER = re.compile(
    r"(?:^|[\s,;(\[])(?:(?:no|nr|number)\b\.?|\#)\s*[:=]?\s*(\d{1,3})\s*[)\]]?$"
    r"|(?<=[\sa-z])\((\d{1,3})\)$",
    re.IGNORECASE,
)
_BASIS = re.compile(r"\s*\(([-+*/.\d\sabc]+,[-+*/.\d\sabc]+,[-+*/.\d\sabc]+)\)$", re.IGNORECASE)
_CHOICES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\s*[,(\[]?\s*\borigin\s*(?:choice)?\s*(?:no\.?)?\s*([12])\s*[)\]]?$",
        r"\s*[,(\[]\s*(h|r)(?:exagonal|hombohedral)?(?:\s+(?:axes|axis|setting))?\s*[)\]]?$",
        r"\s*:\s*([12hrsz]|hr)$",
        r"\s*:\s*(-?[abc][1-3]?|[12]?(?:abc|ba-c|cab|-cba|bca|a-cb))$",
    )
]
_LETTERS_BEHIND = [
    re.compile(r"(r.*?)[\s_]*(hr|h|r)", re.IGNORECASE),
    re.compile(r"(.+?)[\s_]*([sz])", re.IGNORECASE),
]


class Parts(NamedTuple):
    """A text taken apart: the symbol, itself as a Hall symbol, and what stood behind it."""

    symbol: str
    hall: str
    choice: str
    number: int
    basis: str


def take_apart(text):
    """Separate a symbol from quotes, markup, number, origin choice and change of basis."""
    text = _without_quotes(unicodedata.normalize("NFKC", text.translate(_CHARACTERS)))
    hall = " ".join(text.replace("''", '"').lower().split())
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = text.strip().rstrip(' \t.,;:"')
    found = {"choice": "", "number": "", "basis": ""}
    rest = None
    while rest != text:
        rest = text
        for name, patterns in (("number", [_NUMBER]), ("basis", [_BASIS]), ("choice", _CHOICES)):
            for pattern in patterns:
                match = None if found[name] else pattern.search(text)
                if match:
                    found[name] = match[match.lastindex or 0].lower()
                    text = text[: match.start()].rstrip(" \t.,;:")
    number = int(found["number"] or 0)
    return Parts(text, hall, found["choice"], number, found["basis"])


def _without_quotes(text):
    """Strip quotation marks, but not those behind a symbol, which may be part of it."""
    text = text.strip()
    while text[:1] in ("'", '"'):
        text = text[1:-1] if len(text) > 1 and text[-1] == text[0] else text[1:]
        text = text.strip()
    return text


def spaced(text):
    """Spell a text in lower case with single spaces; underscores count as spaces."""
    return " ".join(text.replace("_", " ").lower().split())


def split_choice(symbol, choice):
    """Separate letters for origin or axes that stand right behind a symbol."""
    for pattern in _LETTERS_BEHIND:
        match = pattern.fullmatch(symbol)
        if match:
            return match[1], choice or match[2].lower()
    return symbol, choice


def same_axes(symbol, name):
    """Whether the spacing of `symbol` allows to read it as `name`, a spelling with spaces.

    Two digits are one screw axis or two axes. ``P 31 2`` is not ``P 3 1 2``, and ``P4_22`` is
    not ``P 4 2 2``, though they have the same characters.
    """
    if re.match(r"\s*[a-z]_", symbol, re.IGNORECASE):
        symbol = symbol.replace("_", " ")
    split, joined = _boundaries(symbol)
    name_split, _ = _boundaries(name)
    if joined & name_split:
        return False
    key = re.sub(r"[\s_]+", "", symbol)
    together = [i for i in name_split - split if key[i - 1].isdigit() and key[i : i + 1].isdigit()]
    return not any(i < max(split, default=0) for i in together)


def _boundaries(symbol):
    """Positions in the compact symbol with a space before, and with a subscript mark before."""
    split, joined, position = set(), set(), 0
    for character in symbol.strip():
        if character.isspace():
            split.add(position)
        elif character == "_":
            joined.add(position)
        else:
            position += 1
    return split, joined
