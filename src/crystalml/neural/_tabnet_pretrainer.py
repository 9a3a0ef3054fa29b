"""TabNet without labels: an encoder that has learned to fill in hidden columns."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from crystalml._typing import ArrayLike, Progress, RandomState, Splitter, Transformed
from crystalml._validation import Interval, private_random_state
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._parameters import Optimizer, Scheduler, document_parameters
from crystalml.neural._tabnet_base import TABNET_CONSTRAINTS, TabNetParameters
from crystalml.neural._tabnet_modules import ReconstructionLoss, TabNetPretraining


@document_parameters
class TabNetPretrainer(
    TabNetParameters, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseNetEstimator
):
    """Self-supervised TabNet: hides columns of each row and learns to fill them in.

    No label is used, so that it can learn from rows that have none. `TabNetClassifier` and
    `TabNetRegressor` start from it by their parameter `pretrained`; as a transformer it gives
    what the encoder makes of a row. Inputs are used as they come: put a ``StandardScaler``
    before it, the same as before the estimator that starts from it.

    Parameters
    ----------
    {tabnet_parameters}
    masking_ratio : float, default=0.5
        Chance of each column of each row to be hidden in training.
    n_independent_decoder, n_shared_decoder : int, default=1
        Gated layers of the decoder: those of each step, and those common to all.
    {common_parameters}

    Attributes
    ----------
    {tabnet_attributes}
    {common_attributes}

    See Also
    --------
    TabNetClassifier : Starts from it, and learns labels.
    DescriptorAutoencoder : Learned descriptors from a smaller net.

    Notes
    -----
    The loss is the squared error of the hidden inputs in units of their variance in the batch,
    averaged over the hidden inputs of a row and over rows: about 1 is what the column means
    achieve. The validation loss hides the same columns in every epoch, so that epochs can be
    compared. Inputs are the columns, or the vectors of categories, which are learned too.

    Keep test rows out of the pretraining: a net that starts from it would know them, though not
    their labels.

    References
    ----------
    .. [1] S. Ö. Arik and T. Pfister, "TabNet: attentive interpretable tabular learning", AAAI 35
       (2021) 6679-6687.

    Examples
    --------
    Many rows, of which few have labels:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from crystalml import TabNetClassifier, TabNetPretrainer
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16 - 0.5
    >>> sizes = {"n_d": 16, "n_a": 16, "n_steps": 3, "batch_size": 256, "random_state": 0}
    >>> pretrainer = TabNetPretrainer(max_epochs=5, **sizes).fit(X[:1500])
    >>> pretrainer.transform(X[1500:]).shape
    (297, 16)
    >>> net = TabNetClassifier(pretrained=FrozenEstimator(pretrainer), max_epochs=5, **sizes)
    >>> net.fit(X[:300], y[:300]).predict_proba(X[1500:]).shape
    (297, 10)
    """

    _module_class = TabNetPretraining
    _criterion = ReconstructionLoss
    _own_constraints = {  # noqa: RUF012
        **TABNET_CONSTRAINTS,
        "masking_ratio": [Interval(Real, 0, 1, closed="neither")],
        "n_independent_decoder": [Interval(Integral, 0, None, closed="left")],
        "n_shared_decoder": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_d: int = 64,
        n_a: int = 64,
        n_steps: int = 5,
        *,
        gamma: float = 1.5,
        masking_ratio: float = 0.5,
        mask_type: Literal["entmax", "sparsemax"] = "sparsemax",
        n_independent: int = 2,
        n_shared: int = 2,
        n_independent_decoder: int = 1,
        n_shared_decoder: int = 1,
        virtual_batch_size: int = 128,
        momentum: float = 0.02,
        max_gradient_norm: float | None = 1.0,
        categorical_features: Literal["from_dtype"] | ArrayLike | None = "from_dtype",
        embedding_dim: int | Sequence[int] = 1,
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
        self.masking_ratio = masking_ratio
        self.mask_type = mask_type
        self.n_independent = n_independent
        self.n_shared = n_shared
        self.n_independent_decoder = n_independent_decoder
        self.n_shared_decoder = n_shared_decoder
        self.virtual_batch_size = virtual_batch_size
        self.momentum = momentum
        self.max_gradient_norm = max_gradient_norm
        self.categorical_features = categorical_features
        self.embedding_dim = embedding_dim
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

    def fit(  # type: ignore[override]  # without a target there are no weights in between
        self, X: ArrayLike, y: object = None, groups: ArrayLike | None = None
    ) -> Self:
        """Learn to fill in hidden columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs, numeric ones best scaled to about unit variance, none of them missing.
        y : object, default=None
            Not used.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never split between training and validation.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        self._check_parameters()
        warm = self.warm_start and hasattr(self, "net_")
        rows = validate_data(
            self,
            self._with_codes(X, learn=not warm),
            reset=not warm,
            dtype=np.float32,
            order="C",
            ensure_min_samples=2,
        )
        if not warm:
            self._random_state = private_random_state(self.random_state)
        # The loss needs none, but the batches carry a target.
        no_target = np.zeros(len(rows), dtype=np.float32)
        parts = self._split(rows, y, no_target, groups, np.arange(len(rows)))
        self._train(rows, no_target, None, *parts, previous=warm)
        return self

    def transform(self, X: ArrayLike) -> Transformed:
        """Return what the encoder makes of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in `fit`.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_d)
            The decisions of all steps, summed: what the output layer of a later net sees.
        """
        return self._run(X, _values, part=TabNetPretraining.encode)

    def score(self, X: ArrayLike, y: object = None) -> float:  # noqa: ARG002
        """Return minus the loss of rows, with columns hidden as in validation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in `fit`.
        y : object, default=None
            Not used.

        Returns
        -------
        float
            At most 0; higher is better.
        """
        return -float(self._run(X, _loss_of_rows).mean())

    @property
    def _n_features_out(self):
        # Not the parameter, which may have been set anew since the fit.
        return self.net_.module_.encoder.n_d

    @property
    def _n_outputs(self):
        return None

    def _module_parameters(self, n_inputs, _):
        return {
            "n_inputs": n_inputs,
            "masking_ratio": self.masking_ratio,
            "n_independent_decoder": self.n_independent_decoder,
            "n_shared_decoder": self.n_shared_decoder,
            **self._encoder_parameters(),
        }


def _values(output):
    return output.cpu().numpy()


def _loss_of_rows(output):
    """Return the loss of a slice, once for each of its rows."""
    loss = ReconstructionLoss()(output)
    # The loss is a mean over the slice; repeated for each row, the mean over slices weighs them
    # right.
    return loss.expand(len(output[0])).cpu().numpy()
