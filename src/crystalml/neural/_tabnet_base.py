"""What all TabNet estimators share: parameters, categorical columns and explanations."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike
from crystalml._validation import Interval, StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.neural._base import BaseNetEstimator
from crystalml.neural._batches import PREDICTION_ROWS, apply_in_double, as_tensor
from crystalml.neural._tabnet_modules import MASKS, average_unknown, explain
from crystalml.neural._torch_state import threads

TABNET_CONSTRAINTS = {
    "n_d": [Interval(Integral, 1, None, closed="left")],
    "n_a": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    # Below 1, the attention left to a column could become negative.
    "gamma": [Interval(Real, 1, None, closed="left")],
    "n_independent": [Interval(Integral, 0, None, closed="left")],
    "n_shared": [Interval(Integral, 0, None, closed="left")],
    "mask_type": [StrOptions(set(MASKS))],
    "momentum": [Interval(Real, 0, 1, closed="neither")],
    # The variance of a single row is 0.
    "virtual_batch_size": [Interval(Integral, 2, None, closed="left")],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "embedding_dim": ["array-like", Interval(Integral, 1, None, closed="left")],
    "max_gradient_norm": [Interval(Real, 0, None, closed="neither"), None],
}


class TabNetExplanation(NamedTuple):
    """Which columns TabNet used: one entry per row in each field."""

    importances: np.ndarray
    masks: np.ndarray
    contributions: np.ndarray


class TabNetParameters(BaseNetEstimator):
    """Parameters, categorical columns and explanations of a TabNet estimator."""

    def explain(self, X: ArrayLike) -> TabNetExplanation:
        """Return which columns the net used for the prediction of each row.

        Each step multiplies the columns by a mask whose entries are at least 0 and sum to 1, many
        of them exactly 0, and contributes to the prediction by its active units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in `fit`.

        Returns
        -------
        TabNetExplanation
            A named tuple of float32 arrays:

            importances : shape (n_samples, n_features)
                Masks weighted by the contributions of their steps; rows sum to 1, or are 0 where
                no step contributes.
            masks : shape (n_samples, n_steps, n_features)
                What each step looks at; sums to 1 over the columns.
            contributions : shape (n_samples, n_steps)
                Sum of the units of each step, which are at least 0.

        Notes
        -----
        Masks say which columns the net used, not how a prediction would change with a column. Of
        two columns that hold the same information it may use either. Other seeds may give other
        explanations: compare several nets before you draw conclusions.
        """
        answer = self._run(X, _single_precision, part=explain)
        masks, contributions = answer[:, :, :-1], answer[:, :, -1]
        weighted = np.einsum("nsf,ns->nf", masks, contributions)
        # Rows that no step contributes to have importances of 0, not 0/0.
        total = weighted.sum(axis=1, keepdims=True)
        importances = np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)
        return TabNetExplanation(importances, masks, contributions)

    def _check_parameters(self):
        super()._check_parameters()
        if self.n_independent == self.n_shared == 0:
            raise InvalidInputError(
                f"{type(self).__name__}: n_independent and n_shared are both 0, which leaves no "
                "layers. Set one of them to 1 or more."
            )

    def _encoder_parameters(self):
        """Return the parameters that the modules of pretraining and of training have in common."""
        names = ("n_d", "n_a", "n_steps", "gamma", "n_independent", "n_shared", "mask_type")
        parameters = {
            "virtual_batch_size": self.virtual_batch_size,
            "momentum": self.momentum,
            **{name: getattr(self, name) for name in names},
        }
        if len(self.categorical_features_):
            # Plain lists, as the description of a net in a model file holds no arrays.
            parameters["categorical"] = self.categorical_features_.tolist()
            # Code 0 is for categories that were not there in fit.
            parameters["cardinalities"] = [1 + len(known) for known in self.categories_]
            parameters["dimensions"] = self._embedding_dims()
        return parameters

    def _embedding_dims(self):
        """Return the width of the vectors of each categorical column."""
        n_columns = len(self.categorical_features_)
        if isinstance(self.embedding_dim, Integral):
            return [int(self.embedding_dim)] * n_columns
        widths = list(self.embedding_dim)
        if len(widths) != n_columns or not all(
            isinstance(w, int | np.integer) and w > 0 for w in widths
        ):
            raise InvalidInputError(
                f"{type(self).__name__}: embedding_dim must be a whole number >= 1, or one for "
                f"each of the {n_columns} categorical columns, got {self.embedding_dim!r}."
            )
        return [int(width) for width in widths]

    def _validated(self, X, y, warm, **checks):
        # Codes first: the checks of the base class take numbers alone.
        return super()._validated(self._with_codes(X, learn=not warm), y, warm, **checks)

    def _inputs(self, X):
        return super()._inputs(self._with_codes(X))

    def _with_codes(self, X, *, learn=False):
        """Replace categories by codes, and learn before what they are."""
        if learn:
            found = find_categorical(X, self.categorical_features, caller=type(self).__name__)
            self.categorical_features_ = np.array(found, dtype=np.int64)
            self.categories_ = self._learn_categories(as_columns(X) if found else X)
        columns = self.categorical_features_.tolist()
        if not columns:
            return X
        X = as_columns(X)
        if not learn and X.shape[1:] != (self.n_features_in_,):
            # The number of columns is wrong: the checks that follow say so better than an index
            # error.
            return X
        pairs = zip(columns, self.categories_, strict=True)
        codes = [encode(category_values(X, column), known) for column, known in pairs]
        return with_codes(X, columns, codes)

    def _learn_categories(self, X):
        return [learn_categories(category_values(X, i)) for i in self.categorical_features_]

    def _train(self, X, target, weight, train_rows, valid_rows, **arguments):
        super()._train(X, target, weight, train_rows, valid_rows, **arguments)
        codes = X[np.ix_(train_rows, self.categorical_features_)]
        # Where training had no unknown category, the vector of code 0 was never learned: it would
        # still be what was drawn at the start.
        unseen = self.categorical_features_[(codes > 0).all(axis=0)]
        if len(unseen):
            average_unknown(self.net_.module_, unseen)
        # Over the training rows alone: validation rows decide when to stop, and nothing else.
        self.feature_importances_ = self._importances(X, weight, train_rows)

    def _importances(self, X, weight, rows):
        """Add up what the net looks at in some rows, slice by slice."""
        module, device = self.net_.module_, self.net_.device
        total = np.zeros(X.shape[1])
        with threads(self.n_threads), torch.inference_mode():
            for start in range(0, len(rows), PREDICTION_ROWS):
                # The masks of all rows at once would be n_steps times as large as X.
                part = rows[start : start + PREDICTION_ROWS]
                answer = explain(module, as_tensor(X[part], device)).double()
                of_steps = answer[:, :, -1]
                if weight is not None:
                    of_steps = of_steps * as_tensor(weight[part], device)[:, None]
                weighted = answer[:, :, :-1] * of_steps[:, :, None]
                total += weighted.sum(dim=(0, 1)).cpu().numpy()
        return total / total.sum() if total.sum() > 0 else total

    def _apply(self, X, convert):
        return self._run(X, convert)

    def _run(self, X, convert, *, part=None):
        """Run the net, or a part, in double precision: rounding in single depends on the batch."""
        check_is_fitted(self)
        rows = self._inputs(X)
        return apply_in_double(self.net_, rows, convert, n_threads=self.n_threads, function=part)


def _single_precision(output):
    return output.float().cpu().numpy()


def find_categorical(X, wanted, *, caller):
    """Return the positions of the categorical columns of `X`, ascending.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows as the user gave them.
    wanted : "from_dtype", array-like of bool, int or str, or None
        The parameter `categorical_features`.
    caller : str
        Name of the estimator, used in messages.

    Raises
    ------
    InvalidInputError
        If a column is named that `X` does not have.
    """
    # Sparse input is refused by the checks that follow, with a message of their own.
    if wanted is None or issparse(X):
        return []
    if isinstance(wanted, str):
        if not isinstance(X, pd.DataFrame):
            return []
        return [i for i in range(X.shape[1]) if _holds_categories(X.iloc[:, i])]
    # As objects: an array of names and positions would turn positions into text.
    wanted = np.asarray(wanted, dtype=object).tolist()
    n_columns = np.shape(X)[1] if np.ndim(X) == 2 else 0
    # Asked before positions, since True is an integer as well.
    if wanted and all(isinstance(choice, bool | np.bool_) for choice in wanted):
        if len(wanted) != n_columns:
            raise InvalidInputError(
                f"{caller}: categorical_features has {len(wanted)} truth values, but X has "
                f"{n_columns} columns. Give one for each, or the positions or names of columns."
            )
        return np.flatnonzero(wanted).tolist()
    names = X.columns.tolist() if isinstance(X, pd.DataFrame) else []
    return sorted({_position(column, names, n_columns, caller) for column in wanted})


def _holds_categories(column):
    """Tell whether a column of a table holds categories: by its dtype, or text throughout."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string"


