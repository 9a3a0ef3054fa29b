"""Extremely randomised trees for many classes that remember the classes of their leaves only."""

import warnings
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.tree import ExtraTreeClassifier
from sklearn.utils.validation import check_is_fitted

from crystalml._validation import private_random_state
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.symmetry._space_group_model._boosted_trees import (
    check_trees,
    check_width,
    find_leaves,
    tree_arrays,
)

_ROWS_AT_ONCE = 2_000


class LeafForest(BaseEstimator):
    """Extremely randomised trees (Geurts, Ernst & Wehenkel 2006) with sparse leaves.

    The probabilities are those of scikit-learn's ``ExtraTreesClassifier`` with the same
    parameters. That one keeps a number for each class at each node; here a leaf keeps the
    classes that it has met, mostly a single one.

    Parameters
    ----------
    n_trees : int, default=100
        Trees.
    max_features : float or int, default=0.2
        Share or number of columns among which a split is sought.
    min_samples_leaf : int, default=1
        Training rows that a leaf has at least.
    random_state : int, RandomState or None, default=None
        Draws columns and thresholds.
    n_jobs : int, default=None
        Trees grown at the same time, in threads; None means one.

    Attributes
    ----------
    trees_ : TreeArrays
        The splits.
    leaf_starts_ : int32 array of shape (n_leaves + 1,)
        Where the entries of each leaf begin in the next two.
    leaf_classes_ : int16 array of shape (n_entries,)
        Codes of the classes in a leaf.
    leaf_shares_ : float32 array of shape (n_entries,)
        Their shares of the weight in the leaf, which sum to one.
    n_classes_, n_features_in_ : int
        Numbers of classes and columns.
    """

    def __init__(
        self, n_trees=100, max_features=0.2, min_samples_leaf=1, random_state=None, n_jobs=None
    ):
        self.n_trees = n_trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, codes, n_classes, sample_weight=None):
        """Grow the trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers; single precision is used.
        codes : int array of shape (n_samples,)
            Class of each row, from 0 to ``n_classes - 1``.
        n_classes : int
            Classes, of which some may have no rows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        """
        X, codes = self._rows(X), np.asarray(codes)
        check_width(X.shape[1], caller=type(self).__name__)
        self._check_codes(codes, n_classes)
        self.__dict__.pop("_histograms", None)
        # One draw for each tree, as scikit-learn's forests do it.
        generator = private_random_state(self.random_state)
        seeds = [generator.randint(np.iinfo(np.int32).max) for _ in range(self.n_trees)]
        grow = partial(self._grow, X, codes, sample_weight)
        with warnings.catch_warnings():
            # Codes are classes, however many there are.
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            # scikit-learn grows trees without the interpreter's lock, and threads share the rows.
            grown = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(grow)(seed) for seed in seeds
            )
        features, thresholds, children, sizes, classes, shares = zip(*grown, strict=True)
        self.trees_ = tree_arrays(features, thresholds, children)
        self.leaf_starts_ = np.append(0, np.cumsum(np.concatenate(sizes))).astype(np.int32)
        self.leaf_classes_ = np.concatenate(classes)
        self.leaf_shares_ = np.concatenate(shares)
        self.n_classes_, self.n_features_in_ = int(n_classes), X.shape[1]
        return self

    def predict_proba(self, X):
        """Return the mean shares of the classes in the leaves, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        X = self._rows(X)
        if X.shape[1] != self.n_features_in_:
            raise InvalidInputError(
                f"{type(self).__name__}: the table has {X.shape[1]} columns, but the trees were "
                f"grown on {self.n_features_in_}. Give the columns of the training table."
            )
        histograms = self._checked_histograms()
        blocks = [
            self._mean_shares(X[start : start + _ROWS_AT_ONCE], histograms)
            for start in range(0, len(X), _ROWS_AT_ONCE)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, self.n_classes_))

    def _mean_shares(self, X, histograms):
        """Sum the leaves of each row, which are the ones in a sparse row, and take the mean."""
        leaves = find_leaves(self.trees_, X).T
        n_rows, n_trees = leaves.shape
        # Every row reaches one leaf of each tree.
        starts = np.arange(0, leaves.size + 1, n_trees)
        reached = sparse.csr_array(
            (np.ones(leaves.size), leaves.ravel(), starts), shape=(n_rows, histograms.shape[0])
        )
        return (reached @ histograms).toarray() / n_trees

    def _checked_histograms(self):
        """Return the shares of the classes, shape (n_leaves, n_classes); checked on first use."""
        # Made on first use, since it repeats in double precision what the model keeps.
        if "_histograms" not in self.__dict__:
            check_trees(self.trees_, self.n_features_in_)
            self._check_leaves()
            parts = (self.leaf_shares_.astype(float), self.leaf_classes_, self.leaf_starts_)
            shape = (self.trees_.n_leaves, self.n_classes_)
            self._histograms = sparse.csr_array(parts, shape=shape)
        return self._histograms

    def _check_leaves(self):
        """Refuse indices that would lead the sparse product out of its arrays."""
        starts, classes = self.leaf_starts_, self.leaf_classes_
        sound = (
            len(starts) == self.trees_.n_leaves + 1
            and starts[0] == 0
            and (np.diff(starts) >= 0).all()
            and starts[-1] == len(classes) == len(self.leaf_shares_)
            and (classes >= 0).all()
            and (classes < self.n_classes_).all()
        )
        if not sound:
            raise PersistenceError(
                "the leaves of the model are damaged. Fit it anew, or get the file again."
            )

    def _grow(self, X, codes, sample_weight, seed):
        """Grow one tree and keep its splits and the classes in its leaves; the rest is dropped."""
        tree = ExtraTreeClassifier(
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            random_state=seed,
        )
        tree.fit(X, codes, sample_weight=sample_weight, check_input=False)
        nodes = tree.tree_
        # Splits and leaves are numbered apart, leaves by negative numbers, as TreeArrays has them.
        splits = nodes.children_left >= 0
        number = np.where(splits, np.cumsum(splits) - 1, -np.cumsum(~splits))
        children = np.column_stack([nodes.children_left[splits], nodes.children_right[splits]])
        shares = nodes.value[:, 0, :]
        # Inner nodes have shares as well, which predictions never read.
        leaf, column = np.nonzero(shares * ~splits[:, None])
        return (
            nodes.feature[splits].astype(np.int16),
            nodes.threshold[splits],
            number[children],
            np.bincount(leaf, minlength=len(splits))[~splits],
            tree.classes_[column].astype(np.int16),
            shares[leaf, column].astype(np.float32),
        )

    def _rows(self, X):
        """Return the rows in single precision, all finite."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        if not np.isfinite(X).all():
            row, column = np.argwhere(~np.isfinite(X))[0]
            raise InvalidInputError(
                f"{type(self).__name__}: row {row} has {X[row, column]!r} in column {column}; "
                "all values must be finite numbers. Fill in what is missing first."
            )
        return X

    def _check_codes(self, codes, n_classes):
        most = np.iinfo(np.int16).max
        if not 0 < n_classes <= most or codes.min() < 0 or codes.max() >= n_classes:
            raise InvalidInputError(
                f"{type(self).__name__}: codes run from {codes.min()} to {codes.max()} and "
                f"n_classes is {n_classes!r}; codes must lie in 0 ... n_classes - 1, and there "
                f"may be {most} classes."
            )

    def __getstate__(self):
        """Leave out what is made on first use."""
        return {name: value for name, value in vars(self).items() if name != "_histograms"}
