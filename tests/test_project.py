"""What the project's own papers promise is what its scripts do."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme():
    command = read(".ci/run").strip().splitlines()[-1]
    assert command.endswith("nox -s lint tests")
    assert command in read("README.md").splitlines()


def test_readme_names_the_quickstart_command():
    assert re.search(r"^python3 -m venv \.venv && .*nox -s quickstart$", read("README.md"), re.M)


def test_the_security_policy_is_found_and_shipped():
    policy = read("SECURITY.md")
    for part in ("Report a vulnerability", "Supported versions", "CIF files", "Model files",
                 "Downloads"):  # fmt: skip
        assert part in policy
    assert "@" not in policy, "reports go through the form, not by mail"
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "](SECURITY.md)" in read(page)
    build = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]
    assert "/SECURITY.md" in build["targets"]["sdist"]["include"]
    assert '"SECURITY.md"' in read("tools/check_distribution.py")


def test_the_plan_of_the_house_names_every_package():
    package = ROOT / "src" / "crystalml"
    folders = {f"{p.parent.relative_to(package).as_posix()}/" for p in package.rglob("__init__.py")}
    named = re.findall(r"^\| \d? ?\| `([\w/]+/)` \| .+ \|$", read("CONTRIBUTING.md"), re.M)
    assert len(named) == len(set(named))
    assert set(named) == folders - {"./"}


def test_every_place_named_to_contributors_exists():
    page, package = read("CONTRIBUTING.md"), ROOT / "src" / "crystalml"
    section = page.partition("### Where is ...?")[2].partition("\n## ")[0]
    answers = re.findall(r"^\| .+ \| (`.+) \|$", section, re.M)[1:]
    assert len(answers) == 20
    assert all(re.search(r"`[\w/]+\.py`", answer) for answer in answers)
    single = re.search(r"^\| 0 \| (.+?) \|", page, re.M)[1].replace("`", "").split(", ")
    places = {f"{name}.py" for name in single} | set(re.findall(r"`([\w/]+\.(?:py|toml))`", page))
    # Below the project, below the package, or the name of a module wherever it is.
    assert [p for p in places if not ((ROOT / p).is_file() or any(package.rglob(p)))] == []


def test_every_direct_dependency_has_a_lower_bound_and_a_tested_version():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    direct = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    pinned = {line.partition("==")[0].lower() for line in read("constraints.txt").splitlines()}
    for requirement in direct:
        name, bound = re.match(r"([A-Za-z0-9_.-]+)(.*)", requirement).groups()
        if name == project["name"]:
            continue
        assert bound.startswith(">="), f"{requirement} has no lower bound"
        assert name.lower() in pinned, f"{name} is not in constraints.txt"


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_examples_compile_and_say_what_they_show(example):
    source = example.read_text(encoding="utf-8")
    module = compile(source, str(example), "exec")
    assert module.co_consts[0].strip(), "an example opens with a docstring"
