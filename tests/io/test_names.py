"""Names of files and members that no table, path or reader may stumble over."""

import io
import os
import socket
import tarfile
import zipfile

import pandas as pd
import pytest

from crystalml._cli import main
from crystalml.exceptions import CIFError
from crystalml.io import cifs_to_parquet, read_cif, read_cifs, to_ase

HALITE = """data_halite
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_chemical_formula_sum 'Cl Na'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na 0 0 0
Cl 0.5 0.5 0.5
"""
LATIN_1 = os.fsdecode(b"Erl\xe4.cif")  # no UTF-8
NO_UTF8 = pytest.mark.skipif(os.name == "nt", reason="Windows has no names of bytes")


def pack(path, *names):
    """Write an archive whose members have these names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, HALITE)
        return
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(HALITE)
            archive.addfile(member, io.BytesIO(HALITE.encode()))


@NO_UTF8
@pytest.mark.parametrize("kind", ["file", "folder", "archive", "member", "missing"])
def test_names_that_are_no_utf8_are_written_as_escapes(kind, tmp_path):
    path, expected = tmp_path / LATIN_1, "Erl\\udce4.cif"
    if kind == "file":
        path.write_text(HALITE)
    elif kind == "folder":
        path.mkdir()
        (path / "x.cif").write_text(HALITE)
        expected += "/x.cif"
    elif kind == "archive":
        path = path.with_suffix(".tar")
        pack(path, "x.cif")
        expected = "Erl\\udce4.tar/x.cif"
    elif kind == "member":
        path = tmp_path / "a.tar"
        pack(path, LATIN_1)
        expected = "a.tar/" + expected
    table = read_cifs(path)
    assert table["source"].tolist() == [f"{tmp_path}/{expected}"]
    table["source"].iloc[0].encode()
    if kind == "missing":
        assert table["error"].tolist() == ["the file does not exist"]
        return
    assert table["status"].tolist() == ["ok"]
    assert to_ase(table.iloc[0]).get_chemical_formula() == "Cl4Na4"  # it is found again
    cifs_to_parquet(path, tmp_path / "data")
    # pandas 3 has another type for text there, and another value for what is missing.
    kept, wanted = pd.read_parquet(tmp_path / "data").astype(object), table.astype(object)
    kept, wanted = kept.where(kept.notna(), None), wanted.where(wanted.notna(), None)
    pd.testing.assert_frame_equal(kept, wanted)


@NO_UTF8
@pytest.mark.parametrize("output", ["x.csv", "x.parquet", "x"])
def test_the_command_writes_what_it_read(output, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / LATIN_1).write_text(HALITE)
    (tmp_path / "in" / "x.cif").write_text(HALITE)
    target = tmp_path / output
    assert main(["read", str(tmp_path / "in"), "-o", str(target)]) == 0
    table = pd.read_csv(target) if output.endswith("csv") else pd.read_parquet(target)
    assert table["source"].str.endswith("Erl\\udce4.cif").sum() == 1
    assert table["a"].tolist() == [5.64, 5.64]
    capsys.readouterr()


def test_a_file_that_has_an_escape_in_its_name_is_itself(tmp_path):
    (tmp_path / "Erl\\udce4.cif").write_text(HALITE)
    table = read_cifs(tmp_path)
    assert table["source"].tolist() == [f"{tmp_path}/Erl\\udce4.cif"]
    assert to_ase(table.iloc[0]).get_chemical_formula() == "Cl4Na4"


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_members_stay_below_their_archive(suffix, tmp_path):
    archive = tmp_path / f"a{suffix}"
    names = ["../../etc/x.cif", "b/../x.cif", "/etc/y.cif", "./c..cif", "..\\z.cif", "...cif"]
    pack(archive, *names)
    table = read_cifs(archive)
    inside = [source.removeprefix(f"{archive}/") for source in table["source"]]
    assert inside == [
        r"\x2e\x2e/\x2e\x2e/etc/x.cif", r"b/\x2e\x2e/x.cif", "etc/y.cif", "c..cif",
        "\\x2e\\x2e\\z.cif", "...cif",
    ]  # fmt: skip
    assert not any(os.path.exists(source) for source in table["source"])
    assert {atoms.get_chemical_formula() for atoms in to_ase(table)} == {"Cl4Na4"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.timeout(60)
def test_what_is_no_regular_file_has_a_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    os.mkfifo("pipe.cif")
    os.mkfifo("pipe.zip")
    os.mkfifo("pipe.tar.gz")
    os.symlink("/dev/zero", "device.cif")
    os.symlink("/", "folder.cif")
    (tmp_path / "x.cif").write_text(HALITE)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.cif")
        table = read_cifs([".", "pipe.zip", "pipe.tar.gz"]).set_index("source")
    errors = table["error"].dropna().to_dict()
    no_file = "the file cannot be read: it is {}, not a regular file"
    assert errors == {
        "./device.cif": no_file.format("a device"),
        "./folder.cif": no_file.format("a folder"),
        "./pipe.cif": no_file.format("a named pipe"),
        "./socket.cif": no_file.format("a socket"),
        "pipe.zip": no_file.format("a named pipe"),
        "pipe.tar.gz": no_file.format("a named pipe"),
    }
    assert table.loc["./x.cif", "status"] == "ok"
    assert read_cif("pipe.cif")["status"].tolist() == ["error"]
    with pytest.raises(CIFError, match="a named pipe"):
        to_ase("pipe.cif")
    cifs_to_parquet([".", "pipe.zip"], "data")
    assert pd.read_parquet("data")["status"].tolist().count("error") == 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.timeout(60)
def test_a_file_that_becomes_a_pipe_is_noticed(tmp_path):
    from crystalml.io._source import file_source

    path = tmp_path / "x.cif"
    path.write_text(HALITE)
    source = file_source(str(path))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="a named pipe"):
        source.read()


def test_text_with_half_a_character():
    table = read_cif(HALITE + "_chemical_name_mineral '\ud800'\n")
    assert table["mineral"].tolist() == ["\\ud800"]
