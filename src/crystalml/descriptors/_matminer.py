"""Any featurizer of matminer, by instance or by name, as a transformer."""

import warnings
from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from difflib import get_close_matches
from functools import cache, partial
from importlib.metadata import version
from inspect import isclass
from itertools import chain
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self

import joblib
import numpy as np
from sklearn.utils.validation import check_is_fitted, check_memory, validate_data

from crystalml._dependencies import import_optional
from crystalml._typing import Transformed
from crystalml._validation import HasMethods, StrOptions, check_parameters
from crystalml._version import __version__
from crystalml.crystallography import parse_formula
from crystalml.descriptors._base import NamedOutputTransformer
from crystalml.descriptors._object_column import (
    column_values,
    distinct_objects,
    error_report,
    first_error,
    map_objects,
    object_column,
)
from crystalml.exceptions import CrystalmlWarning, InvalidInputError

if TYPE_CHECKING:
    import pandas as pd


_CALLER = "MatminerDescriptors"
_COLUMNS = ("structure", "composition", "formula")
_CONSTRAINTS = {
    "on_error": [StrOptions({"raise", "nan"})],
    "n_jobs": [Integral, None],
    "memory": [str, HasMethods("cache"), None],
}
_MODULES = ("matminer.featurizers.composition", "matminer.featurizers.structure")


