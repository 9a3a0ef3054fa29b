"""Symmetry class and volume from one net: its torch module, its loss, its target."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from crystalml._typing import ArrayLike, FloatArray, NDArray, Progress, RandomState, Splitter
from crystalml._validation import Interval, StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base_classifier import BaseNetClassifier
from crystalml.neural._modules import ACTIVATIONS, MLP, hidden_layers
from crystalml.neural._parameters import (
    Activation,
    ClassWeight,
    Optimizer,
    Scheduler,
    document_parameters,
    hidden_sizes,
)


class TwoTaskOutput(NamedTuple):
    """The outputs of the net for some rows."""

    logits: torch.Tensor  # (n_rows, n_classes)
    volume: torch.Tensor  # (n_rows,), standardised
    log_variances: torch.Tensor | None  # of the two tasks, where they are learned


class TwoTaskNet(nn.Module):
    """Hidden layers that two heads share, one for the classes and one for the volume.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input, and number of classes.
    hidden_sizes : sequence of int
        Width of each shared layer.
    head_sizes : sequence of int
        Width of each hidden layer of either head.
    activation : str
        Key of ``ACTIVATIONS``.
    dropout : float
        Probability that a shared hidden unit is zeroed in training.
    batch_normalization : bool
        Normalise shared layers before each activation.
    learned_weights : bool
        Whether the variances of the two tasks are parameters.
    """

    def __init__(
        self,
        n_inputs,
        n_outputs,
        hidden_sizes,
        head_sizes,
        activation,
        dropout,
        batch_normalization,
        learned_weights,
    ):
        super().__init__()
        layers = hidden_layers(n_inputs, hidden_sizes, activation, dropout, batch_normalization)
        self.trunk = nn.Sequential(*layers)
        width = [n_inputs, *hidden_sizes][-1]
        # No dropout in the heads: the trunk's is what regularises both.
        self.class_head = MLP(width, n_outputs, head_sizes, activation, 0.0, False)
        self.volume_head = MLP(width, 1, head_sizes, activation, 0.0, False)
        # Logarithms, so that no step of the optimiser makes a variance negative. Zeros weigh both
        # losses as they are.
        self.log_variances = nn.Parameter(torch.zeros(2)) if learned_weights else None

    def forward(self, x):
        """Return logits and volumes of some rows."""
        shared = self.trunk(x)
        volume = self.volume_head(shared).squeeze(1)
        return TwoTaskOutput(self.class_head(shared), volume, self.log_variances)


class TwoTaskLoss(nn.Module):
    """Cross-entropy of the class and squared error of the volume, weighed against each other.

    The target has two columns, the class code and the standardised volume, NaN where that is not
    known: such a row counts for the class alone. With fixed weights a row's loss is cross-entropy
    plus `volume_weight` times squared error. Where the net has log-variances s, it is

        exp(-s1) cross-entropy + s1 / 2 + (exp(-s2) squared error + s2) / 2.

    Both are means over all rows, so that a row counts the same in any batch.

    Parameters
    ----------
    volume_weight : float
        Without log-variances.
    """

    def __init__(self, volume_weight=1.0):
        super().__init__()
        self.volume_weight = volume_weight

    def forward(self, output, target, weight=None):
        """Return the mean of weight times loss."""
        entropy, error, known = _losses(output, target)
        if output.log_variances is None:
            loss = entropy + self.volume_weight * error
        else:
            # They come with the output, since a loss sees no weights of the net.
            of_class, of_volume = output.log_variances
            # The second terms keep the variances from growing without end. That of the volume
            # counts only where a volume is known, or rows without one would push its variance down.
            loss = torch.exp(-of_class) * entropy + of_class / 2
            loss = loss + (torch.exp(-of_volume) * error + of_volume * known) / 2
        return (loss if weight is None else loss * weight).mean()

    def scores(self, output, target, weight=None):
        """Return the share of right classes, and both losses before they are weighed."""
        entropy, error, _ = _losses(output, target)
        is_correct = (output.logits.argmax(dim=1) == target[:, 0]).to(entropy.dtype)
        rows = {"accuracy": is_correct, "class_loss": entropy, "volume_loss": error}
        return {
            name: (value if weight is None else value * weight).mean()
            for name, value in rows.items()
        }


def _losses(output, target):
    """Return cross-entropy and squared error (0 where unknown) of each row, and what is known."""
    entropy = functional.cross_entropy(output.logits, target[:, 0].long(), reduction="none")
    known = ~torch.isnan(target[:, 1])
    # Not a product with `known`: the gradient of NaN times zero is NaN.
    error = (output.volume - torch.where(known, target[:, 1], output.volume.detach())) ** 2
    return entropy, error * known, known


@document_parameters
class MultiTaskNet(BaseNetClassifier):
    """Classifier of the symmetry class that can also predict the volume, by one net.

    Both tasks share the hidden layers of a multilayer perceptron, and each has a head of its own.
    The volume is learned on a log scale, ``log1p``, and given back in its unit. To learn
    both at once may help either task or harm it: compare with the single-task nets
    (`MLPNetClassifier`, and `MLPNetRegressor` in `crystalml.log_volume`).

    The target is two columns, class and volume. From rows whose volume is not known
    (NaN) the net learns the class alone. Labels in one column make it an ordinary classifier.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(64, 32)
        Width of each shared layer.
    head_layer_sizes : int or sequence of int, default=(32,)
        Width of each hidden layer of either head; ``()`` puts a linear layer on the trunk.
    volume_weight : float or "learned", default=1.0
        Weight of the volume's loss relative to that of the class. With ``"learned"`` the net
        learns a variance for each task, by which its loss is divided [1]_; see the notes.
    activation : {"elu", "gelu", "relu", "selu", "silu", "tanh"}, default="relu"
        Follows every hidden layer.
    dropout : float, default=0.1
        Probability that a shared hidden unit is zeroed in training.
    batch_normalization : bool, default=False
        Normalise shared layers over the batch, before the activation. Predictions use the
        averages of the training, never the rows beside them.
    class_weight : {"balanced"}, dict or None, default=None
        Weight of the rows of each class in the loss of both tasks: a dict from label to weight
        (1 where a label is absent), or ``"balanced"`` for weights inverse to the number of rows.
    {common_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of `predict_proba`.
    target_names_ : list of str or None
        Columns of what `predict` returns: those of `y`, or ``["class", "volume"]`` where it had
        no names; None where `y` was labels alone.
    log_volume_mean_, log_volume_scale_ : float
        Mean and standard deviation of ``log1p`` of the known volumes in `fit`; NaN without any.
    loss_weights_ : ndarray of shape (2,)
        What the losses of class and volume were multiplied with, at the kept epoch.
    {common_attributes}

    See Also
    --------
    MLPNetClassifier, MLPNetRegressor : The single-task nets.
    crystalml.log_volume : A regressor on the same log scale.

    Notes
    -----
    The class has the cross-entropy C as its loss, the volume the squared error E of the
    standardised ``log1p``, both taken for each row, E being 0 where the volume is not known. With
    a number `volume_weight` w the loss is the mean over the rows of C + w E. With ``"learned"``
    it is the mean of

        exp(-s1) C + s1 / 2 + (exp(-s2) E + s2) / 2

    the last bracket only where the volume is known: s1 and s2, the logarithms of two variances,
    are weights of the net. Such a loss may fall below zero. ``history_`` has both losses of the
    validation rows before they are weighed, ``valid_class_loss`` and ``valid_volume_loss``.

    Early stopping looks at the loss of both tasks together, and keeps one epoch for both.

    To scikit-learn this is a classifier, `score` is the accuracy of the class, and scorers by
    name suit a `y` of labels alone. With two columns of different kinds, scikit-learn can neither
    stratify folds (give `cv` a splitter such as ``GroupKFold``, not a number) nor encode labels
    (``cross_val_predict`` with ``method="predict_proba"``).

    References
    ----------
    .. [1] A. Kendall, Y. Gal and R. Cipolla, "Multi-task learning using uncertainty to weigh
       losses for scene geometry and semantics", IEEE Conference on Computer Vision and Pattern
       Recognition (2018) 7482-7491.

    Examples
    --------
    Lattice and volume of a few synthetic crystals, from the logarithms of their edges:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from crystalml import MultiTaskNet
    >>> random = np.random.default_rng(0)
    >>> a, c = random.uniform(3, 9, size=(2, 600))
    >>> cubic = random.random(600) < 0.5
    >>> c = np.where(cubic, a, c)
    >>> X = np.log(np.column_stack([a, c, c / a]))
    >>> y = pd.DataFrame({"lattice": np.where(cubic, "cP", "tP"), "volume": a * a * c})
    >>> net = MultiTaskNet(max_epochs=60, learning_rate=3e-3, random_state=0)
    >>> predicted = net.fit(X[:500], y[:500]).predict(X[500:])
    >>> predicted.columns.tolist()
    ['lattice', 'volume']
    >>> bool(np.median(abs(predicted["volume"] / y["volume"].to_numpy()[500:] - 1)) < 0.1)
    True
    >>> net.predict_proba(X[500:]).shape, net.score(X[500:], y[500:]) > 0.8
    ((100, 2), True)
    """

    _module_class = TwoTaskNet
    _own_constraints = {  # noqa: RUF012
        **BaseNetClassifier._own_constraints,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "head_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "volume_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"learned"})],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_normalization": ["boolean"],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (64, 32),
        *,
        head_layer_sizes: int | Sequence[int] = (32,),
        volume_weight: float | Literal["learned"] = 1.0,
        activation: Activation = "relu",
        dropout: float = 0.1,
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
        self.head_layer_sizes = head_layer_sizes
        self.volume_weight = volume_weight
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

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the net on both tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs, best scaled to about unit variance.
        y : array-like of shape (n_samples, 2) or (n_samples,)
            Class and volume, best as a DataFrame so that each column keeps its type. Volumes are
            > 0 in any unit, NaN (or None) where not known. Or the labels alone.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in both losses; rows of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never split between training and validation.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return super().fit(X, y, sample_weight=sample_weight, groups=groups)

    def predict(self, X: ArrayLike) -> pd.DataFrame | NDArray[Any]:
        """Return the most probable label and the volume of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        DataFrame of shape (n_samples, 2) or ndarray of shape (n_samples,)
            As `y` was in `fit`: two columns, named as there and with the index of `X` if it has
            one, or the labels alone.
        """
        check_is_fitted(self)
        if self.target_names_ is None:
            return super().predict(X)
        # Past this class's own _apply, which gives the logits alone: one run serves both tasks.
        both = super()._apply(X, _class_and_volume)
        labels, volumes = self.classes_[both[:, 0].astype(np.int64)], self._in_units(both[:, 1])
        index = X.index if isinstance(X, pd.DataFrame) else None
        # Two series, as one array would turn the volumes into text beside labels of text.
        columns = [pd.Series(labels, index=index), pd.Series(volumes, index=index)]
        return pd.concat(columns, axis=1, keys=self.target_names_)

    def predict_volume(self, X: ArrayLike) -> FloatArray:
        """Return the volume of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,)
            In the unit of the volumes given to `fit`.
        """
        check_is_fitted(self)
        if np.isnan(self.log_volume_mean_):
            raise InvalidInputError(
                f"{type(self).__name__}: it was fitted on labels alone and knows of no volume; "
                "give fit two columns, class and volume."
            )
        return self._in_units(super()._apply(X, _volume))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy of the class; `predict_volume` and any metric judge the volume.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples, 2) or (n_samples,)
            Class and volume, which is ignored, or the labels alone.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        float
        """
        labels = TwoTargets.of(y, caller=type(self).__name__).labels
        return accuracy_score(labels, super().predict(X), sample_weight=sample_weight)

    @property
    def _criterion(self):
        return TwoTaskLoss(1.0 if self.volume_weight == "learned" else self.volume_weight)

    def _module_parameters(self, n_inputs, n_outputs):
        return {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "hidden_sizes": hidden_sizes(self),
            "head_sizes": hidden_sizes(self, "head_layer_sizes"),
            "activation": self.activation,
            "dropout": self.dropout,
            "batch_normalization": self.batch_normalization,
            "learned_weights": self.volume_weight == "learned",
        }

    def _validated(self, X, y, warm, **checks):
        """Check inputs and labels as other classifiers do, and the volumes here."""
        targets = TwoTargets.of(y, caller=type(self).__name__)
        X, labels = super()._validated(X, targets.labels, warm, **checks)
        return X, targets._replace(labels=labels)

    def _encode_target(self, y, weight, warm, classes=None):
        """Return class codes and standardised volumes; a fit that goes on keeps the first scale."""
        codes = super()._encode_target(y.labels, weight, warm, classes=classes)
        logarithm, known = y.log_volumes(weight)
        if not warm:
            self.target_names_ = y.names
            mean, scale = y.log_volume_scale(weight, caller=type(self).__name__)
            self.log_volume_mean_, self.log_volume_scale_ = mean, scale
        # The scale is fixed by the first fit, so that weights learned on it keep their meaning.
        elif known.any() and np.isnan(self.log_volume_mean_):
            raise InvalidInputError(
                f"{type(self).__name__}: the fit before had no volume, so it has no scale for "
                "them. Fit anew with warm_start=False."
            )
        standardised = (logarithm - self.log_volume_mean_) / self.log_volume_scale_
        # One array for both: the batches carry a single target. Codes are exact in float32 up to
        # 2^24.
        return np.column_stack([codes, standardised]).astype(np.float32)

    def _loss_weights(self, y, weight):
        return super()._loss_weights(y.labels, weight)

    def _check_learnable(self, target):
        super()._check_learnable(target[:, 0].astype(np.int64))

    def _strata(self, target):
        return target[:, 0].astype(np.int64)

    def _split(self, X, y, target, groups, used):
        return super()._split(X, y.labels, target, groups, used)

    @property
    def loss_weights_(self) -> FloatArray:
        """What the losses of class and volume were multiplied with, at the kept epoch."""
        check_is_fitted(self)
        learned = self.net_.module_.log_variances
        if learned is None:
            return np.array([1.0, self.net_.criterion_.volume_weight])
        precisions = torch.exp(-learned.detach().double()).cpu().numpy()
        # The squared error stands with a factor 1/2 in the loss, the cross-entropy without.
        return precisions * [1.0, 0.5]

    def _in_units(self, standardised):
        return np.expm1(standardised * self.log_volume_scale_ + self.log_volume_mean_)

    def _apply(self, X, convert):
        """Run the net over the rows of `X`, and `convert` over the logits of its classes."""
        return super()._apply(X, lambda output: convert(self._logits(output)))

    def _logits(self, output):
        return output.logits


