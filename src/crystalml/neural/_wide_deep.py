"""Wide-and-deep nets: their torch module, and the estimators around it."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from crystalml._typing import NDArray, Progress, RandomState, Splitter
from crystalml._validation import Interval, StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._base_regressor import BaseNetRegressor
from crystalml.neural._batches import apply_in_double
from crystalml.neural._modules import MLP, hidden_layers
from crystalml.neural._parameters import (
    ClassWeight,
    Head,
    Optimizer,
    Scheduler,
    document_parameters,
    hidden_sizes,
)

# Of the column schema: the volume that follows from the cell, of which a volume is a function.
_VOLUME_COLUMN = "v_formula"


DEEP_LAYER_SIZES = (512, 512, 256, 256, 128, 128, 64, 64, 32, 16)


WIDE_DEEP_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "wide_features": [StrOptions({"auto"}), "array-like", None],
    "head_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "reduction_ratio": [Interval(Integral, 1, None, closed="left")],
}


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
            # Each narrowing layer has a block of its width after it, as the residual needs equal
            # widths.
            layers += hidden_layers(n_deep, (size,), "relu", dropout, True)
            layers.append(ResidualBlock(size, reduction_ratio))
            n_deep = size
        self.deep = nn.Sequential(*layers)
        wide = torch.as_tensor(wide_columns, dtype=torch.int64)
        # A buffer, to follow the net to its device. Not in the state: a parameter of the module
        # holds the same positions, and a file should not state them twice.
        self.register_buffer("wide_columns", wide, persistent=False)
        self.head = MLP(n_deep + len(wide), n_outputs, head_sizes, "relu", 0.0, False)

    def forward(self, x):
        """Return the outputs for some rows."""
        return self.head(torch.cat([self.deep(x), x[:, self.wide_columns]], dim=1))


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
        # Narrow layers would be left without a middle.
        narrow = max(1, size // reduction_ratio)
        self.gate = nn.Sequential(
            nn.Linear(size, narrow), nn.ReLU(), nn.Linear(narrow, size), nn.Sigmoid()
        )

    def forward(self, x):
        """Return the scaled units."""
        return x * self.gate(x)


class WideDeepParameters(BaseNetEstimator):
    """Turns the parameters of a wide-and-deep estimator into those of its torch module."""

    _module_class = WideDeep
    wide_features_: NDArray[np.int64]

    def _module_parameters(self, n_inputs, n_outputs):
        return {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "wide_columns": self.wide_features_.tolist(),
            "hidden_sizes": hidden_sizes(self),
            "head_sizes": hidden_sizes(self, "head_layer_sizes"),
            "dropout": self.dropout,
            "reduction_ratio": self.reduction_ratio,
        }

    def _validated(self, X, y, warm, **checks):
        """Check the rows, and find the wide columns among theirs."""
        X, y = super()._validated(X, y, warm, **checks)
        # After the checks, which learn the names of the columns.
        found = self._find_wide_features()
        # The weights belong to these columns, in this order.
        if warm and not np.array_equal(found, self.wide_features_):
            raise InvalidInputError(
                f"{type(self).__name__}: the wide columns are now {found.tolist()}, but the fit "
                f"before had {self.wide_features_.tolist()}. Set warm_start=False and fit again."
            )
        self.wide_features_ = found
        return X, y

    def _apply(self, X, convert):
        """Run the net in double precision, so that no answer depends on the rows beside it."""
        check_is_fitted(self)
        return apply_in_double(self.net_, self._inputs(X), convert, n_threads=self.n_threads)

    def _find_wide_features(self):
        """Return the positions of the wide columns."""
        names = getattr(self, "feature_names_in_", np.array([], dtype=object)).tolist()
        wanted = self.wide_features
        if isinstance(wanted, str):
            wanted = [_VOLUME_COLUMN] if _VOLUME_COLUMN in names else []
        found = [self._position(column, names) for column in ([] if wanted is None else wanted)]
        if len(set(found)) < len(found):
            raise InvalidInputError(
                f"{type(self).__name__}: wide_features={self.wide_features!r} has a column twice; "
                "name each once."
            )
        return np.array(found, dtype=np.int64)

    def _position(self, column, names):
        """Return the position of one wide column, or raise."""
        if isinstance(column, str) and column in names:
            return names.index(column)
        # True would pass for position 1.
        is_position = isinstance(column, Integral) and not isinstance(column, bool)
        if is_position and 0 <= column < self.n_features_in_:
            return int(column)
        remedy = f"it has {names!r}. Name columns, or give positions from 0."
        if not names:
            remedy = (
                f"it has {self.n_features_in_} columns without names. Give positions from 0, or "
                "a DataFrame (scalers keep one after set_output(transform='pandas'))."
            )
        raise InvalidInputError(
            f"{type(self).__name__}: {column!r} in wide_features is no column of X; {remedy}"
        )


@document_parameters
class WideDeepNetRegressor(WideDeepParameters, BaseNetRegressor):
    """Wide-and-deep regressor for one or several targets, trained by torch through skorch.

    All columns go through ten layers that narrow from 512 to 16 units, each with a residual block
    after it. Chosen wide columns skip these layers [1]_, join the 16 deep features, and both go
    through one layer of 64 units to the output. The defaults train it by RMSprop with cosine
    annealing; like `MLPNetRegressor` it stops when the squared error of rows set aside no longer
    falls. Inputs are used as they come: put a ``StandardScaler`` before it. The default net has
    about two million weights, and takes tens of times as long to train as the default
    `MLPNetRegressor`.

    Parameters
    ----------
    {wide_deep_parameters}
    {head_parameters}
    {common_parameters}

    Attributes
    ----------
    wide_features_ : ndarray of int of shape (n_wide,)
        Positions of the wide columns.
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of the targets in `fit`, in their units.
    {head_attributes}
    {common_attributes}

    See Also
    --------
    MLPNetRegressor : A smaller net; try it first.
    WideDeepNetClassifier : The same net for labels.
    crystalml.log_volume : Wraps a regressor so that it learns the logarithm of a volume.

    Notes
    -----
    A deep layer of width d is Linear-BatchNorm-ReLU-Dropout, and the block after it

        relu(x + SE(BatchNorm(W2 relu(BatchNorm(W1 x + b1)) + b2)))

    with square W1 and W2: the basic block of residual nets [2]_ with linear layers for
    convolutions, and squeeze and excitation SE [3]_ at the end of its branch. SE(u) multiplies
    each unit of u by a number between 0 and 1,

        sigmoid(W4 relu(W3 u + b3) + b4)

    where W3 has ``max(1, d // reduction_ratio)`` rows. In a picture the squeeze is the mean of a
    channel over the positions of that one picture. A row of a table has one position, so that
    nothing is left to average: the gate follows from the row's own units, never from the rows
    beside it. Batch normalisation uses the averages of the training in prediction. Training is in
    single precision, prediction in double, so that the prediction for a row does not
    depend on the other rows, not even in its rounding.

    Scalers return arrays without names by default. For ``wide_features="auto"`` or names behind
    one, let it keep them: ``StandardScaler().set_output(transform="pandas")``.

    If the target is a function of a wide column, as the volume is of ``v_formula``, the net learns
    to copy that column. `crystalml.model_selection.volume_report` compares predicted volumes with
    the formula.

    References
    ----------
    .. [1] H.-T. Cheng et al., "Wide & deep learning for recommender systems", Proceedings of the
       1st Workshop on Deep Learning for Recommender Systems (2016) 7-10.
    .. [2] K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
       IEEE Conference on Computer Vision and Pattern Recognition (2016) 770-778.
    .. [3] J. Hu, L. Shen and G. Sun, "Squeeze-and-excitation networks", IEEE Conference on
       Computer Vision and Pattern Recognition (2018) 7132-7141.

    Examples
    --------
    The logarithm of the volume of orthorhombic cells (edges in Å), in a small net:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from crystalml import WideDeepNetRegressor
    >>> edges = np.log(np.random.default_rng(0).uniform(3, 20, size=(1000, 3)))
    >>> X = pd.DataFrame(edges - edges.mean(axis=0), columns=["log_a", "log_b", "log_c"])
    >>> y = edges.sum(axis=1)
    >>> net = WideDeepNetRegressor(
    ...     (32, 16), wide_features=["log_c"], max_epochs=30, learning_rate=3e-3, random_state=0
    ... )
    >>> net.fit(X[:800], y[:800]).score(X[800:], y[800:]) > 0.95
    True
    >>> net.wide_features_
    array([2])
    """

    _own_constraints = {  # noqa: RUF012
        **BaseNetRegressor._own_constraints,
        **WIDE_DEEP_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = DEEP_LAYER_SIZES,
        *,
        wide_features: Literal["auto"] | Sequence[str] | Sequence[int] | None = "auto",
        head_layer_sizes: int | Sequence[int] = (64,),
        dropout: float = 0.2,
        reduction_ratio: int = 16,
        head: Head = "point",
        quantiles: Sequence[float] | None = None,
        optimizer: Optimizer = "rmsprop",
        learning_rate: float = 3e-4,
        weight_decay: float = 1e-4,
        scheduler: Scheduler = "cosine",
        batch_size: int = 128,
        max_epochs: int = 300,
        patience: int | None = 25,
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
        self.wide_features = wide_features
        self.head_layer_sizes = head_layer_sizes
        self.dropout = dropout
        self.reduction_ratio = reduction_ratio
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


@document_parameters
class WideDeepNetClassifier(WideDeepParameters, BaseNetClassifier):
    """Wide-and-deep classifier, trained by torch through skorch.

    The body is that of `WideDeepNetRegressor`, which describes it; the output has one unit for
    each class, and the loss is the cross-entropy. Inputs are used as they come: put a
    ``StandardScaler`` before it.

    Parameters
    ----------
    {wide_deep_parameters}
    {class_weight_parameter}
    {common_parameters}

    Attributes
    ----------
    wide_features_ : ndarray of int of shape (n_wide,)
        Positions of the wide columns.
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of `predict_proba`.
    {common_attributes}

    See Also
    --------
    MLPNetClassifier : A smaller net; try it first.
    WideDeepNetRegressor : The same net for numbers, with its description and sources.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from crystalml import WideDeepNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = WideDeepNetClassifier(
    ...     (32, 16), wide_features=[2, 3], max_epochs=30, learning_rate=1e-2, random_state=0
    ... )
    >>> make_pipeline(StandardScaler(), net).fit(X, y).score(X, y) > 0.9
    True
    """

    _own_constraints = {  # noqa: RUF012
        **BaseNetClassifier._own_constraints,
        **WIDE_DEEP_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = DEEP_LAYER_SIZES,
        *,
        wide_features: Literal["auto"] | Sequence[str] | Sequence[int] | None = "auto",
        head_layer_sizes: int | Sequence[int] = (64,),
        dropout: float = 0.2,
        reduction_ratio: int = 16,
        class_weight: ClassWeight = None,
        optimizer: Optimizer = "rmsprop",
        learning_rate: float = 3e-4,
        weight_decay: float = 1e-4,
        scheduler: Scheduler = "cosine",
        batch_size: int = 128,
        max_epochs: int = 300,
        patience: int | None = 25,
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
        self.wide_features = wide_features
        self.head_layer_sizes = head_layer_sizes
        self.dropout = dropout
        self.reduction_ratio = reduction_ratio
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
