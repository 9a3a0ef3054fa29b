"""Tell whether common oxidation states of the elements of a formula can add up to zero."""

import numpy as np

# numpy.isclose(charge, 0), with which matminer decides.
_TOLERANCE = 1e-8
# Formulas with more combinations of states than this are treated one by one.
_MOST_COMBINATIONS = 4096
# Numbers per array while the combinations are enumerated.
_BLOCK_NUMBERS = 2**17
# Of the codes below; no element has that many states, and twelve digits are exact in a float.
_BASE = 16.0
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

    def is_possible(self, table):
        """Tell for every row of a CSR matrix of amounts whether a combination is neutral.

        Elements with one state only shift the sum. The formulas are taken together by the
        numbers of states of the others, and all their combinations enumerated at once.
        """
        n_rows = table.shape[0]
        rows = np.repeat(np.arange(n_rows), np.diff(table.indptr))
        counts = self._counts[table.indices]
        single = np.where(counts == 1, self._states[table.indices, 0] * table.data, 0.0)
        fixed = np.bincount(rows, single, minlength=n_rows)
        possible = np.abs(fixed) <= _TOLERANCE

        # What remains: the entries with a choice, in order of falling numbers of states.
        choice = np.flatnonzero(counts > 1)
        choice = choice[np.lexsort((-counts[choice], rows[choice]))]
        starts = np.searchsorted(rows[choice], np.arange(n_rows + 1))
        places = np.arange(len(choice)) - starts[rows[choice]]
        codes = np.bincount(rows[choice], counts[choice] * _BASE**places, minlength=n_rows)
        # In logarithms, as the product may need more than 64 bits.
        n_logarithm = np.bincount(rows[choice], np.log(counts[choice]), minlength=n_rows)
        many = n_logarithm > np.log(_MOST_COMBINATIONS) + 1e-9
        for group in _alike(codes, np.flatnonzero((codes > 0.0) & ~many)):
            sizes = _digits(codes[group[0]])
            entries = choice[starts[group] + np.arange(len(sizes))[:, None]]
            possible[group] = _any_neutral(fixed[group], self._charges(table, entries), sizes)
        for row in np.flatnonzero(many).tolist():
            entries = choice[starts[row] : starts[row + 1]]
            padded = zip(self._charges(table, entries), counts[entries], strict=True)
            possible[row] = _reaches_zero([fixed[[row]], *(charge[:n] for charge, n in padded)])
        possible[rows[counts == 0]] = False  # no state is known of some element
        return possible

    def _charges(self, table, entries):
        """Contribution of every state of the element of each entry, padded to equal length."""
        return self._states[table.indices[entries]] * table.data[entries][..., None]


def _alike(codes, rows):
    """Split rows into groups of equal codes."""
    order = rows[np.argsort(codes[rows], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []


def _digits(code):
    """Read the numbers of states out of a code, the digit of the lowest place first."""
    code, digits = int(code), []
    while code:
        code, digit = divmod(code, int(_BASE))
        digits.append(digit)
    return digits


def _any_neutral(fixed, charges, sizes):
    """Enumerate the combinations of n elements with `sizes` states; charges is (n, m, states)."""
    possible = np.zeros(len(fixed), dtype=bool)
    step = max(1, _BLOCK_NUMBERS // int(np.prod(sizes)))
    for start in range(0, len(fixed), step):
        part = slice(start, start + step)
        sums = fixed[part, None]
        for charge, size in zip(charges, sizes, strict=True):
            sums = (sums[:, :, None] + charge[part, None, :size]).reshape(len(sums), -1)
        possible[part] = (np.abs(sums, out=sums) <= _TOLERANCE).any(axis=1)
    return possible


def _reaches_zero(charges):
    """Meet in the middle: look for a sum of one half that is minus a sum of the other."""
    halves = [np.zeros(1), np.zeros(1)]
    for charge in sorted(charges, key=len, reverse=True):
        # The shorter one grows, so that both stay about as long.
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
