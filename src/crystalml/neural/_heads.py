"""Heads of regressors: the mean of each target, a normal distribution, or quantiles.

A head fixes how many outputs of the net belong to a target, the loss they are trained with,
and how they are read: as an array (rows, targets, numbers per target) in units of the targets.
"""

from numbers import Real

import numpy as np
import torch
from scipy.special import ndtri
from torch import nn
from torch.nn import functional

from crystalml.exceptions import InvalidInputError
from crystalml.neural._modules import RegressionLoss

DEFAULT_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# In standard deviations of the target. Without it the likelihood grows without bound where a net
# hits a training row exactly.
_SMALLEST_STD = 1e-4


class PointHead:
    """One number per target, by squared error: an estimate of the mean."""

    name = "point"
    width = 1

    def loss(self):
        """Build the loss module."""
        return RegressionLoss()

    def read(self, output):
        """Return what the outputs of the net say, in standardised units."""
        return output.unsqueeze(-1)

    def numbers(self, output):
        """Return `read` as an array in double precision."""
        return self.read(output).double().cpu().numpy()

    def in_units(self, values, mean, scale):
        """Turn standardised numbers into the units of the targets."""
        return values * scale[:, None] + mean[:, None]

    def centre(self, values):
        """Return the number that ``predict`` gives."""
        return values[..., 0]

    def std(self, values):  # noqa: ARG002
        """Return the standard deviation that the net predicts, or None if it does not."""
        return

    def quantiles(self, values, levels, *, caller):  # noqa: ARG002
        """Return quantiles of every target along the last axis."""
        raise InvalidInputError(
            f"{caller}: a net with head='point' knows the mean alone. Fit it with "
            "head='gaussian' or head='quantile'."
        )


class GaussianHead(PointHead):
    """Mean and standard deviation per target, by the likelihood of a normal distribution."""

    name = "gaussian"
    width = 2

    def loss(self):
        """Build the loss module."""
        return GaussianLoss()

    def read(self, output):
        """Return mean and standard deviation of every target, in standardised units."""
        return torch.stack(_mean_and_std(output), dim=-1)

    def in_units(self, values, mean, scale):
        """Turn standardised numbers into the units of the targets."""
        return np.stack([values[..., 0] * scale + mean, values[..., 1] * scale], axis=-1)

    def std(self, values):
        """Return the standard deviation that the net predicts."""
        return values[..., 1]

    def quantiles(self, values, levels, *, caller):
        """Return quantiles of the normal distribution of every target along the last axis."""
        levels = checked_levels(DEFAULT_QUANTILES if levels is None else levels, caller=caller)
        return values[..., :1] + values[..., 1:] * ndtri(levels)


class QuantileHead(PointHead):
    """Some quantiles per target, by the pinball loss of each.

    Parameters
    ----------
    levels : sequence of float
        Ascending probabilities, 0.5 among them.
    """

    name = "quantile"

    def __init__(self, levels):
        self.levels = np.asarray(levels, dtype=np.float64)
        self.width = len(self.levels)

    def loss(self):
        """Build the loss module."""
        return QuantileLoss(self.levels)

    def read(self, output):
        """Return the quantiles of every target, in standardised units and ascending."""
        # Each quantile is learned by itself, so they may cross; sorting never raises their pinball
        # loss.
        return _by_target(output, self.width).sort(dim=-1).values

    def centre(self, values):
        """Return the number that ``predict`` gives: the median."""
        return values[..., np.searchsorted(self.levels, 0.5)]

    def quantiles(self, values, levels, *, caller):
        """Return some of the learned quantiles of every target along the last axis."""
        if levels is None:
            return values
        levels = checked_levels(levels, caller=caller)
        # 1 - 0.95 is not quite 0.05 in binary, so a level is looked up by its distance.
        nearest = np.abs(self.levels - levels[:, None]).argmin(axis=1)
        unknown = ~np.isclose(self.levels[nearest], levels)
        if unknown.any():
            raise InvalidInputError(
                f"{caller}: the quantile {round(float(levels[unknown][0]), 6)!r} was not learned; "
                f"these were: {self.levels.tolist()!r}. Fit with it among the quantiles."
            )
        return values[..., nearest]