class MatminerDescriptors(NamedOutputTransformer):
    """Turn formulas or structures into the features of any featurizer of matminer.

    The numbers are matminer's, computed by its `featurize`. What is added is what a scikit-learn
    pipeline expects: names of the outputs, parallel work as a parameter, a result that does not
    depend on what was featurized before, and an answer to what became of each row. (matminer's
    own `transform` turns every error into NaN without a word and takes all cores.)

    Parameters
    ----------
    featurizer : str or matminer featurizer, default="ElementProperty:magpie"
        Which composition or structure featurizer. A name is that of the class, such as
        ``"Stoichiometry"``, for one that needs no arguments, or class and preset, such as
        ``"ElementProperty:deml"``, for ``ElementProperty.from_preset("deml")``. An instance,
        also a ``MultipleFeaturizer``, is copied in ``fit`` and never changed.
    on_error : {"raise", "nan"}, default="raise"
        What to do about rows that the featurizer cannot use: raise one sentence that names the
        first of them, or give rows of NaN and warn. See `report` for the reasons row by row.
    n_jobs : int, default=None
        Number of parallel workers, by joblib. None is 1 outside of a
        ``joblib.parallel_config``, -1 all cores.
    memory : None, str or object with the interface of joblib.Memory, default=None
        Where to cache features across calls and runs, row by row: a row that another fold or
        data set had before is not computed again. Worth it from some milliseconds per row. Rows
        that failed are tried again.

    Attributes
    ----------
    featurizer_ : matminer featurizer
        The one that is used, fitted if it is one that learns.
    n_features_in_ : int
        Always 1, the column of formulas or structures.
    feature_names_in_ : ndarray of shape (1,)
        Name of the column. Defined only if ``fit`` saw a table.

    See Also
    --------
    CompositionDescriptors : matminer's most used composition features, hundreds of times faster.
    StructureDescriptors : Descriptors of structures without reported or detected symmetry.

    Notes
    -----
    Input is a column: a list, an array of shape (n,) or (n, 1), a Series, or a table with one
    column or with one named ``"structure"``, ``"composition"`` or ``"formula"``, looked for in
    this order. Composition featurizers take formulas, mappings of symbols to amounts such as
    pymatgen's Composition, and Structures, of which they see the composition. Structure
    featurizers take pymatgen's Structures. A formula is read strictly by
    `crystalml.crystallography.parse_formula`, with D and T as H. What occurs several times is
    computed once.

    In a grid search over featurizers give names, or instances that obey scikit-learn's rules.
    Some of matminer's do not (OrbitalFieldMatrix lacks an attribute for a parameter,
    PartialRadialDistributionFunction changes one): ``clone`` of this transformer copies them
    nevertheless, but a grid clones the instance itself.

    The output is float64, or of type object where a featurizer gives text, such as
    GlobalSymmetryFeatures the crystal system. Beware of that one: reported or detected symmetry
    beside a target of symmetry gives the answer away.

    References
    ----------
    .. [1] L. Ward et al., "Matminer: An open source toolkit for materials data mining",
       Computational Materials Science 152 (2018) 60-69,
       https://doi.org/10.1016/j.commatsci.2018.05.018.

    Examples
    --------
    >>> from crystalml.descriptors import MatminerDescriptors
    >>> describe = MatminerDescriptors("Stoichiometry").fit(["NaCl", "Al2O3"])
    >>> describe.transform(["NaCl", "Al2O3"]).round(3)[:, :3]
    array([[2.   , 0.707, 0.63 ],
           [2.   , 0.721, 0.654]])
    >>> describe.get_feature_names_out()[:3].tolist()
    ['0-norm', '2-norm', '3-norm']
    """

    def __init__(
        self,
        featurizer: str | Any = "ElementProperty:magpie",
        *,
        on_error: Literal["raise", "nan"] = "raise",
        n_jobs: int | None = None,
        memory: str | joblib.Memory | None = None,
    ) -> None:
        self.featurizer = featurizer
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.memory = memory

    def fit(self, X: Iterable[Any], y: Any = None) -> Self:
        """Copy the featurizer, and fit the copy if it is one that learns.

        Parameters
        ----------
        X : list, Series, DataFrame or ndarray
            Formulas or structures.
        y : array-like of shape (n_samples,), default=None
            Handed to a featurizer that learns.

        Returns
        -------
        MatminerDescriptors
            The transformer itself.

        Raises
        ------
        InvalidInputError
            If a parameter has a value that is not allowed, or the featurizer learns and cannot
            read a row while `on_error` is ``"raise"``.
        SchemaError
            If X is not one column.
        MissingDependencyError
            If matminer is not installed.
        """
        check_parameters(self, _CONSTRAINTS)
        column = self._column(X, reset=True)
        # A copy: fitting must not change what the user passed in.
        featurizer = own_featurizer(self.featurizer)
        if learns(featurizer):
            self._fit_featurizer(featurizer, column_values(column), y)
        self.featurizer_ = featurizer
        return self

    def transform(self, X: Iterable[Any]) -> Transformed:
        """Compute the features.

        Parameters
        ----------
        X : list, Series, DataFrame or ndarray
            Formulas or structures.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The features in the order of ``get_feature_names_out``; a DataFrame after
            ``set_output``.

        Raises
        ------
        InvalidInputError
            If the featurizer cannot use a row and `on_error` is ``"raise"``.
        SchemaError
            If X is not one column.

        Warns
        -----
        CrystalmlWarning
            If it cannot and `on_error` is ``"nan"``.
        """
        values, rows_of, rows, errors = self._featurize(X)
        if errors:
            self._complain(first_error(errors, values, rows_of))
        return feature_matrix(rows, len(self._output_names()))[rows_of]

    def report(self, X: Iterable[Any]) -> "pd.DataFrame":
        """Say row by row what the featurizer could not use, without raising.

        Parameters
        ----------
        X : list, Series, DataFrame or ndarray
            Formulas or structures.

        Returns
        -------
        DataFrame
            One row per row of X, with the column `error`: None, or why the featurizer has no
            features. All are computed for this; a `memory` spares to do it twice.

        Examples
        --------
        >>> from crystalml.descriptors import MatminerDescriptors
        >>> describe = MatminerDescriptors("Stoichiometry").fit(["NaN"])
        >>> describe.report(["NaN", "CuSO4.5H2O", None])["error"].notna().tolist()
        [False, True, True]
        """
        _, rows_of, _, errors = self._featurize(X)
        return error_report(X, errors, rows_of)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with those of the featurizer where it tells them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of an instance, as ``featurizer__...``.

        Returns
        -------
        dict
            Names and values.
        """
        try:
            return super().get_params(deep=deep)
        except AttributeError:  # of a featurizer that has a parameter but not its attribute
            return super().get_params(deep=False)

    def __sklearn_clone__(self):
        # Not by the featurizer's own get_params, which some featurizers break.
        bare = copy(self)
        for name in [n for n in vars(self) if n.endswith("_") and not n.startswith("_")]:
            # A clone is not fitted.
            delattr(bare, name)
        return deepcopy(bare)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        return tags

    def _output_names(self):
        """Names of the columns of the output, matminer's labels."""
        check_is_fitted(self)
        return list(self.featurizer_.feature_labels())

    def _column(self, X, *, reset):
        """Pick the one column of formulas or structures, and hold it against what fit saw."""
        column = object_column(X, _COLUMNS, caller=_CALLER, kind="formulas or structures")
        validate_data(self, column, reset=reset, skip_check_array=True)
        return column

    def _fit_featurizer(self, featurizer, values, y):
        """Fit a featurizer that learns, on the rows that can be read."""
        readable, errors = [], {}
        for row, value in enumerate(values):
            result, error = featurize_or_explain(featurizer, value, as_input)
            if error is not None:
                errors[row] = error
            else:
                readable.append(row)
            # Converted in place: featurizers are fitted on what they read, not on formulas.
            values[row] = result if error is None else value
        if errors:
            self._complain(first_error(errors, values, range(len(values))))
        # Only the rows that could be read, so that X and y stay side by side.
        target = None if y is None else np.asarray(y)[readable]
        try:
            featurizer.fit([values[row] for row in readable], target)
        except Exception as error:
            raise InvalidInputError(
                f"{_CALLER}: {type(featurizer).__name__} cannot be fitted: {reason(error)}."
            ) from error

    def _featurize(self, X):
        """Return the distinct values, which of them each row holds, their features and errors."""
        check_is_fitted(self)
        check_parameters(self, _CONSTRAINTS)
        values, rows_of = distinct_objects(column_values(self._column(X, reset=False)))
        compute = featurize if self.memory is None else self._cached_featurize()
        # Errors come back as text: what a featurizer raises need not survive a pickle.
        explain = partial(featurize_or_explain, self.featurizer_, compute=compute)
        results = map_objects(explain, values, self.n_jobs)
        errors = {row: error for row, (_, error) in enumerate(results) if error is not None}
        return values, rows_of, [features for features, _ in results], errors

    def _cached_featurize(self):
        """Return `featurize` with a memory, which need not hash the featurizer for each row."""
        memory = self.memory
        if isinstance(memory, str):
            memory = joblib.Memory(memory, verbose=0)
        # The key stands for both: joblib would hash the featurizer anew for each row.
        cached = check_memory(memory).cache(_featurize_by_key, ignore=["featurizer", "value"])
        state = joblib.hash((type(self.featurizer_).__name__, self.featurizer_, _versions()))
        return partial(_with_key, cached, state)

    def _complain(self, which):
        """Raise or warn, as the user wants it."""
        is_name = isinstance(self.featurizer, str)
        name = self.featurizer if is_name else type(self.featurizer).__name__
        if self.on_error == "raise":
            raise InvalidInputError(
                f"{_CALLER}: {name} cannot use {which}. Correct or drop these rows, or set "
                "on_error='nan' for rows of NaN."
            )
        warnings.warn(
            f"{_CALLER}: {name} gives rows of NaN for {which}. `report` tells why, row by row.",
            CrystalmlWarning,
            stacklevel=3,
        )


