"""Boosted trees that LightGBM grows, kept as plain arrays that NumPy alone evaluates.

LightGBM reads its model text by native code that trusts it, which text from strangers should
not reach. Arrays are checked once and then cannot lead anywhere else; and what is fitted works
where LightGBM is not installed.
"""

import numpy as np
from scipy.special import logit

from crystalml._dependencies import import_optional
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.symmetry._space_groups._leaf_bits import MOST_LEAVES, LeafBits
from crystalml.symmetry._space_groups._tree_arrays import (
    check_trees,
    check_width,
    find_leaves,
    tree_arrays,
)

_LARGEST = float(np.finfo(np.float32).max)
# LightGBM takes numbers from minus this to this for zero; it is its split next to zero, too.
_ZERO = np.float32(1e-35)


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
        """Leave out what is made from the rest on first use."""
        return {name: value for name, value in vars(self).items() if name != "_bits"}


def grow_boosted_trees(X, label, *, n_rounds, objective, seed, n_threads, caller, **parameters):
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
    n_threads : int or None
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
        "force_row_wise": True,
        "use_missing": False,
        "verbosity": -1,
        **parameters,
    }
    data = lightgbm.Dataset(_with_largest(X), label=label, free_raw_data=True)
    text = lightgbm.train(settings, data, n_rounds).model_to_string()
    return _from_text(text, X.shape[1])


def _can_be_split(X, min_data_in_leaf):
    """Whether LightGBM finds anything to do; it fails, or not, where it does not."""
    return len(X) >= 2 * min_data_in_leaf and (X[0] != X).any()


def _single_leaf(label, objective, n_features):
    """Return what trees without splits come to."""
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
    """Replace what is not finite by the largest numbers there are."""
    if np.isfinite(X).all():
        return X
    return np.nan_to_num(X, nan=_LARGEST, posinf=_LARGEST, neginf=-_LARGEST)


def _below_zero(thresholds):
    """Let what is taken for zero lie right of the negative split next to it."""
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
