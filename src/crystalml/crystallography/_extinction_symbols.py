"""Read extinction symbols such as P n a -, in which what causes no absences is a hyphen."""

from functools import cache

from crystalml.crystallography._extinction import count_absences, extinction_class
from crystalml.crystallography._spacegroup_settings import listed_settings
from crystalml.exceptions import SpaceGroupError

LAUE_CLASSES = (
    "-1",
    "2/m",
    "mmm",
    "4/m",
    "4/mmm",
    "-3",
    "-3m",
    "-3m1",
    "-31m",
    "6/m",
    "6/mmm",
    "m-3",
    "m-3m",
)
# Glide planes that the symbol of a face-centred setting may name by any of these letters.
_EITHER_GLIDE = {"(ab)": "abe", "(ac)": "ace", "(bc)": "bce", "e": "abce"}


def spacegroups_of_extinction_symbol(symbol: str) -> tuple[int, ...]:
    """Numbers of the space groups that an extinction symbol leaves.

    The symbol is written as in International Tables: the centring letter, then for each symmetry
    direction the screw axes and glide planes that the absences show, or a hyphen. The Laue class
    may stand before it, and must where the symbol occurs in several.

    Parameters
    ----------
    symbol : str
        Such as ``"P n a -"``, ``"C - c (ab)"`` or ``"4/mmm P - 21 -"``, with spaces between the
        directions, in any setting that has a Hermann-Mauguin symbol in gemmi's table.

    Returns
    -------
    tuple of int
        International Tables numbers, ascending.

    Raises
    ------
    SpaceGroupError
        If no space group has such a symbol, or groups of several Laue classes have and none is
        named.

    See Also
    --------
    extinction_class : From one of these groups to all.

    Notes
    -----
    Among the Hermann-Mauguin symbols that agree with what is shown, those with fewest absences
    are meant: a hyphen says that nothing was absent for this direction.

    References
    ----------
    International Tables for Crystallography, vol. A, chapter 3.1 (5th edition, 2005).

    Examples
    --------
    >>> from crystalml.crystallography import (
    ...     spacegroup_symbol, spacegroups_of_extinction_symbol
    ... )
    >>> spacegroup_symbol(spacegroups_of_extinction_symbol("P n a -")).tolist()
    ['P n a 21', 'P n m a']
    >>> spacegroups_of_extinction_symbol("4/mmm P - 21 -")
    (90, 113)
    """
    laue_class, centring, shown = _parts(symbol)
    found = {
        number
        for number, laue, letter, directions in _settings()
        if letter == centring
        and (laue_class is None or _is_laue_class(laue_class, laue, directions))
        # P 1 and P -1 have no symmetry directions.
        and (laue != "-1" or shown == ("-",))
        and _agrees(shown, directions)
    }
    if not found:
        raise SpaceGroupError(
            f"spacegroups_of_extinction_symbol: {symbol!r} agrees with no space group. Write a "
            "centring letter and the symmetry directions with spaces, as in 'P n a -', and the "
            f"Laue class ({', '.join(LAUE_CLASSES)}) before it if you wish."
        )
    return _fewest_absences(symbol, found)


def _fewest_absences(symbol, numbers):
    """Return the class of the groups with fewest absences, or raise if there are several."""
    fewest = min(count_absences(number) for number in numbers)
    classes = {extinction_class(n) for n in numbers if count_absences(n) == fewest}
    laue_classes = {laue for number, laue, _, _ in _settings() if number in numbers}
    if len(classes) > 1 or len(laue_classes) > 1:
        named = ", ".join(sorted(laue_classes, key=LAUE_CLASSES.index))
        raise SpaceGroupError(
            f"spacegroups_of_extinction_symbol: {symbol!r} occurs in the Laue classes {named}; "
            f"put one before it, as in 'mmm {symbol}' (of -3m, say -3m1 or -31m)."
        )
    return classes.pop()


def _parts(symbol):
    """Split a symbol into Laue class (or None), centring letter and directions."""
    words = symbol.replace("(obv)", "").split() if isinstance(symbol, str) else []
    laue_class = words.pop(0) if words and words[0] in LAUE_CLASSES else None
    if not words:
        return laue_class, None, ()
    return laue_class, words[0], tuple(words[1:])


@cache
def _settings():
    """List number, Laue class, centring and symmetry directions of every setting."""
    return tuple(
        (setting.number, group.laue_str(), *_split_symbol(setting.hm))
        for setting, group in listed_settings()
        if setting.qualifier != "R"
    )


def _split_symbol(hm):
    """Split a Hermann-Mauguin symbol into its letter and its directions."""
    letter, *directions = hm.split()
    return letter, tuple(directions)


def _is_laue_class(asked, laue, directions):
    """Whether a setting belongs to a Laue class, of which -3m may be given with its orientation."""
    if asked == "-3m1":
        return laue == "-3m" and directions[2:] in ((), ("1",))
    if asked == "-31m":
        return laue == "-3m" and directions[1] == "1"
    return laue == asked


def _agrees(shown, directions):
    """Whether a Hermann-Mauguin symbol has what an extinction symbol shows."""
    if len(directions) > len(shown):
        return False
    # Short symbols such as P 41 stand for P 41 1 1.
    filled = directions + ("1",) * (len(shown) - len(directions))
    return all(_has(mark, element) for mark, element in zip(shown, filled, strict=True))


def _has(mark, element):
    """Whether one direction of a symbol, such as 21/c, has what is shown there."""
    if mark == "-":
        return True
    axis, _, plane = element.partition("/")
    marks = _EITHER_GLIDE.get(mark, (mark,))
    return element == mark or any(one in (axis, plane) for one in marks)
