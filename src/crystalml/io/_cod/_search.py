"""Search terms in the COD's words, and its answers as tables.

The interface is described at https://wiki.crystallography.net/RESTful_API/.
"""

import csv
import json
from io import StringIO
from numbers import Integral

import gemmi
import pandas as pd

from crystalml.crystallography import parse_formula, spacegroup_symbol
from crystalml.exceptions import InvalidInputError, SchemaError
from crystalml.io._cod._ids import check_cod_ids
from crystalml.io._cod._metadata import COD_COLUMNS, read_cod_table

# Column of the table -> how the COD names its lower and upper bound.
RANGES = {
    "a": ("amin", "amax"),
    "b": ("bmin", "bmax"),
    "c": ("cmin", "cmax"),
    "alpha": ("alpmin", "alpmax"),
    "beta": ("betmin", "betmax"),
    "gamma": ("gamin", "gamax"),
    "volume": ("vmin", "vmax"),
    "formula_units": ("minZ", "maxZ"),
    "z_prime": ("minZprime", "maxZprime"),
    "n_elements": ("strictmin", "strictmax"),
}
_WORDS = ("text", "journal", "year", "doi")
# The parameters of the COD are el1 to el8 and nel1 to nel4.
_MAX_WITH, _MAX_WITHOUT = 8, 4

# Limits of an answer, far above the COD's own: bytes of its header, and columns.
_MAX_HEADER = 1 << 20
_MAX_COLUMNS = 1000

# Ids of one request: longer addresses are refused by many servers.
_IDS_PER_REQUEST = 500


def search_queries(terms, *, caller):
    """Turn search terms into the parameters of one request or several.

    Several are needed for many ids, and for a space-group number: the COD searches symbols,
    and a group has one for each of its settings.
    """
    terms = {name: value for name, value in terms.items() if value is not None}
    if not terms:
        raise InvalidInputError(f"{caller}: name at least one search term; the whole COD is large.")
    common = {}
    for name, value in terms.items():
        if name in RANGES:
            bounds = zip(RANGES[name], check_range(name, value, caller=caller), strict=True)
            common.update({key: f"{bound:g}" for key, bound in bounds if bound is not None})
        elif name in _WORDS:
            common[name] = str(value)
    if "formula" in terms:
        common["formula"] = hill_formula(terms["formula"])
    common.update(_elements("el", terms.get("elements"), _MAX_WITH, caller))
    common.update(_elements("nel", terms.get("without_elements"), _MAX_WITHOUT, caller))
    return [
        {**common, **group, **some_ids}
        for group in _spacegroup_queries(terms.get("spacegroup"))
        for some_ids in _id_queries(terms.get("ids"), caller)
    ]


def check_range(name, value, *, caller):
    """Return (low, high) of a range; a number stands for exactly that value."""
    try:
        low, high = value if isinstance(value, tuple | list) else (value, value)
        low = None if low is None else float(low)
        high = None if high is None else float(high)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{caller}: {name} is {value!r}; give a number or (lowest, highest), None for no bound."
        ) from error
    # Not `low > high`, which NaN would pass.
    if low is not None and high is not None and not low <= high:
        raise InvalidInputError(f"{caller}: {name} is {value!r}; the lowest comes first.")
    return low, high


def hill_formula(formula):
    """Write a formula as the COD does: Hill order, a space between elements."""
    amounts = parse_formula(formula)
    first = [symbol for symbol in ("C", "H") if "C" in amounts and symbol in amounts]
    order = first + sorted(symbol for symbol in amounts if symbol not in first)
    return " ".join(s + ("" if amounts[s] == 1 else f"{amounts[s]:g}") for s in order)


def keep_matching(table, terms, *, caller):
    """Keep the rows inside every range asked for, whatever the server made of it."""
    for name in RANGES:
        if terms.get(name) is not None and name in table:
            low, high = check_range(name, terms[name], caller=caller)
            # A row without the value is not known to lie inside.
            keep = table[name].notna()
            keep &= True if low is None else (table[name] >= low).fillna(value=False)
            keep &= True if high is None else (table[name] <= high).fillna(value=False)
            table = table[keep.to_numpy(dtype=bool)]
    number = terms.get("spacegroup")
    # A symbol names one setting, of which the number of the table knows nothing.
    if isinstance(number, Integral):
        table = table[(table["spacegroup_number"] == number).fillna(value=False).to_numpy(bool)]
    return table.reset_index(drop=True)


