"""From a table of crystals, or COD's metadata, to a numeric matrix: one step, learned in fit."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from crystalml.descriptors._table_columns import TableColumnSelector, is_number
from crystalml.exceptions import InvalidInputError


# A class and no closure, as pipelines are pickled and saved.
class ColumnsOfKind:
    """Choose columns by kind and number of categories, for a ColumnTransformer; used in fit.

    Parameters
    ----------
    kind : {"number", "few categories", "many categories"}
        Which columns to choose.
    max_categories : int
        Columns with more distinct values than this have many categories.
    """

    def __init__(self, kind: str, max_categories: int) -> None:
        self.kind = kind
        self.max_categories = max_categories

    def __call__(self, X: Any) -> list[Any]:
        """Names (DataFrame) or positions (array) of the columns of this kind."""
        frame = X if hasattr(X, "iloc") else pd.DataFrame(X)
        return [name for name in frame.columns if self._kind(frame[name]) == self.kind]

    def __repr__(self) -> str:
        return f"ColumnsOfKind({self.kind!r}, {self.max_categories!r})"

    def _kind(self, values):
        if is_number(values):
            return "number"
        # In fit, so that the number is that of the training rows.
        few = values.nunique() <= self.max_categories
        return "few categories" if few else "many categories"


def table_preprocessor(
    *,
    exclude: str | Iterable[str] | None = ("symmetry", "identifiers"),
    max_missing: float = 0.5,
    max_categories: int = 20,
    many_categories: Literal["ordinal", "drop"] = "ordinal",
    add_indicator: bool = False,
    scale: bool = True,
) -> Pipeline:
    """Build a Pipeline that turns the table, or COD's metadata, into a numeric matrix.

    Sparse columns are dropped; numbers are imputed by the median and scaled to zero mean and
    unit variance; categories are imputed by the mode and encoded. Everything, the choice of
    columns too, is learned in ``fit``, so that inside a Pipeline or a cross-validation no
    statistic of a test row reaches the model. A column counts as numbers by its type, not by
    its looks: numbers read as text are categories (``clean_cod_metadata`` reads them as numbers).

    Parameters
    ----------
    exclude : str, sequence of str or None, default=("symmetry", "identifiers")
        Columns kept from the model, by group or name; see ``TableColumnSelector``. Columns that
        give the space group away are left out unless asked for.
    max_missing : float, default=0.5
        Columns with a larger fraction of missing values are dropped.
    max_categories : int, default=20
        Up to that many distinct values, a column of categories is one-hot encoded.
    many_categories : {"ordinal", "drop"}, default="ordinal"
        What becomes of columns with more: the rank of the value in sorted order, scaled like a
        number, or nothing.
    add_indicator : bool, default=False
        Add a column for each number that was missing in training. Missingness may itself give
        the target away: authors leave out what symmetry fixes.
    scale : bool, default=True
        Whether to scale numbers and ranks.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``select`` (``TableColumnSelector``) and ``encode`` (ColumnTransformer with the
        branches ``number``, ``few`` and ``many``). Categories not seen in ``fit`` become zeros
        (one-hot) or -1 before scaling (ordinal).

    Raises
    ------
    InvalidInputError
        If a parameter is outside its range.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.descriptors import table_preprocessor
    >>> table = pd.DataFrame({
    ...     "a": [5.64, 4.21, None, 3.61], "method": ["powder", None, "single", "powder"],
    ...     "spacegroup_number": [225, 225, 227, 225]})
    >>> preprocessor = table_preprocessor().set_output(transform="pandas")
    >>> preprocessor.fit_transform(table).round(2)
          a  method_powder  method_single
    0  1.64            1.0            0.0
    1 -0.28            1.0            0.0
    2 -0.28            0.0            1.0
    3 -1.08            1.0            0.0
    """
    _check_options(max_categories, many_categories)

    median = SimpleImputer(strategy="median", add_indicator=add_indicator)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    # Below all known categories, whose ranks begin at 0.
    rank = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    number = Pipeline([("impute", median), *_scaler(scale)])
    few = Pipeline([("impute", _mode()), ("one_hot", one_hot)])
    many = Pipeline([("impute", _mode()), ("rank", rank), *_scaler(scale)])
    encode = ColumnTransformer(
        [
            ("number", number, ColumnsOfKind("number", max_categories)),
            ("few", few, ColumnsOfKind("few categories", max_categories)),
            (
                "many",
                "drop" if many_categories == "drop" else many,
                ColumnsOfKind("many categories", max_categories),
            ),
        ],
        # The branches have no columns in common, so that names need no prefix.
        verbose_feature_names_out=False,
    )
    select = TableColumnSelector(exclude=exclude, max_missing=max_missing)
    return Pipeline([("select", select), ("encode", encode)])


def _scaler(scale):
    """Build the last step of a branch, or none."""
    return [("scale", StandardScaler())] if scale else []


def _mode():
    """Build the imputer of categories."""
    return SimpleImputer(strategy="most_frequent")


def _check_options(max_categories, many_categories):
    """Raise one sentence about an option that cannot be."""
    if not isinstance(max_categories, int | np.integer) or max_categories < 1:
        raise InvalidInputError(
            f"table_preprocessor: max_categories is {max_categories!r}; give an integer >= 1."
        )
    if many_categories not in ("ordinal", "drop"):
        raise InvalidInputError(
            f"table_preprocessor: many_categories is {many_categories!r}; choose 'ordinal' "
            "or 'drop'."
        )
