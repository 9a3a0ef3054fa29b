# ruff: noqa: ARG002 (the methods below have skorch's signatures)
"""How nets are built and trained: the only module that names skorch.

skorch supplies the net object, its callbacks, optimiser set-up and history. What it pays per
batch (a data loader that collates single rows, callbacks nobody listens to) is replaced:
batches are slices of tensors permuted in blocks, and callbacks are told of batches only if
one of them listens.
"""

from collections import defaultdict
from contextlib import suppress

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.utils import ClassifierTags
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog
from skorch.dataset import Dataset
from skorch.utils import to_numpy
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR
from torch.utils.data import Subset

from crystalml._progress import progress_bar
from crystalml.exceptions import InvalidInputError
from crystalml.neural._batches import (
    PREDICTION_ROWS,
    Batches,
    PermutedBatches,
    apply_in_slices,
    as_tensor,
)

_PARTS = ("train", "valid")


# The events of skorch's callbacks that come once or more often per batch.
_BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


# In the history of a net for callbacks alone.
_COLUMNS_LEFT_OUT = (
    "batches",
    "train_batch_count",
    "train_loss_best",
    "valid_batch_count",
    "valid_loss_best",
)


# These can update all weights in one kernel, where others launch several for each tensor.
_FUSED_OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


_OPTIMIZERS = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
}


def build_net(estimator, criterion, module_parameters, *, max_epochs, validated, scheduler, device):
    """Build and initialise the untrained net of `estimator` from its parameters.

    Parameters
    ----------
    estimator : BaseNetEstimator
        Gives the module class and the parameters common to all net estimators.
    criterion : type
        Loss module, called with output, target and weight.
    module_parameters : dict
        Passed to the module class.
    max_epochs : int
        Length of the coming training.
    validated : bool
        Whether there will be validation rows, so that the best epoch can be told.
    scheduler : str, callable or None
        The estimator's parameter, or None where the learning rate should stay.
    device : torch.device
        Where the module lives.

    Returns
    -------
    Net
    """
    # Before skorch sees it: its error for a wrong class does not name the parameter.
    optimizer, optimizer_parameters = find_optimizer(estimator)
    net = Net(
        estimator._module_class,
        criterion,
        optimizer=optimizer,
        lr=estimator.learning_rate,
        max_epochs=max_epochs,
        batch_size=estimator.batch_size,
        iterator_train=PermutedBatches,
        iterator_valid=Batches,
        iterator_valid__batch_size=PREDICTION_ROWS,
        dataset=RowData,
        # Which rows validate is decided before, with groups and weights, of which skorch knows
        # nothing.
        train_split=None,
        callbacks=_callbacks(estimator, scheduler, validated),
        # What modules return in training need not be what is scored (TabNet returns a penalty too).
        use_caching=False,
        verbose=int(estimator.verbose),
        device=str(device),
        **{f"module__{name}": value for name, value in module_parameters.items()},
        **{f"optimizer__{name}": value for name, value in optimizer_parameters.items()},
    )
    # Only some nets clip their gradients.
    net.max_gradient_norm_ = getattr(estimator, "max_gradient_norm", None)
    net.n_outputs_ = estimator._n_outputs
    return net.initialize()


def find_optimizer(estimator):
    """Return the optimiser class and its parameters, fused into one kernel where torch can.

    Raises
    ------
    InvalidInputError
        If the parameter `optimizer` is a class that is no optimiser.
    """
    optimizer, parameters = _OPTIMIZERS.get(estimator.optimizer, (estimator.optimizer, {}))
    if not issubclass(optimizer, torch.optim.Optimizer):
        raise InvalidInputError(
            f"{type(estimator).__name__}: optimizer={optimizer!r} is no subclass of "
            f"torch.optim.Optimizer; give one, or a name of {sorted(_OPTIMIZERS)}."
        )
    fused = {"fused": True} if optimizer in _FUSED_OPTIMIZERS else {}
    return optimizer, {"weight_decay": estimator.weight_decay, **parameters, **fused}


