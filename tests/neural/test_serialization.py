"""Every net describes itself as plain data and tensors, and is built anew from them."""

import copy
import inspect

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from crystalml import neural
from crystalml.exceptions import PersistenceError
from crystalml.neural import MLPNetClassifier

X, y = load_iris(return_X_y=True)
NETS = sorted(
    name
    for name, kind in vars(neural).items()
    if inspect.isclass(kind) and hasattr(kind, "_net_state")
)


@pytest.fixture
def fitted():
    return MLPNetClassifier(hidden_layer_sizes=(4,), max_epochs=2, random_state=0).fit(X, y)


def without_net(estimator):
    bare = copy.copy(estimator)
    del bare.net_
    return bare


def is_plain(value):
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def test_description_is_plain_and_tensors_are_copies(fitted):
    description, tensors = fitted._net_state(with_optimizer=True)
    assert is_plain(description)
    tensors["module.0.weight"].zero_()
    assert fitted.net_.module_[0].weight.abs().sum() > 0
    _, weights = fitted._net_state(with_optimizer=False)
    assert {name.partition(".")[0] for name in weights} == {"module"}


@pytest.mark.parametrize("change", ["missing", "added", "shape", "optimizer", "module"])
def test_what_does_not_fit_is_refused(fitted, change):
    description, tensors = fitted._net_state(with_optimizer=True)
    if change == "missing":
        del tensors["module.0.bias"]
    elif change == "added":
        tensors["module.9.bias"] = torch.zeros(1)
    elif change == "shape":
        tensors["module.0.weight"] = torch.zeros(5, 4)
    elif change == "optimizer":
        tensors["optimizer.0.exp_avg"] = torch.zeros(99)
    else:
        description["module"] = "WideDeep"
    bare = without_net(fitted)
    with pytest.raises(PersistenceError):
        bare._restore_net(description, tensors)
    assert not hasattr(bare, "net_")


@pytest.mark.parametrize("name", NETS)
def test_every_net_comes_back(name):
    kind = getattr(neural, name)
    model = kind(max_epochs=1, random_state=0)
    target = np.column_stack([y, y + 1.0]) if name == "MultiTaskNet" else y
    model.fit(X, target)
    again = without_net(model)
    again._restore_net(*model._net_state(with_optimizer=True))
    for method in ("predict", "transform"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(again, method)(X), getattr(model, method)(X))
