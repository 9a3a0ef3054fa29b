"""Assemble the sources of the documentation site: ``python tools/assemble_docs.py FOLDER``.

The pages in ``docs`` are written to be read in the repository too. For the site they are copied
to a folder of their own, where links to examples lead to the gallery, ``docs/api.md`` leads to a
generated page for every public name, and the changelog and its like become pages. Nothing is
written beside the originals. The names on the API page are the single list of what is public.
"""

import argparse
import inspect
import os
import re
from importlib import import_module
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
# Files outside docs that are pages of the site.
OTHER_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "measured.md",
}
GUIDE_ORDER = (
    "read_cifs",
    "scale_out",
    "cod",
    "data",
    "crystallography",
    "check_and_convert",
    "describe",
    "classify",
    "neural",
    "rank",
    "predict_cells",
    "evaluate",
    "leaks",
    "reproduction",
    "pictures",
    "save_and_deploy",
    "command_line",
)  # of those that exist, and then what is not named here, by name
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)


def assemble(folder: Path) -> None:
    """Write all pages of the site into `folder`; a page that is unchanged keeps its date."""
    pages = {path: page_of(path) for path in originals()}
    texts = {page: site_text(path, page, folder) for path, page in pages.items()}
    texts["guide.md"] = guide_page(pages.values())
    texts["index.md"] += hidden_toctree(main_pages(pages.values()))
    texts["api.md"], stubs = api_pages(texts["api.md"])
    texts |= stubs
    for page, text in texts.items():
        write(folder / page, text)
    remove_leftovers(folder, texts)


def originals() -> list[str]:
    """Return what becomes a page, by its path in the repository."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [*found, *OTHER_PAGES]


def page_of(path: str) -> str:
    """Place a file of the repository in the site."""
    if path in OTHER_PAGES:
        return OTHER_PAGES[path]
    if path == "README.md":
        return "index.md"
    if re.fullmatch(r"examples/plot_\w+\.py", path):
        return f"gallery/{PurePosixPath(path).stem}.rst"
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"


def site_text(path: str, page: str, folder: Path) -> str:
    """Return the text of a file with links that hold in the site, outside code blocks."""
    parts = FENCE.split((ROOT / path).read_text(encoding="utf-8"))
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = re.sub(r"^```python$", "```pycon", part, flags=re.M)
            parts[i] = re.sub(r"^```py$", "```python", parts[i], flags=re.M)
            parts[i] = parts[i].replace("\n\n```", "\n```")  # the end of a doctest's output
        else:
            parts[i] = LINK.sub(lambda link: site_link(link, path, page, folder), part)
    return "".join(parts)


def site_link(link: re.Match, path: str, page: str, folder: Path) -> str:
    """Rewrite one link; a file that is no page is copied to be downloaded."""
    target, hash_sign, fragment = link[2].partition("#")
    if not target or re.match(r"[a-z]+:", target):
        return link[0]
    there = os.path.normpath(PurePosixPath(path).parent / target)
    placed = page_of(there)
    if placed.startswith("files/"):
        write(folder / placed, (ROOT / there).read_text(encoding="utf-8"))
    relative = os.path.relpath(placed, PurePosixPath(page).parent)
    text = link[1]
    if text.endswith(PurePosixPath(there).name) and not placed.startswith("files/"):
        text = title(there)
    return f"[{text}]({relative}{hash_sign}{fragment})"


def title(path: str) -> str:
    """Return the title of an example or of a page."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return lines[1] if path.endswith(".py") else lines[0].removeprefix("# ")


def guide_page(pages) -> str:
    """Make the page that leads through the user guide."""
    names = [page.removesuffix(".md") for page in pages if page.startswith("user_guide/")]
    known = [f"user_guide/{name}" for name in GUIDE_ORDER]
    names = [*(name for name in known if name in names), *sorted(set(names) - set(known))]
    return (
        "# User guide\n\nBy task, in the order in which data travel: from files to a table, "
        "to descriptors, to models, to an honest judgement. Every snippet is run with the tests, "
        "and every page says where its tools end.\n\n"
        "```{toctree}\n:maxdepth: 2\n\n" + "\n".join(names) + "\n```\n"
    )


def main_pages(pages) -> list[str]:
    """Return what the bar at the top leads to; pages that are not named here come last."""
    names = {page.removesuffix(".md") for page in pages if "/" not in page} - {"index"}
    first = ["guide", "gallery/index", "api", "comparison", "changelog"]
    last = ["measured", "contributing", "security"]
    return [
        *(name for name in first if name in names or name in ("guide", "gallery/index")),
        *sorted(names - {*first, *last}),
        *last,
    ]


