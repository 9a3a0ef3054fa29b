"""What several predictions of the same rows say together: how sure, and why not surer.

The samples come one by one, from the members of an ensemble or from passes with dropout, and are
never held all at once.
"""

import numpy as np
from scipy.special import entr
from sklearn.utils import Bunch


def probability_uncertainty(samples):
    """Sum up probabilities of the same rows.

    The entropy of the mean probability splits into what the samples say each on its own (the
    classes overlap) and the mutual information between class and sample (the samples disagree,
    so more data could help): Depeweg et al. (2018), Houlsby et al. (2011).

    Parameters
    ----------
    samples : iterable of ndarray of shape (n_rows, n_classes)
        Probabilities.

    Returns
    -------
    Bunch
        ``predictive_entropy``, ``expected_entropy``, ``mutual_information`` of shape (n_rows,), in
        nats; ``probability``, ``spread`` of shape (n_rows, n_classes).
    """
    running, entropy = _RunningMoments(), _RunningMoments()
    for sample in samples:
        running.add(sample)
        entropy.add(entr(sample).sum(axis=1))
    predictive = entr(running.mean).sum(axis=1)
    return Bunch(
        predictive_entropy=predictive,
        expected_entropy=entropy.mean,
        # Never negative but for rounding.
        mutual_information=np.maximum(predictive - entropy.mean, 0),
        probability=running.mean,
        spread=running.std,
    )


def total_uncertainty(samples):
    """Sum up means and standard deviations of the same targets by the law of total variance.

    Parameters
    ----------
    samples : iterable of (ndarray, ndarray or None)
        Mean and standard deviation; None where the latter is not known.

    Returns
    -------
    Bunch
        ``mean``, ``std``, ``spread`` (of the means), ``noise`` (root mean square of the standard
        deviations, NaN where not known), in the shape of a sample.
    """
    running, variance = _RunningMoments(), _RunningMoments()
    for mean, std in samples:
        running.add(mean)
        variance.add(np.full_like(mean, np.nan) if std is None else std**2)
    noise = np.sqrt(variance.mean)
    return Bunch(
        mean=running.mean,
        std=np.hypot(running.std, np.nan_to_num(noise)),
        spread=running.std,
        noise=noise,
    )


class _RunningMoments:
    """Mean and variance of arrays that come one by one (Welford, 1962): equal ones have none."""

    def __init__(self):
        self.count = 0

    def add(self, sample):
        """Take one more array."""
        self.count += 1
        if self.count == 1:
            self.mean, self._squares = sample.copy(), np.zeros_like(sample)
            return
        change = sample - self.mean
        self.mean += change / self.count
        self._squares += change * (sample - self.mean)

    @property
    def std(self):
        """Standard deviation of the arrays given, not of a population behind them."""
        return np.sqrt(self._squares / self.count)
