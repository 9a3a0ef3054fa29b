"""Descriptors of the chemical composition."""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from joblib import Memory
from scipy import sparse
from sklearn.utils.validation import check_array, check_memory, validate_data

from crystalml._typing import Charges, MatrixLike, Transformed
from crystalml._validation import HasMethods, StrOptions, check_parameters
from crystalml._version import __version__
from crystalml.crystallography import ELEMENTS
from crystalml.descriptors._base import StatelessTransformer, expand_selection
from crystalml.descriptors._composition_features import (
    PRESETS,
    STATISTICS,
    build_families,
    fill_block,
    gaps_of,
)
from crystalml.descriptors._composition_input import (
    as_key,
    as_list,
    distinct,
    from_key,
    is_amounts,
    one_column,
    read,
)
from crystalml.exceptions import FormulaError, SchemaError

if TYPE_CHECKING:
    import pandas as pd

_CALLER = "CompositionDescriptors"
_CONSTRAINTS = {
    "missing": [StrOptions({"mean", "nan", "raise"})],
    "on_error": [StrOptions({"raise", "nan"})],
    "charges": [StrOptions({"refuse", "strip"})],
    "memory": [str, HasMethods("cache"), None],
}
# Missing and negative amounts are refused row by row, with a better message.
_CHECK_AMOUNTS = {"accept_sparse": "csr", "dtype": np.float64, "ensure_all_finite": False}


