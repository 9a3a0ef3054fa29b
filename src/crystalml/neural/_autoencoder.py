"""Descriptors that a net learns from other descriptors, without labels."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import nn

from crystalml._typing import (
    ArrayLike,
    FloatArray,
    NDArray,
    Progress,
    RandomState,
    Splitter,
    Transformed,
)
from crystalml._validation import Interval, StrOptions, private_random_state
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._batches import apply_in_double
from crystalml.neural._modules import ACTIVATIONS, MLP, RegressionLoss
from crystalml.neural._parameters import (
    Activation,
    Optimizer,
    Scheduler,
    document_parameters,
    hidden_sizes,
)

_FLOATS = [np.float64, np.float32]
# A column counts as constant if its spread is below this share of its largest value: that much
# comes from rounding alone.
_CONSTANT = 1e-13


class Autoencoder(nn.Module):
    """Two perceptrons, one to a few numbers and one back; in training the input is disturbed.

    Parameters
    ----------
    n_inputs, n_components : int
        Width of the rows, and of what they are turned into.
    hidden_sizes : sequence of int
        Width of the hidden layers of the encoder; the decoder has them in reverse.
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Probability that a hidden unit is zeroed in training.
    noise : float
        Standard deviation of the normal noise added to the input in training.
    """

    def __init__(self, n_inputs, n_components, hidden_sizes, activation, dropout, noise):
        super().__init__()
        self.noise = noise
        self.encoder = MLP(n_inputs, n_components, hidden_sizes, activation, dropout, False)
        self.decoder = MLP(n_components, n_inputs, hidden_sizes[::-1], activation, dropout, False)

    def forward(self, x):
        """Return the rows as they come out of the narrow middle."""
        if self.training and self.noise > 0:
            # In place: the noise is as large as the batch, and nobody needs it afterwards.
            x = torch.randn_like(x).mul_(self.noise).add_(x)
        return self.decoder(self.encoder(x))


@document_parameters
class DescriptorAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseNetEstimator):
    """Autoencoder: a few descriptors, learned from many without labels.

    An encoder turns the descriptors of a row into `n_components` numbers, a decoder turns these
    back, and both are trained so that little is lost. No label is used. The net keeps what the
    rows of `fit` differ in most, which may not be what a later model needs. So compare models with
    and without learned descriptors, on rows that neither was fitted on.

    Columns are standardised inside, by the mean and the standard deviation of the rows given to
    `fit`, so that units do not matter; a column that is constant there is only centred.

    Parameters
    ----------
    n_components : int, default=16
        Number of learned descriptors.
    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Width of each hidden layer of the encoder; the decoder has them in reverse. ``()`` is a
        linear autoencoder, whose best reconstruction is that of principal components.
    activation : {"elu", "gelu", "relu", "selu", "silu", "tanh"}, default="silu"
        Follows every hidden layer; the learned descriptors themselves are not bounded.
    noise : float, default=0.1
        Standard deviation of the normal noise that disturbs the standardised input in training,
        while the loss asks for the undisturbed row back (a denoising autoencoder [1]_); 0 adds
        none. Validation and `transform` are free of noise.
    dropout : float, default=0.0
        Probability that a hidden unit is zeroed in training.
    {common_parameters}

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features_in_,)
        Mean and standard deviation (1 for constant columns) of the columns in `fit`.
    {common_attributes}

    See Also
    --------
    sklearn.decomposition.PCA : Straight directions, without training; compare with it.

    Notes
    -----
    The loss is the squared error of standardised columns, averaged over columns and rows: 1 is
    what the column means achieve. It is measured on the rows set aside of those given to `fit`;
    `groups` keeps rows of one group (structures of one compound) together, as in the other nets.

    Rows of the training have smaller errors than new rows, and their descriptors are distributed
    differently. Put it into a pipeline, so that cross-validation
    fits it anew.

    Learned descriptors have neither order nor a common scale, and another `random_state` gives
    others. Training is in single precision. `transform` computes in double precision, so that the
    rows beside a row do not even change how its descriptors are rounded; it returns float32 for
    float32 rows and float64 for all others.

    References
    ----------
    .. [1] P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, "Stacked denoising
       autoencoders", Journal of Machine Learning Research 11 (2010) 3371-3408.

    Examples
    --------
    Edges and volume of orthorhombic cells (in Å and Å^3): four columns, three degrees of freedom.

    >>> import numpy as np
    >>> from crystalml import DescriptorAutoencoder
    >>> edges = np.random.default_rng(0).uniform(3, 10, size=(1000, 3))
    >>> cells = np.column_stack([edges, edges.prod(axis=1)])
    >>> learn = DescriptorAutoencoder(3, learning_rate=3e-3, max_epochs=40, random_state=0)
    >>> learn.fit(cells[:800]).transform(cells[800:]).shape
    (200, 3)

    A row whose volume is not the product of its edges stands out:

    >>> right, wrong = learn.reconstruction_error([[5, 6, 7, 210], [5, 6, 7, 700]])
    >>> bool(wrong > 10 * right)
    True
    """

    _module_class = Autoencoder
    _criterion = RegressionLoss
    _own_constraints = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "noise": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 16,
        hidden_layer_sizes: int | Sequence[int] = (128, 64),
        *,
        activation: Activation = "silu",
        noise: float = 0.1,
        dropout: float = 0.0,
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
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.noise = noise
        self.dropout = dropout
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
        """Learn the descriptors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numeric descriptors in any units, without missing values.
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
        X = self._checked(X, reset=not warm, ensure_min_samples=2)
        if not warm:
            self._learn_scale(X)
            self._random_state = private_random_state(self.random_state)
        # Standardised before it is rounded: a column of large values with a small spread would
        # otherwise lose its digits in single precision.
        rows = self._standardised(X).astype(np.float32, order="C")
        parts = self._split(X, y, rows, groups, np.arange(len(rows)))
        # The rows are their own target, free of noise: the module disturbs its input, not the
        # target.
        self._train(rows, rows, None, *parts, previous=warm)
        return self

    def transform(self, X: ArrayLike) -> Transformed:
        """Return the learned descriptors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            float32 if `X` is, else float64.
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        return self._run(self.net_.module_.encoder, self._standardised(X)).astype(X.dtype)

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the rows that the decoder makes of learned descriptors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Learned descriptors, as `transform` gives them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the columns and units of `fit`.
        """
        check_is_fitted(self)
        components = check_array(X, dtype=_FLOATS, input_name="X", estimator=self)
        if components.shape[1] != self._n_features_out:
            raise InvalidInputError(
                f"{type(self).__name__}: inverse_transform got {components.shape[1]} columns, but "
                f"there are {self._n_features_out} learned descriptors. Give what transform "
                "returned."
            )
        rows = self._run(self.net_.module_.decoder, components.astype(np.float64, order="C"))
        return (rows * self.scale_ + self.mean_).astype(components.dtype)

    def reconstruction_error(self, X: ArrayLike) -> FloatArray:
        """Return how far each row is from what encoder and decoder make of it.

        Rows unlike those of `fit` usually have a large error, which warns that a model fitted on
        the same rows may be wrong about them. A small error does not prove that a row is familiar.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in `fit`.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            Mean over the columns of the squared error in standard deviations. The column means
            of `fit` would have an error of 1 on average over its rows.
        """
        check_is_fitted(self)
        rows = self._standardised(self._checked(X, reset=False))
        return np.mean((self._run(self.net_.module_, rows) - rows) ** 2, axis=1)

    def score(self, X: ArrayLike, y: object = None) -> float:  # noqa: ARG002
        """Return minus the mean of `reconstruction_error`, for searches over parameters.

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
        return -float(self.reconstruction_error(X).mean())

    @property
    def _n_features_out(self):
        # Not n_components, which may have been set anew since the fit.
        return self.net_.module_.encoder[-1].out_features

    @property
    def _n_outputs(self):
        return self.n_components

    def _module_parameters(self, n_inputs, n_components):
        return {
            "n_inputs": n_inputs,
            "n_components": n_components,
            "hidden_sizes": hidden_sizes(self),
            "activation": self.activation,
            "dropout": self.dropout,
            "noise": self.noise,
        }

    def _checked(self, X: Any, **checks: Any) -> np.ndarray:
        """Check the rows, and name the column of a value that is not finite."""
        # scikit-learn would refuse such values too, but without naming the column.
        X = validate_data(self, X, dtype=_FLOATS, ensure_all_finite=False, **checks)
        with np.errstate(over="ignore", invalid="ignore"):
            # One sum finds any NaN or infinity. It may also overflow over finite values; the slower
            # check below then finds none.
            if np.isfinite(X.sum()):
                return X
        bad = ~np.isfinite(X)
        if bad.any():
            column = int(bad.any(axis=0).argmax())
            row = int(bad[:, column].argmax())
            raise InvalidInputError(
                f"{type(self).__name__}: {self._column_name(column)} has "
                f"{bad[:, column].sum()} NaN or infinite values (first: row {row}, "
                f"{float(X[row, column])!r}), and {bad.any(axis=0).sum()} columns have some. Drop "
                "these rows, or put a SimpleImputer before."
            )
        return X

    def _column_name(self, column):
        names = getattr(self, "feature_names_in_", None)
        return f"column {column}" if names is None else f"column {names[column]!r}"

    def _learn_scale(self, X):
        """Keep mean and standard deviation of each column in double precision."""
        with np.errstate(over="ignore", invalid="ignore"):
            self.mean_ = X.mean(axis=0, dtype=np.float64)
            # Not X.std, which would sum in single precision where X is float32.
            spread = np.sqrt(np.mean((X - self.mean_) ** 2, axis=0))
        if not np.isfinite(spread).all():
            column = int(np.isfinite(spread).argmin())
            raise InvalidInputError(
                f"{type(self).__name__}: {self._column_name(column)} has values too large to be "
                f"squared (largest: {float(np.abs(X[:, column]).max())!r}). Take their logarithm."
            )
        constant = spread <= _CONSTANT * np.abs(X).max(axis=0)
        self.scale_ = np.where(constant, 1.0, spread)

    def _standardised(self, X):
        """Return rows in standard deviations from the mean, in double precision."""
        return (X - self.mean_) / self.scale_

    def _run(self, part, rows):
        """Run a part of the net in double precision: what BLAS rounds depends on the batch."""
        return apply_in_double(self.net_, rows, _values, n_threads=self.n_threads, module=part)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _values(output):
    return output.cpu().numpy()
