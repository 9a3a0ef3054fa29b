"""Parameters that the nets share: their types, the check of layer sizes, their documentation."""

import inspect
from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import torch

from crystalml.exceptions import InvalidInputError

Activation: TypeAlias = Literal["elu", "gelu", "relu", "selu", "silu", "tanh"]
# A dict is invariant: weights may be integers.
ClassWeight: TypeAlias = Literal["balanced"] | dict[Any, Any] | None
Head: TypeAlias = Literal["point", "gaussian", "quantile"]
Optimizer: TypeAlias = Literal["adam", "adamw", "rmsprop", "sgd"] | type[torch.optim.Optimizer]
Scheduler: TypeAlias = (
    Literal["cosine", "plateau", "step"] | Callable[[torch.optim.Optimizer], Any] | None
)

_EstimatorClass = TypeVar("_EstimatorClass", bound=type)


def hidden_sizes(estimator, parameter="hidden_layer_sizes"):
    """Return a parameter that holds sizes of layers as a tuple, or raise."""
    given = getattr(estimator, parameter)
    sizes = (given,) if isinstance(given, Integral) else tuple(given)
    if not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
        raise InvalidInputError(
            f"{type(estimator).__name__}: {parameter} must be whole numbers >= 1, got {given!r}; "
            "give e.g. (64, 32), or () for no such layer."
        )
    # NumPy's integers would not fit into the description that a model file holds.
    return tuple(int(size) for size in sizes)


def document_parameters(estimator_class: _EstimatorClass) -> _EstimatorClass:
    """Fill the paragraphs below into the docstring of an estimator class, where it has their marks.

    Defaults are those of the signature of the class, as they differ from net to net.
    """
    signature = inspect.signature(estimator_class).parameters
    defaults = {name: _as_written(parameter.default) for name, parameter in signature.items()}
    text = estimator_class.__doc__ or ""  # Python without docstrings (-OO) has none to fill
    for mark, paragraph in _PARAGRAPHS.items():
        if mark in text:
            lines = (paragraph.strip("\n") % defaults).replace("\n", "\n    ")
            text = text.replace(mark, lines)
    estimator_class.__doc__ = text
    return estimator_class


def _as_written(default):
    """Return a default as the documentation writes it, with double quotes."""
    return f'"{default}"' if isinstance(default, str) else repr(default)