def _with_key(cached, state, featurizer, value):
    """Call the cached function with a short text that stands for featurizer and value."""
    return cached(f"{state}-{joblib.hash(value)}", featurizer, value)


def _featurize_by_key(key, featurizer, value):  # noqa: ARG001
    """Compute features; this is what a memory caches, by `key` alone."""
    return featurize(featurizer, value)


@cache
def _versions():
    """Versions of what the numbers come from, so that a memory forgets with an update."""
    return __version__, version("matminer"), version("pymatgen")


def own_featurizer(featurizer):
    """Make a featurizer of a name, or a copy of an instance, so that the user's stays untouched."""
    base = import_optional("matminer.featurizers.base", needed_by=_CALLER).BaseFeaturizer
    if isinstance(featurizer, base):
        return deepcopy(featurizer)
    if isinstance(featurizer, str):
        return _build(featurizer, base)
    raise InvalidInputError(
        f"{_CALLER}: featurizer={featurizer!r} is no featurizer of matminer; give an instance, or "
        "the name of a class such as 'Stoichiometry' or 'ElementProperty:magpie'."
    )


def learns(featurizer):
    """Whether `fit` of the featurizer does something."""
    base = import_optional("matminer.featurizers.base", needed_by=_CALLER)
    # Its own fit only calls those of its parts.
    if isinstance(featurizer, base.MultipleFeaturizer):
        return any(map(learns, featurizer.featurizers))
    return type(featurizer).fit is not base.BaseFeaturizer.fit


