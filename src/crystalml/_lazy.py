"""Lazy re-export (PEP 562), so that importing a package costs nothing until a name is used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_exports(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Build ``__getattr__``, ``__dir__`` and the sorted ``__all__`` of a package.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    modules : dict of str to sequence of str
        Module path relative to the package -> the public names it defines. The module
        itself is exported too, unless its name is private.

    Returns
    -------
    tuple
        ``(__getattr__, __dir__, __all__)`` for the package to bind.
    """
    home = {name: module for module, names in modules.items() for name in names}
    submodules = {module for module in modules if not module.startswith("_")}
    public = sorted(home.keys() | submodules)

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name in submodules:
            return import_module(f"{package}.{name}")
        if name in home:
            return getattr(import_module(f"{package}.{home[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:  # noqa: N807
        return public

    return __getattr__, __dir__, public
