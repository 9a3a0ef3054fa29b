"""The commands of the guide's page run as they are written, and print what it shows."""

import json
import re
import shlex
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from crystalml._cli import main
from crystalml.datasets import load_cod_inorganic

PAGE = Path(__file__).resolve().parents[2] / "docs" / "user_guide" / "command_line.md"
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
COMMANDS = [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines()
            if line.startswith("$ ")]  # fmt: skip
MINERALS = files("ase") / "test" / "testdata" / "minerals"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Lay out what the page talks of: a file, folders, an archive and a table."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("folder_of_cifs", "mirror_of_the_cod", "more"):
        shutil.copytree(MINERALS, folder / name)
    shutil.copy(MINERALS / "cod_9017338.cif", folder / "mine.cif")
    shutil.make_archive(str(folder / "archive"), "xztar", MINERALS)
    return folder


@pytest.fixture
def at_desk(desk, monkeypatch, capsys):
    """Run one line of the page there; return exit code and output."""
    monkeypatch.chdir(desk)

    def run(line):
        arguments = shlex.split(line)
        assert arguments[0] == "crystalml"
        to = arguments[arguments.index(">") + 1] if ">" in arguments else None
        code = main(arguments[1:-2] if to else arguments[1:])
        return code, capsys.readouterr().out

    return run


def test_the_page_has_commands_and_no_other_prompt():
    assert {line.split()[1] for line in COMMANDS} == {"rank", "read", "check", "compare"}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_the_page_run(at_desk, desk, line):
    if line.startswith(("crystalml compare", "crystalml check table")):
        frame = load_cod_inorganic().frame.head(100)
        frame.to_parquet(desk / "table.parquet")
    code, out = at_desk(line)
    assert code in (0, 1)
    if "--json" in line:
        assert json.loads(out)
    for name in re.findall(r"-o (\S+)", line):
        assert (desk / name).exists()


def test_what_the_page_shows_is_what_is_printed(at_desk):
    """All but the digits of the probabilities, which are those of one version of the model."""
    shown = BLOCKS[0].partition("\n")[2].splitlines()
    _, out = at_desk(COMMANDS[0])
    printed = out.rstrip("\n").splitlines()
    assert printed[:3] == shown[:3]
    assert len(printed) == len(shown)
    assert printed[3].split()[:4] == shown[3].split()[:4]
    probability = re.compile(r"\b[01]\.\d{4}\b")
    values = [[float(value) for value in probability.findall("".join(x))] for x in (shown, printed)]
    assert values[0] == pytest.approx(values[1], abs=0.02)
