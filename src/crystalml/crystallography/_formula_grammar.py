"""The grammar of one formula, and what to say about text that breaks it.

The text is read left to right by single tokens that cannot backtrack and brackets may nest
only so deep, so the time is proportional to the length of the text. The vectorised parser
leaves all but plain formulas to this one, so there is one grammar and one source of messages.
"""

import math
import re
from dataclasses import dataclass

from crystalml.crystallography._elements import HYDROGEN_ISOTOPES, SYMBOL_COLUMNS
from crystalml.exceptions import FormulaError

MAX_DEPTH = 32
WHITESPACE = " \t\r\n\f\v"
BRACKETS = {"(": ")", "[": "]", "{": "}"}

# Raised dots, bullets, stars and crosses separate the parts of an adduct. A full stop is none of
# them: in CuSO4.5H2O it could be a decimal point as well.
_DOTS = "\u00b7\u2022\u2219\u22c5*\u00d7"
_VARIABLES = "xyzwnm\u03b4"
_PLACEHOLDERS = frozenset(["A", "E", "G", "J", "L", "Ln", "M", "Me", "Q", "R", "Vac", "X", "Z"])

_TOKEN = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:/[0-9]+)?)"
    r"|(?P<open>[(\[{])"
    r"|(?P<close>[)\]}])"
    r"|(?P<space>[ \t\r\n\f\v]+)"
    rf"|(?P<dot>[{_DOTS}])"
)
# What follows an amount with decimals that is more likely a hydrate's dot: CuSO4.5H2O. A spaced
# Hill sum (Cl.2 H2 O), a leading zero (Mg0.5H2O) and a multiple (Na1.5(H2O)3) are no hydrates.
_LIGAND = re.compile(r" ?(?:(?:[HD]2O|NH3)(?![0-9a-zA-Z.])|[(\[{](?:[HD]2O|NH3)[)\]}](?![0-9.]))")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT_RUN = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
# Subscript digits, the minus sign, the en dash and two spaces that are not ASCII.
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉\u2212\u2013\u00a0\u2009", "0123456789--  ")


def read_formula(text, *, strip_charge=False):
    """Return ``({symbol: amount}, has_deuterium)``; raise FormulaError with the reason."""
    plain = _plain_text(text)
    body, charge = split_charge(plain)
    if charge and not strip_charge:
        raise FormulaError(
            f"{_shown(text)} carries the charge {charge!r}; leave it out, or drop charges with "
            "charges='strip'"
        )
    amounts, has_deuterium = {}, False
    for symbol, amount in _expand(body):
        if amount == 0.0:  # a zero amount names no atom: La2Sr0CuO4 is La2CuO4
            continue
        if symbol in HYDROGEN_ISOTOPES:
            symbol, has_deuterium = "H", True
        amounts[symbol] = amounts.get(symbol, 0.0) + amount
    if not amounts:
        raise FormulaError(f"{_shown(text)} names no element with an amount above zero")
    if not all(map(math.isfinite, amounts.values())):
        raise FormulaError(f"{_shown(text)} has an amount too large for a floating-point number")
    return amounts, has_deuterium


def _plain_text(text):
    """Remove quotes and outer space; write sub- and superscripts as plain characters."""
    plain = text.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\";":
        plain = plain[1:-1].strip()
    if not plain.isascii():
        # The mark keeps superscripts apart from amounts: they are a charge or an isotope.
        plain = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), plain)
        plain = plain.translate(_PLAIN).strip()
    if plain in ("", "?", "."):
        raise FormulaError(f"{_shown(text)} is an empty formula; give None where it is missing")
    return plain


def split_charge(text):
    """Split a charge off the end: ``(rest, charge)``, where the charge is "" if there is none.

    A number between text and sign belongs to the charge where a space or ``^`` stands before
    it, after a single symbol (Fe3+) and after a bracket around everything ([Fe(CN)6]3-). After
    other text one digit is an amount (NH4+); more are ambiguous (SO42-) and refused.
    """
    if text[-1] not in "+-":
        return _split_signed_number(text)
    rest = text.rstrip(text[-1])
    signs = text[len(rest) :]
    head = rest.rstrip("0123456789")
    digits = rest[len(head) :]
    # Ca++ and Na+: the signs alone say the charge.
    if len(signs) > 1 or not digits:
        return _trim(rest), signs
    if not head or head[-1] in "^" + WHITESPACE:
        return _trim(head), digits + signs
    if head in SYMBOL_COLUMNS or _is_one_group(head):
        return head, digits + signs
    # SO42-: amount 4 and charge 2-, or amount 42 and charge -.
    if len(digits) > 1 and head[-1] not in "./":
        raise FormulaError(_ambiguous_charge(text, head, digits, signs))
    return rest, signs


