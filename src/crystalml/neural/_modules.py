"""The torch modules: networks and losses, free of everything that trains them."""

import torch
from torch import nn
from torch.nn import functional

# Parameters name them, so that estimators can be written to files and searched over.
ACTIVATIONS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Dropout(nn.Module):
    """Dropout with masks drawn in bulk; torch's own draws single numbers, which costs more.

    Masks come from 16 random bits per unit, so `probability` is rounded to 1/65536; what is
    kept is scaled by the rounded value, so that its expectation is exact.

    Parameters
    ----------
    probability : float
        Probability that a unit is zeroed in training.
    """

    # Numbers drawn at a time, unless a layer needs more: a call for each batch costs more than
    # the numbers.
    bulk = 65536
    _used: int

    def __init__(self, probability):
        super().__init__()
        self.probability = probability
        # At least one of the 65536 patterns keeps its unit, as the scale would be infinite
        # otherwise.
        dropped = min(round(probability * 65536), 65535)
        # Read as signed numbers, the patterns run from -32768.
        self._lowest_kept = dropped - 32768
        self._scale = 65536 / (65536 - dropped)
        self._masks = None

    def forward(self, x):
        """Zero some units and scale up the others; in evaluation mode, change nothing."""
        if not self.training:
            return x
        n_units = x.numel()
        # What is left over of the masks is thrown away: to join two pieces would be a copy.
        if self._masks is None or self._used + n_units > len(self._masks):
            self._masks, self._used = self._draw(max(n_units, self.bulk), x), 0
        mask = self._masks[self._used : self._used + n_units]
        self._used += n_units
        return x * mask.view(x.shape)

    def train(self, mode=True):
        """Switch the mode, and forget masks drawn in advance."""
        self._masks = None
        return super().train(mode)

    def extra_repr(self):
        """Show the probability, as torch's dropout does."""
        return f"p={self.probability}"

    def _draw(self, n_units, like):
        """Draw masks from random bits: 0, or the scale, for each unit."""
        # One 64-bit word holds the bits of four units; rounded up to whole words.
        words = torch.empty(-(-n_units // 4), dtype=torch.int64, device=like.device)
        # The whole range of the type: torch's default would leave the sign bit unset.
        bits = words.random_(-(2**63), None).view(torch.int16)[:n_units]
        return (bits >= self._lowest_kept).to(like.dtype).mul_(self._scale)


class MLP(nn.Sequential):
    """Multilayer perceptron: Linear[-BatchNorm]-activation[-Dropout] blocks and a Linear output.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input and of the output.
    hidden_sizes : sequence of int
        Width of each hidden layer; empty for a linear model.
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Probability that a hidden unit is zeroed in training; 0 builds no dropout layers.
    batch_normalization : bool
        Normalise before each activation.
    """

    def __init__(self, n_inputs, n_outputs, hidden_sizes, activation, dropout, batch_normalization):
        layers = hidden_layers(n_inputs, hidden_sizes, activation, dropout, batch_normalization)
        super().__init__(*layers, nn.Linear([n_inputs, *hidden_sizes][-1], n_outputs))


def hidden_layers(n_inputs, hidden_sizes, activation, dropout, batch_normalization):
    """Return the layers of a multilayer perceptron without its output; parameters as in `MLP`."""
    layers = []
    for size in hidden_sizes:
        layers.append(nn.Linear(n_inputs, size))
        if batch_normalization:
            # Before the activation, as in the paper that proposed it (Ioffe and Szegedy, 2015).
            layers.append(nn.BatchNorm1d(size))
        layers.append(ACTIVATIONS[activation]())
        if dropout > 0:
            layers.append(Dropout(dropout))
        n_inputs = size
    return layers


class ClassificationLoss(nn.Module):
    """Cross-entropy of logits; with weights that average 1, a weighted mean over the rows."""

    def forward(self, logits, target, weight=None):
        """Return the mean of weight times loss."""
        if weight is None:
            return functional.cross_entropy(logits, target)
        # torch's own weights are by class; these are by row.
        return (functional.cross_entropy(logits, target, reduction="none") * weight).mean()

    def scores(self, logits, target, weight=None):
        """Return the share of rows, or of their weight, that the largest logit gets right."""
        is_correct = (logits.argmax(dim=1) == target).to(logits.dtype)
        return {"accuracy": (is_correct if weight is None else is_correct * weight).mean()}

    def predictions(self, logits):
        """Return the code of the most probable class."""
        return logits.argmax(dim=1)

    def probabilities(self, logits):
        """Return the probability of each class."""
        # Scorers of callbacks check that rows sum to 1.
        return torch.softmax(logits.double(), dim=1)


class RegressionLoss(nn.Module):
    """Mean squared error; with weights that average 1, a weighted mean over the rows."""

    def forward(self, output, target, weight=None):
        """Return the mean of weight times squared error; `target` has the shape of `output`."""
        if weight is None:
            return functional.mse_loss(output, target)
        return (functional.mse_loss(output, target, reduction="none").mean(dim=1) * weight).mean()

    def scores(self, *_):
        """Return none: the loss is the only measure."""
        return {}

    def predictions(self, output):
        """Return the standardised targets."""
        return output


def can_normalise_batches(module):
    """Tell whether `module` holds batch normalisation, which cannot learn from a single row."""
    return any(isinstance(part, nn.BatchNorm1d) for part in module.modules())
