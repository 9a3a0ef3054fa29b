"""Scores of candidates, learnt so that their softmax gives the right one its probability."""

import numpy as np
from scipy.special import expit, softmax, xlogy
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._space_group_model._boosted_trees import grow_boosted_trees

# No candidate is so certain that trees may add to its score without bound.
_LEAST_CURVATURE = 1e-6


class ListRanker(BaseEstimator):
    """Boosted trees that score the candidates of each row.

    The loss of a row is the cross-entropy of the softmax over its candidates (ListNet's top-one
    loss; Cao et al. 2007, Proceedings of ICML, 129-136), with its exact first and the diagonal
    of its second derivatives.

    Parameters
    ----------
    n_rounds : int, default=150
        Trees.
    learning_rate : float, default=0.05
        Share of each tree that is added.
    max_leaves : int, default=31
        Leaves of a tree; up to 64, prediction is fastest.
    min_data_in_leaf : int, default=40
        Candidates in a leaf at least.
    feature_fraction, bagging_fraction : float, default=0.5, 0.8
        Shares of the features and of the candidates that each tree sees.
    l2 : float, default=5.0
        Penalty on the squared values of the leaves.
    random_state : int, RandomState or None, default=None
        Draws features and candidates.
    n_threads : int, default=None
        Threads of fitting; None means one.

    Attributes
    ----------
    trees_ : BoostedTrees
        Their sum is the score.
    """

    def __init__(
        self,
        n_rounds=150,
        learning_rate=0.05,
        max_leaves=31,
        min_data_in_leaf=40,
        feature_fraction=0.5,
        bagging_fraction=0.8,
        l2=5.0,
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

    def fit(self, features, hit, sample_weight=None, valid=None):
        """Grow the trees on the rows that have a hit among their candidates.

        Parameters
        ----------
        features : array-like of shape (n_samples, n_candidates, n_features)
            Features of each candidate, in single precision; NaN counts as largest.
        hit : bool array of shape (n_samples, n_candidates)
            Which candidate is right; several share the probability.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        valid : bool array of shape (n_samples, n_candidates), default=None
            False where a place holds no candidate.
        """
        features = _candidate_features(features)
        valid = _valid_places(valid, features)
        hit = np.asarray(hit, dtype=bool) & valid
        known = hit.any(axis=1)
        if not known.any():
            raise InvalidInputError(
                f"{type(self).__name__}: no row has its hit among the valid candidates, so there "
                "is nothing to learn. Give more candidates."
            )
        weight = np.ones(len(hit)) if sample_weight is None else np.asarray(sample_weight, float)
        valid &= known[:, None]
        loss = ListwiseLoss(hit[known], valid[known], weight[known])
        self.trees_ = grow_boosted_trees(
            features[valid] if not valid.all() else features.reshape(-1, features.shape[2]),
            hit[valid].astype(np.float32),
            n_rounds=self.n_rounds,
            objective=lambda sums, _: loss.derivatives(sums),
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
            max_bin=127,
        )
        return self

    def scores(self, features):
        """Return the score of each candidate, shape (n_samples, n_candidates)."""
        check_is_fitted(self)
        features = _candidate_features(features)
        rows = features.reshape(-1, features.shape[2])
        return self.trees_.sums(rows).reshape(features.shape[:2])

    def probabilities(self, features, valid=None):
        """Return the probability of each candidate, shape (n_samples, n_candidates).

        They sum to one in each row; places without a candidate have zero, and so has a row
        without candidates.
        """
        features = _candidate_features(features)
        return _softmax(self.scores(features), _valid_places(valid, features))


class ListwiseLoss:
    """Cross-entropy of the softmax over the candidates of each row, as LightGBM wants it.

    Parameters
    ----------
    hit, valid : bool array of shape (n_samples, n_candidates)
        As in `ListRanker.fit`.
    weight : float array of shape (n_samples,)
        Weight of each row.
    """

    def __init__(self, hit, valid, weight):
        self.target = hit / hit.sum(axis=1, keepdims=True)
        self.valid = valid
        self.weight = weight[:, None]

    def value(self, sums):
        """Return the loss for the scores of the valid candidates, one after another."""
        return -(self.weight * xlogy(self.target, self._probabilities(sums))).sum()

    def derivatives(self, sums):
        """Return first and second derivatives with respect to each of the scores."""
        found = self._probabilities(sums)
        first = self.weight * (found - self.target)
        second = self.weight * np.maximum(found * (1 - found), _LEAST_CURVATURE)
        return first[self.valid], second[self.valid]

    def _probabilities(self, sums):
        scores = np.zeros(self.valid.shape)
        scores[self.valid] = sums
        return _softmax(scores, self.valid)


def _softmax(scores, valid):
    """Return the softmax over the valid places of each row, zero elsewhere."""
    some = valid.any(axis=1, keepdims=True)
    return softmax(np.where(valid | ~some, scores, -np.inf), axis=1) * some


def _candidate_features(features):
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 3:
        raise InvalidInputError(
            f"ListRanker: the features have shape {features.shape!r}; give an array of shape "
            "(n_samples, n_candidates, n_features)."
        )
    return features


def _valid_places(valid, features):
    """Return which places hold a candidate, a new array."""
    if valid is None:
        return np.ones(features.shape[:2], dtype=bool)
    return np.array(np.broadcast_to(valid, features.shape[:2]), dtype=bool)


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
