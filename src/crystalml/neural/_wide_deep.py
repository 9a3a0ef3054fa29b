"""Wide-and-deep nets as scikit-learn estimators."""

from collections.abc import Sequence
from typing import Any, Literal

from crystalml._typing import Progress, RandomState, Splitter
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._base_regressor import BaseNetRegressor
from crystalml.neural._documentation import document_common
from crystalml.neural._parameter_types import ClassWeight, Head, Optimizer, Scheduler
from crystalml.neural._wide_deep_common import WIDE_DEEP_CONSTRAINTS, WideDeepParameters

DEEP_LAYER_SIZES = (512, 512, 256, 256, 128, 128, 64, 64, 32, 16)


@document_common
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
    hidden_layer_sizes : int or sequence of int, \
            default=(512, 512, 256, 256, 128, 128, 64, 64, 32, 16)
        Width of each deep layer. ``()`` joins the columns with the wide ones as they come.
    wide_features : "auto", sequence of str or int, or None, default="auto"
        The columns that are joined with the deep features, besides being their input like all
        others. ``"auto"`` is the column named ``v_formula`` if the input has one, else (and for
        arrays, whose columns have no names) none. A list has names, where the input has them,
        or positions from 0, or both. ``None`` and ``()`` are none.
    head_layer_sizes : int or sequence of int, default=(64,)
        Width of each layer between the joined features and the output.
    dropout : float, default=0.2
        Probability that a unit of a deep layer is zeroed in training.
    reduction_ratio : int, default=16
        How many times fewer units are in the middle of the squeeze and excitation, one at least.
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
    single precision, prediction in double, so that the rows beside a row do not even change how
    its answer is rounded.

    Scalers return arrays without names by default. For ``wide_features="auto"`` or names behind
    one, let it keep them: ``StandardScaler().set_output(transform="pandas")``.

    A wide column of which the target is a function, as the volume is of ``v_formula``, makes the
    net learn to copy it. See `crystalml.model_selection.volume_report` for what a prediction of
    the volume is worth beside the formula.

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


@document_common
class WideDeepNetClassifier(WideDeepParameters, BaseNetClassifier):
    """Wide-and-deep classifier, trained by torch through skorch.

    The body is that of `WideDeepNetRegressor`, which describes it; the output has one unit for
    each class, and the loss is the cross-entropy. Inputs are used as they come: put a
    ``StandardScaler`` before it.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, \
            default=(512, 512, 256, 256, 128, 128, 64, 64, 32, 16)
        Width of each deep layer. ``()`` joins the columns with the wide ones as they come.
    wide_features : "auto", sequence of str or int, or None, default="auto"
        The columns that are joined with the deep features, besides being their input like all
        others. ``"auto"`` is the column named ``v_formula`` if the input has one, else (and for
        arrays, whose columns have no names) none. A list has names, where the input has them,
        or positions from 0, or both. ``None`` and ``()`` are none.
    head_layer_sizes : int or sequence of int, default=(64,)
        Width of each layer between the joined features and the output.
    dropout : float, default=0.2
        Probability that a unit of a deep layer is zeroed in training.
    reduction_ratio : int, default=16
        How many times fewer units are in the middle of the squeeze and excitation, one at least.
    class_weight : {"balanced"}, dict or None, default=None
        Weight of each class in the loss: a dict from label to weight (1 where a label is
        absent), or ``"balanced"`` for weights inverse to the number of rows.
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
