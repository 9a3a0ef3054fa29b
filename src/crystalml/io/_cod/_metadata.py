"""COD's metadata made ready: the column schema, quality filters, and what was dropped."""

import csv
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS, TABLE_COLUMNS
from crystalml._typing import PathLike
from crystalml._validation import as_pandas
from crystalml.crystallography import (
    bravais_lattice,
    cell_problems,
    cell_volume,
    crystal_system,
    find_spacegroup,
)
from crystalml.exceptions import CrystalmlWarning, InvalidInputError, SchemaError
from crystalml.io._cod._ids import parse_cod_id

# COD column -> (column here, pandas dtype). The MySQL table `data` of the COD, as its CSV and
# JSON serve it: https://wiki.crystallography.net/cod_mysql_schema. Note the two volumes.
COD_COLUMNS = {
    "file": ("cod_id", "Int64"),
    **{name: (name, "float64") for name in CELL_COLUMNS},
    **{f"sig{name}": (f"{name}_su", "float64") for name in CELL_COLUMNS},
    "vol": ("volume", "float64"),
    "sigvol": ("volume_su", "float64"),
    "celltemp": ("cell_temperature", "float64"),
    "sigcelltemp": ("cell_temperature_su", "float64"),
    "diffrtemp": ("diffraction_temperature", "float64"),
    "sigdiffrtemp": ("diffraction_temperature_su", "float64"),
    "cellpressure": ("cell_pressure", "float64"),
    "sigcellpressure": ("cell_pressure_su", "float64"),
    "diffrpressure": ("diffraction_pressure", "float64"),
    "sigdiffrpressure": ("diffraction_pressure_su", "float64"),
    "thermalhist": ("thermal_history", "object"),
    "pressurehist": ("pressure_history", "object"),
    "compoundsource": ("compound_source", "object"),
    "nel": ("n_elements", "Int64"),
    "sg": ("spacegroup_hm", "object"),
    "sgHall": ("spacegroup_hall", "object"),
    "sgNumber": ("cod_spacegroup_number", "Int64"),
    "commonname": ("common_name", "object"),
    "chemname": ("chemical_name", "object"),
    "mineral": ("mineral", "object"),
    "formula": ("formula", "object"),
    "calcformula": ("calculated_formula", "object"),
    "cellformula": ("cell_formula", "object"),
    "Z": ("formula_units", "float64"),
    "Zprime": ("z_prime", "float64"),
    "acce_code": ("coeditor_code", "object"),
    "authors": ("authors", "object"),
    "title": ("title", "object"),
    "journal": ("journal", "object"),
    "year": ("year", "Int64"),
    "volume": ("journal_volume", "object"),
    "issue": ("journal_issue", "object"),
    "firstpage": ("first_page", "object"),
    "lastpage": ("last_page", "object"),
    "doi": ("doi", "object"),
    "method": ("method", "object"),
    "radiation": ("radiation", "object"),
    "wavelength": ("wavelength", "float64"),
    "radType": ("radiation_type", "object"),
    "radSymbol": ("radiation_symbol", "object"),
    "Rall": ("r_factor_all", "float64"),
    "Robs": ("r_factor_observed", "float64"),
    "Rref": ("r_factor_reference", "float64"),
    "wRall": ("weighted_r_factor_all", "float64"),
    "wRobs": ("weighted_r_factor_observed", "float64"),
    "wRref": ("weighted_r_factor_reference", "float64"),
    "RFsqd": ("r_factor_f_squared", "float64"),
    "RI": ("r_factor_intensity", "float64"),
    "gofall": ("goodness_of_fit_all", "float64"),
    "gofobs": ("goodness_of_fit_observed", "float64"),
    "gofgt": ("goodness_of_fit_gt", "float64"),
    "gofref": ("goodness_of_fit_reference", "float64"),
    "duplicateof": ("duplicate_of", "Int64"),
    "optimal": ("optimal_entry", "Int64"),
    "status": ("cod_status", "object"),
    "flags": ("cod_flags", "object"),
    "text": ("text", "object"),
    "svnrevision": ("cod_revision", "Int64"),
    "date": ("cod_date", "object"),
    "time": ("cod_time", "object"),
    "onhold": ("on_hold_until", "object"),
}

