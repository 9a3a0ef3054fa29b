"""The order of the gallery: that of the list on the landing page."""

import re
from pathlib import Path

LANDING_PAGE = Path(__file__).resolve().parents[1] / "index.md"


def position(filename):
    """Return a sort key of an example's file name; what is not listed comes last."""
    listed = re.findall(r"\(\.\./examples/(\w+\.py)\)", LANDING_PAGE.read_text(encoding="utf-8"))
    return (listed.index(filename) if filename in listed else len(listed), filename)