def _position(column, names, n_columns, caller):
    """Return the position of one named column, or raise."""
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, int | np.integer) and 0 <= column < n_columns:
        return int(column)
    remedy = f"its names are {names!r}" if names else "its columns have no names"
    raise InvalidInputError(
        f"{caller}: {column!r} in categorical_features is no column of X, which has {n_columns} "
        f"columns; {remedy}. Give names of a DataFrame's columns, or positions from 0."
    )


def as_columns(X):
    """Return rows as a DataFrame or an array; lists may hold text beside numbers."""
    return X if isinstance(X, pd.DataFrame | np.ndarray) else np.array(X, dtype=object)


def category_values(X, column):
    """Return one column as a Series: numbers as float64, others as objects; missing is NaN."""
    values = X.iloc[:, column] if isinstance(X, pd.DataFrame) else X[:, column]
    values = np.array(values, dtype=object)
    # None, NaN, NaT and pd.NA are one kind of missing.
    values[pd.isna(values)] = np.nan
    values = pd.Series(values, dtype=object)
    inferred = values.infer_objects()
    is_text = inferred.dtype == object or isinstance(inferred.dtype, pd.StringDtype)
    # 1 and 1.0 are one category, whatever type a column has in predict.
    return values if is_text else inferred.astype(np.float64)


