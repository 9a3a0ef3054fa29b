"""Regression of volumes on a log scale."""

import numpy as np
from sklearn.compose import TransformedTargetRegressor

from crystalml._typing import Estimator
from crystalml.exceptions import InvalidInputError

__all__ = ["log_volume"]


def log_volume(estimator: Estimator) -> TransformedTargetRegressor:
    """Let a regressor learn the logarithm of a volume, and predict the volume.

    Cell volumes range over several orders of magnitude. On their own scale the squared error of
    the few largest cells decides the fit; the logarithm makes equal relative errors count the
    same.

    Parameters
    ----------
    estimator : estimator
        Any regressor, or a pipeline that ends in one.

    Returns
    -------
    sklearn.compose.TransformedTargetRegressor
        With ``func=np.log1p`` and ``inverse_func=np.expm1``. It can be cloned, pickled and
        searched (``regressor__...`` are the parameters of `estimator`), and hands `groups`,
        ``sample_weight`` and all else that `fit` gets on to `estimator`.

    Raises
    ------
    InvalidInputError
        If `estimator` cannot be fitted, or is a class.

    See Also
    --------
    crystalml.model_selection.volume_report : Predicted volumes beside the formula.

    Notes
    -----
    ``log1p(V) = log(1 + V)`` is defined at 0, and for cells of some 10 Å^3 and more differs little
    from ``log(V)``. The prediction is about the median of the volume, not its mean, where the
    errors are symmetric on the log scale.

    Where the six cell parameters are known, the volume is arithmetic:
    `crystalml.crystallography.cell_volume` has no error to speak of. A model learns something
    only from inputs that do not fix the volume, such as a composition.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from crystalml import log_volume
    >>> edges = np.random.default_rng(0).uniform(3, 20, size=(500, 3))  # Å
    >>> volumes = edges.prod(axis=1)
    >>> plain = LinearRegression().fit(np.log(edges), volumes)
    >>> logarithmic = log_volume(LinearRegression()).fit(np.log(edges), volumes)
    >>> print(f"{plain.score(np.log(edges), volumes):.2f}")
    0.80
    >>> print(f"{logarithmic.score(np.log(edges), volumes):.4f}")
    1.0000
    """
    # TransformedTargetRegressor looks at its regressor in `fit` only, far from the mistake.
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise InvalidInputError(
            f"log_volume: estimator={estimator!r} cannot be fitted; give an instance of a "
            "regressor, such as MLPNetRegressor()."
        )
    return TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1)
