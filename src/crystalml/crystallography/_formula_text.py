"""Read one chemical formula: the strict grammar that the vectorised parser must agree with.

The text is read left to right by single tokens that cannot backtrack and brackets may nest
only so deep, so the time is proportional to the length of the text.
"""

import math
import re

from crystalml.crystallography._elements import HYDROGEN_ISOTOPES, SYMBOL_COLUMNS
from crystalml.crystallography._formula_problems import (
    HYDRATE_DOTS,
    ambiguous_charge,
    hydrate,
    misplaced_number,
    no_token,
    shown,
    unknown_symbol,
)
from crystalml.exceptions import FormulaError

MAX_DEPTH = 32
WHITESPACE = " \t\r\n\f\v"
BRACKETS = {"(": ")", "[": "]", "{": "}"}

_TOKEN = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:/[0-9]+)?)"
    r"|(?P<open>[(\[{])"
    r"|(?P<close>[)\]}])"
    r"|(?P<space>[ \t\r\n\f\v]+)"
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
            f"{shown(text)} carries the charge {charge!r}; leave it out, or drop charges with "
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
        raise FormulaError(f"{shown(text)} names no element with an amount above zero")
    if not all(map(math.isfinite, amounts.values())):
        raise FormulaError(f"{shown(text)} has an amount too large for a floating-point number")
    return amounts, has_deuterium


def _plain_text(text):
    """Remove quotes and outer space; write sub- and superscripts as plain characters."""
    plain = text.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\";":
        plain = plain[1:-1].strip()
    if not plain.isascii():
        # Superscripts stand apart: they are a charge at the end, an isotope before a symbol.
        plain = _SUPERSCRIPT_RUN.sub(lambda run: " " + run[0].translate(_SUPERSCRIPTS), plain)
        plain = plain.translate(_PLAIN).strip()
    if plain in ("", "?", "."):
        raise FormulaError(f"{shown(text)} is an empty formula; give None where it is missing")
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
    if len(signs) > 1 or not digits:
        return _trim(rest), signs
    if not head or head[-1] in "^" + WHITESPACE:
        return _trim(head), digits + signs
    if head in SYMBOL_COLUMNS or _is_one_group(head):
        return head, digits + signs
    if len(digits) > 1 and head[-1] not in "./":
        raise FormulaError(ambiguous_charge(text, head, digits, signs))
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


def _expand(text):
    """Multiply out the brackets: a list of (symbol, amount) in the order of the text."""
    entries, opened = [], []
    bound = None  # first of the entries that a number at this place multiplies; None: no such
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise FormulaError(no_token(text, place))
        kind, value = token.lastgroup, token[0]
        if kind == "symbol":
            if value not in SYMBOL_COLUMNS:
                raise FormulaError(unknown_symbol(text, value))
            bound = len(entries)
            entries.append((value, 1.0))
        elif kind == "number":
            if bound is None:
                raise FormulaError(misplaced_number(text, token))
            factor = _amount(text, token)
            entries[bound:] = [(symbol, amount * factor) for symbol, amount in entries[bound:]]
            bound = None
        elif kind == "open":
            opened.append((value, len(entries)))
            bound = None
        elif kind == "close":
            bound = _close(text, value, opened, len(entries))
        else:
            bound = None
        if len(opened) > MAX_DEPTH:
            raise FormulaError(f"{shown(text)} nests brackets deeper than {MAX_DEPTH}")
        place = token.end()
    if opened:
        raise FormulaError(f"{shown(text)} has a bracket {opened[-1][0]!r} that is not closed")
    return entries


def _close(text, bracket, opened, n_entries):
    """Close the innermost bracket; return the first of the entries it holds."""
    if not opened:
        raise FormulaError(f"{shown(text)} has a bracket {bracket!r} that was not opened")
    opening, start = opened.pop()
    if BRACKETS[opening] != bracket:
        raise FormulaError(f"{shown(text)} closes the bracket {opening!r} by {bracket!r}")
    if start == n_entries:
        raise FormulaError(f"{shown(text)} has an empty bracket {opening + bracket!r}")
    return start


def _amount(text, token):
    """Value of a number token, unless it looks like a hydrate's dot."""
    number = token[0]
    following = text[token.end() : token.end() + 1]
    dot = number.find(".")
    if following in HYDRATE_DOTS and following:
        raise FormulaError(hydrate(text, token.end()))
    if dot >= 0 and not number.startswith("0") and _LIGAND.match(text, token.end()):
        raise FormulaError(hydrate(text, token.start() + dot))
    numerator, _, denominator = number.partition("/")
    if denominator and float(denominator) == 0.0:
        raise FormulaError(f"{shown(text)} divides by zero in {shown(number)}")
    return float(numerator) / float(denominator) if denominator else float(numerator)
