"""The documentation of the parameters that all net estimators share, written once."""

import inspect
import re
from ast import literal_eval
from typing import TypeVar

EstimatorClass = TypeVar("EstimatorClass", bound=type)

COMMON_PARAMETERS = """
optimizer : {"adam", "adamw", "rmsprop", "sgd"} or type, default="adam"
    How the weights follow the gradient; ``"sgd"`` has Nesterov momentum 0.9. A subclass of
    ``torch.optim.Optimizer`` that steps without a closure is taken too.
learning_rate : float, default=1e-3
    Step size at the start.
weight_decay : float, default=0.0
    L2 penalty of the weights, as the optimiser defines it.
scheduler : {"cosine", "plateau", "step"}, callable or None, default=None
    How the learning rate changes from epoch to epoch. ``"cosine"`` falls to 0 over
    `max_epochs`; ``"plateau"`` divides by 10 after 10 epochs without a better loss; ``"step"``
    multiplies by 0.9 after every 50 epochs; a callable takes the optimiser and returns a torch
    scheduler, such as
    ``functools.partial(torch.optim.lr_scheduler.StepLR, step_size=30, gamma=0.5)``.
batch_size : int, default=64
    Rows per step. The last step of an epoch takes the rest; less than an eighth of a batch joins
    the step before.
max_epochs : int, default=200
    Passes over the training rows, at most.
patience : int or None, default=15
    Stop after so many epochs without a lower validation loss. ``None`` trains for all
    `max_epochs`. Either way the weights of the best epoch are kept.
min_delta : float, default=1e-4
    A validation loss is lower only if it falls by more than this.
validation_fraction : float or None, default=0.1
    Share of the rows given to `fit` that is set aside to measure the validation loss. Classes
    keep their proportions, and a class with a single row stays in training. With `groups`,
    whole groups are set aside, except those with the only rows of a class. ``None`` trains on
    all rows for `max_epochs` and keeps the last weights.
validation_splitter : splitter or None, default=None
    Chooses the validation rows instead: the first split of its ``split(X, y, groups)`` is used.
random_state : int, RandomState or None, default=None
    Decides the initial weights, the order of the rows, dropout and the validation rows. The
    global generators of torch, NumPy and Python are left as they are, whatever is given.
warm_start : bool, default=False
    Let `fit` go on from the weights of the fit before, with a new optimiser and schedule.
device : {"auto", "cpu", "cuda"} or str, default="cpu"
    Where to compute; ``"auto"`` takes a CUDA device if there is one, ``"cuda:1"`` a certain one.
    Nets as small as the default are usually not faster there.
n_threads : int or None, default=1
    Threads of torch in `fit` and `predict`; small nets are fastest with one. ``None`` leaves
    torch's setting.
callbacks : list of skorch callbacks or None, default=None
    Told of the training in addition; copies are used. Without any that listens to single
    batches, epochs are faster.
progress : bool or "auto", default=False
    Show a progress bar over the epochs; ``"auto"`` on a terminal only.
verbose : bool, default=False
    Print a table of the epochs as they pass.
""".strip("\n")

COMMON_ATTRIBUTES = """
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
""".strip("\n")

HEAD_PARAMETERS = """
head : {"point", "gaussian", "quantile"}, default="point"
    What is said about each target. ``"point"`` is the mean alone, by squared error.
    ``"gaussian"`` is a mean and a standard deviation for each row, by the likelihood of a normal
    distribution, for ``predict(X, return_std=True)``. ``"quantile"`` is the quantiles named in
    `quantiles`, by pinball loss; `predict` then gives the median. Both offer `predict_quantiles`
    and `predict_interval`.
quantiles : sequence of float or None, default=None
    Ascending probabilities to learn where the head is ``"quantile"``, 0.5 among them; ``None``
    means ``(0.05, 0.25, 0.5, 0.75, 0.95)``.
""".strip("\n")

HEAD_ATTRIBUTES = """
head_ : str
    The `head` that the net was fitted with.
quantiles_ : ndarray of shape (n_quantiles,) or None
    Probabilities of the learned quantiles, where the head is ``"quantile"``.
""".strip("\n")


def document_common(estimator_class: EstimatorClass) -> EstimatorClass:
    """Fill the shared parameters and attributes into the docstring of an estimator class.

    Defaults are those of its signature, where they differ from the ones written above.
    """
    indent = "    "
    for mark, text in (
        ("{common_parameters}", _with_defaults_of(estimator_class)),
        ("{common_attributes}", COMMON_ATTRIBUTES),
        ("{head_parameters}", HEAD_PARAMETERS),
        ("{head_attributes}", HEAD_ATTRIBUTES),
    ):
        lines = text.replace("\n", f"\n{indent}")
        estimator_class.__doc__ = (estimator_class.__doc__ or "").replace(mark, lines)
    return estimator_class


def _with_defaults_of(estimator_class):
    """Return the shared parameters with the defaults that the class gives them."""
    signature = inspect.signature(estimator_class).parameters

    def line(match):
        name, kind, stated = match.groups()
        default = signature[name].default
        if literal_eval(stated) != default:
            stated = f'"{default}"' if isinstance(default, str) else repr(default)
        return f"{name} : {kind}, default={stated}"

    return re.sub(r"^(\w+) : (.*), default=(.*)$", line, COMMON_PARAMETERS, flags=re.M)
