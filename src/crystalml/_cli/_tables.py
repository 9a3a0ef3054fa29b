"""Tables from and to files, by the suffix of their names."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from crystalml._dependencies import import_optional
from crystalml._schema import CELL_COLUMNS, TABLE_COLUMNS
from crystalml._typing import FloatArray
from crystalml.exceptions import InvalidInputError, SchemaError

_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet",)
# Text in the schema: read as it stands, since a formula may be NaN (sodium nitride).
_TEXT = [name for name, column in TABLE_COLUMNS.items() if column.dtype == "object"]


def is_table(path: str) -> bool:
    """Tell by its name whether a file is a table and no CIF; or a folder of Parquet parts."""
    folder = Path(path)
    return path.lower().endswith((*_CSV, *_PARQUET)) or (
        folder.is_dir() and any(folder.glob("part-*.parquet"))
    )


def read_table(path: str) -> pd.DataFrame:
    """Read a table as ``crystalml read`` writes it; other columns may be in it."""
    if not Path(path).exists():
        # 2 is ENOENT; with a number and a path, the command writes it as any other error of a file.
        raise FileNotFoundError(2, "there is no such file", path)
    if path.lower().endswith(_CSV):
        return _read_csv(path)
    if not is_table(path):
        raise InvalidInputError(f"{path}: a table is a .parquet or .csv file.")
    pyarrow = import_optional("pyarrow", needed_by="a Parquet table")
    try:
        return pd.read_parquet(path)
    except pyarrow.ArrowException as error:
        raise SchemaError(f"{path} is no Parquet table ({error}).") from error


def check_columns(table: pd.DataFrame, needed: Iterable[str], path: str) -> None:
    """Refuse a table that lacks columns."""
    missing = [name for name in needed if name not in table]
    if missing:
        raise SchemaError(
            f"{path} has no column {', '.join(missing)}; it has "
            f"{', '.join(map(str, table.columns[:12]))}. Rename or add columns."
        )


def cells_of(table: pd.DataFrame, path: str) -> FloatArray:
    """Return the cells of a table, shape (n, 6), NaN where a number is missing."""
    numbers = table[list(CELL_COLUMNS)].apply(pd.to_numeric, errors="coerce")
    # Compared with the table as it was: pandas' own error would name neither column nor row.
    wrong = numbers.isna() & table[list(CELL_COLUMNS)].notna()
    if wrong.to_numpy().any():
        row, column = (int(k) for k in np.argwhere(wrong.to_numpy())[0])
        name = CELL_COLUMNS[column]
        raise SchemaError(
            f"{path}: column {name!r} has {table[name].iloc[row]!r} in row {row + 1}, which is no "
            "number. Correct it, or leave the field empty."
        )
    return numbers.to_numpy(dtype=float, na_value=np.nan)


def _read_csv(path: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXT, object),
            keep_default_na=False,
            na_values=[""],
            # In pieces, pandas would guess a type for each, and mix numbers and texts in a column.
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path} is no CSV table ({error}).") from error


def check_output(path: str) -> None:
    """Refuse a name that could not be written, before the work is done."""
    if not path.lower().endswith((*_CSV, *_PARQUET)):
        raise InvalidInputError(
            f"--output {path!r}: the name must end in .parquet, .csv or .csv.gz, or have no "
            "suffix, for the folder of a Parquet data set."
        )
    if path.lower().endswith(_PARQUET):
        import_optional("pyarrow", needed_by=f"--output {path}")
    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(Path(path).parent))


def write_table(table: pd.DataFrame, path: str) -> None:
    """Write a table aside and move it to its place in one step."""
    target = Path(path)
    # The number of the process keeps two commands apart; the suffix stays last, since pandas
    # compresses by it.
    unfinished = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        if path.lower().endswith(_PARQUET):
            table.to_parquet(unfinished, index=False)
        else:
            table.to_csv(unfinished, index=False)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
