"""Boosted trees that weigh evidence: which pairs share a space group, which candidate is right."""

import numpy as np
from scipy.special import expit, softmax, xlogy
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crystalml._validation import private_random_state
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._space_group_model._boosted_trees import grow_boosted_trees

# With more leaves the ranker learns the training rows' answers by heart.
_RANKER_TREES = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 127,
}
# Up to 64 leaves, prediction is fastest.
_PAIR_TREES = {
    "n_rounds": 120,
    "objective": "binary",
    "learning_rate": 0.12,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
}
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
    random_state : int, RandomState or None, default=None
        Draws features and candidates.

    Attributes
    ----------
    trees_ : BoostedTrees
        Their sum is the score.
    """

    def __init__(self, n_rounds=150, random_state=None):
        self.n_rounds = n_rounds
        self.random_state = random_state

    def fit(self, features, is_true, sample_weight=None):
        """Grow the trees on the rows that have a true one among their candidates.

        Parameters
        ----------
        features : array-like of shape (n_samples, n_candidates, n_features)
            Features of each candidate, in single precision; NaN counts as largest.
        is_true : bool array of shape (n_samples, n_candidates)
            Which candidate is right; several share the probability.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        """
        features, is_true = _candidate_features(features), np.asarray(is_true, dtype=bool)
        known = is_true.any(axis=1)
        if not known.any():
            raise InvalidInputError(
                f"{type(self).__name__}: no row has the true answer among its candidates, so there "
                "is nothing to learn. Give more candidates."
            )
        weight = np.ones(len(known)) if sample_weight is None else np.asarray(sample_weight, float)
        loss = ListwiseLoss(is_true[known], weight[known])
        self.trees_ = grow_boosted_trees(
            # A copy of features that are all used would double the memory.
            (features if known.all() else features[known]).reshape(-1, features.shape[2]),
            is_true[known].ravel().astype(np.float32),
            n_rounds=self.n_rounds,
            objective=lambda scores, _: loss.gradients(scores),
            seed=_draw_seed(self.random_state),
            caller=type(self).__name__,
            **_RANKER_TREES,
        )
        return self

    def scores(self, features):
        """Return the score of each candidate, shape (n_samples, n_candidates)."""
        check_is_fitted(self)
        features = _candidate_features(features)
        rows = features.reshape(-1, features.shape[2])
        return self.trees_.sums(rows).reshape(features.shape[:2])

    def probabilities(self, features):
        """Return the probability of each candidate; the sum over each row is one."""
        return softmax(self.scores(features), axis=1)


class PairModel(BaseEstimator):
    """Boosted trees that tell pairs with the same space group from others.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Draws features and pairs.

    Attributes
    ----------
    trees_ : BoostedTrees
        Their sum is the logarithm of the odds.
    """

    def __init__(self, random_state=None):
        self.random_state = random_state

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
            seed=_draw_seed(self.random_state),
            caller=type(self).__name__,
            **_PAIR_TREES,
        )
        return self

    def probabilities(self, features):
        """Return the probability of the same space group for each pair, shape (n_pairs,)."""
        check_is_fitted(self)
        return expit(self.trees_.sums(features))


class ListwiseLoss:
    """Cross-entropy of the softmax over the candidates of each row, as LightGBM wants it.

    Parameters
    ----------
    is_true : bool array of shape (n_samples, n_candidates)
        As in `ListRanker.fit`, each row with a true candidate.
    weight : float array of shape (n_samples,)
        Weight of each row.
    """

    def __init__(self, is_true, weight):
        self.target = is_true / is_true.sum(axis=1, keepdims=True)
        self.weight = weight[:, None]

    def value(self, scores):
        """Return the loss for the scores of all candidates, row after row."""
        return -(self.weight * xlogy(self.target, self._probabilities(scores))).sum()

    def gradients(self, scores):
        """Return first and second derivatives with respect to each of the scores."""
        found = self._probabilities(scores)
        first = self.weight * (found - self.target)
        second = self.weight * np.maximum(found * (1 - found), _LEAST_CURVATURE)
        return first.ravel(), second.ravel()

    def _probabilities(self, scores):
        return softmax(scores.reshape(self.target.shape), axis=1)


def _draw_seed(random_state):
    """Draw a seed for LightGBM."""
    # LightGBM takes whole numbers only.
    return private_random_state(random_state).randint(np.iinfo(np.int32).max)


def _candidate_features(features):
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 3:
        raise InvalidInputError(
            f"ListRanker: the features have shape {features.shape!r}; give an array of shape "
            "(n_samples, n_candidates, n_features)."
        )
    return features
