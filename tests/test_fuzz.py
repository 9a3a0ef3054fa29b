"""What fuzzing has found stays mended; the fuzzer itself notices what it should."""

import random
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests" / "fuzz_corpus"


@pytest.fixture(scope="module")
def fuzz():
    sys.path.insert(0, str(ROOT / "tools"))
    import fuzz

    yield fuzz
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def targets(fuzz):
    return {name: kind(CORPUS) for name, kind in fuzz.TARGETS.items()}


@pytest.mark.parametrize(
    "path",
    sorted(path for path in CORPUS.glob("*/*")),
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def test_corpus(fuzz, targets, path):
    target = targets[path.parent.name]
    assert fuzz.run_limited(target.check, path.read_bytes())


@pytest.mark.parametrize(
    ("name", "n_inputs"), [("cif", 100), ("gemmi", 300), ("formula", 300), ("model", 60)]
)
def test_some_inputs(fuzz, targets, name, n_inputs):
    outcomes = set()
    for number in range(n_inputs):
        data = fuzz._input(targets[name], "test", number)
        assert data == fuzz._input(targets[name], "test", number)
        outcomes.add(fuzz.run_limited(targets[name].check, data))
    assert len(outcomes) >= 2, "inputs are all refused, or all accepted"


def test_hangs_are_noticed(fuzz):
    def spin(data):
        while True:
            pass

    with pytest.raises(fuzz.Hang):
        fuzz.run_limited(spin, b"", limit=0.05)


def test_waiting_for_a_busy_machine_is_no_hang(fuzz):
    assert fuzz.run_limited(lambda data: time.sleep(0.2) or "done", b"", limit=0.1) == "done"


def test_wrong_answers_are_noticed(targets, monkeypatch):
    monkeypatch.setattr("crystalml.crystallography.parse_formula", lambda text: {"Na": 1.0})
    with pytest.raises(Exception, match="differ"):
        targets["formula"].check(b"NaCl")


def test_silent_differences_from_gemmi_are_noticed(targets, monkeypatch):
    target = targets["gemmi"]
    halite = target.seeds[len(list((CORPUS / "gemmi").glob("*")))]
    assert target.check(halite) == "equal"
    monkeypatch.setattr("crystalml.io._scan.sites_in", lambda *_: (1, False))
    with pytest.raises(Exception, match="n_sites"):
        target.check(halite + b"Cl2 .25 1\n")


def test_effects_of_loading_are_noticed(targets, monkeypatch, tmp_path):
    monkeypatch.setattr("crystalml.load", lambda path, **_: (tmp_path / "x").write_text(""))
    with pytest.raises(Exception, match="the file caused"):
        targets["model"].check(targets["model"].files[0])


def test_failures_are_kept(fuzz, monkeypatch, tmp_path, capsys):
    class Odd:
        name = "odd"

        def __init__(self, corpus):
            pass

        def make(self, chance):
            return chance.randbytes(4)

        def check(self, data):
            raise ValueError("odd input")

    monkeypatch.setitem(fuzz.TARGETS, "odd", Odd)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "1").write_bytes(b"1")
    monkeypatch.setattr(fuzz, "TARGETS", {"odd": Odd})
    assert fuzz.main(["--replay", str(tmp_path)]) == 1
    assert "ValueError: odd input" in capsys.readouterr().out
    fuzz._keep(tmp_path / "crashes", fuzz._input(Odd(None), 0, 1), "odd input")
    (stored,) = (path for path in (tmp_path / "crashes").iterdir() if not path.suffix)
    assert stored.read_bytes() == random.Random("0 odd 1").randbytes(4)  # noqa: S311
