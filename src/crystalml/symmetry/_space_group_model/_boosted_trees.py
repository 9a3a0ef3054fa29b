"""Boosted trees: grown by LightGBM, kept as plain arrays, evaluated by NumPy.

LightGBM reads its model text by native code that trusts it, which text from strangers should
not reach. Arrays are checked once and then cannot lead anywhere else; and what is fitted works
where LightGBM is not installed.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from crystalml._dependencies import import_optional
from crystalml.exceptions import InvalidInputError, PersistenceError

_LARGEST = float(np.finfo(np.float32).max)
# LightGBM takes numbers from minus this to this for zero; it is its split next to zero, too.
_ZERO = np.float32(1e-35)
# Rows worked off together: their sets of leaves stay in the cache.
_ROWS_AT_ONCE = 512
# Ways of rows down trees that are followed at once: their working arrays stay in the cache.
_WAYS_AT_ONCE = 65_536


class BoostedTrees:
    """Sum of regression trees.

    A missing value (NaN) counts as larger than every number, in fitting and in predicting.

    Parameters
    ----------
    trees : TreeArrays
        The splits.
    leaf_values : float array of shape (n_leaves,)
        What each leaf adds.
    n_features : int
        Columns.
    """

    def __init__(self, trees, leaf_values, n_features):
        self.trees = trees
        self.leaf_values = leaf_values
        self.n_features = n_features

    def sums(self, X):
        """Return the sum over the trees for each row.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Single precision is used.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        X = np.asarray(X, dtype=np.float32)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise InvalidInputError(
                f"BoostedTrees: the features have shape {X.shape!r}, but the trees were grown on "
                f"{self.n_features} columns. Give the columns of the training rows."
            )
        if "_bits" not in vars(self):
            self._bits = self._checked_bits()
        if self._bits is not None:
            return self._bits.sums(X)
        # Row by row in memory, so that a sum does not depend on how many rows there are.
        leaves = np.ascontiguousarray(find_leaves(self.trees, X).T)
        return self.leaf_values[leaves].sum(axis=1)

    def _checked_bits(self):
        """Check the arrays on first use; return None where a tree has too many leaves."""
        check_trees(self.trees, self.n_features)
        if self.leaf_values.shape != (self.trees.n_leaves,):
            raise PersistenceError(
                "the leaves of the model are damaged. Fit it anew, or get the file again."
            )
        small = self.trees.split_counts.max() < MOST_LEAVES
        return LeafBits(self.trees, self.leaf_values) if small else None

    def __getstate__(self):
        """Leave out what is made on first use."""
        return {name: value for name, value in vars(self).items() if name != "_bits"}


def grow_boosted_trees(
    X, label, *, n_rounds, objective, seed, n_threads=None, caller, **parameters
):
    """Grow trees by LightGBM (Ke et al. 2017), with the same result for the same seed.

    Parameters
    ----------
    X : float32 array of shape (n_rows, n_features)
        Features.
    label : array of shape (n_rows,)
        Labels; an objective of one's own need not look at them.
    n_rounds : int
        Trees.
    objective : str or callable
        LightGBM's name, or a function from the sums and the data set to the first and second
        derivatives of the loss for each row.
    seed : int
        Of all that is drawn.
    n_threads : int, default=None
        Threads; None means one.
    caller : str
        Public name in messages.
    **parameters
        Further parameters of LightGBM.
    """
    check_width(X.shape[1], caller=caller)
    if not _can_be_split(X, parameters.get("min_data_in_leaf", 20)):
        return _single_leaf(label, objective, X.shape[1])
    lightgbm = import_optional("lightgbm", needed_by=caller)
    settings = {
        "objective": objective,
        "seed": int(seed),
        "num_threads": 1 if n_threads is None else n_threads,
        "deterministic": True,
        # Otherwise LightGBM times both ways first, and sums depend on which was faster.
        "force_row_wise": True,
        "use_missing": False,
        "verbosity": -1,
        **parameters,
    }
    # LightGBM has a rule of its own for missing values; here they are the largest numbers.
    data = lightgbm.Dataset(_with_largest(X), label=label, free_raw_data=True)
    text = lightgbm.train(settings, data, n_rounds).model_to_string()
    return _from_text(text, X.shape[1])


def _can_be_split(X, min_data_in_leaf):
    """Whether there are enough different rows for a split; without them LightGBM may fail."""
    return len(X) >= 2 * min_data_in_leaf and (X[0] != X).any()


