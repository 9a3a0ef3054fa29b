"""Every job of the project, each with its own environment: ``nox -s NAME``."""

import re
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "tests"]
nox.options.reuse_venv = "yes"

CONSTRAINTS = ("-c", "constraints.txt")
# Parallel test workers and the numerical libraries' threads would fight over the cores.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@nox.session
def tests(session):
    """Run the test suite, doctests and README included, with the tested versions."""
    session.install(*CONSTRAINTS, "-e", ".[test]")
    session.run("pytest", "-n", "auto", "--dist", "worksteal", *session.posargs, env=ONE_THREAD)


@nox.session
def lint(session):
    """Check style, formatting and types; of the libraries, the types of NumPy alone."""
    session.install(*CONSTRAINTS, *_extra("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def quickstart(session):
    """Run the main job: CIF files and cells to ranked space groups, with three pictures."""
    session.install(*CONSTRAINTS, ".[all]")
    session.run("python", "examples/quickstart.py", *session.posargs)


@nox.session
def cluster(session):
    """Run the tests that start a Dask cluster of worker processes."""
    session.install(*CONSTRAINTS, "-e", ".[test]")
    session.run("pytest", "-m", "cluster", "tests", *session.posargs, env=ONE_THREAD)


@nox.session
def docs(session):
    """Build the site, pictures included; a warning or a broken link is an error."""
    session.install(*CONSTRAINTS, "-e", ".[docs]")
    session.run("python", "tools/assemble_docs.py", "build/docs/source")
    build = ["sphinx-build", "-W", "--keep-going", "-b", "html", "-c", "docs"]
    session.run(*build, *session.posargs, "build/docs/source", "build/docs/html", env=ONE_THREAD)
    session.run("python", "tools/check_links.py", "build/docs/html")


@nox.session
def minimums(session):
    """Run the test suite with the lowest versions that pyproject.toml allows."""
    lowest = Path(session.create_tmp()) / "minimums.txt"
    lowest.write_text("\n".join(_lowest_versions()) + "\n", encoding="utf-8")
    session.install("-c", str(lowest.resolve()), "-e", ".[test]")
    session.run("pytest", "-n", "auto", "--dist", "worksteal", *session.posargs, env=ONE_THREAD)


@nox.session
def newest(session):
    """Run the test suite with the newest of everything, pandas 3 among it, unconstrained.

    matminer, which pins pandas below 3, is left out, and tests that need it are skipped.
    """
    extras = _project()["optional-dependencies"]
    tools = [line for line in extras["test"] if not line.startswith("crystalml-sklearn")]
    structures = [re.match(r"[\w.-]+", line)[0] for line in extras["structures"]]
    structures = [name for name in structures if name not in ("matminer", "pandas")]
    package = "-e.[cod,neural,onnx,parquet,plot,spacegroups]"
    session.install("--upgrade", package, "pandas>=3", *structures, *tools)
    session.run("pytest", "-n", "auto", "--dist", "worksteal", *session.posargs, env=ONE_THREAD)


@nox.session
def bare(session):
    """Show that the wheel alone, beside pandas 3, reads, checks and ranks; then that it fits."""
    session.install("--upgrade", *_extra("build"), "pandas>=3")
    dist = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "build", "--wheel", "--outdir", str(dist))
    wheel = max(dist.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.install(str(wheel))
    session.run("python", "-I", "tools/try_bare.py", *session.posargs)
    session.install(f"{wheel}[spacegroups]")
    session.run("python", "-I", "tools/try_bare.py", "--fit", *session.posargs)


@nox.session
def coverage(session):
    """Run the test suite and say which lines it does not reach."""
    session.install(*CONSTRAINTS, "-e", ".[test,coverage]")
    session.run(
        "pytest",
        "-n",
        "auto",
        "--dist",
        "worksteal",
        "--cov",
        "--cov-report=term",
        *session.posargs,
        env=ONE_THREAD,
    )


@nox.session
def build(session):
    """Build wheel and sdist into dist/, and check that nothing is missing or foreign in them."""
    session.install(*CONSTRAINTS, *_extra("build"))
    for old in Path("dist").glob("crystalml_sklearn-*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", "dist")
    session.run("python", "tools/check_distribution.py", "dist")


@nox.session
def fuzz(session):
    """Throw damaged inputs at reader, parser and loader: -- --inputs 1000000."""
    session.install(*CONSTRAINTS, ".[neural]")
    session.run("python", "tools/fuzz.py", *session.posargs, env=ONE_THREAD)


@nox.session
def soak(session):
    """Run client and reader for long against faults, interrupts and kills: -- --minutes 10."""
    session.install(*CONSTRAINTS, ".[cod,parquet]", "psutil")
    session.run("python", "tools/soak.py", *session.posargs, env=ONE_THREAD)


@nox.session
def bench(session):
    """Measure speed beside other libraries and print the ratios as a table."""
    session.install(*CONSTRAINTS, ".[test]")
    session.run("python", "benchmarks", *session.posargs, env=ONE_THREAD)


def _project():
    return tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]


def _extra(name):
    return _project()["optional-dependencies"][name]


def _lowest_versions():
    """Turn every lower bound of pyproject.toml into a pin."""
    extras = _project()["optional-dependencies"]
    requirements = {
        *_project()["dependencies"],
        *(line for name in extras for line in extras[name]),
    }
    for requirement in sorted(requirements):
        bound = re.match(r"([A-Za-z0-9_.-]+)>=([^,;]+)", requirement)
        if bound:
            yield f"{bound[1]}=={bound[2]}"
