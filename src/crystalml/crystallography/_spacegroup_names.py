"""Every Hermann-Mauguin spelling of every space group, derived from the listed settings.

A key is a symbol without spaces and underscores, in lower case. Full symbols, the glide letter
e, symbols of cubic groups without the bar, abbreviated monoclinic symbols and the symbols of
multiplied cells follow from the listed symbol and its operations; a key that two space groups
could claim with equal right is left out.
"""

import re
from functools import cache
from itertools import product
from typing import NamedTuple

import gemmi

from crystalml.crystallography._spacegroup_settings import listed_settings, unlisted_setting

# Where two groups could claim a key, the lower rank has the better right to it.
_LISTED, _DERIVED, _ABBREVIATED = 0, 10, 20
_MULTIPLIED, _ABBREVIATED_MULTIPLIED, _MISPRINTED = 30, 40, 50
_AXIS_RANK = {1: 0, 2: 1, 0: 2}  # place of the unique axis: b, c, a

_AXES = "abc"

# Centrings of a monoclinic cell that is not multiplied, by the place of the unique axis.
_MONOCLINIC_CENTRINGS = {0: "PBCI", 1: "PACI", 2: "PABI"}
# Elements of the monoclinic groups on doubled cells (centred in the plane of the two oblique
# axes) and on face-centred cells; "*" stands for a glide along an oblique axis or d.
_DOUBLED = {3: "2", 4: "21", 6: "m", 7: "*", 10: "2/m", 11: "21/m", 13: "2/*", 14: "21/*"}
_FACE_CENTRED = {5: "2", 8: "m", 9: "d", 12: "2/m", 15: "2/d"}


class Claim(NamedTuple):
    """What a key stands for: its spaced spellings, and its settings, the commonest first."""

    spellings: frozenset
    settings: tuple


def compact(symbol):
    """Spell a symbol without spaces and underscores, in lower case."""
    return re.sub(r"[\s_]+", "", symbol).lower()


@cache
def claims_by_key():
    """Map each unambiguous key to the one space group with the best right to it."""
    ranked = {}
    for rank, name, setting in (*_listed_names(), *_unlisted_names()):
        ranked.setdefault(compact(name), []).append((rank, name.lower(), setting))
    claims = {}
    for key, claimants in ranked.items():
        best = min(rank for rank, _, _ in claimants)
        winners = [claimant for claimant in claimants if claimant[0] == best]
        if len({setting.number for _, _, setting in winners}) == 1:
            spellings = frozenset(name for _, name, _ in winners)
            settings = tuple(dict.fromkeys(setting for _, _, setting in winners))
            claims[key] = Claim(spellings, settings)
    return claims


def _listed_names():
    """Yield rank, symbol and setting for all spellings of the listed settings."""
    for setting, group in listed_settings():
        yield _LISTED, setting.hm, setting
        lattice, *elements = setting.hm.split()
        crystal_class = group.point_group_hm()
        if crystal_class in ("2", "m", "2/m"):
            short = " ".join((lattice, *[e for e in elements if e != "1"]))
            yield _abbreviation(lattice, elements), short, setting
        for tokens in _derived(lattice, elements, crystal_class, group):
            yield _DERIVED, " ".join((lattice, *tokens)), setting
        if lattice == "R" and setting.qualifier == "H":
            # The Protein Data Bank and CCP4 write H for hexagonal axes of rhombohedral groups.
            yield _DERIVED, setting.hm.replace("R", "H"), setting


def _abbreviation(lattice, elements):
    """Rank of an abbreviated monoclinic symbol: usual cells first, unique axis b before c, a."""
    place = next(i for i, element in enumerate(elements) if element != "1")
    usual = lattice in _MONOCLINIC_CENTRINGS[place]
    return (_ABBREVIATED if usual else _ABBREVIATED_MULTIPLIED) + _AXIS_RANK[place]


def _derived(lattice, elements, crystal_class, group):
    """Yield the elements of full and otherwise equivalent symbols of one listed setting."""
    if crystal_class in ("mm2", "mmm"):
        yield from _derived_orthorhombic(lattice, elements, crystal_class, _axial_elements(group))
    elif crystal_class == "4/mmm":
        primary, secondary, tertiary = elements
        for full in _axis_over_plane(_axial_elements(group).twofold[0], secondary):
            yield primary, full, f"2/{tertiary}"
            yield primary, full, tertiary
    elif crystal_class in ("-3m", "6/mmm"):
        yield [f"2/{e}" if e[0] in "mc" else e for e in elements]
    elif crystal_class in ("m-3", "m-3m"):
        yield from _derived_cubic(elements, crystal_class, _axial_elements(group))


def _derived_orthorhombic(lattice, elements, crystal_class, axial):
    """Yield the symbols with e or the other letter for a double glide, and the full ones."""
    short = list(product(*_double_glides(lattice, elements, axial.glides)))
    yield from short
    if crystal_class == "mmm":
        for tokens in short:
            yield from product(*map(_axis_over_plane, axial.twofold, tokens))


