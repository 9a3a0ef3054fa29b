"""The cell by itself, and against the reported volume."""

import numpy as np

from crystalml.crystallography import cell_volume

# A volume beyond this is wrong, however coarsely the cell is written.
LARGEST_TOLERANCE = 0.01
# Volumes are often computed with coordinates of single precision or truncated, not rounded.
SMALLEST_TOLERANCE = 2e-4
_MOST_DECIMALS = 6


def check_cell(rows):
    """Return the volumes of the cells, and the deviations by flag, in units of the tolerance."""
    computed = cell_volume(rows.cells)
    known = ~np.isnan(rows.cells).any(axis=1)
    impossible = np.where(known, np.isnan(computed), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.abs(np.log(rows.volume / computed))
        excess = deviation / volume_tolerance(rows.cells, rows.volume, rows.volume_su)
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
    others = np.column_stack([cosines[:, j] * cosines[:, k] for j, k in ((1, 2), (0, 2), (0, 1))])
    return sines * (cosines - others) / square[:, None]


def _half_unit(values):
    """Half a unit of the last decimal of the most precise number of each row."""
    half = np.full(len(values), 0.5 * 10.0**-_MOST_DECIMALS)
    for decimals in range(_MOST_DECIMALS - 1, -1, -1):
        written = np.isnan(values) | (np.abs(values - np.round(values, decimals)) < 1e-9)
        half[written.all(axis=1)] = 0.5 * 10.0**-decimals
    return half
