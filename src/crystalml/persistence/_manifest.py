"""What a model file says of itself: estimator, columns, training data, versions."""

import platform
import warnings
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from crystalml._typing import ArrayLike, MatrixLike
from crystalml._version import __version__
from crystalml.exceptions import CrystalmlWarning, InvalidInputError

_MOST_LABELS = 1000
_LONGEST_TEXT = 4000
_DISTRIBUTIONS = {
    "matminer": "matminer",
    "numpy": "numpy",
    "pandas": "pandas",
    "pymatgen": "pymatgen",
    "pytorch_tabnet": "pytorch-tabnet",
    "scipy": "scipy",
    "skorch": "skorch",
    "sklearn": "scikit-learn",
    "torch": "torch",
}
_ALWAYS = ("numpy", "pandas", "scipy", "sklearn")
_NETS = ("skorch", "torch")


def describe(estimator, classes, n_nets, facts):
    """Return the manifest of an estimator, without format and checksums."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "estimator": type(estimator).__name__,
        "parameters": _shortened(repr(estimator)),
        "input": input_schema(estimator),
        "output": output_schema(estimator),
        "training_data": {**known_facts(estimator), **_checked_facts(facts)},
        "versions": library_versions(classes, n_nets),
        "types": sorted(kind.__name__ for kind in classes),
        "n_nets": n_nets,
    }


def input_schema(estimator: Any) -> dict[str, Any]:
    """Return how many columns the estimator wants, and their names where it knows them."""
    schema: dict[str, Any] = {}
    n_features = _first(estimator, "n_features_in_")
    if n_features is not None:
        schema["n_features"] = int(n_features)
    names = _first(estimator, "feature_names_in_")
    if names is not None:
        schema["columns"] = [str(name) for name in names]
    return schema


def output_schema(estimator: Any) -> dict[str, Any]:
    """Return what comes out: labels of a classifier, or that it is a number or a table."""
    kind = getattr(estimator, "_estimator_type", None) or _tagged_type(estimator)
    schema: dict[str, Any] = {"kind": kind or "transformer"}
    classes = _first(estimator, "classes_")
    if isinstance(classes, np.ndarray) and classes.ndim == 1:
        schema["n_classes"] = len(classes)
        schema["labels"] = [_plain(label) for label in classes[:_MOST_LABELS]]
    return schema


def _tagged_type(estimator):
    tags = getattr(estimator, "__sklearn_tags__", None)
    return tags().estimator_type if tags is not None else None


def known_facts(estimator: Any) -> dict[str, Any]:
    """Return what a fitted estimator knows of its training rows."""
    facts: dict[str, Any] = {}
    for part in _parts(estimator):
        own = getattr(part, "training_facts_", None)
        if isinstance(own, dict):
            facts = {**_checked_facts(own), **facts}
        rows = _rows(part)
        if rows is not None:
            facts.setdefault("rows", rows)
        counts = getattr(part, "class_count_", None)
        if isinstance(counts, np.ndarray) and counts.ndim == 1 and "label_counts" not in facts:
            labels = [str(_plain(label)) for label in part.classes_]
            facts["label_counts"] = dict(zip(labels, counts.tolist(), strict=True))
    return facts


def _parts(estimator):
    """Walk an estimator and what it is made of, outermost first."""
    yield estimator
    # Of a pipeline or transformer, the parts; of a search or wrapper, what answers for it.
    steps = getattr(estimator, "steps", None) or getattr(estimator, "transformers_", None) or []
    inner = [step[1] for step in steps]
    delegates = ("best_estimator_", "regressor_", "estimator_")
    inner += [getattr(estimator, name, None) for name in delegates]
    for part in inner:
        if hasattr(part, "get_params"):
            yield from _parts(part)


def _rows(estimator):
    """Return the number of rows of the fit, if the estimator keeps it."""
    for name in ("n_samples_seen_", "n_samples_fit_", "n_samples_"):
        rows = getattr(estimator, name, None)
        # Scalers count in floats.
        if isinstance(rows, int | float | np.integer | np.floating) and rows == int(rows):
            return int(rows)
    counts = getattr(getattr(estimator, "tree_", None), "n_node_samples", None)
    return None if counts is None else int(counts[0])


def _first(estimator, name):
    """Return an attribute of the estimator, or of what it delegates to, if it is fitted."""
    try:
        return getattr(estimator, name, None)
    except ValueError:  # what some of scikit-learn's properties raise before fit
        return None


def _checked_facts(facts):
    """Return facts as JSON values, or say which of them are none."""
    return {str(name): _fact(name, value) for name, value in dict(facts or {}).items()}


def _fact(name, value):
    value = _plain(value)
    if isinstance(value, dict):
        return {str(_plain(key)): _fact(name, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fact(name, item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return value
    raise InvalidInputError(
        f"save: the fact {name!r} is {value!r}; facts are text, finite numbers, and lists and "
        "dicts of these."
    )


def _plain(value):
    """Return NumPy's numbers, and dates, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _shortened(text):
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " ..."


