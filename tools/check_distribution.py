"""Check that wheel and sdist hold what they must, and nothing foreign.

Run from the root of the repository, after ``python -m build``::

    python tools/check_distribution.py dist
"""

import argparse
import re
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

LARGEST_WHEEL = 20_000_000
# Inside the package: code, the mark of typed packages, and the data files, each by name.
_CODE = re.compile(r"crystalml/([a-z_]+/)*\w+\.pyi?")
DATA = {
    "crystalml/datasets/data/cod_inorganic.csv.gz",
    "crystalml/datasets/data/cod_inorganic.rst",
    "crystalml/descriptors/data/elements.csv",
    "crystalml/descriptors/data/elements.rst",
    "crystalml/io/data/check_reference.json",
    "crystalml/persistence/estimators.toml",
    "crystalml/py.typed",
}
# The ready model, where the release has one: all of it or nothing.
MODEL = {f"crystalml/pretrained/data/cod-inorganic.{end}" for end in ("crystalml", "sha256", "md")}
FIGURES = "crystalml/pretrained/data/cod-inorganic.figures.json"
# Beside the package in the sdist.
_SDIST_ROOMS = {"benchmarks", "docs", "examples", "src", "tests", "tools"}
_SDIST_FILES = {
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "SECURITY.md",
    "conftest.py",
    "constraints.txt",
    "noxfile.py",
    "pyproject.toml",
}
_SUFFIXES = {".cif", ".cff", ".crystalml", ".csv", ".gz", ".json", ".md", ".png", ".py", ".pyi"}
_SUFFIXES |= {".rst", ".sha256", ".svg", ".toml", ".txt", ".typed", ".css", ".bin"}
_JUNK = re.compile(
    r"(^|/)(__pycache__|\.git|\.venv|\.nox|\.hypothesis|\.pytest_cache|\.ruff_cache|dist|build)/"
    r"|\.(pyc|pyo|pkl|pickle|so|pt|log)$|(^|/)\.(env|coverage)|(^|/)(\.DS_Store|id_rsa)|\.pem$|\.key$"
)
_MACHINE_PATH = re.compile(rb"/(home|Users|root)/[\w.-]+/")


def wheel_problems(names):
    """Say of the members of a wheel what is missing, and what does not belong there."""
    names = set(names)
    inside = {name for name in names if not re.match(r"crystalml_sklearn-[^/]+\.dist-info/", name)}
    problems = [f"{name} is missing" for name in sorted(DATA - inside)]
    model = MODEL & inside
    if model and model != MODEL:
        problems += [f"{name} is missing beside the model" for name in sorted(MODEL - model)]
    allowed = DATA | MODEL | {FIGURES}
    strange = (name for name in inside if name not in allowed and not _CODE.fullmatch(name))
    problems += [f"{name} does not belong into a wheel" for name in sorted(strange)]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        problems.append("the licence is missing")
    if not any(name.endswith(".dist-info/entry_points.txt") for name in names):
        problems.append("the command crystalml is missing")
    return problems


def sdist_problems(names):
    """Say of the members of an sdist, without its root folder, what does not belong there."""
    names, problems = set(names), []
    for name in sorted(names):
        path = PurePosixPath(name)
        known = name in _SDIST_FILES or (len(path.parts) > 1 and path.parts[0] in _SDIST_ROOMS)
        odd_suffix = path.suffix not in _SUFFIXES and name not in _SDIST_FILES
        in_corpus = path.parts[:2] == ("tests", "fuzz_corpus")  # whose files are of any kind
        if not known or _JUNK.search(name) or (odd_suffix and not in_corpus):
            problems.append(f"{name} does not belong into an sdist")
    wanted = {"src/" + name for name in DATA} | {"pyproject.toml", "README.md", "LICENSE"}
    return problems + [f"{name} is missing" for name in sorted(wanted - names)]


def text_problems(name, content):
    """Say whether a text file names a folder of the machine that it was made on."""
    found = _MACHINE_PATH.search(content)
    return [f"{name} holds the path {found[0].decode()}"] if found else []


def package_problems(names, package):
    """Say which modules and stubs of the sources are not in the wheel."""
    # Stubs are no luxury: a package reads the names that it exports from its own.
    code = [*package.rglob("*.py"), *package.rglob("*.pyi")]
    wanted = {path.relative_to(package.parent).as_posix() for path in code}
    return [f"{name} is missing" for name in sorted(wanted - set(names))]


def check_wheel(path, package):
    """Return the problems of a wheel file."""
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
        problems = wheel_problems(names) + package_problems(names, package)
        for name in names:
            if name.endswith((".py", ".rst", ".md", "METADATA")):
                problems += text_problems(name, wheel.read(name))
    size = path.stat().st_size
    if size > LARGEST_WHEEL:
        problems.append(f"it has {size:,} bytes, more than {LARGEST_WHEEL:,}")
    return problems


def check_sdist(path):
    """Return the problems of an sdist file."""
    with tarfile.open(path) as sdist:
        members = [member for member in sdist if not member.isdir()]
    problems = [f"{m.name} is no plain file" for m in members if not m.isfile()]
    return problems + sdist_problems(member.name.partition("/")[2] for member in members)


def main(arguments=None):
    """Check the newest wheel and sdist of a folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where wheel and sdist lie, one of each")
    folder = parser.parse_args(arguments).folder
    (wheel,), (sdist,) = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    problems = check_wheel(wheel, Path("src/crystalml")) + check_sdist(sdist)
    print(*problems, sep="\n", end="\n" if problems else "")
    for path in (wheel, sdist):
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    print(f"{len(problems)} problems")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
