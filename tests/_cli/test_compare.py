"""The command that compares classical classifiers on a table."""

import json

import pytest

from crystalml import model_selection
from crystalml._cli import main
from crystalml._cli._tables import write_table
from crystalml.datasets import load_cod_inorganic

pytestmark = pytest.mark.skipif(
    "compare_models" not in model_selection.__all__, reason="compare_models is not there"
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare") / "table.csv"
    frame = load_cod_inorganic().frame.head(300).copy()
    frame.loc[3, "formula"] = "no formula"
    frame.loc[5, "a"] = None
    write_table(frame, str(path))
    return str(path)


def test_compare_prints_a_table(table, capsys):
    options = ["--models", "decision_tree", "--folds", "3", "--target", "crystal_system"]
    assert main(["compare", table, *options]) == 0
    out = capsys.readouterr().out
    assert out.count("\ndecision_tree  ") == 3  # three blocks of columns
    assert "\nnearest_neighbour  " in out
    assert max(map(len, out.splitlines())) <= 80
    assert out.startswith("crystal_system, whole chemical systems held out together")


def test_compare_json(table, capsys):
    assert main(["compare", table, "--models", "decision_tree", "--folds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["report"]["rows"] == 298
    assert found["target"] == "bravais_lattice"
    assert 0 < found["models"]["decision_tree"]["accuracy"]["mean"] < 1
    assert len(found["folds"]) == 3 * 3


@pytest.mark.parametrize(
    "options", [["--models", "oracle"], ["--target", "a"], ["--target", "colour"]]
)
def test_compare_wrong_usage(table, options, capsys):
    assert main(["compare", table, *options]) == 2
    assert "choose from" in capsys.readouterr().err