class CompositionDescriptors(StatelessTransformer):
    """Turn chemical formulas into descriptors, numerically equal to those of matminer.

    The transformer is stateless: ``transform`` works without ``fit``, and the result for a
    row depends on that row alone. It computes all formulas at once from tables of elemental
    properties. Those of the presets ``"ward2016"``, ``"magpie"``, ``"valence_orbitals"``,
    ``"valence_orbital_averages"`` and ``"ionic_character"`` come with the package; the others
    are read on first use from matminer's data (``pip install 'crystalml-sklearn[structures]'``).

    Parameters
    ----------
    preset : str or list of str, default="ward2016"
        Which descriptors; several are put side by side, and what is named twice comes once.

        - ``"ward2016"``: the 145 descriptors of Ward et al. [1]_, that is
          ``"stoichiometry"``, ``"magpie"``, ``"valence_orbitals"`` and
          ``"ionic_character"``;
        - ``"stoichiometry"``: six norms of the atomic fractions (matminer's
          ``Stoichiometry()``);
        - ``"magpie"``, ``"deml"``, ``"matminer"``, ``"matscholar_el"``, ``"megnet_el"``,
          ``"optical"``, ``"mp_transport"``: statistics of elemental properties
          (``ElementProperty.from_preset(...)``). For ``"optical"`` matminer fits its table on
          first use, which takes some seconds, and keeps it in the folder ``~/.matminer``;
        - ``"valence_orbitals"``: shares of s, p, d and f electrons in the valence electrons
          (``ValenceOrbital(props=["frac"])``), and ``"valence_orbital_averages"``: their mean
          numbers (``ValenceOrbital(props=["avg"])``), which ``"magpie"`` has as well;
        - ``"ionic_character"``: whether common oxidation states can balance, one for each
          element, and the largest and mean ionic character of pairs of elements
          (``IonProperty(fast=True)``);
        - ``"element_fractions"``: the 118 atomic fractions (``ElementFraction()``).
    statistics : str or list of str, default=None
        Statistics of the elemental properties, any of ``"minimum"``, ``"maximum"``,
        ``"range"``, ``"mean"``, ``"avg_dev"`` (mean absolute deviation), ``"std_dev"``,
        ``"mode"``, ``"skewness"``, ``"kurtosis"``, weighted by amount. None takes those of
        matminer's preset.
    missing : {"mean", "nan", "raise"}, default="mean"
        What to do where a source lacks the property of an element: what matminer puts in its
        place (``impute_nan=True``), in most sources the mean over the elements that have one;
        NaN in the descriptors that need it (``impute_nan=False``; where matminer then fails
        for want of the element, the descriptors are NaN too); or an error that names formula
        and element.
    on_error : {"raise", "nan"}, default="raise"
        What to do about formulas that are missing or cannot be read: raise one sentence, or
        give a row of NaN. See `report` for the reasons row by row.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end of a formula makes it unreadable or is dropped.
    memory : None, str or object with the interface of joblib.Memory, default=None
        Where to cache results across calls and runs.

    Attributes
    ----------
    n_features_in_ : int
        1 for formulas, 118 for element amounts.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns used. Defined only if ``fit`` saw a table.

    See Also
    --------
    crystalml.crystallography.parse_formulas : The grammar of formulas.
    CellDescriptors : Descriptors of the unit cell.

    Notes
    -----
    Input is a column of formulas: a list, an array of shape (n,) or (n, 1), a Series, or a
    table with one column or with a column named ``"formula"``. A formula is a string, or a
    mapping of symbols to amounts such as pymatgen's Composition. Or the input is a matrix
    of element amounts of shape (n, 118) by atomic number, dense or sparse.

    Amounts count as they are written; those below 1e-8 are dropped, as in pymatgen. D and T
    count as H, and `report` flags them. ``"mode"`` is the smallest value among the elements
    whose amount is within 1e-5 (relative) of the largest. A formula is computed once however
    often it occurs.

    References
    ----------
    .. [1] L. Ward, A. Agrawal, A. Choudhary, C. Wolverton, "A general-purpose machine learning
       framework for predicting properties of inorganic materials", npj Computational Materials
       2 (2016) 16028, https://doi.org/10.1038/npjcompumats.2016.28.
    .. [2] L. Ward et al., "Matminer: An open source toolkit for materials data mining",
       Computational Materials Science 152 (2018) 60-69.

    Examples
    --------
    >>> from crystalml.descriptors import CompositionDescriptors
    >>> describe = CompositionDescriptors("stoichiometry")
    >>> describe.fit_transform(["NaCl", "Al2O3"]).round(3)
    array([[2.   , 0.707, 0.63 , 0.574, 0.552, 0.536],
           [2.   , 0.721, 0.654, 0.615, 0.605, 0.601]])
    >>> CompositionDescriptors().get_feature_names_out()[:8].tolist()[5:]
    ['10-norm', 'MagpieData minimum Number', 'MagpieData maximum Number']
    """

    def __init__(
        self,
        preset: str | Iterable[str] = "ward2016",
        *,
        statistics: str | Iterable[str] | None = None,
        missing: Literal["mean", "nan", "raise"] = "mean",
        on_error: Literal["raise", "nan"] = "raise",
        charges: Charges = "refuse",
        memory: str | Memory | None = None,
    ) -> None:
        self.preset = preset
        self.statistics = statistics
        self.missing = missing
        self.on_error = on_error
        self.charges = charges
        self.memory = memory

    def fit(self, X: MatrixLike | Iterable[Any], y: Any = None) -> Self:  # noqa: ARG002
        """Check the parameters and the shape of X; there is nothing to learn.

        Parameters
        ----------
        X : list, Series, DataFrame, ndarray or sparse matrix
            Formulas or element amounts.
        y : None
            Ignored.

        Returns
        -------
        CompositionDescriptors
            The transformer itself.

        Raises
        ------
        InvalidInputError
            If a parameter has a value that is not allowed.
        SchemaError
            If X is neither a column of formulas nor a matrix of element amounts.
        """
        self._options()
        self._columns(X, reset=True)
        return self

    def transform(self, X: MatrixLike | Iterable[Any]) -> Transformed:
        """Compute the descriptors.

        Parameters
        ----------
        X : list, Series, DataFrame, ndarray or sparse matrix
            Formulas or element amounts.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The descriptors in float64, in the order of ``get_feature_names_out``; a DataFrame
            after ``set_output``.

        Raises
        ------
        FormulaError
            If a formula is missing or unreadable and `on_error` is ``"raise"``, or lacks data
            and `missing` is ``"raise"``.
        MissingDependencyError
            If the descriptors need matminer's data, and matminer is not installed.
        InvalidInputError, SchemaError
            As ``fit``.
        """
        options = self._options()
        strict = self.missing == "raise"
        formulas, rows_of = distinct(self._formulas(X))
        if self.memory is not None:
            # One text instead of a list of texts, which joblib would pickle item by item to hash
            # it.
            key = as_key(formulas, charges=self.charges)
            compute = _as_memory(self.memory).cache(_distinct_block)
            block, errors, gaps = compute(key, options, strict, self.charges, _versions())
            self._refuse(errors, gaps, formulas, rows_of)
            # Without repetitions the cached block is the answer, and need not be copied.
            return np.asarray(block) if len(block) == len(rows_of) else block[rows_of]
        families = build_families(*options)
        reading = read(formulas, charges=self.charges)
        # Gaps are looked for only where they are an error: imputed tables have none.
        gaps = gaps_of(reading.amounts, families) if strict else {}
        self._refuse(reading.errors, gaps, formulas, rows_of)
        return _fill(families, reading, rows_of)

    def report(self, X: MatrixLike | Iterable[Any]) -> "pd.DataFrame":
        """Say row by row what was noticed, without raising.

        Parameters
        ----------
        X : list, Series, DataFrame, ndarray or sparse matrix
            Formulas or element amounts.

        Returns
        -------
        DataFrame
            One row per row of X, with the columns `error` (None, or why the formula cannot be
            used), `has_deuterium` (whether D or T was written and counted as H) and
            `missing` (None, or which of its elements lack which properties; what becomes of
            these, the parameter `missing` says).

        Examples
        --------
        >>> from crystalml.descriptors import CompositionDescriptors
        >>> CompositionDescriptors("magpie").report(["D2O", "CuSO4.5H2O"])["has_deuterium"]
        0     True
        1    False
        Name: has_deuterium, dtype: bool
        """
        import pandas as pd

        formulas, rows_of = distinct(self._formulas(X))
        reading = read(formulas, charges=self.charges)
        names, statistics, _ = self._options()
        # Without imputation, as imputed tables have no gaps to report.
        gaps = gaps_of(reading.amounts, build_families(names, statistics, False))
        columns = {
            "error": pd.Series([reading.errors.get(row) for row in rows_of], dtype=object),
            "has_deuterium": reading.has_deuterium[rows_of],
            "missing": pd.Series([gaps.get(row) for row in rows_of], dtype=object),
        }
        return pd.DataFrame(columns).set_axis(_index(X, len(rows_of)), axis=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        return tags

    def _output_names(self):
        """Names of the columns of the output, matminer's labels."""
        return [label for family in build_families(*self._options()) for label in family.labels]

    def _options(self):
        """Check the parameters; return what `build_families` takes, without reading data."""
        check_parameters(self, _CONSTRAINTS)
        names = expand_selection(self.preset, PRESETS, (), caller=_CALLER, parameter="preset")
        statistics = self.statistics
        if statistics is not None:
            statistics = expand_selection(
                statistics, {}, STATISTICS, caller=_CALLER, parameter="statistics"
            )
            statistics = tuple(statistics)
        return tuple(names), statistics, self.missing == "mean"

    def _columns(self, X, *, reset):
        """Return the one column of formulas, or the checked matrix of amounts."""
        # The transformer is stateless: without a fit there is nothing to compare with.
        known = reset or hasattr(self, "n_features_in_")
        if not is_amounts(X):
            column = one_column(X, caller=_CALLER)
            if known:
                validate_data(self, column, reset=reset, skip_check_array=True)
            return column
        if known:
            X = validate_data(self, X, reset=reset, **_CHECK_AMOUNTS)
        else:
            X = check_array(X, **_CHECK_AMOUNTS)
        if X.shape[1] != len(ELEMENTS):
            raise SchemaError(
                f"{_CALLER}: the matrix of element amounts has shape {X.shape}; give "
                f"{len(ELEMENTS)} columns, by atomic number."
            )
        return X

    def _formulas(self, X):
        """Return a list of formulas, or the amounts as a CSR matrix."""
        column = self._columns(X, reset=False)
        return sparse.csr_array(column) if is_amounts(column) else as_list(column)

    def _refuse(self, errors, gaps, formulas, rows_of):
        """Raise for unreadable formulas, and for missing data, unless told otherwise."""
        if errors and self.on_error == "raise":
            raise FormulaError(
                f"{_CALLER}: cannot use {_first_of(errors, formulas, rows_of)}. Correct or drop "
                "these rows, or set on_error='nan' for rows of NaN."
            )
        if gaps:
            raise FormulaError(
                f"{_CALLER}: no data for {_first_of(gaps, formulas, rows_of)}. Drop these rows, or "
                "set missing='mean' or missing='nan'."
            )


def _fill(families, reading, rows_of):
    """Compute the output, one row for each of `rows_of`."""
    block = np.empty((len(rows_of), sum(len(family.labels) for family in families)))
    fill_block(families, reading.amounts, rows_of, block)
    return block


def _as_memory(memory):
    """Make a joblib.Memory of a folder; results are mapped, and copied where written to."""
    if isinstance(memory, str):
        memory = Memory(memory, mmap_mode="c", verbose=0)
    return check_memory(memory)


def _distinct_block(formulas, options, strict, charges, versions):  # noqa: ARG001
    """Compute all descriptors of different formulas; this is what a memory caches."""
    families = build_families(*options)
    reading = read(from_key(formulas), charges=charges)
    block = _fill(families, reading, np.arange(len(reading.has_deuterium)))
    return block, reading.errors, gaps_of(reading.amounts, families) if strict else {}


@cache
def _versions():
    """Versions of what the numbers come from, so that a memory forgets with an update."""
    versions: list[str | None] = [__version__]
    for name in ("matminer", "pymatgen"):
        try:
            versions.append(version(name))
        except PackageNotFoundError:  # some presets do without
            versions.append(None)
    return tuple(versions)


def _first_of(notes, formulas, rows_of):
    """Count the rows with a note, and show the first."""
    # Notes are kept by formula; users count rows.
    rows = np.flatnonzero(np.isin(rows_of, list(notes)))
    formula = int(rows_of[rows[0]])
    note = notes[formula]
    # Some notes quote the formula already.
    if isinstance(formulas, list) and repr(formulas[formula]) not in note:
        note = f"{formulas[formula]!r}, {note}"
    return f"{len(rows)} of {len(rows_of)} rows (first: row {rows[0]}, {note})"


def _index(X, n_rows):
    """Index of a pandas table or Series, else 0, 1, ..."""
    index = getattr(X, "index", None)
    return range(n_rows) if index is None or callable(index) else index