# Names and numbers that identify one entry or one paper: nothing in them generalises.
_IDENTIFIER_COLUMNS = (
    *("coeditor_code", "authors", "title", "journal_volume", "journal_issue"),
    *("first_page", "last_page", "doi", "text", "cod_revision", "cod_date", "cod_time"),
    *("optimal_entry", "common_name", "chemical_name", "source", "block"),
)

# Columns that stay however sparse they are: the library's own tools ask for them by name.
_ALWAYS_KEPT = (
    *("cod_id", *CELL_COLUMNS, "volume", "formula", "spacegroup_number"),
    *("status", "flags", "error"),
)

# How COD's tables and MySQL's exports write "no value". "NaN" is a formula, and not here.
_MISSING = frozenset({"", "NULL", "\\N", "?", "."})

# Integers beyond this are not exact as floating-point numbers, through which they are read.
_LARGEST_INTEGER = 2**53


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
        ``CODClient.search``, also saved as CSV. Tables of polars and pyarrow are taken, too.
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
    # First, so that no large file is read for nothing.
    _check_fraction(max_missing)
    source = frame if not isinstance(frame, pd.DataFrame | bytes) else "COD"
    table, unreadable = map_cod_columns(read_cod_table(frame), source=source)
    # In this order rows are counted: each under the first filter that it fails.
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
    table, dropped = _drop_columns(table, max_missing, drop_identifiers, {*_ALWAYS_KEPT, *keep})
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
    # An entry that states no method is not known to be computed, and stays.
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
    # The mean over no rows would be NaN.
    missing = table.isna().mean() if len(table) else table.isna().sum().astype("float64")
    reasons = {}
    for name in table.columns:
        if name in kept:
            continue
        if drop_identifiers and name in _IDENTIFIER_COLUMNS:
            reasons[name] = "identifier"
        elif max_missing is not None and missing[name] > max_missing:
            reasons[name] = "sparse"
    dropped = pd.DataFrame(
        [(name, reason, missing[name]) for name, reason in reasons.items()],
        columns=["column", "reason", "missing"],
    )
    return table.drop(columns=list(reasons)), dropped


def read_cod_table(source):
    """Read a COD selection (CSV path, CSV bytes, table) as text, nothing interpreted.

    Raises
    ------
    SchemaError
        If there is neither a column ``file``, COD's name of the id, nor ``cod_id``, ours, or a
        name of a column occurs twice.
    """
    source = as_pandas(source)
    raw = source if isinstance(source, pd.DataFrame) else _read_csv(source)
    if "file" not in raw.columns and "cod_id" not in raw.columns:
        seen = ", ".join(map(repr, list(raw.columns)[:5]))
        raise SchemaError(
            f"clean_cod_metadata: there is no column 'file' with the COD id (columns: {seen}, "
            "...). Give a selection as the COD serves it, CSV or JSON with its own column names."
        )
    if not raw.columns.is_unique:
        twice = raw.columns[raw.columns.duplicated()][0]
        raise SchemaError(f"clean_cod_metadata: column {twice!r} occurs twice; remove one of them.")
    return raw


def _read_csv(source):
    """Read every value as text."""
    try:
        with warnings.catch_warnings():
            # pandas only warns where it drops the surplus values of a row.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                BytesIO(source) if isinstance(source, bytes) else source,
                # No type is inferred: the formula "NaN" and the page "0012" must stay what they
                # are.
                dtype=str,
                index_col=False,
                keep_default_na=False,
                na_filter=False,
                encoding="utf-8",
                encoding_errors="replace",
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        try:
            return _read_ragged_csv(source)
        except (csv.Error, StopIteration):
            raise SchemaError(
                f"clean_cod_metadata: the selection is no CSV table ({error}). Save it again from "
                "the COD as CSV, or give a DataFrame."
            ) from error


def _read_ragged_csv(source):
    """Read a table with rows longer than its header; nothing but the id of these is believed."""
    body = source if isinstance(source, bytes) else Path(source).read_bytes()
    # Strict: a quote that is never closed is an error, not one endless value.
    reader = csv.reader(StringIO(body.decode("utf-8-sig", "replace"), newline=""), strict=True)
    header = next(reader)
    rows, misfits = [], []
    for row in reader:
        # Empty surplus values are commas at the end of a line, and harmless.
        if any(row[len(header) :]):
            misfits.append(reader.line_num)
            # A stray comma shifts all values behind it, and the COD puts the id before all others.
            del row[1:]
        if row:
            rows.append((row + [""] * len(header))[: len(header)])
    if misfits:
        message = (
            f"clean_cod_metadata: {len(misfits)} of {len(rows)} rows have more values than the "
            f"table has columns (first: line {misfits[0]}); only the id of these was read."
        )
        warnings.warn(message, CrystalmlWarning, stacklevel=2)
    return pd.DataFrame(rows, columns=header, dtype=object)


