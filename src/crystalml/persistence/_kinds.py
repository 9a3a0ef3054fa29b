"""Kinds of values that an attribute of a saved estimator may have, and the check against them.

A kind is written as alternatives between bars:

``int, bool, number, text, none``
    A plain value; ``int:n`` is a whole number that equals the size ``n``.
``f[n,c]``
    An array: ``f`` floats, ``i`` whole numbers, ``b`` booleans, ``a`` any of these, ``t`` text,
    ``y`` labels (any of all of these, missing ones too), ``o`` objects. In brackets stand its
    sizes. A letter is the same size, at least 1, wherever it occurs in one estimator (``c-1`` is
    one less); ``*`` is any size. An array without dimensions is ``f[]``.
``list(KIND), tuple(KIND), dict(KIND)``
    Items, or values, of one kind.
``Name``
    An instance of the class of that name; ``estimator`` is one of any class of the list.
``plain, table, sparse, random, dtype, any``
    Nested lists and dicts of plain values and arrays, a DataFrame, a sparse array, a RandomState,
    a data type; whatever a model file can hold.
"""

import re
from functools import lru_cache
from numbers import Real

import numpy as np
from scipy import sparse

_PART = re.compile(r"(\w+)(?:\[(.*)\]|\((.*)\)|:(\w+))?")
_DTYPE_KINDS = {"f": "f", "i": "iu", "b": "b", "a": "fiub", "t": "UO", "y": "fiubUSO", "o": "O"}


def fits(kind, value, sizes):
    """Tell whether `value` is of a kind; the sizes that its letters stand for are kept in `sizes`.

    Parameters
    ----------
    kind : str
        As the module describes it.
    value : object
        What has been decoded, or will be encoded.
    sizes : dict of str to int
        Sizes known so far; sizes of the alternative that fits are added.
    """
    for name, shape, inner, size in _alternatives(kind):
        # An alternative that fits in part must not leave sizes behind.
        found = dict(sizes)
        if _fits_one(name, shape, inner, size, value, found):
            sizes.update(found)
            return True
    return False


@lru_cache(maxsize=4096)
def _alternatives(kind):
    """Split a kind at the bars outside of parentheses, and take its parts apart."""
    parts, depth = [""], 0
    for letter in kind:
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    found = []
    for part in parts:
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{kind!r} is no kind: {part!r}")
        found.append(match.groups())
    return found


def _fits_one(name, shape, inner, size, value, sizes):
    if shape is not None:
        return _is_array(_DTYPE_KINDS[name], shape, value, sizes)
    if inner is not None:
        return _is_container(name, inner, value, sizes)
    if size is not None:
        return _is_int(value) and _same_size(size, int(value), sizes)
    if name in _CHECKS:
        return _CHECKS[name](value)
    return type(value).__name__ == name


def _is_array(letters, shape, value, sizes):
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in letters:
        return False
    wanted = shape.split(",") if shape else []
    if len(wanted) != np.ndim(value):
        return False
    if not all(map(_same_size, wanted, np.shape(value), [sizes] * len(wanted))):
        return False
    # Labels and texts of mixed types are objects, none of which may be an estimator, say.
    return value.dtype.kind != "O" or letters == "O" or all(map(_is_scalar, value.ravel()))


def _same_size(wanted, size, sizes):
    """Compare a size with what its letter stands for, which the first use decides."""
    if wanted == "*":
        return True
    if wanted.isdigit():
        return size == int(wanted)
    letter, sign, shift = wanted.partition("-")
    size += int(shift) if sign else 0
    return size >= 1 and sizes.setdefault(letter, size) == size


def _is_container(name, inner, value, sizes):
    if name == "dict":
        items = list(value.values()) if isinstance(value, dict) else None
    else:
        items = value if type(value) is {"list": list, "tuple": tuple}[name] else None
    return items is not None and all(fits(inner, item, sizes) for item in items)


def _is_int(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_scalar(value):
    return value is None or isinstance(value, str | bytes | bool | Real | np.generic)


def _is_plain(value):
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "O" or all(map(_is_scalar, value.ravel()))
    return isinstance(value, slice) or _is_scalar(value)


_CHECKS = {
    "any": lambda value: True,  # noqa: ARG005
    "bool": lambda value: isinstance(value, bool | np.bool_),
    "dtype": lambda value: isinstance(value, np.dtype),
    "estimator": lambda value: hasattr(value, "get_params"),
    "int": _is_int,
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, Real) and not isinstance(value, bool),
    "plain": _is_plain,
    "random": lambda value: isinstance(value, np.random.RandomState),
    "sparse": sparse.issparse,
    "table": lambda value: hasattr(value, "iloc"),
    "text": lambda value: isinstance(value, str),
}
