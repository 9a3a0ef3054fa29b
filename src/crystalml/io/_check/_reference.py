"""What sound crystals look like: the figures that `check_table` compares with.

They were measured by ``tools/build_check_reference.py``, which says how, and lie beside this
module as JSON.
"""

import json
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from crystalml.crystallography import ELEMENTS
from crystalml.crystallography._wyckoff import IMPOSSIBLE, fewest_positions

# Atoms of one element in a cell up to which sums of multiplicities are tabulated; above, every
# multiple of the smallest free multiplicity and more can be reached.
MOST_ATOMS = 1023


class CheckReference(NamedTuple):
    """Atomic volumes, limits, and how often each flag is raised where nothing was tampered with."""

    volumes: np.ndarray
    """Volume of an atom in Å^3, shape (2, 118): in alloys and in salts; NaN where unknown."""
    floors: np.ndarray
    """Smallest volume of an atom in Å^3, shape (2, 118), in the same way: their sum is exceeded by
    all but some per cent of the crystals. Small where an atom can be packed in many ways, as
    carbon, silicon and hydrogen can, and near the volume for most metals."""
    densest: np.ndarray
    """Volume per atom in Å^3 of the densest known forms of the elements, shape (118,)."""
    is_anion: np.ndarray
    """Which elements make a salt, shape (118,), bool."""
    salt_fraction: float
    """Share of such atoms from which on a compound counts as salt."""
    limits: dict
    """Flag -> deviation from which on it is raised, for the flags whose limits were measured."""
    rates: dict
    """Flag -> share of the reference rows that have it."""
    tails: dict
    """Flag -> exponent with which the share of rows falls with the deviation."""
    multiplicities: dict
    """Space-group number -> multiplicities of the fixed positions, and of those with freedom."""


@cache
def check_reference():
    """Read the reference once."""
    path = resources.files("crystalml.io") / "data" / "check_reference.json"
    return read_reference(json.loads(path.read_text(encoding="utf-8")))


def read_reference(content):
    """Bring the content of the file into the form for look-ups."""
    return CheckReference(
        np.array([_by_element(content["volumes"][kind]) for kind in ("alloy", "salt")]),
        np.array([_by_element(content["floors"][kind]) for kind in ("alloy", "salt")]),
        np.array(_by_element(content["densest"])),
        np.isin(ELEMENTS, content["anions"]),
        content["salt_fraction"],
        content["limits"],
        content["rates"],
        content["tails"],
        {int(number): both for number, both in content["multiplicities"].items()},
    )


@cache
def reachable_counts():
    """Tell which numbers of atoms of one element fit a cell of each group, (231, 1024) bool."""
    # Row 0 is no group: numbers are their own index.
    table = np.ones((231, MOST_ATOMS + 1), dtype=bool)
    for number, (fixed, free) in check_reference().multiplicities.items():
        needed = fewest_positions(fixed, free, MOST_ATOMS, free_count=0)
        table[number] = needed != IMPOSSIBLE
    return table


def _by_element(volumes):
    return [volumes.get(symbol, np.nan) for symbol in ELEMENTS]
