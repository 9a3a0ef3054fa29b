"""A net with one hidden layer, fitted and evaluated by NumPy alone."""

from itertools import pairwise

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crystalml._validation import private_random_state
from crystalml.exceptions import InvalidInputError, PersistenceError

# Standardized columns are cut off here, so that an odd row is not answered by extrapolation.
_LARGEST = 5.0
_SMALLEST_SPREAD = 1e-6
_FEWEST_BATCHES = 20
# Adam's moments (Kingma & Ba 2015), and the share of the steps in which the rate rises.
_FIRST_MOMENT, _SECOND_MOMENT, _EPSILON = 0.9, 0.999, 1e-8
_WARM_UP = 0.2
# Products of matrices are rounded differently beside other rows; answers are rounded farther up.
_DECIMALS = 6
_PARTS = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")


class SmallNet(BaseEstimator):
    """Classify rows by one hidden layer of rectified units with dropout.

    What trees cut into steps, a net follows smoothly: the two err in different rows.

    Parameters
    ----------
    n_hidden : int, default=256
        Hidden units.
    n_epochs : int, default=25
        Passes over the rows.
    learning_rate : float, default=2e-3
        Highest rate of Adam; it rises to it and falls to zero.
    weight_decay : float, default=0.3
        Share of the weights that is taken off in each step, times the rate (Loshchilov & Hutter
        2019).
    dropout : float, default=0.4
        Share of the hidden units that are left out of each step.
    label_smoothing : float, default=0.05
        Share of each label that is spread over all classes.
    batch_size : int, default=256
        Rows in a step; fewer where there would not be twenty steps in a pass.
    random_state : int, RandomState or None, default=None
        Draws first weights, batches and dropout.

    Attributes
    ----------
    weights_ : dict of str to float32 array
        Weights and biases of both layers.
    centre_, spread_ : float32 arrays of shape (n_features,)
        What the columns are standardized by.
    """

    def __init__(
        self,
        n_hidden=256,
        n_epochs=25,
        learning_rate=2e-3,
        weight_decay=0.3,
        dropout=0.4,
        label_smoothing=0.05,
        batch_size=256,
        random_state=None,
    ):
        self.n_hidden = n_hidden
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X, codes, n_classes, sample_weight=None):
        """Fit to rows of finite numbers; `codes` are their classes, 0 to ``n_classes - 1``."""
        X = np.asarray(X, dtype=np.float64)
        self.centre_ = X.mean(axis=0).astype(np.float32)
        self.spread_ = np.maximum(X.std(axis=0), _SMALLEST_SPREAD).astype(np.float32)
        rows = self._standardized(X).astype(np.float32)
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, float)
        # With a mean of one, the learning rate means the same whatever the scale of the weights.
        weight = (weight / weight.mean()).astype(np.float32)
        generator = private_random_state(self.random_state)
        self.weights_ = self._first_weights(X.shape[1], n_classes, generator)
        optimizer = _Adam(self.weights_, self.weight_decay)
        size = min(self.batch_size, max(len(X) // _FEWEST_BATCHES, 1))
        n_batches = len(X) // size
        n_steps = self.n_epochs * n_batches
        for step in range(n_steps):
            if step % n_batches == 0:
                # Every pass has an order of its own.
                order = generator.permutation(len(X))
            batch = order[step % n_batches * size :][:size]
            gradients = self._gradients(rows[batch], codes[batch], weight[batch], generator)
            optimizer.step(gradients, self.learning_rate * _rate_share((step + 1) / n_steps))
        return self

    def predict_proba(self, X):
        """Return the probability of each class, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        parts = self._checked_weights()
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.centre_):
            raise InvalidInputError(
                f"{type(self).__name__}: the rows have shape {X.shape!r}, but the net was fitted "
                f"to {len(self.centre_)} columns. Give the columns of the training rows."
            )
        # In double precision, so that rounding hides how a product was summed up.
        hidden_weights, hidden_bias, output_weights, output_bias = parts
        hidden = np.maximum(self._standardized(X) @ hidden_weights + hidden_bias, 0.0)
        scores = hidden @ output_weights + output_bias
        # Rounded before the rest, which is done for each row alone.
        return softmax(np.round(scores, _DECIMALS), axis=1)

    def _standardized(self, X):
        return np.clip((X - self.centre_) / self.spread_, -_LARGEST, _LARGEST)

    def _first_weights(self, n_features, n_classes, generator):
        """Draw weights that keep the variance from layer to layer (He et al. 2015)."""
        sizes = (n_features, self.n_hidden, n_classes)
        drawn = [
            generator.standard_normal(shape) * np.sqrt(2.0 / shape[0]) for shape in pairwise(sizes)
        ]
        arrays = (drawn[0], np.zeros(self.n_hidden), drawn[1], np.zeros(n_classes))
        return {name: array.astype(np.float32) for name, array in zip(_PARTS, arrays, strict=True)}

    def _gradients(self, rows, codes, weight, generator):
        """Derive the mean loss of some rows with respect to all weights."""
        weights = self.weights_
        sums = rows @ weights["hidden_weights"] + weights["hidden_bias"]
        kept = (generator.random_sample(sums.shape) >= self.dropout) & (sums > 0)
        # Scaled up in fitting, so that a prediction uses all units as they are.
        kept = kept.astype(np.float32) / np.float32(1.0 - self.dropout)
        hidden = sums * kept
        found = softmax(hidden @ weights["output_weights"] + weights["output_bias"], axis=1)
        found -= np.float32(self.label_smoothing / found.shape[1])
        found[np.arange(len(codes)), codes] -= np.float32(1.0 - self.label_smoothing)
        found *= weight[:, None] / np.float32(len(rows))
        back = found @ weights["output_weights"].T * kept
        return {
            "hidden_weights": rows.T @ back,
            "hidden_bias": back.sum(axis=0),
            "output_weights": hidden.T @ found,
            "output_bias": found.sum(axis=0),
        }

    def _checked_weights(self):
        """Return the arrays, if their shapes belong together."""
        parts = [np.asarray(self.weights_.get(name), dtype=np.float64) for name in _PARTS]
        first, first_bias, last, last_bias = parts
        n_columns = len(self.centre_)
        sound = (
            first_bias.ndim == last_bias.ndim == 1
            and first.shape == (n_columns, len(first_bias))
            and last.shape == (len(first_bias), len(last_bias))
            and len(self.spread_) == n_columns
            and all(np.isfinite(part).all() for part in parts)
        )
        if not sound:
            raise PersistenceError(
                "the net of the model is damaged. Fit it anew, or get the file again."
            )
        return parts


class _Adam:
    """Steps against the gradients, with decay of the matrices apart from them; in place."""

    def __init__(self, weights, decay):
        self.weights, self.decay, self.n_steps = weights, decay, 0
        self.first = {name: np.zeros_like(array) for name, array in weights.items()}
        self.second = {name: np.zeros_like(array) for name, array in weights.items()}

    def step(self, gradients, rate):
        self.n_steps += 1
        scale = rate / (1.0 - _FIRST_MOMENT**self.n_steps)
        root = np.sqrt(1.0 - _SECOND_MOMENT**self.n_steps)
        for name, gradient in gradients.items():
            first, second, weights = self.first[name], self.second[name], self.weights[name]
            first += np.float32(1.0 - _FIRST_MOMENT) * (gradient - first)
            second += np.float32(1.0 - _SECOND_MOMENT) * (gradient * gradient - second)
            # Biases do not decay: they must follow the frequencies of the classes.
            if weights.ndim == 2:
                weights *= np.float32(1.0 - rate * self.decay)
            size = np.sqrt(second) / np.float32(root) + np.float32(_EPSILON)
            weights -= np.float32(scale) * first / size


def _rate_share(progress):
    """Share of the highest rate: a line up, then a cosine down to zero."""
    if progress < _WARM_UP:
        return progress / _WARM_UP
    return 0.5 * (1.0 + np.cos(np.pi * (progress - _WARM_UP) / (1.0 - _WARM_UP)))
