"""How probable it is that two entries have the same space group."""

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from crystalml.symmetry._space_groups._boosted_trees import grow_boosted_trees


class PairModel(BaseEstimator):
    """Boosted trees that tell pairs with the same space group from others.

    Parameters
    ----------
    n_rounds : int, default=120
        Trees.
    learning_rate : float, default=0.12
        Share of each tree that is added.
    max_leaves : int, default=31
        Leaves of a tree; up to 64, prediction is fastest.
    min_data_in_leaf : int, default=100
        Pairs in a leaf at least.
    feature_fraction, bagging_fraction : float, default=0.5, 0.7
        Shares of the features and of the pairs that each tree sees.
    l2 : float, default=0.0
        Penalty on the squared values of the leaves.
    random_state : int, RandomState or None, default=None
        Draws features and pairs.
    n_threads : int, default=None
        Threads of fitting; None means one.

    Attributes
    ----------
    trees_ : BoostedTrees
        Their sum is the logarithm of the odds.
    """

    def __init__(
        self,
        n_rounds=120,
        learning_rate=0.12,
        max_leaves=31,
        min_data_in_leaf=100,
        feature_fraction=0.5,
        bagging_fraction=0.7,
        l2=0.0,
        random_state=None,
        n_threads=None,
    ):
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.min_data_in_leaf = min_data_in_leaf
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.l2 = l2
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, features, same):
        """Grow the trees.

        Parameters
        ----------
        features : array-like of shape (n_pairs, n_features)
            Features of each pair, in single precision; NaN counts as largest.
        same : bool array of shape (n_pairs,)
            Whether both entries have the same space group. Without pairs, every later one has
            a probability of one half.
        """
        self.trees_ = grow_boosted_trees(
            np.asarray(features, dtype=np.float32),
            np.asarray(same, dtype=np.float32),
            n_rounds=self.n_rounds,
            objective="binary",
            seed=check_random_state(self.random_state).randint(np.iinfo(np.int32).max),
            n_threads=self.n_threads,
            caller=type(self).__name__,
            learning_rate=self.learning_rate,
            num_leaves=self.max_leaves,
            min_data_in_leaf=self.min_data_in_leaf,
            feature_fraction=self.feature_fraction,
            bagging_fraction=self.bagging_fraction,
            bagging_freq=1,
            lambda_l2=self.l2,
            max_bin=63,
        )
        return self

    def probabilities(self, features):
        """Return the probability of the same space group for each pair, shape (n_pairs,)."""
        check_is_fitted(self)
        return expit(self.trees_.sums(features))
