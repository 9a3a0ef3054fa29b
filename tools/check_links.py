"""Check the links of the built site: ``python tools/check_links.py FOLDER``.

Every address on a page that leads to another file of the site, or to a place in one, must be
there: links, pictures in all their sizes, scripts and style sheets. Addresses of other sites are
only counted, since nothing here needs the network.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.I)  # a scheme, or another host
ADDRESSES = {"href", "src", "data", "poster", "action"}


class Page(HTMLParser):
    """What a page leads to, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.addresses: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the places of one tag."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.places.add(value)
            elif name == "srcset":
                self.addresses |= {part.split()[0] for part in value.split(",") if part.strip()}
            elif name in ADDRESSES:
                self.addresses.add(value.strip())


def broken_links(folder: Path) -> Iterator[str]:
    """Yield one sentence for each address within the site that leads nowhere."""
    folder = folder.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in pages_of(folder)}
    for path, page in pages.items():
        for address in sorted(page.addresses):
            problem = None if ELSEWHERE.match(address) else fault(address, path, folder, pages)
            if problem:
                yield f"{path.relative_to(folder).as_posix()}: {address} {problem}"


def pages_of(folder: Path) -> list[Path]:
    """Return the pages of the site; the theme's own files hold templates of pages."""
    found = sorted(folder.rglob("*.html"))
    return [path for path in found if path.relative_to(folder).parts[0] != "_static"]


def fault(address: str, path: Path, folder: Path, pages: dict[Path, Page]) -> str | None:
    """Say what is wrong with an address on the page at `path`, or None."""
    target, _, place = address.partition("#")
    target = unquote(target.partition("?")[0])
    there = (path.parent / target).resolve() if target else path
    if target.startswith("/") or not there.is_relative_to(folder):
        return "leads out of the site"
    if there.is_dir():
        there = there / "index.html"
    if not there.is_file():
        return "leads to no file"
    if place and there in pages and unquote(place) not in pages[there].places:
        return "leads to no place on that page"
    return None


def main(folder: Path) -> int:
    """Print every broken link; return 1 if there is one, or if there are no pages."""
    n_pages = len(pages_of(folder))
    if not n_pages:
        print(f"{folder} holds no page; build the site first.", file=sys.stderr)
        return 1
    found = list(broken_links(folder))
    print(*found, f"{n_pages} pages, {len(found)} broken links", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the pages of the site are")
    sys.exit(main(parser.parse_args().folder))
