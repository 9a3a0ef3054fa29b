"""A transformer from CIF files to table rows, for the front of a pipeline."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from crystalml._schema import TABLE_COLUMNS
from crystalml._typing import CIFSource, ObjectArray
from crystalml._validation import Interval, StrOptions, check_parameters
from crystalml.exceptions import InvalidInputError
from crystalml.io._chunks import read_in_chunks
from crystalml.io._columns import join_columns
from crystalml.io._find_cifs import single_source
from crystalml.io._read_cifs import raise_first_error, table_of
from crystalml.io._records import columns_of_first
from crystalml.io._unpack import MAX_FILE_SIZE

if TYPE_CHECKING:
    import pandas as pd


class CIFReader(TransformerMixin, BaseEstimator):
    """Turn CIF files into a table with exactly one row per file.

    A file with several data blocks gives the row of its first block that has a cell; use
    :func:`read_cifs` to get all blocks. The transformer has no state: ``fit`` only checks
    the parameters.

    Parameters
    ----------
    columns : list of str, default=None
        Names of the table's columns to return, in this order; ``None`` returns all.
    on_error : {"nan", "raise"}, default="nan"
        What to do with a file that gives no cell: ``"nan"`` returns a row of missing values
        (its ``status`` and ``error`` say why), ``"raise"`` raises one sentence.
    n_jobs : int, default=None
        Number of processes, as in :func:`read_cifs`.
    max_file_size : int, default=268435456
        Bytes, as stored or unpacked, beyond which a file is not read, as in
        :func:`read_cifs`: its row says so.

    See Also
    --------
    read_cifs : Read folders, archives and files with several blocks.

    Examples
    --------
    >>> from crystalml.io import CIFReader
    >>> cubic = (
    ...     "data_{0} _cell_length_a {1} _cell_length_b {1} _cell_length_c {1} "
    ...     "_cell_angle_alpha 90 _cell_angle_beta 90 _cell_angle_gamma 90 "
    ...     "_space_group_IT_number 225"
    ... )
    >>> reader = CIFReader(columns=["block", "a", "volume", "v_formula"])
    >>> reader.fit_transform([cubic.format("halite", 5.64), cubic.format("sylvite", 6.29)])
         block     a  volume   v_formula
    0   halite  5.64     NaN  179.406144
    1  sylvite  6.29     NaN  248.858189
    """

    _parameter_constraints = {  # noqa: RUF012
        "columns": [None, list, tuple],
        "on_error": [StrOptions({"nan", "raise"})],
        "n_jobs": [None, int, np.integer],
        "max_file_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        on_error: Literal["nan", "raise"] = "nan",
        n_jobs: int | None = None,
        max_file_size: int = MAX_FILE_SIZE,
    ) -> None:
        self.columns = columns
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.max_file_size = max_file_size

    def fit(self, X: Iterable[CIFSource], y: Any = None) -> Self:  # noqa: ARG002
        """Check the parameters; nothing is learned.

        Parameters
        ----------
        X : iterable of str, PathLike, bytes or file object
            Not read.
        y : None
            Ignored.

        Returns
        -------
        CIFReader
            This transformer.
        """
        self._check(X)
        return self

    def transform(self, X: Iterable[CIFSource]) -> "pd.DataFrame":
        """Read the files.

        Parameters
        ----------
        X : iterable of str, PathLike, bytes or file object
            Paths of CIFs, their content, or open files, as :func:`read_cif` takes them.

        Returns
        -------
        pandas.DataFrame of shape (n_files, n_columns)
            One row per file, in order; the index is that of `X` where it has one.

        Raises
        ------
        CIFError
            With ``on_error="raise"``, naming the first file without a cell.
        InvalidInputError
            If a parameter or `X` cannot be used.
        """
        # Parameters may have been set since the fit, which is optional.
        self._check(X)
        # Lists have a method of that name, too; `iloc` tells the objects of pandas from them.
        index = getattr(X, "index", None) if hasattr(X, "iloc") else None
        limit = self.max_file_size
        sources = (single_source(source, caller="CIFReader", max_size=limit) for source in X)
        pieces = []
        for _, found in read_in_chunks(sources, self.n_jobs, read=columns_of_first):
            if self.on_error == "raise":
                raise_first_error(found, caller="CIFReader")
            pieces.append(found)
        table = table_of(join_columns(pieces))[list(self.get_feature_names_out())]
        return table if index is None else table.set_index(index)

    def get_feature_names_out(self, input_features: Any = None) -> ObjectArray:  # noqa: ARG002
        """Names of the columns.

        Parameters
        ----------
        input_features : None
            Ignored: the columns do not depend on the input.

        Returns
        -------
        ndarray of str, as objects
            The column names of the output.
        """
        return np.array(list(TABLE_COLUMNS if self.columns is None else self.columns), dtype=object)

    def _check(self, X):
        check_parameters(self, self._parameter_constraints)
        unknown = [name for name in self.columns or () if name not in TABLE_COLUMNS]
        if unknown:
            raise InvalidInputError(
                f"CIFReader: columns has {unknown[0]!r}, which is no column of the table; choose "
                f"from {', '.join(TABLE_COLUMNS)}."
            )
        if isinstance(X, str | bytes) or getattr(X, "ndim", 1) != 1:
            raise InvalidInputError(
                f"CIFReader: X must be a one-dimensional sequence of files, got "
                f"{type(X).__name__}; put a single file in a list."
            )

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        return tags
