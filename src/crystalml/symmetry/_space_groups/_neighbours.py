"""Entries of known space group that are like a new one: in stoichiometry, shape, or lattice."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

# What makes two entries of one stoichiometry unlike: root-mean-square differences of the
# logarithms of lattice vectors, and of the number of formula units in the cell.
SHAPE_SCALE, UNITS_SCALE = 0.02, 0.08
N_ALIKE, N_LATTICE = 40, 20
# Rows of one stoichiometry compared at once.
_BLOCK = 400


class Neighbours(NamedTuple):
    """Pairs of a new row and a known one, ascending by the new row."""

    query: np.ndarray
    reference: np.ndarray
    is_alike: np.ndarray
    """Whether the pair was found by its stoichiometry, and not by its lattice alone."""


class Side(NamedTuple):
    """What is compared of some rows; None for what is not known."""

    keys: np.ndarray | None
    """Stoichiometry, as text."""
    sites: np.ndarray | None
    """Features of the atoms on each site, shape (n, m, k)."""
    shapes: np.ndarray | None
    lengths: np.ndarray | None
    log_units: np.ndarray | None
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
        parts.append((*_alike(new, known), True))
    if new.lengths is not None:
        parts.append((*_same_lattice(new, known), False))
    query = np.concatenate([part[0] for part in parts])
    reference = np.concatenate([part[1] for part in parts])
    is_alike = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    order = np.argsort(query, kind="stable")
    return Neighbours(query[order], reference[order], is_alike[order])


def _alike(new, known):
    """Pairs of one stoichiometry: the nearest by chemistry on the sites, shape and Z."""
    shared, new_of, known_of = _rows_by_key(new.keys, known.keys)
    queries, references = [], []
    for code in range(len(shared)):
        candidates = known_of[code]
        for start in range(0, len(new_of[code]), _BLOCK):
            rows = new_of[code][start : start + _BLOCK]
            distance = _unlikeness(new, known, rows, candidates)
            n_nearest = min(N_ALIKE, len(candidates))
            nearest = np.argpartition(distance, n_nearest - 1, axis=1)[:, :n_nearest]
            usable = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
            queries.append(np.broadcast_to(rows[:, None], usable.shape)[usable])
            references.append(candidates[nearest[usable]])
    return _joined(queries), _joined(references)


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
    # Products of matrices are rounded differently beside other rows; what ties must stay tied.
    distance = np.round(distance, 6)
    folds = new.folds[rows][:, None]
    distance[(folds == known.folds[candidates]) & (folds >= 0)] = np.inf
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


def _joined(parts):
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
