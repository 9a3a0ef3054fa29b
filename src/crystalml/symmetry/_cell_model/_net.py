"""The net of lattice parameters: a trunk reads the composition, a head per lattice gives the cell.

`CellNet` is the estimator, on matrices whose columns `CellNetModule` describes.
"""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from crystalml._validation import Interval
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._modules import ACTIVATIONS, Dropout
from crystalml.neural._parameters import hidden_sizes

SHAPE = 6  # numbers of a shape
# Beside its shape, what is said of a candidate: the first tells whether there is one.
CANDIDATE_FEATURES = 6
# Numbers of a head beside those of each candidate: a change of the volume and its scale.
_OF_VOLUME = 2
# Outputs near zero mean errors of some percent, which is where the training starts.
_LOG_SCALE = -3.0
_VOLUME_STEP = 0.1
_LOGIT_STEP = 3.0
_SMALLEST_SCALE = 0.004


class CellOutput(NamedTuple):
    """What the net says of some rows: two Laplace distributions and a mixture of them."""

    volume: torch.Tensor  # (n, 2): location and log-scale, from the composition alone
    lattice_volume: torch.Tensor  # (n, 2): the same, knowing the lattice and its contents
    log_weights: torch.Tensor  # (n, n_candidates + 1)
    scales: torch.Tensor  # (n, n_candidates + 1)
    shapes: torch.Tensor  # (n, n_candidates + 1, 6); the last is of the net's own making


class CellNetModule(nn.Module):
    """Shared hidden layers, then one small perceptron per Bravais lattice.

    A row of the input holds, in this order: descriptors of the composition; numbers about the
    cell's contents; the code of the Bravais lattice; features of the candidates; their shapes.
    The head of the row's lattice says how far to trust each candidate's shape, and makes one of
    its own by changing that of the first candidate.

    Parameters
    ----------
    n_composition, n_context, n_candidates, n_lattices : int
        Descriptors, numbers about the contents, candidates, and heads.
    hidden_sizes : sequence of int
        Width of each shared layer.
    head_size : int
        Width of the hidden layer of a head.
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Probability that a shared hidden unit is zeroed in training.
    """

    def __init__(
        self,
        n_composition,
        n_context,
        n_candidates,
        n_lattices,
        hidden_sizes,
        head_size,
        activation,
        dropout,
    ):
        super().__init__()
        self.n_candidates = n_candidates
        self.widths = [
            n_composition,
            n_context,
            1,
            n_candidates * CANDIDATE_FEATURES,
            n_candidates * SHAPE,
        ]
        layers, width = [], n_composition
        for size in hidden_sizes:
            layers += [nn.Linear(width, size), nn.LayerNorm(size), ACTIVATIONS[activation]()]
            layers += [Dropout(dropout)] if dropout > 0 else []
            width = size
        self.trunk = nn.Sequential(*layers)
        self.volume = nn.Linear(width, _OF_VOLUME)
        # Shared by the heads: the rows of rare lattices are too few to learn it from.
        self.trust = nn.Linear(CANDIDATE_FEATURES, 1)
        n_inputs = width + n_context + sum(self.widths[3:])
        n_outputs = _OF_VOLUME + 2 * (n_candidates + 1) + SHAPE
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(n_inputs, head_size),
                ACTIVATIONS[activation](),
                _small(head_size, n_outputs),
            )
            for _ in range(n_lattices)
        )

    def forward(self, x):
        """Return the distributions of volume and shape of some rows."""
        # One matrix, since the estimators of nets take no more than one input.
        composition, context, lattice, features, shapes = x.split(self.widths, dim=1)
        shared = self.trunk(composition)
        volume = self.volume(shared)
        numbers = self._by_lattice(
            torch.cat([shared, context, features, shapes], dim=1), lattice[:, 0].long()
        )
        count = self.n_candidates
        change, logits, log_scales, own = numbers.split(
            [_OF_VOLUME, count + 1, count + 1, SHAPE], dim=1
        )
        features = features.view(-1, count, CANDIDATE_FEATURES)
        shapes = shapes.view(-1, count, SHAPE)
        lattice_volume = torch.stack(
            [volume[:, 0] + _VOLUME_STEP * change[:, 0], change[:, 1] + _LOG_SCALE], dim=1
        )
        volume = torch.stack([volume[:, 0], volume[:, 1] + _LOG_SCALE], dim=1)
        own = _first_known(features[..., 0], shapes) + own
        return CellOutput(
            volume,
            lattice_volume,
            self._log_weights(logits, features),
            torch.exp(log_scales + _LOG_SCALE).clamp(min=_SMALLEST_SCALE),
            torch.cat([shapes, own[:, None]], dim=1),
        )

    def _by_lattice(self, inputs, lattice):
        """Run each row through the head of its lattice."""
        result = None
        for code in torch.unique(lattice).tolist():
            rows = torch.nonzero(lattice == code)[:, 0]
            output = self.heads[code](inputs[rows])
            if result is None:
                # From an output, which has the right type and device.
                result = output.new_zeros(len(inputs), output.shape[1])
            result = result.index_copy(0, rows, output)
        return result

    def _log_weights(self, logits, features):
        """Weigh the candidates; one that does not exist has no weight."""
        # The own shape of the net comes last, and always exists.
        known = functional.pad(features[..., 0], (0, 1), value=1.0) > 0.5
        trust = functional.pad(self.trust(features)[..., 0], (0, 1))
        logits = _LOGIT_STEP * (logits + trust)
        # Not minus infinity, from which NaN can come in gradients.
        return torch.log_softmax(logits.masked_fill(~known, -1e4), dim=1)


