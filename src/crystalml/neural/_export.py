"""Scalers, net and head as one torch module, and its ONNX model."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from crystalml.exceptions import InvalidInputError
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._base_regressor import BaseNetRegressor


class Standardise(nn.Module):
    """Subtract and divide per column, in double precision as scikit-learn does.

    Parameters
    ----------
    centre, scale : ndarray of shape (n_features,) or None
        None leaves out the step.
    """

    def __init__(self, centre, scale):
        super().__init__()
        # Buffers become constants of the exported model.
        self.centre = None if centre is None else nn.Buffer(torch.as_tensor(centre).double())
        self.scale = None if scale is None else nn.Buffer(torch.as_tensor(scale).double())

    def forward(self, x):
        """Return the scaled rows."""
        # In the order of scikit-learn's scalers, for the same rounding.
        x = x if self.centre is None else x - self.centre
        return x if self.scale is None else x / self.scale


class Probabilities(nn.Module):
    """A net and the softmax of its outputs in double precision.

    Parameters
    ----------
    estimator : BaseNetClassifier
        Fitted.
    """

    outputs = ("probabilities",)

    def __init__(self, estimator):
        super().__init__()
        # A copy on the CPU, where the export runs: the estimator's own net stays on its device.
        self.net = deepcopy(estimator.net_.module_).cpu().eval()

    def forward(self, x):
        """Return one column per class."""
        # The net computes in single precision, as it does in Python.
        return torch.softmax(self.net(x.float()).double(), dim=1)


class Predictions(nn.Module):
    """A net and the way from its outputs to the units of the targets.

    Parameters
    ----------
    estimator : BaseNetRegressor
        Fitted.
    """

    def __init__(self, estimator):
        super().__init__()
        self.net, self.head = deepcopy(estimator.net_.module_).cpu().eval(), estimator._head
        self.centre = nn.Buffer(torch.as_tensor(estimator.target_mean_))
        self.scale = nn.Buffer(torch.as_tensor(estimator.target_scale_))
        gaussian = self.head.name == "gaussian"
        self.outputs = ("predictions", "std") if gaussian else ("predictions",)

    def forward(self, x):
        """Return one column per target, and as many for standard deviations if there are some."""
        values = self.head.read(self.net(x.float())).double()
        predictions = self.head.centre(values) * self.scale + self.centre
        if len(self.outputs) == 1:
            return predictions
        return predictions, self.head.std(values) * self.scale


def exportable(estimator, scalers, *, caller):
    """Return scalers and net as one module, and the names of its outputs.

    Parameters
    ----------
    estimator : BaseNetEstimator
        Fitted.
    scalers : sequence of (ndarray or None, ndarray or None)
        Centre and scale of the steps before it, first to last.
    caller : str
        Used in messages.

    Raises
    ------
    InvalidInputError
        If the net is no plain classifier or regressor.
    """
    end: Any = None
    if isinstance(estimator, BaseNetClassifier):
        end = Probabilities(estimator)
    elif isinstance(estimator, BaseNetRegressor):
        end = Predictions(estimator)
    # A net of two tasks is a classifier, but its module returns several tensors.
    if end is None or not _gives_one_tensor(end.net, estimator.n_features_in_):
        raise InvalidInputError(
            f"{caller}: {type(estimator).__name__} is no classifier or regressor with one output "
            "per class or target; nets such as MLPNetClassifier and WideDeepNetRegressor are."
        )
    module = nn.Sequential(*(Standardise(*scaler) for scaler in scalers), end).eval()
    return module, end.outputs


def _gives_one_tensor(net, n_features):
    with torch.no_grad():
        return torch.is_tensor(net(torch.zeros(2, n_features)))


def onnx_program(module, outputs, n_features):
    """Return the ONNX model of a module, for any number of rows of double precision."""
    # Not one row: the tracer takes a size of 1 for a constant, and fixes it.
    rows = torch.zeros(2, n_features, dtype=torch.float64)
    program = torch.onnx.export(
        module,
        (rows,),
        dynamo=True,
        input_names=["X"],
        output_names=list(outputs),
        dynamic_shapes=({0: torch.export.Dim("n_samples")},),
        # Weights inside the one file, not in others beside it.
        external_data=False,
        verbose=False,
    )
    return program.model_proto


def scaling(step, name, *, caller):
    """Return centre and scale of a fitted scaler.

    Raises
    ------
    InvalidInputError
        If the step is another transformer.
    """
    kind = type(step).__name__
    if kind == "StandardScaler" and type(step).__module__.startswith("sklearn."):
        return step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None
    if kind == "RobustScaler" and type(step).__module__.startswith("sklearn."):
        return (
            step.center_ if step.with_centering else None,
            step.scale_ if step.with_scaling else None,
        )
    if kind == "MinMaxScaler" and not step.clip:
        scale = np.asarray(step.scale_)
        return -np.asarray(step.min_) / scale, 1 / scale
    raise InvalidInputError(
        f"{caller}: the step {name!r} is a {kind}; only StandardScaler, RobustScaler and "
        "MinMaxScaler(clip=False) before the net can be exported. Export the net alone, and apply "
        "the other steps in Python."
    )
