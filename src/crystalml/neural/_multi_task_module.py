"""One trunk with two heads, and the loss that weighs a class against a number."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from crystalml.neural._modules import MLP, hidden_layers


class TwoTaskOutput(NamedTuple):
    """What the net says of some rows."""

    logits: torch.Tensor  # (n_rows, n_classes)
    volume: torch.Tensor  # (n_rows,), standardised
    log_variances: torch.Tensor | None  # of the two tasks, where they are learned


class TwoTaskNet(nn.Module):
    """Hidden layers that two heads share, one for the classes and one for the volume.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input, and number of classes.
    hidden_sizes : sequence of int
        Width of each shared layer.
    head_sizes : sequence of int
        Width of each hidden layer of either head.
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Probability that a shared hidden unit is zeroed in training.
    batch_normalization : bool
        Normalise shared layers before each activation.
    learned_weights : bool
        Whether the variances of the two tasks are parameters.
    """

    def __init__(
        self,
        n_inputs,
        n_outputs,
        hidden_sizes,
        head_sizes,
        activation,
        dropout,
        batch_normalization,
        learned_weights,
    ):
        super().__init__()
        layers = hidden_layers(n_inputs, hidden_sizes, activation, dropout, batch_normalization)
        self.trunk = nn.Sequential(*layers)
        width = [n_inputs, *hidden_sizes][-1]
        self.class_head = MLP(width, n_outputs, head_sizes, activation, 0.0, False)
        self.volume_head = MLP(width, 1, head_sizes, activation, 0.0, False)
        self.log_variances = nn.Parameter(torch.zeros(2)) if learned_weights else None

    def forward(self, x):
        """Return logits and volumes of some rows."""
        shared = self.trunk(x)
        volume = self.volume_head(shared).squeeze(1)
        return TwoTaskOutput(self.class_head(shared), volume, self.log_variances)


class TwoTaskLoss(nn.Module):
    """Cross-entropy of the class and squared error of the volume, weighed against each other.

    The target has two columns, the class code and the standardised volume, NaN where that is not
    known: such a row teaches the class alone. With fixed weights a row's loss is cross-entropy
    plus `volume_weight` times squared error. Where the net has log-variances s, it is

        exp(-s1) cross-entropy + s1 / 2 + (exp(-s2) squared error + s2) / 2.

    Both are means over all rows, so that a row counts the same in any batch.

    Parameters
    ----------
    volume_weight : float
        Without log-variances.
    """

    def __init__(self, volume_weight=1.0):
        super().__init__()
        self.volume_weight = volume_weight

    def forward(self, output, target, weight=None):
        """Return the mean of weight times loss."""
        entropy, error, known = _losses(output, target)
        if output.log_variances is None:
            loss = entropy + self.volume_weight * error
        else:
            of_class, of_volume = output.log_variances
            loss = torch.exp(-of_class) * entropy + of_class / 2
            loss = loss + (torch.exp(-of_volume) * error + of_volume * known) / 2
        return (loss if weight is None else loss * weight).mean()

    def scores(self, output, target, weight=None):
        """Return the share of right classes, and both losses before they are weighed."""
        entropy, error, _ = _losses(output, target)
        hits = (output.logits.argmax(dim=1) == target[:, 0]).to(entropy.dtype)
        rows = {"accuracy": hits, "class_loss": entropy, "volume_loss": error}
        return {
            name: (value if weight is None else value * weight).mean()
            for name, value in rows.items()
        }


def _losses(output, target):
    """Return cross-entropy and squared error (0 where unknown) of each row, and what is known."""
    entropy = functional.cross_entropy(output.logits, target[:, 0].long(), reduction="none")
    known = ~torch.isnan(target[:, 1])
    # Not a product with `known`: the gradient of NaN times zero is NaN.
    error = (output.volume - torch.where(known, target[:, 1], output.volume.detach())) ** 2
    return entropy, error * known, known
