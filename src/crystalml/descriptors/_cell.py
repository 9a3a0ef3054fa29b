"""Descriptors of the unit cell."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any, Literal, Self, TypeGuard

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import MatrixLike, Transformed
from crystalml._validation import StrOptions, check_parameters
from crystalml.crystallography import cell_problems, validate_cells
from crystalml.descriptors._base import StatelessTransformer, expand_selection
from crystalml.descriptors._cell_features import FEATURES, GROUPS, compute_features
from crystalml.exceptions import CellError, InvalidInputError, SchemaError

_CALLER = "CellDescriptors"
_VOLUME_COLUMN = "volume"
# Missing and impossible values are refused row by row, with a better message.
_CHECK = {"dtype": np.float64, "ensure_all_finite": False}


class CellDescriptors(StatelessTransformer):
    """Turn unit cells into descriptors of their size, shape and lattice symmetry.

    The transformer is stateless: ``transform`` works without ``fit``, and the result for a
    row depends on that row alone.

    Parameters
    ----------
    features : "default", str or list of str, default="default"
        Which descriptors, by name of a group or of a single descriptor, in any mixture. The
        order is kept, and what is named twice comes once. ``"default"`` is all of them. The
        groups are

        - ``"parameters"``: `a`, `b`, `c` in Å, `alpha`, `beta`, `gamma` in degrees;
        - ``"cosines"``: `cos_alpha`, `cos_beta`, `cos_gamma`;
        - ``"ratios"``: `b_over_a`, `c_over_a`, `c_over_b`, and `anisotropy`,
          ``|a - c| / (a + c)``;
        - ``"shape"``: `edge_product`, ``abc`` in Å^3, and `shape_factor`, ``abc / V``, 1 for
          right angles and larger otherwise;
        - ``"angle_deviations"``: `alpha_deviation`, `beta_deviation`, `gamma_deviation`,
          absolute deviation from 90 degrees, in degrees;
        - ``"volume"``: `v_formula`, the volume computed from the six parameters, in Å^3, and
          `inverse_volume`, ``1 / V`` in Å^-3;
        - ``"niggli_parameters"``, ``"niggli_cosines"``, ``"niggli_ratios"``,
          ``"niggli_shape"``, ``"niggli_angle_deviations"``: the same of the Niggli-reduced
          cell, each name with the prefix ``niggli_``; ``"niggli"`` for all of these. The
          volume of the reduced cell is that of the given one and comes once only;
        - ``"metric_symmetry"``: `distance_aP` to `distance_cF`, dimensionless distortion of
          the lattice from each of the 14 Bravais types (see
          `crystalml.crystallography.bravais_distances`); `distance_aP` is always 0.
    volume : None, str, int or False, default=None
        The column that holds the measured volume V in Å^3.

        - None: the column named ``"volume"`` of a table, or the seventh column of an array
          (or of a table without the schema's names); the formula where there is none.
        - str or int: name or position of the column, which must be there.
        - False: the formula always.

        A missing (NaN) volume is replaced by the one of the formula.
    on_error : {"raise", "nan"}, default="raise"
        What to do about rows that are missing or no unit cell (lengths must be positive,
        angles inside (0, 180) degrees and together possible, a volume positive): raise one
        sentence, or give a row of NaN, which an imputer or a tree-based model can follow.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns used, six or seven.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns used. Defined only if ``fit`` saw a table.

    See Also
    --------
    crystalml.crystallography.niggli_cell : The reduction.
    crystalml.crystallography.bravais_distances : The distances.

    Notes
    -----
    A table with the columns `a`, `b`, `c`, `alpha`, `beta`, `gamma` may have others in any
    order: the six, and the volume, are picked by name. In an array, or a table without these
    names, the columns count by position: a, b, c, alpha, beta, gamma, and the volume
    seventh.

    **Invariance.** The groups ``"niggli_..."``, ``"volume"`` and ``"metric_symmetry"`` do not
    depend on which cell of the lattice was chosen or how its axes were named. The others
    describe the cell as it was given: they change when the axes are permuted or another
    setting is used. Everything treats the given cell as the unit of translation: the centred
    cell and the primitive cell of one crystal are two lattices here, because six numbers do
    not tell the centring, and the centring is part of the answer where a space group is to
    be predicted. `cos_...`, `..._over_...`, `anisotropy`, `shape_factor`, the deviations of
    angles and the distances do not change when the cell is scaled.

    **Leaks.** Deposited cells were refined under the symmetry that was reported, and hold
    ``a == b`` and 90 degrees exactly; a cell fresh from indexing does so only within its
    standard uncertainty. A model that learns the exact equality from
    ``"parameters"``, ``"ratios"`` or ``"angle_deviations"`` is overrated by a test on
    deposited cells. The distances of ``"metric_symmetry"`` change continuously with the cell,
    so that a small error of measurement stays a small change. A Niggli cell does not: it may
    jump to another form, its angles from below to above 90 degrees. The choice of axes by
    convention, which a reduced cell forgets, tells of the reported group as well.

    Examples
    --------
    >>> from crystalml.descriptors import CellDescriptors
    >>> describe = CellDescriptors(features=["ratios", "v_formula"])
    >>> describe.fit_transform([[4.0, 4.0, 6.0, 90.0, 90.0, 90.0]])
    array([[ 1. ,  1.5,  1.5,  0.2, 96. ]])
    >>> describe.get_feature_names_out().tolist()
    ['b_over_a', 'c_over_a', 'c_over_b', 'anisotropy', 'v_formula']
    """

    def __init__(
        self,
        features: str | Iterable[str] = "default",
        volume: str | int | None = None,
        *,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> None:
        self.features = features
        self.volume = volume
        self.on_error = on_error

    def fit(self, X: MatrixLike, y: Any = None) -> Self:  # noqa: ARG002
        """Check the parameters and the columns; there is nothing to learn.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, 6 or more)
            The cells.
        y : None
            Ignored.

        Returns
        -------
        CellDescriptors
            The transformer itself.

        Raises
        ------
        InvalidInputError
            If a parameter has a value that is not allowed, or a descriptor is unknown.
        SchemaError
            If X has neither the names nor the number of columns of a cell.
        CellError
            If rows are no unit cells and `on_error` is ``"raise"``.
        """
        self._output_names()
        X, volume = self._pick_columns(X)
        # Cells are looked at here, too, so that fit refuses what transform would.
        self._cells_and_volumes(validate_data(self, X, reset=True, **_CHECK), volume)
        return self

    def transform(self, X: MatrixLike) -> Transformed:
        """Compute the descriptors.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, 6 or more)
            The cells.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The descriptors in float64, in the order of ``get_feature_names_out``; a DataFrame
            after ``set_output``.

        Raises
        ------
        InvalidInputError, SchemaError, CellError
            As ``fit``.
        """
        names = self._output_names()
        X, volume = self._pick_columns(X)
        # Without a fit there are no columns to compare these with.
        if hasattr(self, "n_features_in_"):
            X = validate_data(self, X, reset=False, **_CHECK)
        else:
            X = check_array(X, **_CHECK)
        return compute_features(names, *self._cells_and_volumes(X, volume))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.allow_nan = self.on_error == "nan"
        return tags

    def _output_names(self):
        """Names of the columns of the output; also the check of the parameters behind them."""
        check_parameters(self, {"on_error": [StrOptions({"raise", "nan"})]})
        return expand_selection(
            self.features, GROUPS, FEATURES, caller=_CALLER, parameter="features"
        )

    def _pick_columns(self, X):
        """Pick the columns of a table that are known by name; tell where the volume is then.

        The second result is None (seventh column, if there is one), False (nowhere) or the
        position of the volume.
        """
        names = list(getattr(X, "columns", ()))
        # A table with names of its own is taken by position, as an array is.
        if not set(names).intersection(CELL_COLUMNS):
            return X, self.volume
        missing = [name for name in CELL_COLUMNS if name not in names]
        if missing:
            raise SchemaError(
                f"{_CALLER}: the table has no column {_listed(missing)}; give all of "
                f"{_listed(CELL_COLUMNS)}, or an array with six columns in this order."
            )
        volume = self._volume_name(names)
        picked = list(CELL_COLUMNS) if volume is None else [*CELL_COLUMNS, volume]
        # scikit-learn would complain of the text, but not name its column.
        _refuse_text(X, picked)
        return X[picked], False if volume is None else len(CELL_COLUMNS)

    def _volume_name(self, names):
        """Name of the column of measured volumes in a table with the schema's names."""
        if self.volume is False:
            return None
        if self.volume is None:
            return _VOLUME_COLUMN if _VOLUME_COLUMN in names else None
        if isinstance(self.volume, str) and self.volume in names:
            return self.volume
        # A position in the user's table; in the picked columns the volume comes last.
        if _is_position(self.volume) and 0 <= self.volume < len(names):
            return names[self.volume]
        raise SchemaError(
            f"{_CALLER}: volume={self.volume!r} is no column of the table; "
            f"it has {_listed(names)}. volume=False does without one."
        )

    def _cells_and_volumes(self, X, volume):
        """Split a float array into checked cells (n, 6) and measured volumes (n,) or None."""
        position = self._volume_position(X.shape[1], volume)
        volumes = None if position is None else X[:, position]
        cells = validate_cells(X[:, : len(CELL_COLUMNS)], caller=_CALLER, on_error="nan")
        bad = np.isnan(cells[:, 0])
        if volumes is not None:
            # Written so that NaN, a volume that was not measured, is no fault.
            bad |= (volumes <= 0.0) | np.isinf(volumes)
        if bad.any():
            if self.on_error == "raise":
                raise CellError(_complaint(X, volumes, np.flatnonzero(bad)))
            cells[bad] = np.nan
            # A row of NaN is NaN throughout: a volume alone would still give its inverse.
            volumes = None if volumes is None else np.where(bad, np.nan, volumes)
        return cells, volumes

    def _volume_position(self, width, volume):
        """Position of the volume in an array of `width` columns, or None."""
        n_cell = len(CELL_COLUMNS)
        if _is_position(volume) and n_cell <= volume < width:
            return int(volume)
        if (volume is None or volume is False) and width in (n_cell, n_cell + 1):
            return n_cell if volume is None and width > n_cell else None
        wish = "" if volume is None else f" and volume={volume!r}"
        raise SchemaError(
            f"{_CALLER}: X has {width} feature(s){wish}; give a table with the columns "
            f"{_listed(CELL_COLUMNS)}, or an array with these six in this order, or with seven, "
            "the last being the measured volume (volume=6 allows others after it)."
        )


