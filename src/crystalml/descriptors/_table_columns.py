"""Which columns of a table a model may learn from, and which it can."""

from collections.abc import Iterable
from numbers import Real
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from crystalml._schema import CELL_SU_COLUMNS
from crystalml._typing import MatrixLike, ObjectArray, Transformed
from crystalml._validation import Interval, check_parameters
from crystalml.exceptions import InvalidInputError

# What gives a space group away. Cell s.u. belong here: a parameter that symmetry fixes has none,
# and edges that symmetry ties together share theirs.
SYMMETRY_COLUMNS = (
    *("spacegroup_number", "spacegroup_hm", "spacegroup_hall", "spacegroup_source"),
    *("spacegroup_symbol", "cod_spacegroup_number", "crystal_system", "bravais_lattice"),
    *("cell_matches_spacegroup", "cell_matches_sg", "formula_units", "z_prime", "n_sites"),
    *("n_atoms", "cell_formula", "formula_cell", "calculated_formula", *CELL_SU_COLUMNS),
    *("sg", "sgHall", "sgNumber", "Z", "Zprime", "cellformula", "calcformula"),
    *("siga", "sigb", "sigc", "sigalpha", "sigbeta", "siggamma"),
)

# What names one entry, one file or one paper, and what the reader says about its own work.
IDENTIFIER_COLUMNS = (
    *("source", "block", "status", "flags", "error", "cod_status", "cod_flags", "cod_id"),
    *("path", "outcome", "doi"),
    *("chemical_name", "common_name", "mineral", "formula", "authors", "title", "text"),
    *("journal_volume", "journal_issue", "first_page", "last_page", "coeditor_code"),
    *("cod_revision", "cod_date", "cod_time", "duplicate_of", "optimal_entry", "source_id"),
    *("file", "commonname", "chemname", "acce_code", "issue", "firstpage", "lastpage"),
    *("svnrevision", "date", "time", "duplicateof", "optimal", "on_hold_until", "onhold"),
)

EXCLUDED = {"symmetry": SYMMETRY_COLUMNS, "identifiers": IDENTIFIER_COLUMNS}


