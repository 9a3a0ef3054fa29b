"""The closed list of classes that a model file may hold, and their state as plain attributes.

``estimators.toml`` names every class with the attributes that it keeps and the kind of each. A
file names a class by its bare name, so that modules may move without a saved model noticing. What
is not on the list is neither written nor read.
"""

import tomllib
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crystalml.exceptions import PersistenceError
from crystalml.persistence._checks import CHECKS
from crystalml.persistence._kinds import fits

# Functions to which a file may give further arguments, all of them plain values.
WITH_ARGUMENTS = ("sklearn.utils.validation.check_array",)
# Every estimator may have these; the others name theirs.
_COMMON = {
    "n_features_in_": "int:n",
    "feature_names_in_": "t[n]",
    "_sklearn_output_config": "dict(text)",
}
# scikit-learn's way to note the version, and routing of metadata, which needs no state.
_UNKEPT = frozenset({"_sklearn_version", "_metadata_request"})
_ALWAYS_NONE = frozenset({"memory", "n_jobs"})
_MOST_THREADS = 512


class Listing(NamedTuple):
    """One class of the list."""

    module: str
    kinds: dict[str, str]
    """Kind of each attribute that is kept beside the parameters."""
    unkept: frozenset[str]
    """Attributes that are made anew on loading, or that only fitting needs."""


@lru_cache(maxsize=1)
def listings():
    """Return the listed classes, by the names that files use."""
    content = dict(_content())
    usual = content.pop("usual")
    del content["functions"]
    return {
        name: _listing(module, attributes.split(), usual)
        for module, classes in content.items()
        for name, attributes in classes.items()
    }


@lru_cache(maxsize=1)
def listed_functions():
    """Return the reviewed functions: they compute from what they are given, and no more."""
    modules = _content()["functions"]
    return frozenset(f"{module}.{name}" for module in modules for name in modules[module].split())


