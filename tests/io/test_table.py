"""Folders, globs, lists and archives of CIFs to one table; nothing inside them raises."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from pathlib import Path

import ase
import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml._schema import TABLE_COLUMNS
from crystalml.exceptions import CIFError, InvalidInputError
from crystalml.io import _chunks, read_cif, read_cifs
from crystalml.io._records import read_records

MINERALS = sorted((Path(ase.__path__[0]) / "test" / "testdata" / "minerals").glob("*.cif"))
TEXTS = {path.name: path.read_bytes() for path in MINERALS}


@pytest.fixture
def folder(tmp_path):
    """COD's layout of folders, plain and compressed, with files that are no CIFs between."""
    for name, data in TEXTS.items():
        place = tmp_path / "cif" / name[4] / name[5:7]
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (tmp_path / "cif" / "9" / "more.CIF.GZ").write_bytes(gzip.compress(MINERALS[0].read_bytes()))
    (tmp_path / "cif" / "readme.txt").write_text("no CIF")
    return tmp_path / "cif"


def without_source(table):
    return table.drop(columns="source").reset_index(drop=True)


def assert_same(left, right):
    pd.testing.assert_frame_equal(without_source(left), without_source(right))


def one_by_one(names=tuple(TEXTS)):
    return pd.concat([read_cif(TEXTS[name]) for name in names], ignore_index=True)


def test_folder_in_sorted_order(folder):
    table = read_cifs(folder)
    assert list(table.columns) == list(TABLE_COLUMNS)
    assert table["source"].to_list() == sorted(table["source"], key=lambda name: Path(name).parts)
    assert len(table) == len(TEXTS) + 1
    assert (table["status"] == "ok").all()
    assert_same(read_cifs(str(folder)), table)


def test_globs_lists_and_generators(folder):
    paths = sorted(folder.rglob("*.cif"))
    listed = read_cifs(paths)
    assert_same(read_cifs(str(folder / "**" / "*.cif")), listed)
    assert_same(read_cifs(iter(map(str, paths))), listed)
    assert_same(read_cifs(np.array(list(map(str, paths)))), listed)
    assert_same(read_cifs([folder / "1", str(folder / "9" / "*" / "*.cif")]), listed)
    assert_same(read_cifs([path.read_bytes() for path in paths]), listed.assign())
    assert listed["source"].to_list() == list(map(str, paths))


def tar_bytes(mode):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in {**TEXTS, "._hidden.cif": b"\0", "notes.md": b"#"}.items():
            member = tarfile.TarInfo(f"./deep/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def zip_bytes():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("deep")
        for name, data in TEXTS.items():
            archive.writestr(f"deep/{name}", data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.zip", zip_bytes),
        ("a.tar", lambda: tar_bytes("w")),
        ("a.tar.gz", lambda: tar_bytes("w:gz")),
        ("a.tgz", lambda: tar_bytes("w:gz")),
        ("a.tar.xz", lambda: tar_bytes("w:xz")),
        ("a.TAR.BZ2", lambda: tar_bytes("w:bz2")),
    ],
)
def test_archives_are_read_in_place(tmp_path, name, make):
    path = tmp_path / name
    path.write_bytes(make())
    table = read_cifs(path)
    assert_same(table, one_by_one())
    assert table["source"].to_list() == [f"{path}/deep/{member}" for member in TEXTS]
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("pack", [gzip, bz2, lzma])
def test_single_compressed_files(tmp_path, pack):
    path = tmp_path / "x.cif.gz"
    path.write_bytes(pack.compress(MINERALS[0].read_bytes()))
    assert_same(read_cifs(path), read_cif(MINERALS[0]))
    assert_same(read_cif(path), read_cif(MINERALS[0]))


