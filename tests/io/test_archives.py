"""Zip and tar archives of every kind: the same members as zipfile and tarfile find."""

import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile

import joblib
import pandas as pd
import pytest

from crystalml.io import _chunks, cifs_to_parquet, read_cifs
from crystalml.io._archives import _TarHeader
from crystalml.io._find_cifs import iterate_sources

FILES = {
    f"deep/{'very-long-' * (n % 20)}{n:03d}.cif": (
        f"data_{n}\n_cell_length_a {5 + n / 100}\n" + "# filling\n" * (n * 7 % 300)
    ).encode()
    for n in range(60)
}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def tar_bytes(mode="w", layout=tarfile.PAX_FORMAT, name=str):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=layout) as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"other-{ord(kind)}.cif")
            member.type, member.linkname = kind, "deep/000.cif"
            archive.addfile(member)
        for path, data in FILES.items():
            member = tarfile.TarInfo(name(path))
            member.size, member.mtime = len(data), 1.5e9
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def zip_bytes(method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for path, data in FILES.items():
            archive.writestr(path, data)
    return stream.getvalue()


def cells(table):
    return list(zip(table["block"], table["a"], strict=True))


EXPECTED = cells(read_cifs(list(FILES.values())))
MAKERS = {
    "a.tar": tar_bytes,
    "a.tar.xz": lambda: tar_bytes("w:xz"),
    "a.zip": zip_bytes,
    "stored.zip": lambda: zip_bytes(zipfile.ZIP_STORED),
    "bzip2.zip": lambda: zip_bytes(zipfile.ZIP_BZIP2),
    "lzma.zip": lambda: zip_bytes(zipfile.ZIP_LZMA),
    "prefixed.zip": lambda: b"#!/bin/sh\nexit\n" + zip_bytes(),
}


@pytest.mark.parametrize("layout", FORMATS)
def test_headers_are_those_of_tarfile(layout):
    def name(path):
        return path[-90:] if layout == "ustar" else path.replace("very", "sèhr")

    data = tar_bytes(layout=FORMATS[layout], name=name)
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as expected,
        tarfile.open(fileobj=io.BytesIO(data), tarinfo=_TarHeader) as found,
    ):
        fields = ("name", "size", "type", "offset_data", "offset")
        assert [[getattr(m, f) for f in fields] for m in found] == [
            [getattr(m, f) for f in fields] for m in expected
        ]


def test_sizes_in_binary_and_signed_checksums_are_left_to_tarfile():
    header = tarfile.TarInfo("x.cif")
    header.size = 9 * 2**33
    assert _TarHeader.frombuf(header.tobuf(tarfile.GNU_FORMAT), "utf-8", "strict").size == 9 * 2**33
    buffer = bytearray(tarfile.TarInfo("\xff.cif").tobuf(tarfile.GNU_FORMAT, "latin-1"))
    total = sum(byte - 256 if byte > 127 else byte for byte in buffer[:148] + buffer[156:]) + 256
    buffer[148:156] = b"%06o\0 " % total
    assert _TarHeader.frombuf(bytes(buffer), "latin-1", "strict").name == "\xff.cif"


@pytest.mark.parametrize("name", MAKERS)
def test_members_are_read_by_one_and_by_two_processes(name, tmp_path, monkeypatch):
    monkeypatch.setattr(_chunks, "_CHUNK_FILES", 7)
    path = tmp_path / name
    path.write_bytes(MAKERS[name]())
    table = read_cifs(path)
    assert cells(table) == EXPECTED
    assert table["source"].tolist() == [f"{path}/{member}" for member in FILES]
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        pd.testing.assert_frame_equal(read_cifs(path, n_jobs=2), table)
        report = cifs_to_parquet(path, tmp_path / "data", n_jobs=2, files_per_part=25)
    assert report.n_parts == 3
    # pandas 3 has another type for text there, and another value for what is missing.
    kept = pd.read_parquet(tmp_path / "data").astype(object)
    wanted = table.astype(object)
    pd.testing.assert_frame_equal(
        kept.where(kept.notna(), None), wanted.where(wanted.notna(), None)
    )
    sources = pd.read_parquet(tmp_path / "data" / "_sources")
    assert sources["sha256"].tolist() == [hashlib.sha256(d).hexdigest() for d in FILES.values()]
    assert sources["size"].tolist() == [len(data) for data in FILES.values()]
    assert sources["mtime_ns"].isna().all()
    again = cifs_to_parquet(path, tmp_path / "data", files_per_part=25)
    assert again.n_files_read == 0