def _single_leaf(label, objective, n_features):
    """Return the tree without a split that LightGBM would end with."""
    if objective == "binary":
        least = 0.5 / (len(label) + 1)  # a few rows of one kind do not make certain
        value = logit(np.clip(label.mean(), least, 1 - least) if len(label) else 0.5)
    elif callable(objective) or not len(label):
        value = 0.0
    else:
        value = np.median(label)
    nothing = np.zeros((0, 2), dtype=np.int32)
    trees = tree_arrays([nothing[:, 0]], [nothing[:, 0]], [nothing])
    return BoostedTrees(trees, np.array([value], dtype=float), n_features)


def _with_largest(X):
    """Replace values that are not finite by the largest float32 number."""
    if np.isfinite(X).all():
        return X
    return np.nan_to_num(X, nan=_LARGEST, posinf=_LARGEST, neginf=-_LARGEST)


def _below_zero(thresholds):
    """Move a threshold just below zero, so that what counts as zero lies to its right."""
    # LightGBM compares doubles after it has set small numbers to zero; here nothing is set.
    next_to_zero = (thresholds < 0) & (thresholds >= -_ZERO)
    return np.where(next_to_zero, np.nextafter(-_ZERO, np.float32(-1)), thresholds)


def _from_text(text, n_features):
    """Take the trees out of the model text that LightGBM has just written."""
    features, thresholds, children, values = [], [], [], []
    for block in text.split("\nTree=")[1:]:
        lines = block.partition("\n\n")[0].splitlines()
        tree = dict(line.split("=", 1) for line in lines if "=" in line)
        features.append(np.array(tree["split_feature"].split(), dtype=np.int16))
        thresholds.append(_below_zero(np.array(tree["threshold"].split(), dtype=float)))
        left, right = tree["left_child"].split(), tree["right_child"].split()
        children.append(np.array([left, right], dtype=np.int32).T)
        values.append(np.array(tree["leaf_value"].split(), dtype=float))
    trees = tree_arrays(features, thresholds, children)
    return BoostedTrees(trees, np.concatenate(values), n_features)


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
        # A look at each column serves all trees: as many steps as columns, not as tree levels.
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
    # Children come after their parents, so that the levels can be gone through in order.
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
    """Return the thresholds of a column, and the leaves that remain when so many are exceeded."""
    splits = np.flatnonzero(trees.feature == column)
    thresholds, number = np.unique(trees.threshold[splits], return_inverse=True)
    # As more thresholds are exceeded, more leaves are struck out, never fewer.
    table = np.full(
        (len(thresholds) + 1, len(trees.split_counts)), np.iinfo(kept.dtype).max, dtype=kept.dtype
    )
    np.bitwise_and.at(table, (number + 1, tree_of_split[splits]), kept[splits])
    return thresholds, np.bitwise_and.accumulate(table, axis=0)


class TreeArrays(NamedTuple):
    """Trees behind one another; a row goes left where its value is <= the threshold.

    Single-precision thresholds send single-precision values where the original ones do, since
    they are rounded down. NaN goes right, as if it were larger than every number. In each tree
    the root comes first and children come after their parent. A child c < 0 is the leaf
    ``-1 - c``; leaves are counted through all trees, a tree having one more than it has splits.

    Attributes
    ----------
    feature : int16 array of shape (n_splits,)
        Column that a split looks at.
    threshold : float32 array of shape (n_splits,)
        Largest value that goes left.
    children : int32 array of shape (n_splits, 2)
        Left and right child.
    split_counts : int32 array of shape (n_trees,)
        Splits of each tree.
    """

    feature: np.ndarray
    threshold: np.ndarray
    children: np.ndarray
    split_counts: np.ndarray

    @property
    def n_leaves(self):
        """Leaves of all trees together."""
        return len(self.feature) + len(self.split_counts)

    @property
    def split_starts(self):
        """First split of each tree, shape (n_trees,)."""
        return np.cumsum(self.split_counts, dtype=np.int64) - self.split_counts

    @property
    def leaf_starts(self):
        """First leaf of each tree, shape (n_trees,)."""
        return self.split_starts + np.arange(len(self.split_counts))

    @property
    def roots(self):
        """Where the way down begins in each tree: a split, or the only leaf."""
        return np.where(self.split_counts > 0, self.split_starts, -1 - self.leaf_starts)


