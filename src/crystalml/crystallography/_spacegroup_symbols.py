"""Which space group a symbol means, in any spelling met in real files."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, overload

import gemmi
import numpy as np

from crystalml._typing import NDArray
from crystalml.crystallography import _spacegroup_text as text_of
from crystalml.crystallography._spacegroup_names import claims_by_key, compact
from crystalml.crystallography._spacegroup_notations import find_hall, find_schoenflies, listed_hall
from crystalml.crystallography._spacegroup_operations import setting_of_group
from crystalml.crystallography._spacegroup_settings import (
    SpaceGroupSetting,
    listed_settings,
    reference_setting,
    unlisted_setting,
)
from crystalml.exceptions import InvalidInputError, SpaceGroupError

_NOTATIONS = ("any", "hermann-mauguin", "hall")

# Longer texts are prose; nothing is gained by searching them for symbols.
_LONGEST = 200

# Words for the origin and the axes -> the qualifier of the table. S and Z are those of ICSD.
_CHOICES = {"1": "1", "2": "2", "s": "1", "z": "2", "h": "H", "hr": "H", "r": "R"}


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


_REMEDY = 'Correct the spelling, or pass on_error="missing" to get NaN instead.'


@lru_cache(maxsize=8192)
def _find(symbol, notation):
    """Look one text up; texts repeat, so they are remembered."""
    parts = text_of.take_apart(symbol)
    if "=" in parts.symbol and notation != "hall":
        return _find_equal(parts.symbol.split("="))
    setting = _read(parts, notation)
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
        return find_hall(parts.hall, strict=False)
    if "^" in parts.symbol:
        return find_schoenflies(parts.symbol)
    if notation == "any" and '"' in parts.hall:
        # A quotation mark left at the end belongs to a Hall symbol, if it is one.
        return find_hall(parts.hall) or _find_hermann_mauguin(parts)
    setting, hall = _find_hermann_mauguin(parts), listed_hall(parts.hall)
    if setting is None:
        return (hall or find_hall(parts.hall)) if notation == "any" else None
    if hall and hall.number != setting.number and not _is_exact(parts.symbol):
        return hall if notation == "any" else None
    return setting


def _find_number(number):
    """Give the reference setting of a number that stands alone."""
    return reference_setting(number) if 1 <= number <= 230 else None


def _is_exact(symbol):
    """Whether a text is written as a Hermann-Mauguin symbol should be."""
    claim = claims_by_key().get(compact(symbol))
    return claim is not None and text_of.spaced(symbol) in claim.spellings


def _find_hermann_mauguin(parts):
    """Look up a Hermann-Mauguin symbol, with or without letters for origin and axes behind it."""
    symbol, choice = parts.symbol, parts.choice
    claim = claims_by_key().get(compact(symbol))
    if claim is None:
        symbol, choice = text_of.split_choice(symbol, choice)
        claim = claims_by_key().get(compact(symbol))
    if claim is None or not any(text_of.same_axes(symbol, name) for name in claim.spellings):
        return None
    return _choose(claim.settings, choice)


def _choose(settings, choice):
    """Pick the setting with the wanted origin or axes; a choice that does not exist is void."""
    wanted = _CHOICES.get(choice)
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
    if setting.hall:
        group = gemmi.symops_from_hall(setting.hall)
        group.change_basis_forward(change.inverse())
        found = setting_of_group(group)
        if found:
            return found
    # Only a change of hand turns a group into another one.
    return unlisted_setting(setting.number) if change.det_rot() > 0 else None
