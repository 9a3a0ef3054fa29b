"""Public names are annotated, and type checkers see them although they are loaded lazily."""

import ast
import inspect
import runpy
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pytest

import crystalml

PACKAGE = Path(crystalml.__file__).parent
PUBLIC = ["exceptions", *sorted(init.parent.name for init in PACKAGE.glob("[!_]*/__init__.py"))]
SPECIAL = ("__call__", "__init__", "__len__")
STUBS = sorted(PACKAGE.rglob("__init__.pyi"))


def function_of(attribute):
    """Unwrap what a class holds: a method, property, or scikit-learn's conditional method."""
    if isinstance(attribute, property):
        return attribute.fget
    if isinstance(attribute, cached_property):
        return attribute.func
    return getattr(attribute, "fn", getattr(attribute, "__func__", attribute))


def methods_of(cls):
    """Yield name and function of the public methods that crystalml itself defines."""
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != "crystalml":
            continue
        for name, attribute in vars(base).items():
            function = function_of(attribute)
            if (not name.startswith("_") or name in SPECIAL) and inspect.isfunction(function):
                yield f"{base.__name__}.{name}", function


def functions_of(package):
    """Yield name and function of everything public that can be called."""
    for name in package.__all__:
        public = getattr(package, name)
        if inspect.isclass(public):
            yield from methods_of(public)
        elif inspect.isfunction(public):
            yield name, public


def lacking(function):
    """Names of the parameters without annotation, and "return"."""
    signature = inspect.signature(function)
    names = list(signature.parameters)
    is_method = names[:1] in (["self"], ["cls"])
    bare = [
        name
        for name in names[is_method:]
        if signature.parameters[name].annotation is inspect.Parameter.empty
    ]
    no_return = signature.return_annotation is inspect.Signature.empty
    return bare + ["return"] * no_return


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_annotated(name):
    package = import_module(f"crystalml.{name}")
    bare = {where: names for where, f in functions_of(package) if (names := lacking(f))}
    assert not bare


def test_the_walk_finds_functions_methods_and_properties():
    found = dict(functions_of(crystalml.io))
    assert {"read_cif", "CIFReader.transform", "CODDownloadReport.paths"} <= found.keys()
    assert lacking(lambda x, y=1: x) == ["x", "y", "return"]


def test_checkers_are_told_that_there_are_types():
    assert (PACKAGE / "py.typed").exists()


def test_every_public_package_reads_its_names_from_a_stub():
    lazy = {path for path in PACKAGE.rglob("__init__.py") if "attach_stub(" in path.read_text()}
    assert {stub.with_suffix(".py") for stub in STUBS} == lazy
    assert {path.parent.name for path in lazy} == {"crystalml", *PUBLIC} - {"exceptions"}


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.parent.name)
def test_a_stub_names_what_its_package_exports(stub):
    name = ".".join(("crystalml", *stub.parent.relative_to(PACKAGE).parts))
    package = import_module(name)
    shown = set()
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign):  # of what __init__.py itself defines
            assert hasattr(package, node.target.id)
            continue
        assert isinstance(node, ast.ImportFrom)
        home = import_module(f"{name}.{node.module}" if node.module else name)
        for alias in node.names:
            assert alias.asname == alias.name, "a stub exports `name as name` only"
            assert getattr(home, alias.name) is getattr(package, alias.name)
            shown.add(alias.name)
    assert sorted(shown) == package.__all__ == dir(package)


def test_the_calls_that_are_type_checked_run():
    runpy.run_path(str(Path(__file__).parent / "typed_use.py"))["right"]()
