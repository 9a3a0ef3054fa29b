"""Ready models: shipped with a checksum, or fitted once, kept, and made anew when damaged."""

import hashlib
import importlib.util
import json
import os
from pathlib import Path

import pandas as pd
import pytest
from tests.pretrained.small_recipe import small_recipe

from crystalml import load_pretrained
from crystalml.exceptions import CrystalmlWarning, InvalidInputError, PersistenceError
from crystalml.pretrained import _load as loading
from crystalml.pretrained import pretrained_card
from crystalml.pretrained._build import build_model
from crystalml.pretrained._locations import cache_folder, cached_file, shipped_file
from crystalml.pretrained._recipes import RECIPES

RUTILE = pd.DataFrame(
    [[4.59, 4.59, 2.96, 90, 90, 90, "TiO2"]],
    columns=["a", "b", "c", "alpha", "beta", "gamma", "formula"],
)
TOOL = Path(__file__).resolve().parents[2] / "tools" / "train_pretrained.py"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the file of a small model that was fitted by its recipe."""
    path = tmp_path_factory.mktemp("built") / "model.crystalml"
    build_model(small_recipe(), path, progress=False)
    return path


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Let cod-inorganic be a small model, with nothing shipped and an empty cache."""
    monkeypatch.setitem(RECIPES, "cod-inorganic", small_recipe())
    monkeypatch.setattr(loading, "shipped_file", lambda name: tmp_path / "shipped" / name)
    monkeypatch.setenv("CRYSTALML_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def cached(small, built):
    """Put the small model into the cache."""
    path = cached_file(RECIPES["cod-inorganic"])
    path.parent.mkdir(parents=True)
    path.write_bytes(built.read_bytes())
    return path


def count_builds(monkeypatch, content):
    """Let building write `content`, and return the list of what was built."""
    calls = []

    def build(recipe, path, *, progress):
        calls.append(path)
        path.write_bytes(content)

    monkeypatch.setattr("crystalml.pretrained._build.build_model", build)
    return calls


def test_built_once_and_then_read_from_the_cache(small, built, monkeypatch):
    calls = count_builds(monkeypatch, built.read_bytes())
    first = load_pretrained("cod-inorganic")
    again = load_pretrained("cod-inorganic")
    assert calls == [cached_file(RECIPES["cod-inorganic"])]
    assert first is not again
    assert (first.predict_proba(RUTILE) == again.predict_proba(RUTILE)).all()


def test_the_recipe_gives_the_same_model_again(built, tmp_path):
    build_model(small_recipe(), tmp_path / "again.crystalml", progress=False)
    first, again = (loading.load(path) for path in (built, tmp_path / "again.crystalml"))
    assert (first.predict_proba(RUTILE) == again.predict_proba(RUTILE)).all()


@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: b"", lambda data: b"PK"])
def test_a_damaged_cache_is_told_and_made_anew(cached, built, monkeypatch, damage):
    cached.write_bytes(damage(cached.read_bytes()))
    calls = count_builds(monkeypatch, built.read_bytes())
    with pytest.warns(CrystalmlWarning, match="damaged and is fitted anew"):
        load_pretrained("cod-inorganic")
    assert calls == [cached]


def test_a_cache_that_cannot_be_written_is_told_before_the_work(small, monkeypatch):
    (small / "file").write_text("no folder")
    monkeypatch.setenv("CRYSTALML_CACHE", str(small / "file"))
    calls = count_builds(monkeypatch, b"")
    with pytest.raises(PersistenceError, match=r"cannot be written .* CRYSTALML_CACHE"):
        load_pretrained("cod-inorganic")
    assert not calls


def shipped(folder, built, monkeypatch, checksum):
    path = folder / "cod-inorganic.crystalml"
    path.write_bytes(built.read_bytes())
    if checksum is not None:
        path.with_suffix(".sha256").write_text(f"{checksum}  {path.name}\n")
    monkeypatch.setattr(loading, "shipped_file", lambda name: path)


def test_a_shipped_file_comes_first(small, built, monkeypatch):
    calls = count_builds(monkeypatch, b"")
    shipped(small, built, monkeypatch, hashlib.sha256(built.read_bytes()).hexdigest())
    assert load_pretrained("cod-inorganic").predict(RUTILE).shape == (1,)
    assert not calls


