"""Formula, Z, number of atoms, density and space group against one another."""

from functools import cache

import gemmi
import numpy as np

from crystalml.crystallography import ELEMENTS, spacegroups_of_bravais_lattice
from crystalml.io._check._reference import MOST_ATOMS, reachable_counts

DALTON_PER_CUBIC_ANGSTROM = 1.66053906660  # in g/cm^3; CODATA 2018
_WHOLE = 1e-3  # how far from a whole number a number of formula units may be
_ATOMS_TOLERANCE = 0.02  # relative; formulas and contents are rounded differently
_DENSITY_TOLERANCE = 0.03  # relative
# g/cm^3; osmium, the densest element at ambient pressure, has 22.6 (CRC Handbook).
PLAUSIBLE_DENSITIES = (0.08, 23.0)


def settle_formula_units(rows):
    """Return Z, as reported, else from the number of atoms, else NaN."""
    atoms = rows.formulas.amounts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        implied = np.where(atoms > 0, rows.n_atoms / atoms, np.nan)
    units = np.where(np.isnan(rows.formula_units), implied, rows.formula_units)
    with np.errstate(invalid="ignore"):
        return np.where((units > 0) & np.isfinite(units), units, np.nan)


def density(rows, formula_units, volumes):
    """Density in g/cm^3 of so many formula units in the volume."""
    masses = rows.formulas.amounts @ atomic_masses()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = masses * formula_units / volumes * DALTON_PER_CUBIC_ANGSTROM
    return np.where(rows.formulas.is_valid & ~rows.formulas.has_deuterium, found, np.nan)


def check_contents(rows, formula_units, densities, breaks_constraints):
    """Return the deviations by flag, in units of the tolerance.

    Parameters
    ----------
    rows : CheckInput
        What is checked.
    formula_units, densities : ndarray of shape (n,)
        From `settle_formula_units` and `density`.
    breaks_constraints : ndarray of shape (n,), dtype bool
        Cells on other axes than the space group's, which may be of another size.
    """
    atoms = rows.formulas.amounts.sum(axis=1)
    z, n_atoms = rows.formula_units, rows.n_atoms
    with np.errstate(divide="ignore", invalid="ignore"):
        not_whole = np.where((z > 0) & (np.abs(z - np.round(z)) <= _WHOLE) & (z >= 0.5), 0.0, 1.0)
        against_z = np.abs(np.log(n_atoms / (z * atoms))) / _ATOMS_TOLERANCE
        against_density = np.abs(np.log(rows.density / densities)) / _DENSITY_TOLERANCE
        outside = (densities < PLAUSIBLE_DENSITIES[0]) | (densities > PLAUSIBLE_DENSITIES[1])
    # Where Z is not given, the atoms in the cell must be a whole multiple of the formula.
    implied = np.where(np.isnan(z) & (atoms > 0), n_atoms / np.where(atoms > 0, atoms, 1.0), np.nan)
    with np.errstate(invalid="ignore"):
        not_multiple = np.abs(implied - np.maximum(np.round(implied), 1.0)) / _WHOLE
    # The number of atoms is the sum of rounded occupancies where sites are mixed.
    not_multiple[~rows.is_ordered] *= 0.1
    return {
        "formula_units_not_integer": np.where(np.isnan(z), np.nan, not_whole),
        "contents_contradict_formula": np.fmax(_finite(against_z), _finite(not_multiple)),
        "formula_not_reduced": _common_factors(rows),
        "contents_contradict_spacegroup": _impossible_counts(
            rows, formula_units, breaks_constraints
        ),
        "density_contradicts_contents": _finite(against_density),
        "implausible_density": np.where(np.isnan(densities), np.nan, outside),
    }


def counts_fit(amounts, formula_units, numbers, factors):
    """Tell for which rows every element's atoms are a sum of multiplicities of the group.

    Parameters
    ----------
    amounts : scipy.sparse.csr_array of shape (n, 118)
        Whole amounts; every row has some.
    formula_units, numbers, factors : ndarray of shape (n,) of int
        Z, space-group numbers, and cell size of the group's tabulated axes over the actual one.
    """
    per_row = np.diff(amounts.indptr)
    counts = np.rint(amounts.data).astype(np.int64) * np.repeat(formula_units * factors, per_row)
    # The last column only keeps the index inside: beyond the table every count is reached.
    fits = reachable_counts()[np.repeat(numbers, per_row), np.minimum(counts, MOST_ATOMS)]
    fits |= counts > MOST_ATOMS
    # Safe as every row has some entry: reduceat gives the next row's value for an empty one.
    return np.logical_and.reduceat(fits, amounts.indptr[:-1])


def triple_cells(rows):
    """Return 3 for rhombohedral axes, as the tables are for hexagonal ones, else 1."""
    # gamma is 120 degrees on hexagonal axes, and smaller on rhombohedral ones.
    on_rhombohedral = np.abs(rows.cells[:, 5] - 120.0) > 1.0
    is_rhombohedral = np.isin(rows.number, spacegroups_of_bravais_lattice("hR"))
    return np.where(on_rhombohedral & is_rhombohedral, 3, 1)


def _common_factors(rows):
    """Tell which formulas have a common factor, where Z would otherwise follow from the atoms."""
    open_z = np.isnan(rows.formula_units) & ~np.isnan(rows.n_atoms)
    chosen = np.flatnonzero(open_z & rows.formulas.is_valid & rows.is_ordered)
    found = np.full(len(open_z), np.nan)
    if len(chosen):
        amounts = rows.formulas.amounts[chosen]
        whole = np.rint(amounts.data).astype(np.int64)
        found[chosen] = np.gcd.reduceat(whole, amounts.indptr[:-1]) > 1
    return found


def _impossible_counts(rows, formula_units, breaks_constraints):
    with np.errstate(invalid="ignore"):
        whole = np.abs(formula_units - np.round(formula_units)) <= _WHOLE
        checked = whole & (formula_units >= 1.0 - _WHOLE) & ~breaks_constraints
    checked &= rows.is_fully_occupied & rows.formulas.is_valid & ~np.isnan(rows.number)
    found = np.full(len(checked), np.nan)
    chosen = np.flatnonzero(checked)
    if len(chosen):
        found[chosen] = ~counts_fit(
            rows.formulas.amounts[chosen],
            np.rint(formula_units[chosen]).astype(np.int64),
            rows.number[chosen].astype(np.int64),
            triple_cells(rows)[chosen],
        )
    return found


@cache
def atomic_masses():
    """Return the standard atomic masses in dalton, as gemmi tabulates them, shape (118,)."""
    return np.array([gemmi.Element(symbol).weight for symbol in ELEMENTS])


def _finite(deviation):
    """Cap deviations: where one side is zero the logarithm is infinite."""
    return np.minimum(deviation, 1e9)
