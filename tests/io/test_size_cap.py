"""Files beyond the size limit, and bombs that unpack beyond it, give a row that says so."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from crystalml.exceptions import CIFError, InvalidInputError
from crystalml.io import CIFReader, cifs_to_parquet, read_cif, read_cifs
from crystalml.io._unpack import MAX_FILE_SIZE, ForwardFile, read_up_to

GOOD = b"data_good\n_cell_length_a 5\n"
LIMIT = 1_000_000
BOMB = b"data_bomb\n_cell_length_a 5\n#" + bytes(200 * LIMIT)
SMALL_BOMB = BOMB[: 2 * LIMIT]


@pytest.fixture(scope="module")
def bombs():
    """Small files that unpack to 200 times the limit."""
    return {
        "gz": gzip.compress(BOMB, 1),
        "bz2": bz2.compress(BOMB, 1),
        "xz": lzma.compress(BOMB, preset=0),
    }


def peak_of(call):
    tracemalloc.start()
    try:
        found = call()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_too_large(row, limit=LIMIT):
    assert row["status"] == "error"
    assert row["error"] == (
        f"the file has more than {limit} bytes; raise max_file_size if you trust it"
    )


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_compressed_bombs(bombs, kind, tmp_path):
    path = tmp_path / "bomb.cif.gz"
    path.write_bytes(bombs[kind])
    for source in (path, bombs[kind], io.BytesIO(bombs[kind])):
        table, peak = peak_of(lambda s=source: read_cifs([s, GOOD], max_file_size=LIMIT))
        assert_too_large(table.iloc[0])
        assert table.loc[1, "a"] == 5
        assert peak < 20 * LIMIT


def tar_of(members, mode):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w"])
def test_large_members_of_tar_archives(mode, tmp_path):
    path = tmp_path / "a.tar"
    members = {
        "1.cif": GOOD,
        "2.cif": SMALL_BOMB,
        "3.cif": GOOD,
        "4.cif.gz": gzip.compress(SMALL_BOMB),
    }
    path.write_bytes(tar_of(members, mode))
    table = read_cifs(path, max_file_size=LIMIT)
    assert table["status"].tolist() == ["incomplete", "error", "incomplete", "error"]
    assert table["source"].str.endswith(("1.cif", "2.cif", "3.cif", "4.cif.gz")).all()
    assert_too_large(table.iloc[1])
    assert_too_large(table.iloc[3])
    assert (read_cifs(path)["status"] == "incomplete").all()


def test_members_of_a_tar_bomb_take_no_memory(tmp_path):
    path = tmp_path / "a.tar.xz"
    path.write_bytes(tar_of({"1.cif": BOMB, "2.cif": GOOD}, "w:xz"))
    table, peak = peak_of(lambda: read_cifs(path, max_file_size=LIMIT))
    assert_too_large(table.iloc[0])
    assert table.loc[1, "a"] == 5
    assert peak < 40 * LIMIT


def test_large_members_of_zip_archives(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("1.cif", BOMB)
        archive.writestr("2.cif", GOOD)
    table, peak = peak_of(lambda: read_cifs(path, max_file_size=LIMIT))
    assert_too_large(table.iloc[0])
    assert table.loc[1, "a"] == 5
    assert peak < 20 * LIMIT


def test_zip_that_lies_about_its_size(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.cif", SMALL_BOMB)
    size = len(SMALL_BOMB).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    table = read_cifs(path, max_file_size=LIMIT)
    assert table["status"].tolist() == ["error"]


def test_tar_header_that_claims_gigabytes(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 3 * 10**9
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf() + bytes(10_000))
    table, peak = peak_of(lambda: read_cifs(path, max_file_size=LIMIT))
    assert table["status"].tolist() == ["error"]
    assert "claims 3000000000 bytes" in table.loc[0, "error"]
    assert peak < 20 * LIMIT


@pytest.mark.parametrize(
    "make",
    [Path, Path.read_bytes, lambda path: path.open("rb"), lambda path: path.open()],
    ids=["path", "bytes", "binary", "text"],
)
def test_limit_is_the_last_size_that_is_read(make, tmp_path):
    path = tmp_path / "x.cif"
    path.write_bytes(GOOD)
    source = make(path)
    table = read_cifs([source], max_file_size=len(GOOD))
    if hasattr(source, "seek"):
        source.seek(0)
    assert table.loc[0, "a"] == 5
    assert_too_large(read_cifs([source], max_file_size=len(GOOD) - 1).iloc[0], len(GOOD) - 1)
    if hasattr(source, "close"):
        source.close()


def test_data_set_reports_large_files(tmp_path):
    report = cifs_to_parquet([GOOD, SMALL_BOMB], tmp_path, max_file_size=LIMIT)
    assert report.counts == {"incomplete": 1, "error": 1}
    assert "more than 1000000 bytes" in str(report)


def test_read_cif_has_the_default_limit(bombs):
    assert read_cif(bombs["gz"]).loc[0, "a"] == 5  # 200 MB: below it
    larger = gzip.compress(bytes(MAX_FILE_SIZE + 1), 1)
    with pytest.raises(CIFError, match=f"more than {MAX_FILE_SIZE} bytes"):
        read_cif(larger, on_error="raise")


@pytest.mark.parametrize("make", [Path, Path.read_bytes, lambda path: path.open("rb")])
def test_one_file_has_the_limit_of_the_caller(make, tmp_path):
    path = tmp_path / "x.cif"
    path.write_bytes(GOOD)
    limit = len(GOOD)
    for source in (make(path), path.write_bytes(gzip.compress(GOOD)) and path):
        assert read_cif(source, max_file_size=limit + 30).loc[0, "a"] == 5
        if hasattr(source, "seek"):
            source.seek(0)
        assert_too_large(read_cif(source, max_file_size=limit - 1).iloc[0], limit - 1)
        if hasattr(source, "close"):
            source.close()
    with pytest.raises(CIFError, match=f"read_cif: .* more than {limit - 1} bytes"):
        read_cif(path, max_file_size=limit - 1, on_error="raise")


def test_reader_has_the_limit_of_the_caller():
    reader = CIFReader(max_file_size=len(GOOD))
    table = reader.fit_transform([GOOD, GOOD + b"\n"])
    assert table.loc[0, "a"] == 5
    assert_too_large(table.iloc[1], len(GOOD))
    with pytest.raises(CIFError, match=r"CIFReader: .* more than 3 bytes"):
        CIFReader(max_file_size=3, on_error="raise").transform([GOOD])
    with pytest.raises(InvalidInputError, match="max_file_size"):
        CIFReader(max_file_size=0).fit([GOOD])


@pytest.mark.parametrize("value", [0, -1, 1.5, None, True, "1 MB"])
def test_impossible_limits(value):
    with pytest.raises(InvalidInputError, match="read_cifs: max_file_size is"):
        read_cifs([], max_file_size=value)
    with pytest.raises(InvalidInputError, match="read_cif: max_file_size is"):
        read_cif(GOOD, max_file_size=value)


def test_forward_file_goes_one_step_back_at_most():
    data = bytes(range(256))
    file = ForwardFile(io.BytesIO(data), 100)
    assert file.read(10) == data[:10]
    assert file.seek(9) == 9
    assert file.read(5) == data[9:14]
    assert file.seek(100) == 100
    assert file.read(1) == data[100:101]
    with pytest.raises(tarfile.ReadError, match="one pass"):
        file.seek(50)
    assert file.seek(1000) == 256  # the end


def test_small_reads_are_put_together():
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3))

    assert read_up_to(Trickle(GOOD), 100) == GOOD
