"""What the columns of COD's own tables mean, and how they become the column schema."""

import csv
import warnings
from io import BytesIO, StringIO
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from crystalml._schema import CELL_COLUMNS, TABLE_COLUMNS
from crystalml.crystallography import (
    bravais_lattice,
    cell_problems,
    cell_volume,
    crystal_system,
    find_spacegroup,
)
from crystalml.exceptions import CrystalmlWarning, SchemaError
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
IDENTIFIER_COLUMNS = (
    *("coeditor_code", "authors", "title", "journal_volume", "journal_issue"),
    *("first_page", "last_page", "doi", "text", "cod_revision", "cod_date", "cod_time"),
    *("optimal_entry", "common_name", "chemical_name", "source", "block"),
)

# How COD's tables and MySQL's exports write "no value". "NaN" is a formula, and not here.
_MISSING = ("", "NULL", "\\N", "?", ".")


# Integers beyond this are not exact as floating-point numbers, through which they are read.
_LARGEST_INTEGER = 2**53


def read_cod_table(source):
    """Read a COD selection (CSV path, CSV bytes, DataFrame) as text, nothing interpreted.

    Raises
    ------
    SchemaError
        If there is neither a column ``file``, COD's name of the id, nor ``cod_id``, ours, or a
        name of a column occurs twice.
    """
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
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                BytesIO(source) if isinstance(source, bytes) else source,
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
    reader = csv.reader(StringIO(body.decode("utf-8-sig", "replace"), newline=""), strict=True)
    header = next(reader)
    rows, misfits = [], []
    for row in reader:
        if any(row[len(header) :]):
            misfits.append(reader.line_num)
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
    reserved = {*TABLE_COLUMNS, *(target for target, _ in COD_COLUMNS.values())}
    columns, unreadable = {}, {}
    for name in raw.columns:
        other = f"unmapped_{name}" if name in reserved else name
        target, dtype = COD_COLUMNS.get(name, (other, None))
        columns[target] = _typed(raw[name], name, target, dtype, unreadable)
    extras = pd.DataFrame(columns, index=raw.index).reset_index(drop=True)
    _derive(extras, source=str(source) if isinstance(source, str | PathLike) else "COD")
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
    values = values.astype(object).where(values.notna(), None)
    return _each(_plain_value, values)


def _each(function, values):
    """Apply `function` to every value, and keep what it returns: pandas would infer a type."""
    return pd.Series([function(v) for v in values.tolist()], index=values.index, dtype=object)


def _plain_value(value):
    """Strip text; None for the COD's ways to write no value."""
    if isinstance(value, str):
        value = value.strip()
        return None if value in _MISSING else value
    return value


def _as_text(value):
    """Return the value of a column of text, which pandas may have read as numbers."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float | np.floating):
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
    table["status"] = np.where(wrong, "error", np.where(complete, "ok", "incomplete")).astype(
        object
    )
    table["flags"] = ""
    table["error"] = problems


def _derive_spacegroup(table):
    """Derive the number from the Hall symbol, else Hermann-Mauguin, else COD's own number.

    That is the order in which they fix a space group; nothing is guessed.
    """
    number = np.full(len(table), np.nan)
    origin = np.full(len(table), None, dtype=object)
    for name, label in (("spacegroup_hall", "sgHall"), ("spacegroup_hm", "sg")):
        if name in table:
            settings = {s: find_spacegroup(s) for s in table[name].dropna().unique()}
            known = {symbol: found.number for symbol, found in settings.items() if found}
            _fill(number, origin, table[name].map(known).to_numpy(np.float64), label)
    if "cod_spacegroup_number" in table:
        declared = table["cod_spacegroup_number"].astype("float64")
        declared = declared.where(declared.between(1, 230)).to_numpy()
        _fill(number, origin, declared, "sgNumber")
    table["spacegroup_number"] = pd.array(number, dtype="Int64")
    table["spacegroup_source"] = origin
    known = ~np.isnan(number)
    for name, derive in (("crystal_system", crystal_system), ("bravais_lattice", bravais_lattice)):
        values = np.full(len(table), None, dtype=object)
        if known.any():
            values[known] = derive(number[known].astype(np.int64))
        table[name] = values


def _fill(number, origin, candidates, label):
    """Take candidates where nothing is known yet, and remember where they came from."""
    fresh = np.isnan(number) & ~np.isnan(candidates)
    number[fresh], origin[fresh] = candidates[fresh], label
