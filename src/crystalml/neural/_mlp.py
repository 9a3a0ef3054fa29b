"""Multilayer perceptrons as scikit-learn estimators."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from crystalml._typing import Progress, RandomState, Splitter
from crystalml._validation import Interval, StrOptions
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._base_regressor import BaseNetRegressor
from crystalml.neural._modules import ACTIVATIONS, MLP
from crystalml.neural._parameters import (
    Activation,
    ClassWeight,
    Head,
    Optimizer,
    Scheduler,
    document_parameters,
    hidden_sizes,
)

_MLP_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "batch_normalization": ["boolean"],
}


class _MLPParameters(BaseNetEstimator):
    """Turns the parameters of an MLP estimator into those of its torch module."""

    # Named for files too: a model file says which module it holds, and this one is compared.
    _module_class = MLP

    def _module_parameters(self, n_inputs, n_outputs):
        return {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "hidden_sizes": hidden_sizes(self),
            "activation": self.activation,
            "dropout": self.dropout,
            "batch_normalization": self.batch_normalization,
        }


@document_parameters
class MLPNetClassifier(_MLPParameters, BaseNetClassifier):
    """Multilayer perceptron classifier, trained by torch through skorch.

    The defaults are two hidden layers of 64 and 32 rectified linear units with dropout 0.3,
    trained by Adam in batches of 64, stopped when the cross-entropy of rows set aside no longer
    falls. Inputs are used as they come: put a ``StandardScaler`` before it.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(64, 32)
        Width of each hidden layer; ``()`` is multinomial logistic regression.
    activation : {"elu", "gelu", "relu", "selu", "silu", "tanh"}, default="relu"
        Follows every hidden layer.
    dropout : float, default=0.3
        Probability that a hidden unit is zeroed in training.
    batch_normalization : bool, default=False
        Normalise hidden layers over the batch, before the activation. Predictions use the
        averages of the training, never the rows beside them.
    {class_weight_parameter}
    {common_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of `predict_proba`.
    {common_attributes}

    See Also
    --------
    MLPNetRegressor : The same net for numbers.
    NetEnsembleClassifier : Several such nets, and what they disagree on.

    Notes
    -----
    Rows that `fit` sets aside for early stopping are rows given to `fit`: test rows belong in
    neither. Where rows are not independent (structures of one compound), give `groups`, so that
    the rows set aside are new to the net as test rows will be.

    Weights are scaled to average 1, so that a weight of 2 counts as two rows do. Computation is
    in single precision; probabilities are normalised in double precision.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from crystalml.neural import MLPNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(
    ...     StandardScaler(), MLPNetClassifier(learning_rate=1e-2, random_state=0)
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    _own_constraints = {**BaseNetClassifier._own_constraints, **_MLP_CONSTRAINTS}  # noqa: RUF012

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (64, 32),
        *,
        activation: Activation = "relu",
        dropout: float = 0.3,
        batch_normalization: bool = False,
        class_weight: ClassWeight = None,
        optimizer: Optimizer = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        scheduler: Scheduler = None,
        batch_size: int = 64,
        max_epochs: int = 200,
        patience: int | None = 15,
        min_delta: float = 1e-4,
        validation_fraction: float | None = 0.1,
        validation_splitter: Splitter | None = None,
        random_state: RandomState = None,
        warm_start: bool = False,
        device: str = "cpu",
        n_threads: int | None = 1,
        callbacks: list[Any] | None = None,
        progress: Progress = False,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.batch_normalization = batch_normalization
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.min_delta = min_delta
        self.validation_fraction = validation_fraction
        self.validation_splitter = validation_splitter
        self.random_state = random_state
        self.warm_start = warm_start
        self.device = device
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.progress = progress
        self.verbose = verbose


@document_parameters
class MLPNetRegressor(_MLPParameters, BaseNetRegressor):
    """Multilayer perceptron regressor for one or several targets, trained by torch through skorch.

    The defaults are two hidden layers of 64 and 32 rectified linear units, trained by Adam in
    batches of 64 on the squared error, stopped when that of rows set aside no longer falls.
    Targets are standardised for the training, so that `learning_rate`, `min_delta` and the
    losses of ``history_`` do not depend on their units. Inputs are used as they come: put a
    ``StandardScaler`` before it.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(64, 32)
        Width of each hidden layer; ``()`` is linear regression.
    activation : {"elu", "gelu", "relu", "selu", "silu", "tanh"}, default="relu"
        Follows every hidden layer.
    dropout : float, default=0.0
        Probability that a hidden unit is zeroed in training.
    batch_normalization : bool, default=False
        Normalise hidden layers over the batch, before the activation. Predictions use the
        averages of the training, never the rows beside them.
    {head_parameters}
    {common_parameters}

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of the targets in `fit`, in their units.
    {head_attributes}
    {common_attributes}

    See Also
    --------
    MLPNetClassifier : The same net for labels.
    NetEnsembleRegressor : Several such nets, with calibrated intervals.

    Examples
    --------
    The logarithm of the cell volume from the lengths of orthorhombic cell edges (in Å):

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from crystalml.neural import MLPNetRegressor
    >>> edges = np.random.default_rng(0).uniform(3, 20, size=(1000, 3))
    >>> log_volume = np.log(edges.prod(axis=1))
    >>> model = make_pipeline(StandardScaler(), MLPNetRegressor(max_epochs=50, random_state=0))
    >>> model.fit(edges[:800], log_volume[:800]).score(edges[800:], log_volume[800:]) > 0.98
    True

    With a standard deviation for each prediction:

    >>> model = model.set_params(mlpnetregressor__head="gaussian")
    >>> model = model.fit(edges[:800], log_volume[:800])
    >>> mean, std = model.predict(edges[800:], return_std=True)
    >>> mean.shape == std.shape == (200,)
    True
    """

    _own_constraints = {**BaseNetRegressor._own_constraints, **_MLP_CONSTRAINTS}  # noqa: RUF012

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (64, 32),
        *,
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_normalization: bool = False,
        head: Head = "point",
        quantiles: Sequence[float] | None = None,
        optimizer: Optimizer = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        scheduler: Scheduler = None,
        batch_size: int = 64,
        max_epochs: int = 200,
        patience: int | None = 15,
        min_delta: float = 1e-4,
        validation_fraction: float | None = 0.1,
        validation_splitter: Splitter | None = None,
        random_state: RandomState = None,
        warm_start: bool = False,
        device: str = "cpu",
        n_threads: int | None = 1,
        callbacks: list[Any] | None = None,
        progress: Progress = False,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.batch_normalization = batch_normalization
        self.head = head
        self.quantiles = quantiles
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.min_delta = min_delta
        self.validation_fraction = validation_fraction
        self.validation_splitter = validation_splitter
        self.random_state = random_state
        self.warm_start = warm_start
        self.device = device
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.progress = progress
        self.verbose = verbose
