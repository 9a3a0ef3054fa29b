"""Which space group a symbol means, in any spelling met in real files."""

import re
from functools import cache, lru_cache
from typing import NamedTuple

import gemmi
import numpy as np

from crystalml.exceptions import SpaceGroupError


class SpaceGroupSetting(NamedTuple):
    """A space group in one setting: its axes and origin are fixed.

    Attributes
    ----------
    number : int
        International Tables number, 1-230.
    hm : str
        Hermann-Mauguin symbol of the setting, spaced, as in gemmi's table.
    hall : str
        Hall symbol, which fixes every symmetry operation.
    qualifier : str
        ``"1"`` or ``"2"`` (origin choice), ``"H"`` or ``"R"`` (axes), or ``""``.
    centring : str
        P, A, B, C, F, I, R or H.
    """

    number: int
    hm: str
    hall: str
    qualifier: str
    centring: str


@lru_cache(maxsize=8192)
def find_spacegroup(symbol):
    """Find the space group that a Hermann-Mauguin or Hall symbol means."""
    if not isinstance(symbol, str):
        return None
    text = _plain(symbol)
    key = re.sub(r"[\s_]+", "", text).lower()
    found = _table_by_key().get(key)
    if found is None:
        group = gemmi.find_spacegroup_by_name(text.replace("_", ""))
        found = _setting(group) if group else _from_hall(text)
    return found


def spacegroup_number(symbols, *, on_error="raise"):
    """International Tables number of each symbol."""
    if isinstance(symbols, str):
        found = find_spacegroup(symbols)
        if found is None and on_error == "raise":
            raise SpaceGroupError(
                f"spacegroup_number: {symbols!r} is no space-group symbol that crystalml knows."
            )
        return found.number if found else np.nan
    values, rows = np.unique(np.asarray(symbols, dtype=str), return_inverse=True)
    settings = [find_spacegroup(str(value)) for value in values]
    numbers = np.array([s.number if s else np.nan for s in settings], dtype=np.float64)
    missing = np.isnan(numbers)
    if on_error == "raise" and missing.any():
        raise SpaceGroupError(
            f"spacegroup_number: {values[missing][0]!r} is no space-group symbol that "
            "crystalml knows."
        )
    numbers = numbers[rows]
    return numbers.astype(np.int64) if on_error == "raise" else numbers


def spacegroup_from_operations(operations):
    """Find the space group whose operations these are."""
    return _from_operations(tuple(operations))


@lru_cache(maxsize=8192)
def _from_operations(operations):
    try:
        group = gemmi.GroupOps([gemmi.Op(text) for text in operations])
    except (RuntimeError, ValueError):
        return None
    found = gemmi.find_spacegroup_by_ops(group)
    return _setting(found) if found else None


def _plain(symbol):
    """`symbol` without quotes, with ASCII minus signs and CIF subscripts resolved."""
    text = re.sub("[\u2010-\u2015\u2212]", "-", symbol).strip(" \t\r\n'\"")
    return re.sub(r"\((\d)\)", r"\1", text)


def _from_hall(text):
    """Find the group a Hall symbol generates."""
    try:
        group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(text.replace("_", " ")))
    except RuntimeError:
        return None
    return _setting(group) if group else None


@cache
def _table_by_key():
    """Map compact Hermann-Mauguin symbols to settings; the first of the table wins."""
    table = {}
    for group in gemmi.spacegroup_table():
        setting = _setting(group)
        for name in (group.xhm(), group.hm, group.short_name()):
            table.setdefault(name.replace(" ", "").lower(), setting)
    return table


def _setting(group):
    """Turn a row of gemmi's table into a SpaceGroupSetting."""
    return SpaceGroupSetting(
        group.number, group.hm, group.hall, group.ext.strip("\0"), group.centring_type()
    )