def tree_arrays(features, thresholds, children):
    """Put trees behind one another, each with children counted from its own first split and leaf.

    Parameters
    ----------
    features, thresholds, children : list of ndarray
        For each tree arrays of shapes (n_splits,), (n_splits,) and (n_splits, 2).
    """
    counts = np.array([len(feature) for feature in features], dtype=np.int32)
    trees = TreeArrays(
        np.concatenate(features).astype(np.int16),
        _round_down(np.concatenate(thresholds)),
        np.concatenate(children).astype(np.int32),
        counts,
    )
    split_shift = np.repeat(trees.split_starts, counts)[:, None]
    leaf_shift = np.repeat(trees.leaf_starts, counts)[:, None]
    shifted = trees.children + np.where(trees.children < 0, -leaf_shift, split_shift)
    return trees._replace(children=shifted.astype(np.int32))


def check_width(n_features, *, caller):
    """Refuse tables that have more columns than the trees can name."""
    if n_features > np.iinfo(np.int16).max:
        raise InvalidInputError(
            f"{caller}: the table has {n_features} columns; at most {np.iinfo(np.int16).max} are "
            "possible. Select the columns that matter first."
        )


def check_trees(trees, n_features):
    """Raise PersistenceError unless every way down stays within the arrays and ends in a leaf.

    A file from elsewhere may hold any numbers; what `tree_arrays` makes always passes.
    """
    counts, children = trees.split_counts, trees.children
    n_splits = len(trees.feature)
    _require(len(counts) > 0 and (counts >= 0).all() and counts.sum() == n_splits, "sizes")
    _require(children.shape == (n_splits, 2) and len(trees.threshold) == n_splits, "sizes")
    inside = (trees.feature >= 0) & (trees.feature < n_features)
    _require(inside.all(), "columns that are not there")
    tree = np.repeat(np.arange(len(counts)), counts)
    end = (trees.split_starts + counts)[tree][:, None]
    later = (children > np.arange(n_splits)[:, None]) & (children < end)
    first_leaf = trees.leaf_starts[tree][:, None]
    leaf = -1 - children.astype(np.int64)
    own = (leaf >= first_leaf) & (leaf <= first_leaf + counts[tree][:, None])
    _require(np.where(children < 0, own, later).all(), "children outside of their tree")
    # A tree of n splits has 2 n children: none occurs twice, so none is left out.
    parents = np.bincount((children + trees.n_leaves).ravel(), minlength=1)
    _require(parents.max() <= 1, "children with two parents")


def _require(condition, what):
    if not condition:
        raise PersistenceError(
            f"the trees of the model are damaged: {what}. Fit it anew, or get the file again."
        )


def find_leaves(trees, X):
    """Return the leaf that each row reaches in each tree, int32 array of shape (n_trees, n_rows).

    Parameters
    ----------
    trees : TreeArrays
        The trees.
    X : float32 array of shape (n_rows, n_features)
        The rows.
    """
    n_trees, n_rows = len(trees.split_counts), len(X)
    leaves = np.empty((n_trees, n_rows), dtype=np.int32)
    # All trees at once for a few rows, rather than one tree for all rows.
    size = max(_WAYS_AT_ONCE // n_trees, 1)
    for start in range(0, n_rows, size):
        leaves[:, start : start + size] = _descend(trees, X[start : start + size])
    return leaves


def _descend(trees, X):
    """Follow all ways at once, one level a step, and drop those that have reached a leaf."""
    values, children = X.ravel(), trees.children.ravel()
    reached = np.repeat(trees.roots.astype(np.int32), len(X))
    ways = np.flatnonzero(reached >= 0)
    split = reached[ways]
    row_start = (ways % len(X)) * X.shape[1]
    while len(ways):
        value = values.take(row_start + trees.feature.take(split))
        goes_right = ~(value <= trees.threshold.take(split))  # so does NaN
        split = children.take(2 * split + goes_right)
        below = split >= 0
        reached[ways[~below]] = split[~below]
        ways, split, row_start = ways[below], split[below], row_start[below]
    return -1 - reached.reshape(-1, len(X))


def _round_down(thresholds):
    """Return the largest float32 numbers that are not above the thresholds."""
    with np.errstate(over="ignore"):
        single = np.asarray(thresholds, dtype=np.float64).astype(np.float32)
    return np.where(single > thresholds, np.nextafter(single, np.float32(-np.inf)), single)
