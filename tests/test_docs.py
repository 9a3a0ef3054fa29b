"""The documentation is complete: every public name is listed and described, every link leads on."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import crystalml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
# Its commands are run, one by one, by tests/_cli/test_guide.py.
COMMANDS_ARE_RUN = ROOT / "docs" / "user_guide" / "command_line.md"
PACKAGES = sorted(name for name in crystalml.__all__ if inspect.ismodule(getattr(crystalml, name)))
NAMES = [
    (package, name)
    for package in PACKAGES
    for name in import_module(f"crystalml.{package}").__all__
]


def public(package, name):
    return getattr(import_module(f"crystalml.{package}"), name)


def is_documented_object(package, name):
    """Whether a name is a function or a class that is no exception: what takes a full docstring."""
    item = public(package, name)
    if inspect.isclass(item):
        return not issubclass(item, BaseException)
    return inspect.isroutine(item)


OBJECTS = [pair for pair in NAMES if is_documented_object(*pair)]
each_object = pytest.mark.parametrize(("package", "name"), OBJECTS, ids=map(".".join, OBJECTS))


def sections(text):
    """Names of the numpydoc sections of a docstring."""
    return set(re.findall(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(text), re.M))


def api_section(package):
    """Return the part of the API page under the heading of a package."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    found = re.search(rf"^## crystalml\.{package}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"docs/api.md has no section '## crystalml.{package}'"
    return found[1]


@pytest.mark.parametrize("package", PACKAGES)
def test_api_page_lists_exactly_the_public_names(package):
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", api_section(package), re.M)
    listed = [name for name, _ in lines]
    assert sorted(listed) == list(import_module(f"crystalml.{package}").__all__)
    assert all(len(text) > 10 for _, text in lines)


def test_api_page_lists_the_names_of_the_root_package():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = re.search(r"^## crystalml\n(.*?)^## ", text, re.M | re.S)[1]
    listed = re.findall(r"`(\w+)`", table.partition("|---|")[2])
    assert sorted(listed) == sorted(set(crystalml.__all__) - set(PACKAGES))


@each_object
def test_public_docstrings_are_numpydoc_with_examples(package, name):
    item = public(package, name)
    text = inspect.getdoc(item) or ""
    assert re.match(r"\S.*[.:]$", text.splitlines()[0] if text else ""), "one summary line"
    assert len(text.splitlines()) == 1 or not text.splitlines()[1], "then an empty line"
    found = sections(text)
    assert ">>> " in text, f"{name} has no example"
    assert "Examples" in found
    parameters = inspect.signature(item).parameters
    if inspect.isclass(item):
        assert found & {"Parameters", "Attributes"}, f"{name} describes no parameter or attribute"
    else:
        assert "Returns" in found, f"{name} does not say what it returns"
        assert "Parameters" in found or not parameters


@each_object
def test_every_parameter_is_described(package, name):
    item = public(package, name)
    text = inspect.getdoc(item)
    entries = re.findall(r"^([\w*]+(?:, [\w*]+)*)(?: : .*)?$", text, re.M)
    described = {word.strip("* ") for entry in entries for word in entry.split(",")}
    missing = set(inspect.signature(item).parameters) - described
    assert not missing, f"{name}: {sorted(missing)} not described"


@pytest.mark.parametrize("name", ["FLAGS", "CHECK_FLAGS"])
def test_flags_say_what_they_mean(name):
    flags = public("io", name)
    assert flags
    assert all(re.fullmatch(r"[a-z_]+", flag) and meaning for flag, meaning in flags.items())


def anchor(heading):
    """Turn a heading into the anchor that GitHub and MyST make of it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT), f"{target} leads out of the project"
        assert linked.exists(), f"{target} leads nowhere"
        if fragment:
            assert fragment in headings(linked), f"{target}: no such heading"


def test_landing_page_leads_to_every_page_and_example():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "index.md":
            assert f"({page.relative_to(ROOT / 'docs').as_posix()})" in text, f"{page} not linked"
    for example in (ROOT / "examples").glob("[!_]*.py"):  # one with _ is part of another
        assert f"(../examples/{example.name})" in text, f"{example.name} is not in the gallery list"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_in_pages_can_fail(page):
    """No snippet hides its output behind an ellipsis or a skip."""
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        outputs = [line for line in block.splitlines() if not line.startswith((">>>", "... "))]
        assert all(line.strip() != "..." for line in outputs)
        assert "+SKIP" not in block
        assert ">>> " in block, "a python block is a doctest"
        assert block.endswith("\n\n"), "an empty line ends the last output, or it includes ```"


def unaccounted(text, commands_are_run=False):
    """Return the code blocks that are neither run by the tests nor say why they are not."""
    found = []
    for block in re.finditer(r"^```(.*?)\n(.*?)^```$", text, re.M | re.S):
        language, code = block.groups()
        paragraph = text[: block.start()].rstrip().rpartition("\n\n")[2]
        reason = paragraph + code.partition("\n")[0]
        if language == "python" and ">>> " in code:
            continue
        if language == "console" and commands_are_run and code.startswith("$ crystalml "):
            continue
        if language in ("py", "console") and ">>> " not in code and re.search("[Nn]ot run", reason):
            continue
        found.append(code)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_block_is_run_or_says_why_not(page):
    text = page.read_text(encoding="utf-8")
    assert unaccounted(text, commands_are_run=page == COMMANDS_ARE_RUN) == []
    assert not re.search(r"^( {4}|\t| *~~~)", re.sub(r"```.*?```", "", text, flags=re.S), re.M)


def test_blocks_without_a_reason_are_found():
    doctest = "```python\n>>> 1\n1\n\n```\n"
    marked = "Needs the network, not run here:\n\n```py\nfetch()\n```\n"
    assert unaccounted(f"Text.\n\n{doctest}\n{marked}\nText.\n\n{doctest}") == []
    assert unaccounted("```py\n# Not run here: it needs a cluster.\nfit()\n```\n") == []
    for bad in (
        "Text.\n\n```py\nfetch()\n```\n",
        "Text.\n\n```python\nfetch()\n```\n",
        "Text.\n\n```\nfetch()\n```\n",
        "Text.\n\n```text\nfetch()\n```\n",
        "Text.\n\n```console\n$ crystalml rank x.cif\n```\n",
        "Not run here.\n\n```py\n>>> fetch()\n```\n",
    ):
        assert len(unaccounted(f"{marked}\n{bad}")) == 1
    assert unaccounted("Text.\n\n```console\n$ crystalml x\n```\n", commands_are_run=True) == []


GUIDE = sorted((ROOT / "docs" / "user_guide").glob("*.md"))
TOOLS = [page for page in GUIDE if page.stem != "reproduction"]  # that one is a report


@pytest.mark.parametrize("page", TOOLS, ids=lambda page: page.stem)
def test_every_guide_page_says_where_its_tools_end(page):
    page_headings = re.findall(r"^##+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    assert any(re.match(r"Limits\b|What .*\bnot\b", heading) for heading in page_headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sessions_and_scripts_that_pages_name_exist(page):
    text = page.read_text(encoding="utf-8")
    sessions = re.findall(r"^def ([a-z]\w*)\(session\)", (ROOT / "noxfile.py").read_text(), re.M)
    for named in re.findall(r"nox -s ((?:[a-z]+(?: (?=[a-z]+\b[`\n]))?)+)", text):
        assert set(named.split()) <= set(sessions), f"nox has no session {named}"
    for script in re.findall(r"\b(?:tools|benchmarks|examples)/\w+\.py\b", text):
        assert (ROOT / script).exists(), f"{script} is not there"
