"""Every gallery example runs, and draws at least one picture whose axes say what they show."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
GALLERY = sorted(EXAMPLES.glob("plot_*.py"))


@pytest.fixture
def figures(monkeypatch):
    """Close what was open, keep `show` from looking for a display, and close what was drawn."""
    plt.close("all")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")


def labelled(ax):
    """Whether both axes of a plot, or the one axis of a colour bar, carry a text."""
    if ax.get_label() == "<colorbar>":
        return bool(ax.get_xlabel() or ax.get_ylabel())
    # Axes that share a scale are labelled once, at the left or at the bottom.
    shared = [other for group in (ax.get_shared_x_axes(), ax.get_shared_y_axes())
              for other in group.get_siblings(ax)]  # fmt: skip
    has = {name: any(getattr(other, f"get_{name}label")() for other in shared) for name in "xy"}
    return all(getattr(ax, f"get_{name}label")() or has[name] for name in "xy")


@pytest.mark.parametrize("example", GALLERY, ids=lambda path: path.stem)
def test_gallery_example_draws_labelled_pictures(example, figures, capsys):
    runpy.run_path(str(example), run_name="__main__")
    drawn = figures()
    assert drawn, f"{example.name} draws nothing"
    for figure in drawn:
        figure.canvas.draw()
        assert figure.axes
        assert all(labelled(ax) for ax in figure.axes), f"{example.name}: an axis has no label"
        assert all(ax.has_data() for ax in figure.axes), f"{example.name}: empty axes"


@pytest.mark.parametrize("example", GALLERY, ids=lambda path: path.stem)
def test_gallery_example_has_the_shape_that_sphinx_gallery_reads(example):
    text = example.read_text(encoding="utf-8")
    title, underline = text.removeprefix('"""\n').splitlines()[:2]
    assert underline == "=" * len(title), "the docstring opens with a title, underlined as long"
    headings = re.findall(r"^# %%\n# (.+)\n# (-+)$", text, re.M)
    assert len(headings) >= 2, "an example is told in at least two headed blocks"
    assert all(len(line) == len(heading) for heading, line in headings)
    assert text.count("plt.show()") >= 1


def test_gallery_exists():
    assert len(GALLERY) >= 6
