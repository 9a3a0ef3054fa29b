"""Names for the types that signatures repeat. Importing this module loads NumPy alone.

Signatures say what a type checker can check; shapes and units stand in the docstrings.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

__all__ = [
    "ArrayLike",
    "BoolArray",
    "CIFSource",
    "CIFSources",
    "CrossValidation",
    "Estimator",
    "FloatArray",
    "IntArray",
    "MatrixLike",
    "NDArray",
    "ObjectArray",
    "PathLike",
    "Progress",
    "RandomState",
    "Splitter",
    "SymmetryLevel",
    "Transformed",
]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
ObjectArray: TypeAlias = NDArray[np.object_]

# X of scikit-learn's methods: an array, a DataFrame, nested sequences, or a sparse matrix. The
# names in quotes are not looked up at run time, so that pandas and SciPy stay unloaded.
MatrixLike: TypeAlias = Union[ArrayLike, "pd.DataFrame", "sparse.sparray", "sparse.spmatrix"]
# What `transform` returns: an array, unless `set_output` asks for a table. Any, so that nobody
# has to narrow a union whose member they chose themselves.
Transformed: TypeAlias = NDArray[Any] | Any

Integer: TypeAlias = int | np.integer[Any]
# Several integers, told apart from one.
Integers: TypeAlias = Union[Sequence[int], NDArray[Any], "pd.Series"]

# A chemical formula: text, or amounts by symbol (also by objects with a symbol, as in pymatgen's
# Composition, which is a Mapping).
Formula: TypeAlias = str | Mapping[Any, Any]
# Many; None, NaN and NA among them are missing formulas.
Formulas: TypeAlias = Iterable[Any]
Charges: TypeAlias = Literal["refuse", "strip"]

PathLike: TypeAlias = str | os.PathLike[str]
# A path, the text or bytes themselves, or an open file.
CIFSource: TypeAlias = str | bytes | os.PathLike[str] | IO[str] | IO[bytes]
# Also a folder, a glob pattern, an archive, or any number of these.
CIFSources: TypeAlias = CIFSource | Iterable[CIFSource]
# Whether a progress bar is shown; "auto" shows it on a terminal and in Jupyter.
Progress: TypeAlias = bool | Literal["auto"]
RandomState: TypeAlias = int | np.random.RandomState | None
SymmetryLevel: TypeAlias = Literal[
    "crystal_system", "bravais_lattice", "point_group", "space_group"
]


class Estimator(Protocol):
    """Whatever has `fit`: estimators are told by what they can do, not by their base class."""

    def fit(self, *args: Any, **kwargs: Any) -> Any: ...


class Splitter(Protocol):
    """A splitter of scikit-learn, such as GroupKFold."""

    def split(self, *args: Any, **kwargs: Any) -> Iterable[Any]: ...


# `cv`: a number of folds, a splitter, or (train, test) row numbers of each fold.
CrossValidation: TypeAlias = int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]]
