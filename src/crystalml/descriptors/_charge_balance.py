"""Tell whether common oxidation states of the elements of a formula can add up to zero."""

import numpy as np

# numpy.isclose(charge, 0), with which matminer decides.
_TOLERANCE = 1e-8
# Formulas with more combinations of states than this are treated one by one.
_MOST_COMBINATIONS = 4096
# Numbers per array while the combinations are enumerated.
_BLOCK_NUMBERS = 2**17
# Sums closer than this are one: far below the tolerance, far above rounding.
_SAME = 1e-10
# More different sums than this lie closer together than the tolerance in any real range.
_MOST_SUMS = 2**20


class ChargeBalance:
    """Search for neutral combinations, each element in one of its oxidation states."""

    def __init__(self, oxidation_states):
        """Hold the oxidation states of the 118 elements, one array per element."""
        self._counts = np.array([len(states) for states in oxidation_states])
        self._states = np.zeros((len(oxidation_states), max(1, self._counts.max())))
        for row, states in enumerate(oxidation_states):
            self._states[row, : len(states)] = states

    def is_possible(self, elements, amounts):
        """Tell for formulas of k elements, both arrays of shape (k, m), whether one is neutral.

        Elements with one state only shift the sum; the formulas are taken together by the
        numbers of states of the others, and all their combinations enumerated at once.
        """
        counts = self._counts[elements]
        order = np.argsort(-counts, axis=0, kind="stable")
        elements, amounts, counts = (
            np.take_along_axis(array, order, axis=0) for array in (elements, amounts, counts)
        )
        charges = self._states[elements] * amounts[:, :, None]
        fixed = np.where(counts == 1, charges[:, :, 0], 0.0).sum(axis=0)
        n_combinations = counts.prod(axis=0, dtype=float)
        possible = np.zeros(len(fixed), dtype=bool)
        few = np.flatnonzero((n_combinations > 0) & (n_combinations <= _MOST_COMBINATIONS))
        for rows in _alike(np.maximum(counts[:, few], 1), few):
            sizes = counts[:, rows[0]]
            sizes = sizes[sizes > 1]
            step = max(1, _BLOCK_NUMBERS // int(sizes.prod()))
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                possible[part] = _any_neutral(fixed[part], charges[:, part], sizes)
        for row in np.flatnonzero(n_combinations > _MOST_COMBINATIONS):
            own = [charge[:n] for charge, n in zip(charges[:, row], counts[:, row], strict=True)]
            possible[row] = _reaches_zero(own)
        return possible


def _alike(counts, rows):
    """Group rows whose columns of `counts`, shape (k, len(rows)), are equal."""
    if not len(rows):
        return []
    powers = float(counts.max() + 1) ** np.arange(len(counts))
    # Elements with one state add nothing to the code; at most twelve have more.
    codes = (counts > 1) * counts
    _, inverse = np.unique(powers @ codes, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(inverse[order])) + 1)


def _any_neutral(fixed, charges, sizes):
    """Enumerate all combinations of the elements that have `sizes` states."""
    sums = fixed[:, None]
    for charge, size in zip(charges, sizes, strict=False):
        sums = (sums[:, :, None] + charge[:, None, :size]).reshape(len(sums), -1)
    return (np.abs(sums) <= _TOLERANCE).any(axis=1)


def _reaches_zero(charges):
    """Meet in the middle: look for a sum of one half that is minus a sum of the other."""
    halves = [np.zeros(1), np.zeros(1)]
    for charge in sorted(charges, key=len, reverse=True):
        halves.sort(key=len)
        halves[0] = _distinct((halves[0][:, None] + charge).ravel())
    left, right = halves
    nearest = np.searchsorted(right, -left)
    above = np.abs(right[np.minimum(nearest, len(right) - 1)] + left)
    below = np.abs(right[np.maximum(nearest - 1, 0)] + left)
    return bool(np.minimum(above, below).min() <= _TOLERANCE)


def _distinct(sums):
    """Sort sums, merge the equal ones, and thin them out where there are too many."""
    sums = np.sort(sums)
    sums = sums[np.diff(sums, prepend=-np.inf) > _SAME]
    return sums[:: len(sums) // _MOST_SUMS + 1]