def test_every_input_has_a_row(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8b no archive")
    (tmp_path / "broken.cif.gz").write_bytes(gzip.compress(b"data_x\n" * 999)[:20])
    (tmp_path / "cut.tar.xz").write_bytes(tar_bytes("w:xz")[:-200])
    (tmp_path / "none.tar").write_bytes(tar_bytes("w")[:0])
    with zipfile.ZipFile(tmp_path / "nothing.zip", "w") as archive:
        archive.writestr("readme", "x")
    names = ["empty", "broken.zip", "broken.tar.gz", "broken.cif.gz", "cut.tar.xz", "none.tar",
             "nothing.zip", "missing.cif", "no*match.cif"]  # fmt: skip
    for name in names:
        table = read_cifs([tmp_path / name, MINERALS[0]])
        assert len(table) >= 2, name
        assert table["status"].iloc[-1] == "ok"
        errors = table[table["status"] == "error"]
        assert len(errors) == 1, name
        assert errors["source"].iloc[0] == str(tmp_path / name)
        assert len(errors["error"].iloc[0]) > 10
    assert read_cifs([]).dtypes.equals(read_cifs(MINERALS).dtypes)


def test_one_damaged_member_does_not_hide_the_others(tmp_path):
    data = zip_bytes()
    first = data.index(b"\n", data.index(b"deep/cod_")) + 200
    path = tmp_path / "damaged.zip"
    path.write_bytes(data[:first] + b"\0\0\0\0" + data[first + 4 :])
    table = read_cifs(path)
    assert (table["status"] == "error").sum() == 1
    assert (table["status"] == "ok").sum() == len(TEXTS) - 1


def test_parallel_equals_serial(monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 3)
    files = MINERALS * 3 + [Path("missing.cif")]
    serial = read_cifs(files)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = read_cifs(files, n_jobs=2)
    pd.testing.assert_frame_equal(serial, parallel)


def test_errors_of_the_caller(tmp_path):
    with pytest.raises(InvalidInputError, match=r"sources must be .* got int"):
        read_cifs(3)
    with pytest.raises(InvalidInputError, match=r"a source must be .* got float"):
        read_cifs([1.5])
    with pytest.raises(InvalidInputError, match="got 'skip'"):
        read_cifs([], on_error="skip")
    with pytest.raises(CIFError, match=r"read_cifs: 'missing.cif': the file does not exist"):
        read_cifs([MINERALS[0], "missing.cif"], on_error="raise")


def test_progress_can_be_shown(capsys):
    read_cifs(MINERALS, progress=True)
    assert "reading CIFs" in capsys.readouterr().err
    read_cifs(MINERALS)
    assert capsys.readouterr().err == ""


@settings(max_examples=300)
@given(st.binary(max_size=3000))
def test_random_bytes_give_a_row(data):
    assert len(read_cifs([data])) == 1


@settings(max_examples=300)
@given(st.text(alphabet="_;'\"#\n \t\r[]{}$ab1.(),-loopdatvecnghABC\0é", max_size=400))
def test_random_syntax_gives_rows(text):
    for prefix in ("data_x\n_cell_length_a 5\n", "#\\#CIF_2.0\ndata_x\n_cell_length_a ", ""):
        assert len(read_cifs([(prefix + text).encode("latin-1")])) >= 1


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_truncated_and_mutated_files_give_rows(name):
    data, generator = TEXTS[name], random.Random(name)  # noqa: S311
    for cut in range(0, len(data), 97):
        assert read_records(data[:cut], name)
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(generator.randrange(1, 8)):
            place = generator.randrange(len(changed))
            changed[place] = generator.choice(b"\n\r;'\"#_ \t\0\xff$[]a9")
        assert read_records(bytes(changed), name)


REPEATED = [
    b"'", b"''", b"' ", b'"', b"#", b"_", b"_ ", b"; ", b"\n;", b"\n;\n", b"data_", b"data_ ",
    b"loop_ ", b"loop_ _a ", b"loop_\n_atom_site_label ", b"\n_cell_length_a", b"[", b"{'", b"( ",
    b" \n", b"\t", b"\r", b"\r\n", b"'\n", b"_cell_length_a '", b"a' ", b"\0", b"\xff", b"# loop_ ",
    b"\n loop_", b"''' ", b"\n_cell_length_a # x", b"save_ ", b"1 ", b"'a'b ", b"_cell ", b" _cell",
]  # fmt: skip


@pytest.mark.parametrize("start", [b"", b"data_x\n", b"#\\#CIF_2.0\ndata_x\n_a ", b"data_x\n_a '"])
@pytest.mark.parametrize("unit", REPEATED)
def test_no_pattern_takes_more_than_linear_time(start, unit):
    # 200 kB of each; a quadratic step anywhere would take minutes
    assert read_records(start + unit * (200_000 // len(unit)), "x")