def _refuse_text(table, names):
    """Say which column holds text that is no number, such as 5.64(2)."""
    for name in names:
        values = np.asarray(table[name])
        # Numbers need not be looked at one by one.
        if values.dtype.kind not in "OSU":
            continue
        for row, value in enumerate(values.tolist()):
            try:
                float(value if isinstance(value, str) else 0.0)
            except ValueError:
                raise InvalidInputError(
                    f"{_CALLER}: column {name!r} holds text (first: row {row}, {value!r}); give "
                    "numbers without units and standard uncertainties."
                ) from None


def _is_position(volume: Any) -> TypeGuard[int]:
    """Tell a position from False and None."""
    return isinstance(volume, Integral) and not isinstance(volume, bool)


def _listed(names):
    return ", ".join(repr(name) for name in names)


def _complaint(X, volumes, bad):
    """One sentence about the rows `bad`: how many, which is the first, why, what to do."""
    first = bad[0]
    reason = cell_problems(X[first, : len(CELL_COLUMNS)])
    if reason is None:
        reason = f"the volume is {float(volumes[first])}, must be finite and > 0"
    n_missing = np.isnan(X[bad, : len(CELL_COLUMNS)]).any(axis=1).sum()
    missing = f", {n_missing} of them with missing values (NaN)" if n_missing else ""
    return (
        f"{_CALLER}: {len(bad)} of {len(X)} rows are no unit cell{missing} "
        f"(first: row {first}, {reason}). Check the units, drop these rows, or set "
        "on_error='nan' for rows of NaN that can be imputed."
    )