def _split_signed_number(text):
    """Split a charge written sign first: Fe+3, SO4 -2."""
    head = text.rstrip("0123456789")
    if head == text or head[-1:] not in ("+", "-") or not head[:-1]:
        return text, ""
    return _trim(head[:-1]), text[len(head) - 1 :]


def _trim(text):
    return text.rstrip("^" + WHITESPACE)


def _is_one_group(text):
    """Whether one pair of brackets encloses everything."""
    if text[0] not in BRACKETS:
        return False
    depth = 0
    for place, character in enumerate(text):
        depth += (character in BRACKETS) - (character in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


@dataclass
class _Group:
    """One pair of brackets, or the whole text, as far as it was read."""

    bracket: str
    start: int  # first entry of the group
    part_start: int  # first entry behind the last dot
    multiple: re.Match[str] | None = None  # number before the part: the 5 of CuSO4*5H2O
    has_dot: bool = False


def _expand(text):
    """Multiply out brackets and adducts: (symbol, amount) pairs in the order of the text."""
    entries, groups = [], [_Group("", 0, 0)]
    bound = None  # first of the entries that a number at this place multiplies; None: no such
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise FormulaError(_no_token(text, place))
        kind, value = token.lastgroup, token[0]
        if kind == "symbol":
            if value not in SYMBOL_COLUMNS:
                raise FormulaError(_unknown_symbol(text, value))
            bound = len(entries)
            entries.append((value, 1.0))
        # Behind a symbol or bracket a number is an amount; elsewhere it may start an adduct's part.
        elif kind == "number" and bound is None:
            _start_multiple(text, token, groups[-1], len(entries))
        elif kind == "number":
            _multiply(entries, bound, _amount(text, token))
            bound = None
        elif kind == "close":
            bound = _close(text, value, groups, entries)
        else:
            if kind == "open":
                groups.append(_Group(value, len(entries), len(entries)))
            elif kind == "dot":
                groups[-1].has_dot = True
                _end_part(text, groups[-1], entries)
            bound = None
        if len(groups) > MAX_DEPTH + 1:
            raise FormulaError(f"{_shown(text)} nests brackets deeper than {MAX_DEPTH}")
        place = token.end()
    if len(groups) > 1:
        raise FormulaError(
            f"{_shown(text)} has a bracket {groups[-1].bracket!r} that is not closed"
        )
    _end_part(text, groups[0], entries)
    return entries


def _start_multiple(text, token, group, n_entries):
    """Keep the number that a part of an adduct starts with; no other place may have one."""
    if group.multiple is not None or group.part_start < n_entries:
        raise FormulaError(_misplaced_number(text, token))
    group.multiple = token


def _end_part(text, group, entries):
    """Multiply the part that ends at a dot, a closing bracket or the end of the text."""
    if group.multiple is not None:
        # Without a dot, 13C may be an isotope, and nobody needs to write 2H2O.
        if not group.has_dot:
            raise FormulaError(_misplaced_number(text, group.multiple))
        _multiply(entries, group.part_start, _value(text, group.multiple))
    if group.has_dot and group.part_start == len(entries):
        raise FormulaError(
            f"{_shown(text)} has a dot or star with no formula on one side of it; write adducts "
            "such as 'CuSO4*5H2O', and leave other marks out"
        )
    group.part_start, group.multiple = len(entries), None


def _close(text, bracket, groups, entries):
    """Close the innermost bracket; return the first of the entries it holds."""
    if len(groups) == 1:
        raise FormulaError(f"{_shown(text)} has a bracket {bracket!r} that was not opened")
    group = groups.pop()
    if BRACKETS[group.bracket] != bracket:
        raise FormulaError(f"{_shown(text)} closes the bracket {group.bracket!r} by {bracket!r}")
    _end_part(text, group, entries)
    if group.start == len(entries):
        raise FormulaError(f"{_shown(text)} has an empty bracket {group.bracket + bracket!r}")
    return group.start


def _multiply(entries, start, factor):
    """Multiply all entries from `start` on, in place."""
    entries[start:] = [(symbol, amount * factor) for symbol, amount in entries[start:]]


def _amount(text, token):
    """Value of a number behind a symbol or bracket, unless it looks like a hydrate's dot."""
    number = token[0]
    dot = number.find(".")
    if dot >= 0 and not number.startswith("0") and _LIGAND.match(text, token.end()):
        raise FormulaError(_hydrate(text, token.start() + dot))
    return _value(text, token)


def _value(text, token):
    numerator, _, denominator = token[0].partition("/")
    if denominator and float(denominator) == 0.0:
        raise FormulaError(f"{_shown(text)} divides by zero in {_shown(token[0])}")
    return float(numerator) / float(denominator) if denominator else float(numerator)


def _shown(text):
    """Quote text for a message, shortened where it is long."""
    return repr(text if len(text) <= 80 else f"{text[:60]}...{text[-10:]}")


def _ambiguous_charge(text, head, digits, signs):
    """Explain digits before a sign that may be an amount, a charge, or both: SO42-."""
    instead = f"{head}{digits[:-1]} {digits[-1]}{signs}"
    return (
        f"{_shown(text)} ends in {_shown(digits + signs)}, where amount and charge cannot be told "
        f"apart; put a space before the charge, as in {_shown(instead)}"
    )


def _hydrate(text, dot):
    """Explain a full stop: an amount with decimals and a number of water molecules look alike."""
    instead = f"{text[:dot].rstrip()}*{text[dot + 1 :].lstrip()}"
    return (
        f"{_shown(text)} looks like a hydrate or another adduct, whose dot cannot be told from a "
        f"decimal point; write a star or a raised dot, as in {_shown(instead)}, or separate the "
        "elements by spaces if an amount with decimals was meant"
    )


def _misplaced_number(text, token):
    """Explain a number that follows neither a symbol nor a closing bracket."""
    number, rest = token[0], text[token.end() :]
    if text[: token.start()].strip() == "" and rest.strip():
        reason = (
            "starts with the number {}; amounts follow their element, isotopes other than D and T "
            "are not supported, and a multiple of a formula must be multiplied out"
        )
    elif rest.lstrip()[:1].isalpha():
        reason = (
            "has the number {} before a symbol; amounts follow their element without a space, and "
            "isotopes other than D and T are not supported"
        )
    else:
        reason = (
            "has the number {}, which belongs to no element; write amounts right after their "
            "element"
        )
    return f"{_shown(text)} " + reason.format(_shown(number))


def _unknown_symbol(text, symbol):
    """Explain two letters (or one capital) that are no element."""
    first, rest = symbol[0], symbol[1:]
    # Lax for La(x): an x is likelier than an unknown element.
    if rest and rest in _VARIABLES and first in SYMBOL_COLUMNS:
        return _variable(text, rest)
    if symbol in _PLACEHOLDERS:
        return f"{_shown(text)} contains {symbol!r}, which stands for no certain element; name it"
    return (
        f"{_shown(text)} contains {symbol!r}, which is no element symbol; symbols are written with "
        "one capital, such as Cl"
    )


def _no_token(text, place):
    """Explain a character that starts nothing a formula may contain."""
    character, following = text[place], text[place + 1 : place + 2]
    if character in _VARIABLES:
        return _variable(text, character)
    if character == "." and following:
        return _hydrate(text, place)
    if character == "^":
        return (
            f"{_shown(text)} has a superscript at character {place + 1}; a charge may stand only "
            "at the end, and isotopes other than D and T are not supported"
        )
    if character in "+-":
        return _sign(text, place)
    if character in ",;":
        return (
            f"{_shown(text)} lists several parts (separated by {character!r}), as a moiety formula "
            "does; give the sum formula"
        )
    if character.islower() and character.isascii():
        return (
            f"{_shown(text)} has the small letter {character!r} where a symbol should start; "
            "symbols are written with one capital, such as Cl"
        )
    return (
        f"{_shown(text)} contains {character!r} at character {place + 1}; a formula consists of "
        "element symbols, amounts, brackets and spaces"
    )


def _variable(text, name):
    return (
        f"{_shown(text)} contains the variable {name!r}, so it names no certain composition; write "
        "its value, as in La1.85Sr0.15CuO4 for La2-xSrxCuO4"
    )


def _sign(text, place):
    """Explain a sign inside the text: a variable, a negative amount or an inner charge."""
    following = text[place + 1 :].lstrip()[:1]
    if following and following in _VARIABLES:
        return _variable(text, following)
    if following.isdigit() or following == ".":
        return (
            f"{_shown(text)} has {text[place]!r} before a number; amounts must be positive and "
            "written out, as in YBa2Cu3O6.9 for YBa2Cu3O7-0.1"
        )
    return (
        f"{_shown(text)} has {text[place]!r} at character {place + 1}; a charge may stand only at "
        "the end, and parts of unknown content cannot be counted"
    )
