"""Which space groups have room for a cell's contents, by the multiplicities of their positions.

A position with free coordinates can be occupied again and again; one that is a fixed point only
once, by one element (International Tables for Crystallography, vol. A). In Fm-3m, for instance,
four atoms of one element and four of another fill 4a and 4b, and four of a third have no place.

A formula of whole numbers may still belong to a solid solution, in which elements share positions
(TaW, Im-3m, two atoms in the cell): that a group has no room for a compound counts against it,
but does not exclude it.
"""

from collections import Counter
from itertools import product
from typing import NamedTuple

import numpy as np

from crystalml.crystallography._wyckoff import (
    IMPOSSIBLE,
    fewest_positions,
    wyckoff_multiplicities,
)

LARGEST = 600
# What atoms that have no place count as in means, in orbits and in fixed positions.
_ORBITS_OF_MISFITS, _FIXED_OF_MISFITS = 20, 9
_ROWS_AT_ONCE = 2048
_NO_WAY, _NOTHING_USED = 0, 1


class WyckoffTable(NamedTuple):
    """The positions that n atoms of one element need, for n up to 600, in each of some groups.

    Rhombohedral groups are on hexagonal axes. With more atoms, whole general positions are taken
    off until 600 or fewer are left.
    """

    numbers: np.ndarray
    """Space groups, int64 of shape (n_groups,)."""
    orbits: np.ndarray
    """Fewest orbits of n atoms, int16 of shape (n_groups, 601); 999 where there are none."""
    fixed: np.ndarray
    """Fewest fixed positions among the orbits, likewise."""
    n_fixed: np.ndarray
    """Fixed positions there are, int64 of shape (n_groups,)."""
    general_multiplicity: np.ndarray
    """Multiplicity of the general position, int64 of shape (n_groups,)."""
    demands: np.ndarray
    """Which of its demands for scarce fixed positions n atoms make, int32 of shape
    (n_groups, 601)."""
    transitions: np.ndarray
    """Where the ways to use up scarce positions lead, int32 of shape (n_entries,). Each of these
    states is a row that begins at its value; adding the next element's demand gives the entry
    with the next state."""
    first_states: np.ndarray
    """State with nothing used, per group, int32 of shape (n_groups,)."""
    last_states: np.ndarray
    """State from which there is no way, likewise."""

    @classmethod
    def of(cls, numbers):
        """Build the table for space groups, given by their numbers."""
        numbers = np.asarray(numbers, dtype=np.int64)
        rows, transitions, start = [], [], 0
        for number in numbers.tolist():
            fixed, free = wyckoff_multiplicities(number)
            demands, states = _scarce_positions(fixed, free, LARGEST)
            width = states.shape[1]
            transitions.append(states.ravel() * width + start)
            rows.append(
                (
                    fewest_positions(fixed, free, LARGEST),
                    fewest_positions(fixed, free, LARGEST, free_count=0),
                    len(fixed),
                    max(free),
                    demands,
                    start + width * _NOTHING_USED,
                    start + width * _NO_WAY,
                )
            )
            start += states.size
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        orbits, fixed, n_fixed, general, demands, first, last = columns
        return cls(
            numbers,
            orbits.astype(np.int16),
            fixed.astype(np.int16),
            n_fixed,
            general,
            demands.astype(np.int32),
            np.concatenate(transitions).astype(np.int32),
            first.astype(np.int32),
            last.astype(np.int32),
        )

    def feasibility(self, counts, units, weights):
        """Compute in which groups the atoms of each cell find positions.

        Parameters
        ----------
        counts : ndarray of int, shape (n, m)
            Atoms of each element in the formula unit, padded with zeros.
        units : ndarray of int, shape (n, z)
            Candidate numbers of formula units in the conventional cell.
        weights : ndarray of shape (n, z)
            Weights of the candidates, whose sum is one.

        Returns
        -------
        share : ndarray of shape (n, n_groups)
            Weight of the candidates for which all elements together find places.
        orbits : ndarray of shape (n, n_groups)
            Mean number of orbits per element, at least.
        fixed : ndarray of shape (n, n_groups)
            Mean number of fixed positions that the elements demand, each on its own.
        """
        shape = (len(counts), len(self.numbers))
        results = tuple(np.zeros(shape, dtype=np.float32) for _ in range(3))
        # Like formulas side by side, so that within a chunk each content is looked at once.
        order = np.lexsort((units[:, 0], *counts.T))
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            contents = counts[rows][:, None] * units[rows][:, :, None]
            contents = contents.reshape(-1, counts.shape[1])
            distinct, where = _distinct_rows(contents)
            where = where.reshape(len(rows), -1)
            for result, values in zip(results, self._place(distinct), strict=True):
                result[rows] = _weighted(values, where, weights[rows])
        return results

    def _place(self, contents):
        """Compute in which groups contents, (n, m), find positions, each candidate on its own."""
        # The same few numbers of atoms come up in most cells.
        numbers, where = np.unique(contents, return_inverse=True)
        where = where.reshape(contents.shape)
        orbits_of, fixed_of, demands_of = self._look_up(numbers)
        shape = (len(contents), len(self.numbers))
        orbits, fixed = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        # Elements compete for the same fixed positions, so that they are placed one after another.
        states = np.tile(self.first_states, (len(contents), 1))
        for place in range(contents.shape[1]):
            rows = np.flatnonzero(contents[:, place])
            column = where[rows, place]
            orbits[rows] += orbits_of[column]
            fixed[rows] += fixed_of[column]
            states[rows] = self.transitions[states[rows] + demands_of[column]]
        n_elements = np.maximum((contents > 0).sum(axis=1), 1)
        return states != self.last_states, orbits / n_elements[:, None], fixed

    def _look_up(self, numbers):
        """Orbits, fixed positions and demands of numbers of atoms, each (n_numbers, n_groups)."""
        # A general position can always be occupied once more.
        general = self.general_multiplicity
        n_whole = -np.minimum(LARGEST - numbers[:, None], 0)
        n_whole = -(-n_whole // general)
        left = numbers[:, None] - n_whole * general
        groups = np.arange(len(self.numbers))
        orbits, fixed = self.orbits[groups, left], self.fixed[groups, left]
        orbits = np.where(orbits == IMPOSSIBLE, _ORBITS_OF_MISFITS, orbits + n_whole)
        fixed = np.where(fixed == IMPOSSIBLE, _FIXED_OF_MISFITS, fixed)
        return orbits.astype(np.int32), fixed.astype(np.int32), self.demands[groups, left]


def _scarce_positions(fixed, free, largest):
    """Describe how elements compete for the fixed positions that no others can stand in for.

    Returns
    -------
    demands : ndarray of shape (largest + 1,)
        A code for the smallest sets of scarce positions that complete n atoms.
    states : ndarray of shape (n_states, n_demands)
        The state that follows on each state when an element makes each demand. A state is the
        smallest sets of scarce positions that the elements so far can have used.
    """
    fillable = fewest_positions([], free, largest, free_count=0) == 0
    scarce = Counter(multiplicity for multiplicity in fixed if not fillable[multiplicity])
    limits = np.array([*scarce.values()], dtype=np.int64)
    used = np.array([*product(*(range(limit + 1) for limit in limits))], dtype=np.int64)
    atoms = used @ np.array([*scarce], dtype=np.int64)
    rest = np.arange(largest + 1) - atoms[:, None]
    completes = (rest >= 0) & fillable[np.maximum(rest, 0)]
    less = (used[:, None] <= used).all(axis=2) & ~np.eye(len(used), dtype=bool)
    smallest = completes & ~(less.T.astype(int) @ completes).astype(bool)
    choices, demands = np.unique(smallest.T, axis=0, return_inverse=True)
    states = _competition(used, limits, less, [np.flatnonzero(choice) for choice in choices])
    return demands.ravel(), states


def _competition(used, limits, less, choices):
    """Follow all successions of demands from nothing used."""
    codes = {(): _NO_WAY, (0,): _NOTHING_USED}
    followers = [[_NO_WAY] * len(choices)]
    pending = [(0,)]
    for state in pending:  # grows while it is gone through
        row = []
        for choice in choices:
            together = used[list(state)][:, None] + used[choice]
            allowed = (together <= limits).all(axis=2)
            # Sets are numbered in lexicographic order, so that numbers add as the sets do.
            reached = np.unique(np.add.outer(state, choice)[allowed])
            minimal = reached[~less[np.ix_(reached, reached)].any(axis=0)]
            following = tuple(minimal.tolist())
            if following not in codes:
                codes[following] = len(codes)
                pending.append(following)
            row.append(codes[following])
        followers.append(row)
    return np.array(followers)


def _distinct_rows(contents):
    """Return the distinct rows of integers, and where each row is among them."""
    packed = np.ascontiguousarray(contents)
    packed = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()
    _, first, where = np.unique(packed, return_index=True, return_inverse=True)
    return contents[first], where.ravel()


def _weighted(values, where, weights):
    """Mean of the rows of `values` that `where`, (n, z), names; candidates in a fixed order."""
    total = np.zeros((len(where), values.shape[1]))
    for candidate in range(where.shape[1]):
        total += weights[:, candidate, None] * values[where[:, candidate]]
    return total
