"""How many formula units a cell holds, given an estimate from its volume."""

from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from crystalml.symmetry._cell_model._volume import fit_element_volumes
from crystalml.symmetry._space_group_model._boosted_trees import grow_boosted_trees

# The mixture that describes errors of the estimates: a normal core, and tails for the rest.
_FIRST_TAIL_SHARE, _FIRST_TAIL_RATIO = 0.1, 5.0
_SMALLEST_SPREAD = 1e-3
_ITERATIONS = 200
_CONVERGED = 1e-10
_WHOLE = 1e-3
# Numbers are counted up to here; the rest of the table is for what is beyond.
_COUNTED, _TABLE = 192, 204
_PSEUDOCOUNTS = 40.0
# Where they are not seen, numbers are as frequent as those that share the same divisor with this,
# but for a fall with the square.
_DIVISIBILITY = 12
_FARTHEST = 16  # candidates are sought this far from the estimate, at least
_LARGEST_LOG = np.log(1e6)
# In Å^3; no mean over a formula's atoms is taken to be smaller.
_SMALLEST_VOLUME = 2.0
# Huber's loss, since some of the reported cells or formulas are wrong.
_VOLUME_TREES = {
    "n_rounds": 250,
    "objective": "huber",
    "alpha": 0.1,
    "learning_rate": 0.08,
    "num_leaves": 31,
    "min_data_in_leaf": 5,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 127,
}


class FormulaUnits(NamedTuple):
    """How many formula units n cells hold."""

    log_units: np.ndarray
    """Logarithm of the number, not rounded, from the volume or from the atoms in the cell."""
    log_atoms_per_unit: np.ndarray
    """Logarithm of the atoms of one formula unit."""
    candidates: np.ndarray
    """Whole numbers that come into question, most probable first, shape (n, k)."""
    weights: np.ndarray
    """Their probabilities, likewise."""

    @property
    def log_atoms(self):
        """Logarithm of the number of atoms in the cell."""
        return self.log_units + self.log_atoms_per_unit

    def columns(self):
        """Columns for trees."""
        best = self.candidates[:, 0]
        log_best = np.log(best)
        # General positions have multiplicities that 2, 3 or 4 divide.
        divides = [best % number == 0 for number in (2, 3, 4)]
        return np.column_stack(
            [
                self.log_units,
                log_best,
                *divides,
                self.log_units - log_best,
                log_best + self.log_atoms_per_unit,
                self.weights[:, 0],
            ]
        )


