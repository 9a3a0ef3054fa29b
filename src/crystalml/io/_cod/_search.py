"""Search terms in the COD's words, and its answers as tables.

The interface is described at https://wiki.crystallography.net/RESTful_API/.
"""

import json
from numbers import Integral

import gemmi
import pandas as pd

from crystalml.crystallography import parse_formula, spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.io._cod._ids import check_cod_ids

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
_MAX_WITH, _MAX_WITHOUT = 8, 4

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
            keep = table[name].notna()
            keep &= True if low is None else (table[name] >= low).fillna(value=False)
            keep &= True if high is None else (table[name] <= high).fillna(value=False)
            table = table[keep.to_numpy(dtype=bool)]
    number = terms.get("spacegroup")
    if isinstance(number, Integral):
        table = table[(table["spacegroup_number"] == number).fillna(value=False).to_numpy(bool)]
    return table.reset_index(drop=True)


def answer_problem(body, *, form):
    """Say why `body` is no answer in the form asked for, or return None."""
    start = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return "an HTML page, not a table"
    if form == "json":
        return None if _parse_json(body) is not None else "not a JSON list of entries"
    columns = start.partition(b"\n")[0].decode("utf-8", "replace").replace('"', "").split(",")
    if start and columns[0].strip() != "file":
        return f"not a CSV table of entries (begins with {start[:40].decode('latin-1')!r})"
    return None


def parse_answer(body, *, form):
    """Turn a checked answer into what ``map_cod_columns`` takes; None for no entries."""
    if not body.strip():
        return None
    if form == "csv":
        return body
    entries = _parse_json(body)
    return pd.DataFrame(entries, dtype=object) if entries else None


def _parse_json(body):
    """Return the list of entries, or None where the body is something else."""
    if not body.strip():
        return []
    try:
        entries = json.loads(body)
    except ValueError:
        return None
    good = isinstance(entries, list) and all(isinstance(e, dict) and "file" in e for e in entries)
    return entries if good else None


def _elements(prefix, symbols, most, caller):
    """``el1=O&el2=Fe`` and the like."""
    symbols = [symbols] if isinstance(symbols, str) else list(symbols or ())
    if len(symbols) > most:
        raise InvalidInputError(
            f"{caller}: {len(symbols)} elements, but the COD takes at most {most} at once."
        )
    for symbol in symbols:
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
