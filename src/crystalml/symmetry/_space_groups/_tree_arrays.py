"""Binary decision trees as a few plain arrays, and the way of many rows down all of them."""

from typing import NamedTuple

import numpy as np

from crystalml.exceptions import InvalidInputError, PersistenceError

# Ways of rows down trees that are followed at once: their working arrays stay in the cache.
_WAYS_AT_ONCE = 65_536


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
