"""Objects to a flat list of nodes: JSON for structure, one block of bytes for numbers."""

import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from crystalml.exceptions import PersistenceError
from crystalml.persistence._dtypes import describe_dtype
from crystalml.persistence._encode_sklearn import SPECIAL, loss_arguments, loss_name
from crystalml.persistence._encode_tables import encode_table
from crystalml.persistence._trust import full_name, is_allowed, is_named_tuple, resolve

SCALARS = (bool, int, str, type(None))
_ALIGNMENT = 64
_GENERATORS = (np.random.RandomState, np.random.Generator)


class Encoder:
    """Turns an object and all it holds into nodes, without running or storing code.

    A node is a list: its kind, then what the kind needs. In a node, None, numbers and text stand
    for themselves, and a list with one number stands for the node of that number. Nodes refer to
    earlier ones only; an object that is held twice is one node.

    Parameters
    ----------
    trusted : collection of str
        Names of classes and functions that the caller vouches for.
    with_optimizer : bool
        Whether nets keep the state of their optimiser.

    Attributes
    ----------
    nodes : list of list
        The last one is the object.
    names : set of str
        Classes and functions that must be imported to get the object back.
    classes : dict of str to type
        The classes of crystalml among them.
    nets : list of dict of str to Tensor
        Weights of each net.
    """

    def __init__(self, trusted, with_optimizer):
        self.nodes, self.names, self.classes, self.nets = [], set(), {}, []
        self._trusted, self._with_optimizer = trusted, with_optimizer
        self._blocks, self._n_bytes = [], 0
        self._seen, self._held, self._path = {}, [], []

    @property
    def numbers(self):
        """The bytes of all arrays."""
        return b"".join(self._blocks)

    def slot(self, value, part=""):
        """Return what stands for `value` inside a node."""
        if type(value) in SCALARS:
            return value
        if type(value) is float and math.isfinite(value):
            return value
        if id(value) not in self._seen:
            self._path.append(part)
            self._seen[id(value)] = None  # until its node is complete
            self._held.append(value)  # or its id might be given to another object
            self.nodes.append(self._node(value))
            self._seen[id(value)] = len(self.nodes) - 1
            self._path.pop()
        if self._seen[id(value)] is None:
            raise self.refusal(value, "refers to itself")
        return [self._seen[id(value)]]

    def add(self, node):
        """Keep a node that no single object stands for, and return its slot."""
        self.nodes.append(node)
        return [len(self.nodes) - 1]

    def slots(self, values, part="[{}]"):
        """Return the slots of several values."""
        return [self.slot(value, part.format(index)) for index, value in enumerate(values)]

    def block(self, data):
        """Keep bytes, and return where they begin."""
        start = self._n_bytes
        padding = -len(data) % _ALIGNMENT
        self._blocks += [data, bytes(padding)]
        self._n_bytes += len(data) + padding
        return start

    def name(self, item, role):
        """Return the name of a class or function that `load` will accept, and note it."""
        name = full_name(item)
        if name is None or name.startswith("__main__."):
            raise self.refusal(item, "has no name under which another process can import it")
        if not is_allowed(name, role, self._trusted):
            raise self.refusal(
                item,
                f"is not among the types that load accepts. If it is yours, and importing {name!r} "
                f"does no harm, pass trusted=[{name!r}] to save and to load",
            )
        try:
            found = resolve(name, role, self._trusted)
        except PersistenceError as error:
            raise self.refusal(item, "cannot be saved") from error
        if found is not item:
            raise self.refusal(item, f"is not what {name!r} means when it is imported")
        self.names.add(name)
        if name.startswith("crystalml.") and role == "object":
            self.classes[name] = item
        return name

    def refusal(self, value, reason):
        """Return the error that says where in the model something stands that cannot be saved."""
        where = "".join(self._path).removeprefix(".") or "the model"
        shown = repr(value) if callable(value) else f"a {type(value).__name__}"
        return PersistenceError(f"save: {where} holds {shown:.200}, which {reason}.")

    def array(self, values):
        """Return the node of an array or NumPy scalar."""
        if values.dtype == object:
            flat = values.ravel()
            return ["objects", list(values.shape), self.slots(flat.tolist())]
        try:
            dtype = describe_dtype(values.dtype)
        except (PersistenceError, ValueError, TypeError) as error:
            raise self.refusal(values, f"cannot be saved: {error}") from error
        order = "F" if values.flags.f_contiguous and not values.flags.c_contiguous else "C"
        start = self.block(values.tobytes(order))
        return ["array", dtype, list(values.shape), order, start]

    def _node(self, value):
        kind = type(value)
        if kind in _PLAIN:
            return _PLAIN[kind](self, value)
        for family, encode in _FAMILIES:
            if isinstance(value, family):
                return encode(self, value)
        node = encode_table(self, value)
        return self._object(value) if node is None else node

    def _object(self, value):
        """Return the node of an instance: its class by name, and its state."""
        kind = type(value)
        if full_name(kind) in SPECIAL:
            return SPECIAL[full_name(kind)](self, value)
        if loss_arguments(value) is not None:
            self.names.add(loss_name(kind))
            return ["loss", loss_name(kind), self.slots(loss_arguments(value))]
        name = self.name(kind, "object")
        own = {"__reduce__", "__reduce_ex__"} & set().union(*(vars(c) for c in kind.mro()[:-1]))
        if own or issubclass(kind, dict | list | set | str | bytes | int | float):
            raise self.refusal(value, "cannot be saved as data")
        state = value.__getstate__()
        if hasattr(kind, "_net_state") and "net_" in vars(value):
            return self._net(name, value, state)
        if issubclass(kind, BaseEstimator) and state.get("memory") is not None:
            state = {**state, "memory": None}  # a folder of pickles has no place in a model file
        return ["object", name, self.slot(state)]

    def _net(self, name, estimator, state):
        """Return the node of an estimator with a net, whose weights are kept apart."""
        description, tensors = estimator._net_state(with_optimizer=self._with_optimizer)
        self.nets.append(tensors)
        state = {key: value for key, value in state.items() if key != "net_"}
        slots = self.slot(state), self.slot(description, ".net_")
        return ["net", name, *slots, len(self.nets) - 1]