class FormulaUnitPrior:
    """Probabilities of the number of formula units, Z, around estimates of its logarithm.

    The posterior is the frequency of Z among crystals times the density of the error of the
    estimate, a mixture of a narrow and a wide normal distribution about a common centre.

    Attributes
    ----------
    centre_ : float
        Middle of the errors, ln(estimate) - ln(Z).
    spreads_ : ndarray of shape (2,)
        Standard deviations of the core and of the tails.
    shares_ : ndarray of shape (2,)
        Shares of the core and of the tails.
    log_frequencies_ : ndarray of shape (205,)
        Logarithms of the smoothed frequencies of Z = 0, 1, ..., 204; minus infinity for 0.
    """

    def fit(self, log_units_estimated, units_true):
        """Learn from crystals whose Z is known.

        Parameters
        ----------
        log_units_estimated : ndarray of shape (n,)
            Logarithms of the estimated numbers of formula units.
        units_true : ndarray of shape (n,)
            True numbers. Rows where this is no whole number, as for many disordered formulas,
            or where one of the two is missing, are left out.

        Returns
        -------
        self : FormulaUnitPrior
            Without any row, the spread is taken as 10 % and frequencies fall with Z squared.
        """
        units_true = np.asarray(units_true, dtype=float)
        units = np.rint(np.nan_to_num(units_true))
        is_known = (units >= 1) & (np.abs(units_true - units) < _WHOLE)
        is_known &= np.isfinite(log_units_estimated)
        units = units[is_known].astype(np.int64)
        errors = np.asarray(log_units_estimated, dtype=float)[is_known] - np.log(units)
        self.centre_, self.spreads_, self.shares_ = _fit_mixture(errors)
        self.log_frequencies_ = _log_frequencies(units)
        return self

    def candidates(self, log_units, n_candidates=5):
        """Return the most probable numbers of formula units among those near the estimates.

        Parameters
        ----------
        log_units : ndarray of shape (n,)
            Logarithms of the estimated numbers; NaN where nothing is known, for which the
            frequencies alone decide.
        n_candidates : int, default=5
            How many to return for each row.

        Returns
        -------
        units : ndarray of int64, shape (n, n_candidates)
            Whole numbers from one, the most probable first.
        weights : ndarray of shape (n, n_candidates)
            Their probabilities, scaled to a sum of one.
        """
        log_units = np.clip(np.asarray(log_units, dtype=float), -_LARGEST_LOG, _LARGEST_LOG)
        is_known = np.isfinite(log_units)
        centred = np.where(is_known, log_units, 0.0) - self.centre_
        reach = max(_FARTHEST, n_candidates)
        middle = np.maximum(np.rint(np.exp(centred)).astype(np.int64), 1)
        units = np.maximum(middle - reach, 1)[:, None] + np.arange(2 * reach + 1)
        errors = centred[:, None] - np.log(units)
        scores = np.where(is_known[:, None], self._log_density(errors), 0.0)
        scores += self._log_frequency(units)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :n_candidates]
        scores = np.take_along_axis(scores, best, axis=1)
        weights = np.exp(scores - scores[:, :1])
        return np.take_along_axis(units, best, axis=1), weights / weights.sum(axis=1, keepdims=True)

    def exact(self, units):
        """Return known numbers of formula units as `candidates` does, one for each row.

        Numbers that are not whole, as for disordered formulas, are rounded, at least to one.
        """
        whole = np.maximum(np.rint(np.asarray(units, dtype=float)), 1.0).astype(np.int64)
        return whole[:, None], np.ones((len(whole), 1))

    def _log_density(self, errors):
        """Logarithm of the density of centred errors."""
        core, tails = _log_components(errors, self.spreads_, self.shares_)
        return np.logaddexp(core, tails)

    def _log_frequency(self, units):
        """Logarithm of the frequency of whole numbers, however large."""
        # The end of the table has no counts of its own, so that it can stand for all beyond.
        excess = np.maximum(units - _TABLE, 0)
        within = units - -(-excess // _DIVISIBILITY) * _DIVISIBILITY
        return self.log_frequencies_[within] - 2.0 * np.log(units / within)


def _fit_mixture(errors):
    """Return centre, spreads and shares of a core and tails, by expectation-maximization."""
    if len(errors) == 0:
        return 0.0, np.array([0.1, 0.5]), np.array([0.9, 0.1])
    centre = np.median(errors)
    # For a normal distribution, 1.4826 times the median deviation is the standard deviation.
    spread = max(1.4826 * np.median(np.abs(errors - centre)), _SMALLEST_SPREAD)
    spreads = spread * np.array([1.0, _FIRST_TAIL_RATIO])
    shares = np.array([1.0 - _FIRST_TAIL_SHARE, _FIRST_TAIL_SHARE])
    before = -np.inf
    for _ in range(_ITERATIONS):
        joint = _log_components(errors - centre, spreads, shares)
        total = np.logaddexp(*joint)
        if total.mean() - before < _CONVERGED:
            break
        before = total.mean()
        belongs = np.exp(joint - total)
        weights = belongs / spreads[:, None] ** 2
        centre = (weights.sum(axis=0) * errors).sum() / weights.sum()
        sizes = np.maximum(belongs.sum(axis=1), np.finfo(float).tiny)
        spreads = np.sqrt((belongs * (errors - centre) ** 2).sum(axis=1) / sizes)
        spreads = np.maximum(spreads, _SMALLEST_SPREAD)
        shares = (sizes + 1.0) / (sizes.sum() + 2.0)  # neither may die out
    return float(centre), spreads, shares


def _log_components(errors, spreads, shares):
    """Logarithms of the densities of core and tails, each times its share."""
    scaled = errors / spreads.reshape(2, *[1] * np.ndim(errors))
    constants = np.log(shares) - np.log(spreads) - 0.5 * np.log(2.0 * np.pi)
    return constants.reshape(2, *[1] * np.ndim(errors)) - 0.5 * scaled**2


def _log_frequencies(units):
    """Logarithms of smoothed frequencies of the numbers from 0 to `_TABLE`."""
    numbers = np.arange(1, _TABLE + 1)
    counts = np.bincount(units[units <= _COUNTED], minlength=_TABLE + 1)[1:]
    like = np.gcd(numbers, _DIVISIBILITY)
    fall = 1.0 / numbers**2.0
    # Of each divisibility, as many as are seen and a few more, spread out by the fall.
    divisors, classes = np.unique(like, return_inverse=True)
    shapes = (np.arange(len(divisors))[:, None] == classes) * fall
    expected = shapes.sum(axis=1) / fall.sum()
    seen = np.bincount(classes, weights=counts, minlength=len(divisors))
    shares = (seen + _PSEUDOCOUNTS * expected) / (seen.sum() + _PSEUDOCOUNTS)
    base = shares @ (shapes / shapes.sum(axis=1, keepdims=True))
    frequencies = (counts + _PSEUDOCOUNTS * base) / (counts.sum() + _PSEUDOCOUNTS)
    return np.concatenate([[-np.inf], np.log(frequencies)])


class VolumeTrees(BaseEstimator):
    """Predict the logarithm of the volume per atom.

    The same model as `AtomicVolumeModel`, with trees that are plain arrays and grow in a few
    seconds, as they are grown once for each fold here.

    Parameters
    ----------
    random_state : int, default=0
        Draws features and rows.
    n_threads : int, default=None
        Threads of fitting; None means one.
    """

    def __init__(self, random_state=0, n_threads=None):
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, amounts, statistics, volumes):
        """Fit to amounts (n, 118), statistics of their elements, and volumes per atom in Å^3."""
        self.element_volumes_ = fit_element_volumes(amounts, volumes, np.ones(len(volumes)))
        sums = self._log_sums(amounts)
        self.trees_ = grow_boosted_trees(
            np.column_stack([statistics, sums]).astype(np.float32),
            np.log(volumes) - sums,
            seed=self.random_state,
            n_threads=self.n_threads,
            caller=type(self).__name__,
            **_VOLUME_TREES,
        )
        return self

    def predict_log(self, amounts, statistics):
        """Return the natural logarithm of the volume per atom in Å^3."""
        sums = self._log_sums(amounts)
        return sums + self.trees_.sums(np.column_stack([statistics, sums]).astype(np.float32))

    def _log_sums(self, amounts):
        means = (amounts @ self.element_volumes_) / amounts.sum(axis=1)
        return np.log(np.maximum(means, _SMALLEST_VOLUME))
