"""What TabNet is trained by, beside the losses that all nets share."""

import torch
from torch import nn


class PenalisedLoss(nn.Module):
    """A loss to which the penalty that a module returns in training is added.

    Parameters
    ----------
    loss : Module
        Called with output, target and weight.
    """

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, output, target, weight=None):
        """Return loss plus penalty of (outputs, penalty), or the loss of outputs alone."""
        if isinstance(output, torch.Tensor):
            return self.loss(output, target, weight)
        outputs, penalty = output
        return self.loss(outputs, target, weight) + penalty

    def scores(self, output, target, weight=None):
        """Return the scores of the loss."""
        return self.loss.scores(output, target, weight)

    @property
    def answers(self):
        """What reads answers out of outputs."""
        return self.loss.answers

    @property
    def probabilities(self):
        """What reads probabilities out of outputs, where the loss is one of classes."""
        return self.loss.probabilities


class ReconstructionLoss(nn.Module):
    """Squared error of the hidden inputs in units of their variance, averaged over rows.

    It is that of pytorch-tabnet, where each row counts the same however many of its columns are
    hidden. Inputs that do not vary within the batch are measured in their own units.
    """

    def forward(self, output, target=None, weight=None):  # noqa: ARG002
        """Return the loss of (reconstruction, embedded rows, what was hidden: 1 or 0)."""
        reconstruction, embedded, hidden = output
        variance = embedded.var(dim=0, correction=min(1, len(embedded) - 1))
        variance = torch.where(variance > 0, variance, 1.0)
        errors = ((reconstruction - embedded) * hidden).square() / variance
        return (errors.sum(dim=1) / hidden.sum(dim=1).clamp(min=1)).mean()

    def scores(self, *_):
        """Return none: the loss says it all."""
        return {}