def _dict(encoder, value):
    items = [
        [encoder.slot(key, ".keys()"), encoder.slot(item, _part(key))]
        for key, item in value.items()
    ]
    return ["dict", items]


def _part(key):
    """Name an item of a dict, which mostly is an attribute of an object."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


def _sequence(kind, encoder, value):
    return [kind, encoder.slots(value)]


def _set(kind, encoder, value):
    return [kind, encoder.slots(sorted(value, key=repr))]  # the same bytes in every process


def _float(encoder, value):  # noqa: ARG001
    return ["float", repr(value)]


def _complex(encoder, value):
    return ["complex", encoder.slot(value.real), encoder.slot(value.imag)]


def _bytes(encoder, value):
    return ["bytes", encoder.block(value), len(value)]


def _slice(encoder, value):
    return ["slice", *encoder.slots([value.start, value.stop, value.step])]


def _range(encoder, value):  # noqa: ARG001
    return ["range", value.start, value.stop, value.step]


def _partial(encoder, value):
    return ["partial", *encoder.slots([value.func, value.args, value.keywords])]


def _bunch(encoder, value):
    return ["bunch", _dict(encoder, value)[1]]


def _defaultdict(encoder, value):
    return ["defaultdict", encoder.slot(value.default_factory), _dict(encoder, value)[1]]


def _ordered(encoder, value):
    return ["ordered", _dict(encoder, value)[1]]


def _masked(encoder, value):
    return ["masked", *encoder.slots([value.data, value.mask, value.fill_value])]


def _array(encoder, value):
    if type(value) not in (np.ndarray, np.memmap):
        raise encoder.refusal(value, "is a special kind of array; give a plain one")
    return encoder.array(np.asarray(value))


def _scalar(encoder, value):
    return ["scalar", encoder.slot(np.array(value))]


def _dtype(encoder, value):  # noqa: ARG001
    return ["objects_dtype"] if value.kind == "O" else ["dtype", describe_dtype(value)]


def _random(encoder, value):
    if isinstance(value, np.random.RandomState):
        return ["random_state", encoder.slot(value.get_state(legacy=False))]
    sequence = value.bit_generator.seed_seq.state
    return ["generator", encoder.slot(value.bit_generator.state), encoder.slot(sequence)]


def _sparse(encoder, value):
    kind = type(value).__name__
    if value.format in ("csr", "csc", "bsr"):
        parts = [value.data, value.indices, value.indptr]
    elif value.format == "coo" and value.ndim == 2:
        parts = [value.data, value.row, value.col]
    else:
        raise encoder.refusal(value, "is a sparse array of that format; convert it to CSR")
    return ["sparse", kind, [int(n) for n in value.shape], encoder.slots(parts)]


def _type(encoder, value):
    return ["type", encoder.name(value, "type")]


def _function(encoder, value):
    return ["function", encoder.name(value, "function")]


def _named_tuple(encoder, value):
    return ["named_tuple", encoder.name(type(value), "object"), encoder.slots(value)]


def _tuple_subclass(encoder, value):
    if not is_named_tuple(type(value)):
        raise encoder.refusal(value, "cannot be saved as data")
    return _named_tuple(encoder, value)


_PLAIN: dict[type, Callable[..., Any]] = {
    dict: _dict,
    list: partial(_sequence, "list"),
    tuple: partial(_sequence, "tuple"),
    set: partial(_set, "set"),
    frozenset: partial(_set, "frozenset"),
    float: _float,
    complex: _complex,
    bytes: _bytes,
    slice: _slice,
    range: _range,
    partial: _partial,
    Bunch: _bunch,
    defaultdict: _defaultdict,
    OrderedDict: _ordered,
}
_FAMILIES: tuple[tuple[Any, Callable[..., Any]], ...] = (
    (np.ma.MaskedArray, _masked),
    (np.ndarray, _array),
    (np.generic, _scalar),
    (np.dtype, _dtype),
    (_GENERATORS, _random),
    ((sparse.spmatrix, sparse.sparray), _sparse),
    (type, _type),
    ((type(_type), type(len), np.ufunc, type(np.mean)), _function),
    (tuple, _tuple_subclass),
)
