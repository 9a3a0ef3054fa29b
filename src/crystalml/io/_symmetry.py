"""Reconcile what a file says about its space group, in up to four places.

The order is operations, Hall symbol, Hermann-Mauguin symbol, number: each says more than
the next. The first that names a space group decides; the others are compared with it, and
every contradiction is flagged. Nothing is guessed: where no source can be understood the
space group is missing.

One rule departs from the order. Many deposits list ``x,y,z`` alone as operations, beside a
symbol of higher symmetry: the list was left incomplete, it does not say P 1. Such a list
counts only where every other source says P 1 too, or where there is no other source; it is
flagged unless another source confirms it.
"""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import gemmi

from crystalml.crystallography import find_spacegroup
from crystalml.io._remember import LONGEST_KEY

N_SPACEGROUPS = 230


class Symmetry(NamedTuple):
    """The outcome: number and its source (None: unknown), and what was noticed."""

    number: int | None
    source: str | None
    multiplicity: float  # general positions in the cell; NaN: unknown
    is_hexagonal_r: bool  # rhombohedral lattice, taken in hexagonal axes by its symbol only
    flags: tuple


def reconcile(operations, hall, hermann_mauguin, number):
    """Decide the space group from an Operations object, two symbols and a number, or None."""
    # Only short ones are remembered, as a hostile file may bring symbols of any length.
    is_short = len(hall or "") + len(hermann_mauguin or "") <= LONGEST_KEY
    return (_known if is_short else _reconciled)(operations, hall, hermann_mauguin, number)


def _reconciled(operations, hall, hermann_mauguin, number):
    flags = []
    sources = []  # (source, setting), best first
    identity_only = operations is not None and operations.identity_only
    if operations is not None and not identity_only:
        _look_up(sources, flags, "operations", operations.setting, "unknown_operations")
    if hall is not None:
        # A bare number is no Hall symbol, and has no business before the other sources.
        setting = None if hall.isdecimal() else find_spacegroup(hall, notation="hall")
        _look_up(sources, flags, "Hall", setting, "unknown_hall")
    if hermann_mauguin is not None:
        setting = find_spacegroup(hermann_mauguin, notation="hermann-mauguin")
        _look_up(sources, flags, "Hermann-Mauguin", setting, "unknown_hermann_mauguin")
    if number is not None:
        known = 1 <= number <= N_SPACEGROUPS
        _look_up(sources, flags, "number", _number_setting(number) if known else None,
                 "unknown_number")  # fmt: skip
    if identity_only:
        # The rule of the module's first lines: x,y,z alone counts only if nothing contradicts it.
        if sources and all(setting.number == 1 for _, setting in sources):
            sources.insert(0, ("operations", operations.setting))
        else:
            flags.append("identity_operations_only")
            sources = sources or [("operations", operations.setting)]
    count = operations.count if operations is not None else None
    return _decide(sources, flags, count)


_known = lru_cache(maxsize=65536)(_reconciled)


def _look_up(sources, flags, source, setting, unknown_flag):
    """Add a source that names a space group; flag one that does not."""
    if setting is None:
        flags.append(unknown_flag)
    else:
        sources.append((source, setting))


def _decide(sources, flags, operation_count):
    """Take the best source, and compare the others with it."""
    if not sources:
        return Symmetry(None, None, float("nan"), False, (*flags, "missing_spacegroup"))
    source, best = sources[0]
    if any(setting.number != best.number for _, setting in sources):
        flags.append("contradictory_spacegroup")
    # The number says nothing of axes, and unlisted settings have no symbol to compare.
    symbols = {s.hm for name, s in sources if name != "number" and s.hall in _listed_halls()}
    if "contradictory_spacegroup" not in flags and not _can_mean_same_axes(frozenset(symbols)):
        flags.append("contradictory_setting")
    if best.hall not in _listed_halls():
        flags.append("unlisted_setting")
    # These two leave the axes of R groups open; operations and Hall symbols fix them.
    is_guessed_axes = source in ("Hermann-Mauguin", "number") and best.qualifier == "H"
    # The list itself: in a primitive or multiplied cell it differs from that of the standard one.
    multiplicity = operation_count if source == "operations" else _multiplicity(best)
    return Symmetry(best.number, source, float(multiplicity), is_guessed_axes, tuple(flags))


@lru_cache(maxsize=8192)
def _can_mean_same_axes(symbols):
    """Tell whether tabulated settings with these symbols have the same operations.

    A few have: C c c a and C c c b of space group 68 differ in name only.
    """
    if len(symbols) <= 1:
        return True
    meanings = [
        {frozenset(op.triplet() for op in row.operations())
         for row in gemmi.spacegroup_table() if row.hm == symbol}
        for symbol in symbols
    ]  # fmt: skip
    return bool(frozenset.intersection(*map(frozenset, meanings)))


@cache
def _listed_halls():
    """Hall symbols of the settings that the tables list."""
    return frozenset(row.hall for row in gemmi.spacegroup_table())


@lru_cache(maxsize=N_SPACEGROUPS)
def _number_setting(number):
    return find_spacegroup(gemmi.find_spacegroup_by_number(number).xhm())


@lru_cache(maxsize=1024)
def _multiplicity(setting):
    """General positions in the cell of a setting; NaN where its operations are not known."""
    return len(gemmi.symops_from_hall(setting.hall)) if setting.hall else float("nan")


def operations_of_symbol(source, *, hall, hermann_mauguin, number, gamma):
    """Operations by the symbol or number that decided on the space group, as a list of gemmi.Op.

    Where the symbol leaves the axes of a rhombohedral lattice open, the angle `gamma` of the cell
    tells them.
    """
    setting: Any  # never None: the group was found by the same symbol
    if source == "Hall":
        return _operations_of_hall(find_spacegroup(hall, notation="hall").hall)  # type: ignore[union-attr]
    reference = gemmi.get_spacegroup_reference_setting(number)
    setting = find_spacegroup(hermann_mauguin if source == "Hermann-Mauguin" else reference.xhm())
    if setting.qualifier == "H" and abs(gamma - 120.0) > 1.0:
        setting = find_spacegroup(f"{setting.hm}:R")  # the cell is the rhombohedral one
    return _operations_of_hall(setting.hall)


def operations_of_list(operations):
    """Operations of an Operations object, as a list of gemmi.Op; None if gemmi cannot read them."""
    if operations.setting is not None and operations.setting.hall:
        return _operations_of_hall(operations.setting.hall)
    try:
        return [gemmi.Op(text) for text in operations.texts]
    except (RuntimeError, ValueError):
        return None


@lru_cache(maxsize=1024)
def _operations_of_hall(hall):
    return list(gemmi.symops_from_hall(hall))
