"""How weights follow the gradient, and how the learning rate changes: from names to torch."""

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from crystalml.exceptions import InvalidInputError

_FUSED_OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
_OPTIMIZERS = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
}


def find_optimizer(estimator):
    """Return the optimiser class and its parameters, fused into one kernel where torch can.

    Raises
    ------
    InvalidInputError
        If the parameter `optimizer` is a class that is no optimiser.
    """
    optimizer, parameters = _OPTIMIZERS.get(estimator.optimizer, (estimator.optimizer, {}))
    if not issubclass(optimizer, torch.optim.Optimizer):
        raise InvalidInputError(
            f"{type(estimator).__name__}: optimizer={optimizer!r} is no subclass of "
            f"torch.optim.Optimizer; give one, or a name of {sorted(_OPTIMIZERS)}."
        )
    fused = {"fused": True} if optimizer in _FUSED_OPTIMIZERS else {}
    return optimizer, {"weight_decay": estimator.weight_decay, **parameters, **fused}


def make_scheduler(scheduler, optimizer, max_epochs):
    """Return the torch scheduler of a name, or what the user's callable makes of the optimiser."""
    if scheduler == "cosine":
        return CosineAnnealingLR(optimizer, T_max=max_epochs)
    if scheduler == "plateau":
        return ReduceLROnPlateau(optimizer)
    if scheduler == "step":
        return StepLR(optimizer, step_size=50, gamma=0.9)
    return scheduler(optimizer)
