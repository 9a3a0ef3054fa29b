"""Cells that no crystal of their composition has, and the mistake that would explain each."""

from enum import IntEnum

import numpy as np

from crystalml.crystallography import cell_volume
from crystalml.io._check._reference import check_reference
from crystalml.io._check._volume import salts

# The volume of the cell over the volume of the atoms of one reduced formula. In 78,218 published
# entries (inorganic, organic, minerals) it lies between 0.35 and 770, but for 12 whose formulas
# are wrong (NiCl12). Wrong units change it by 10^3 and more.
_SMALLEST_RATIO, _LARGEST_RATIO = 0.35, 2e4
# The same for the formula as it is written. It may be the content of a conventional cell beside a
# primitive cell, a quarter of that.
_SMALLEST_WRITTEN_RATIO = 0.15
# What a cell must come to before a unit is named as the likely one.
_USUAL_RATIOS = (0.1, 100.0)
# The same for volumes in Å^3, where the composition is unknown: published ones have 13 to 80,000.
_SMALLEST_VOLUME, _LARGEST_VOLUME = 8.0, 5e6
# For an element without a measured volume.
_TYPICAL_ATOM = 20.0
# Of published cells the largest angle is at least 19 degrees, and angles below 60 degrees belong
# to rhombohedral cells with edges below 45 Å.
_LARGEST_RADIAN = 3.1416
_SHARPEST, _SHORTEST_ANGLE, _WIDEST_ANGLE = 60.0, 45.0, 135.0
_WHOLE = 1e-6


class Doubt(IntEnum):
    """What is probably wrong with a cell."""

    NONE = 0
    NANOMETRES = 1
    PICOMETRES = 2
    RADIANS = 3
    EXCHANGED = 4
    TOO_SMALL = 5
    TOO_LARGE = 6


_REMEDIES = {
    Doubt.NANOMETRES: "Lengths in nm would fit: give them in Å, multiplied by 10",
    Doubt.PICOMETRES: "Lengths in pm would fit: give them in Å, divided by 100",
    Doubt.RADIANS: "The angles seem to be in radians: give them in degrees",
    Doubt.EXCHANGED: "Lengths and angles seem to be exchanged: a, b, c are in Å, "
    "alpha, beta, gamma in degrees",
    Doubt.TOO_SMALL: "The formula does not fit into the cell once: check cell, unit and formula",
    Doubt.TOO_LARGE: "The cell is too large for any crystal: check cell, unit and formula",
}


def doubts_about_cells(cells, amounts=None):
    """Tell which cells are implausible, and which mistake would explain that.

    Parameters
    ----------
    cells : ndarray of shape (n, 6)
        Possible cells, as they were given, in Å and degrees.
    amounts : scipy.sparse.csr_array of shape (n, 118), default=None
        Atoms of each element in the formula, at any scale; None where nothing is known of them.

    Returns
    -------
    ndarray of int of shape (n,)
        A `Doubt` for each row.
    """
    ratios = cell_volume(cells)
    if amounts is None:
        is_small, is_large = ratios < _SMALLEST_VOLUME, ratios > _LARGEST_VOLUME
        usual = (_SMALLEST_VOLUME, _LARGEST_VOLUME)
    else:
        written = _formula_volumes(amounts)
        ratios = ratios * _common_divisors(amounts) / written
        is_small = (ratios < _SMALLEST_RATIO) | (
            cell_volume(cells) / written < _SMALLEST_WRITTEN_RATIO
        )
        is_large, usual = ratios > _LARGEST_RATIO, _USUAL_RATIOS
    found = np.full(len(cells), Doubt.NONE, dtype=np.int64)
    # Of two doubts about a cell, the later one stands.
    found[is_small] = Doubt.TOO_SMALL
    found[is_large] = Doubt.TOO_LARGE
    for doubt, is_so, factor in (
        (Doubt.NANOMETRES, is_small, 1e3),
        (Doubt.PICOMETRES, is_large, 1e-6),
    ):
        found[is_so & (ratios * factor > usual[0]) & (ratios * factor < usual[1])] = doubt
    found[_are_exchanged(cells)] = Doubt.EXCHANGED
    found[(cells[:, 3:] <= _LARGEST_RADIAN).all(axis=1)] = Doubt.RADIANS
    return found


