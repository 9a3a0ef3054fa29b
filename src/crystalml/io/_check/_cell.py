"""The cell by itself, against the reported volume, and against its space group."""

import numpy as np

from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    bravais_lattice,
    cell_volume,
    lattice_system,
    metric_symmetry,
)
from crystalml.io._check._input import UNKNOWN_AXIS, declared_setting

# A volume beyond this is wrong, however coarsely the cell is written.
LARGEST_TOLERANCE = 0.01
# Volumes are often computed with coordinates of single precision or truncated, not rounded.
SMALLEST_TOLERANCE = 2e-4
_MOST_DECIMALS = 6

# With s.u., a constraint is broken by more than so many of them; but cells are also transformed
# and rounded, which no s.u. covers.
_SU_FACTOR, _SMALLEST_LENGTH, _SMALLEST_ANGLE = 5.0, 5e-4, 0.02
_EXACT_LENGTH, _EXACT_ANGLE = 1e-6, 1e-6
_OTHERS = ((1, 2), (0, 2), (0, 1))
_CENTRINGS = "PCABIFR"

# What each lattice system must not be, for a group of a lower one.
_HIGHER = {
    "triclinic": ("monoclinic", "rhombohedral", "hexagonal"),
    "monoclinic": ("orthorhombic", "hexagonal"),
    "orthorhombic": ("tetragonal",),
    "tetragonal": ("cubic",),
    "rhombohedral": ("cubic",),
}


