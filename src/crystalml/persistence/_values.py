"""Values as JSON beside one block of numbers, and back: what a model file can hold at all.

Null, true, numbers and text stand for themselves; everything else is a list that begins with the
name of its form. Arrays are read from the block one after another, each byte once, so that a file
cannot ask for more memory than it has numbers. Reading calls nothing that the file names: every
form has its own few lines here, and estimators are built by `_estimators` from its closed list.
"""

import math
import re
from collections import UserList
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from crystalml.exceptions import PersistenceError
from crystalml.persistence._checks import build_tree, tree_state
from crystalml.persistence._estimators import (
    WITH_ARGUMENTS,
    build_estimator,
    find_function,
    function_name,
    listed_name,
    state_of,
)

# Types of arrays as NumPy describes them: nothing that holds objects.
_SIMPLE = re.compile(r"[<>|=]?([biufcSUV]\d+|[mM]8(\[\d*\w+\])?)", re.ASCII)
_LARGEST_ITEM = 2**24  # bytes
_SCALARS = (type(None), bool, int, str)
# Deeper than any model is nested, and far from the limit of Python's own stack.
_DEEPEST = 100
_PLACES = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_SPARSE = frozenset(f"{form}_{kind}" for form in ("csr", "csc") for kind in ("array", "matrix"))
# What a parameter such as ``dtype`` of OneHotEncoder may be.
_TYPES = {
    **{kind.__name__: kind for kind in (bool, float, int, object, str)},
    **{
        f"numpy.{n}": getattr(np, n)
        for n in ("float32", "float64", "int8", "int16", "int32", "int64")
    },
}
_TYPE_NAMES = {kind: name for name, kind in _TYPES.items()}


class Writer:
    """Turns values into JSON, and gathers the bytes of arrays and the tensors of nets.

    Parameters
    ----------
    with_optimizer : bool
        Whether nets keep the state of their optimiser.

    Attributes
    ----------
    blocks : list of bytes
        Arrays in the order in which they are read again.
    nets : list of dict
        Tensors of each net.
    classes : set of type
        Classes of what was written.
    """

    def __init__(self, *, with_optimizer):
        self.blocks, self.nets, self.classes = [], [], set()
        self._with_optimizer = with_optimizer
        self._arrays, self._path = {}, []

    def write(self, value, part=""):
        """Return what stands for `value` in JSON; `part` names it in messages."""
        if type(value) in _SCALARS or (type(value) is float and math.isfinite(value)):
            return value
        self._path.append(part)
        if len(self._path) > _DEEPEST:
            raise PersistenceError("save: the model is nested too deep, or contains itself.")
        written = self._form(value)
        self._path.pop()
        return written

    def refusal(self, value, reason):
        """Return the error that says where in the model something stands that cannot be saved."""
        where = "".join(self._path).removeprefix(".") or "the model"
        shown = repr(value) if callable(value) else f"a {type(value).__name__}"
        return PersistenceError(
            f"save: {where} holds {shown:.200}, which {reason}. For models that only you will "
            "load, skops.io.dump or joblib.dump can write it."
        )

    def _form(self, value):
        kind = type(value)
        if kind in _FORMS:
            return _FORMS[kind](self, value)
        if isinstance(value, UserList):  # as ColumnTransformer had one before scikit-learn 1.7
            return _items("list", self, value.data)
        # NumPy's numbers keep their type: a label of int32 must not become one of int64.
        if isinstance(value, np.generic):
            return ["number", self._block(np.asarray(value))]
        if isinstance(value, np.dtype):
            return ["dtype", self._dtype(value)]
        if sparse.issparse(value):
            return self._sparse(value)
        if hasattr(value, "iloc") and kind.__name__ == "DataFrame":
            return self._table(value)
        if (name := function_name(value)) is not None:
            return ["function", name]
        if kind is type and value in _TYPE_NAMES:
            return ["type", _TYPE_NAMES[value]]
        if kind.__module__ == "sklearn.tree._tree":
            return ["tree", *(self.write(part) for part in tree_state(value))]
        return self._estimator(value)

    def _estimator(self, value):
        # By its exact class: a subclass of yours may do anything, and its code is not in the file.
        name = listed_name(value)
        if name is None:
            raise self.refusal(value, "is not on the list of what model files hold")
        self.classes.add(type(value))
        try:
            state = state_of(value, name)
        except PersistenceError as error:
            raise self.refusal(value, f"cannot be saved: {error}") from error
        written = [[key, self.write(item, f".{key}")] for key, item in state.items()]
        form = ["estimator", name, written]
        if hasattr(value, "_net_state") and "net_" in vars(value):
            description, tensors = value._net_state(with_optimizer=self._with_optimizer)
            self.nets.append(tensors)
            form.append(self.write(description, ".net_"))
        return form

    def _array(self, value):
        # One array in several places, such as cells that two searches know, is written once.
        key = id(value)
        if key in self._arrays:
            return ["same", self._arrays[key][0]]
        if value.dtype.kind == "O":
            flat = value.ravel().tolist()
            form = ["objects", list(value.shape), [self.write(item, "[...]") for item in flat]]
        else:
            form = ["array", self._block(value)]
        self._arrays[key] = (len(self._arrays), value)  # held, or its id might be used again
        return form

    def _block(self, value):
        # The order of memory is kept, since sums over it are rounded differently.
        is_fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        order = "F" if is_fortran else "C"
        self.blocks.append(value.tobytes(order))
        return [self._dtype(value.dtype), list(value.shape), order]

    def _dtype(self, dtype):
        if dtype.kind == "O":
            return "|O"
        try:
            return describe_dtype(dtype)
        except (PersistenceError, ValueError, TypeError) as error:
            raise self.refusal(dtype, f"cannot be saved: {error}") from error

    def _sparse(self, value):
        if type(value).__name__ not in _SPARSE:
            raise self.refusal(value, "is a sparse array of that format; convert it to CSR")
        parts = [self._array(part) for part in (value.data, value.indices, value.indptr)]
        return ["sparse", type(value).__name__, list(map(int, value.shape)), parts]

    def _table(self, value):
        names = list(value.columns)
        # None is the usual numbering of rows.
        index = value.index.to_numpy()
        index = None if np.array_equal(index, np.arange(len(index))) else index
        columns = [self.write(_column(value.iloc[:, k]), "[...]") for k in range(len(names))]
        return ["table", columns, self.write(names), self.write(index)]