def _class_and_volume(output):
    codes = output.logits.argmax(dim=1).double()
    return torch.stack([codes, output.volume.double()], dim=1).cpu().numpy()


def _volume(output):
    return output.volume.double().cpu().numpy()


_DEFAULT_TARGET_NAMES = ["class", "volume"]


class TwoTargets(NamedTuple):
    """Labels and volumes of the rows, taken from `y` before the labels are checked."""

    labels: object
    volumes: np.ndarray  # NaN where not known
    names: list | None  # of the two columns; None where y is labels alone

    @classmethod
    def of(cls, y, *, caller):
        """Take `y` apart: two columns are class and volume, anything else is labels.

        Raises
        ------
        InvalidInputError
            If there are more columns, or a volume is no number > 0.
        """
        if not hasattr(y, "shape") and y is not None:
            y = _as_columns(y)
        shape = np.shape(y)
        if len(shape) == 2 and shape[1] > 2:
            raise InvalidInputError(
                f"{caller}: y has {shape[1]} columns; give two, class and volume, or the labels "
                "alone in one dimension."
            )
        # A single column is for scikit-learn's own check of labels to judge, which knows how.
        if len(shape) != 2 or shape[1] < 2:
            return cls(y, np.full(shape[0] if shape else 0, np.nan), None)
        if not isinstance(y, pd.DataFrame):
            # A frame in any case, as its columns keep their types apart.
            y = pd.DataFrame({name: _column(y, i) for i, name in enumerate(_DEFAULT_TARGET_NAMES)})
        return cls(y.iloc[:, 0], _volumes(y.iloc[:, 1], caller), y.columns.tolist())

    def log_volumes(self, weight):
        """Return ``log1p`` of the volumes, and which are known of rows that count."""
        # Volumes span orders of magnitude, and what matters is the relative error of each.
        logarithm = np.log1p(self.volumes)
        return logarithm, ~np.isnan(logarithm) & (True if weight is None else weight > 0)

    def log_volume_scale(self, weight, *, caller):
        """Return mean and standard deviation of ``log1p`` of the volumes, NaN for labels alone.

        Raises
        ------
        InvalidInputError
            If there is a column of volumes, but none is known in a row that counts.
        """
        logarithm, known = self.log_volumes(weight)
        if self.names is None:
            return np.nan, np.nan
        if not known.any():
            raise InvalidInputError(
                f"{caller}: no row that counts has a volume. Give fit the labels alone, in one "
                "dimension."
            )
        weight = None if weight is None else weight[known]
        mean = np.average(logarithm[known], weights=weight)
        variance = np.average((logarithm[known] - mean) ** 2, weights=weight)
        return float(mean), float(np.sqrt(variance)) if variance > 0 else 1.0


def _as_columns(y):
    """Return a list as an array that does not turn numbers beside text into text."""
    pairs = isinstance(y, list | tuple) and all(isinstance(row, list | tuple) for row in y)
    # NumPy turns [["cP", 64.0]] into text, so pairs stay objects.
    return np.array(y, dtype=object if pairs else None)


def _column(y, position):
    """Return a column of an array with the type that its values have."""
    column = y[:, position]
    # A list of Python values lets NumPy find the type that they have in common.
    return np.array(column.tolist()) if column.dtype == object else column


def _volumes(column, caller):
    """Return volumes as floats, or raise."""
    try:
        volumes = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{caller}: the second column of y should be the volume, but some values are not "
            f"numbers ({error}). Give class and volume in this order."
        ) from error
    # NaN says that a volume is not known; zero, negative and infinite ones are mistakes.
    bad = ~((volumes > 0) & np.isfinite(volumes)) & ~np.isnan(volumes)
    if bad.any():
        row = int(bad.argmax())
        raise InvalidInputError(
            f"{caller}: {bad.sum()} volumes in y are not finite and > 0 (first: row {row}, "
            f"{float(volumes[row])!r}). Give NaN where a volume is not known."
        )
    return volumes
