"""The command line: exit codes, text, JSON, and one sentence for what goes wrong."""

import json
import re
import shlex
import subprocess
import sys
import zipfile
from importlib.resources import files

import pandas as pd
import pytest
from tests.pretrained.small_recipe import small_recipe

import crystalml
from crystalml import CellDescriptors, read_cifs
from crystalml._cli import main
from crystalml._cli._output import plain, text_table, wrapped
from crystalml._cli._parser import make_parser
from crystalml._cli._tables import read_table, write_table
from crystalml.pretrained._build import build_model

MINERALS = str(files("ase") / "test" / "testdata" / "minerals")
HALITE = """data_halite
_cell_length_a 5.6402(2)
_cell_length_b 5.6402(2)
_cell_length_c 5.6402(2)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_chemical_formula_sum 'Cl Na'
_symmetry_space_group_name_H-M 'F m 3 m'
"""
CELL = ["--cell", "5.64", "5.64", "5.64", "90", "90", "90"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.crystalml"
    build_model(small_recipe(), path, progress=False)
    return str(path)


@pytest.fixture
def halite(tmp_path):
    path = tmp_path / "halite.cif"
    path.write_text(HALITE)
    return str(path)


@pytest.fixture
def run(capsys):
    """Run a command; return exit code, output and errors."""

    def run_command(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


def test_version_and_help(run):
    assert run("--version") == (0, f"crystalml {crystalml.__version__}\n", "")
    for command in ("read", "rank", "check", "compare"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert "exit codes" in out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["guess"],
        ["read"],
        ["rank"],
        ["rank", "--formula", "NaCl"],
        ["rank", *CELL],
        ["rank", "x.cif", "--formula", "NaCl", *CELL],
        ["rank", "x.cif", "--su", "0", "0", "0", "0", "0", "0"],
        ["rank", "--formula", "NaClx", *CELL],
        ["rank", "--formula", "NaCl", "--cell", "5", "5", "5", "90", "90", "190"],
        ["rank", "--formula", "NaCl", "--cell", "5", "5", "5"],
        ["rank", "--formula", "NaCl", *CELL, "--top", "0"],
        ["rank", "--formula", "NaCl", *CELL, "--su", "0", "0", "0", "0", "0", "-1"],
        ["rank", "--formula", "NaCl", "--cell", "5,64", "5", "5", "90", "90", "90"],
        ["rank", "--formula", "NaCl", "--cell", "5.64()x", "5", "5", "90", "90", "90"],
        ["rank", "--formula", "NaCl", "--cell", "?", "5", "5", "90", "90", "90"],
        [
            "rank",
            "--formula",
            "NaCl",
            "--cell",
            "5.64(1)",
            "5",
            "5",
            "90",
            "90",
            "90",
            "--su",
            "0",
            "0",
            "0",
            "0",
            "0",
            "0",
        ],
        ["rank", "--formula", "NaCl", *CELL, "--allowed", "P n 7"],
        ["rank", "x.csv", "y.cif"],
        ["read", "x.cif", "--n-jobs", "0"],
        ["compare", "table.csv", "--folds", "1"],
        ["compare", "table.csv", "--max-rows", "few"],
        ["read", "x.cif", "-o", "table.xlsx"],
        ["check", "x.csv", "y.cif"],
        ["check", "x.cif", "--flag", "odd"],
        ["check", "x.cif", "--top", "0"],
        ["compare", "table.txt"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_sentence_and_code_2(run, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.txt").touch()
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert len(err.strip().splitlines()[-1]) > 30


def test_python_m_is_the_same_command():
    command = [sys.executable, "-m", "crystalml", "--version"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == f"crystalml {crystalml.__version__}\n"


def test_usage_errors_and_help_load_nothing_that_takes_time():
    code = (
        "import sys; from crystalml._cli import main\n"
        "try:\n    main(['rank', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "sklearn"} & set(run.stdout.splitlines()[-1].split())


def test_rank_from_a_cold_start_loads_no_library_of_fitting(model):
    code = (
        "import sys; from crystalml._cli import main\n"
        f"main(['rank', '--formula', 'NaCl', *{CELL!r}, '--model', {model!r}])\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "sklearn" in loaded
    assert not loaded & {"lightgbm", "matminer", "matplotlib", "pymatgen", "skorch", "torch"}


def test_rank_typed_cell(run, model):
    code, out, err = run("rank", "--formula", "NaCl", *CELL, "--model", model, "--top", "3")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("NaCl   a 5.64  b 5.64  c 5.64 Å")
    header = "rank number space group probability crystal system"
    assert " ".join(out.splitlines()[2].split()) == header
    assert len(out.splitlines()) == 3 + 3 + 1


def test_rank_json_allowed_su_and_explain(run, model):
    su = ["--su", "0.01", "0.01", "0.01", "0", "0", "0"]
    code, out, _ = run(
        *["rank", "--formula", "NaN", *CELL, *su, "--model", model, "--json", "--explain"],
        *["--allowed", "cF", "--allowed", "62,14"],
    )
    found = json.loads(out)
    assert code == 0
    assert found["not_ranked"] == []
    (answer,) = found["answers"]
    assert answer["formula"] == "NaN"  # sodium nitride, and not missing
    assert answer["declared"] is None
    numbers = {candidate["spacegroup_number"] for candidate in answer["candidates"]}
    assert {14, 62} <= numbers <= {14, 62, 196, 202, 203, 209, 210, 216, 219, *range(225, 229)}
    total = sum(candidate["probability"] for candidate in answer["candidates"])
    assert total == pytest.approx(1, abs=0.05)
    assert {"formula", "spacegroup_number", "probability"} <= answer["known_crystals"][0].keys()


def test_rank_files_beside_what_they_declare(run, model, halite):
    code, out, _ = run("rank", halite, "--model", model, "--explain")
    assert code == 0
    assert "halite" in out
    assert "declared: F m 3 m (225), rank " in out
    assert "same group" in out
    code, out, _ = run("rank", halite, "--model", model, "--allowed", "tP", "--json")
    (answer,) = json.loads(out)["answers"]
    assert answer["declared"]["spacegroup_number"] == 225
    assert answer["declared"]["rank"] is None
    code, out, _ = run("rank", halite, "--model", model, "--allowed", "tP")
    assert "not among the candidates" in out


def test_rank_says_of_each_file_why_it_cannot(run, model, halite, tmp_path):
    nameless = tmp_path / "nameless.cif"
    nameless.write_text(HALITE.replace("_chemical_formula_sum 'Cl Na'\n", ""))
    flat = tmp_path / "flat.cif"
    flat.write_text(HALITE.replace("_length_b 5.6402(2)", "_length_b 0"))
    code, out, _ = run("rank", str(tmp_path), "missing.cif", "--model", model, "--json")
    found = json.loads(out)
    assert code == 1
    assert [answer["block"] for answer in found["answers"]] == ["halite"]
    reasons = {row["source"].rpartition("/")[2]: row["reason"] for row in found["not_ranked"]}
    assert reasons.keys() == {"nameless.cif", "flat.cif", "missing.cif"}
    assert reasons["nameless.cif"] == "no formula; give one with --formula"
    code, out, _ = run("rank", str(nameless), "--formula", "NaCl", "--model", model)
    assert code == 0
    assert "not ranked" not in out
    code, out, _ = run("rank", "missing.cif", "--model", model)
    assert code == 1
    assert out.startswith("not ranked: missing.cif: ")


def test_rank_with_files_that_hold_no_such_model(run, tmp_path):
    typed = ["rank", "--formula", "NaCl", *CELL, "--model"]
    crystalml.save(CellDescriptors(), tmp_path / "cells.crystalml")
    code, _, err = run(*typed, str(tmp_path / "cells.crystalml"))
    assert code == 1
    assert "holds a CellDescriptors" in err
    (tmp_path / "text").write_text("text")
    code, _, err = run(*typed, str(tmp_path / "text"))
    assert code == 1
    assert err.count("\n") == 1
    code, _, err = run(*typed, str(tmp_path / "nothing"))
    assert code == 1
    assert err.endswith("nothing: No such file or directory\n")


def test_uncertainties_in_brackets_are_those_of_su(run, model):
    command = ["rank", "--formula", "NaCl", "--model", model, "--json"]
    plain_cell = ["--cell", "5.64", "5.64", "5.64", "90", "90", "90"]
    in_brackets = ["--cell", "5.64(5)", "5.64(5)", "5.64(5)", "90.0(3)", "90", "90."]
    apart = ["--su", "0.05", "0.05", "0.05", "0.3", "0", "0"]
    found = [run(*command, *rest)[1] for rest in ([*plain_cell, *apart], in_brackets, plain_cell)]
    assert found[0] == found[1] != found[2]


def test_groups_allowed_by_symbol(run, model):
    command = ["rank", "--formula", "NaCl", *CELL, "--model", model, "--json"]
    _, out, _ = run(*command, "--allowed", "P n m a, Fm-3m", "--allowed", "14")
    numbers = {c["spacegroup_number"] for c in json.loads(out)["answers"][0]["candidates"]}
    assert numbers == {14, 62, 225}


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        (["0.564", "0.564", "0.564", "90", "90", "90"], "nm would fit"),
        (["564", "564", "564", "90", "90", "90"], "pm would fit"),
        (["5.64", "5.64", "5.64", "1.5708", "1.5708", "1.5708"], "in radians"),
        (["90", "90", "90", "5.64", "5.64", "5.64"], "exchanged"),
    ],
)
def test_a_cell_that_cannot_be_right_has_one_line_of_warning(run, model, cell, unit):
    code, out, err = run(
        "rank", "--formula", "NaCl", "--cell", *cell, "--model", model, "--explain"
    )
    assert code == 0
    assert "rank  number" in out
    assert err.startswith("crystalml rank: 1 of 1 cells cannot be right (first: --cell, ")
    assert unit in err
    assert err.count("\n") == 1


def test_a_file_in_another_unit_is_named(run, model, halite, tmp_path):
    small = tmp_path / "small.cif"
    small.write_text(HALITE.replace("5.6402(2)", "0.56402(2)"))
    _, _, err = run("rank", halite, str(small), "--model", model)
    assert f"1 of 2 cells cannot be right (first: {small}, " in err


def test_rank_tables(run, model, tmp_path):
    path = str(tmp_path / "table.csv")
    table = pd.DataFrame([["NaN", 5.0, 90.0], [None, 5.0, 90.0], ["NaCl", 5.64, 90.0]],
                         columns=["formula", "a", "alpha"])  # fmt: skip
    cells = table.assign(b=table["a"], c=table["a"], beta=90, gamma=90)
    write_table(cells.assign(spacegroup_number=[None, 1, 225]), path)
    code, out, _ = run("rank", path, "--model", model, "--json")
    found = json.loads(out)
    assert code == 1
    assert [answer["formula"] for answer in found["answers"]] == ["NaN", "NaCl"]
    assert [answer["source"] for answer in found["answers"]] == [f"{path}, row 1", f"{path}, row 3"]
    assert found["answers"][1]["declared"]["spacegroup_number"] == 225
    assert found["not_ranked"][0]["source"] == f"{path}, row 2"
    write_table(table, path)
    code, _, err = run("rank", path, "--model", model)
    assert code == 1
    assert err.startswith(
        f"crystalml rank: {path} has no column b, c, beta, gamma; it has formula,"
    )
    write_table(cells.assign(b="long"), path)
    for command in ("rank", "check"):
        code, _, err = run(command, path)
        assert code == 1
        assert f"{path}: column 'b' has 'long' in row 1, which is no number." in err


def test_messages_name_no_function_of_python(run, model, halite, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = ["rank", "--formula", "NaCl", *CELL]
    (tmp_path / "read_cifs").write_text("text")
    messages = [
        run(*arguments)[2]
        for arguments in (
            ["rank", "--formula", "NaClx", *CELL],
            [*typed, "--model", halite],
            [*typed, "--model", model, "--allowed", "231"],
            [*typed, "--model", model, "--allowed", "extinction:z"],
            [*typed, "--model", model, "--allowed", "oF,mC"],
            ["check", halite, "--flag", "odd"],
            ["compare", "read_cifs"],
        )
    ]
    python = re.compile(r"Classifier|\b\w+\.\w+\(|parse_formula|check_table|load: |None")
    assert not [message for message in messages if python.search(message)]
    assert all(message.count("\n") == 1 for message in messages)
    # A file may be called like a function.
    assert messages[-1] == "crystalml compare: read_cifs: a table is a .parquet or .csv file.\n"


def test_allowed_that_means_nothing(run, model):
    code, _, err = run("rank", "--formula", "NaCl", *CELL, "--model", model, "--allowed", "xX")
    assert code == 2
    assert "'xX'" in err


def test_read_to_every_kind_of_file(run, tmp_path):
    expected = read_cifs(MINERALS)
    for name in ("table.parquet", "table.csv", "table.csv.gz"):
        code, out, err = run("read", MINERALS, "-o", str(tmp_path / name))
        assert (code, err) == (0, "")
        assert out == f"8 rows in {tmp_path / name}: 8 ok\n"
        table = read_table(str(tmp_path / name))
        names = ["source", "formula", "a", "gamma", "spacegroup_number"]
        pd.testing.assert_frame_equal(table[names], expected[names], check_dtype=False)
    code, out, _ = run("read", MINERALS, "-o", str(tmp_path / "folder"), "--json")
    assert code == 0
    assert json.loads(out)["status"] == {"ok": 8}
    assert len(read_table(str(tmp_path / "folder"))) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "folder",
        "table.csv",
        "table.csv.gz",
        "table.parquet",
    ]


def test_read_reports_what_it_could_not(run, halite, tmp_path):
    broken = tmp_path / "broken.cif"
    broken.write_bytes(b"\x89PNG\r\n")
    code, out, _ = run("read", halite, str(broken))
    assert code == 1
    assert "2 rows: 1 ok, 1 error" in out
    assert "broken.cif: this is no CIF: it looks like a PNG picture" in out
    code, out, _ = run("read", halite, str(broken), "--json")
    table = json.loads(out)["table"]
    assert code == 1
    assert [row["status"] for row in table] == ["ok", "error"]
    assert table[0]["a"] == 5.6402
    assert table[1]["a"] is None
    code, out, _ = run("read", str(broken), "-o", str(tmp_path / "parts"))
    assert code == 1
    assert "PNG" in out


def test_read_into_a_folder_that_is_not_there(run, tmp_path):
    code, _, err = run("read", MINERALS, "-o", str(tmp_path / "none" / "table.csv"))
    assert code == 1
    assert "there is no such folder" in err


def test_sodium_nitride_survives_tables(tmp_path):
    table = pd.DataFrame({"formula": ["NaN", None], "a": [1.0, None]})
    write_table(table, str(tmp_path / "table.csv"))
    again = read_table(str(tmp_path / "table.csv"))
    assert again["formula"].tolist()[0] == "NaN"
    assert again.isna().to_numpy().tolist() == [[False, False], [True, True]]


def test_check_files_and_tables(run, halite, tmp_path):
    assert run("check", halite)[0] == 0
    odd = tmp_path / "odd.cif"
    odd.write_text(HALITE.replace("_length_c 5.6402", "_length_c 5.9402"))
    code, out, _ = run("check", str(tmp_path))
    assert code == 1
    assert "cell_contradicts_spacegroup (1): " in out
    assert "1 of 2 rows are suspect, 0 not read" in out
    run("read", str(tmp_path), "-o", str(tmp_path / "table.csv"))
    code, out, _ = run("check", str(tmp_path / "table.csv"), "--json")
    found = json.loads(out)
    assert code == 1
    assert found["flags"] == {"cell_contradicts_spacegroup": 1}
    assert [row["formula"] for row in found["suspects"]] == ["Cl Na"]
    code, out, _ = run("check", str(odd), "--flag", "volume_contradicts_cell")
    assert code == 0
    code, out, _ = run("check", "missing.cif")
    assert code == 1
    assert out.startswith("not read: missing.cif: ")


def test_tables_that_are_none(run, tmp_path):
    (tmp_path / "table.csv").write_text('a,b\n1,"2\n')
    (tmp_path / "table.parquet").write_text("text")
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    for name in ("table.csv", "table.parquet", "other.csv", "none.csv"):
        for command in ("check", "compare"):
            code, _, err = run(command, str(tmp_path / name))
            assert code == 1
            assert err.startswith(f"crystalml {command}: ")
            assert err.count("\n") == 1


def test_archives_are_read(run, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("halite.cif", HALITE)
    code, out, _ = run("read", str(tmp_path / "all.zip"))
    assert code == 0
    assert "1 row: 1 ok" in out


def test_a_closed_pipe_is_no_error(halite):
    command = f"{sys.executable} -m crystalml read {halite} --json | head -1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert run.stdout == "{\n"
    assert run.stderr == ""


def test_interruption(run, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("crystalml._cli._read.run", interrupt)
    assert run("read", "x") == (130, "", "crystalml: interrupted\n")


HELP = {"": "exit codes:", "read": "--output", "rank": "--cell", "check": "--flag",
        "compare": "--folds"}  # fmt: skip


@pytest.mark.parametrize("command", HELP)
def test_help_fits_and_is_broken_between_words(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(*command.split(), "--help")
    lines = out.splitlines()
    assert code == 0
    assert HELP[command] in out
    assert max(map(len, lines)) <= 80
    # No line ends in a hyphen that belongs to a word, and no quoted example is torn apart.
    assert not [line for line in lines if line.endswith(("-", "/"))]
    assert all(line.count('"') % 2 == 0 for line in lines)


@pytest.mark.parametrize("command", ["read", "rank", "check", "compare"])
def test_help_has_examples_that_parse_and_all_defaults(run, command):
    out = run(command, "--help")[1]
    examples = re.findall(r"^  crystalml (.+)$", out, re.M)
    assert len(examples) >= 2
    parser = make_parser()
    for example in examples:
        assert parser.parse_args(shlex.split(example)).command == command
    options = out.partition("options:")[2].partition("examples:")[0]
    switches = {"--help", "--json", "--explain", "--formula", "--cell"}
    for block in re.split(r"\n  (?=-)", options)[1:]:
        name = re.search(r"--[a-z-]+", block)[0]
        assert name in switches or "(default: " in block, name


def test_tables_fit_into_80_columns(run, monkeypatch, tmp_path, halite, model):
    monkeypatch.setenv("COLUMNS", "80")
    folder = tmp_path / ("a_long_name" * 5) / ("and_another" * 3)
    for part in ("one", "other"):
        (folder / part).mkdir(parents=True)
        text = HALITE.replace(
            "'Cl Na'", "'" + " ".join(f"C{n} H{n} O{n}" for n in range(2, 9)) + "'"
        )
        text = text.replace("_length_c 5.6402", "_length_c 5.9402")
        (folder / part / ("x" * 60 + ".cif")).write_text(text)
    for arguments in (["read"], ["check"]):
        _, out, _ = run(*arguments, str(folder))
        heading, _, table = out.partition("\n\n")
        assert heading == f"in {folder}/"
        assert max(map(len, table.splitlines())) <= 80
        assert "....cif" not in table
        assert table.count("x.cif") >= 2, "the end of a path says most"
    typed = ["rank", "--formula", "C17H35NaO2Cl8Br12N4O12", "--model", model, "--explain"]
    cell = ["--cell", "15.64312", "25.64331", "15.64222", "90.123", "91.123", "90.123"]
    _, out, _ = run(*typed, *cell)
    assert max(map(len, out.splitlines())) <= 80


def test_text_tables_align_and_command_no_terminal():
    table = text_table(("name", "number"), [("a\x1b[31m\nb", "1.5"), (None, "10.25")])
    assert table.splitlines() == ["name      number", "a?[31m b     1.5", "           10.25"]


def test_text_tables_shorten_texts_and_then_move_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    row = ("x/y/some_file.cif", "a text that is long", "1.5")
    lines = text_table(("path", "text", "number"), [row]).splitlines()
    assert lines[1].startswith("...ile.cif  a text ...")
    assert max(map(len, lines)) == 30
    assert lines[1].endswith("1.5")
    kept = text_table(("path", "text", "number"), [row], whole=("path", "text")).splitlines()
    assert kept[1] == "x/y/some_file.cif  a text that is long"
    assert kept[3:] == ["path               number", "x/y/some_file.cif     1.5"]


def test_sentences_are_wrapped_between_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = "a well-known sentence of " + "x" * 30
    assert wrapped(text, "  ").split() == text.split()


def test_missing_values_are_null():
    assert plain([pd.NA, float("nan"), None, "NaN", {1: float("inf")}]) == [
        None,
        None,
        None,
        "NaN",
        {"1": None},
    ]