def read_answer(body, *, form):
    """Return the table of an answer, or None where no entry was found.

    Raises
    ------
    ValueError
        With the reason why `body` is no whole table of entries.
    """
    if not body.strip():
        return None
    if body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise ValueError("an HTML page, not a table")
    table = _read_json(body) if form == "json" else _read_csv(body)
    if table is None:
        return None
    # A server that runs out of memory or time says so in the midst of its own table.
    if table["file"].map(lambda value: str(value).lstrip().startswith("<")).any():
        raise ValueError("a table that breaks off with an HTML message")
    return table


def _read_csv(body):
    """Return the table of a CSV body, whose header is looked at before memory is given to it."""
    head = StringIO(body[:_MAX_HEADER].decode("utf-8-sig", "replace"), newline="")
    try:
        header = next(csv.reader(head))
    except csv.Error:
        header = []
    if not header or header[0] != "file":
        start = body[:40].decode("latin-1")
        raise ValueError(f"not a CSV table of entries (begins with {start!r})")
    # The header took all that was looked at, and may go on behind it.
    endless = len(body) > _MAX_HEADER and not head.read(1)
    _check_width(_MAX_COLUMNS + 1 if endless else len(header))
    try:
        return read_cod_table(body)
    except SchemaError as error:
        raise ValueError(f"not a whole CSV table ({error.__cause__ or error})") from error


def _read_json(body):
    """Return the table of a JSON list of entries, one dict each."""
    try:
        text = body.decode("utf-8-sig", "replace")
        # Numbers stay text until they have a column: int() refuses those of 5,000 digits.
        entries = json.loads(text, parse_int=str, parse_float=str)
        good = isinstance(entries, list) and all(
            isinstance(e, dict) and "file" in e for e in entries
        )
        if not good:
            raise ValueError("not a JSON list of entries")
        _check_width(len({name for entry in entries for name in entry}))
        entries = [{_plain_text(k): _plain_text(v) for k, v in e.items()} for e in entries]
        return read_cod_table(pd.DataFrame(entries, dtype=object)) if entries else None
    except json.JSONDecodeError as error:
        raise ValueError("not a JSON list of entries") from error
    except RecursionError:
        raise ValueError("nested too deeply for a JSON list of entries") from None


def _plain_text(value):
    """Replace what no text file can hold: halves of characters, and nested values."""
    if isinstance(value, list | dict):
        return json.dumps(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _check_width(n_columns):
    """Refuse tables whose empty fields alone would fill the memory."""
    if n_columns > _MAX_COLUMNS:
        raise ValueError(f"a table of {n_columns} columns or more; the COD has {len(COD_COLUMNS)}")


def _elements(prefix, symbols, most, caller):
    """``el1=O&el2=Fe`` and the like."""
    symbols = [symbols] if isinstance(symbols, str) else list(symbols or ())
    if len(symbols) > most:
        raise InvalidInputError(
            f"{caller}: {len(symbols)} elements, but the COD takes at most {most} at once."
        )
    for symbol in symbols:
        # gemmi also reads "fe", and answers "X" to what is no element.
        if not isinstance(symbol, str) or gemmi.Element(symbol).name != symbol or symbol == "X":
            raise InvalidInputError(f"{caller}: {symbol!r} is no element symbol, such as 'Fe'.")
    return {f"{prefix}{k}": symbol for k, symbol in enumerate(symbols, start=1)}


def _spacegroup_queries(spacegroup):
    """One query for a symbol, one for each setting of a number."""
    if spacegroup is None:
        return [{}]
    if isinstance(spacegroup, str):
        return [{"spacegroup": spacegroup}]
    spacegroup_symbol(spacegroup)  # raises for what is no number of a space group
    settings = (s.hm for s in gemmi.spacegroup_table() if s.number == spacegroup)
    return [{"spacegroup": symbol} for symbol in dict.fromkeys(settings)]


def _id_queries(ids, caller):
    """Split checked ids into one query for each batch."""
    if ids is None:
        return [{}]
    known = check_cod_ids(ids, caller=caller)
    starts = range(0, len(known), _IDS_PER_REQUEST)
    return [{"id": ",".join(map(str, known[k : k + _IDS_PER_REQUEST]))} for k in starts]