def hidden_toctree(names, caption="") -> str:
    """Return a toctree that shows in the navigation alone."""
    caption = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{caption}\n" + "\n".join(names) + "\n```\n"


def api_pages(text: str) -> tuple[str, dict[str, str]]:
    """Link every name of the API page to a page of its own, and write these pages."""
    head, *sections = re.split(r"^(?=## crystalml\b)", text, flags=re.M)
    tops = re.findall(r"`(\w+)`", sections[0].partition("|---|")[2])
    stubs, toctrees, homes = {}, [], {}
    for i, section in enumerate(sections[1:], start=1):
        package = re.match(r"## (crystalml\.\w+)", section)[1]
        rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.M)
        for name, summary in rows:
            stubs[f"api/{package}.{name}.rst"] = api_stub(package, name, summary, name in tops)
            homes[name] = f"api/{package}.{name}.rst"
        sections[i] = re.sub(
            r"^\| `(\w+)` \|", lambda row: f"| [`{row[1]}`]({homes[row[1]]}) |", section, flags=re.M
        )
        toctrees.append(hidden_toctree([f"api/{package}.{name}" for name, _ in rows], package))
    sections[0] = re.sub(
        r"`(\w+)`", lambda name: f"[{name[0]}]({homes.get(name[1], name[1])})", sections[0]
    )
    return "".join([head, *sections, *toctrees]), stubs


def api_stub(package: str, name: str, summary: str, is_top: bool) -> str:
    """Write the page of one public name, for autodoc and the gallery to fill."""
    item = getattr(import_module(package), name)
    lines = [f".. currentmodule:: {package}", ""]
    if inspect.isclass(item):
        lines += class_directive(name, item)
    elif inspect.isroutine(item):
        lines += [f".. autofunction:: {name}"]
    else:
        lines += constant_directive(name, item, summary)
    names = f"{package}.{name} crystalml.{name}" if is_top else f"{package}.{name}"
    if not inspect.isclass(item) or not issubclass(item, BaseException):
        lines += ["", f".. minigallery:: {names}", "   :add-heading: Examples in the gallery"]
    return "\n".join([name, "=" * len(name), "", *lines, ""])


def class_directive(name: str, item: type) -> list[str]:
    """Document a class with what this library defines in it, inherited or not."""
    if issubclass(item, BaseException):
        return [f".. autoexception:: {name}", "   :show-inheritance:"]
    members = [
        f"   .. auto{kind}:: {name}.{member}" for member, kind in sorted(own_members(item).items())
    ]
    return [f".. autoclass:: {name}", "", *members]


def own_members(item: type) -> dict[str, str]:
    """Return the documented public methods and properties that are not scikit-learn's."""
    found = {}
    for parent in inspect.getmro(item):
        if parent.__module__.partition(".")[0] != "crystalml":
            continue
        for name, member in vars(parent).items():
            if name.startswith("_") or re.fullmatch(r"set_\w+_request", name):
                continue
            kind = "property" if isinstance(member, property) else "method"
            if (kind == "property" or inspect.isroutine(member)) and member.__doc__:
                found.setdefault(name, kind)
    return found


def constant_directive(name: str, item, summary: str) -> list[str]:
    """Document a constant by its values, which autodoc would print on one line."""
    lines = [f".. py:data:: {name}", "", f"   {sentence(summary)}", ""]
    if isinstance(item, dict):
        lines += ["   .. list-table::", "      :widths: auto", ""]
        for key, value in item.items():
            lines += [f"      * - ``{key}``", f"        - {sentence(value)}"]
        return lines
    return [*lines, "   " + ", ".join(f"``{value}``" for value in item)]


def sentence(text: str) -> str:
    """Turn an entry of the API page into a sentence of reStructuredText."""
    text = re.sub(r"_(?!\w)", r"\\_", text.replace("`", "``").rstrip("."))
    return f"{text[0].upper()}{text[1:]}."


def write(path: Path, text: str) -> None:
    """Write a file unless it is there already, so that builds stay incremental."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def remove_leftovers(folder: Path, texts: dict[str, str]) -> None:
    """Remove pages of an earlier run whose originals are gone; the gallery cares for itself."""
    for path in [*folder.rglob("*.md"), *(folder / "api").glob("*.rst")]:
        page = path.relative_to(folder).as_posix()
        if page not in texts and not page.startswith(("gallery/", "files/")):
            path.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the sources of the site go")
    assemble(parser.parse_args().folder)
