"""What one training hands on: to the next, and to who asks how it went."""

import pandas as pd

from crystalml.exceptions import InvalidInputError

# In the history of a net for callbacks alone.
_HIDDEN = (
    "batches",
    "train_batch_count",
    "train_loss_best",
    "valid_batch_count",
    "valid_loss_best",
)


def continue_from(net, previous, *, with_optimizer, caller):
    """Give `net` the weights and the history of `previous`, and its optimiser's state if asked.

    Raises
    ------
    InvalidInputError
        If the two modules differ in shape.
    """
    try:
        net.module_.load_state_dict(previous.module_.state_dict())
    except RuntimeError as error:
        raise InvalidInputError(
            f"{caller}: the parameters now ask for another network than the one fitted before, "
            "so its training cannot go on. Set warm_start=False and fit again."
        ) from error
    net.history_.extend(previous.history_)
    if with_optimizer and type(net.optimizer_) is type(previous.optimizer_):
        settings = [dict(group, params=None) for group in net.optimizer_.param_groups]
        net.optimizer_.load_state_dict(previous.optimizer_.state_dict())
        for group, now in zip(net.optimizer_.param_groups, settings, strict=True):
            group.update({name: value for name, value in now.items() if name != "params"})


def history_frame(net):
    """Return the net's history as a table with one row per epoch."""
    table = pd.DataFrame(
        [
            {name: value for name, value in epoch.items() if name not in _HIDDEN}
            for epoch in net.history_
        ]
    )
    return table.rename(columns={"dur": "duration"})
