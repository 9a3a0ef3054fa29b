"""TabNet as scikit-learn estimators."""

from collections.abc import Sequence
from typing import Any, Literal

from sklearn.frozen import FrozenEstimator

from crystalml._typing import ArrayLike, Progress, RandomState, Splitter
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._base_regressor import BaseNetRegressor
from crystalml.neural._parameter_types import ClassWeight, Head, Optimizer, Scheduler
from crystalml.neural._tabnet_documentation import document_tabnet
from crystalml.neural._tabnet_pretrainer import TabNetPretrainer
from crystalml.neural._tabnet_supervised import SUPERVISED_CONSTRAINTS, SupervisedTabNet


@document_tabnet
class TabNetClassifier(SupervisedTabNet, BaseNetClassifier):
    """TabNet classifier: chooses in several steps, for each row, which columns to look at.

    Each step multiplies the columns by a sparse mask, passes them through gated layers, adds what
    it finds to the answer, and hands on what the next step chooses its columns by [1]_. The
    masks can be read: see `explain`. Layers and weights are those of pytorch-tabnet [2]_. Put a
    ``StandardScaler`` before it: inputs are normalised inside, but the averages which predictions
    use start at mean 0 and variance 1 and take hundreds of steps to reach others.

    Parameters
    ----------
    {encoder_parameters}
    lambda_sparse : float, default=1e-4
        Factor of the mean entropy of the masks, which is added to the loss in training so that
        few columns are chosen.
    {pretrained_parameter}
    class_weight : {"balanced"}, dict or None, default=None
        Weight of each class in the loss: a dict from label to weight (1 where a label is
        absent), or ``"balanced"`` for weights inverse to the number of rows.
    {common_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of `predict_proba`.
    {encoder_attributes}
    {common_attributes}

    See Also
    --------
    TabNetRegressor : The same net for numbers.
    TabNetPretrainer : Learns the encoder from rows without labels.

    Notes
    -----
    A value of a categorical column that was not there in `fit` gets the mean vector of the
    categories; a missing one (None, NaN) is a category of its own where `fit` had one, else new.
    In numeric columns nothing may be missing.

    ``train_loss`` includes the penalty of the masks, ``valid_loss`` does not. Predictions use
    the running averages of the training, in double precision: the rows beside a row do not even
    change how its answer is rounded. Where ``valid_loss`` stays far above ``train_loss``, these
    averages may not have arrived: scale the inputs, take smaller batches or more epochs, or a
    larger `momentum`.

    References
    ----------
    .. [1] S. Ö. Arik and T. Pfister, "TabNet: attentive interpretable tabular learning", AAAI 35
       (2021) 6679-6687.
    .. [2] DreamQuark, pytorch-tabnet, https://github.com/dreamquark-ai/tabnet.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from crystalml import TabNetClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> net = TabNetClassifier(
    ...     8, 8, 3, learning_rate=0.02, batch_size=32, momentum=0.1, max_epochs=60, random_state=0
    ... )
    >>> net.fit(X, y).score(X, y) > 0.9
    True
    >>> explanation = net.explain(X)
    >>> explanation.masks.shape
    (150, 3, 4)
    >>> bool(net.feature_importances_[2:].sum() > net.feature_importances_[:2].sum())
    True
    """

    _own_constraints = {**BaseNetClassifier._own_constraints, **SUPERVISED_CONSTRAINTS}  # noqa: RUF012

    def __init__(
        self,
        n_d: int = 64,
        n_a: int = 64,
        n_steps: int = 5,
        *,
        gamma: float = 1.5,
        lambda_sparse: float = 1e-4,
        mask_type: Literal["entmax", "sparsemax"] = "sparsemax",
        n_independent: int = 2,
        n_shared: int = 2,
        virtual_batch_size: int = 128,
        momentum: float = 0.02,
        max_gradient_norm: float | None = 1.0,
        categorical_features: Literal["from_dtype"] | ArrayLike | None = "from_dtype",
        embedding_dim: int | Sequence[int] = 1,
        pretrained: TabNetPretrainer | FrozenEstimator | None = None,
        class_weight: ClassWeight = None,
        optimizer: Optimizer = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        scheduler: Scheduler = "step",
        batch_size: int = 1024,
        max_epochs: int = 200,
        patience: int | None = 30,
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
        self.n_d = n_d
        self.n_a = n_a
        self.n_steps = n_steps
        self.gamma = gamma
        self.lambda_sparse = lambda_sparse
        self.mask_type = mask_type
        self.n_independent = n_independent
        self.n_shared = n_shared
        self.virtual_batch_size = virtual_batch_size
        self.momentum = momentum
        self.max_gradient_norm = max_gradient_norm
        self.categorical_features = categorical_features
        self.embedding_dim = embedding_dim
        self.pretrained = pretrained
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


@document_tabnet
class TabNetRegressor(SupervisedTabNet, BaseNetRegressor):
    """TabNet regressor for one or several targets.

    The net is that of `TabNetClassifier`, which describes it. Targets are standardised for the
    training, so that `learning_rate`, `min_delta` and the losses of ``history_`` do not depend on
    their units. Training stops when the squared error of rows set aside no longer falls.

    Parameters
    ----------
    {encoder_parameters}
    lambda_sparse : float, default=1e-4
        Factor of the mean entropy of the masks, which is added to the loss in training so that
        few columns are chosen.
    {pretrained_parameter}
    {head_parameters}
    {common_parameters}

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of the targets in `fit`, in their units.
    {head_attributes}
    {encoder_attributes}
    {common_attributes}

    See Also
    --------
    TabNetClassifier : The same net for labels, with its description and sources.
    crystalml.log_volume : Wraps a regressor so that it learns the logarithm of a volume.

    Examples
    --------
    The logarithm of the volume of orthorhombic cells (edges in Å), beside a column of noise:

    >>> import numpy as np
    >>> from crystalml import TabNetRegressor
    >>> X = np.log(np.random.default_rng(0).uniform(3, 20, size=(1000, 4)))
    >>> y = X[:, :3].sum(axis=1)
    >>> X = (X - X[:800].mean(axis=0)) / X[:800].std(axis=0)
    >>> net = TabNetRegressor(
    ...     8, 8, 3, learning_rate=0.02, batch_size=128, momentum=0.1, max_epochs=30, random_state=0
    ... )
    >>> net.fit(X[:800], y[:800]).score(X[800:], y[800:]) > 0.9
    True
    >>> int(net.feature_importances_.argmin())
    3
    """

    _own_constraints = {**BaseNetRegressor._own_constraints, **SUPERVISED_CONSTRAINTS}  # noqa: RUF012

    def __init__(
        self,
        n_d: int = 64,
        n_a: int = 64,
        n_steps: int = 5,
        *,
        gamma: float = 1.5,
        lambda_sparse: float = 1e-4,
        mask_type: Literal["entmax", "sparsemax"] = "sparsemax",
        n_independent: int = 2,
        n_shared: int = 2,
        virtual_batch_size: int = 128,
        momentum: float = 0.02,
        max_gradient_norm: float | None = 1.0,
        categorical_features: Literal["from_dtype"] | ArrayLike | None = "from_dtype",
        embedding_dim: int | Sequence[int] = 1,
        pretrained: TabNetPretrainer | FrozenEstimator | None = None,
        head: Head = "point",
        quantiles: Sequence[float] | None = None,
        optimizer: Optimizer = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        scheduler: Scheduler = "step",
        batch_size: int = 1024,
        max_epochs: int = 200,
        patience: int | None = 30,
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
        self.n_d = n_d
        self.n_a = n_a
        self.n_steps = n_steps
        self.gamma = gamma
        self.lambda_sparse = lambda_sparse
        self.mask_type = mask_type
        self.n_independent = n_independent
        self.n_shared = n_shared
        self.virtual_batch_size = virtual_batch_size
        self.momentum = momentum
        self.max_gradient_norm = max_gradient_norm
        self.categorical_features = categorical_features
        self.embedding_dim = embedding_dim
        self.pretrained = pretrained
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