@lru_cache(maxsize=1)
def _content():
    path = Path(__file__).with_name("estimators.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _listing(module, attributes, usual):
    kept = [item.partition(":") for item in attributes if not item.startswith("-")]
    unkept = frozenset(item[1:] for item in attributes if item.startswith("-"))
    own = {name: kind or usual[name] for name, _, kind in kept}
    return Listing(module, {**_COMMON, **own}, unkept | _UNKEPT)


def find_class(name):
    """Import the class of a listed name."""
    if not isinstance(name, str) or name not in listings():
        raise PersistenceError(
            f"it holds a {name!r}, which is not on the list of what model files hold"
        )
    try:
        return getattr(import_module(listings()[name].module), name)
    except (ImportError, AttributeError) as error:
        raise PersistenceError(
            f"the model needs {name!r}, which cannot be imported here ({error}). Install the "
            "versions with which it was saved (read_manifest tells them), or fit and save it anew"
        ) from error


def listed_name(value):
    """Return the name under which files know the class of a value, or None."""
    kind = type(value)
    listing = listings().get(kind.__name__)
    if listing is None or kind.__module__.split(".")[0] != listing.module.split(".")[0]:
        return None
    return kind.__name__ if find_class(kind.__name__) is kind else None


def function_name(value):
    """Return the listed name of a function, or None."""
    name = getattr(value, "__name__", None)
    # The name only finds the candidates; what counts is that it is the very function.
    found = [f for f in listed_functions() if f.rpartition(".")[2] == name]
    return next((f for f in sorted(found) if find_function(f) is value), None)


def find_function(name):
    """Return a listed function."""
    if name not in listed_functions():
        raise PersistenceError(f"{name!r} is no function that a model file may name")
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def state_of(value, name):
    """Return the attributes of an instance that a file keeps, parameters first.

    Raises
    ------
    PersistenceError
        If it has an attribute that the list does not know, or one of another kind.
    """
    listing, parameters = listings()[name], _parameters(type(value))
    attributes = value._asdict() if hasattr(value, "_asdict") else vars(value)
    # What the constructor makes of the parameters, such as the loss of a Perceptron.
    made_anew = set()
    if parameters:
        made_anew = set(vars(type(value)(**{key: attributes[key] for key in parameters})))
    state = {key: attributes[key] for key in parameters}
    # A folder of pickles has no place in a model file, and how many processes there may be is for
    # the machine to say that loads it.
    state.update(dict.fromkeys(_ALWAYS_NONE & state.keys()))
    for key in attributes.keys() - state.keys() - listing.unkept - {"net_"}:
        if key in listing.kinds:
            continue
        if key not in made_anew:
            raise PersistenceError(
                f"{name} keeps {key!r}, which this version of crystalml does not know"
            )
    state.update({key: attributes[key] for key in listing.kinds if key in attributes})
    _check_state(name, type(value), state)
    return state


def build_estimator(name, attributes):
    """Return an instance with these attributes, if each is one that its class may have.

    Raises
    ------
    PersistenceError
        If the class is not on the list, or an attribute is none of its, or of another kind, or
        contradicts the others.
    """
    kind = find_class(name)
    _check_state(name, kind, attributes)
    if hasattr(kind, "_fields"):
        if set(attributes) != set(kind._fields):
            raise PersistenceError(f"{name} has other fields than {kind._fields!r}")
        return kind(**attributes)
    # The constructor only stores, by scikit-learn's contract, and knows what else belongs there.
    given = {key: attributes[key] for key in _parameters(kind) if key in attributes}
    instance = kind(**given) if _parameters(kind) else kind.__new__(kind)
    # Straight into the dict: no descriptor, __setattr__ or __setstate__ has a part in it.
    vars(instance).update({key: attributes[key] for key in attributes.keys() - given.keys()})
    if name in CHECKS:
        CHECKS[name](instance)
    return instance


def _parameters(kind):
    """Return the names of an estimator's parameters; of other classes none."""
    return kind._get_param_names() if hasattr(kind, "_get_param_names") else []


def _check_state(name, kind, state):
    """Hold every attribute against its kind, and sizes against one another."""
    listing, parameters, sizes = listings()[name], _parameters(kind), {}
    for key, value in state.items():
        if key in parameters:
            _check_parameter(name, key, value)
        elif key not in listing.kinds:
            raise PersistenceError(f"{name} has no attribute {key!r} in a model file")
        # The list names no such attribute; a newer scikit-learn may have made it a property.
        elif hasattr(kind, key) and key not in getattr(kind, "_fields", ()):
            raise PersistenceError(f"{name}.{key} belongs to the class, not to an instance")
        elif not fits(listing.kinds[key], value, sizes):
            shown = f"a {type(value).__name__}"
            if isinstance(value, np.ndarray):
                shown = f"an array of shape {value.shape!r} and type {value.dtype}"
            elif isinstance(value, int | float | str | None):
                shown = f"{value!r:.100}"
            raise PersistenceError(f"{name}.{key} is {shown}, but should be {listing.kinds[key]}")


def _check_parameter(name, key, value):
    """Refuse the few parameters that reach beyond the estimator; others are as fit takes them."""
    if key in _ALWAYS_NONE and value is not None:
        what = "a cache of pickles" if key == "memory" else "a number of processes"
        raise PersistenceError(f"{name} names {what}, which no model file may do")
    if key == "n_threads" and value is not None:
        is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_number or not 0 < abs(value) <= _MOST_THREADS:
            raise PersistenceError(f"{name}.{key} is no number of threads up to {_MOST_THREADS}")


def trusted_types() -> tuple[str, ...]:
    """Return the names of the estimators that a model file may hold.

    All estimators of crystalml are among them, and those of scikit-learn that belong around them:
    pipelines, scalers, imputers, encoders, selectors, linear models, trees and their ensembles,
    neighbours, support vector machines, nets, calibration and searches. `save` and `load` refuse
    every other class.

    Returns
    -------
    tuple of str
        Names of classes in alphabetical order.

    Examples
    --------
    >>> from crystalml.persistence import trusted_types
    >>> "CellDescriptors" in trusted_types(), "KMeans" in trusted_types()
    (True, False)
    """
    names = [name for name in sorted(listings()) if not name.startswith("_")]
    return tuple(name for name in names if hasattr(find_class(name), "get_params"))