def damaged(data, at):
    return data[:at] + b"\xff" * 100 + data[at + 100 :]


@pytest.mark.parametrize("mode", ["w", "w:xz"])
def test_damaged_header_is_reported(mode, tmp_path):
    data = tar_bytes()
    at = data.index(b"data_40\n") - 512  # tarfile takes what follows for the end
    data = damaged(data, at)
    path = tmp_path / ("a.tar" if mode == "w" else "a.tar.xz")
    path.write_bytes(data if mode == "w" else lzma.compress(data))
    table = read_cifs(path)
    assert cells(table)[:40] == EXPECTED[:40]
    assert len(table) == 41
    assert table["source"].iloc[-1] == str(path)
    assert "the archive is damaged: bad checksum" in table["error"].iloc[-1]


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("suffix", ["tar", "tar.xz"])
def test_cut_archive_gives_what_it_has_and_a_reason(suffix, cut, tmp_path):
    data = tar_bytes("w" if suffix == "tar" else "w:xz")
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data[: int(cut * len(data)) // 4 * 4 + 3])  # not between two members
    table = read_cifs(path)
    assert cells(table)[:-1] == EXPECTED[: len(table) - 1]
    assert table["source"].iloc[-1] == str(path)
    assert (table["status"] == "error").sum() == 1


def test_missing_end_marks_are_no_damage(tmp_path):
    data = tar_bytes()
    path = tmp_path / "a.tar"
    path.write_bytes(data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % 512))
    assert cells(read_cifs(path)) == EXPECTED


def test_damaged_zip_members_cost_themselves_alone(tmp_path):
    data = zip_bytes()
    path = tmp_path / "a.zip"
    header = data.index(b"PK\x03\x04", 2000)
    body = header + 30 + int.from_bytes(data[header + 26 : header + 28], "little")
    for at, why in ((header, "no member where"), (body + 8, "cannot be read")):
        path.write_bytes(data[:at] + b"\xee" * 3 + data[at + 3 :])
        table = read_cifs(path)
        assert len(table) == len(FILES)
        assert (table["status"] == "error").sum() == 1
        assert why in table.loc[table["status"] == "error", "error"].iloc[0]
        stamps = cifs_to_parquet(path, tmp_path / str(at), files_per_part=25)
        assert stamps.counts["error"] == 1
        assert cifs_to_parquet(path, tmp_path / str(at), files_per_part=25).n_files_read == 0


def test_sparse_members_are_put_together(tmp_path):
    pieces, hole = (b"data_sparse\n#", b"\n_cell_length_a 5\n"), 1000
    second = len(pieces[0]) + hole
    sparse = bytearray(tarfile.TarInfo("x.cif").tobuf(tarfile.GNU_FORMAT))
    sparse[156:157] = tarfile.GNUTYPE_SPARSE
    numbers = [0, len(pieces[0]), second, len(pieces[1])]
    sparse[386:434] = b"".join(b"%011o\0" % number for number in numbers)
    sparse[124:136] = b"%011o\0" % sum(map(len, pieces))
    sparse[483:495] = b"%011o\0" % (second + len(pieces[1]))
    sparse[148:156] = b" " * 8
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    archive = bytes(sparse) + b"".join(pieces).ljust(512, b"\0") + bytes(1024)
    for name, data in (("a.tar", archive), ("a.tar.gz", gzip.compress(archive))):
        (tmp_path / name).write_bytes(data)
        (source,) = iterate_sources(tmp_path / name, caller="test")
        assert source.stored() == pieces[0] + bytes(hole) + pieces[1]