def complaint_about_cells(doubts, cells, amounts, names, formulas):
    """Say in one or two sentences what `doubts_about_cells` found, None if that is nothing.

    Parameters
    ----------
    doubts : ndarray of shape (n,)
        What was found.
    cells, amounts : ndarray of shape (n, 6), csr_array of shape (n, 118) or None
        What it was found in.
    names, formulas : sequence of length n
        How to call each row, and its formula; None without formulas.
    """
    rows = np.flatnonzero(doubts)
    if not len(rows):
        return None
    first = rows[0]
    if doubts[first] in (Doubt.RADIANS, Doubt.EXCHANGED):
        what = " ".join(f"{value:.5g}" for value in cells[first])
    else:
        what = f"{cell_volume(cells[first]):.3g} Å^3"
        if amounts is not None:
            volume = float(_formula_volumes(amounts[[first]])[0])
            what += f" for {_shortened(formulas[first])}, whose atoms take about {volume:.0f} Å^3"
    kinds, counts = np.unique(doubts[rows], return_counts=True)
    remedies = [
        _REMEDIES[Doubt(kind)] + (f" ({count} of them)" if len(kinds) > 1 else "")
        for kind, count in sorted(zip(kinds, counts, strict=True), key=lambda pair: -pair[1])
    ]
    return (
        f"{len(rows)} of {len(doubts)} cells cannot be right (first: {names[first]}, {what}). "
        f"{'. '.join(remedies)}."
    )


def exchange_hint(cells):
    """Return a sentence if the first of these impossible cells has lengths like angles, else ""."""
    exchanged = len(cells) > 0 and bool(_are_exchanged(np.asarray(cells[:1], dtype=float))[0])
    return f"{_REMEDIES[Doubt.EXCHANGED]}." if exchanged else ""


def _formula_volumes(amounts):
    """Return the volume of the atoms of each formula as written in Å^3, NaN without atoms."""
    reference = check_reference()
    atoms = np.nan_to_num(reference.volumes, nan=_TYPICAL_ATOM)
    is_salt = salts(amounts, reference.is_anion, reference.salt_fraction)
    volumes = np.where(is_salt, amounts @ atoms[1], amounts @ atoms[0])
    return np.where(volumes > 0, volumes, np.nan)


def _are_exchanged(cells):
    """Tell which cells have lengths like angles, and angles like lengths."""
    lengths, angles = cells[:, :3], cells[:, 3:]
    like_angles = (lengths > _SHORTEST_ANGLE) & (lengths < _WIDEST_ANGLE)
    sharp = (angles < _SHARPEST).all(axis=1) & like_angles.all(axis=1)
    # Long edges are no sharp angles, but two lengths of 90 are no chance.
    return sharp | ((_are_right(lengths).sum(axis=1) >= 2) & ~_are_right(angles).any(axis=1))


def _are_right(values):
    """Tell which numbers are the angles that symmetry fixes."""
    return (np.abs(values - 90.0) < _WHOLE) | (np.abs(values - 120.0) < _WHOLE)


def _common_divisors(amounts):
    """Return the greatest common divisor of each row of amounts, one where they are not whole."""
    divisors = np.ones(amounts.shape[0])
    filled = np.flatnonzero(np.diff(amounts.indptr))
    if not len(filled):
        return divisors
    starts = amounts.indptr[filled]
    whole = np.rint(amounts.data)
    is_whole = np.logical_and.reduceat(np.abs(amounts.data - whole) < _WHOLE, starts)
    # Amounts beyond 64 bits are no formula; 1 keeps them from overflowing.
    common = np.gcd.reduceat(np.clip(whole, 0, 2**53).astype(np.int64), starts)
    divisors[filled] = np.where(is_whole & (common > 0), common, 1)
    return divisors


def _shortened(formula, most=40):
    """Write a formula, the beginning of a long one."""
    text = " ".join(str(formula).split())
    return text if len(text) <= most else text[: most - 3] + "..."
