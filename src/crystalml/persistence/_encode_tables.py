"""Tables, columns and indices of pandas as nodes; pandas is not imported for it."""

import sys

import numpy as np

EXTENSIONS = frozenset(
    {
        "string",
        "boolean",
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
        "Float32",
        "Float64",
    }
)


def encode_table(encoder, value):
    """Return the node of an object of pandas, or None if `value` is none."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if value is pandas.NA or value is pandas.NaT:
        return ["missing", str(value)]
    if type(value) is pandas.DataFrame:
        columns = [_values(encoder, value.iloc[:, k].array) for k in range(value.shape[1])]
        return ["frame", encoder.slot(value.columns), encoder.slot(value.index), columns]
    if type(value) is pandas.Series:
        slots = encoder.slot(value.index), encoder.slot(value.name)
        return ["series", _values(encoder, value.array), *slots]
    if isinstance(value, pandas.CategoricalDtype):
        return ["category_dtype", encoder.slot(value.categories), bool(value.ordered)]
    if isinstance(value, pandas.api.extensions.ExtensionDtype) and str(value) in EXTENSIONS:
        return ["extension_dtype", str(value)]
    return _index(encoder, value, pandas) if isinstance(value, pandas.Index) else None


def _index(encoder, value, pandas):
    if isinstance(value, pandas.RangeIndex):
        return ["range_index", value.start, value.stop, value.step, encoder.slot(value.name)]
    if isinstance(value, pandas.MultiIndex):
        levels = [encoder.slot(value.get_level_values(k)) for k in range(value.nlevels)]
        return ["multi_index", levels, encoder.slots(list(value.names))]
    return ["index", _values(encoder, value.array), encoder.slot(value.name)]


def _values(encoder, values):
    """Return the slot of one column, whatever kind of array it has."""
    plain = sys.modules["pandas"].arrays.NumpyExtensionArray
    if type(values) is plain or isinstance(values.dtype, np.dtype):  # text is a subclass
        return encoder.slot(values.to_numpy())
    if hasattr(values, "categories"):
        parts = [np.asarray(values.codes), values.categories, bool(values.ordered)]
        return encoder.add(["categorical", *encoder.slots(parts)])
    if str(values.dtype) in EXTENSIONS:
        items = encoder.slot(values.to_numpy(dtype=object))
        return encoder.add(["extension", str(values.dtype), items])
    raise encoder.refusal(values, f"is a column of {values.dtype}; convert it to a plain one")
