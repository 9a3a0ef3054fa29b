"""Nodes back to objects: names are judged first, then imported, then objects are built."""

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
from crystalml.persistence._compiled import check_estimator
from crystalml.persistence._decode_sklearn import BUILDERS as SKLEARN_BUILDERS
from crystalml.persistence._decode_tables import BUILDERS as TABLE_BUILDERS
from crystalml.persistence._dtypes import read_dtype
from crystalml.persistence._encode import SCALARS
from crystalml.persistence._encode_sklearn import BOOSTER, LOSS
from crystalml.persistence._trust import is_allowed, is_named_tuple, resolve

# Kind of node -> role of the name that stands second in it.
_ROLES = {
    "function": "function",
    "named_tuple": "object",
    "net": "object",
    "object": "object",
    "type": "type",
}
_BIT_GENERATORS = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})
_LARGEST_POOL = 1024  # words; NumPy's own is 4
_SPARSE = frozenset(
    f"{form}_{kind}" for form in ("bsr", "coo", "csc", "csr") for kind in ("array", "matrix")
)


def names_in(nodes):
    """Return the (name, role) of every class and function that the nodes would import."""
    found = {(node[1], _ROLES[node[0]]) for node in nodes if node[0] in _ROLES}
    found |= {(node[1], "loss") for node in nodes if node[0] == "loss"}
    return found | {(BOOSTER, "object") for node in nodes if node[0] == "booster"}


def refused(names, trusted):
    """Return, in order, those of the names that are on no list; nothing is imported."""
    return sorted(
        {
            str(name)
            for name, role in names
            if not (
                isinstance(name, str) and LOSS.fullmatch(name)
                if role == "loss"
                else is_allowed(name, role, trusted)
            )
        }
    )


class Decoder:
    """Builds the objects of a list of nodes, first to last.

    Parameters
    ----------
    nodes : list of list
        As `Encoder` made them; the names in them have passed `refused`.
    numbers : bytes
        The block of all arrays.
    nets : callable
        Called with the number of a net, returns its tensors.
    trusted : collection of str
        Names that the caller vouches for.
    """

    def __init__(self, nodes, numbers, nets, trusted):
        self._nodes, self._numbers, self._nets = nodes, memoryview(numbers), nets
        self._built = []
        # A loss was allowed by the pattern of its name alone; there is no class to hold it against.
        self._imported = {
            (name, role): resolve(name, role, {name} if role == "loss" else trusted)
            for name, role in sorted(names_in(nodes))
        }

    @property
    def classes(self):
        """Classes of crystalml that instances are made of, by name."""
        return {
            name: kind
            for (name, role), kind in self._imported.items()
            if role == "object" and name.startswith("crystalml.")
        }

    def result(self):
        """Return the object of the last node."""
        for kind, *parts in self._nodes:
            self._built.append(_BUILDERS[kind](self, *parts))
        return self._built[-1]

    def item(self, name, role):
        """Return the class or function of that name."""
        return self._imported[name, role]

    def value(self, slot):
        """Return what a slot stands for: itself, or an object that is built already."""
        if type(slot) in SCALARS or type(slot) is float:
            return slot
        (index,) = slot
        if type(index) is not int or index < 0:
            raise PersistenceError(f"{slot!r} refers to no node")
        return self._built[index]

    def values(self, slots):
        """Return what several slots stand for."""
        return [self.value(slot) for slot in slots]

    def hashable(self, slots):
        """Return values that may be keys, among which nested tuples would take for ever to hash."""
        values = self.values(slots)
        for value in values:
            for part in value if type(value) is tuple else (value,):
                if isinstance(part, tuple | frozenset):
                    raise PersistenceError("nested tuples are no keys of a model's dicts")
        return values

    def pairs(self, items):
        """Return keys and values of a dict."""
        keys = self.hashable(key for key, _ in items)
        return zip(keys, self.values(item for _, item in items), strict=True)

    def block(self, start, size):
        """Return some of the bytes of the arrays."""
        if not (type(start) is type(size) is int and 0 <= start <= start + size):
            raise PersistenceError("an array has an impossible place")
        if start + size > len(self._numbers):
            raise PersistenceError("an array ends behind the numbers of the file")
        return self._numbers[start : start + size]

    def tensors(self, number):
        """Return the tensors of a net."""
        return self._nets(number)


def _array(decoder, dtype, shape, order, start):
    dtype = read_dtype(dtype)
    n_items = math.prod(shape)
    if order not in ("C", "F") or min(shape, default=0) < 0 or (n_items and not dtype.itemsize):
        raise PersistenceError("an array has an impossible shape")
    data = decoder.block(start, n_items * dtype.itemsize)
    return np.frombuffer(data, dtype=dtype, count=n_items).reshape(shape, order=order).copy("K")


def _objects(decoder, shape, slots):
    if math.prod(shape) != len(slots):
        raise PersistenceError("an array of objects has an impossible shape")
    array = np.empty(len(slots), dtype=object)
    for index, slot in enumerate(slots):
        array[index] = decoder.value(slot)
    return array.reshape(shape)


def _float(decoder, text):  # noqa: ARG001
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text]


def _masked(decoder, data, mask, fill_value):
    values = decoder.values([data, mask, fill_value])
    return np.ma.MaskedArray(values[0], mask=values[1], fill_value=values[2])