def _callbacks(estimator, scheduler, validated):
    """List the callbacks in the order in which they are told."""
    name = type(estimator).__name__
    # The monitor first: whatever follows may read the learning rate and the best losses. Those of
    # the user come before the schedule and see the rate that the epoch was trained with.
    callbacks = [
        EpochTimer(),
        _LossMonitor(name),
        *_cloned_callbacks(estimator.callbacks or [], name),
    ]
    if scheduler is not None:
        callbacks.append(_Schedule(scheduler, "valid_loss" if validated else "train_loss"))
    if estimator.progress:
        callbacks.append(_EpochBar(estimator.progress, name))
    if estimator.verbose:
        callbacks.append(_EpochTable())
    if validated:
        # An infinite patience never stops, but still brings back the best epoch.
        patience = np.inf if estimator.patience is None else estimator.patience
        callbacks.append(
            _BestWeights(
                patience=patience,
                threshold=estimator.min_delta,
                threshold_mode="abs",
                load_best=True,
            )
        )
    return callbacks


def _cloned_callbacks(callbacks, caller):
    """Return clones of a user's callbacks, as a fit must not change the objects it was given."""
    for callback in callbacks:
        # skorch takes classes and objects, with a name or without.
        bare = callback[-1] if isinstance(callback, tuple) else callback
        if not issubclass(bare if isinstance(bare, type) else type(bare), Callback):
            raise InvalidInputError(
                f"{caller}: callbacks holds {callback!r}; give callbacks of skorch, or pairs of a "
                "name and a callback."
            )
    # Not safe: callbacks are no estimators, and clone copies what it does not know.
    return clone(callbacks, safe=False)


def train(net, X, y, weight, train_rows, valid_rows):
    """Train `net` on some rows of the tensors and stop by others; leave it ready to predict.

    Parameters
    ----------
    net : Net
        Initialised; changed in place.
    X, y : ndarray of float32 (and int64)
        Inputs and encoded target of all rows.
    weight : ndarray of float32 or None
        Weight of each row, averaging 1 over each part.
    train_rows, valid_rows : ndarray of int
        Row numbers of the two parts; the second may be None.
    """
    data = RowData(
        *(None if part is None else as_tensor(part, net.device) for part in (X, y, weight))
    )
    parts = Subset(data, train_rows), None if valid_rows is None else Subset(data, valid_rows)
    # A plain list: the groups of the optimiser would be walked through in each step.
    net.parameters_ = [p for group in net.optimizer_.param_groups for p in group["params"]]
    net.notify("on_train_begin", X=data.X, y=data.y)
    with suppress(_StopTraining):
        net.fit_loop(parts)
    # The last epoch, unless the callback that keeps the best weights says otherwise.
    net.kept_epoch_ = len(net.history_)
    net.notify("on_train_end", X=data.X, y=data.y)
    finish_training(net)


def finish_training(net):
    """Leave a net ready to predict and without what only the training needs."""
    net.optimizer_.zero_grad()
    # Module and optimiser hold them; a pickle should hold them once.
    net.parameters_ = None
    net.module_.eval()


def continue_from(net, previous, *, with_optimizer, caller):
    """Give `net` the weights and the history of `previous`, and its optimiser's state if asked.

    Raises
    ------
    InvalidInputError
        If the two modules differ in shape.
    """
    try:
        net.module_.load_state_dict(previous.module_.state_dict())
    except RuntimeError as error:
        raise InvalidInputError(
            f"{caller}: the parameters now ask for another network than the one fitted before, "
            "so its training cannot go on. Set warm_start=False and fit again."
        ) from error
    net.history_.extend(previous.history_)
    # Another optimiser has no use for the state, and starts its own.
    if with_optimizer and type(net.optimizer_) is type(previous.optimizer_):
        # The state of the optimiser is taken over, but not its settings: learning_rate may be new.
        settings = [dict(group, params=None) for group in net.optimizer_.param_groups]
        net.optimizer_.load_state_dict(previous.optimizer_.state_dict())
        for group, now in zip(net.optimizer_.param_groups, settings, strict=True):
            group.update({name: value for name, value in now.items() if name != "params"})


def history_frame(net):
    """Return the net's history as a table with one row per epoch."""
    table = pd.DataFrame(
        [
            {name: value for name, value in epoch.items() if name not in _COLUMNS_LEFT_OUT}
            for epoch in net.history_
        ]
    )
    return table.rename(columns={"dur": "duration"})


class RowData(Dataset):
    """All rows of a fit: tensors of inputs and target, and weights or None."""

    def __init__(self, X, y=None, weight=None):
        super().__init__(X, y)
        self.weight = weight


