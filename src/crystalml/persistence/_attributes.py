"""Which attributes classes of crystalml keep: what a file needs to be read by the same state."""

import dis
import inspect
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from crystalml._version import __version__
from crystalml.exceptions import PersistenceError
from crystalml.persistence._trust import is_named_tuple

_PACKAGE = "crystalml."


def attributes_of(kind: type) -> list[str]:
    """Return the fields of a class, or what its methods assign to ``self``; its bases included."""
    if is_named_tuple(kind):
        return list(kind._fields)  # type: ignore[attr-defined]
    own = [base for base in kind.__mro__ if base.__module__.startswith(_PACKAGE)]
    found = {name for base in own for code in _codes(base) for name in _assigned(code)}
    fields = getattr(kind, "__dataclass_fields__", {})
    return sorted(found | set(fields))


def check_attributes(manifest: Mapping[str, Any], classes: Mapping[str, type]) -> None:
    """Refuse a model whose classes kept other attributes when it was saved than they do now.

    Otherwise its methods would fail, or err, at the first attribute that is missing. A class that
    reads its own older states has a ``__setstate__`` and is left to it. Of the same release no
    class differs, and none is looked at.

    Raises
    ------
    PersistenceError
        With the first class and the attributes that differ.
    """
    then = manifest.get("attributes", {})
    saved_with = manifest["versions"].get("crystalml")
    if saved_with == __version__ and "dev" not in __version__:
        return
    for name in sorted(then.keys() & classes.keys()):
        kind = classes[name]
        if "__setstate__" in vars(kind):
            continue
        now, before = attributes_of(kind), then[name]
        if now != before:
            raise PersistenceError(
                f"it was saved by another state of crystalml ({saved_with}; this is {__version__}),"
                f" in which {kind.__name__} {_difference(before, now)}. Fit and save the model "
                "anew, or load it with the state that saved it"
            )


def _difference(before: list[str], now: list[str]) -> str:
    """Say what has become of the attributes of a class."""
    gone, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
    parts = [f"kept {gone!r}, which it does not any more"] if gone else []
    parts += [f"did not keep {new!r}, which it needs now"] if new else []
    return " and ".join(parts) or "kept its fields in another order"


def _codes(kind: type) -> Iterator[CodeType]:
    """Yield the code of every method and property of a class itself."""
    for member in vars(kind).values():
        for part in (member, *(getattr(member, name, None) for name in ("fget", "fset", "func"))):
            function = inspect.unwrap(getattr(part, "__func__", part)) if callable(part) else None
            if inspect.isfunction(function):
                yield function.__code__


def _assigned(code: CodeType) -> Iterator[str]:
    """Yield the attributes that a method assigns to its first argument."""
    if not code.co_argcount:
        return
    first, last = code.co_varnames[0], None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_ATTR" and last == first:
            yield instruction.argval
        # Some versions of Python load two variables in one instruction.
        argument = instruction.argval
        last = argument[-1] if isinstance(argument, tuple) and argument else argument
