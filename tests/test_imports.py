"""Importing crystalml is free, and its modules import only downwards in the layers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import crystalml

PACKAGE = Path(crystalml.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# The layers of the design: a module imports only from lower numbers, or its own package.
LAYERS = {
    "exceptions": 0,
    "_dependencies": 0,
    "_progress": 0,
    "_schema": 0,
    "_typing": 0,
    "_validation": 0,
    "_version": 0,
    "crystallography": 1,
    "io": 2,
    "descriptors": 2,
    "neural": 2,
    "datasets": 3,
    "known_crystals": 3,
    "model_selection": 3,
    "symmetry": 4,
    "plotting": 5,
    "persistence": 5,
    "pretrained": 6,
    "_cli": 7,
    "__main__": 8,
}


def room_of(path):
    """First part of the module path below the package: the row of the layer table."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported_by(tree):
    """Every `crystalml.<room>` that the module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "crystalml":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("crystalml."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("crystalml."))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_layers(path):
    room = room_of(path)
    if room == "__init__":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    relative = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, f"{path} has relative imports: spell them out"
    upward = {
        other
        for other in rooms_imported_by(tree)
        if other != room and LAYERS[other] >= max(LAYERS[room], 1)
    }
    assert not upward, f"{room} may not import from {sorted(upward)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_skorch_and_private_sklearn_are_named_where_they_are_met_alone(path):
    allowed = {
        "skorch": {"neural/_training.py"},
        # The second builds compiled trees from their nodes, which no public name does.
        "sklearn": {"_validation.py", "persistence/_checks.py"},
    }
    here = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom | ast.Import):
            continue
        names = (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
        for name in names:
            parts = name.split(".")
            if parts[0] == "skorch":
                assert here in allowed["skorch"]
            if parts[0] == "sklearn" and any(part.startswith("_") for part in parts):
                assert here in allowed["sklearn"]


def modules_after(statement):
    """Top-level modules that the statement adds in a fresh interpreter."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_crystalml_loads_the_lazy_loader_and_the_standard_library_alone():
    loaded = modules_after("import crystalml")
    assert "crystalml" in loaded
    assert loaded - {"crystalml", "lazy_loader"} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("package", ["crystallography", "io", "descriptors", "datasets"])
def test_tables_and_descriptors_need_no_optional_dependency(package):
    loaded = modules_after(f"import crystalml.{package}")
    assert not loaded & {"torch", "skorch", "pymatgen", "matminer", "matplotlib", "ase"}


@pytest.mark.parametrize("name", crystalml.__all__)
def test_every_public_name_resolves(name):
    assert getattr(crystalml, name) is not None
    assert name in dir(crystalml)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="crystalml attribute SpaceGrupClassifier"):
        crystalml.SpaceGrupClassifier  # noqa: B018


def test_packages_export_sorted_names():
    for init in PACKAGE.glob("[!_]*/__init__.py"):
        package = getattr(crystalml, init.parent.name)
        public = list(package.__all__)
        assert public == sorted(public), f"{package.__name__}.__all__ is not sorted"
        assert all(hasattr(package, name) for name in public)