def check_cell(rows):
    """Return the volumes of the cells, and the deviations by flag, in units of the tolerance."""
    computed = cell_volume(rows.cells)
    known = ~np.isnan(rows.cells).any(axis=1)
    impossible = np.where(known, np.isnan(computed), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.abs(np.log(rows.volume / computed))
        excess = deviation / volume_tolerance(rows.cells, rows.volume, rows.volume_su)
    # These have no logarithm, and no rounding explains them.
    excess[(rows.volume <= 0) & ~np.isnan(computed)] = np.inf
    return computed, {"impossible_cell": impossible, "volume_contradicts_cell": excess}


def volume_tolerance(cells, volume, volume_su):
    """Relative deviation of a volume that rounding of the written numbers can explain.

    Half a unit of the last digit of each edge, angle and of the volume, all in the worst
    direction, and the s.u. of the volume. Trailing zeros are lost in a table of numbers, so the
    edges of a cell are taken to have the decimals of the most precise one; so are its angles.
    """
    lengths, angles = cells[:, :3], cells[:, 3:]
    length_error = _half_unit(lengths)[:, None] / lengths
    # Symmetry mostly sets these, so that they were not rounded.
    fixed = np.isin(angles, (60.0, 90.0, 120.0))
    half_angle = np.radians(_half_unit(np.where(fixed, np.nan, angles)))[:, None]
    angle_error = np.where(fixed, 0.0, half_angle)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = (_half_unit(volume[:, None]) + np.nan_to_num(volume_su)) / np.abs(volume)
        total = length_error.sum(axis=1) + own
        total += (np.abs(_angle_slopes(angles)) * angle_error).sum(axis=1)
    return np.clip(np.nan_to_num(total), SMALLEST_TOLERANCE, LARGEST_TOLERANCE)


def _angle_slopes(angles):
    """Return the derivative of ln V by each angle in radians."""
    cosines, sines = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    product = cosines.prod(axis=1)
    square = 1.0 - (cosines**2).sum(axis=1) + 2.0 * product
    # From V^2 = (abc)^2 (1 - sum of cos^2 + 2 product of cos).
    others = np.column_stack([cosines[:, j] * cosines[:, k] for j, k in ((1, 2), (0, 2), (0, 1))])
    return sines * (cosines - others) / square[:, None]


def _half_unit(values):
    """Half a unit of the last decimal of the most precise number of each row."""
    half = np.full(len(values), 0.5 * 10.0**-_MOST_DECIMALS)
    for decimals in range(_MOST_DECIMALS - 1, -1, -1):
        written = np.isnan(values) | (np.abs(values - np.round(values, decimals)) < 1e-9)
        half[written.all(axis=1)] = 0.5 * 10.0**-decimals
    return half


def check_symmetry(rows, *, length_tolerance, angle_tolerance):
    """Return the deviations by flag, in units of the tolerance."""
    known = ~np.isnan(rows.number) & ~np.isnan(rows.cells).any(axis=1)
    systems = np.full(len(known), "", dtype=object)
    systems[known] = lattice_system(rows.number[known])
    tolerances = _tolerances(rows, length_tolerance, angle_tolerance)
    fits = _Deviations(rows.cells, *tolerances)
    anyhow, declared = _constraint_deviations(rows, systems, fits)
    # Where the s.u. alone make a constraint broken, the axes are the right ones.
    fits = _Deviations(rows.cells, *_wide_tolerances(rows, length_tolerance, angle_tolerance))
    broken = np.flatnonzero(_constraint_deviations(rows, systems, fits)[0] > 1.0)
    possible = np.zeros(len(known), dtype=bool)
    possible[broken] = _lattice_possible(rows, broken, length_tolerance, angle_tolerance)
    possible |= anyhow <= 1.0
    return {
        "cell_contradicts_spacegroup": np.where(possible, np.where(known, 0.0, np.nan), anyhow),
        "cell_contradicts_setting": np.where(possible, declared, np.where(known, 0.0, np.nan)),
        "metric_exceeds_spacegroup": np.where(known, _exceeds(rows, systems), np.nan),
        "contradictory_spacegroup": _contradictory_sources(rows),
    }


class _Deviations:
    """Deviations of cells from the constraints of lattice systems, in units of the tolerance.

    Each method takes the unique axis where there is one: 0, 1 or 2.
    """

    def __init__(self, cells, length_tolerances, angle_tolerances):
        lengths, angles = cells[:, :3], cells[:, 3:]
        pairs = np.array(_OTHERS)
        self.unequal = np.abs(np.diff(lengths[:, pairs], axis=2)[..., 0]) / length_tolerances
        self.skewed = np.abs(np.diff(angles[:, pairs], axis=2)[..., 0]) / angle_tolerances.max(
            axis=1, keepdims=True
        )
        self.oblique = np.abs(angles - 90.0) / angle_tolerances
        self.not_120 = np.abs(angles - 120.0) / angle_tolerances

    def monoclinic(self, axis):
        return self.oblique[:, _OTHERS[axis]].max(axis=1)

    def orthorhombic(self):
        return self.oblique.max(axis=1)

    def tetragonal(self, axis):
        return np.maximum(self.orthorhombic(), self.unequal[:, axis])

    def hexagonal(self, axis):
        plane = np.maximum(self.not_120[:, axis], self.unequal[:, axis])
        return np.maximum(plane, self.monoclinic(axis))

    def rhombohedral(self):
        return np.maximum(self.unequal.max(axis=1), self.skewed.max(axis=1))

    def cubic(self):
        return np.maximum(self.orthorhombic(), self.unequal.max(axis=1))

    def any_axis(self, name):
        """Smallest deviation from a lattice system over the choices of its unique axis."""
        method = getattr(self, name)
        if name in ("monoclinic", "tetragonal", "hexagonal"):
            return np.minimum.reduce([method(axis) for axis in range(3)])
        return method()


def _wide_tolerances(rows, length_tolerance, angle_tolerance):
    """Tolerances of the differences of edges (n, 3) in Å, and of angles (n, 3) in degrees."""
    means = _mean_edges(rows)
    # A tolerance of 0 leaves room for rounding.
    angle = max(float(angle_tolerance), _EXACT_ANGLE)
    return max(length_tolerance, _EXACT_LENGTH) * means, np.full(means.shape, angle)


def _tolerances(rows, length_tolerance, angle_tolerance):
    """Return the same tolerances, narrowed where s.u. are given."""
    length, angle = _wide_tolerances(rows, length_tolerance, angle_tolerance)
    # One edge with an s.u. shows that they were written; those tied to it have often none.
    has_su = ~np.isnan(rows.cell_sus[:, :3]).all(axis=1, keepdims=True)
    sus = np.nan_to_num(rows.cell_sus)
    by_su = _SU_FACTOR * np.sqrt((sus[:, :3][:, np.array(_OTHERS)] ** 2).sum(axis=2))
    by_su = np.maximum(by_su, _SMALLEST_LENGTH * _mean_edges(rows))
    length = np.where(has_su, np.minimum(by_su, length), length)
    by_su = np.maximum(_SU_FACTOR * sus[:, 3:], _SMALLEST_ANGLE)
    return length, np.where(sus[:, 3:] > 0, np.minimum(by_su, angle), angle)


def _mean_edges(rows):
    """Means of the two edges beside each axis, (n, 3)."""
    return rows.cells[:, :3][:, np.array(_OTHERS)].mean(axis=2)


def _constraint_deviations(rows, systems, fits):
    """Deviations from the constraints of the group on any axes, and on the declared ones."""
    anyhow = np.full(len(systems), np.nan)
    anyhow[systems == "triclinic"] = 0.0
    for name in ("monoclinic", "orthorhombic", "tetragonal", "hexagonal", "cubic"):
        chosen = systems == name
        anyhow[chosen] = fits.any_axis(name)[chosen]
    chosen = systems == "rhombohedral"
    on_hexagonal, on_rhombohedral = fits.any_axis("hexagonal"), fits.rhombohedral()
    anyhow[chosen] = np.minimum(on_hexagonal, on_rhombohedral)[chosen]

    declared = anyhow.copy()
    axes, kinds = _declared_axes(rows)
    for axis in range(3):
        chosen = (systems == "monoclinic") & (axes == axis)
        declared[chosen] = fits.monoclinic(axis)[chosen]
    chosen = systems == "rhombohedral"
    declared[chosen & (kinds == "H")] = on_hexagonal[chosen & (kinds == "H")]
    declared[chosen & (kinds == "R")] = on_rhombohedral[chosen & (kinds == "R")]
    return anyhow, declared


def _declared_axes(rows):
    """Return the unique axis (or UNKNOWN_AXIS) and the kind of axes that the symbols declare."""
    axes = np.full(len(rows.number), UNKNOWN_AXIS)
    kinds = np.full(len(rows.number), "", dtype=object)
    for symbols in (rows.hall_symbols, rows.symbols):  # what people read comes last and wins
        for row, symbol in enumerate(symbols.tolist()):
            found = declared_setting(symbol) if symbol else None
            if found is not None and found[0] == rows.number[row]:
                axes[row], kinds[row] = found[1:]
    return axes, kinds


def _lattice_possible(rows, chosen, length_tolerance, angle_tolerance):
    """Tell for which of the `chosen` rows some centring gives the lattice of the group."""
    if not len(chosen):
        return np.zeros(0, dtype=bool)
    cells = rows.cells[chosen]
    needed = bravais_lattice(rows.number[chosen])
    # The position of each needed lattice among the columns, for all rows at once.
    column = np.searchsorted(sorted(BRAVAIS_LATTICES), needed.astype(str))
    column = np.argsort(BRAVAIS_LATTICES)[column]
    possible = np.zeros(len(chosen), dtype=bool)
    # The declared axes may be wrong, so that their centring is no evidence: any may apply.
    for centring in _CENTRINGS:
        allowed = metric_symmetry(
            cells,
            length_tolerance=length_tolerance,
            angle_tolerance=angle_tolerance,
            centring=centring,
        )
        possible |= allowed[np.arange(len(chosen)), column]
    return possible


def _exceeds(rows, systems):
    """Tell which cells are exactly those of a higher lattice system than the group's.

    An angle that has an s.u. was refined, so its value is a result and no constraint.
    """
    cells = rows.cells.copy()
    cells[:, 3:][rows.cell_sus[:, 3:] > 0] = np.nan
    lengths = _EXACT_LENGTH * cells[:, :3].max(axis=1, keepdims=True)
    exact = _Deviations(cells, lengths, np.full((1, 3), _EXACT_ANGLE))
    exceeds = np.zeros(len(systems), dtype=bool)
    for system, higher in _HIGHER.items():
        too_high = np.logical_or.reduce([exact.any_axis(name) <= 1.0 for name in higher])
        exceeds |= too_high & (systems == system)
    return exceeds


def _contradictory_sources(rows):
    """Compare symbols with the number, and take over what the reader found."""
    checked = np.full(len(rows.number), np.nan)
    for symbols in (rows.hall_symbols, rows.symbols):
        for row, symbol in enumerate(symbols.tolist()):
            found = declared_setting(symbol) if symbol else None
            if found is not None and not np.isnan(rows.number[row]):
                checked[row] = np.fmax(checked[row], found[0] != rows.number[row])
    flagged = ["contradictory_spacegroup" in text.split(";") for text in rows.reader_flags]
    return np.where(flagged, 1.0, checked)
