"""Every gallery example runs and draws labelled pictures; the reproduced study shows its leaks."""

import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from crystalml import plotting

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


@pytest.mark.parametrize("name", plotting.__all__)
def test_every_kind_of_picture_is_in_the_gallery(name):
    assert any(re.search(rf"\b{name}\(", example.read_text("utf-8")) for example in GALLERY)


class TestReproducedStudy:
    """All parts on few rows, whose figures say little; the leak shows all the same."""

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("study")
        few = ["--rows", "350", "--epochs", "1", "--folds", "2", "--no-progress"]
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(EXAMPLES)
            script = str(EXAMPLES / "reproduce_thesis.py")
            patch.setattr(sys, "argv", [script, "--output", str(folder), *few])
            runpy.run_path(script, run_name="__main__")
        yield folder
        plt.close("all")

    @pytest.fixture(scope="class")
    def table(self, folder):
        """Quantity -> the study's figure, ours with the mistakes, ours without, the baseline."""
        text = (folder / "study.md").read_text(encoding="utf-8")
        rows = [line.strip("| ").split(" | ") for line in text.split("\n\n")[1].splitlines()]
        assert rows[0] == [
            *("quantity", "the study", "ours, mistakes on", "ours, mistakes off", "baseline"),
        ]
        return {quantity: figures for quantity, *figures in rows[2:]}

    def test_every_figure_of_the_study_is_there(self, table):
        study = {quantity: figures[0] for quantity, figures in table.items()}
        assert list(study.values()) == [
            *("0.99", "0.97", "0.77", "0.73", "0.60", "0.58"),  # six classifiers
            *("0.599", "0.557", "0.210"),  # MLP
            "0.85",  # composition
            *("0.9972", "0.44", "0.9255"),  # volumes
        ]
        assert next(iter(study)) == "accuracy, decision tree"

    @pytest.mark.parametrize("model", ["decision tree", "random forest"])
    def test_trees_live_on_the_leak(self, table, model):
        _, with_mistakes, without, baseline = table[f"accuracy, {model}"]
        first = [float(text.split()[0]) for text in (with_mistakes, without, baseline)]
        assert first[0] > 0.9 > 0.7 > first[1] > first[2]

    def test_composition_falls_without_the_leak(self, table):
        _, with_mistakes, without, _ = table["weighted F1, composition classifier"]
        assert float(with_mistakes) > float(without) + 0.2

    def test_formula_of_the_volume_stands_beside_the_nets(self, table):
        volumes = {q: f for q, f in table.items() if q.startswith("R^2")}
        assert len(volumes) == 3
        assert all(figures[3] == "1.0000 by the formula" for figures in volumes.values())

    def test_audit_names_the_leaking_columns_and_each_mistake_is_weighed(self, folder):
        text = (folder / "study.md").read_text(encoding="utf-8")
        leaks = re.findall(r"^\| leak \| (.+?) \|", text, re.M)
        assert leaks == ["spacegroup_number", "hall_code"]
        steps = text.partition("## Mistake by mistake")[2]
        assert len(re.findall(r"^\| .+ \| 0\.\d+ |^\| .+ \| 1\.000 ", steps, re.M)) == 4

    def test_pictures_of_data_models_and_errors(self, folder):
        pictures = {path.stem for path in folder.glob("*.png")}
        assert len(pictures) == 34
        assert {"structures", "ranking", "confusion", "learning_curves", "reliability"} < pictures
        assert all(path.stat().st_size > 5000 for path in folder.glob("*.png"))


def test_gallery_exists():
    assert len(GALLERY) >= 6
