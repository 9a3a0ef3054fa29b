"""Pairs of a crystal and a known one that is like it: in stoichiometry, lattice or contents."""

from typing import NamedTuple

import numpy as np

from crystalml.known_crystals._index import STOICHIOMETRY

# What makes two crystals of one stoichiometry unlike: root-mean-square differences of the
# logarithms of lattice vectors, and of the number of formula units in the cell.
SHAPE_SCALE, UNITS_SCALE = 0.02, 0.08
# The same for the atoms in the cell, for the profiles of two compositions, and for lattices.
ATOMS_SCALE, PROFILE_SCALE, LATTICE_SCALE = 0.08, 1.0, 0.01
N_ALIKE, N_LATTICE, N_CONTENTS = 40, 20, 20
# How a pair was found; it may be in several ways.
BY_STOICHIOMETRY, BY_LATTICE, BY_CONTENTS = 1, 2, 4
# Coordinates that tell how alike crystals of one stoichiometry are, and crystals of any.
LIKE_SITES = {"sites": 1.0, "shape": 1.0 / SHAPE_SCALE, "units": 1.0 / UNITS_SCALE}
LIKE_CONTENTS = {
    "profile": 1.0 / PROFILE_SCALE,
    "shape": 1.0 / SHAPE_SCALE,
    "atoms": 1.0 / ATOMS_SCALE,
}


class Neighbours(NamedTuple):
    """Pairs of a query row and a reference row, each once, ascending by both."""

    query: np.ndarray
    reference: np.ndarray
    found_by: np.ndarray
    """Sum of `BY_STOICHIOMETRY`, `BY_LATTICE` and `BY_CONTENTS`, as far as they apply."""
    distance: np.ndarray
    """In units of the scales, the smallest of the ways in which the pair was found."""

    @property
    def is_alike(self):
        """Whether a pair was found by its stoichiometry."""
        return (self.found_by & BY_STOICHIOMETRY) > 0


def find_neighbours(queries, index, *, at_least=1, lattice_alone=False):
    """Find known crystals that are like others in any of three ways.

    Like elements on like sites in a cell of like shape and as many formula units; nearly the same
    lattice, whatever the composition; like atoms, as many of them, in a cell of like shape.
    Reference rows without a cell are found by their composition alone, beside the others.

    Parameters
    ----------
    queries : Crystals
        The query rows. If they are the reference rows too, their groups keep them from
        themselves.
    index : CrystalIndex
        The reference rows.
    at_least : int, default=1
        Rows to find in each way, if more than usual.
    lattice_alone : bool, default=False
        Whether to ask for like lattices only where the queries have no composition.

    Returns
    -------
    Neighbours
    """
    searches: list[tuple[int, int, dict, tuple, str | None]] = [
        (BY_STOICHIOMETRY, N_ALIKE, LIKE_SITES, (STOICHIOMETRY,), None),
        (BY_CONTENTS, N_CONTENTS, LIKE_CONTENTS, (), None),
    ]
    if queries.compositions is None or not lattice_alone:
        searches.append((BY_LATTICE, N_LATTICE, {"lengths": 1.0 / LATTICE_SCALE}, (), None))
    if queries.lattices is not None and index.lacks("shape"):
        searches += [
            (BY_STOICHIOMETRY, N_ALIKE, {"sites": 1.0}, (STOICHIOMETRY,), "shape"),
            (BY_CONTENTS, N_CONTENTS, {"profile": 1.0 / PROFILE_SCALE}, (), "shape"),
        ]
    parts = []
    for way, k, by, within, lacking in searches:
        found = index.nearest(queries, max(k, at_least), by, within=within, lacking=lacking)
        query, place = np.nonzero(found.rows >= 0)
        if lacking is not None:
            # Query rows without a cell have met these reference rows among all others.
            kept = ~np.isnan(queries.lattices.lengths[query]).any(axis=1)
            query, place = query[kept], place[kept]
        parts.append((query, found.rows[query, place], way, found.distances[query, place]))
    return _joined(parts, len(index.crystals.groups))


def _joined(parts, n_references):
    """Put pairs that were found in several ways together."""
    # One number for a pair, which sorts by query row and then by reference row.
    pair = np.concatenate([query * n_references + rows for query, rows, _, _ in parts])
    way = np.concatenate([np.full(len(query), way) for query, _, way, _ in parts])
    distance = np.concatenate([part[3] for part in parts])
    order = np.argsort(pair, kind="stable")
    pair, way, distance = pair[order], way[order], distance[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    if len(first):
        way, distance = np.bitwise_or.reduceat(way, first), np.minimum.reduceat(distance, first)
    pair = pair[first]
    return Neighbours(pair // n_references, pair % n_references, way, distance)