def _column(series):
    """Return numbers as they are, and text, of whatever type, as objects."""
    is_number = isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub"
    return series.to_numpy() if is_number else series.to_numpy(dtype=object)


def _items(kind, writer, value):
    return [kind, [writer.write(item, f"[{number}]") for number, item in enumerate(value)]]


def _dict(writer, value):
    return ["dict", [[writer.write(k), writer.write(v, f"[{k!r}]")] for k, v in value.items()]]


def _random(writer, value):
    state = value.get_state(legacy=False)
    name = state["bit_generator"]
    if name != "MT19937":
        raise writer.refusal(value, f"draws its numbers by {name}; use an integer instead")
    key, place = state["state"]["key"], state["state"]["pos"]
    rest = (place, state["has_gauss"], state["gauss"])
    return ["random", writer.write(key), *map(writer.write, rest)]


def _partial(writer, value):
    """Write a listed function with further arguments, as histogram gradient boosting has one."""
    name = function_name(value.func)
    if value.args or name not in WITH_ARGUMENTS:
        raise writer.refusal(value, "cannot be saved as data")
    return ["function", name, writer.write(value.keywords)]


_FORMS: dict[type, Callable[..., Any]] = {
    dict: _dict,
    list: partial(_items, "list"),
    tuple: partial(_items, "tuple"),
    float: lambda writer, value: ["float", repr(value)],  # noqa: ARG005
    np.ndarray: Writer._array,
    np.memmap: Writer._array,
    np.random.RandomState: _random,
    partial: _partial,
    slice: lambda w, value: ["slice", *map(w.write, (value.start, value.stop, value.step))],
}