class TableColumnSelector(TransformerMixin, BaseEstimator):
    """Keep the columns of a table that a model may and can learn from.

    Columns are dropped that are named in `exclude`, that are mostly missing, or that have one
    value only; which those are is learned in ``fit``, from the training rows.

    Parameters
    ----------
    exclude : str, sequence of str or None, default=("symmetry", "identifiers")
        Groups or names of columns. ``"symmetry"``: the space group and what gives it away
        (Hall symbol, Z, cell contents, s.u. of the cell, ...); leave it out only where symmetry
        is not the target. ``"identifiers"``: what names one entry or paper, and free text.
        Names that the table does not have are no error.
    max_missing : float, default=0.5
        Columns with a larger fraction of missing values are dropped.
    drop_constant : bool, default=True
        Whether to drop columns with at most one value.

    Attributes
    ----------
    dropped_ : dict of str to str
        Dropped column -> ``"excluded"``, ``"sparse"`` or ``"constant"``.
    kept_ : ndarray of int
        Positions of the columns that stay.
    is_number_ : ndarray of bool
        Whether each of them held numbers (or logicals); the others hold categories.
    feature_names_in_ : ndarray of str
        Names seen in ``fit``, where all were strings.
    n_features_in_ : int
        Number of columns seen in ``fit``.

    See Also
    --------
    table_preprocessor : This, then imputation, encoding and scaling.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.descriptors import TableColumnSelector
    >>> table = pd.DataFrame({"a": [5.6, 4.2], "Z": [4, 4], "pressure": [None, None]})
    >>> TableColumnSelector().fit(table).dropped_
    {'Z': 'excluded', 'pressure': 'sparse'}
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's form
        "exclude": [str, "array-like", tuple, None],
        "max_missing": [Interval(Real, 0, 1, closed="both")],
        "drop_constant": ["boolean"],
    }

    def __init__(
        self,
        exclude: str | Iterable[str] | None = ("symmetry", "identifiers"),
        max_missing: float = 0.5,
        drop_constant: bool = True,
    ) -> None:
        self.exclude = exclude
        self.max_missing = max_missing
        self.drop_constant = drop_constant

    def fit(self, X: MatrixLike, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Learn which columns stay.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table, of any types; missing is NaN, NA or None.
        y : None
            Ignored.

        Returns
        -------
        self : TableColumnSelector
            Fitted.

        Raises
        ------
        InvalidInputError
            If a parameter is outside its range, or no column is left.
        """
        check_parameters(self, self._parameter_constraints)
        frame = self._as_frame(X, reset=True)
        excluded = _expand(self.exclude)
        # By position, as names may repeat.
        missing = frame.isna().to_numpy().mean(axis=0)
        self.dropped_ = {}
        for position, name in enumerate(frame.columns):
            if name in excluded:
                self.dropped_[name] = "excluded"
            elif missing[position] > self.max_missing:
                self.dropped_[name] = "sparse"
            elif self.drop_constant and len(frame) > 1 and _is_constant(frame.iloc[:, position]):
                self.dropped_[name] = "constant"
        self.kept_ = np.flatnonzero([name not in self.dropped_ for name in frame.columns])
        # Kept, as the same column of a few test rows may look like another type.
        self.is_number_ = np.array(
            [is_number(frame.iloc[:, position]) for position in self.kept_], dtype=bool
        )
        if not self.kept_.size:
            raise InvalidInputError(
                f"TableColumnSelector: no column is left of {frame.shape[1]} "
                f"({pd.Series(self.dropped_).value_counts().to_dict()}). Raise max_missing, or "
                "name less in exclude."
            )
        return self

    def transform(self, X: MatrixLike) -> Transformed:
        """Return the columns that stay.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_kept)
            As `X` came. Numbers are float64, categories text; missing is NaN.

        Raises
        ------
        InvalidInputError
            If a column of numbers holds something else now.
        """
        check_is_fitted(self)
        frame = self._as_frame(X, reset=False)
        columns = [
            (_numbers if number else _categories)(frame.iloc[:, position])
            for position, number in zip(self.kept_, self.is_number_, strict=True)
        ]
        plain = pd.concat(columns, axis=1)
        # In the user's own kind of table, whose names later steps rely on.
        return plain if hasattr(X, "iloc") else plain.to_numpy()

    def get_feature_names_out(self, input_features: Iterable[str] | None = None) -> ObjectArray:
        """Return the names of the columns that stay.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns, where ``fit`` saw none.

        Returns
        -------
        ndarray of str, shape (n_kept,)
            The names.
        """
        check_is_fitted(self)
        seen = getattr(self, "feature_names_in_", None)
        if input_features is not None:
            names = np.asarray(input_features, dtype=object)
            if seen is not None and not np.array_equal(names, seen):
                raise InvalidInputError("input_features is not equal to feature_names_in_")
            if len(names) != self.n_features_in_:
                raise InvalidInputError(
                    "input_features should have length equal to number of features "
                    f"({self.n_features_in_}), got {len(names)}"
                )
        elif seen is not None:
            names = seen
        else:
            names = np.array([f"x{k}" for k in range(self.n_features_in_)], dtype=object)
        return names[self.kept_]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _as_frame(self, X, *, reset):
        """Check the input against what fit saw, and look at it as a DataFrame."""
        if hasattr(X, "iloc"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            check_array(X.isna().to_numpy(), ensure_min_features=1)
            return X
        array = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
        names = [f"x{k}" for k in range(array.shape[1])]
        return pd.DataFrame(array, columns=names)


def _expand(exclude):
    """Names of all excluded columns."""
    entries = [exclude] if isinstance(exclude, str) else list(() if exclude is None else exclude)
    return {name for entry in entries for name in EXCLUDED.get(entry, (entry,))}


def _is_constant(values):
    """Whether all known values are the same and none is missing beside them."""
    known = values.dropna()
    if len(known) == 0:
        return True
    # One value beside missing ones is information: something was stated or not.
    return len(known) == len(values) and bool((known == known.iloc[0]).all())


def _numbers(values):
    """Return a column as float64."""
    try:
        return values.astype(object).where(values.notna(), np.nan).astype("float64")
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"TableColumnSelector: column {values.name!r} held numbers in fit, but not now "
            f"({error}). Read it as numbers, or drop it."
        ) from error


def _categories(values):
    """Return a column as text; the text "NaN" is sodium nitride, and no missing value."""
    # Text, as a column may mix 1 and "1", which no encoder can sort.
    return values.astype(object).map(str, na_action="ignore").where(values.notna(), np.nan)


def is_number(values):
    """Whether a column holds numbers, whatever its dtype says."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_object_dtype(dtype):
        # Tables with None have columns of objects that are numbers all the same.
        inferred = pd.api.types.infer_dtype(values, skipna=True)
        return inferred in ("integer", "floating", "mixed-integer-float", "boolean", "decimal")
    return pd.api.types.is_numeric_dtype(dtype)
