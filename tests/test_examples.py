"""Every gallery example runs and draws labelled pictures; the reproduced study shows its leaks."""

import importlib.util
import re
import runpy
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from crystalml import plotting
from crystalml.datasets import load_cod_inorganic

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


STUDY_FIGURES = [
    *("0.99", "0.97", "0.77", "0.73", "0.60", "0.58"),  # six classifiers
    *("0.599", "0.557", "0.210"),  # MLP
    "0.85",  # composition
    *("0.9972", "0.44", "0.9255"),  # volumes
]


def test_the_study_is_reproduced_with_its_mistakes_and_without(tmp_path, monkeypatch):
    """All parts on few rows, whose figures say little; the leak shows all the same.

    One test, since it takes one run.
    """
    script = str(EXAMPLES / "reproduce_thesis.py")
    few = ["--rows", "350", "--epochs", "1", "--folds", "2", "--no-progress"]
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [script, "--output", str(tmp_path), *few])
    with warnings.catch_warnings():
        # One epoch of a net on few rows predicts volumes beyond all numbers.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        runpy.run_path(script, run_name="__main__")
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    check_figures(text.split("\n\n")[1])
    check_audit(text)
    pictures = {path.stem for path in tmp_path.glob("*.png") if path.stat().st_size > 5000}
    assert len(pictures) == 34
    assert {"structures", "ranking", "confusion", "learning_curves", "reliability"} < pictures


def check_figures(table):
    """Every figure of the study is there, and falls to the honest one without the leak."""
    header, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert header[1:] == ["the study", "ours, mistakes on", "ours, mistakes off", "baseline"]
    figures = {quantity: values for quantity, *values in rows}
    assert [values[0] for values in figures.values()] == STUDY_FIGURES
    for quantity in ("accuracy, decision tree", "accuracy, random forest"):
        on, off, by_frequency = (float(text.split()[0]) for text in figures[quantity][1:])
        assert on > 0.9 > 0.7 > off > by_frequency
    _, on, off, _ = figures["weighted F1, composition classifier"]
    assert float(on) > float(off) + 0.2
    volumes = [values for quantity, values in figures.items() if quantity.startswith("R^2")]
    assert {values[3] for values in volumes} == {"1.0000 by the formula"}


def check_audit(text):
    """The audit names the leaking columns and the scaler; each mistake is weighed."""
    leaks = dict(re.findall(r"^\| leak \| (.+?) \| (.+) \|$", text, re.M))
    assert {"spacegroup_number", "hall_code"} < set(leaks)
    fitted = [names for names, why in leaks.items() if "fitted on both sides" in why]
    assert fitted, "the scaler"
    assert {"a", "b", "c", "volume", "spacegroup_number", "hall_code"} <= set(fitted[0].split(", "))
    steps = text.partition("## Mistake by mistake")[2].partition("##")[0]
    assert len(re.findall(r"^\| .+ \| [01]\.\d+ ", steps, re.M)) == 4


def test_quickstart_ranks_and_explains_before_it_fits(tmp_path, monkeypatch, capsys):
    """The whole run, with the models fitted on few rows."""
    quickstart = load_example("quickstart")

    def few_rows(**options):
        table, y = load_cod_inorganic(**options)
        return table[::12], y[::12]

    def quick_models():
        models = quickstart_models()
        models["random forest"].set_params(randomforestclassifier__n_estimators=10)
        models["MLP"].set_params(mlpnetclassifier__max_epochs=2)
        return models

    quickstart_models = quickstart.make_models
    monkeypatch.setattr(quickstart, "make_models", quick_models)
    monkeypatch.setattr(quickstart, "load_cod_inorganic", few_rows)
    monkeypatch.setattr(sys, "argv", ["quickstart.py", "--output", str(tmp_path)])
    quickstart.main()
    out, err = capsys.readouterr()
    steps = re.findall(r"^\[ *[\d.]+ s\] (\w+)", out, re.M)
    assert steps == [
        *("Reading", "Ranking", "Explaining", "Splitting", "Fitting", "Drawing", "Done"),
    ]
    assert "LaFeAsO: P 4/n m m 0." in out
    assert "P 4/n m m is rank 1" in out
    assert re.search(r"^ *formula +spacegroup_number.+\n.+ 129 ", out, re.M), "neighbours"
    assert re.search(r"^random forest +0\.\d+", out, re.M)
    pictures = {path.stem for path in tmp_path.glob("*.png") if path.stat().st_size > 5000}
    assert pictures == {"ranked_space_groups", "confusion_by_crystal_system", "reliability"}
    assert err == "", "no frames of a progress bar where there is no terminal"


def load_example(name):
    """Import an example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_gallery_exists():
    assert len(GALLERY) >= 15
