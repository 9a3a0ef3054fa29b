"""COD's metadata made ready: the column schema, quality filters, and what was dropped."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import PathLike
from crystalml.exceptions import InvalidInputError
from crystalml.io._cod._columns import IDENTIFIER_COLUMNS, map_cod_columns, read_cod_table

# Columns that stay however sparse they are: the library's own tools ask for them by name.
ALWAYS_KEPT = (
    *("cod_id", *CELL_COLUMNS, "volume", "formula", "spacegroup_number"),
    *("status", "flags", "error"),
)


@dataclass(frozen=True)
class CleanedMetadata:
    """Cleaned COD metadata, and a full account of what is gone.

    Attributes
    ----------
    table : DataFrame
        Rows that passed every filter; columns of the schema first, then COD's further columns
        under spelled-out names.
    dropped : DataFrame
        One row per dropped column: ``column``, ``reason`` (``"identifier"`` or ``"sparse"``)
        and ``missing``, the fraction of the filtered rows without a value.
    filters : DataFrame
        One row per filter in the order applied: ``filter``, ``removed`` and ``left`` (rows).
    unreadable : dict of str to int
        COD column -> values that do not belong into it, such as a text or 1e30 for a year, or
        an id that is none. They are missing in `table`.

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.io import clean_cod_metadata
    >>> selection = pd.DataFrame({"file": ["1000041", "1000042"], "a": "5.64", "b": "5.64",
    ...     "c": "5.64", "alpha": "90", "beta": "90", "gamma": "90",
    ...     "status": ["", "errors"], "vol": ["179.4", "large"]})
    >>> cleaned = clean_cod_metadata(selection)
    >>> len(cleaned.table), cleaned.unreadable
    (1, {'vol': 1})
    >>> cleaned.filters.query("removed > 0")["filter"].tolist()
    ['status']
    """

    table: pd.DataFrame = field(repr=False)
    dropped: pd.DataFrame = field(repr=False)
    filters: pd.DataFrame
    unreadable: dict[str, int]


def clean_cod_metadata(
    frame: pd.DataFrame | PathLike | bytes,
    *,
    max_missing: float | None = 0.5,
    drop_identifiers: bool = True,
    keep: Iterable[str] = (),
    exclude_status: Iterable[str] = ("errors", "retracted"),
    exclude_duplicates: bool = True,
    exclude_on_hold: bool = True,
    exclude_theoretical: bool = True,
    temperature: tuple[float | None, float | None] | None = None,
    pressure: tuple[float | None, float | None] | None = None,
    require_cell: bool = True,
) -> CleanedMetadata:
    """Map COD's metadata to the column schema, filter rows by quality, drop useless columns.

    Parameters
    ----------
    frame : DataFrame, path or bytes
        A selection as the COD serves it (CSV, or JSON read into a DataFrame) with its own
        column names, such as the user's saved search with its 73 columns; or the result of
        ``CODClient.search``, also saved as CSV.
    max_missing : float or None, default=0.5
        Columns with a larger fraction of missing values are dropped, counted after the row
        filters; None keeps all. The fraction looks at every row: for a model, set None here
        and let ``table_preprocessor`` learn it from the training rows.
    drop_identifiers : bool, default=True
        Drop what names one entry or one paper (authors, title, pages, DOI, revision, ...).
    keep : sequence of str, default=()
        Columns that are never dropped. The id, the cell, the volume, the formula, the
        space-group number, ``status``, ``flags`` and ``error`` never are.
    exclude_status : sequence of str, default=("errors", "retracted")
        Values of COD's ``status`` that remove a row; ``"warnings"`` is the third.
    exclude_duplicates : bool, default=True
        Remove rows that COD marks as a duplicate of another entry (``duplicateof``), and
        repetitions of one id.
    exclude_on_hold : bool, default=True
        Remove rows whose depositor asked for a later release (``onhold`` has a date).
    exclude_theoretical : bool, default=True
        Remove computed structures (``method``).
    temperature, pressure : tuple of (float or None, float or None), default=None
        Window in K or kPa, bounds included, such as ``(280, 310)``. Rows without a value stay:
        most papers state neither when it is ambient.
    require_cell : bool, default=True
        Remove rows whose six cell parameters are not all there or enclose no volume.

    Returns
    -------
    CleanedMetadata
        The table, and what was dropped and filtered.

    Raises
    ------
    SchemaError
        If there is no column ``file`` (or ``cod_id``).
    InvalidInputError
        If a parameter is outside its range.

    Notes
    -----
    COD's ``vol`` is the cell volume and becomes ``volume``; COD's ``volume`` is that of the
    journal and becomes ``journal_volume``.

    One bad value costs itself alone: it is missing in the table, and counted in `unreadable`. Of a
    row with more values than the table has columns only the id is kept, with a warning.

    References
    ----------
    Grazulis et al. (2012), Nucleic Acids Research 40, D420-D427 (the COD).

    Examples
    --------
    >>> import pandas as pd
    >>> from crystalml.io import clean_cod_metadata
    >>> selection = pd.DataFrame({
    ...     "file": ["1000041", "1000042"], "a": ["5.64", "4.21"], "b": ["5.64", "4.21"],
    ...     "c": ["5.64", "4.21"], "alpha": "90", "beta": "90", "gamma": "90",
    ...     "vol": ["179.4", "74.6"], "sg": "F m -3 m", "formula": ["- Cl Na -", "- Mg O -"],
    ...     "status": ["", "retracted"], "journal": "Acta Cryst.", "volume": ["17", "3"]})
    >>> cleaned = clean_cod_metadata(selection)
    >>> cleaned.table[["cod_id", "volume", "spacegroup_number", "formula"]]
        cod_id  volume  spacegroup_number formula
    0  1000041   179.4                225   Cl Na
    >>> cleaned.filters[cleaned.filters["removed"] > 0]
       filter  removed  left
    0  status        1     1
    """
    _check_fraction(max_missing)
    source = frame if not isinstance(frame, pd.DataFrame | bytes) else "COD"
    table, unreadable = map_cod_columns(read_cod_table(frame), source=source)
    tests = {
        "status": _column(table, "cod_status").isin(list(exclude_status)),
        "duplicate": exclude_duplicates & _is_duplicate(table),
        "on hold": exclude_on_hold & _column(table, "on_hold_until").notna(),
        "theoretical": exclude_theoretical & _is_theoretical(table),
        "temperature": _outside(table["temperature"], temperature, "temperature"),
        "pressure": _outside(table["pressure"], pressure, "pressure"),
        "no cell": require_cell & (table["status"] != "ok"),
    }
    table, filters = _apply(table, tests)
    table, dropped = _drop_columns(table, max_missing, drop_identifiers, {*ALWAYS_KEPT, *keep})
    return CleanedMetadata(table, dropped, filters, unreadable)


def _check_fraction(max_missing):
    """Raise unless the threshold is None or a fraction."""
    if max_missing is not None and not 0 <= max_missing <= 1:
        raise InvalidInputError(
            f"clean_cod_metadata: max_missing is {max_missing!r}; it is a fraction from 0 to 1, "
            "or None to keep sparse columns."
        )


def _column(table, name):
    """Return the column, or one without values where COD did not serve it."""
    return table[name] if name in table else pd.Series(None, index=table.index, dtype=object)


def _is_duplicate(table):
    """Mark entries that COD calls duplicates, and later rows of an id already seen."""
    repeated = table["cod_id"].duplicated() & table["cod_id"].notna()
    return _column(table, "duplicate_of").notna() | repeated


def _is_theoretical(table):
    """Mark computed structures, in any spelling of the method."""
    method = _column(table, "method").astype("string").str.lower()
    return method.str.contains("theor|comput|calcul|predict", regex=True).fillna(value=False)


def _outside(values, window, name):
    """Mark known values outside the window."""
    if window is None:
        return pd.Series(data=False, index=values.index)
    try:
        low, high = window
        low = -np.inf if low is None else float(low)
        high = np.inf if high is None else float(high)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"clean_cod_metadata: {name} is {window!r}; give (lowest, highest), None for no bound."
        ) from error
    if not low <= high:
        raise InvalidInputError(
            f"clean_cod_metadata: {name} is {window!r}; the lowest comes first."
        )
    return values.notna() & ~values.between(low, high)


def _apply(table, tests):
    """Remove rows filter by filter, and count."""
    keep = np.ones(len(table), dtype=bool)
    rows = []
    for name, bad in tests.items():
        passed = keep & ~np.asarray(bad, dtype=bool)
        rows.append((name, int(keep.sum() - passed.sum()), int(passed.sum())))
        keep = passed
    counts = pd.DataFrame(rows, columns=["filter", "removed", "left"])
    return table[keep].reset_index(drop=True), counts


def _drop_columns(table, max_missing, drop_identifiers, kept):
    """Drop identifiers and sparse columns, and say which and why."""
    missing = table.isna().mean() if len(table) else table.isna().sum().astype("float64")
    reasons = {}
    for name in table.columns:
        if name in kept:
            continue
        if drop_identifiers and name in IDENTIFIER_COLUMNS:
            reasons[name] = "identifier"
        elif max_missing is not None and missing[name] > max_missing:
            reasons[name] = "sparse"
    dropped = pd.DataFrame(
        [(name, reason, missing[name]) for name, reason in reasons.items()],
        columns=["column", "reason", "missing"],
    )
    return table.drop(columns=list(reasons)), dropped
