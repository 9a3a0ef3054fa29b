"""Space-group symbols in the notations of Hall and of Schoenflies."""

import re
from functools import cache

import gemmi

from crystalml.crystallography._spacegroup_operations import setting_of_group
from crystalml.crystallography._spacegroup_settings import (
    SpaceGroupSetting,
    listed_settings,
    reference_setting,
)

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


def listed_hall(text):
    """Find a Hall symbol that the table lists, with the table's spacing or underscores for it."""
    return _listed_halls().get(text if " " in text else text.replace("_", " "))


def find_hall(text, *, strict=True):
    """Find the group that a Hall symbol generates; with `strict`, only if it is plainly Hall."""
    listed = listed_hall(text)
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
    return {setting.hall.lower(): setting for setting, _ in reversed(listed_settings())}


@cache
def _unspaced_halls():
    """Map Hall symbols without spaces to their settings, where they are still unambiguous."""
    claims = {}
    for text, setting in _listed_halls().items():
        claims.setdefault(text.replace(" ", ""), []).append(setting)
    return {text: c[0] for text, c in claims.items() if len({s.number for s in c}) == 1}


def find_schoenflies(text):
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
        if letters == "c3i":
            numbers[f"s6^{counts[letters]}"] = number
    return numbers