class Net(NeuralNet):
    """skorch's net with lean steps; `fit_loop` takes a (training, validation) pair of subsets."""

    def get_default_callbacks(self):
        """Return none: `build_net` names every callback."""
        return []

    def initialize_callbacks(self):
        """Initialise the callbacks, and note whether any of them listens to batches."""
        super().initialize_callbacks()
        self.listeners_ = any(
            getattr(type(callback), event) is not getattr(Callback, event)
            for _, callback in self.callbacks_
            for event in _BATCH_EVENTS
            if hasattr(type(callback), event)
        )
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """Hand on the pair that was made before."""
        return X

    def notify(self, method_name, **cb_kwargs):
        """Tell the callbacks, any of which may ask to stop."""
        try:
            super().notify(method_name, **cb_kwargs)
        # This is how skorch's callbacks ask to stop. Ctrl-C arrives elsewhere, and still
        # interrupts.
        except KeyboardInterrupt as stop:
            raise _StopTraining from stop

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Walk the batches once and record the means over the rows."""
        if iterator is None:
            return
        self.module_.train(training)
        sizes, measured = [], defaultdict(list)
        if not self.listeners_:
            # An empty record, where callbacks of skorch look for the last batch.
            self.history.new_batch()
        for batch in iterator:
            if self.listeners_:
                self.notify("on_batch_begin", batch=_without_weights(batch), training=training)
            step = step_fn(batch)
            sizes.append(len(batch[0]))
            for name, value in step["measured"].items():
                # A kept tensor would sit in the heap between freed batches and fragment it.
                measured[name].append(value.item())
            if self.listeners_:
                self._tell_batch_end(prefix, batch, training, step)
        for name, values in measured.items():
            # By rows: the last batch may have fewer or more of them.
            mean = np.average(values, weights=sizes)
            self.history.record(f"{prefix}_{name}", float(mean))
        self.history.record(f"{prefix}_batch_count", len(sizes))

    def _tell_batch_end(self, prefix, batch, training, step):
        """Keep skorch's record of single batches for the callbacks that read it."""
        self.history.record_batch(f"{prefix}_loss", step["loss"].item())
        self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
        told = {"loss": step["loss"], "y_pred": step["y_pred"]}
        self.notify("on_batch_end", batch=_without_weights(batch), training=training, **told)

    def train_step(self, batch, **fit_params):
        """Take one step down the gradient of one batch."""
        inputs, (target, weight) = batch
        # Cheaper than the optimiser's zero_grad, which does the same behind several checks.
        for parameter in self.parameters_:
            parameter.grad = None
        output = self.module_(inputs)
        loss = self.criterion_(output, target, weight)
        loss.backward()
        if self.max_gradient_norm_ is not None:
            clip_grad_norm_(self.parameters_, self.max_gradient_norm_)
        if self.listeners_:
            parameters = list(self.get_all_learnable_params())
            told = {"batch": _without_weights(batch), "training": True}
            self.notify("on_grad_computed", named_parameters=parameters, **told)
        self.optimizer_.step()
        return {"loss": loss, "y_pred": output, "measured": {"loss": loss}}

    @torch.no_grad()
    def validation_step(self, batch, **fit_params):
        """Measure the loss and the scores of one batch, with dropout off."""
        inputs, (target, weight) = batch
        output = self.module_(inputs)
        loss = self.criterion_(output, target, weight)
        # Scores are taken of validation rows alone: on training rows they would cost time and say
        # little, since dropout is on and the weights change from batch to batch.
        scores = self.criterion_.scores(output, target, weight)
        return {"loss": loss, "y_pred": output, "measured": {"loss": loss, **scores}}

    def predict(self, X):
        """Return class codes or standardised targets, for callbacks that score an epoch."""
        return self._read_output(X, "predictions")

    def predict_proba(self, X):
        """Return the probability of each class, for callbacks that score an epoch."""
        return self._read_output(X, "probabilities")

    @property
    def classes_(self):
        """Codes of the classes, which are what callbacks compare."""
        return np.arange(self.n_outputs_)

    def __sklearn_tags__(self):
        """Say that this is a classifier if it is: scikit-learn's scorers ask before they score."""
        tags = super().__sklearn_tags__()
        if getattr(getattr(self, "criterion_", None), "probabilities", None) is not None:
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags()
        return tags

    def _read_output(self, X, what):
        read = getattr(self.criterion_, what, None)
        if read is None:
            raise InvalidInputError(
                f"A callback asks this net for {what}, which its target does not have. Score "
                "losses of net.history instead, or another metric."
            )
        # A callback may ask in the middle of an epoch, which must not lose its dropout by that.
        training = self.module_.training
        self.module_.eval()
        try:
            return apply_in_slices(
                self, to_numpy(X), lambda output: to_numpy(read(output)), n_threads=None
            )
        finally:
            self.module_.train(training)


