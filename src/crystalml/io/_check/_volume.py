"""The volume of the cell against the volumes of its atoms."""

import numpy as np

from crystalml.io._check._contents import counts_fit, triple_cells
from crystalml.io._check._reference import check_reference

# Numbers of formula units that are tried where Z is unknown, around the best real number.
_CANDIDATES = 16


def formula_volumes(amounts, reference):
    """Volume of one formula by the sum of its atoms in Å^3; NaN where an atom is unknown.

    Parameters
    ----------
    amounts : scipy.sparse.csr_array of shape (n, 118)
        Atoms of each element.
    reference : CheckReference
        With the volumes of atoms.
    """
    is_salt = salts(amounts, reference.is_anion, reference.salt_fraction)
    unknown = np.isnan(reference.volumes)
    sums = amounts @ np.where(unknown, 0.0, reference.volumes).T
    sums[(amounts @ unknown.T) > 0] = np.nan
    found = np.where(is_salt, sums[:, 1], sums[:, 0])
    return np.where(found > 0, found, np.nan)


def salts(amounts, is_anion, fraction):
    """Tell which formulas have that share of non-metal atoms that make salts."""
    totals = amounts.sum(axis=1)
    return (amounts @ is_anion.astype(float)) >= fraction * np.where(totals > 0, totals, np.inf)


def best_formula_units(rows, volumes):
    """Z that brings the volume closest to the sum of its atoms and fits the space group."""
    single = formula_volumes(rows.formulas.amounts, check_reference())
    with np.errstate(invalid="ignore", divide="ignore"):
        real = volumes / single
    chosen = np.flatnonzero(np.isfinite(real) & (real > 0))
    best = np.full(len(real), np.nan)
    if not len(chosen):
        return best
    start = np.maximum(np.floor(real[chosen]).astype(np.int64) - _CANDIDATES // 2 + 1, 1)
    candidates = start[:, None] + np.arange(_CANDIDATES)
    distance = np.abs(np.log(candidates / real[chosen, None]))
    closest = candidates[np.arange(len(chosen)), distance.argmin(axis=1)]
    restricted = rows.is_ordered[chosen] & ~np.isnan(rows.number[chosen])
    distance[restricted] += _penalties(rows, chosen[restricted], candidates[restricted])
    found = candidates[np.arange(len(chosen)), distance.argmin(axis=1)]
    # No candidate fits the group: then the volume alone has to say.
    best[chosen] = np.where(np.isfinite(distance.min(axis=1)), found, closest)
    return best


def _penalties(rows, chosen, candidates):
    """Infinity where a candidate does not fit the space group, else 0."""
    penalties = np.zeros(candidates.shape)
    if not len(chosen):
        return penalties
    amounts, factors = rows.formulas.amounts[chosen], triple_cells(rows)[chosen]
    numbers = rows.number[chosen].astype(np.int64)
    for column in range(candidates.shape[1]):
        fits = counts_fit(amounts, candidates[:, column], numbers, factors)
        penalties[~fits, column] = np.inf
    return penalties


def volume_residuals(rows, formula_units, volumes):
    """Return ln of the volume of the cell over the sum of the volumes of its atoms."""
    single = formula_volumes(rows.formulas.amounts, check_reference())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(volumes / (formula_units * single))


def check_volume(rows, residuals):
    """Return the deviations by flag, in units of the measured limits."""
    limits = check_reference().limits
    too_small = np.maximum(-residuals / limits["volume_too_small"], 0.0)
    too_large = np.maximum(residuals / limits["volume_too_large"], 0.0)
    return {
        "volume_too_small": too_small,
        "volume_too_large": too_large,
        "formula_is_cell_content": _is_cell_content(rows, residuals, too_small, limits),
    }


def _is_cell_content(rows, residuals, too_small, limits):
    """Tell where the formula, and not Z times the formula, fills the cell."""
    units = rows.formula_units
    with np.errstate(invalid="ignore", divide="ignore"):
        single = residuals + np.log(units)
        fits = (single > -limits["volume_too_small"]) & (single < limits["volume_too_large"])
        found = (too_small >= 1.0) & (units > 1.0) & fits
    amounts = rows.formulas.amounts
    per_row = np.diff(amounts.indptr)
    shares = amounts.data / np.repeat(np.where(units > 0, units, 1.0), per_row)
    divided = np.ones(len(units), dtype=bool)
    divided[np.repeat(np.arange(len(units)), per_row)[np.abs(shares - np.round(shares)) > 1e-6]] = 0
    return np.where(np.isnan(residuals) | np.isnan(units), np.nan, found & divided)
