"""The volume of the cell against the volumes of its atoms."""

import numpy as np

from crystalml.io._check._contents import counts_fit, triple_cells
from crystalml.io._check._reference import check_reference

# Numbers of formula units that are tried where Z is unknown, around the best real number.
_CANDIDATES = 16
# ln of the usual volume of the atoms over that of the cell. Sound crystals with more than `MUCH`
# are rare: cubic boron nitride, pyrite and stishovite have 0.476, 0.41 and 0.39.
SOME, MUCH = 0.2, 0.48


def formula_volumes(amounts, reference):
    """Volume of one formula by the sum of its atoms in Å^3; NaN where an atom is unknown.

    Parameters
    ----------
    amounts : scipy.sparse.csr_array of shape (n, 118)
        Atoms of each element.
    reference : CheckReference
        With the volumes of atoms.
    """
    # Atoms need another volume as ions than in a metal.
    is_salt = salts(amounts, reference.is_anion, reference.salt_fraction)
    unknown = np.isnan(reference.volumes)
    sums = amounts @ np.where(unknown, 0.0, reference.volumes).T
    sums[(amounts @ unknown.T) > 0] = np.nan
    found = np.where(is_salt, sums[:, 1], sums[:, 0])
    return np.where(found > 0, found, np.nan)


def smallest_volumes(amounts, reference):
    """Volume below which one formula is crowded, before the limit, in Å^3; NaN where unknown.

    Parameters
    ----------
    amounts : scipy.sparse.csr_array of shape (n, 118)
        Atoms of each element.
    reference : CheckReference
        With the smallest volumes of atoms.
    """
    is_salt = salts(amounts, reference.is_anion, reference.salt_fraction)
    unknown = np.isnan(reference.floors)
    sums = amounts @ np.where(unknown, 0.0, reference.floors).T
    sums[(amounts @ unknown.T) > 0] = np.nan
    found = np.where(is_salt, sums[:, 1], sums[:, 0])
    known, element = _as_element(amounts, reference)
    return np.where(known, np.fmin(found, element), found)


def _as_element(amounts, reference):
    """Tell which formulas are an element with a known densest form, and their volume in that."""
    volumes = amounts @ np.nan_to_num(reference.densest)
    return (np.diff(amounts.indptr) == 1) & (volumes > 0), volumes


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


def check_volume(rows, formula_units, volumes, residuals):
    """Return the deviations by flag, in units of the measured limits."""
    limits = check_reference().limits
    crowding = _crowding(rows, formula_units, volumes)
    too_small = _too_small(rows, crowding, -residuals)
    too_large = np.maximum(residuals / limits["volume_too_large"], 0.0)
    return {
        "volume_too_small": too_small,
        "volume_too_large": too_large,
        "formula_is_cell_content": _is_cell_content(rows, crowding, residuals, too_small),
    }


def _crowding(rows, formula_units, volumes):
    """Return ln of the smallest volumes of the atoms over the volume of the cell."""
    smallest = smallest_volumes(rows.formulas.amounts, check_reference())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(formula_units * smallest / volumes)


def _too_small(rows, crowding, lack):
    """Return by how many limits a volume is too small.

    It is if the atoms lack much of their usual volume, or lack some of it and are closer than all
    but some per cent of the crystals with these elements. Elements alone are compared with
    their densest form.
    """
    is_element, _ = _as_element(rows.formulas.amounts, check_reference())
    lack = np.where(is_element, crowding, lack)
    both = np.minimum(crowding / check_reference().limits["volume_too_small"], lack / SOME)
    return np.maximum(np.maximum(both, lack / MUCH), 0.0)


def _is_cell_content(rows, crowding, residuals, too_small):
    """Tell where the formula, and not Z times the formula, fills the cell."""
    units = rows.formula_units
    with np.errstate(invalid="ignore", divide="ignore"):
        single = np.log(units)
        fits = _too_small(rows, crowding - single, -residuals - single) < 1.0
        fits &= residuals + single < check_reference().limits["volume_too_large"]
        found = (too_small >= 1.0) & (units > 1.0) & fits
    amounts = rows.formulas.amounts
    per_row = np.diff(amounts.indptr)
    shares = amounts.data / np.repeat(np.where(units > 0, units, 1.0), per_row)
    divided = np.ones(len(units), dtype=bool)
    divided[np.repeat(np.arange(len(units)), per_row)[np.abs(shares - np.round(shares)) > 1e-6]] = 0
    return np.where(np.isnan(residuals) | np.isnan(units), np.nan, found & divided)
