"""Which space group a list of symmetry operations is, in any setting."""

import re
from collections.abc import Iterable
from functools import lru_cache

import gemmi

from crystalml.crystallography._spacegroup_identification import as_arrays, identify
from crystalml.crystallography._spacegroup_rounded import setting_of_rounded_operations
from crystalml.crystallography._spacegroup_settings import (
    SpaceGroupSetting,
    listed_setting,
    unlisted_setting,
)
from crystalml.exceptions import SpaceGroupError

# Some files number their operations inside the text: "1 x,y,z", "(2) -x,-y,-z".
_LEADING_COUNT = re.compile(r"^\(?\d+\)?[\s:]+(?=[-+xyz.\d])")
_LONGEST_KEPT = 16_384  # characters of a list that is remembered
_IDENTITY = gemmi.Op("x,y,z")


def spacegroup_from_operations(operations: Iterable[str]) -> SpaceGroupSetting | None:
    """Find the space group whose symmetry operations are given.

    Parameters
    ----------
    operations : sequence of str
        Coordinate triplets as in CIF, such as ``"-x, y+1/2, -z+1/2"``, in any order, upper or
        lower case, with fractions or decimals. Repeated operations, operations that differ by
        a lattice translation and a missing identity do no harm.

    Returns
    -------
    SpaceGroupSetting or None
        None when a text is no coordinate triplet or when the operations are no group: a list
        with operations missing is not completed. A setting that no table lists (a shifted
        origin, a multiplied cell, unusual axes) has the right number and an empty Hall symbol.

    Raises
    ------
    SpaceGroupError
        If `operations` is one string instead of a sequence of strings.

    Examples
    --------
    >>> from crystalml.crystallography import spacegroup_from_operations
    >>> spacegroup_from_operations(["x,y,z", "-X, 1/2+Y, .5-Z", "-x,-y,-z", "x,1/2-y,1/2+z"])
    SpaceGroupSetting(number=14, hm='P 1 21/c 1', hall='-P 2ybc', qualifier='', centring='P')
    >>> spacegroup_from_operations(["x,y,z", "-y,x,z"]) is None
    True
    """
    if isinstance(operations, str):
        raise SpaceGroupError(
            f"spacegroup_from_operations: operations is the string {operations!r}, must be a "
            "sequence of strings, one for each operation; split it first."
        )
    texts = tuple(operations)
    return (_known if sum(map(len, texts)) <= _LONGEST_KEPT else _from_texts)(texts)


def _from_texts(texts):
    """Look up a tuple of coordinate triplets."""
    if not texts:
        return None
    plain = [_LEADING_COUNT.sub("", text.strip(" \t\r\n'\";,").lower()) for text in texts]
    try:
        return setting_of_operations([_parsed(text) for text in plain])
    except (RuntimeError, ValueError):
        # How gemmi says that a text is no triplet, that a translation is no multiple of 1/24,
        # or that the operations generate no end.
        return setting_of_rounded_operations(plain)


_known = lru_cache(maxsize=4096)(_from_texts)  # most files share few lists


def _parsed(text):
    """Read one triplet, with its translation brought into [0, 1)."""
    if not set(text) <= set("xyz0123456789+-*/., \t"):
        raise ValueError(text)
    operation = gemmi.Op(text).wrap()
    if abs(operation.det_rot()) != operation.DEN**3:
        raise ValueError(text)
    return operation


def setting_of_operations(operations):
    """Find the setting of wrapped gemmi operations, or None where they are no group."""
    distinct = {operation.triplet(): operation for operation in (_IDENTITY, *operations)}
    group = gemmi.GroupOps(list(distinct.values()))
    # gemmi splits the list into centring vectors times representatives and multiplies them
    # out again; neither that nor completion may add anything.
    if len(group) != len(distinct):
        return None
    group.add_missing_elements()
    if len(group) != len(distinct):
        return None
    return setting_of_group(group)


def setting_of_group(group):
    """Find the setting of a complete gemmi GroupOps, or None where it cannot be identified."""
    listed = gemmi.find_spacegroup_by_ops(group)
    if listed:
        return listed_setting(listed)
    number = identify(*as_arrays(group))
    return unlisted_setting(number, group.find_centering().strip("\0")) if number else None