def learn_categories(values):
    """Return the sorted categories of a column; missing values, if any, are the last one."""
    _, categories = pd.factorize(values[values.notna()], sort=True)
    categories = np.asarray(categories)
    if values.notna().all():
        return categories
    dtype = np.float64 if categories.dtype.kind == "f" else object
    return np.append(categories.astype(dtype), np.nan).astype(dtype)


def encode(values, categories):
    """Return codes from 1 in the order of the categories; what is not among them is 0."""
    known = pd.Index(categories)
    if known.dtype != values.dtype:
        # As objects: in a type common to both, values that differ might become equal.
        known, values = known.astype(object), values.astype(object)
    # It returns -1 for what it does not find, which becomes the code 0.
    return known.get_indexer(pd.Index(values)) + 1


def with_codes(X, columns, codes):
    """Return a copy of `X` that holds codes in the categorical columns."""
    if isinstance(X, pd.DataFrame):
        # By position, since names of columns may repeat.
        data = {i: X.iloc[:, i].array for i in range(X.shape[1])}
        data.update(zip(columns, codes, strict=True))
        return pd.DataFrame(data, index=X.index).set_axis(X.columns, axis=1)
    # Floats hold codes exactly, and the rows of the user stay as they are.
    X = X.copy() if X.dtype.kind == "O" else X.astype(np.float64)
    for column, numbers in zip(columns, codes, strict=True):
        X[:, column] = numbers
    return X
