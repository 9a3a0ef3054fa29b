"""Load optional dependencies where they are used, and say how to get a missing one."""

from importlib import import_module
from types import ModuleType

from crystalml.exceptions import MissingDependencyError

# Import name of each optional dependency -> the extra of the distribution that brings it.
EXTRAS = {
    "ase": "structures",
    "lightgbm": "spacegroups",
    "matminer": "structures",
    "matplotlib": "plot",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "pyarrow": "parquet",
    "pymatgen": "structures",
    "pytorch_tabnet": "neural",
    "safetensors": "neural",
    "skorch": "neural",
    "torch": "neural",
    "urllib3": "cod",
}


def import_optional(module: str, *, needed_by: str) -> ModuleType:
    """Import and return `module`, or say which extra brings it.

    Parameters
    ----------
    module : str
        Dotted import name, such as ``"matplotlib.pyplot"``.
    needed_by : str
        Public name that asks, used in the message.

    Raises
    ------
    MissingDependencyError
        If the top-level package of `module` is not installed.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingDependencyError(
            f"{needed_by} needs {package}, which is not installed; "
            f"run: pip install 'crystalml-sklearn[{EXTRAS[package]}]'"
        ) from error
