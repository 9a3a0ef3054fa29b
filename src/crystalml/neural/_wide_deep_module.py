"""The wide-and-deep torch module: residual blocks that weigh their units, and a short cut."""

import torch
from torch import nn

from crystalml.neural._modules import MLP, hidden_layers


class SqueezeExcitation(nn.Module):
    """Scale every unit of a row by a number in (0, 1) that follows from the row itself.

    In a picture the squeeze averages a channel over the positions of that picture, never over
    the batch. A row has a single position, so that its units are already squeezed: the gate is
    sigmoid(W2 relu(W1 u + b1) + b2) of the row's own units u.

    Parameters
    ----------
    size : int
        Number of units.
    reduction_ratio : int
        How many times fewer units are between W1 and W2, one at least.
    """

    def __init__(self, size, reduction_ratio):
        super().__init__()
        narrow = max(1, size // reduction_ratio)
        self.gate = nn.Sequential(
            nn.Linear(size, narrow), nn.ReLU(), nn.Linear(narrow, size), nn.Sigmoid()
        )

    def forward(self, x):
        """Return the scaled units."""
        return x * self.gate(x)


class ResidualBlock(nn.Module):
    """relu(x + SE(BatchNorm(Linear(relu(BatchNorm(Linear(x))))))), all of one width.

    Parameters
    ----------
    size, reduction_ratio : int
        As in `SqueezeExcitation`.
    """

    def __init__(self, size, reduction_ratio):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Linear(size, size),
            nn.BatchNorm1d(size),
            nn.ReLU(),
            nn.Linear(size, size),
            nn.BatchNorm1d(size),
            SqueezeExcitation(size, reduction_ratio),
        )

    def forward(self, x):
        """Return the units after the block."""
        return torch.relu(x + self.branch(x))


class WideDeep(nn.Module):
    """Deep layers over all columns, joined with some columns as they came in.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input and of the output.
    wide_columns : sequence of int
        Columns that skip the deep layers.
    hidden_sizes : sequence of int
        Width of each deep layer Linear-BatchNorm-ReLU[-Dropout], with a residual block after it.
    head_sizes : sequence of int
        Width of each layer Linear-ReLU between the joined columns and the output.
    dropout : float
        Probability that a unit of a deep layer is zeroed in training.
    reduction_ratio : int
        Of the squeeze and excitation.
    """

    def __init__(
        self, n_inputs, n_outputs, wide_columns, hidden_sizes, head_sizes, dropout, reduction_ratio
    ):
        super().__init__()
        layers, n_deep = [], n_inputs
        for size in hidden_sizes:
            layers += hidden_layers(n_deep, (size,), "relu", dropout, True)
            layers.append(ResidualBlock(size, reduction_ratio))
            n_deep = size
        self.deep = nn.Sequential(*layers)
        wide = torch.as_tensor(wide_columns, dtype=torch.int64)
        self.register_buffer("wide_columns", wide, persistent=False)  # a parameter tells them
        self.head = MLP(n_deep + len(wide), n_outputs, head_sizes, "relu", 0.0, False)

    def forward(self, x):
        """Return the outputs for some rows."""
        return self.head(torch.cat([self.deep(x), x[:, self.wide_columns]], dim=1))
