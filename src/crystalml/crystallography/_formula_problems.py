"""Say what is wrong with a formula, and what to write instead."""

import re

from crystalml.crystallography._elements import SYMBOL_COLUMNS

# Dots and stars that separate the parts of an adduct; the full stop is read with care.
HYDRATE_DOTS = "·•∙⋅*×"  # noqa: RUF001
_VARIABLES = "xyzwnmδ"
_PLACEHOLDERS = frozenset(["A", "E", "G", "J", "L", "Ln", "M", "Me", "Q", "R", "Vac", "X", "Z"])
_COUNT = re.compile(r"\s*((?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:/[0-9]+)?)?\s*")


def shown(text):
    """Quote text for a message, shortened where it is long."""
    return repr(text if len(text) <= 80 else f"{text[:60]}...{text[-10:]}")


def ambiguous_charge(text, head, digits, signs):
    """Explain digits before a sign that may be an amount, a charge, or both: SO42-."""
    instead = f"{head}{digits[:-1]} {digits[-1]}{signs}"
    return (
        f"{shown(text)} ends in {shown(digits + signs)}, where amount and charge cannot be told "
        f"apart; put a space before the charge, as in {shown(instead)}"
    )


def hydrate(text, dot):
    """Explain adducts: an amount with decimals and a number of water molecules look alike."""
    left, right = text[:dot].strip(), text[dot + 1 :].strip()
    count = _COUNT.match(right)
    amount, end = (count[1] or "", count.end()) if count else ("", 0)
    instead = f"{left}({right[end:]}){amount}"
    return (
        f"{shown(text)} looks like a hydrate or another adduct, whose dot cannot be told from a "
        f"decimal point; multiply the part in, as in {shown(instead)}, or separate the elements "
        "by spaces if an amount with decimals was meant"
    )


def misplaced_number(text, token):
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
    return f"{shown(text)} " + reason.format(shown(number))


def unknown_symbol(text, symbol):
    """Explain two letters (or one capital) that are no element."""
    first, rest = symbol[0], symbol[1:]
    if rest and rest in _VARIABLES and first in SYMBOL_COLUMNS:
        return _variable(text, rest)
    if symbol in _PLACEHOLDERS:
        return f"{shown(text)} contains {symbol!r}, which stands for no certain element; name it"
    return (
        f"{shown(text)} contains {symbol!r}, which is no element symbol; symbols are written with "
        "one capital, such as Cl"
    )


def no_token(text, place):
    """Explain a character that starts nothing a formula may contain."""
    character, following = text[place], text[place + 1 : place + 2]
    if character in _VARIABLES:
        return _variable(text, character)
    if character in HYDRATE_DOTS or (character == "." and following):
        return hydrate(text, place)
    if character in "+-":
        return _sign(text, place)
    if character in ",;":
        return (
            f"{shown(text)} lists several parts (separated by {character!r}), as a moiety formula "
            "does; give the sum formula"
        )
    if character.islower() and character.isascii():
        return (
            f"{shown(text)} has the small letter {character!r} where a symbol should start; "
            "symbols are written with one capital, such as Cl"
        )
    return (
        f"{shown(text)} contains {character!r} at character {place + 1}; a formula consists of "
        "element symbols, amounts, brackets and spaces"
    )


def _variable(text, name):
    return (
        f"{shown(text)} contains the variable {name!r}, so it names no certain composition; write "
        "its value, as in La1.85Sr0.15CuO4 for La2-xSrxCuO4"
    )


def _sign(text, place):
    """Explain a sign inside the text: a variable, a negative amount or an inner charge."""
    following = text[place + 1 :].lstrip()[:1]
    if following and following in _VARIABLES:
        return _variable(text, following)
    if following.isdigit() or following == ".":
        return (
            f"{shown(text)} has {text[place]!r} before a number; amounts must be positive and "
            "written out, as in YBa2Cu3O6.9 for YBa2Cu3O7-0.1"
        )
    return (
        f"{shown(text)} has {text[place]!r} at character {place + 1}; a charge may stand only at "
        "the end, and parts of unknown content cannot be counted"
    )
