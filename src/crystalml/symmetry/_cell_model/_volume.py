"""Volume per atom from the composition alone: atomic volumes, corrected by boosted trees."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted

from crystalml.crystallography import ELEMENTS, parse_formulas
from crystalml.descriptors import CompositionDescriptors

# Of the additive volumes: passes of reweighting, and the relative error up to which an error
# counts by its square; beyond, by its absolute value, so that wrong entries pull little.
_PASSES, _SMALL_ERROR = 8, 0.02
# Rows' worth of belief that an atom has the mean volume, for elements that are rare or unseen.
_PRIOR_ROWS = 0.1
# No sum of atoms is taken to be smaller than this, in Å^3 per atom.
_SMALLEST_VOLUME = 2.0


class AtomicVolumeModel(RegressorMixin, BaseEstimator):
    """Predict the volume of a crystal per atom in Å^3 from its formula.

    The volume is first a sum of one volume for each element, fitted robustly; boosted trees on
    the descriptors of Ward et al. (2016) then learn the logarithm of what the sum is off by,
    with absolute errors as the loss.

    Parameters
    ----------
    max_iter : int, default=150
        Boosted trees; 0 leaves the sum of the elements uncorrected.
    learning_rate : float, default=0.2
        Share of each tree that is added.
    max_leaf_nodes : int, default=127
        Leaves of a tree.
    random_state : int, RandomState or None, default=None
        Draws the descriptors that each node of a tree may look at.

    Attributes
    ----------
    element_volumes_ : ndarray of shape (118,)
        Volume of an atom of each element in the sum, in Å^3.
    trees_ : HistGradientBoostingRegressor or None
        The correction in ln volume.
    """

    def __init__(self, max_iter=150, *, learning_rate=0.2, max_leaf_nodes=127, random_state=None):
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, *, descriptors=None):
        """Fit the volumes of the elements, then the correction.

        Parameters
        ----------
        X : sequence of str, or sparse matrix of shape (n_samples, 118)
            Formulas, or amounts of the elements.
        y : array-like of shape (n_samples,)
            Volume per atom in Å^3.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        descriptors : array-like of shape (n_samples, 145), default=None
            ``CompositionDescriptors()`` of the rows, where they are at hand.
        """
        volumes = np.asarray(y, dtype=float)
        amounts = _amounts(X)
        weight = np.ones(len(volumes)) if sample_weight is None else np.asarray(sample_weight)
        self.element_volumes_ = fit_element_volumes(amounts, volumes, weight)
        self.trees_ = None
        if self.max_iter > 0:
            sums = self._log_sums(amounts)
            self.trees_ = HistGradientBoostingRegressor(
                # Volumes in databases have gross errors, which squared errors would follow.
                loss="absolute_error",
                max_iter=self.max_iter,
                learning_rate=self.learning_rate,
                max_leaf_nodes=self.max_leaf_nodes,
                min_samples_leaf=3,
                max_features=0.15,
                # Its hold-out rows would be polymorphs and neighbours of the training rows.
                early_stopping=False,
                random_state=self.random_state,
            )
            inputs = _inputs(amounts, sums, descriptors)
            self.trees_.fit(inputs, np.log(volumes) - sums, sample_weight=weight)
        return self

    def predict(self, X, *, descriptors=None):
        """Return the volume per atom in Å^3, shape (n_samples,); arguments as in `fit`."""
        return np.exp(self.predict_log(X, descriptors=descriptors))

    def predict_log(self, X, *, descriptors=None):
        """Return the natural logarithm of the volume per atom in Å^3, shape (n_samples,)."""
        check_is_fitted(self)
        amounts = _amounts(X)
        sums = self._log_sums(amounts)
        if self.trees_ is None:
            return sums
        return sums + self.trees_.predict(_inputs(amounts, sums, descriptors))

    def _log_sums(self, amounts):
        """Return the logarithm of the mean of the elements' volumes over the atoms."""
        means = (amounts @ self.element_volumes_) / amounts.sum(axis=1)
        return np.log(np.maximum(means, _SMALLEST_VOLUME))


def fit_element_volumes(amounts, volumes, weight):
    """Return one volume per element, shape (118,), with the least absolute relative errors.

    An element without entries gets the mean volume.

    Parameters
    ----------
    amounts : sparse matrix of shape (n, 118)
        Amounts of the elements.
    volumes : ndarray of shape (n,)
        Volume per atom in Å^3.
    weight : ndarray of shape (n,)
        Weight of each row.
    """
    # Each row is divided by its volume: errors are then relative, and the target is 1.
    scale = 1.0 / (amounts.sum(axis=1) * volumes)
    shares = sparse.csr_array(sparse.diags_array(scale) @ amounts)
    mean = np.average(volumes, weights=weight)
    belief = _PRIOR_ROWS / mean**2 * np.eye(len(ELEMENTS))
    robust = weight
    # Reweighted least squares solve one system of 118 unknowns a pass, however many rows come.
    for _ in range(_PASSES):
        weighted = sparse.diags_array(robust) @ shares
        gram = (shares.T @ weighted).toarray() + belief
        right_side = weighted.sum(axis=0) + belief.sum(axis=0) * mean
        found = np.linalg.solve(gram, right_side)
        robust = weight / np.maximum(np.abs(shares @ found - 1.0) / _SMALL_ERROR, 1.0)
    return found


def _amounts(X):
    """Return the amounts of the elements as a CSR array of shape (n, 118)."""
    return sparse.csr_array(X) if sparse.issparse(X) else parse_formulas(X).amounts


def _inputs(amounts, sums, descriptors):
    """Put the logarithm of the sums beside the descriptors of the composition."""
    if descriptors is None:
        descriptors = CompositionDescriptors().transform(amounts)
    return np.column_stack([descriptors, sums])
