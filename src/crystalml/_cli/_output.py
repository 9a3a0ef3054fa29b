"""Tables for readers and JSON for programs, on standard output."""

import json
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from os.path import commonprefix
from typing import Any

import numpy as np
import pandas as pd

# Texts of files may be of any length; one of them must not fill the screen.
_LONGEST_CELL = 100
# Texts are not cut below this many characters.
_NARROWEST = 8
_GAP = "  "


def print_json(value: Any) -> None:
    """Write one JSON document; what is missing is null."""
    # Python would write NaN, which is no JSON; it is an error here if `plain` misses one.
    print(json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=2))


def plain(value: Any) -> Any:
    """Return NumPy's and pandas' values as those of JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    # Before the test for NaN, which NumPy's single precision would slip past.
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts."""
    names = table.columns.tolist()
    # Column by column: a row as a Series would turn integers beside floats into floats.
    columns = (table[name].astype(object) for name in names)
    return [dict(zip(names, map(plain, row), strict=True)) for row in zip(*columns, strict=True)]


def line_width() -> int:
    """Return how many characters a line may have: those of the terminal, or 80."""
    return shutil.get_terminal_size((80, 24)).columns


def wrapped(text: str, indent: str = "") -> str:
    """Break a sentence into lines between words; all but the first begin with `indent`."""
    return textwrap.fill(
        text,
        line_width(),
        subsequent_indent=indent,
        # File names and options stay whole, so that they can be copied.
        break_long_words=False,
        break_on_hyphens=False,
    )


def without_folder(sources: Sequence[str | None]) -> tuple[str, list[str | None]]:
    """Split the folder that all these paths share off, so that a narrow column tells them apart."""
    known = [source for source in sources if source is not None]
    folder = commonprefix(known)  # noqa: RUF071 - archives and URLs are no paths; cut below
    folder = folder[: folder.rfind("/") + 1]
    return folder, [source and source[len(folder) :] for source in sources]


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], whole: Sequence[str] = ()
) -> str:
    """Align columns, numbers to the right, in lines that fit.

    Where a line would be too long, texts are shortened, the longest first, but not those of the
    columns named in `whole`; of paths the end is kept. Where that is not enough, columns are moved
    below, beside the first column again.
    """
    body = [[_cell(value) for value in row] for row in rows]
    columns = list(zip(header, *body, strict=True))
    right = [bool(body) and all(map(_is_number, column[1:])) for column in columns]
    fixed = [name in whole or is_number for name, is_number in zip(header, right, strict=True)]
    columns = _narrowed(columns, fixed, line_width())
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [text.rjust(width) if to_right else text.ljust(width) for text in column]
        for column, width, to_right in zip(columns, widths, right, strict=True)
    ]
    blocks = (
        zip(*(padded[k] for k in chosen), strict=True) for chosen in _blocks(widths, line_width())
    )
    return "\n\n".join("\n".join(_GAP.join(line).rstrip() for line in block) for block in blocks)


def _narrowed(
    columns: list[tuple[str, ...]], fixed: list[bool], most: int
) -> list[tuple[str, ...]]:
    """Shorten texts until a line has at most this many characters, or none can be shortened."""
    widths = [max(map(len, column)) for column in columns]
    # Whatever is shorter says too little; and the header has to be legible.
    least = [
        width if stays else min(width, max(len(column[0]), _NARROWEST))
        for column, width, stays in zip(columns, widths, fixed, strict=True)
    ]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > most:
        spare = [width - fewest for width, fewest in zip(widths, least, strict=True)]
        shrinkable = [k for k, left in enumerate(spare) if left > 0]
        if not shrinkable:
            break
        # One character at a time off the widest, so that all long texts end up equally wide.
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return [
        tuple(_shortened(text, width) for text in column)
        for column, width in zip(columns, widths, strict=True)
    ]


def _blocks(widths: list[int], most: int) -> list[list[int]]:
    """Say which columns stand beside each other, the first in every block."""
    blocks, length = [[0]], widths[0]
    for k, width in enumerate(widths[1:], start=1):
        # A block has at least one column beside the first: of two that are too wide, one must stay.
        if length + len(_GAP) + width > most and len(blocks[-1]) > 1:
            blocks.append([0])
            length = widths[0]
        blocks[-1].append(k)
        length += len(_GAP) + width
    return blocks


def _shortened(text: str, width: int) -> str:
    """Cut a text to a width; of a path the end says most."""
    if len(text) <= width:
        return text
    return f"...{text[3 - width :]}" if "/" in text else f"{text[: width - 3]}..."


def _cell(value: Any) -> str:
    """Write a value in one line that cannot command a terminal."""
    value = plain(value)
    text = "" if value is None else " ".join(str(value).split())
    # Texts of CIFs and names in archives may hold escape sequences.
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return _shortened(text, _LONGEST_CELL)


def _is_number(text: str) -> bool:
    """Whether this is a number, also with its spread over the folds."""
    try:
        # Empty cells count as numbers, so that a column with gaps stays aligned to the right.
        float(text.partition(" ±")[0] or "0")
    except ValueError:
        return text == "n/a"
    return True
