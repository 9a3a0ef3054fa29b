"""Rows in slices, for training and prediction: a data loader would collate them row by row."""

from copy import deepcopy
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from crystalml.neural._torch_state import threads

# Large enough to keep the kernels busy, small enough for the activations to stay in the caches.
PREDICTION_ROWS = 4096
# Rows that are permuted and copied at a time: a copy of all rows would double the memory.
_BLOCK_ROWS = 8192
# The last rows of an epoch are a batch of their own if they are at least one part in so many of a
# whole batch.
_SMALL = 8


class Batches:
    """Rows of a subset in their order, as slices of tensors gathered once."""

    def __init__(self, subset, batch_size):
        self.data = subset.dataset
        self.rows = torch.as_tensor(subset.indices, device=self.data.X.device)
        # Validation rows keep their order, so they are copied once for all epochs.
        self.gathered = self._gather(self.rows)
        self.bounds = [*range(0, len(self.rows), batch_size), len(self.rows)]

    def __iter__(self):
        yield from self._slices(self.gathered, self.bounds)

    def _gather(self, rows):
        """Copy the chosen rows of inputs, target and weights."""
        columns = (self.data.X, self.data.y, self.data.weight)
        return [None if part is None else part.index_select(0, rows) for part in columns]

    def _slices(self, tensors, bounds):
        """Cut tensors into what skorch calls a batch: (inputs, (target, weight))."""
        X, y, weight = tensors
        for start, stop in pairwise(bounds):
            yield (
                X[start:stop],
                (y[start:stop], None if weight is None else weight[start:stop]),
            )


class PermutedBatches(Batches):
    """Rows of a subset in a new random order at every pass.

    A rest of few rows is joined to the batch before: its step would be as long as any other,
    but in a direction that few rows decide, and batch normalisation would measure them by
    themselves (with two rows every unit becomes -1 or 1, and with one it fails).
    """

    def __init__(self, subset, batch_size):
        # Without the constructor of the base class, which would copy all rows at once.
        self.data = subset.dataset
        self.rows = torch.as_tensor(subset.indices, device=self.data.X.device)
        self.bounds = [*range(0, len(self.rows), batch_size), len(self.rows)]
        rest = len(self.rows) % batch_size
        if len(self.bounds) > 2 and (rest == 1 or 0 < rest < batch_size / _SMALL):
            # Without its end, the last whole batch runs on to the end of the rows.
            del self.bounds[-2]
        self.batches_per_block = max(1, _BLOCK_ROWS // batch_size)

    def __iter__(self):
        # Drawn by torch's generator, which the fit has seeded; NumPy's belongs to the user.
        order = self.rows[torch.randperm(len(self.rows), device=self.rows.device)]
        for first in range(0, len(self.bounds) - 1, self.batches_per_block):
            bounds = self.bounds[first : first + self.batches_per_block + 1]
            block = self._gather(order[bounds[0] : bounds[-1]])
            yield from self._slices(block, [bound - bounds[0] for bound in bounds])


def apply_in_slices(net, X, convert, *, n_threads, module=None):
    """Run the module over `X` in slices, and collect what `convert` makes of each output.

    Parameters
    ----------
    net : Net
        Trained.
    X : ndarray of float32 of shape (n_samples, n_features)
        Inputs.
    convert : callable
        Takes the module's output for a slice, gives an array with as many rows.
    n_threads : int or None
        Threads of torch while this runs.
    module : torch.nn.Module or None
        Part of the net's module to run; None runs all of it.

    Returns
    -------
    ndarray of shape (n_samples, ...)
    """
    module = net.module_ if module is None else module
    device = net.device
    with threads(n_threads), torch.inference_mode():
        # The output of a single slice is the result: no array to collect slices in.
        if len(X) <= PREDICTION_ROWS:
            return convert(module(as_tensor(X, device)))
        result = None
        for start in range(0, len(X), PREDICTION_ROWS):
            rows = slice(start, start + PREDICTION_ROWS)
            part = convert(module(as_tensor(X[rows], device)))
            if result is None:
                # The first slice tells how wide the output is and of which type.
                result = np.empty((len(X), *part.shape[1:]), dtype=part.dtype)
            result[rows] = part
    return result


def apply_in_double(net, X, convert, *, n_threads, module=None, function=None):
    """Run a copy of the module in double precision: rounding in single depends on the batch.

    Parameters
    ----------
    net, X, convert, n_threads, module
        As in `apply_in_slices`.
    function : callable or None
        Takes the module and inputs, and gives what `convert` is called with; None calls the module.

    Returns
    -------
    ndarray of shape (n_samples, ...)
    """
    # A copy, as training may continue, and that in single precision.
    module = deepcopy(net.module_ if module is None else module).double()
    run = module if function is None else partial(function, module)
    rows = X.astype(np.float64, copy=False)
    return apply_in_slices(net, rows, convert, n_threads=n_threads, module=run)


def as_tensor(array, device="cpu"):
    """Wrap an array without copying it where that is possible."""
    # torch has no read-only tensors, and warns of such arrays (pandas and joblib's workers give
    # some).
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array).to(device)
