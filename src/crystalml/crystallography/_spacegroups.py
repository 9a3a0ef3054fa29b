"""What a space-group number says: symbol, crystal system, Bravais lattice, point group."""

from functools import cache
from typing import overload

import gemmi
import numpy as np

from crystalml._typing import BoolArray, Integer, Integers, ObjectArray
from crystalml.exceptions import SpaceGroupError

CRYSTAL_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "trigonal",
    "hexagonal",
    "cubic",
)
LATTICE_SYSTEMS = (
    "triclinic",
    "monoclinic",
    "orthorhombic",
    "tetragonal",
    "rhombohedral",
    "hexagonal",
    "cubic",
)

# First Pearson letter of each lattice system; the second is the centring, A, B and C all S.
_FAMILY_LETTERS = dict(zip(LATTICE_SYSTEMS, "amothhc", strict=True))


@overload
def spacegroup_symbol(numbers: Integer) -> str: ...
@overload
def spacegroup_symbol(numbers: Integers) -> ObjectArray: ...
def spacegroup_symbol(numbers: Integer | Integers) -> str | ObjectArray:
    """Short Hermann-Mauguin symbol of each space group, in its reference setting.

    The spelling is the one CIF asks for, with a space between the symmetry directions and the
    glide letters of the older editions (``C m c a``, not ``C m c e``), as in gemmi's table.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    str or ndarray of str (dtype object)
        The symbols, in the shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    References
    ----------
    International Tables for Crystallography, vol. A, table 4.3.2.1 (5th edition, 2005).

    Examples
    --------
    >>> from crystalml.crystallography import spacegroup_symbol
    >>> spacegroup_symbol(62)
    'P n m a'
    >>> spacegroup_symbol([14, 225]).tolist()
    ['P 1 21/c 1', 'F m -3 m']
    """
    return _look_up("spacegroup_symbol", numbers)


@overload
def crystal_system(numbers: Integer) -> str: ...
@overload
def crystal_system(numbers: Integers) -> ObjectArray: ...
def crystal_system(numbers: Integer | Integers) -> str | ObjectArray:
    """Crystal system of each space group, one of ``CRYSTAL_SYSTEMS``.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    str or ndarray of str (dtype object)
        The crystal systems, in the shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    See Also
    --------
    lattice_system : Puts the trigonal groups with a hexagonal lattice with the hexagonal ones.

    Examples
    --------
    >>> from crystalml.crystallography import crystal_system
    >>> crystal_system([2, 152, 166, 194]).tolist()
    ['triclinic', 'trigonal', 'trigonal', 'hexagonal']
    """
    return _look_up("crystal_system", numbers)


@overload
def lattice_system(numbers: Integer) -> str: ...
@overload
def lattice_system(numbers: Integers) -> ObjectArray: ...
def lattice_system(numbers: Integer | Integers) -> str | ObjectArray:
    """Lattice system of each space group, one of ``LATTICE_SYSTEMS``.

    Space groups belong to one lattice system when their lattices have the same point symmetry;
    of the trigonal groups, seven are rhombohedral and eighteen hexagonal.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    str or ndarray of str (dtype object)
        The lattice systems, in the shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    Examples
    --------
    >>> from crystalml.crystallography import lattice_system
    >>> lattice_system([2, 152, 166, 194]).tolist()
    ['triclinic', 'hexagonal', 'rhombohedral', 'hexagonal']
    """
    return _look_up("lattice_system", numbers)


@overload
def bravais_lattice(numbers: Integer) -> str: ...
@overload
def bravais_lattice(numbers: Integers) -> ObjectArray: ...
def bravais_lattice(numbers: Integer | Integers) -> str | ObjectArray:
    """Bravais lattice of each space group, by its IUCr (Pearson) letters.

    The first letter is the crystal family, the second the centring; one-face centring is S,
    whichever face the setting centres.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    str or ndarray of str (dtype object)
        The Bravais lattices (aP, mP, mS, oP, oS, oI, oF, tP, tI, hR, hP, cP, cI or cF), in the
        shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    References
    ----------
    de Wolff et al. (1985), Acta Cryst. A41, 278-280.

    Examples
    --------
    >>> from crystalml.crystallography import bravais_lattice
    >>> bravais_lattice(38)
    'oS'
    >>> bravais_lattice([2, 15, 166, 227]).tolist()
    ['aP', 'mS', 'hR', 'cF']
    """
    return _look_up("bravais_lattice", numbers)


@overload
def point_group(numbers: Integer) -> str: ...
@overload
def point_group(numbers: Integers) -> ObjectArray: ...
def point_group(numbers: Integer | Integers) -> str | ObjectArray:
    """Point group (geometric crystal class) of each space group, as Hermann-Mauguin symbol.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    str or ndarray of str (dtype object)
        One of the 32 symbols, without spaces, in the shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    Examples
    --------
    >>> from crystalml.crystallography import point_group
    >>> point_group([1, 14, 115, 225]).tolist()
    ['1', '2/m', '-42m', 'm-3m']
    """
    return _look_up("point_group", numbers)


@overload
def is_centrosymmetric(numbers: Integer) -> bool: ...
@overload
def is_centrosymmetric(numbers: Integers) -> BoolArray: ...
def is_centrosymmetric(numbers: Integer | Integers) -> bool | BoolArray:
    """Whether each space group contains an inversion.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    bool or ndarray of bool
        In the shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    Examples
    --------
    >>> from crystalml.crystallography import is_centrosymmetric
    >>> is_centrosymmetric(14)
    True
    >>> is_centrosymmetric([1, 2, 216, 225]).tolist()
    [False, True, False, True]
    """
    return _look_up("is_centrosymmetric", numbers)


