"""The target of a net with two tasks: labels, and volumes that may be missing."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from crystalml.exceptions import InvalidInputError

_NAMES = ["class", "volume"]


class TwoTargets(NamedTuple):
    """What `y` says of each row, before the labels are checked."""

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
        if len(shape) != 2 or shape[1] < 2:
            return cls(y, np.full(shape[0] if shape else 0, np.nan), None)
        if not isinstance(y, pd.DataFrame):
            y = pd.DataFrame({name: _column(y, i) for i, name in enumerate(_NAMES)})
        return cls(y.iloc[:, 0], _volumes(y.iloc[:, 1], caller), y.columns.tolist())

    def log_volumes(self, weight):
        """Return ``log1p`` of the volumes, and which are known of rows that count."""
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
    return np.array(y, dtype=object if pairs else None)


def _column(y, position):
    """Return a column of an array with the type that its values have."""
    column = y[:, position]
    return np.array(column.tolist()) if column.dtype == object else column


def _volumes(column, caller):
    """Return volumes as floats, or raise."""
    try:
        volumes = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{caller}: the second column of y should be the volume, but holds what is no number "
            f"({error}). Give class and volume in this order."
        ) from error
    bad = ~((volumes > 0) & np.isfinite(volumes)) & ~np.isnan(volumes)
    if bad.any():
        row = int(bad.argmax())
        raise InvalidInputError(
            f"{caller}: {bad.sum()} volumes in y are not finite and > 0 (first: row {row}, "
            f"{float(volumes[row])!r}). Give NaN where a volume is not known."
        )
    return volumes
