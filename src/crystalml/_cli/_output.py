"""Tables for readers and JSON for programs, on standard output."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

_LONGEST_CELL = 100


def print_json(value: Any) -> None:
    """Write one JSON document; what is missing is null."""
    print(json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=2))


def plain(value: Any) -> Any:
    """Return NumPy's and pandas' values as those of JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts."""
    names = table.columns.tolist()
    columns = (table[name].astype(object) for name in names)
    return [dict(zip(names, map(plain, row), strict=True)) for row in zip(*columns, strict=True)]


def text_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Align columns: numbers, which come as text already, to the right."""
    body = [[_cell(value) for value in row] for row in rows]
    columns = list(zip(header, *body, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(body) and all(map(_is_number, column[1:])) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [list(header), *body]
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    """Write a value in one line that cannot command a terminal."""
    value = plain(value)
    text = "" if value is None else " ".join(str(value).split())
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 3] + "..."


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True
