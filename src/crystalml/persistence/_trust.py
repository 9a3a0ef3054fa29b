"""Which classes and functions a model file may name: a closed list, decided before any import."""

import inspect
import re
from importlib import import_module

import numpy as np
from sklearn.base import BaseEstimator

from crystalml.exceptions import PersistenceError

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)

# Packages of scikit-learn whose estimators, splitters and kernels compute and do nothing else.
SKLEARN_PACKAGES = frozenset(
    {
        "base",
        "calibration",
        "cluster",
        "compose",
        "covariance",
        "cross_decomposition",
        "decomposition",
        "discriminant_analysis",
        "dummy",
        "ensemble",
        "feature_extraction",
        "feature_selection",
        "gaussian_process",
        "impute",
        "isotonic",
        "kernel_approximation",
        "kernel_ridge",
        "linear_model",
        "manifold",
        "metrics",
        "mixture",
        "model_selection",
        "multiclass",
        "multioutput",
        "naive_bayes",
        "neighbors",
        "neural_network",
        "pipeline",
        "preprocessing",
        "random_projection",
        "semi_supervised",
        "svm",
        "tree",
    }
)
_NOT_FOR_MODELS = frozenset({"tests", "conftest", "_testing", "_mocking"})

# What estimators of scikit-learn keep inside and is no estimator itself.
_SKLEARN_INTERNALS = frozenset(
    {
        "sklearn._loss.link.HalfLogitLink",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.AbsoluteError",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn._loss.loss.HuberLoss",
        "sklearn._loss.loss.PinballLoss",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._scorer._MultimetricScorer",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
    }
)
# Functions that estimators of scikit-learn put into their own steps.
_SKLEARN_FUNCTIONS = frozenset({"sklearn.utils.validation.check_array"})
_CRYSTALML_PACKAGES = frozenset(
    {"crystallography", "datasets", "descriptors", "io", "model_selection", "neural", "symmetry"}
)
_WITH_FILES = frozenset({"datasets", "io"})  # whose helpers open files: only estimators of these
_CRYSTALML_FUNCTIONS = frozenset({"crystallography", "model_selection", "neural", "symmetry"})
_LIGHTGBM = frozenset(
    f"lightgbm.sklearn.{name}" for name in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")
)
_TORCH_CLASS = re.compile(r"torch\.optim\.\w+\.\w+", re.ASCII)

# Functions of NumPy that only compute; its ufuncs, and those of scipy.special, come in addition.
_NUMPY_FUNCTIONS = frozenset(
    {
        "numpy.amax",
        "numpy.amin",
        "numpy.average",
        "numpy.clip",
        "numpy.max",
        "numpy.mean",
        "numpy.median",
        "numpy.min",
        "numpy.nan_to_num",
        "numpy.nanmean",
        "numpy.nanmedian",
        "numpy.nanstd",
        "numpy.prod",
        "numpy.ravel",
        "numpy.round",
        "numpy.std",
        "numpy.sum",
        "numpy.var",
    }
)
_BUILTIN_TYPES = frozenset(
    {
        "builtins.bool",
        "builtins.bytes",
        "builtins.complex",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.object",
        "builtins.str",
        "builtins.tuple",
        "collections.OrderedDict",
    }
)


def full_name(item):
    """Return the dotted name under which a class or function can be imported, or None."""
    name = getattr(item, "__name__", None)
    if isinstance(item, np.ufunc):
        found = _module_of_ufunc(item)
    else:
        found = getattr(item, "__module__", None)
        if getattr(item, "__qualname__", name) != name:
            return None
    return f"{found}.{name}" if name and found and name.isidentifier() else None


def _module_of_ufunc(ufunc):
    if getattr(np, ufunc.__name__, None) is ufunc:
        return "numpy"
    special = import_module("scipy.special")
    return "scipy.special" if getattr(special, ufunc.__name__, None) is ufunc else None