def make_head(name, quantiles, *, caller):
    """Return the head called `name`.

    Raises
    ------
    InvalidInputError
        If `quantiles` are asked for and are not ascending probabilities around 0.5.
    """
    if name != "quantile":
        return {"point": PointHead, "gaussian": GaussianHead}[name]()
    levels: tuple[float, ...] = tuple(DEFAULT_QUANTILES if quantiles is None else quantiles)
    numbers = all(isinstance(level, Real) and 0 < level < 1 for level in levels)
    # Only of numbers: the message below should come from bad values, not an error of NumPy.
    ascending = numbers and all(np.diff(levels) > 0)
    if not (ascending and len(levels) > 1 and 0.5 in levels):
        raise InvalidInputError(
            f"{caller}: quantiles must be ascending numbers between 0 and 1, 0.5 among them "
            f"(predict gives the median), got {quantiles!r}; give e.g. (0.05, 0.5, 0.95)."
        )
    return QuantileHead(levels)


def checked_levels(levels, *, caller):
    """Return probabilities as an array, or raise if one is not between 0 and 1."""
    array = np.atleast_1d(np.asarray(levels, dtype=np.float64))
    if array.ndim != 1 or not ((array > 0) & (array < 1)).all():
        raise InvalidInputError(
            f"{caller}: quantiles must be a sequence of numbers between 0 and 1, got {levels!r}."
        )
    return array


def tails(coverage: float, *, caller: str) -> tuple[float, float]:
    """Return the two probabilities between which an interval of `coverage` lies."""
    if not isinstance(coverage, Real) or not 0 < coverage < 1:
        raise InvalidInputError(
            f"{caller}: coverage must be a number between 0 and 1, got {coverage!r}; give e.g. 0.9."
        )
    # The same share of rows is left out on either side.
    return (1 - coverage) / 2, (1 + coverage) / 2


class GaussianLoss(nn.Module):
    """Negative logarithm of the normal likelihood, without its constant.

    Source: Nix and Weigend (1994), with the standard deviation as softplus of an output.
    """

    def forward(self, output, target, weight=None):
        """Return the mean of weight times loss; a target owns two neighbouring outputs."""
        mean, std = _mean_and_std(output)
        loss = torch.log(std) + 0.5 * ((target - mean) / std) ** 2
        return _weighted_mean(loss.mean(dim=1), weight)

    def scores(self, *_):
        """Return none: the loss is the only measure."""
        return {}

    def predictions(self, output):
        """Return the standardised means."""
        return _by_target(output, 2)[..., 0]


class QuantileLoss(nn.Module):
    """Pinball loss, averaged over levels and targets (Koenker and Bassett, 1978).

    Parameters
    ----------
    levels : ndarray of float
        Probabilities of the quantiles.
    """

    def __init__(self, levels):
        super().__init__()
        # A buffer moves to the device with the loss.
        self.register_buffer("levels", torch.as_tensor(levels, dtype=torch.float32))

    def forward(self, output, target, weight=None):
        """Return the mean of weight times loss; a target owns neighbouring outputs."""
        excess = target.unsqueeze(-1) - _by_target(output, len(self.levels))
        # The larger of both lines is the pinball loss, without a branch for each sign.
        loss = torch.maximum(self.levels * excess, (self.levels - 1) * excess)
        return _weighted_mean(loss.mean(dim=(1, 2)), weight)

    def scores(self, *_):
        """Return none: the loss is the only measure."""
        return {}

    def predictions(self, output):
        """Return the standardised medians."""
        ascending = _by_target(output, len(self.levels)).sort(dim=-1).values
        return ascending[..., int((self.levels < 0.5).sum())]


def _by_target(output, width):
    """Give every target its own row of outputs."""
    # Not len(output), which would fix the number of rows of an exported net.
    return output.view(output.shape[0], -1, width)


def _mean_and_std(output):
    """Read mean and standard deviation out of two neighbouring outputs per target."""
    mean, free = _by_target(output, 2).unbind(dim=-1)
    # Softplus grows linearly: an exponential would overflow early in training.
    return mean, functional.softplus(free) + _SMALLEST_STD


def _weighted_mean(loss, weight):
    """Average over the rows; weights average 1."""
    return loss.mean() if weight is None else (loss * weight).mean()
