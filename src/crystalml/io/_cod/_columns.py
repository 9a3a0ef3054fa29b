"""What the columns of COD's own tables mean, and how they become the column schema."""

from io import BytesIO
from os import PathLike

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
from crystalml.exceptions import SchemaError

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


def read_cod_table(source):
    """Read a COD selection (CSV path, CSV bytes, DataFrame) as text, nothing interpreted.

    Raises
    ------
    SchemaError
        If there is neither a column ``file``, COD's name of the id, nor ``cod_id``, ours.
    """
    if isinstance(source, pd.DataFrame):
        raw = source
    else:
        if isinstance(source, bytes):
            source = BytesIO(source)
        raw = _read_csv(source)
    if "file" not in raw.columns and "cod_id" not in raw.columns:
        seen = ", ".join(map(repr, list(raw.columns)[:5]))
        raise SchemaError(
            f"clean_cod_metadata: there is no column 'file' with the COD id (columns: {seen}, "
            "...). Give a selection as the COD serves it, CSV or JSON with its own column names."
        )
    return raw


def _read_csv(source):
    """Read every value as text."""
    try:
        return pd.read_csv(
            source,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            encoding="utf-8",
            encoding_errors="replace",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SchemaError(
            f"clean_cod_metadata: the selection is no CSV table ({error}). Save it again from "
            "the COD as CSV, or give a DataFrame."
        ) from error


def map_cod_columns(raw, *, source="COD"):
    """Turn COD's columns into the column schema, and extra columns under spelled-out names.

    A table that has been mapped before, such as a search result or its CSV, keeps its columns.

    Returns
    -------
    table : DataFrame
        Every column of the schema in its order, then the extras; columns that COD does not
        document keep their names.
    unreadable : dict of str to int
        COD column -> values that are no number where a number belongs; they are missing in
        `table`.
    """
    if "file" not in raw.columns:
        return _restore(raw), {}
    columns, unreadable = {}, {}
    for name in raw.columns:
        target, dtype = COD_COLUMNS.get(name, (name, "object"))
        values = _plain_text(raw[name])
        if dtype != "object":
            values, bad = _numbers(values, dtype)
            if bad:
                unreadable[name] = bad
        columns[target] = values
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
    table = table.reset_index(drop=True)
    for name in table.columns:
        values, dtype = _plain_text(table[name]), dtypes.get(name, "object")
        if dtype in ("float64", "Int64"):
            values, _ = _numbers(values, dtype)
        elif dtype == "boolean":
            values = values.map({"True": True, "False": False, True: True, False: False})
            values = values.astype(dtype)
        table[name] = values
    if "status" not in table:
        _derive_cell(table)
    for name in ("temperature", "pressure", "formula", "spacegroup_number"):
        if name not in table:
            table[name] = _missing(TABLE_COLUMNS[name].dtype, len(table))
    flags = table["flags"].fillna("") if "flags" in table else [""] * len(table)
    table["flags"] = _text(flags, table)
    return table


def _plain_text(values):
    """Object column of stripped text (numbers left alone), None where COD has no value."""
    if values.dtype != object and not isinstance(values.dtype, pd.StringDtype):
        return values
    values = values.astype(object).where(values.notna(), None)
    stripped = [value.strip() if isinstance(value, str) else value for value in values]
    values = pd.Series(stripped, index=values.index, name=values.name, dtype=object)
    return values.where(~values.isin(_MISSING), None)


def _numbers(values, dtype):
    """Return the column as numbers, and how many values were none."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    numbers = numbers.where(np.isfinite(numbers))
    if dtype == "Int64":
        numbers = numbers.where(numbers % 1 == 0)
    return numbers.astype(dtype), int((numbers.isna() & values.notna()).sum())


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
            table[name] = table[name].str.replace(r"^-\s+|\s+-$", "", regex=True)
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
    table["status"] = _text(status, table)
    table["flags"] = _text([""] * len(table), table)
    table["error"] = _text(problems, table)


def _text(values, table):
    """Build a column of text; pandas 3 would choose another type for it, without None."""
    return pd.Series(values, index=table.index, dtype=object)


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
    table["spacegroup_source"] = _text(origin, table)
    known = ~np.isnan(number)
    for name, derive in (("crystal_system", crystal_system), ("bravais_lattice", bravais_lattice)):
        values = np.full(len(table), None, dtype=object)
        if known.any():
            values[known] = derive(number[known].astype(np.int64))
        table[name] = _text(values, table)


def _fill(number, origin, candidates, label):
    """Take candidates where nothing is known yet, and remember where they came from."""
    fresh = np.isnan(number) & ~np.isnan(candidates)
    number[fresh], origin[fresh] = candidates[fresh], label
