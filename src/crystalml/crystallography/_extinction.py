"""Space groups that systematic absences cannot tell apart."""

from functools import cache
from itertools import permutations, product

import gemmi
import numpy as np

from crystalml._typing import Integer
from crystalml.crystallography._spacegroup_settings import listed_settings
from crystalml.crystallography._spacegroups import crystal_system
from crystalml.exceptions import SpaceGroupError

# All residues of the indices modulo 12, the largest common denominator of a translation.
_LARGEST_INDEX = 6

_LAUE_CLASSES = (
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


def extinction_class(number: Integer) -> tuple[int, ...]:
    """Numbers of the space groups with the Laue class and the absences of a given one.

    A diffraction pattern shows the Laue class and which reflections are systematically absent;
    resonant scattering and intensity statistics aside, it cannot tell the groups of one class
    apart. The classes are derived from the symmetry operations: two groups are together when
    some choice of their axes gives them the same Laue group, orientation included, and the same
    absent reflections.

    Parameters
    ----------
    number : int
        International Tables number, 1-230.

    Returns
    -------
    tuple of int
        The International Tables numbers, ascending, `number` among them. The 122 different
        tuples partition 1-230.

    Raises
    ------
    SpaceGroupError
        If `number` is not an integer from 1 to 230.

    See Also
    --------
    spacegroups_of_extinction_symbol : The same from a symbol such as P n a -.
    find_spacegroup : From any symbol of a group to its number.

    Notes
    -----
    The axes matter where the lattice leaves a choice (orthorhombic: all six orders are tried),
    so that ``P n a 21`` and ``P n m a``, of extinction symbol P n a -, are together although
    their standard settings name the axes differently. Special positions can cause further
    absences, which say nothing about the group and are not considered.

    References
    ----------
    International Tables for Crystallography, vol. A, chapter 3.1 (5th edition, 2005).

    Examples
    --------
    >>> from crystalml.crystallography import extinction_class, spacegroup_symbol
    >>> extinction_class(14)
    (14,)
    >>> spacegroup_symbol(extinction_class(62)).tolist()
    ['P n a 21', 'P n m a']
    >>> extinction_class(225)
    (209, 216, 225)
    """
    # Numbers only: crystal_system raises for anything else, but also takes arrays.
    if np.ndim(number):
        raise SpaceGroupError(
            f"extinction_class: number is {number!r}, must be one integer from 1 to 230."
        )
    # Called for its check alone.
    crystal_system(number)
    return _classes()[int(number)]


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
            f"Laue class ({', '.join(_LAUE_CLASSES)}) before it if you wish."
        )
    return _fewest_absences(symbol, found)


@cache
def _classes():
    """Map each number to its class."""
    members = {}
    for number in range(1, 231):
        members.setdefault(_fingerprint(number), []).append(number)
    return {number: tuple(group) for group in members.values() for number in group}


def _fingerprint(number):
    """Laue group and absent reflections, in the order of axes that sorts first."""
    group = gemmi.find_spacegroup_by_number(number)
    operations = group.operations()
    rotations = [np.array(operation.rot) // operation.DEN for operation in operations.sym_ops]
    # Diffraction adds an inversion (Friedel's law), so each rotation counts with its negative.
    laue = frozenset(tuple(rotation.ravel()) for half in rotations for rotation in (half, -half))
    # Only orthorhombic axes may be named in any order; elsewhere a convention or the symmetry
    # says which is which.
    free = group.crystal_system_str() == "orthorhombic"
    orders = permutations(range(3)) if free else [(0, 1, 2)]
    indices = _indices()
    absent = (
        operations.systematic_absences(np.ascontiguousarray(indices[:, order])) for order in orders
    )
    return laue, min(np.packbits(pattern).tobytes() for pattern in absent)


@cache
def _count_absences(number: int) -> int:
    """Count the absent reflections among those that are compared."""
    operations = gemmi.find_spacegroup_by_number(number).operations()
    return int(np.sum(operations.systematic_absences(_indices())))


@cache
def _indices():
    """All reflections h k l up to the largest index, 0 0 0 left out."""
    span = range(-_LARGEST_INDEX, _LARGEST_INDEX + 1)
    indices = np.array(list(product(span, repeat=3)), dtype=np.int32)
    return indices[indices.any(axis=1)]


def _fewest_absences(symbol, numbers):
    """Return the class of the groups with fewest absences, or raise if there are several."""
    fewest = min(_count_absences(number) for number in numbers)
    # More absences than shown would have been seen, and would stand in the symbol.
    classes = {extinction_class(n) for n in numbers if _count_absences(n) == fewest}
    laue_classes = {laue for number, laue, _, _ in _settings() if number in numbers}
    if len(classes) > 1 or len(laue_classes) > 1:
        named = ", ".join(sorted(laue_classes, key=_LAUE_CLASSES.index))
        raise SpaceGroupError(
            f"spacegroups_of_extinction_symbol: {symbol!r} occurs in the Laue classes {named}; "
            f"put one before it, as in 'mmm {symbol}' (of -3m, say -3m1 or -31m)."
        )
    return classes.pop()


def _parts(symbol):
    """Split a symbol into Laue class (or None), centring letter and directions."""
    words = symbol.replace("(obv)", "").split() if isinstance(symbol, str) else []
    laue_class = words.pop(0) if words and words[0] in _LAUE_CLASSES else None
    if not words:
        return laue_class, None, ()
    return laue_class, words[0], tuple(words[1:])


@cache
def _settings():
    """List number, Laue class, centring and symmetry directions of every setting."""
    return tuple(
        (setting.number, group.laue_str(), setting.hm[0], tuple(setting.hm.split()[1:]))
        for setting, group in listed_settings()
        # Extinction symbols of R lattices are written on hexagonal axes.
        if setting.qualifier != "R"
    )


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
