"""Uncertainty from several predictions of the same rows: by an ensemble, or with dropout.

The samples come one by one, from the members of an ensemble or from passes with dropout, and are
never held all at once.
"""

from copy import deepcopy
from numbers import Integral

import numpy as np
from scipy.special import entr
from sklearn.utils import Bunch
from torch import nn

from crystalml._validation import private_random_state
from crystalml.exceptions import InvalidInputError
from crystalml.neural._batches import apply_in_slices
from crystalml.neural._modules import Dropout
from crystalml.neural._torch_state import find_device, seeded

_TORCH_DROPOUT = (nn.AlphaDropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def probability_uncertainty(samples):
    """Sum up probabilities of the same rows.

    The entropy of the mean probability is the sum of the mean entropy of the samples (the classes
    overlap) and the mutual information between class and sample (the samples disagree, so more
    data could help): Depeweg et al. (2018), Houlsby et al. (2011).

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
        # Where no sample predicts a scatter, what is left is the disagreement.
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
            # A copy: the sums are updated in place, and the sample is the caller's.
            self.mean, self._squares = sample.copy(), np.zeros_like(sample)
            return
        # Sums of squares minus squares of sums would lose all digits where the mean is large.
        change = sample - self.mean
        self.mean += change / self.count
        self._squares += change * (sample - self.mean)

    @property
    def std(self):
        """Standard deviation of the arrays given, not of a population behind them."""
        return np.sqrt(self._squares / self.count)


def dropout_passes(net, X, convert, *, n_samples, random_state, n_threads, caller):
    """Yield what `convert` makes of the outputs of each pass with other units dropped.

    Only dropout is switched on: batch normalisation keeps the averages of the training, so a
    pass over a row does not depend on the rows beside it. The net is left as it is.

    Parameters
    ----------
    net : Net
        Trained.
    X : ndarray of float32 of shape (n_samples, n_features)
        Checked inputs.
    convert : callable
        Takes the module's output for a slice, gives an array with as many rows.
    n_samples : int
        Number of passes.
    random_state : int, RandomState or None
        Decides the dropped units.
    n_threads : int or None
        Threads of torch while this runs.
    caller : str
        Name of the estimator, used in messages.

    Raises
    ------
    InvalidInputError
        If the net has no dropout, or `n_samples` is no positive whole number.
    """
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise InvalidInputError(
            f"{caller}: n_samples must be a whole number >= 1, got {n_samples!r}."
        )
    # A copy, so that dropout is never on in the net itself, even if an error interrupts the passes.
    module = deepcopy(net.module_)
    layers = [layer for layer in module.modules() if _drops(layer)]
    if not layers:
        raise InvalidInputError(
            f"{caller}: the fitted net drops no units, so all samples would be equal. Fit it with "
            "dropout > 0 (e.g. dropout=0.2), or use an ensemble of nets."
        )
    device = find_device(net.device, caller=caller)
    for seed in private_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_samples):
        for layer in layers:
            # Switching also drops the masks that are left from the pass before, which had another
            # seed.
            layer.train()
        # A seed for each pass: a pass then does not depend on how far the others were read.
        with seeded(int(seed), device, n_threads):
            sample = apply_in_slices(net, X, convert, n_threads=n_threads, module=module)
        yield sample


def _drops(layer):
    """Tell whether a layer zeroes units in training."""
    if isinstance(layer, Dropout):
        # A layer with probability 0 passes everything on; such a net would give equal samples.
        return layer.probability > 0
    return isinstance(layer, _TORCH_DROPOUT) and layer.p > 0