def _random_state(decoder, state):
    state = decoder.value(state)
    _check_generator_state(state)
    if state["bit_generator"] != "MT19937":
        generator = getattr(np.random, state["bit_generator"])(0)
        random_state = np.random.RandomState(generator)
    else:
        random_state = np.random.RandomState(0)
    random_state.set_state(state)
    return random_state


def _generator(decoder, state, sequence):
    state, sequence = decoder.value(state), decoder.value(sequence)
    _check_generator_state(state)
    if sequence["pool_size"] > _LARGEST_POOL:
        raise PersistenceError("a random generator has an impossible pool of seeds")
    seeds = np.random.SeedSequence(**sequence)
    bit_generator = getattr(np.random, state["bit_generator"])(seeds)
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def _check_generator_state(state):
    """Positions in buffers are used by compiled code as they are."""
    largest = {"MT19937": ("pos", 624), "Philox": ("buffer_pos", 4)}
    kind = state["bit_generator"]
    if kind not in _BIT_GENERATORS:
        raise PersistenceError(f"{kind!r} is no random generator of NumPy")
    if kind in largest:
        name, end = largest[kind]
        position = state["state"][name] if kind == "MT19937" else state[name]
        if not 0 <= position <= end:
            raise PersistenceError("a random generator stands at an impossible position")


def _sparse(decoder, kind, shape, slots):
    if kind not in _SPARSE:
        raise PersistenceError(f"{kind!r} is no sparse array")
    first, *rest = decoder.values(slots)
    parts = (first, tuple(rest)) if kind.startswith("coo") else (first, *rest)
    built = getattr(sparse, kind)(parts, shape=tuple(shape))
    if not kind.startswith("coo"):
        built.check_format(full_check=True)
    return built


def _named_tuple(decoder, name, slots):
    kind = decoder.item(name, "object")
    if not is_named_tuple(kind):
        raise PersistenceError(f"{name!r} is no named tuple")
    return kind._make(decoder.values(slots))


def _object(decoder, name, state):
    kind, state = decoder.item(name, "object"), decoder.value(state)
    if is_named_tuple(kind):
        raise PersistenceError(f"{name!r} is a named tuple and has no state")
    if issubclass(kind, BaseEstimator) and state.get("memory") is not None:
        raise PersistenceError(f"{name!r} names a cache of pickles, which no model file may do")
    instance = kind.__new__(kind)
    _set_state(instance, state)
    if isinstance(instance, BaseEstimator):
        check_estimator(instance)
    return instance


def _set_state(instance, state):
    """Give an instance its attributes, as unpickling would."""
    if state is None:
        return
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, {})
    if attributes:
        vars(instance).update(attributes)
    allowed = {name for kind in type(instance).mro() for name in getattr(kind, "__slots__", ())}
    for name, value in slots.items():
        if name not in allowed or name.startswith("__"):
            raise PersistenceError(f"{type(instance).__name__} has no attribute {name!r}")
        object.__setattr__(instance, name, value)  # also where the class is frozen


def _net(decoder, name, state, description, number):
    estimator = _object(decoder, name, state)
    estimator._restore_net(decoder.value(description), decoder.tensors(number))
    return estimator


def _loss(decoder, name, slots):
    return decoder.item(name, "loss")(*decoder.values(slots))


def _partial(decoder, function, arguments, keywords):
    function, arguments, keywords = decoder.values([function, arguments, keywords])
    return partial(function, *arguments, **keywords)


_BUILDERS: dict[str, Callable[..., Any]] = {
    **SKLEARN_BUILDERS,
    **TABLE_BUILDERS,
    "array": _array,
    "bunch": lambda decoder, items: Bunch(**dict(decoder.pairs(items))),
    "bytes": lambda decoder, start, size: bytes(decoder.block(start, size)),
    "complex": lambda decoder, *parts: complex(*decoder.values(parts)),
    "defaultdict": lambda d, factory, items: defaultdict(d.value(factory), d.pairs(items)),
    "dict": lambda decoder, items: dict(decoder.pairs(items)),
    "dtype": lambda decoder, described: read_dtype(described),  # noqa: ARG005
    "float": _float,
    "frozenset": lambda decoder, slots: frozenset(decoder.hashable(slots)),
    "function": lambda decoder, name: decoder.item(name, "function"),
    "generator": _generator,
    "list": lambda decoder, slots: decoder.values(slots),
    "loss": _loss,
    "masked": _masked,
    "named_tuple": _named_tuple,
    "net": _net,
    "object": _object,
    "objects": _objects,
    "objects_dtype": lambda decoder: np.dtype(object),  # noqa: ARG005
    "ordered": lambda decoder, items: OrderedDict(decoder.pairs(items)),
    "partial": _partial,
    "random_state": _random_state,
    "range": lambda decoder, *parts: range(*parts),  # noqa: ARG005
    "scalar": lambda decoder, slot: decoder.value(slot)[()],
    "set": lambda decoder, slots: set(decoder.hashable(slots)),
    "slice": lambda decoder, *slots: slice(*decoder.values(slots)),
    "sparse": _sparse,
    "tuple": lambda decoder, slots: tuple(decoder.values(slots)),
    "type": lambda decoder, name: decoder.item(name, "type"),
}