def library_versions(classes, n_nets):
    """Return the versions of Python, of this package and of the libraries that a model uses."""
    used = {kind.__module__.partition(".")[0] for kind in classes} | set(_ALWAYS)
    used |= set(_NETS) if n_nets else set()
    versions = {"python": platform.python_version(), "crystalml": __version__}
    for package in sorted(used & _DISTRIBUTIONS.keys()):
        versions[_DISTRIBUTIONS[package]] = _version(_DISTRIBUTIONS[package])
    return versions


def _version(distribution):
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def warn_of_versions(manifest, classes, path):
    """Warn once where estimators of scikit-learn were saved with another version of it."""
    then, now = manifest["versions"].get("scikit-learn"), _version("scikit-learn")
    held = any(kind.__module__.startswith("sklearn.") for kind in classes)
    if held and isinstance(then, str) and then.split(".")[:2] != now.split(".")[:2]:
        warnings.warn(
            f"load: {path} was saved with scikit-learn {then}, and this is {now}: predictions may "
            f"differ, and some methods may fail. Install scikit-learn=={then}, or fit and save the "
            "model anew.",
            CrystalmlWarning,
            stacklevel=3,
        )


def training_facts(
    X: MatrixLike, y: ArrayLike | None = None, *, groups: ArrayLike | None = None, **more: Any
) -> dict[str, Any]:
    """Summarise training data for the parameter ``facts`` of `save`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or DataFrame
        What was given to `fit`.
    y : array-like of shape (n_samples,), default=None
        Target. Labels are counted; of numbers, mean, spread and range are given.
    groups : array-like of shape (n_samples,), default=None
        Labels of the groups that were kept together, such as chemical systems; counted.
    **more
        Further facts: text, numbers, lists or dicts. ``source="COD, 2026-11"`` is a good idea.

    Returns
    -------
    dict
        With ``rows``, ``features``, ``columns``, ``label_counts`` or ``target``, and ``groups``,
        as far as known.

    Examples
    --------
    >>> from crystalml.persistence import training_facts
    >>> training_facts([[1, 2], [3, 4], [5, 6]], ["tP", "cF", "tP"], source="three cells")
    {'rows': 3, 'features': 2, 'label_counts': {'cF': 1, 'tP': 2}, 'source': 'three cells'}
    """
    shape = np.shape(X)
    facts: dict[str, Any] = {"rows": int(shape[0])}
    if len(shape) > 1:
        facts["features"] = int(shape[1])
    if hasattr(X, "columns"):
        facts["columns"] = [str(name) for name in X.columns]
    if y is not None:
        facts.update(_target_facts(np.asarray(y)))
    if groups is not None:
        facts["groups"] = len(set(np.asarray(groups).tolist()))
    return _checked_facts({**facts, **more})


def _target_facts(y):
    """Count labels; summarise numbers with fractions, or too many to be labels."""
    if y.dtype.kind == "f" and y.ndim == 1:
        numbers = {"mean": y.mean(), "std": y.std(), "min": y.min(), "max": y.max()}
        return {"target": {name: float(value) for name, value in numbers.items()}}
    if y.ndim > 1:
        return {"targets": int(y.shape[1])}
    labels, counts = np.unique(y, return_counts=True)
    return {"label_counts": {str(_plain(k)): int(n) for k, n in zip(labels, counts, strict=True)}}
