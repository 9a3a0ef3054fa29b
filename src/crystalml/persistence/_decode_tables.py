"""Tables, columns and indices of pandas from nodes."""

from collections.abc import Callable
from typing import Any

from crystalml.exceptions import PersistenceError
from crystalml.persistence._encode_tables import EXTENSIONS


def _pandas():
    import pandas as pd

    return pd


def _frame(decoder, columns, index, slots):
    columns, index, parts = decoder.value(columns), decoder.value(index), decoder.values(slots)
    lengths = {len(part) for part in parts} | {len(index)}
    if len(lengths) > 1 or len(columns) != len(parts):
        raise PersistenceError("the columns of a table do not fit together")
    table = _pandas().DataFrame(dict(enumerate(parts)), index=index)
    table.columns = columns
    return table


def _series(decoder, values, index, name):
    values, index, name = decoder.values([values, index, name])
    return _pandas().Series(values, index=index, name=name)


def _index(decoder, values, name):
    values = decoder.value(values)
    return _pandas().Index(values, dtype=values.dtype, name=decoder.value(name))


def _multi_index(decoder, levels, names):
    levels, names = decoder.values(levels), decoder.values(names)
    return _pandas().MultiIndex.from_arrays(levels, names=names)


def _range_index(decoder, start, stop, step, name):
    return _pandas().RangeIndex(start, stop, step, name=decoder.value(name))


def _categorical(decoder, *slots):
    codes, categories, ordered = decoder.values(slots)
    return _pandas().Categorical.from_codes(codes, categories, ordered=ordered)


def _category_dtype(decoder, categories, ordered):
    return _pandas().CategoricalDtype(decoder.value(categories), ordered=ordered)


def _extension(decoder, name, items):
    return _pandas().array(decoder.value(items), dtype=_checked(name))


def _extension_dtype(decoder, name):  # noqa: ARG001
    return _pandas().api.types.pandas_dtype(_checked(name))


def _missing(decoder, name):  # noqa: ARG001
    return {"<NA>": _pandas().NA, "NaT": _pandas().NaT}[name]


def _checked(name):
    if name not in EXTENSIONS:
        raise PersistenceError(f"{name!r} is no data type of a model's columns")
    return name


BUILDERS: dict[str, Callable[..., Any]] = {
    "categorical": _categorical,
    "category_dtype": _category_dtype,
    "extension": _extension,
    "extension_dtype": _extension_dtype,
    "frame": _frame,
    "index": _index,
    "missing": _missing,
    "multi_index": _multi_index,
    "range_index": _range_index,
    "series": _series,
}
