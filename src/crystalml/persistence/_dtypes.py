"""Data types of arrays as JSON, and back, without objects."""

import re

import numpy as np

from crystalml.exceptions import PersistenceError

_SIMPLE = re.compile(r"[<>|=]?([biufcSUV]\d+|[mM]8(\[\d*\w+\])?)", re.ASCII)
_LARGEST_ITEM = 2**24  # bytes


def describe_dtype(dtype):
    """Return a data type as JSON: text, or a list of fields.

    Raises
    ------
    PersistenceError
        If it holds objects or is none of NumPy's fixed-size types.
    """
    described = np.lib.format.dtype_to_descr(dtype)
    if dtype.hasobject or dtype != np.lib.format.descr_to_dtype(described):
        raise PersistenceError(f"arrays of {dtype!r} cannot be saved")
    return described


def read_dtype(described):
    """Return the data type that `describe_dtype` described."""
    dtype = np.lib.format.descr_to_dtype(_checked(described))
    if dtype.hasobject or dtype.itemsize > _LARGEST_ITEM:
        raise PersistenceError(f"{described!r} is no data type of a model's arrays")
    return dtype


def _checked(described):
    """Turn JSON's lists into the tuples that NumPy wants, and let no other type through."""
    if isinstance(described, str):
        if not _SIMPLE.fullmatch(described):
            raise PersistenceError(f"{described!r} is no data type of a model's arrays")
        return described
    fields = []
    for name, field, *shape in described:
        name = tuple(name) if isinstance(name, list) else name
        fields.append((name, _checked(field), *(tuple(part) for part in shape)))
    return fields
