"""What a pair of a new entry and a known one says about their space groups being the same."""

from typing import NamedTuple

import numpy as np

from crystalml.known_crystals._descriptions import SMALLEST_DIFFERENCE
from crystalml.known_crystals._neighbours import (
    ATOMS_SCALE,
    BY_CONTENTS,
    BY_LATTICE,
    LATTICE_SCALE,
    PROFILE_SCALE,
    SHAPE_SCALE,
    UNITS_SCALE,
)

_N_SITES = 4
# Pairs that share no stoichiometry are not compared site by site.
_UNLIKE = 9.0
_LARGEST_EXPONENT = 700.0
_PAIRS_AT_ONCE = 50_000


class PairColumns(NamedTuple):
    """Columns for the model of pairs, and plain measures of likeness."""

    columns: np.ndarray
    """Shape (n_pairs, n_columns)."""
    votes: np.ndarray
    """Weights of the pair's vote in four plain counts, shape (n_pairs, 4): by shape and Z; these
    and the chemistry of the sites; by the lattice; by the contents of the cell."""


def pair_columns(pairs, new, known, compatibility):
    """Compare the rows of each pair.

    Parameters
    ----------
    pairs : Neighbours
        The pairs.
    new, known : RowDescriptors
        The rows of both sides.
    compatibility : GroupCompatibility
        How each new row agrees with the group of the known one.

    Returns
    -------
    PairColumns
    """
    i, j = pairs.query, pairs.reference
    group = known.codes[j]
    ways = [pairs.is_alike, (pairs.found_by & BY_LATTICE) > 0, (pairs.found_by & BY_CONTENTS) > 0]
    parts = [*ways, group_of_pair(compatibility, i, group)]
    distance = np.zeros(len(i))
    chemistry = np.zeros(len(i))
    contents = np.full(len(i), np.inf)
    lattice = np.full(len(i), np.inf)
    same = pairs.is_alike
    if new.lattices is not None:
        shape, columns, lattice = _lattice_columns(new.lattices, known.lattices, i, j)
        parts.append(columns)
        distance = distance + (shape / SHAPE_SCALE) ** 2
    if new.compositions is not None:
        same = new.compositions.sites.key[i] == known.compositions.sites.key[j]
        chemistry, columns = _composition_columns(new.compositions, known.compositions, i, j, same)
        parts.append(columns)
        profile, columns = _profile_columns(new.compositions, known.compositions, i, j)
        parts.append(columns)
        contents = (profile / PROFILE_SCALE) ** 2
    if new.formula_units is not None:
        of_new, of_known = new.formula_units, known.formula_units
        units = np.where(same, of_new.log_units[i] - of_known.log_units[j], _UNLIKE)
        parts.append(np.column_stack([units, np.abs(units), of_new.log_units[i]]))
        atoms = of_new.log_atoms[i] - of_known.log_atoms[j]
        parts.append(np.column_stack([atoms, np.abs(atoms)]))
        contents = contents + (shape / SHAPE_SCALE) ** 2 + (atoms / ATOMS_SCALE) ** 2
        distance = distance + (units / UNITS_SCALE) ** 2
    votes = np.column_stack(
        [
            same * _weight(distance),
            same * _weight(distance + chemistry**2),
            _weight((lattice / LATTICE_SCALE) ** 2),
            _weight(contents),
        ]
    )
    columns = np.column_stack([part.astype(np.float32) for part in parts])
    return PairColumns(columns, votes)


def _weight(squares):
    """Weight of a vote at a distance, given squared in units of its scale."""
    return np.exp(-0.5 * np.minimum(squares, _LARGEST_EXPONENT))


def group_of_pair(compatibility, rows, group):
    """Return how rows agree with the groups of their neighbours, and properties of these."""
    tables = [table[rows, group] for table in compatibility.tables.values()]
    return np.column_stack([*tables, compatibility.groups.columns[group]])


def _lattice_columns(new, known, i, j):
    """Differences of lattices; also the root-mean-square ones of shape and of lengths."""
    lengths = new.lengths[i] - known.lengths[j]
    mean = lengths.mean(axis=1)
    size = np.sqrt((lengths**2).mean(axis=1))
    shape = np.sqrt(((lengths - mean[:, None]) ** 2).mean(axis=1))
    volumes = new.log_volumes[i] - known.log_volumes[j]
    largest = np.abs(lengths).max(axis=1)
    shape, size, largest = (
        np.maximum(value, SMALLEST_DIFFERENCE) for value in (shape, size, largest)
    )
    return shape, np.column_stack([shape, size, mean, largest, volumes]), size


def _composition_columns(new, known, i, j, same):
    """Differences of the atoms on each site and of the compositions as a whole."""
    left, right = _last_sites(new.sites), _last_sites(known.sites)
    sites = left[i] - right[j]
    unlike = np.sqrt((sites**2).sum(axis=2))
    n_sites = np.maximum((new.sites.counts > 0).sum(axis=1), 1)[i]
    chemistry = np.where(same, np.sqrt((unlike**2).sum(axis=1) / n_sites), _UNLIKE)
    shared = new.fractions[i].minimum(known.fractions[j]).sum(axis=1)
    columns = np.column_stack(
        [
            same,
            unlike,
            unlike.max(axis=1),
            chemistry,
            sites[:, :2, :3].reshape(len(i), 6),
            shared,
            new.sites.is_merged[i],
            known.sites.is_merged[j],
            n_sites,
        ]
    )
    return chemistry, columns


def _profile_columns(new, known, i, j):
    """Differences of whole compositions, and how unlike the ratios of their elements are."""
    used, j = np.unique(j, return_inverse=True)
    new_profiles, known_profiles = new.profiles(), known.profiles(used)
    new_ratios, known_ratios = new.largest_fractions(), known.largest_fractions(used)
    columns = np.empty((len(i), 3))
    for start in range(0, len(i), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        between = np.abs(new_profiles[i[part]] - known_profiles[j[part]])
        columns[part, 0] = np.sqrt((between**2).sum(axis=1))
        columns[part, 1] = between.sum(axis=1)
        columns[part, 2] = np.abs(new_ratios[i[part]] - known_ratios[j[part]]).sum(axis=1)
    return columns[:, 0], columns


def _last_sites(sites):
    """Features of the most frequent sites first, shape (n, `_N_SITES`, k)."""
    n_kinds = (sites.counts > 0).sum(axis=1)
    rows = np.arange(len(n_kinds))
    found = np.zeros((len(n_kinds), _N_SITES, sites.sites.shape[2]), dtype=np.float64)
    for place in range(_N_SITES):
        present = np.flatnonzero(n_kinds > place)
        found[rows[present], place] = sites.sites[present, n_kinds[present] - 1 - place]
    return found