def _derived_cubic(elements, crystal_class, axial):
    """Yield the full symbols, and the symbols that older editions spell with 3 for -3."""
    axes = axial.twofold[2] if crystal_class == "m-3" else axial.fourfold
    for threefold in ("-3", "3"):
        yield elements[0], threefold, *elements[2:]
        for primary in _axis_over_plane(axes, elements[0]):
            yield primary, threefold, *[f"2/{element}" for element in elements[2:]]


def _axis_over_plane(axes, plane):
    """Full elements for a plane that is perpendicular to some axes."""
    return [f"{axis}/{plane}" for axis in sorted(axes)]


def _double_glides(lattice, elements, glides):
    """For each element, the letters that mean the same: of a double glide plane, all three."""
    choices = []
    for axis, element, found in zip(_AXES, elements, glides, strict=True):
        pair = _AXES.replace(axis, "")
        double = lattice in "ABC" and element in pair and set(pair) <= found
        choices.append([*pair, "e"] if double else [element])
    return choices


class _AxialElements(NamedTuple):
    """Symmetry elements along the cell axes a, b and c."""

    twofold: list
    glides: list
    fourfold: set


def _axial_elements(group):
    """Collect 2 and 21, axial glides a, b, c, and (along c) 4 to 43 of a listed setting."""
    axial = _AxialElements([set(), set(), set()], [set(), set(), set()], set())
    for operation in group.operations():
        kind, place = _kinds_of_rotation().get(str(operation.rot), (None, None))
        shift = [t % operation.DEN * 4 // operation.DEN for t in operation.tran]
        if kind == "twofold":
            axial.twofold[place].add("21" if shift[place] else "2")
        elif kind == "fourfold":
            axial.fourfold.add(("4", "41", "42", "43")[shift[place]])
        elif kind == "plane":
            along = [i for i in range(3) if i != place and shift[i]]
            if len(along) == 1 and shift[along[0]] == 2:
                axial.glides[place].add(_AXES[along[0]])
    return axial


@cache
def _kinds_of_rotation():
    """Map the rotations of gemmi operations to the axial element they belong to."""
    unit = gemmi.Op.DEN
    kinds = {str([[0, -unit, 0], [unit, 0, 0], [0, 0, unit]]): ("fourfold", 2)}
    for place in range(3):
        signs = [unit if i == place else -unit for i in range(3)]
        for kind, factor in (("twofold", 1), ("plane", -1)):
            rows = [[factor * signs[i] if i == j else 0 for j in range(3)] for i in range(3)]
            kinds[str(rows)] = (kind, place)
    return kinds


def _unlisted_names():
    """Yield rank, symbol and setting for cells of twice or more the usual volume."""
    yield from _multiplied_tetragonal()
    for place, axis in enumerate(_AXES):
        oblique = _AXES.replace(axis, "")
        for number, element in _DOUBLED.items():
            for glide in (*oblique, "d") if "*" in element else ("",):
                yield from _monoclinic(number, axis.upper(), place, element.replace("*", glide))
        for number, element in _FACE_CENTRED.items():
            yield from _monoclinic(number, "F", place, element)
        # 21/d on a one-face-centred cell is the doubled cell of group 14 whichever face and
        # axis are named; "B 1 1 21/d", for one, is printed where "B 1 21/d 1" is meant.
        for lattice in "ABC":
            for _, name, setting in _monoclinic(14, lattice, place, "21/d"):
                yield _MISPRINTED, name, setting


def _monoclinic(number, lattice, place, element):
    """Yield the complete and the abbreviated symbol of one unlisted monoclinic setting."""
    elements = ["1", "1", "1"]
    elements[place] = element
    setting = unlisted_setting(number, lattice)
    yield _MULTIPLIED, " ".join((lattice, *elements)), setting
    yield _ABBREVIATED_MULTIPLIED + _AXIS_RANK[place], f"{lattice} {element}", setting


def _multiplied_tetragonal():
    """Yield C and F cells turned by 45 degrees: secondary and tertiary directions change places.

    The rule reproduces International Tables vol. A, table 4.3.2.1 (5th edition, 2005).
    """
    for setting, _ in listed_settings():
        lattice, primary, *others = setting.hm.split()
        if not 75 <= setting.number <= 142 or lattice not in "PI":
            continue
        new_lattice = {"P": "C", "I": "F"}[lattice]
        axis, slash, plane = primary.partition("/")
        planes = {"n": ("a", "b", "e"), "a": ("d",)}.get(plane, (plane,))
        for new_plane in planes:
            name = " ".join((new_lattice, axis + slash + new_plane, *reversed(others)))
            yield _MULTIPLIED, name, unlisted_setting(setting.number, new_lattice)