# Mark in a docstring -> the lines that replace it.
_PARAGRAPHS = {
    "{common_parameters}": """
optimizer : {"adam", "adamw", "rmsprop", "sgd"} or type, default=%(optimizer)s
    How the weights follow the gradient; ``"sgd"`` has Nesterov momentum 0.9. A subclass of
    ``torch.optim.Optimizer`` that steps without a closure is taken too.
learning_rate : float, default=%(learning_rate)s
    Step size at the start.
weight_decay : float, default=%(weight_decay)s
    L2 penalty of the weights, as the optimiser defines it.
scheduler : {"cosine", "plateau", "step"}, callable or None, default=%(scheduler)s
    How the learning rate changes from epoch to epoch. ``"cosine"`` falls to 0 over
    `max_epochs`; ``"plateau"`` divides by 10 after 10 epochs without a better loss; ``"step"``
    multiplies by 0.9 after every 50 epochs; a callable takes the optimiser and returns a torch
    scheduler, such as
    ``functools.partial(torch.optim.lr_scheduler.StepLR, step_size=30, gamma=0.5)``.
batch_size : int, default=%(batch_size)s
    Rows per step. The last step of an epoch takes the rows that are left; if they are fewer than
    an eighth of a batch, they join the step before.
max_epochs : int, default=%(max_epochs)s
    Passes over the training rows, at most.
patience : int or None, default=%(patience)s
    Stop after so many epochs without a lower validation loss. ``None`` trains for all
    `max_epochs`. Either way the weights of the best epoch are kept.
min_delta : float, default=%(min_delta)s
    A validation loss counts as lower only if it falls by more than this.
validation_fraction : float or None, default=%(validation_fraction)s
    Share of the rows given to `fit` that is set aside to measure the validation loss. Classes
    keep their proportions, and a class with a single row stays in training. With `groups`,
    whole groups are set aside, except those with the only rows of a class. ``None`` trains on
    all rows for `max_epochs` and keeps the last weights.
validation_splitter : splitter or None, default=%(validation_splitter)s
    Chooses the validation rows instead: the first split of its ``split(X, y, groups)`` is used.
random_state : int, RandomState or None, default=%(random_state)s
    Decides the initial weights, the order of the rows, dropout and the validation rows. The
    global generators of torch, NumPy and Python never change.
warm_start : bool, default=%(warm_start)s
    Let `fit` start from the weights of the previous fit, with a new optimiser and schedule.
device : {"auto", "cpu", "cuda"} or str, default=%(device)s
    Where to compute; ``"auto"`` takes a CUDA device if there is one, ``"cuda:1"`` a certain one.
    Nets as small as the default are usually not faster there.
n_threads : int or None, default=%(n_threads)s
    Threads of torch in `fit` and `predict`; small nets are fastest with one. ``None`` leaves
    torch's setting.
callbacks : list of skorch callbacks or None, default=%(callbacks)s
    Additional callbacks, which are copied. Epochs are faster if none of them listens to single
    batches.
progress : bool or "auto", default=%(progress)s
    Show a progress bar over the epochs; ``"auto"`` on a terminal only.
verbose : bool, default=%(verbose)s
    Print a table with a line after each epoch.
""",
    "{common_attributes}": """
net_ : skorch.NeuralNet
    The trained net; ``net_.module_`` is the torch module.
history_ : DataFrame
    One row per epoch: ``epoch, train_loss, valid_loss, valid_accuracy`` (classifiers),
    ``duration`` (seconds) and ``learning_rate``, and whatever the callbacks recorded; validation
    columns only where there was validation. Training losses are means over the epoch, taken
    before each step and with dropout on.
n_iter_ : int
    Number of epochs trained.
best_epoch_ : int
    Epoch whose weights are kept: the one of the lowest validation loss, or the last.
n_features_in_ : int
    Number of input columns.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the input columns, where they were all strings.
""",
    "{class_weight_parameter}": """
class_weight : {"balanced"}, dict or None, default=%(class_weight)s
    Weight of each class in the loss: a dict from label to weight (1 where a label is
    absent), or ``"balanced"`` for weights inverse to the number of rows.
""",
    "{head_parameters}": """
head : {"point", "gaussian", "quantile"}, default=%(head)s
    What the net predicts for each target. ``"point"`` is the mean alone, by squared error.
    ``"gaussian"`` is a mean and a standard deviation for each row, by the likelihood of a normal
    distribution, for ``predict(X, return_std=True)``. ``"quantile"`` is the quantiles named in
    `quantiles`, by pinball loss; `predict` then gives the median. Both offer `predict_quantiles`
    and `predict_interval`.
quantiles : sequence of float or None, default=%(quantiles)s
    Ascending probabilities to learn where the head is ``"quantile"``, 0.5 among them; ``None``
    means ``(0.05, 0.25, 0.5, 0.75, 0.95)``.
""",
    "{head_attributes}": """
head_ : str
    The `head` that the net was fitted with.
quantiles_ : ndarray of shape (n_quantiles,) or None
    Probabilities of the learned quantiles, where the head is ``"quantile"``.
""",
    "{wide_deep_parameters}": """
hidden_layer_sizes : int or sequence of int, \
default=(512, 512, 256, 256, 128, 128, 64, 64, 32, 16)
    Width of each deep layer. With ``()`` all columns reach the head directly.
wide_features : "auto", sequence of str or int, or None, default=%(wide_features)s
    The wide columns: like all columns they are input of the deep layers, and they also reach the
    head directly. ``"auto"`` is the column named ``v_formula`` if the input has one, and else
    none (arrays have no column names). A list may hold names, where the input has them, and
    positions from 0. ``None`` and ``()`` are none.
head_layer_sizes : int or sequence of int, default=%(head_layer_sizes)s
    Width of each layer between the joined features and the output.
dropout : float, default=%(dropout)s
    Probability that a unit of a deep layer is zeroed in training.
reduction_ratio : int, default=%(reduction_ratio)s
    The middle of a squeeze and excitation has so many times fewer units than its ends, but one
    at least.
""",
    "{tabnet_parameters}": """
n_d, n_a : int, default=64
    Width of what a step contributes to the prediction, and of what it passes to the next step,
    which chooses its columns by it.
n_steps : int, default=%(n_steps)s
    Number of steps.
gamma : float, default=%(gamma)s
    How freely steps may use a column again. With 1, a column that had the whole mask of a step
    is closed to all later steps; the larger the value, the less such a column loses.
mask_type : {"entmax", "sparsemax"}, default=%(mask_type)s
    How scores become a mask; entmax (with alpha 1.5) zeroes fewer columns.
n_independent, n_shared : int, default=2
    Number of gated layers that each step has of its own, and that all steps share.
virtual_batch_size : int, default=%(virtual_batch_size)s
    Rows that are normalised together in training (ghost batch normalisation), at most.
momentum : float, default=%(momentum)s
    Weight of a virtual batch in the running averages that predictions are normalised with; short
    trainings need a larger one. That of the inputs is 0.01 per batch, as in pytorch-tabnet.
max_gradient_norm : float or None, default=%(max_gradient_norm)s
    Longer gradients are shortened to this norm; ``None`` leaves them as they are.
categorical_features : "from_dtype", array-like or None, default=%(categorical_features)s
    Columns whose values are categories, not numbers: a boolean for each column, or positions, or
    names of columns. ``"from_dtype"`` takes columns of a DataFrame that are categorical or text.
embedding_dim : int or sequence of int, default=%(embedding_dim)s
    Width of the vector that is learned for each category: one number for all categorical columns,
    or one for each of them.
""",
    "{lambda_sparse_parameter}": """
lambda_sparse : float, default=%(lambda_sparse)s
    Factor of the mean entropy of the masks, which is added to the loss in training so that
    few columns are chosen.
""",
    "{pretrained_parameter}": """
pretrained : TabNetPretrainer, FrozenEstimator or None, default=%(pretrained)s
    A fitted `TabNetPretrainer` of the same sizes and columns, from whose encoder `fit` starts.
    `sklearn.base.clone`, and so every search and cross-validation, forgets what a pretrainer has
    learned: wrap it as ``sklearn.frozen.FrozenEstimator(pretrainer)``, which clones keep. A
    pretrainer that is not fitted is refused.
""",
    "{tabnet_attributes}": """
feature_importances_ : ndarray of shape (n_features_in_,)
    How much the net looks at each column: `explain` summed over the training rows, with their
    weights. They sum to 1, and are 0 where no step contributes anything.
categorical_features_ : ndarray of int
    Positions of the categorical columns.
categories_ : list of ndarray
    The categories of each of them, sorted; NaN, if any value was missing, is the last.
""",
}