def as_input(featurizer, value):
    """Turn a value of a column into what the featurizer reads, or say why it cannot be."""
    if value is None:
        raise InvalidInputError("the value is missing")
    kind = _input_kind(featurizer)
    if isinstance(value, str | Mapping) and kind == "structure":
        raise InvalidInputError(
            f"{type(featurizer).__name__} reads structures, not compositions; give pymatgen's "
            "Structure"
        )
    if isinstance(value, str):
        # pymatgen's own reading turns 'NaCl.2H2O' into something else without a word.
        value = parse_formula(value)
    composition = import_optional("pymatgen.core", needed_by=_CALLER).Composition
    if isinstance(value, Mapping) and not isinstance(value, composition):
        return composition(value)
    if kind == "composition" and not isinstance(value, composition):
        if not hasattr(value, "composition"):
            raise InvalidInputError(
                f"it is of type {type(value).__name__}, neither a formula nor a Composition nor "
                "a Structure"
            )
        return value.composition
    return value


def featurize(featurizer, value):
    """Return the features of a value as a list; raises what the featurizer raises."""
    features = list(featurizer.featurize(as_input(featurizer, value)))
    n_labels = len(featurizer.feature_labels())
    # Otherwise numbers would stand under the wrong names.
    if len(features) != n_labels:
        raise InvalidInputError(
            f"{type(featurizer).__name__} gave {len(features)} values for {n_labels} names"
        )
    return features


def featurize_or_explain(featurizer, value, compute=featurize):
    """Return the features and None, or None and why there are none."""
    try:
        return compute(featurizer, value), None
    except Exception as error:  # noqa: BLE001 - featurizers raise anything; it is reported by row
        return None, reason(error)


def reason(error):
    """Say in one line what was raised."""
    text = " ".join(str(error).split()).removeprefix("parse_formula: ")
    # Our own sentences need no name of their class before them.
    if isinstance(error, InvalidInputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def feature_matrix(rows, width):
    """Stack features and None (a row of NaN) in float64, or as objects if some are no numbers."""
    blank = [np.nan] * width
    filled = [blank if row is None else row for row in rows]
    try:
        return np.array(filled, dtype=np.float64).reshape(len(rows), width)
    except (TypeError, ValueError):
        values = chain.from_iterable(filled)
        return np.fromiter(values, dtype=object, count=len(rows) * width).reshape(-1, width)


def _build(name, base):
    """Build the featurizer that a name such as "ElementProperty:magpie" stands for."""
    class_name, _, preset = name.partition(":")
    classes = _classes(base)
    if class_name not in classes:
        close = get_close_matches(class_name, classes, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise InvalidInputError(
            f"{_CALLER}: featurizer={name!r}: matminer has no composition or structure featurizer "
            f"{class_name!r}.{hint} Choose from {', '.join(sorted(classes))}."
        )
    featurizer = classes[class_name]
    try:
        return featurizer.from_preset(preset) if preset else featurizer()
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{_CALLER}: featurizer={name!r} cannot be built ({reason(error)}); give "
            "'Class' for one without arguments, 'Class:preset' for one with this preset, or an "
            "instance."
        ) from error


def _classes(base):
    """Return the composition and structure featurizers of matminer by class name."""
    modules = [import_optional(module, needed_by=_CALLER) for module in _MODULES]
    return {
        name: member
        for module in modules
        for name, member in vars(module).items()
        if isclass(member) and issubclass(member, base)
    }


def _input_kind(featurizer):
    """Tell by its home whether a featurizer reads compositions or structures; None: who knows."""
    # A MultipleFeaturizer reads what its parts read.
    for member in getattr(featurizer, "featurizers", [featurizer]):
        for module in _MODULES:
            if any(kind.__module__.startswith(module) for kind in type(member).__mro__):
                return module.rpartition(".")[2]
    return None
