"""Which space group a symbol means, in any spelling met in real files."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, overload

import gemmi
import numpy as np

from crystalml._typing import NDArray
from crystalml.crystallography._spacegroup_names import claims_by_key, compact
from crystalml.crystallography._spacegroup_operations import setting_of_group
from crystalml.crystallography._spacegroup_settings import (
    SpaceGroupSetting,
    listed_settings,
    reference_setting,
    unlisted_setting,
)
from crystalml.exceptions import InvalidInputError, SpaceGroupError

_REMEDY = 'Correct the spelling, or pass on_error="missing" to get NaN instead.'

_NOTATIONS = ("any", "hermann-mauguin", "hall")

# Longer texts are prose; nothing is gained by searching them for symbols.
_LONGEST = 200

# Words for the origin and the axes -> the qualifier of the table. S and Z are those of ICSD.
_QUALIFIER_OF_CHOICE = {"1": "1", "2": "2", "s": "1", "z": "2", "h": "H", "hr": "H", "r": "R"}

# One rotation: order, axis and translation. The first may follow the lattice without a space.
_ROTATION = r"""-?[1-6](?:[xyz'"*=]?(?:[1-5]|[abcnuvwd]+)?|[1-5][xyz'"*=])"""
_CHANGE = r"\s*\([-+*/.\d\sxyz,]+\)"
_HALL = re.compile(rf"-?[pabcirfhst]\s*{_ROTATION}(\s{_ROTATION})*({_CHANGE})?")
# What a Hall symbol may have and a Hermann-Mauguin symbol never has.
_ONLY_HALL = re.compile(r"""^-|\d['"*=]?[uvwxyz]|\d[abcdn]|["*=]|\([^)]*\)$""")

_SCHOENFLIES = {
    "1": "c1", "-1": "ci", "2": "c2", "m": "cs", "2/m": "c2h", "222": "d2", "mm2": "c2v",
    "mmm": "d2h", "4": "c4", "-4": "s4", "4/m": "c4h", "422": "d4", "4mm": "c4v", "-42m": "d2d",
    "4/mmm": "d4h", "3": "c3", "-3": "c3i", "32": "d3", "3m": "c3v", "-3m": "d3d", "6": "c6",
    "-6": "c3h", "6/m": "c6h", "622": "d6", "6mm": "c6v", "-62m": "d3h", "6/mmm": "d6h",
    "23": "t", "m-3": "th", "432": "o", "-43m": "td", "m-3m": "oh",
}  # fmt: skip

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
_ORIGINS_AND_AXES = [
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


def find_spacegroup(
    symbol: Any, *, notation: Literal["any", "hermann-mauguin", "hall"] = "any"
) -> SpaceGroupSetting | None:
    """Find the space group that a symbol means.

    Understood are Hermann-Mauguin symbols (short, full and abbreviated; with spaces,
    underscores, neither or LaTeX markup; upper or lower case; old spellings such as
    ``F d 3 m``; with e for a double glide plane; settings and multiplied cells; origin choices
    and axes in the styles of CIF, COD, ICSD and International Tables; a change of basis such as
    ``(a,b+1/2,c)``), Hall symbols, Schoenflies symbols with a caret (``Oh^7``) and plain
    numbers (``No. 14``).

    Parameters
    ----------
    symbol : str
        The symbol. Anything that is no string gives None.
    notation : {"any", "hermann-mauguin", "hall"}, default="any"
        How to read it. The notations overlap: with ``"any"``, a text that both could claim for
        different groups is read as a Hermann-Mauguin symbol if it is written exactly as one
        (``C 2`` is group 5), and as a Hall symbol otherwise (``P 3 2`` is the Hall symbol of
        ``P 3 1 2``; as a Hermann-Mauguin symbol it is None, for it may be ``P 32`` or half of
        ``P 3 2 1``).

    Returns
    -------
    SpaceGroupSetting or None
        None for what names no space group, for a symbol that could mean two of them, and for
        symbols of magnetic groups (with a prime or a lattice subscript) and superspace groups.
        Where a symbol leaves the origin or the axes open, the setting has origin choice 1 or
        hexagonal axes; where it abbreviates a monoclinic symbol, unique axis b, or c if the
        symbol makes no sense for b. A setting that no table lists has an empty Hall symbol.

    See Also
    --------
    spacegroup_number : The number alone, for one symbol or many.
    spacegroup_from_operations : From the list of symmetry operations.

    References
    ----------
    International Tables for Crystallography, vol. A, table 4.3.2.1 (5th edition, 2005), and
    vol. B, appendix 1.4.2 (Hall symbols).

    Examples
    --------
    >>> from crystalml.crystallography import find_spacegroup
    >>> find_spacegroup("P 21/n 21/m 21/a").hm
    'P n m a'
    >>> find_spacegroup("R-3mH")
    SpaceGroupSetting(number=166, hm='R -3 m', hall='-R 3 2"', qualifier='H', centring='R')
    >>> find_spacegroup("-P 2yn").hm
    'P 1 21/n 1'
    >>> find_spacegroup("P 21/c'") is None
    True
    """
    if notation not in _NOTATIONS:
        raise InvalidInputError(
            f"find_spacegroup: notation is {notation!r}, must be one of {', '.join(_NOTATIONS)}."
        )
    if not isinstance(symbol, str) or len(symbol) > _LONGEST:
        return None
    return _find(symbol, notation)


@overload
def spacegroup_number(symbols: str, *, on_error: Literal["raise"] = ...) -> int: ...
@overload
def spacegroup_number(symbols: str, *, on_error: Literal["missing"]) -> float: ...
@overload
def spacegroup_number(
    symbols: Iterable[Any], *, on_error: Literal["raise", "missing"] = ...
) -> NDArray[Any]: ...
def spacegroup_number(
    symbols: Any, *, on_error: Literal["raise", "missing"] = "raise"
) -> float | NDArray[Any]:
    """International Tables number of each symbol, in any spelling.

    Parameters
    ----------
    symbols : str or array-like of str
        Symbols as `find_spacegroup` understands them.
    on_error : {"raise", "missing"}, default="raise"
        What to do with symbols that name no space group, and with missing ones.

    Returns
    -------
    int, float or ndarray
        For one symbol an int, or NaN. For several, an int64 array in the shape of `symbols`;
        with ``on_error="missing"`` a float64 array, NaN where the group is unknown.

    Raises
    ------
    SpaceGroupError
        If a symbol names no space group and `on_error` is ``"raise"``.

    Examples
    --------
    >>> from crystalml.crystallography import spacegroup_number
    >>> spacegroup_number("P 21/c")
    14
    >>> spacegroup_number(["Fm-3m", "F d 3 m", "-P 2ybc"]).tolist()
    [225, 227, 14]
    >>> spacegroup_number(["Pnma", "?"], on_error="missing").tolist()
    [62.0, nan]
    """
    if on_error not in ("raise", "missing"):
        raise InvalidInputError(
            f"spacegroup_number: on_error is {on_error!r}, must be 'raise' or 'missing'."
        )
    if isinstance(symbols, str) or np.ndim(symbols) == 0:
        setting = find_spacegroup(symbols)
        if setting is None and on_error == "raise":
            raise SpaceGroupError(f"spacegroup_number: {symbols!r} names no space group. {_REMEDY}")
        return setting.number if setting else float("nan")
    array = np.asarray(symbols, dtype=object)
    values = array.ravel().tolist()
    # Columns repeat few symbols.
    known = {value: find_spacegroup(value) for value in set(values)}
    numbers = {value: setting.number if setting else np.nan for value, setting in known.items()}
    found = np.array([numbers[value] for value in values], dtype=np.float64).reshape(array.shape)
    if on_error == "missing":
        return found
    unknown = np.flatnonzero(np.isnan(found))
    if unknown.size:
        raise SpaceGroupError(
            f"spacegroup_number: {unknown.size} of {found.size} symbols name no space group "
            f"(first: row {unknown[0]}, {values[unknown[0]]!r}). {_REMEDY}"
        )
    return found.astype(np.int64)


@lru_cache(maxsize=8192)
def _find(symbol, notation):
    """Look one text up; texts repeat, so they are remembered."""
    parts = _take_apart(symbol)
    if "=" in parts.symbol and notation != "hall":
        return _find_equal(parts.symbol.split("="))
    setting = _read(parts, notation)
    # A number that contradicts its symbol leaves open which of the two is wrong.
    if setting is None or (parts.number and parts.number != setting.number):
        return None
    return _change_basis(setting, parts.basis) if parts.basis else setting


def _find_equal(alternatives):
    """Read "short = full": both sides must name the same group, the last the setting."""
    settings = [_find(text, "hermann-mauguin") for text in alternatives]
    if None in settings or len({setting.number for setting in settings}) > 1:
        return None
    return settings[-1]


def _read(parts, notation):
    """Choose between the notations."""
    if not parts.symbol:
        return _find_number(parts.number)
    if parts.symbol == parts.hall and re.fullmatch("[1-9][0-9]{0,2}", parts.symbol):
        return _find_number(int(parts.symbol))
    if notation == "hall":
        return _find_hall(parts.hall, strict=False)
    # Markup is gone by now, and no other notation has a caret.
    if "^" in parts.symbol:
        return _find_schoenflies(parts.symbol)
    if notation == "any" and '"' in parts.hall:
        # A quotation mark left at the end belongs to a Hall symbol, if it is one.
        return _find_hall(parts.hall) or _find_hermann_mauguin(parts)
    setting, hall = _find_hermann_mauguin(parts), _listed_hall(parts.hall)
    if setting is None:
        return (hall or _find_hall(parts.hall)) if notation == "any" else None
    # Both notations claim the text: one that is spaced as a Hermann-Mauguin symbol is one.
    if hall and hall.number != setting.number and not _is_exact(parts.symbol):
        return hall if notation == "any" else None
    return setting


def _find_number(number):
    """Give the reference setting of a number that stands alone."""
    return reference_setting(number) if 1 <= number <= 230 else None


def _is_exact(symbol):
    """Whether a text is written as a Hermann-Mauguin symbol should be."""
    claim = claims_by_key().get(compact(symbol))
    return claim is not None and _spaced(symbol) in claim.spellings


def _find_hermann_mauguin(parts):
    """Look up a Hermann-Mauguin symbol, with or without letters for origin and axes behind it."""
    symbol, choice = parts.symbol, parts.choice
    claim = claims_by_key().get(compact(symbol))
    if claim is None:
        symbol, choice = _split_choice(symbol, choice)
        claim = claims_by_key().get(compact(symbol))
    if claim is None or not any(_same_axes(symbol, name) for name in claim.spellings):
        return None
    return _choose(claim.settings, choice)


def _choose(settings, choice):
    """Pick the setting with the wanted origin or axes; a choice that does not exist is void."""
    wanted = _QUALIFIER_OF_CHOICE.get(choice)
    for setting in settings:
        if wanted and setting.qualifier == wanted:
            return setting
    if choice and wanted is None:
        for setting, group in listed_settings():
            if setting.number == settings[0].number and group.qualifier == choice:
                return setting
    return settings[0]


def _change_basis(setting, basis):
    """Apply a change of basis in the notation (a,b,c), new axes and origin in terms of old."""
    try:
        change = gemmi.Op(basis)
    except RuntimeError:  # how gemmi says that a text is no triplet
        return None
    if change.det_rot() == 0:
        return None
    change.rot = change.transposed_rot()
    same_hand = change.det_rot() > 0
    if not setting.hall:
        return unlisted_setting(setting.number) if same_hand else None
    group = gemmi.symops_from_hall(setting.hall)
    number = setting.number
    if not same_hand:
        # Only a change of hand turns a group into another one; inversion does so in any cell.
        mirrored = gemmi.symops_from_hall(setting.hall)
        mirrored.change_basis_forward(gemmi.Op("-x,-y,-z"))
        number = setting_of_group(mirrored).number
    group.change_basis_forward(change.inverse())
    found = setting_of_group(group)
    if found is None:
        return unlisted_setting(number)
    # Another type means that the new axes are no translations of the lattice.
    return found if found.number == number else None


def _listed_hall(text):
    """Find a Hall symbol that the table lists, with the table's spacing or underscores for it."""
    return _listed_halls().get(text if " " in text else text.replace("_", " "))


def _find_hall(text, *, strict=True):
    """Find the group that a Hall symbol generates; with `strict`, only if it is plainly Hall."""
    listed = _listed_hall(text)
    if not strict:
        # Elsewhere an underscore hints at a magnetic lattice, as in "P_2c 2".
        text = text.replace("_", " ")
    if listed is None and " " not in text:
        listed = _unspaced_halls().get(text)
    if listed or not _HALL.fullmatch(text) or (strict and not _ONLY_HALL.search(text)):
        return listed
    try:
        group = gemmi.symops_from_hall(text)
    except RuntimeError:  # how gemmi says that a text is no Hall symbol
        return None
    setting = setting_of_group(group)
    if setting is None or setting.hall:
        return setting
    return SpaceGroupSetting(setting.number, setting.hm, text, "", setting.centring)


@cache
def _listed_halls():
    """Map Hall symbols in lower case to their settings."""
    # The commonest of the settings with one Hall symbol is listed first: reversed, it stays.
    return {setting.hall.lower(): setting for setting, _ in reversed(listed_settings())}


@cache
def _unspaced_halls():
    """Map Hall symbols without spaces to their settings, where they are still unambiguous."""
    claims = {}
    for text, setting in _listed_halls().items():
        claims.setdefault(text.replace(" ", ""), []).append(setting)
    return {text: c[0] for text, c in claims.items() if len({s.number for s in c}) == 1}


def _find_schoenflies(text):
    """Find the group of a Schoenflies symbol such as D2h^16."""
    number = _schoenflies_numbers().get(re.sub(r"[\s_{}]", "", text).lower())
    return reference_setting(number) if number else None


@cache
def _schoenflies_numbers():
    """Map Schoenflies symbols to numbers: their superscripts count through the tables' order."""
    counts, numbers = {}, {}
    for number in range(1, 231):
        crystal_class = gemmi.find_spacegroup_by_number(number).point_group_hm()
        letters = _SCHOENFLIES[crystal_class]
        counts[letters] = counts.get(letters, 0) + 1
        numbers[f"{letters}^{counts[letters]}"] = number
        # S6 is the older name.
        if letters == "c3i":
            numbers[f"s6^{counts[letters]}"] = number
    return numbers


class _Parts(NamedTuple):
    """A text taken apart: the symbol, itself as a Hall symbol, and what stood behind it."""

    symbol: str
    hall: str
    choice: str
    number: int
    basis: str


def _take_apart(text):
    """Separate a symbol from quotes, markup, number, origin choice and change of basis."""
    text = _without_quotes(unicodedata.normalize("NFKC", text.translate(_CHARACTERS)))
    hall = " ".join(text.replace("''", '"').lower().split())
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = text.strip().rstrip(' \t.,;:"')
    found = {"choice": "", "number": "", "basis": ""}
    rest = None
    # Number, basis and choice come in any order: look until nothing more comes off the end.
    while rest != text:
        rest = text
        for name, patterns in (
            ("number", [_NUMBER]),
            ("basis", [_BASIS]),
            ("choice", _ORIGINS_AND_AXES),
        ):
            for pattern in patterns:
                match = None if found[name] else pattern.search(text)
                if match:
                    found[name] = match[match.lastindex or 0].lower()
                    text = text[: match.start()].rstrip(" \t.,;:")
    number = int(found["number"] or 0)
    return _Parts(text, hall, found["choice"], number, found["basis"])


def _without_quotes(text):
    """Strip quotation marks, but not those behind a symbol, which may be part of it."""
    text = text.strip()
    while text[:1] in ("'", '"'):
        text = text[1:-1] if len(text) > 1 and text[-1] == text[0] else text[1:]
        text = text.strip()
    return text


def _spaced(text):
    """Spell a text in lower case with single spaces; underscores count as spaces."""
    return " ".join(text.replace("_", " ").lower().split())


def _split_choice(symbol, choice):
    """Separate letters for origin or axes that stand right behind a symbol."""
    for pattern in _LETTERS_BEHIND:
        match = pattern.fullmatch(symbol)
        if match:
            return match[1], choice or match[2].lower()
    return symbol, choice


def _same_axes(symbol, name):
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
