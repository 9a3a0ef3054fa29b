"""Types of the parameters that the nets share."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch

Activation: TypeAlias = Literal["elu", "gelu", "relu", "selu", "silu", "tanh"]
# A dict is invariant: weights may be integers.
ClassWeight: TypeAlias = Literal["balanced"] | dict[Any, Any] | None
Head: TypeAlias = Literal["point", "gaussian", "quantile"]
Optimizer: TypeAlias = Literal["adam", "adamw", "rmsprop", "sgd"] | type[torch.optim.Optimizer]
Scheduler: TypeAlias = (
    Literal["cosine", "plateau", "step"] | Callable[[torch.optim.Optimizer], Any] | None
)
