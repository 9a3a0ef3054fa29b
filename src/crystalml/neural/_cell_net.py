"""The net of lattice parameters as an estimator on matrices; symmetry gives it its meaning."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from crystalml._validation import Interval
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._cell_net_module import CANDIDATE_FEATURES, SHAPE, CellLoss, CellNetModule
from crystalml.neural._parameters import hidden_sizes

__all__ = ["CANDIDATE_FEATURES", "SHAPE", "CellDistributions", "CellNet"]


class CellDistributions(NamedTuple):
    """`CellOutput` as arrays in double precision."""

    volume: np.ndarray
    lattice_volume: np.ndarray
    log_weights: np.ndarray
    scales: np.ndarray
    shapes: np.ndarray


class CellNet(BaseNetEstimator):
    """Learn volume and shape of cells; see `CellNetModule` for the columns of X and the rest.

    Parameters
    ----------
    n_context, n_candidates, n_lattices : int
        How X is composed.
    hidden_layer_sizes : sequence of int, default=(256, 128)
        Width of each shared layer.
    head_size : int, default=64
        Width of the hidden layer of each head.
    dropout : float, default=0.1
        Probability that a shared hidden unit is zeroed in training.
    learning_rate, weight_decay, batch_size, max_epochs : number
        As in `MLPNetRegressor`. The learning rate falls by a cosine to the end.
    random_state, n_threads, progress
        As in `MLPNetRegressor`.
    """

    _module_class = CellNetModule
    _criterion = CellLoss
    _y_checks = {"multi_output": True, "y_numeric": True}  # noqa: RUF012
    _n_outputs = None  # follows from the candidates
    _own_constraints = {  # noqa: RUF012
        "n_context": [Interval(Integral, 1, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_lattices": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "head_size": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }
    # What other nets leave to their users.
    optimizer = "adamw"
    scheduler = "cosine"
    activation = "silu"
    max_gradient_norm = 5.0
    min_delta = 0.0
    validation_fraction = None
    validation_splitter = None
    patience = None
    warm_start = False
    device = "cpu"
    callbacks = None
    verbose = False

    def __init__(
        self,
        n_context,
        n_candidates,
        n_lattices,
        *,
        hidden_layer_sizes=(256, 128),
        head_size=64,
        dropout=0.1,
        learning_rate=3e-3,
        weight_decay=1e-2,
        batch_size=512,
        max_epochs=25,
        random_state=None,
        n_threads=1,
        progress=False,
    ):
        self.n_context = n_context
        self.n_candidates = n_candidates
        self.n_lattices = n_lattices
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_size = head_size
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.random_state = random_state
        self.n_threads = n_threads
        self.progress = progress

    def predict_distributions(self, X):
        """Return the distributions of volume and shape of each row, as `CellDistributions`."""
        flat = self._apply(X, _flat)
        count = self.n_candidates + 1
        ends = np.cumsum([2, 2, count, count])
        volume, lattice_volume, log_weights, scales, shapes = np.split(flat, ends, axis=1)
        shapes = shapes.reshape(-1, count, SHAPE)
        return CellDistributions(volume, lattice_volume, log_weights, scales, shapes)

    def _module_parameters(self, n_inputs, n_outputs):  # noqa: ARG002
        of_candidates = self.n_candidates * (CANDIDATE_FEATURES + SHAPE)
        return {
            "n_composition": n_inputs - self.n_context - 1 - of_candidates,
            "n_context": self.n_context,
            "n_candidates": self.n_candidates,
            "n_lattices": self.n_lattices,
            "hidden_sizes": hidden_sizes(self),
            "head_size": self.head_size,
            "activation": self.activation,
            "dropout": self.dropout,
        }

    def _encode_target(self, y, weight, goes_on):  # noqa: ARG002
        return np.asarray(y, dtype=np.float32)

    def _strata(self, target):
        return np.zeros(len(target), dtype=np.int64)


def _flat(output):
    """Put all that the net says of a row into one row of numbers."""
    return np.concatenate([part.double().flatten(1).cpu().numpy() for part in output], axis=1)