class Reader:
    """Turns JSON back into values.

    Parameters
    ----------
    numbers : bytes
        The block of all arrays.
    nets : list of callable
        Each returns the tensors of one net; called when it is its turn.
    """

    def __init__(self, numbers, nets):
        self._numbers, self._nets = memoryview(numbers), iter(nets)
        self._place, self._depth, self._arrays = 0, 0, []
        self.classes = set()

    def read(self, form):
        """Return what a form stands for."""
        if type(form) in _SCALARS or type(form) is float:
            return form
        # Not left to RecursionError, which torch and NumPy may turn into something else.
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PersistenceError("it is nested too deep")
        kind, *parts = form
        value = _READ[kind](self, *parts)
        self._depth -= 1
        return value

    def finish(self):
        """Refuse what no form has asked for."""
        # Bytes that nothing asks for could carry anything past a reviewer.
        if self._place != len(self._numbers) or next(self._nets, None) is not None:
            raise PersistenceError("it has numbers that belong to nothing")

    def _block(self, dtype, shape, order):
        dtype = read_dtype(dtype)
        n_items = math.prod(shape)
        if order not in ("C", "F") or min(shape, default=0) < 0 or not dtype.itemsize:
            raise PersistenceError("an array has an impossible shape")
        start, self._place = self._place, self._place + n_items * dtype.itemsize
        if self._place > len(self._numbers):
            raise PersistenceError("an array ends behind the numbers of the file")
        # A copy, as an estimator may write into its arrays, and the file is read-only.
        data = self._numbers[start : self._place]
        return np.frombuffer(data, dtype=dtype, count=n_items).reshape(shape, order=order).copy("K")

    def _array(self, block):
        self._arrays.append(self._block(*block))
        return self._arrays[-1]

    def _objects(self, shape, items):
        if min(shape, default=0) < 0 or math.prod(shape) != len(items):
            raise PersistenceError("an array of objects has an impossible shape")
        array = np.empty(len(items), dtype=object)
        for place, item in enumerate(items):
            array[place] = self.read(item)
        self._arrays.append(array.reshape(shape))
        return self._arrays[-1]

    def _same(self, number):
        if type(number) is not int or not 0 <= number < len(self._arrays):
            raise PersistenceError("it refers to an array that was not there before")
        return self._arrays[number]

    def _dict(self, items):
        return {self._key(key): self.read(value) for key, value in items}

    def _key(self, form):
        key = self.read(form)
        parts = key if type(key) is tuple else (key,)
        if not all(isinstance(part, str | int | float | np.generic | None) for part in parts):
            raise PersistenceError(f"a {type(key).__name__} is no key of a model's dicts")
        return key

    def _sparse(self, kind, shape, parts):
        if kind not in _SPARSE or min(shape) < 0 or len(shape) != 2:
            raise PersistenceError(f"{kind!r} is no sparse array of a model")
        # Copies: SciPy sorts them in place, and one array may be named in several places.
        data, indices, indptr = (np.array(self.read(part)) for part in parts)
        n_lines, n_places = shape if kind.startswith("csr") else shape[::-1]
        # SciPy's own check looks at no index where the last pointer is 0, whatever the others are.
        sound = (
            indptr.shape == (n_lines + 1,)
            and (indptr[0], indptr[-1]) == (0, len(indices))
            and (np.diff(indptr) >= 0).all()
            and len(indices) == len(data)
            and ((indices >= 0) & (indices < n_places)).all()
        )
        if not sound:
            raise PersistenceError("a sparse array leads out of its shape")
        return getattr(sparse, kind)((data, indices, indptr), shape=tuple(shape))

    def _random(self, key, place, has_gauss, gauss):
        key = self.read(key)
        is_sound = key.dtype == np.uint32 and key.shape == (624,) and place in range(625)
        if not is_sound or has_gauss not in (0, 1):
            raise PersistenceError("a random generator has an impossible state")
        # Compiled code reads the key from that place on without looking.
        random_state = np.random.RandomState(0)
        random_state.set_state(("MT19937", key, place, has_gauss, float(gauss)))
        return random_state

    def _table(self, columns, names, index):
        import pandas as pd  # late: most models hold no table

        columns = [self.read(column) for column in columns]
        names, index = self.read(names), self.read(index)
        parts = columns if index is None else [index, *columns]
        is_flat = all(np.ndim(part) == 1 for part in parts)
        if not is_flat or len(set(map(len, parts))) > 1 or len(names) != len(columns):
            raise PersistenceError("the columns of a table do not fit together")
        # Two columns may have one name.
        table = pd.DataFrame(dict(enumerate(columns)), index=index)
        table.columns = names
        return table

    def _function(self, name, keywords=None):
        function = find_function(name)
        if keywords is None:
            return function
        if name not in WITH_ARGUMENTS:
            raise PersistenceError(f"{name!r} takes no arguments from a file")
        return partial(function, **self.read(keywords))

    def _estimator(self, name, state, net=None):
        attributes = {}
        for key, form in state:
            if not isinstance(key, str) or key in attributes:
                raise PersistenceError("an attribute is there twice")
            attributes[key] = self.read(form)
        estimator = build_estimator(name, attributes)
        self.classes.add(type(estimator))
        if net is not None:
            if not hasattr(estimator, "_restore_net"):
                raise PersistenceError(f"{name!r} has no net")
            tensors = next(self._nets, None)
            if tensors is None:
                raise PersistenceError("the weights of a net are missing")
            estimator._restore_net(self.read(net), tensors())
        return estimator

    def _tree(self, *parts):
        return build_tree(*map(self.read, parts))


_READ: dict[str, Callable[..., Any]] = {
    "array": Reader._array,
    "dict": Reader._dict,
    "dtype": lambda reader, name: np.dtype(object) if name == "|O" else read_dtype(name),  # noqa: ARG005
    "estimator": Reader._estimator,
    "float": lambda reader, name: _PLACES[name],  # noqa: ARG005
    "function": Reader._function,
    "list": lambda reader, items: list(map(reader.read, items)),
    "number": lambda reader, block: reader._block(*block)[()],
    "objects": Reader._objects,
    "random": Reader._random,
    "same": Reader._same,
    "slice": lambda reader, *parts: slice(*map(reader.read, parts)),
    "sparse": Reader._sparse,
    "table": Reader._table,
    "tree": Reader._tree,
    "tuple": lambda reader, items: tuple(map(reader.read, items)),
    "type": lambda reader, name: _TYPES[name],  # noqa: ARG005
}


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