def map_cod_columns(raw, *, source="COD"):
    """Turn COD's columns into the column schema, and extra columns under spelled-out names.

    A table that has been mapped before, such as a search result or its CSV, keeps its columns.

    Returns
    -------
    table : DataFrame
        Every column of the schema in its order, then the extras; columns that COD does not
        document keep their names, unless the schema uses them: ``unmapped_temperature``.
    unreadable : dict of str to int
        COD column -> values that are not what belongs there; they are missing in `table`.
    """
    if "file" not in raw.columns:
        return _restore(raw)
    # A column of the server under one of our names would be taken for ours.
    reserved = {*TABLE_COLUMNS, *(target for target, _ in COD_COLUMNS.values())}
    columns, unreadable = {}, {}
    for name in raw.columns:
        other = f"unmapped_{name}" if name in reserved else name
        target, dtype = COD_COLUMNS.get(name, (other, None))
        columns[target] = _typed(raw[name], name, target, dtype, unreadable)
    extras = pd.DataFrame(columns, index=raw.index).reset_index(drop=True)
    _derive(extras, source=str(source) if isinstance(source, str | os.PathLike) else "COD")
    ordered = [*TABLE_COLUMNS, *(name for name in extras if name not in TABLE_COLUMNS)]
    for name in TABLE_COLUMNS:
        if name not in extras:
            extras[name] = _missing(TABLE_COLUMNS[name].dtype, len(extras))
    return extras[ordered].astype({n: c.dtype for n, c in TABLE_COLUMNS.items()}), unreadable


def _restore(table):
    """Give a mapped table its types back, which CSV has turned into text."""
    dtypes = dict(COD_COLUMNS.values()) | {n: c.dtype for n, c in TABLE_COLUMNS.items()}
    table, unreadable = table.reset_index(drop=True), {}
    for name in table.columns:
        table[name] = _typed(table[name], name, name, dtypes.get(name), unreadable)
    if "status" not in table:
        _derive_cell(table)
    for name in ("temperature", "pressure", "formula", "spacegroup_number"):
        if name not in table:
            table[name] = _missing(TABLE_COLUMNS[name].dtype, len(table))
    table["flags"] = table["flags"].fillna("") if "flags" in table else ""
    return table, unreadable


def _typed(values, name, target, dtype, unreadable):
    """Return a column with its type, and count the values that are not what belongs there."""
    if dtype is None:
        return _plain(values)
    if dtype == "object":
        return _each(_as_text, _plain(values))
    values = _plain(values)
    if dtype == "boolean":
        known = {"True": True, "False": False, "1": True, "0": False}
        typed = _each(_as_text, values).map(known).astype(dtype)
    elif target == "cod_id":
        typed = _each(parse_cod_id, values).astype("Int64")
    else:
        typed = pd.to_numeric(_each(_as_number, values), errors="coerce").astype("float64")
        # "inf" and "1e999" are numbers to pandas, but no measurements.
        typed = typed.where(np.isfinite(typed))
        if dtype == "Int64":
            typed = typed.where((typed % 1 == 0) & (typed.abs() <= _LARGEST_INTEGER)).astype(dtype)
    bad = int((typed.isna() & values.notna()).sum())
    if bad:
        unreadable[name] = bad
    return typed


def _plain(values):
    """Object column of stripped text and other single values, None where COD has no value."""
    if values.dtype.kind in "iufb":
        return values
    return _each(_plain_value, values)


def _each(function, values):
    """Apply `function` to every value, and keep what it returns: pandas would infer a type."""
    return pd.Series([function(v) for v in values.tolist()], index=values.index, dtype=object)


def _plain_value(value):
    """Strip text; None for the ways of COD and pandas to write no value."""
    if isinstance(value, str):
        value = value.strip()
        return None if value in _MISSING else value
    return None if pd.api.types.is_scalar(value) and pd.isna(value) else value


