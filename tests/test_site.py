"""The sources of the site are whole, and broken links are found; Sphinx runs in ``nox -s docs``."""

import os
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(ROOT / "tools" / "assemble_docs.py"))


@pytest.fixture(scope="module")
def site(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    tool["assemble"](folder)
    return folder


def pages(site):
    found = [*site.rglob("*.md"), *site.rglob("*.rst")]
    return {page.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in found}


def test_every_page_is_reached_by_one_toctree_and_back(site):
    names = {page.rpartition(".")[0] for page in pages(site)} - {"index"}
    trees = [
        line
        for text in pages(site).values()
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.S)
        for line in tree.split()
        if not line.startswith(":") and not line.startswith("crystalml") and not line.isdigit()
    ]
    assert sorted(trees) == sorted({*names, "gallery/index"})


def test_every_name_of_the_api_page_leads_to_its_own(site):
    original, text = (
        (folder / "api.md").read_text(encoding="utf-8").partition("## crystalml.")[2]
        for folder in (ROOT / "docs", site)
    )
    listed = re.findall(r"^\| `(\w+)` \| .* \|$", original, re.M)
    linked = re.findall(r"^\| \[`(\w+)`\]\((.+?)\) \|", text, re.M)
    assert [name for name, _ in linked] == listed
    for name, target in linked:
        stub = (site / target).read_text(encoding="utf-8")
        assert stub.startswith(f"{name}\n{'=' * len(name)}\n")
        assert re.search(rf"^\.\. (auto\w+|py:data):: {name}$", stub, re.M)


def test_links_lead_to_pages_of_the_site_or_to_examples(site):
    for page, text in pages(site).items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            there = Path(os.path.normpath((site / page).parent / target))
            example = ROOT / "examples" / f"{there.stem}.py"
            in_gallery = there.parent == site / "gallery" and example.exists()
            assert in_gallery or there.exists(), f"{page}: {target} leads nowhere"


def test_only_methods_of_this_library_are_described(tool):
    from crystalml import CellDescriptors

    assert {"fit", "transform", "get_feature_names_out"} <= set(
        tool["own_members"](CellDescriptors)
    )
    assert not {"set_output", "get_params"} & set(tool["own_members"](CellDescriptors))


def test_pages_are_left_alone_when_unchanged_and_removed_with_their_originals(tool, site):
    page, stale = site / "index.md", site / "user_guide" / "withdrawn.md"
    before = page.stat().st_mtime_ns
    stale.write_text("# Withdrawn\n", encoding="utf-8")
    tool["assemble"](site)
    assert page.stat().st_mtime_ns == before
    assert not stale.exists()


GOOD_PAGE = """<html><body id="top"><a href="#top">up</a> <a href="sub/">down</a>
<a href="sub/index.html#a%20b">there</a> <a href="https://example.org/x#y">elsewhere</a>
<img src="one.png" srcset="one.png, two.png 2.00x"> <a href="sub/index.html?q=1">asked</a>
</body></html>"""


@pytest.fixture
def built(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(GOOD_PAGE)
    (tmp_path / "sub" / "index.html").write_text('<p id="a b"><a href="../index.html">up</a>')
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "template.html").write_text('<a href="{{ nowhere }}">')
    for name in ("one.png", "two.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture(scope="module")
def links():
    return runpy.run_path(str(ROOT / "tools" / "check_links.py"))


def test_a_site_without_broken_links_passes(links, built, capsys):
    assert list(links["broken_links"](built)) == []
    assert links["main"](built) == 0
    assert capsys.readouterr().out == "2 pages, 0 broken links\n"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('"#top"', '"#bottom"', "index.html: #bottom leads to no place on that page"),
        ("a%20b", "ab", "index.html: sub/index.html#ab leads to no place on that page"),
        ('"one.png"', '"three.png"', "index.html: three.png leads to no file"),
        ("two.png 2", "three.png 2", "index.html: three.png leads to no file"),
        ('"sub/"', '"/sub/"', "index.html: /sub/ leads out of the site"),
        ('"sub/"', '"../sub/"', "index.html: ../sub/ leads out of the site"),
    ],
)
def test_a_broken_link_is_found(links, built, capsys, before, after, problem):
    (built / "index.html").write_text(GOOD_PAGE.replace(before, after))
    assert list(links["broken_links"](built)) == [problem]
    assert links["main"](built) == 1
    assert problem in capsys.readouterr().out


def test_no_pages_are_no_success(links, tmp_path, capsys):
    assert links["main"](tmp_path) == 1
    assert "build the site first" in capsys.readouterr().err
