"""The sources of the documentation site are whole; Sphinx itself runs in ``nox -s docs`` alone."""

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
