"""The torch modules: networks and losses, free of everything that trains them."""

from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


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
        layers = []
        for size in hidden_sizes:
            layers.append(nn.Linear(n_inputs, size))
            if batch_normalization:
                layers.append(nn.BatchNorm1d(size))
            layers.append(ACTIVATIONS[activation]())
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
            n_inputs = size
        super().__init__(*layers, nn.Linear(n_inputs, n_outputs))


class ClassificationLoss(nn.Module):
    """Cross-entropy of logits; with weights that average 1, a weighted mean over the rows."""

    def forward(self, logits, target, weight=None):
        """Return the mean of weight times loss."""
        if weight is None:
            return functional.cross_entropy(logits, target)
        return (functional.cross_entropy(logits, target, reduction="none") * weight).mean()

    def scores(self, logits, target, weight=None):
        """Return the share of rows, or of their weight, that the largest logit gets right."""
        hits = (logits.argmax(dim=1) == target).to(logits.dtype)
        return {"accuracy": (hits if weight is None else hits * weight).mean()}


class RegressionLoss(nn.Module):
    """Mean squared error; with weights that average 1, a weighted mean over the rows."""

    def forward(self, output, target, weight=None):
        """Return the mean of weight times squared error; `target` has the shape of `output`."""
        if weight is None:
            return functional.mse_loss(output, target)
        return (functional.mse_loss(output, target, reduction="none").mean(dim=1) * weight).mean()

    def scores(self, *_):
        """Return none: the loss says it all."""
        return {}
