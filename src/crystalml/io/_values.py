"""What one CIF value means: numbers with their standard uncertainty, text, nothing."""

import re

from crystalml.io._remember import remember

NAN = float("nan")
NOT_A_NUMBER = None  # what `number` returns for a value that is neither number nor missing
MISSING = (NAN, NAN)

# International Tables vol. G, 2.2.7.1.4.2: digits in parentheses count units of the last
# decimal place given. Some programs write "100.(2)" or leave blanks; both are unmistakable.
_NUMBER = re.compile(
    rb"(?P<value>[+-]?(?:[0-9]+(?:\.(?P<decimals>[0-9]*))?|\.(?P<only>[0-9]+)))"
    rb"(?P<exponent>[eEdD][+-]?[0-9]+)?[ \t]*(?:\((?P<su>[0-9]*)\))?"
)
_LONG = 32  # more digits than any measurement has
_BEYOND_FLOATS = 10**6  # as an exponent
NULLS = frozenset({b"?", b".", b"", b"'?'", b"'.'", b'"?"', b'"."', b"''", b'""'})


def is_null(token):
    """Tell whether the raw value `token` (bytes) says "unknown" or "does not apply"."""
    return token in NULLS


def number(token):
    """Value and standard uncertainty of a raw value, or NOT_A_NUMBER.

    A missing value, and a missing uncertainty, is NaN.
    """
    if token.endswith(b")"):  # not worth the price of an exception
        return _written_number(token)
    try:
        value = float(token)
    except ValueError:
        return _written_number(token)
    # A test without a call, as this runs once for each number of each file.
    if value - value == 0.0 and b"_" not in token:  # neither nan, inf nor 1_000
        return value, NAN
    return NOT_A_NUMBER


@remember(65536)
def _written_number(token):
    """Read a number that carries an uncertainty, quotes or a Fortran exponent."""
    if is_null(token):
        return MISSING
    # The most frequent layout, without the regular expression for all of them.
    if len(token) < _LONG and token.endswith(b")"):  # nearly all are as plain as 5.431(2)
        value, _, su = token[:-1].partition(b"(")
        whole, _, decimals = value.partition(b".")
        if whole.isdigit() and decimals.isdigit() and su.isdigit():
            return float(value), int(su) / 10 ** len(decimals)
    return _matched_number(token)


def _matched_number(token):
    """Read a number in any layout that is unmistakable."""
    match = _NUMBER.fullmatch(_content(token).strip())
    if match is None:
        return _null_text(token)
    exponent = _exponent(match["exponent"])
    # Fortran writes 1.5D+2, which float() does not read.
    value = float(match["value"] + b"e%d" % exponent)
    if value - value != 0.0:
        return NOT_A_NUMBER
    if not match["su"]:
        return value, NAN
    decimals = len(match["decimals"] or match["only"] or b"")
    return value, float(b"%se%d" % (match["su"], exponent - decimals))


def _exponent(written):
    """Return an exponent as an integer; beyond all floats they are alike, however many digits."""
    if not written:
        return 0
    digits = written[1:].lstrip(b"+-").lstrip(b"0")
    size = int(digits or b"0") if len(digits) < _LONG else _BEYOND_FLOATS
    return -size if written[1:2] == b"-" else size


def _null_text(token):
    """MISSING for a text field that holds ``?``, ``.`` or nothing, else NOT_A_NUMBER."""
    return MISSING if text(token) is None else NOT_A_NUMBER


@remember(65536)
def text(token: bytes) -> str | None:
    """Text of a raw value with single blanks between words, or None if it is missing."""
    if token in NULLS:
        return None
    content = _content(token)
    try:
        words = content.decode().split()
    except UnicodeDecodeError:
        words = content.decode("latin-1").split()
    joined = " ".join(words)
    return None if joined in ("", "?", ".") else joined


def _content(token):
    """Take away the quotes of a raw value, or the semicolons of a text field."""
    first = token[:1]
    if first == b";" and token.endswith(b"\n;"):
        body = token[1:-2]
        return re.sub(rb"\\[ \t]*\n", b"", body) if body.startswith(b"\\") else body
    if first in (b"'", b'"') and len(token) > 1 and token.endswith(first):
        width = 3 if len(token) >= 6 and token[:3] == first * 3 == token[-3:] else 1
        return token[width:-width]
    return token
