"""One space group in one setting, and the table of settings that gemmi brings."""

from functools import cache
from typing import NamedTuple

import gemmi


class SpaceGroupSetting(NamedTuple):
    """A space group in one setting, that is, with its axes and origin chosen.

    Attributes
    ----------
    number : int
        International Tables number, 1-230.
    hm : str
        Hermann-Mauguin symbol of the setting, with spaces, without origin or axes qualifier.
        For a setting that no table lists, the symbol of the group's reference setting.
    hall : str
        Hall symbol, which fixes every symmetry operation; ``""`` for a setting that no table
        lists.
    qualifier : str
        ``"1"`` or ``"2"`` (origin choice), ``"H"`` or ``"R"`` (hexagonal or rhombohedral
        axes), or ``""`` where there is nothing to choose.
    centring : str
        Centring letter of the setting: P, A, B, C, F, I or R; ``""`` when it is none of them.

    Examples
    --------
    >>> from crystalml.crystallography import find_spacegroup
    >>> find_spacegroup("F d -3 m :2")
    SpaceGroupSetting(number=227, hm='F d -3 m', hall='-F 4vw 2vw 3', qualifier='2', centring='F')
    """

    number: int
    hm: str
    hall: str
    qualifier: str
    centring: str


def listed_setting(group: gemmi.SpaceGroup) -> SpaceGroupSetting:
    """Turn a row of gemmi's table into a SpaceGroupSetting."""
    qualifier = group.ext.strip("\0")  # gemmi writes a NUL where there is none
    return SpaceGroupSetting(group.number, group.hm, group.hall, qualifier, group.centring_type())


def unlisted_setting(number: int, centring: str = "") -> SpaceGroupSetting:
    """Describe a setting of group `number` that has no row in the table."""
    return SpaceGroupSetting(number, reference_setting(number).hm, "", "", centring)


@cache
def reference_setting(number: int) -> SpaceGroupSetting:
    """Give the reference setting: unique axis b, origin choice 2, hexagonal axes."""
    return listed_setting(gemmi.get_spacegroup_reference_setting(number))


@cache
def listed_settings() -> tuple[tuple[SpaceGroupSetting, gemmi.SpaceGroup], ...]:
    """All settings of the table with their gemmi rows; of one symbol, the commonest first."""
    # A tuple, since the cache hands the same object to everyone.
    return tuple((listed_setting(group), group) for group in gemmi.spacegroup_table())