def is_allowed(name, role, trusted):
    """Tell from the name alone whether a file may have it imported.

    Parameters
    ----------
    name : str
        Dotted name.
    role : {"object", "type", "function"}
        Whether an instance is made, or class or function stand for themselves.
    trusted : collection of str
        What the caller vouches for in addition.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return False
    if name in trusted:
        return True
    package, *rest = name.split(".")
    if package == "crystalml":
        allowed = _CRYSTALML_FUNCTIONS if role == "function" else _CRYSTALML_PACKAGES
        return rest[0] in allowed
    if package == "sklearn":
        return name in (_SKLEARN_FUNCTIONS if role == "function" else _SKLEARN_INTERNALS) or (
            rest[0] in SKLEARN_PACKAGES and not _NOT_FOR_MODELS & set(rest)
        )
    if role == "function":
        return name in _NUMPY_FUNCTIONS or re.fullmatch(r"(numpy|scipy\.special)\.\w+", name)
    if role == "type":
        return bool(
            name in _BUILTIN_TYPES
            or re.fullmatch(r"numpy\.\w+", name)
            or _TORCH_CLASS.fullmatch(name)
        )
    return name in _LIGHTGBM


def resolve(name, role, trusted):
    """Import what `name` means, and hold it against what `role` may be.

    Raises
    ------
    PersistenceError
        If there is no such thing, or it is none of what files may name.
    """
    module, _, attribute = name.rpartition(".")
    try:
        item = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PersistenceError(
            f"the model needs {name!r}, which cannot be imported here ({error}). Install the "
            "versions with which it was saved (read_manifest tells them), or fit and save it anew."
        ) from error
    if name in trusted or _fits(item, name, role):
        return item
    raise PersistenceError(f"{name!r} is no {role} that a model file may hold.")


def _fits(item, name, role):
    if role == "function":
        return _is_plain_function(item, name)
    if not inspect.isclass(item):
        return False
    if role == "type":
        return name in _BUILTIN_TYPES or _is_plain_type(item) or _is_data_class(item, name)
    return _is_data_class(item, name)


def _is_plain_function(item, name):
    if isinstance(item, np.ufunc) or name in _NUMPY_FUNCTIONS | _SKLEARN_FUNCTIONS:
        return True
    package, room, *_ = name.split(".")
    if package not in ("sklearn", "crystalml") or not inspect.isfunction(item):
        return False
    public = import_module(f"{package}.{room}")
    return name.rpartition(".")[2] in public.__all__ and item.__module__.startswith(package)


def _is_plain_type(item):
    if issubclass(item, np.generic):
        return True
    if not item.__module__.startswith("torch.optim."):
        return False
    optim = import_module("torch.optim")
    return issubclass(item, optim.Optimizer | optim.lr_scheduler.LRScheduler)


def _is_data_class(item, name):
    """Tell whether instances are estimators, or hold data and no more."""
    if item.__module__ != name.rpartition(".")[0]:
        return False
    if name in _SKLEARN_INTERNALS or name in _LIGHTGBM or issubclass(item, BaseEstimator):
        return True
    if name.startswith("crystalml."):
        computes = name.split(".")[1] not in _WITH_FILES and not hasattr(item, "__del__")
        return computes or hasattr(item, "__dataclass_fields__") or is_named_tuple(item)
    return _is_public_tool(item, name)


def _is_public_tool(item, name):
    """Splitters and kernels, which scikit-learn's estimators have as parameters."""
    if name.startswith("sklearn.gaussian_process."):
        return issubclass(item, import_module("sklearn.gaussian_process.kernels").Kernel)
    if name.startswith("sklearn.model_selection."):
        return item.__name__ in import_module("sklearn.model_selection").__all__
    return False


def is_named_tuple(item):
    """Tell whether a class was made by NamedTuple or namedtuple."""
    return inspect.isclass(item) and issubclass(item, tuple) and hasattr(item, "_fields")


def trusted_types() -> tuple[str, ...]:
    """Return the names of the classes of crystalml that `load` accepts without being asked.

    They are all estimators of this package. In addition, `load` accepts scikit-learn's own
    estimators, splitters, kernels and public functions, arrays, sparse matrices, tables and random
    generators, ufuncs of NumPy and scipy.special, LightGBM's estimators, and torch's optimisers and
    schedulers as parameters. Everything else must be named in its parameter ``trusted``.

    Returns
    -------
    tuple of str
        Dotted names in alphabetical order.

    Examples
    --------
    >>> from crystalml.persistence import trusted_types
    >>> "crystalml.descriptors._cell.CellDescriptors" in trusted_types()
    True
    """
    found = set()
    for package in sorted(_CRYSTALML_PACKAGES):
        room = import_module(f"crystalml.{package}")
        classes = filter(inspect.isclass, (getattr(room, name) for name in room.__all__))
        found |= {full_name(item) for item in classes if issubclass(item, BaseEstimator)}
    return tuple(sorted(found))
