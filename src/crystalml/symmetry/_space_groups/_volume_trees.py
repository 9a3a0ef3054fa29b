"""Volume per atom from the composition: volumes of the elements, corrected by boosted trees."""

import numpy as np
from sklearn.base import BaseEstimator

from crystalml.symmetry._cell_model._volume import fit_element_volumes
from crystalml.symmetry._space_groups._boosted_trees import grow_boosted_trees

# In Å^3; no mean over a formula's atoms is taken to be smaller.
_SMALLEST_VOLUME = 2.0


class VolumeTrees(BaseEstimator):
    """Predict the logarithm of the volume per atom.

    The same model as `AtomicVolumeModel`, with trees that are plain arrays and grow in a few
    seconds, as they are grown once for each fold here.

    Parameters
    ----------
    n_rounds : int, default=250
        Trees.
    learning_rate : float, default=0.08
        Share of each tree that is added.
    random_state : int, default=0
        Draws features and rows.
    n_threads : int, default=None
        Threads of fitting; None means one.
    """

    def __init__(self, n_rounds=250, learning_rate=0.08, random_state=0, n_threads=None):
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, amounts, statistics, volumes):
        """Fit to amounts (n, 118), statistics of their elements, and volumes per atom in Å^3."""
        self.element_volumes_ = fit_element_volumes(amounts, volumes, np.ones(len(volumes)))
        sums = self._log_sums(amounts)
        self.trees_ = grow_boosted_trees(
            np.column_stack([statistics, sums]).astype(np.float32),
            np.log(volumes) - sums,
            n_rounds=self.n_rounds,
            objective="huber",
            alpha=0.1,
            seed=self.random_state,
            n_threads=self.n_threads,
            caller=type(self).__name__,
            learning_rate=self.learning_rate,
            num_leaves=31,
            min_data_in_leaf=5,
            feature_fraction=0.3,
            bagging_fraction=0.8,
            bagging_freq=1,
            max_bin=127,
        )
        return self

    def predict_log(self, amounts, statistics):
        """Return the natural logarithm of the volume per atom in Å^3."""
        sums = self._log_sums(amounts)
        return sums + self.trees_.sums(np.column_stack([statistics, sums]).astype(np.float32))

    def _log_sums(self, amounts):
        means = (amounts @ self.element_volumes_) / amounts.sum(axis=1)
        return np.log(np.maximum(means, _SMALLEST_VOLUME))