def _small(n_inputs, n_outputs):
    """Build a last layer that starts near zero: the first guesses then are the candidates'."""
    layer = nn.Linear(n_inputs, n_outputs)
    with torch.no_grad():
        layer.weight *= 0.3
        layer.bias.zero_()
    return layer


def _first_known(known, shapes):
    """Return the shape of the first candidate that exists, zeros where none does."""
    # argmax returns the first of equal maxima.
    first = known.argmax(dim=1)
    return shapes[torch.arange(len(shapes), device=shapes.device), first]


class CellLoss(nn.Module):
    """Negative logarithm of the likelihood of volume (twice) and shape.

    The target has 14 columns: the volume, as the logarithm of its ratio to the sum of the atoms;
    the number of free numbers of the shape; how much each of its six numbers counts; the shape.
    """

    def forward(self, output, target, weight=None):
        """Return the mean of weight times loss."""
        loss = sum(_losses(output, target))
        return (loss if weight is None else loss * weight).mean()

    def scores(self, output, target, weight=None):
        """Return the losses of volume and shape apart."""
        volume, lattice_volume, shape = _losses(output, target)
        rows = {"volume_loss": volume + lattice_volume, "shape_loss": shape}
        return {
            name: (value if weight is None else value * weight).mean()
            for name, value in rows.items()
        }


def _losses(output, target):
    """Return the three losses of each row."""
    volume, free, counts, shape = target.split([1, 1, SHAPE, SHAPE], dim=1)
    off = ((output.shapes - shape[:, None]).abs() * counts[:, None]).sum(dim=2)
    # A Laplace density of each number: the scale enters once for each that is free.
    likelihood = output.log_weights - off / output.scales - free * torch.log(output.scales)
    return (
        _laplace(output.volume, volume[:, 0]),
        _laplace(output.lattice_volume, volume[:, 0]),
        -torch.logsumexp(likelihood, dim=1),
    )


def _laplace(parameters, value):
    """Return the negative logarithm of a Laplace density, up to a constant."""
    location, log_scale = parameters.unbind(dim=1)
    return (location - value).abs() * torch.exp(-log_scale) + log_scale


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
        # No rows are set apart for validation, so that there is nothing to stratify by.
        return np.zeros(len(target), dtype=np.int64)


def _flat(output):
    """Put all that the net says of a row into one row of numbers."""
    return np.concatenate([part.double().flatten(1).cpu().numpy() for part in output], axis=1)