@pytest.mark.parametrize("checksum", ["0" * 64, "", None])
def test_a_shipped_file_with_another_checksum_is_refused(small, built, monkeypatch, checksum):
    shipped(small, built, monkeypatch, checksum)
    with pytest.raises(PersistenceError, match=r"checksum is wrong.*force-reinstall"):
        load_pretrained("cod-inorganic")


@pytest.mark.parametrize("name", ["cod", "", None, 3, "../cod-inorganic"])
@pytest.mark.parametrize("function", [load_pretrained, pretrained_card])
def test_unknown_names(function, name):
    with pytest.raises(InvalidInputError, match="choose from 'cod-inorganic'"):
        function(name)


def test_the_cache_is_where_the_platform_wants_it(monkeypatch, tmp_path):
    monkeypatch.delenv("CRYSTALML_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "crystalml"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere" / "crystalml"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "crystalml"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert cache_folder() == tmp_path / "Local" / "crystalml" / "Cache"


def test_the_name_in_the_cache_changes_with_the_recipe(monkeypatch):
    recipe = small_recipe()
    other = recipe._replace(parameters={**recipe.parameters, "random_state": 1})
    assert cached_file(recipe) == cached_file(small_recipe()) != cached_file(other)


@pytest.fixture
def tool(built, monkeypatch):
    """Return the module of the tool, with a fit that takes no time."""
    spec = importlib.util.spec_from_file_location("train_pretrained", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    content = built.read_bytes()
    monkeypatch.setattr(
        module, "build_model", lambda recipe, path, n_jobs: path.write_bytes(content)
    )
    return module.main


FIGURES = {
    "protocol": "Five folds of whole chemical systems.",
    "command": "python benchmarks/study.py",
    "rows": 12345,
    "figures": {"accuracy": {"new systems": 0.5, "random": 0.75}, "log loss": 1.25},
}


def test_the_tool_writes_model_checksum_and_card(tool, tmp_path):
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps(FIGURES))
    options = ["--every", "40", "--folder", str(tmp_path), "--figures", str(figures)]
    assert tool(options) == 0
    model = tmp_path / "cod-inorganic.crystalml"
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert model.with_suffix(".sha256").read_text().split() == [digest, model.name]
    card = model.with_suffix(".md").read_text(encoding="utf-8")
    assert "12,345 answers are counted" in card
    assert "| accuracy | 0.500 | 0.750 |  |" in card
    assert "| log loss |  |  | 1.250 |" in card
    assert "## Limits" in card
    assert "| groups | " in card
    date = model.stat().st_mtime_ns
    figures.write_text(json.dumps({**FIGURES, "rows": 7}))
    assert tool([*options, "--card-only"]) == 0
    assert model.stat().st_mtime_ns == date
    assert " 7 answers are counted" in model.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        json.dumps({**FIGURES, "more": 1}),
        json.dumps({**FIGURES, "rows": True}),
        json.dumps({**FIGURES, "figures": {}}),
        json.dumps({**FIGURES, "figures": {"accuracy": "high"}}),
        json.dumps({**FIGURES, "figures": {"accuracy": {}}}),
    ],
)
def test_figures_that_are_none_stop_the_tool_before_the_work(tool, tmp_path, content):
    (tmp_path / "figures.json").write_text(content)
    with pytest.raises(InvalidInputError, match=r"figures\.json"):
        tool(["--folder", str(tmp_path), "--figures", str(tmp_path / "figures.json")])
    assert os.listdir(tmp_path) == ["figures.json"]


def test_the_card_of_a_cached_model_and_of_none(cached, monkeypatch):
    absent = cached.with_name("absent.json")
    monkeypatch.setattr("crystalml.pretrained._card.figures_file", lambda name: absent)
    assert "No figures on held-out rows" in pretrained_card("cod-inorganic")
    cached.unlink()
    with pytest.raises(PersistenceError, match="is not there yet"):
        pretrained_card("cod-inorganic")


@pytest.mark.skipif(
    not shipped_file("cod-inorganic").is_file(), reason="the model is not in this checkout"
)
def test_the_shipped_model_answers():
    ranked = load_pretrained("cod-inorganic").rank(RUTILE, k=1)
    assert ranked["spacegroup_number"].tolist() == [136]
    assert "## Evaluation" in pretrained_card("cod-inorganic")