def _as_text(value):
    """Return the value of a column of text, which pandas may have read as numbers."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float | np.floating):
        # Volume 17 of a journal, which pandas has read as 17.0, is "17" again.
        return None if np.isnan(value) else f"{value:.15g}"
    return None if value is pd.NA else str(value)


def _as_number(value):
    """Return what pandas can read as a number, or as the sign that there is none."""
    if value is None or isinstance(value, str | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return "no number"


def _missing(dtype, n_rows):
    """Build a column without values."""
    fill = np.nan if dtype == "float64" else None if dtype == "object" else pd.NA
    return pd.Series([fill] * n_rows, dtype=dtype)


def _derive(table, *, source):
    """Add the columns of the schema that follow from COD's."""
    table["source"] = source
    table["block"] = table["cod_id"].astype("string").astype(object)
    table["block"] = table["block"].where(table["cod_id"].notna(), None)
    # The cell belongs to the first; the intensities may be from another temperature.
    _first_known(table, "temperature", ("cell_temperature", "diffraction_temperature"))
    _first_known(table, "pressure", ("cell_pressure", "diffraction_pressure"))
    for name in ("formula", "calculated_formula", "cell_formula"):
        if name in table:
            # COD writes sums between dashes: "- Na N -".
            table[name] = table[name].str.replace(r"^-\s+|(?<!\s)\s+-$", "", regex=True)
            table[name] = table[name].where(table[name].notna(), None)
    _derive_cell(table)
    _derive_spacegroup(table)
    if "cod_flags" in table:
        flags = table["cod_flags"]
        # A row with any flag is a row that the COD has looked at.
        disordered = flags.str.contains("has disorder", regex=False).astype("boolean")
        table["is_disordered"] = disordered.where(flags.notna())


def _first_known(table, target, names):
    """Fill `target` from the first of `names` that has a value."""
    present = [table[name] for name in names if name in table]
    if present:
        table[target] = present[0] if len(present) == 1 else present[0].fillna(present[1])


def _derive_cell(table):
    """Volume from the parameters, and whether they are six and possible."""
    for name in CELL_COLUMNS:
        if name not in table:
            table[name] = np.nan
    cells = table[list(CELL_COLUMNS)].to_numpy(dtype=np.float64)
    table["v_formula"] = cell_volume(cells)
    complete = ~np.isnan(cells).any(axis=1)
    problems = np.full(len(table), None, dtype=object)
    problems[complete] = cell_problems(cells[complete])
    wrong = complete & (problems != None)  # noqa: E711 - elementwise
    status = np.where(wrong, "error", np.where(complete, "ok", "incomplete"))
    table["status"] = _objects(status, table)
    table["flags"] = ""
    table["error"] = _objects(problems, table)


def _derive_spacegroup(table):
    """Derive the number from the Hall symbol, else Hermann-Mauguin, else COD's own number.

    That is the order in which they fix a space group; nothing is guessed.
    """
    number = np.full(len(table), np.nan)
    origin = np.full(len(table), None, dtype=object)
    for name, label in (("spacegroup_hall", "sgHall"), ("spacegroup_hm", "sg")):
        if name in table:
            # Many rows share few symbols, so each distinct one is looked up once.
            settings = {s: find_spacegroup(s) for s in table[name].dropna().unique()}
            known = {symbol: found.number for symbol, found in settings.items() if found}
            _fill(number, origin, table[name].map(known).to_numpy(np.float64), label)
    if "cod_spacegroup_number" in table:
        declared = table["cod_spacegroup_number"].astype("float64")
        declared = declared.where(declared.between(1, 230)).to_numpy()
        _fill(number, origin, declared, "sgNumber")
    table["spacegroup_number"] = pd.array(number, dtype="Int64")
    table["spacegroup_source"] = _objects(origin, table)
    known = ~np.isnan(number)
    for name, derive in (("crystal_system", crystal_system), ("bravais_lattice", bravais_lattice)):
        values = np.full(len(table), None, dtype=object)
        if known.any():
            values[known] = derive(number[known].astype(np.int64))
        table[name] = _objects(values, table)


def _objects(values, table):
    """Return a column of texts and None, which pandas 3 would otherwise make NaN."""
    return pd.Series(values, index=table.index, dtype=object)


def _fill(number, origin, candidates, label):
    """Take candidates where nothing is known yet, and remember where they came from."""
    fresh = np.isnan(number) & ~np.isnan(candidates)
    number[fresh], origin[fresh] = candidates[fresh], label
