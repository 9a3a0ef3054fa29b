"""Nets as plain descriptions and tensors, and back, without a class or code from a file."""

import warnings

import torch

from crystalml.exceptions import CrystalmlWarning, InvalidInputError, PersistenceError
from crystalml.neural._torch_state import find_device, seeded
from crystalml.neural._training import build_net, finish_training

# The parts of a skorch net that have weights or buffers; a loss may have some (quantile levels).
_PARTS = ("module", "criterion")


def net_state(estimator, *, with_optimizer):
    """Return all that is needed to build the net of a fitted `estimator` anew.

    Parameters
    ----------
    estimator : BaseNetEstimator
        Fitted.
    with_optimizer : bool
        Whether to keep the optimiser's state, without which training cannot go on as it was.

    Returns
    -------
    description : dict
        Numbers, text, lists and dicts; parameters of the module as they were given to it.
    tensors : dict of str to Tensor
        On the CPU; the names begin with ``module.``, ``criterion.`` or ``optimizer.``.
    """
    net = estimator.net_
    tensors = {
        f"{part}.{name}": tensor
        for part in _PARTS
        for name, tensor in getattr(net, f"{part}_").state_dict().items()
    }
    # Those that the module was built with, not those of the estimator, which may have changed.
    parameters = dict(net.get_params_for("module"))
    for name in [name for name, value in parameters.items() if torch.is_tensor(value)]:
        # A description holds no arrays, so tensors among the parameters are kept with the weights.
        tensors[f"parameter.{name}"] = parameters.pop(name)
    description = {
        "module": type(net.module_).__name__,
        "module_parameters": parameters,
        "max_epochs": net.max_epochs,
        "kept_epoch": net.kept_epoch_,
        "history": [dict(epoch) for epoch in net.history_],
        "optimizer": _optimizer_state(net.optimizer_, tensors) if with_optimizer else None,
    }
    # Copies: tensors that share memory cannot be written.
    return description, {name: t.detach().cpu().clone() for name, t in tensors.items()}


def _optimizer_state(optimizer, tensors):
    """Describe an optimiser's state, and put its tensors among `tensors`."""
    state = optimizer.state_dict()
    numbers = []
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if torch.is_tensor(value):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                # Step counts are plain numbers with some optimisers, tensors with others.
                numbers.append([index, name, value])
    return {
        "name": type(optimizer).__name__,
        "groups": state["param_groups"],
        "numbers": numbers,
    }


def restore_net(estimator, description, tensors):
    """Give `estimator` the net that `net_state` described.

    Module and criterion are those of the estimator's own class: a name in the file is compared,
    never looked up. Their shapes are compared with the tensors before memory is taken.

    Parameters
    ----------
    estimator : BaseNetEstimator
        With its parameters and fitted attributes, but without a net.
    description, tensors : dict
        As `net_state` returned them.

    Raises
    ------
    PersistenceError
        If they do not fit the estimator.
    """
    expected = estimator._module_class.__name__
    # The name only tells a mistake early; the class that is built is always the estimator's.
    if description["module"] != expected:
        raise PersistenceError(
            f"{type(estimator).__name__}: its net is {expected!r}, but the file holds "
            f"{description['module']!r}."
        )
    parameters = {**description["module_parameters"], **_part(tensors, "parameter")}
    _check_shapes(estimator, parameters, _part(tensors, "module"))
    device = _device(estimator)
    # Building draws initial weights, which are replaced below: the user's generators must not move.
    with seeded(0, device, estimator.n_threads):
        net = build_net(
            estimator,
            estimator._criterion,
            parameters,
            max_epochs=description["max_epochs"],
            validated=False,
            scheduler=None,
            device=device,
        )
    for part in _PARTS:
        getattr(net, f"{part}_").load_state_dict(_part(tensors, part))
    # best_epoch_ and a warm start count epochs from the first fit.
    net.history_.extend(description["history"])
    if description["optimizer"] is not None:
        _restore_optimizer(net.optimizer_, description["optimizer"], _part(tensors, "optimizer"))
    net.kept_epoch_ = description["kept_epoch"]
    finish_training(net)
    estimator.net_ = net


def _part(tensors, part):
    """Return the tensors of one part under their own names."""
    start = f"{part}."
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def _check_shapes(estimator, parameters, tensors):
    """Build the module without memory, and compare its weights with those of the file."""
    # Layers have no memory there either, but each takes time: a file has weights for all of them.
    layers = parameters.get("n_independent", 0) + parameters.get("n_shared", 0)
    if parameters.get("n_steps", 1) * max(layers, 1) > len(tensors):
        raise PersistenceError(
            f"{type(estimator).__name__}: its net has more layers than it has weights."
        )
    # Tensors on this device have shapes alone: a file that claims huge layers costs no memory.
    with torch.device("meta"):
        wanted = estimator._module_class(**parameters).state_dict()
    # In a fixed order, so that the same file always gets the same message.
    for name in sorted(wanted.keys() | tensors.keys()):
        shapes = [tuple(part[name].shape) if name in part else None for part in (wanted, tensors)]
        if shapes[0] != shapes[1]:
            raise PersistenceError(
                f"{type(estimator).__name__}: the weights {name!r} should have the shape "
                f"{shapes[0]!r}, but the file has {shapes[1]!r}."
            )


def _device(estimator):
    """Return the estimator's device, or the CPU where this machine has no such device."""
    try:
        return find_device(estimator.device, caller=type(estimator).__name__)
    except InvalidInputError as error:
        # A model that was trained on a graphics card should load on a laptop.
        warnings.warn(f"{error} Until then it predicts on the CPU.", CrystalmlWarning, stacklevel=2)
        return torch.device("cpu")


def _restore_optimizer(optimizer, described, tensors):
    """Give an optimiser its state back, unless the parameters now name another optimiser."""
    # The state of one optimiser means nothing to another; training then starts its state anew.
    if described["name"] != type(optimizer).__name__:
        return
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        # Step counts are tensors of one element; all other state has the shape of its weights.
        if tensor.numel() > 1 and tensor.shape != weights[int(index)].shape:
            raise PersistenceError(
                f"the optimiser's {key!r} has the shape {tuple(tensor.shape)!r}, but its weights "
                f"have {tuple(weights[int(index)].shape)!r}."
            )
        state.setdefault(int(index), {})[name] = tensor
    for index, name, value in described["numbers"]:
        state.setdefault(index, {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": described["groups"]})
