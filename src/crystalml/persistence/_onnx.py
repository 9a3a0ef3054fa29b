"""Nets as ONNX files, for run times without Python."""

import json
import logging
import os
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from crystalml._dependencies import import_optional
from crystalml._typing import Estimator
from crystalml._version import __version__
from crystalml.exceptions import InvalidInputError
from crystalml.io._atomic import write_atomically

_CALLER = "export_onnx"


def export_onnx(estimator: Estimator, path: str | os.PathLike[str]) -> None:
    """Write a net, with the scalers before it, as an ONNX model.

    ONNX is an open format that run times in many languages execute. The input ``X`` has the shape
    (n_samples, n_features) and double precision, as scalers want it. A classifier gives
    ``probabilities`` in the order of ``classes_``; a regressor gives ``predictions`` in units of
    the targets, of shape (n_samples, n_targets), and with a Gaussian head also ``std``. Labels and
    columns stand in the metadata of the model, as JSON under ``classes`` and ``columns``.

    Parameters
    ----------
    estimator : fitted net or Pipeline
        `MLPNetClassifier`, `MLPNetRegressor`, `WideDeepNetClassifier`, `WideDeepNetRegressor`, or
        a Pipeline of ``StandardScaler``, ``RobustScaler`` or ``MinMaxScaler`` with such a net at
        its end.
    path : str or PathLike
        Where to write; an existing file is replaced in one step.

    Returns
    -------
    None

    Raises
    ------
    InvalidInputError
        If there are other steps, or the net has other outputs.
    MissingDependencyError
        If onnx or onnxscript is not installed.

    See Also
    --------
    save : Any estimator, to go on in Python.

    Notes
    -----
    The numbers agree with ``predict_proba`` to the rounding of single precision, in which the net
    computes. Descriptors are no part of the model: they must be computed beforehand.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from crystalml import MLPNetClassifier
    >>> from crystalml.persistence import export_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPNetClassifier(max_epochs=5, random_state=0)
    >>> model = make_pipeline(StandardScaler(), net).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "iris.onnx"
    ...     export_onnx(model, path)
    ...     path.stat().st_size > 1000
    True
    """
    for package in ("onnx", "onnxscript"):
        import_optional(package, needed_by=_CALLER)
    steps: list[Any] = estimator.steps if isinstance(estimator, Pipeline) else [("net", estimator)]
    *before, (_, net) = steps
    if not hasattr(net, "_net_state"):
        raise InvalidInputError(
            f"{_CALLER}: {type(net).__name__} is no net of crystalml; for other estimators there "
            "is skl2onnx, or crystalml.save."
        )
    check_is_fitted(net)
    from crystalml.neural._export import exportable, onnx_program, scaling

    passed = [(name, step) for name, step in before if step not in (None, "passthrough")]
    scalers = [scaling(step, name, caller=_CALLER) for name, step in passed]
    module, outputs = exportable(net, scalers, caller=_CALLER)
    with _quiet():
        model = onnx_program(module, outputs, net.n_features_in_)
    _describe(model, estimator, net)
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    write_atomically(path, model.SerializeToString(), unfinished=unfinished)


def _describe(model, estimator, net):
    """Write who made the model, and what its columns mean, into its metadata."""
    model.producer_name, model.producer_version = "crystalml", __version__
    known = {
        "estimator": type(net).__name__,
        "columns": getattr(estimator, "feature_names_in_", None),
        "classes": getattr(net, "classes_", None),
    }
    for key, value in known.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value.tolist())
            model.metadata_props.add(key=key, value=text)


@contextmanager
def _quiet():
    """Keep torch's exporter from talking about packages and methods that are not ours."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