@overload
def is_sohncke(numbers: Integer) -> bool: ...
@overload
def is_sohncke(numbers: Integers) -> BoolArray: ...
def is_sohncke(numbers: Integer | Integers) -> bool | BoolArray:
    """Whether each space group can hold a chiral structure: it has rotations and screws only.

    Parameters
    ----------
    numbers : int or array-like of int
        International Tables numbers, 1-230.

    Returns
    -------
    bool or ndarray of bool
        True for the 65 Sohncke groups, in the shape of `numbers`.

    Raises
    ------
    SpaceGroupError
        If a number is not an integer from 1 to 230.

    Examples
    --------
    >>> from crystalml.crystallography import is_sohncke
    >>> is_sohncke([19, 29, 152]).tolist()
    [True, False, True]
    """
    return _look_up("is_sohncke", numbers)


def spacegroups_of_bravais_lattice(symbol: str) -> tuple[int, ...]:
    """Numbers of the space groups that have a given Bravais lattice.

    Parameters
    ----------
    symbol : str
        Pearson letters of the Bravais lattice, such as ``"oI"``.

    Returns
    -------
    tuple of int
        The International Tables numbers, ascending. The 14 tuples partition 1-230.

    Raises
    ------
    SpaceGroupError
        If `symbol` names none of the 14 Bravais lattices.

    Examples
    --------
    >>> from crystalml.crystallography import spacegroups_of_bravais_lattice
    >>> spacegroups_of_bravais_lattice("hR")
    (146, 148, 155, 160, 161, 166, 167)
    """
    # By the table of numbers, so that both directions agree.
    members = _bravais_members()
    if not isinstance(symbol, str) or symbol not in members:
        raise SpaceGroupError(
            f"spacegroups_of_bravais_lattice: symbol is {symbol!r}, must be one of "
            f"{', '.join(sorted(members))}."
        )
    return members[symbol]


@cache
def _bravais_members():
    """Map each Bravais lattice to its space-group numbers."""
    members = {}
    for number, symbol in enumerate(_tables()["bravais_lattice"][1:], start=1):
        members.setdefault(symbol, []).append(number)
    return {symbol: tuple(numbers) for symbol, numbers in members.items()}


@cache
def _tables():
    """Read gemmi's tables once: property name -> array whose row is the space-group number."""
    # Row 0 stays empty, so that a number is its own index.
    rows = [None, *(_properties(gemmi.find_spacegroup_by_number(n)) for n in range(1, 231))]
    tables = {}
    for name, example in rows[1].items():
        tables[name] = np.empty(231, dtype=bool if isinstance(example, bool) else object)
        tables[name][1:] = [row[name] for row in rows[1:]]
    return tables


def _properties(group):
    """All properties of one gemmi space group, by the name of the function that gives them."""
    system = group.crystal_system_str()
    centring = group.hm[0]
    lattice = system
    # gemmi tells the crystal systems; lattices part at another place.
    if system == "trigonal":
        lattice = "rhombohedral" if centring == "R" else "hexagonal"
    return {
        "spacegroup_symbol": group.hm,
        "crystal_system": system,
        "lattice_system": lattice,
        "bravais_lattice": _FAMILY_LETTERS[lattice] + ("S" if centring in "ABC" else centring),
        "point_group": group.point_group_hm(),
        "is_centrosymmetric": group.is_centrosymmetric(),
        "is_sohncke": group.is_sohncke(),
    }


def _look_up(function, numbers):
    """Property `function` of `numbers`: scalar in, scalar out; array in, array out."""
    table = _tables()[function]
    # One plain number, as loops over files ask: answered without arrays.
    if type(numbers) is int and 1 <= numbers <= 230:
        value = table[numbers]
        return bool(value) if table.dtype == bool else value
    found = table[_checked_numbers(function, numbers)]
    # An array of dimension 0 is a scalar, too.
    if np.ndim(numbers):
        return found
    return bool(found) if table.dtype == bool else found


def _checked_numbers(function, numbers):
    """`numbers` as an integer array, or one sentence on the first that is no space group."""
    raw = np.asarray(numbers)
    if raw.dtype.kind in "iu":
        good = (raw >= 1) & (raw <= 230)
    # A column with missing values holds its numbers as floats.
    elif raw.dtype.kind == "f":
        good = np.isin(raw, np.arange(1, 231))
    elif raw.dtype.kind == "O":
        good = np.reshape([_is_number(value) for value in raw.flat], raw.shape).astype(bool)
    else:
        good = np.zeros(raw.shape, dtype=bool)
    if not good.all():
        raise SpaceGroupError(_complaint(function, raw, good))
    return raw.astype(np.int64)


def _is_number(value):
    """Whether one Python object is an integral number from 1 to 230."""
    # True is 1 to Python, but names no group.
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return False
    return bool(1 <= value <= 230 and value == int(value))


def _complaint(function, raw, good):
    """Say which values are no space-group numbers, and what to do."""
    bad = np.flatnonzero(~good)
    value = raw.flat[bad[0]]
    # A message says 231, not np.int64(231), as numpy 2 would.
    value = value.item() if isinstance(value, np.generic) else value
    what = f"{value!r} is" if not raw.ndim else f"{bad.size} values are"
    where = "" if not raw.ndim else f" (first: row {bad[0]}, {value!r})"
    hint = "Drop or correct these rows" if raw.ndim else "Correct it"
    if isinstance(value, str):
        hint = "Turn symbols into numbers with spacegroup_number first"
    return f"{function}: {what} no space-group number from 1 to 230{where}. {hint}."
