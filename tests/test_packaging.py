"""What `nox -s build` checks of wheels and sdists, and what the project says of itself."""

import re
import runpy
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOL = runpy.run_path(str(ROOT / "tools" / "check_distribution.py"))
INFO = "crystalml_sklearn-0.1.dist-info/"
WHEEL = {
    *TOOL["DATA"],
    "crystalml/__init__.py",
    "crystalml/io/_check/_cell.py",
    f"{INFO}METADATA",
    f"{INFO}licenses/LICENSE",
    f"{INFO}entry_points.txt",
}
SDIST = {*("src/" + name for name in TOOL["DATA"]), "pyproject.toml", "README.md", "LICENSE"}


def test_good_ones_pass():
    assert TOOL["wheel_problems"](WHEEL) == []
    assert TOOL["wheel_problems"](WHEEL | TOOL["MODEL"] | {TOOL["FIGURES"]}) == []
    assert TOOL["sdist_problems"](SDIST | {"tests/fuzz_corpus/cif/1", "docs/api.md"}) == []


@pytest.mark.parametrize("name", sorted(WHEEL - {f"{INFO}METADATA", "crystalml/__init__.py"}))
def test_what_a_wheel_must_have(name):
    if name.endswith("_cell.py"):
        return
    assert len(TOOL["wheel_problems"](WHEEL - {name})) == 1


@pytest.mark.parametrize(
    "name",
    [
        "tests/conftest.py",
        "crystalml/__pycache__/_typing.cpython-311.pyc",
        "crystalml/notes.md",
        "crystalml/datasets/data/reserved.csv",
        "crystalml/pretrained/data/other.crystalml",
        "conftest.py",
    ],
)
def test_what_a_wheel_must_not_have(name):
    assert TOOL["wheel_problems"](WHEEL | {name}) == [f"{name} does not belong into a wheel"]


def test_a_model_comes_with_checksum_and_card():
    problems = TOOL["wheel_problems"](WHEEL | {"crystalml/pretrained/data/cod-inorganic.crystalml"})
    assert len(problems) == 2


@pytest.mark.parametrize(
    "name",
    [
        ".venv/bin/python",
        "src/crystalml/__pycache__/x.py",
        "docs/model.pkl",
        "secret.pem",
        "notes.txt",
        "tests/x.pyc",
        "docs/.env",
    ],
)
def test_what_an_sdist_must_not_have(name):
    assert TOOL["sdist_problems"](SDIST | {name}) == [f"{name} does not belong into an sdist"]


def test_machine_paths_are_found():
    assert TOOL["text_problems"]("a.py", b'open("/home/someone/x.csv")')
    assert not TOOL["text_problems"]("a.py", b"https://example.org/home/")


def test_files_are_checked_on_disk(tmp_path):
    package = tmp_path / "crystalml"
    package.mkdir()
    (package / "_lost.py").touch()
    (package / "__init__.pyi").touch()  # read when the package is imported
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        for name in WHEEL:
            wheel.writestr(name, "x")
    problems = TOOL["check_wheel"](tmp_path / "x.whl", package)
    assert problems == ["crystalml/__init__.pyi is missing", "crystalml/_lost.py is missing"]
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as sdist:
        for name in SDIST:
            sdist.addfile(tarfile.TarInfo(f"crystalml_sklearn-0.1/{name}"))
    assert TOOL["check_sdist"](tmp_path / "x.tar.gz") == []
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as sdist:
        link = tarfile.TarInfo("crystalml_sklearn-0.1/docs/x.md")
        link.type = tarfile.SYMTYPE
        sdist.addfile(link)
    assert TOOL["check_sdist"](tmp_path / "x.tar.gz")[0] == f"{link.name} is no plain file"


def test_every_data_file_of_the_sources_is_known_to_the_check():
    known = TOOL["DATA"] | TOOL["MODEL"] | {TOOL["FIGURES"]}
    package = ROOT / "src" / "crystalml"
    found = (path for path in package.rglob("*") if path.is_file())
    names = {path.relative_to(package.parent).as_posix() for path in found}
    others = {name for name in names if not name.endswith((".py", ".pyi", ".pyc"))}
    assert others <= known


def test_the_command_is_declared():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert scripts["scripts"] == {"crystalml": "crystalml._cli:main"}


def test_the_type_check_looks_at_the_whole_package():
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert "src/crystalml" in mypy["files"]
    assert all((ROOT / path).exists() for path in mypy["files"])
    assert mypy["check_untyped_defs"]
    assert mypy["disallow_incomplete_defs"]
    for override in mypy["overrides"]:
        for module in override["module"] if "disallow_untyped_defs" in override else ():
            path = ROOT / "src" / module.removesuffix(".*").replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").exists(), module


def test_pre_commit_uses_the_tested_versions():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    used = re.findall(r"additional_dependencies: \[(.+)\]", text)
    assert len(used) == 3
    assert {pin for pins in used for pin in pins.split(", ")} <= set(pinned)
