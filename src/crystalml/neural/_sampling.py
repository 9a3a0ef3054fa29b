"""Monte-Carlo dropout: predictions of one net with units left out at random."""

from copy import deepcopy
from numbers import Integral

import numpy as np
from torch import nn

from crystalml.exceptions import InvalidInputError
from crystalml.neural._batches import apply_in_slices
from crystalml.neural._modules import Dropout
from crystalml.neural._torch_state import find_device, seeded

_TORCH_DROPOUT = (nn.AlphaDropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def dropout_passes(net, X, finish, *, n_samples, random_state, n_threads, caller):
    """Yield what `finish` makes of the outputs of each pass with other units dropped.

    Only dropout is switched on: batch normalisation keeps the averages of the training, so a
    pass over a row does not depend on the rows beside it. The net is left as it is.

    Parameters
    ----------
    net : Net
        Trained.
    X : ndarray of float32 of shape (n_samples, n_features)
        Checked inputs.
    finish : callable
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
    module = deepcopy(net.module_)
    layers = [layer for layer in module.modules() if _drops(layer)]
    if not layers:
        raise InvalidInputError(
            f"{caller}: the fitted net drops no units, so all samples would be equal. Fit it with "
            "dropout > 0 (e.g. dropout=0.2), or use an ensemble of nets."
        )
    device = find_device(net.device, caller=caller)
    for seed in generator_of(random_state).randint(np.iinfo(np.int32).max, size=n_samples):
        for layer in layers:
            layer.train()  # also forgets the masks that the pass before has left
        with seeded(int(seed), device, n_threads):
            sample = apply_in_slices(net, X, finish, n_threads=n_threads, module=module)
        yield sample


def generator_of(random_state):
    """Return a generator of our own, or the user's; never the global one."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(random_state)


def _drops(layer):
    """Tell whether a layer zeroes units in training."""
    if isinstance(layer, Dropout):
        return layer.probability > 0
    return isinstance(layer, _TORCH_DROPOUT) and layer.p > 0
