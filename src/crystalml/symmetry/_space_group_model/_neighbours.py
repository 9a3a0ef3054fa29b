"""Entries of known space group that are like a new one: in stoichiometry, lattice or contents."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

# What makes two entries of one stoichiometry unlike: root-mean-square differences of the
# logarithms of lattice vectors, and of the number of formula units in the cell.
SHAPE_SCALE, UNITS_SCALE = 0.02, 0.08
# The same for the atoms in the cell, and for the profiles of two compositions.
ATOMS_SCALE, PROFILE_SCALE = 0.08, 1.0
N_ALIKE, N_LATTICE, N_CONTENTS = 40, 20, 20
# How a pair was found; it may be in several ways.
BY_STOICHIOMETRY, BY_LATTICE, BY_CONTENTS = 1, 2, 4
# Rows compared at once.
_BLOCK = 400


class Neighbours(NamedTuple):
    """Pairs of a new row and a known one, each once, ascending by both."""

    query: np.ndarray
    reference: np.ndarray
    found_by: np.ndarray
    """Sum of `BY_STOICHIOMETRY`, `BY_LATTICE` and `BY_CONTENTS`, as far as they apply."""

    @property
    def is_alike(self):
        """Whether a pair was found by its stoichiometry."""
        return (self.found_by & BY_STOICHIOMETRY) > 0


class Side(NamedTuple):
    """What is compared of some rows; None for what is not known."""

    keys: np.ndarray | None
    """Stoichiometry, as text."""
    sites: np.ndarray | None
    """Features of the atoms on each site, shape (n, m, k)."""
    shapes: np.ndarray | None
    lengths: np.ndarray | None
    log_units: np.ndarray | None
    contents: np.ndarray | None
    """What atoms there are, and their cell as far as it is known, in units of the scales."""
    folds: np.ndarray
    """Rows of one fold never see one another; -1 sees all."""


def find_neighbours(new, known):
    """Find the nearest known rows of each new one.

    Parameters
    ----------
    new, known : Side
        The rows; `known` may be the same as `new`, whose folds then keep a row from itself
        and from its like.

    Returns
    -------
    Neighbours
    """
    parts = []
    if new.keys is not None:
        parts.append((*_alike(new, known), BY_STOICHIOMETRY))
    if new.lengths is not None:
        parts.append((*_same_lattice(new, known), BY_LATTICE))
    if new.contents is not None:
        parts.append((*_like_contents(new, known), BY_CONTENTS))
    n_known = len(known.folds)
    pair = np.concatenate([part[0] * n_known + part[1] for part in parts])
    way = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    order = np.argsort(pair, kind="stable")
    pair, way = pair[order], way[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    found_by = np.add.reduceat(way, first) if len(first) else way
    return Neighbours(pair[first] // n_known, pair[first] % n_known, found_by)


def _alike(new, known):
    """Pairs of one stoichiometry: the nearest by chemistry on the sites, shape and Z."""
    shared, new_of, known_of = _rows_by_key(new.keys, known.keys)
    queries, references = [], []
    for code in range(len(shared)):
        candidates = known_of[code]
        for start in range(0, len(new_of[code]), _BLOCK):
            rows = new_of[code][start : start + _BLOCK]
            distance = _unlikeness(new, known, rows, candidates)
            row, nearest = _nearest(distance, N_ALIKE)
            queries.append(rows[row])
            references.append(candidates[nearest])
    return _joined(queries), _joined(references)


def _nearest(distance, n_nearest):
    """Row and column of the smallest distances of each row, as far as they are finite."""
    n_nearest = min(n_nearest, distance.shape[1])
    nearest = np.argpartition(distance, n_nearest - 1, axis=1)[:, :n_nearest]
    usable = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
    rows = np.broadcast_to(np.arange(len(distance))[:, None], usable.shape)
    return rows[usable], nearest[usable]


def _rows_by_key(new_keys, known_keys):
    """Rows of each key that both sides have."""
    shared = np.intersect1d(new_keys, known_keys)
    return shared, _grouped(new_keys, shared), _grouped(known_keys, shared)


def _grouped(keys, shared):
    """List the rows that have each of the sorted `shared` keys."""
    code = np.searchsorted(shared, keys)
    code[code == len(shared)] = 0
    rows = np.flatnonzero(shared[code] == keys) if len(shared) else np.empty(0, np.int64)
    order = rows[np.argsort(code[rows], kind="stable")]
    ends = np.cumsum(np.bincount(code[rows], minlength=len(shared)))
    return np.split(order, ends[:-1])


def _unlikeness(new, known, rows, candidates):
    """Squared differences in units of their scales; infinite within a fold."""
    n_sites = max(int((new.sites[rows[0]] != 0).any(axis=1).sum()), 1)
    # Both sides are padded to the most kinds of atoms that any of their rows has.
    n_places = min(new.sites.shape[1], known.sites.shape[1])
    distance = _squares(
        _flat(new.sites[:, :n_places], rows), _flat(known.sites[:, :n_places], candidates)
    )
    distance /= n_sites
    if new.shapes is not None:
        shapes = _squares(new.shapes[rows], known.shapes[candidates]) / new.shapes.shape[1]
        units = new.log_units[rows][:, None] - known.log_units[candidates]
        distance += shapes / SHAPE_SCALE**2 + (units / UNITS_SCALE) ** 2
    return _apart(distance, new.folds[rows], known.folds[candidates])


def _apart(distance, new_folds, known_folds):
    """Round distances, and make them infinite within a fold."""
    # Products of matrices are rounded differently beside other rows; what ties must stay tied.
    distance = np.round(distance, 6)
    new_folds = new_folds[:, None]
    distance[(new_folds == known_folds) & (new_folds >= 0)] = np.inf
    return distance


def _flat(sites, rows):
    """Features of all sites of some rows in one line each, in double precision."""
    return sites[rows].reshape(len(rows), -1).astype(np.float64)


def _squares(left, right):
    """Squared distances between the rows of two matrices."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
    return np.maximum(squares, 0.0)


def _same_lattice(new, known):
    """Pairs with nearly the same lattice, whatever the composition."""
    tree = cKDTree(known.lengths)
    in_fold = (new.folds >= 0).any()
    n_asked = min((2 if in_fold else 1) * N_LATTICE, len(known.lengths))
    _, found = tree.query(new.lengths, k=n_asked)
    found = found.reshape(len(new.lengths), n_asked)
    usable = (known.folds[found] != new.folds[:, None]) | (new.folds[:, None] < 0)
    usable &= np.cumsum(usable, axis=1) <= N_LATTICE
    query = np.broadcast_to(np.arange(len(found))[:, None], found.shape)
    return query[usable], found[usable]


def _like_contents(new, known):
    """Pairs with like atoms, as many of them, in cells of like shape: any stoichiometry."""
    queries, references = [], []
    for start in range(0, len(new.contents), _BLOCK):
        rows = slice(start, start + _BLOCK)
        distance = _squares(new.contents[rows], known.contents)
        row, nearest = _nearest(_apart(distance, new.folds[rows], known.folds), N_CONTENTS)
        queries.append(start + row)
        references.append(nearest)
    return _joined(queries), _joined(references)


def _joined(parts):
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
