"""TabNet as scikit-learn classifier and regressor."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn.frozen import FrozenEstimator

from crystalml._typing import ArrayLike, Progress, RandomState, Splitter
from crystalml._validation import Interval
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._base_regressor import BaseNetRegressor
from crystalml.neural._parameters import (
    ClassWeight,
    Head,
    Optimizer,
    Scheduler,
    document_parameters,
)
from crystalml.neural._tabnet_base import TABNET_CONSTRAINTS, TabNetParameters
from crystalml.neural._tabnet_modules import PenalisedLoss, TabNet
from crystalml.neural._tabnet_pretrainer import TabNetPretrainer

SUPERVISED_CONSTRAINTS = {
    **TABNET_CONSTRAINTS,
    "lambda_sparse": [Interval(Real, 0, None, closed="left")],
    "pretrained": [TabNetPretrainer, FrozenEstimator, None],
}


# What must agree for weights to be taken over; widths of masks follow from the columns.
_SIZES = ("n_d", "n_a", "n_steps", "n_independent", "n_shared")


class SupervisedTabNet(TabNetParameters):
    """Turns the parameters of a TabNet estimator into its module, and starts from a pretrainer."""

    _module_class = TabNet

    @property
    def _criterion(self):
        loss = super()._criterion
        # Classifiers name the class of their loss, regressors give the loss of their head.
        return PenalisedLoss(loss() if isinstance(loss, type) else loss)

    def _module_parameters(self, n_inputs, n_outputs):
        return {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "lambda_sparse": self.lambda_sparse,
            **self._encoder_parameters(),
        }

    def _validated(self, X, y, warm, **checks):
        X, y = super()._validated(X, y, warm, **checks)
        # A warm start goes on from its own weights, so that the pretrainer no longer matters.
        if self.pretrained is not None and not warm:
            self._check_pretrained()
        return X, y

    def _learn_categories(self, X):
        """Learn the categories, or take those whose vectors a pretrainer has learned."""
        if self.pretrained is None:
            return super()._learn_categories(X)
        pretrainer = self._pretrainer()
        ours, theirs = self.categorical_features_, pretrainer.categorical_features_
        if not np.array_equal(ours, theirs):
            raise InvalidInputError(
                f"{type(self).__name__}: the categorical columns are {ours.tolist()}, but those "
                f"of the pretrainer are {theirs.tolist()}. Give both the same columns."
            )
        # The pretrainer's codes, not new ones: each of its vectors belongs to one code.
        return pretrainer.categories_

    def _pretrainer(self):
        """Return the pretrainer, without what keeps it frozen."""
        pretrainer = self.pretrained
        if isinstance(pretrainer, FrozenEstimator):
            # What FrozenEstimator protects from clone is the fitted pretrainer inside.
            pretrainer = pretrainer.estimator
        name = type(self).__name__
        if not isinstance(pretrainer, TabNetPretrainer):
            raise InvalidInputError(
                f"{name}: pretrained must be a fitted TabNetPretrainer, got {pretrainer!r}."
            )
        if not hasattr(pretrainer, "net_"):
            raise InvalidInputError(
                f"{name}: the pretrainer is not fitted. Fit it; and as clone (in searches and "
                "cross-validation, too) forgets a fit, give "
                "pretrained=sklearn.frozen.FrozenEstimator(pretrainer)."
            )
        return pretrainer

    def _check_pretrained(self):
        """Raise if sizes or columns differ from those of the pretrainer."""
        pretrainer, name = self._pretrainer(), type(self).__name__
        # From its module: the pretrainer's parameters may have been set anew since its fit.
        theirs = pretrainer.net_.module_.encoder
        pairs = {size: (getattr(self, size), getattr(theirs, size)) for size in _SIZES}
        pairs["number of columns"] = (self.n_features_in_, pretrainer.n_features_in_)
        pairs["embedding_dim"] = (
            self._embedding_dims(),
            [part.embedding_dim for part in getattr(_embedder(pretrainer), "embeddings", ())],
        )
        differing = [f"{size} ({a} here, {b} there)" for size, (a, b) in pairs.items() if a != b]
        if differing:
            raise InvalidInputError(
                f"{name}: the pretrainer differs in {', '.join(differing)}, so that training "
                "cannot start from its weights. Give both the same sizes and columns."
            )
        # Where one of the two was fitted on an array, positions are all that can be compared.
        names = [part.feature_names_in_ for part in (self, pretrainer) if _has_names(part)]
        if len(names) == 2 and not np.array_equal(names[0], names[1]):
            raise InvalidInputError(
                f"{name}: the columns {names[0].tolist()!r} are not those of the pretrainer, "
                f"{names[1].tolist()!r}. Give both the same columns in the same order."
            )

    def _set_initial_weights(self, module):
        if self.pretrained is not None:
            source = self._pretrainer().net_.module_
            # The decoder stays behind: it filled in columns, which nobody asks for here.
            module.embedder.load_state_dict(source.embedder.state_dict())
            module.encoder.load_state_dict(source.encoder.state_dict())


def _has_names(estimator):
    return getattr(estimator, "feature_names_in_", None) is not None


def _embedder(estimator):
    return estimator.net_.module_.embedder


@document_parameters
class TabNetClassifier(SupervisedTabNet, BaseNetClassifier):
    """TabNet classifier: chooses in several steps, for each row, which columns to look at.

    Each step multiplies the columns by a sparse mask and passes them through gated layers. One part
    of the result is added to the prediction, by the other the next step chooses its columns [1]_.
    `explain` returns the masks. Layers and weights are those of pytorch-tabnet [2]_. Put a
    ``StandardScaler`` before it: inputs are normalised inside, but the averages which predictions
    use start at mean 0 and variance 1 and take hundreds of steps to reach others.

    Parameters
    ----------
    {tabnet_parameters}
    {lambda_sparse_parameter}
    {pretrained_parameter}
    {class_weight_parameter}
    {common_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of `predict_proba`.
    {tabnet_attributes}
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
    the running averages of the training, in double precision: the prediction for a row does not
    depend on the other rows, not even in its rounding. Where ``valid_loss`` stays far above
    ``train_loss``, these averages may not have converged: scale the inputs, take smaller batches or
    more epochs, or a larger `momentum`.

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


@document_parameters
class TabNetRegressor(SupervisedTabNet, BaseNetRegressor):
    """TabNet regressor for one or several targets.

    The net is that of `TabNetClassifier`, which describes it. Targets are standardised for the
    training, so that `learning_rate`, `min_delta` and the losses of ``history_`` do not depend on
    their units. Training stops when the squared error of rows set aside no longer falls.

    Parameters
    ----------
    {tabnet_parameters}
    {lambda_sparse_parameter}
    {pretrained_parameter}
    {head_parameters}
    {common_parameters}

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of the targets in `fit`, in their units.
    {head_attributes}
    {tabnet_attributes}
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