def _without_weights(batch):
    """Return a batch as callbacks know it: inputs and target, without weights."""
    inputs, (target, _) = batch
    return inputs, target


class _StopTraining(Exception):  # noqa: N818
    """A callback has asked to end the training."""


class _BestWeights(EarlyStopping):
    """Stop when the validation loss no longer falls, and go back to the best epoch."""

    def on_train_end(self, net, **kwargs):
        super().on_train_end(net, **kwargs)
        # The net has these weights now; a pickle should hold them once.
        self.best_model_weights_ = None
        net.kept_epoch_ = self.best_epoch_


class _LossMonitor(Callback):
    """Record the learning rate and new lowest losses, which callbacks of skorch ask for.

    A training whose loss is no longer a number is ended.
    """

    def __init__(self, caller):
        self.caller = caller

    def on_epoch_end(self, net, **kwargs):
        rate = net.optimizer_.param_groups[0]["lr"]
        net.history.record("learning_rate", rate)
        for name, loss in _losses(net).items():
            # Earlier trainings count too, but not all of them need have had validation rows.
            earlier = (epoch[name] for epoch in net.history[:-1] if name in epoch)
            net.history.record(f"{name}_best", loss < min(earlier, default=np.inf))
            if not np.isfinite(loss):
                raise InvalidInputError(
                    f"{self.caller}: {name} became {loss!r} in epoch {len(net.history)}. "
                    f"Scale the inputs (StandardScaler) or lower learning_rate={net.lr!r}."
                )


class _Schedule(Callback):
    """Change the learning rate after each epoch; every training starts the schedule anew."""

    def __init__(self, scheduler, monitor):
        self.scheduler = scheduler
        self.monitor = monitor

    def on_train_begin(self, net, **kwargs):
        # For the epochs of this training alone: a warm start begins its schedule anew.
        self.scheduler_ = make_scheduler(self.scheduler, net.optimizer_, net.max_epochs)

    def on_epoch_end(self, net, **kwargs):
        if isinstance(self.scheduler_, ReduceLROnPlateau):
            self.scheduler_.step(net.history[-1, self.monitor])
        else:
            self.scheduler_.step()

    def on_train_end(self, net, **kwargs):
        # It refers to the optimiser, which a pickle should hold once.
        self.scheduler_ = None


def make_scheduler(scheduler, optimizer, max_epochs):
    """Return the torch scheduler of a name, or what the user's callable makes of the optimiser."""
    if scheduler == "cosine":
        return CosineAnnealingLR(optimizer, T_max=max_epochs)
    if scheduler == "plateau":
        return ReduceLROnPlateau(optimizer)
    if scheduler == "step":
        return StepLR(optimizer, step_size=50, gamma=0.9)
    return scheduler(optimizer)


class _EpochTable(PrintLog):
    """A table of the epochs, without colours for new lowest losses."""

    def format_row(self, row, key, color):
        return super().format_row({key: row[key]}, key, color)


class _EpochBar(Callback):
    """A progress bar over the epochs with the latest losses."""

    def __init__(self, enabled, description):
        self.enabled = enabled
        self.description = description

    def on_train_begin(self, net, **kwargs):
        self.bar_ = progress_bar(
            enabled=self.enabled,
            description=self.description,
            total=net.max_epochs,
            unit="epoch",
        )

    def on_epoch_end(self, net, **kwargs):
        losses = {name: f"{loss:.4g}" for name, loss in _losses(net).items()}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        # A bar holds an open stream, which cannot be pickled.
        self.bar_ = None


def _losses(net):
    """Return the losses of the last epoch by name; without validation rows there is one."""
    last = net.history[-1]
    return {name: last[name] for name in (f"{part}_loss" for part in _PARTS) if name in last}
