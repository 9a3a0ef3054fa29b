"""Sums of many small trees from one look-up per column instead of a way down each tree."""

from typing import NamedTuple

import numpy as np

# Rows worked off together: their sets of leaves stay in the cache.
_ROWS_AT_ONCE = 512


class _Word(NamedTuple):
    """An integer whose bits are leaves, and the float that tells which bit is set."""

    integer: type
    float: type
    mantissa_bits: int
    exponent_of_one: int


_WORDS = {
    32: _Word(np.uint32, np.float32, 23, 127),
    64: _Word(np.uint64, np.float64, 52, 1023),
}
MOST_LEAVES = max(_WORDS)


class LeafBits:
    """Trees of at most 64 leaves, in the order of QuickScorer.

    The leaves of a tree are the bits of an integer, from left to right (Lucchese et al. 2015,
    Proceedings of SIGIR, 73-82). A split whose condition fails strikes out the leaves below its
    left child; of those that remain, the leftmost is the one that the row reaches. For each
    column a table says what is struck out in all trees between two thresholds.

    Parameters
    ----------
    trees : TreeArrays
        Trees that `check_trees` has passed.
    leaf_values : float array of shape (n_leaves,)
        What each leaf adds.
    """

    def __init__(self, trees, leaf_values):
        n_trees, n_splits = len(trees.split_counts), len(trees.feature)
        width = 32 if trees.split_counts.max() < 32 else 64
        self._word = _WORDS[width]
        first, below = _leaves_below(trees)
        self._values = np.zeros((n_trees, width))
        tree_of_leaf = np.repeat(np.arange(n_trees), trees.split_counts + 1)
        self._values[tree_of_leaf, first[n_splits:][::-1]] = leaf_values
        self._starts = (np.arange(n_trees) * width).astype(np.int32)
        one = self._word.integer(1)
        n_left = below[trees.children[:, 0]].astype(self._word.integer)
        struck = ((one << n_left) - one) << first[:n_splits].astype(self._word.integer)
        tree_of_split = np.repeat(np.arange(n_trees), trees.split_counts)
        self._columns = [
            (column, *_column_table(trees, column, tree_of_split, ~struck))
            for column in np.unique(trees.feature)
        ]

    def sums(self, X):
        """Return the sum of the trees for each row of a float32 array, shape (n_rows,)."""
        sums = np.empty(len(X))
        for start in range(0, len(X), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            sums[rows] = self._sums(X[rows])
        return sums

    def _sums(self, X):
        word = self._word
        shape = len(X), len(self._starts)
        remaining = np.full(shape, np.iinfo(word.integer).max, dtype=word.integer)
        kept = np.empty_like(remaining)
        for column, thresholds, table in self._columns:
            # As many thresholds are exceeded; NaN exceeds all of them.
            exceeded = np.searchsorted(thresholds, X[:, column])
            np.take(table, exceeded, axis=0, out=kept, mode="clip")
            remaining &= kept
        remaining &= -remaining  # the lowest bit
        exponent = remaining.astype(word.float).view(f"i{remaining.itemsize}")
        exponent >>= word.mantissa_bits
        exponent += self._starts - word.exponent_of_one
        return self._values.take(exponent).sum(axis=1)


def _leaves_below(trees):
    """Return the leftmost leaf below each node, counted in its tree, and how many there are.

    Both arrays hold all splits, then all leaves from the last to the first, so that the number
    of a child, negative for leaves, is an index.
    """
    starts, counts, children = trees.split_starts, trees.split_counts, trees.children
    below = np.ones(len(children) + trees.n_leaves, dtype=np.int64)
    first = np.zeros_like(below)
    levels = [starts[counts > number] + number for number in range(counts.max())]
    for split in reversed(levels):
        below[split] = below[children[split]].sum(axis=1)
    for split in levels:
        left, right = children[split].T
        first[left] = first[split]
        first[right] = first[split] + below[left]
    return first, below


def _column_table(trees, column, tree_of_split, kept):
    """Return the thresholds of a column, and what each tree keeps when so many are exceeded."""
    splits = np.flatnonzero(trees.feature == column)
    thresholds, number = np.unique(trees.threshold[splits], return_inverse=True)
    table = np.full(
        (len(thresholds) + 1, len(trees.split_counts)), np.iinfo(kept.dtype).max, dtype=kept.dtype
    )
    np.bitwise_and.at(table, (number + 1, tree_of_split[splits]), kept[splits])
    return thresholds, np.bitwise_and.accumulate(table, axis=0)
