"""Files that are not as they were written are refused, each with its reason."""

import io
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from tests.persistence.model_files import copy_zip, rewrite_manifest

from crystalml import load, save
from crystalml.exceptions import PersistenceError
from crystalml.persistence import read_manifest
from crystalml.persistence._container import pack, unpack

X, y = load_iris(return_X_y=True)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.crystalml"
    save(DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y), path)
    return path


def assert_refused(path, reason, **options):
    for read in (load, read_manifest):
        with pytest.raises(PersistenceError, match=reason) as refusal:
            read(path, **options)
        assert str(path) in str(refusal.value)


@pytest.mark.parametrize("member", ["state.json", "numbers.bin"])
def test_changed_members(path, member):
    target = path.with_suffix(".changed")

    def change(name, data):
        return data[:-1] + bytes([data[-1] ^ 1]) if name == member else data

    copy_zip(path, target, change=change)
    assert_refused(target, f"checksum of {re.escape(member)} is wrong")


def test_changed_manifest(path):
    target = path.with_suffix(".changed")
    copy_zip(path, target, change=lambda name, data: data.replace(b'"rows": 150', b'"rows": 999'))
    assert_refused(target, r"checksum of manifest\.json is wrong")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_files(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert_refused(path, "damaged" if share > 0 else "no model")


def test_newer_formats(path):
    rewrite_manifest(path, format_version=3)
    assert_refused(path, "format version 3, .* reads versions up to 2. Update: pip install")


def test_formats_before_the_first_release(path):
    rewrite_manifest(path, format_version=1)
    assert_refused(path, "format version 1, of a crystalml before its first release. Fit and save")


@pytest.mark.parametrize("version", [0, -1, True, "1", None, 1.0])
def test_impossible_formats(path, version):
    rewrite_manifest(path, format_version=version)
    assert_refused(path, "format version is")


class Payload:
    def __reduce__(self):
        return exec, ("raise SystemExit('the payload ran')",)


def test_pickles_are_not_opened(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Payload()))
    assert_refused(path, "it is a pickle")


@pytest.mark.parametrize("content", [b"", b"a", b"data_x\n_cell_length_a 3\n", b"\x89PNG" * 100])
def test_other_files(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    assert_refused(path, "no model")


def test_other_zips(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", "{}")
    assert_refused(path, "zip file, but no model")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "nets/../../evil.safetensors",
        "nets\\0.safetensors",
        "C:/evil",
        "model.pkl",
        "nets/00.safetensors",
        "nets/٣.safetensors",
    ],
)
def test_strange_members(path, name):
    target = path.with_suffix(".strange")
    copy_zip(path, target, extra=[(name, pickle.dumps(Payload()))])
    assert_refused(target, "members that no model has")
    assert sorted(item.name for item in path.parent.iterdir()) == [path.name, target.name]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["state.json", "manifest.json"])
def test_members_that_are_there_twice(path, name):
    target = path.with_suffix(".twice")
    copy_zip(path, target, extra=[(name, b"[]")])
    assert_refused(target, "missing or there twice")


def test_missing_and_undeclared_members(path):
    target = path.with_suffix(".more")
    copy_zip(path, target, extra=[("nets/0.safetensors", b"")])
    assert_refused(target, r"members \['nets/0.safetensors'\] are missing, or do not belong")
    manifest, members = unpack(path.read_bytes(), None)
    del members["numbers.bin"]
    path.write_bytes(pack(manifest, members))
    assert_refused(path, "missing or there twice")


def test_zip_bombs_are_not_unpacked(path):
    manifest, members = unpack(path.read_bytes(), None)
    members["numbers.bin"] = bytes(50_000_000)
    path.write_bytes(pack(manifest, members))
    assert_refused(path, "bytes, more than max_size=1000000", max_size=1_000_000)
    assert_refused(path, "bytes, more than max_size=100", max_size=100)


def test_what_compresses_well_is_stored_and_read(tmp_path):
    path = tmp_path / "model.crystalml"
    model = FunctionTransformer(np.log1p, kw_args={"zeros": np.zeros(10**7)})
    save(model, path)
    assert path.stat().st_size > 10**7
    assert load(path).kw_args["zeros"].shape == (10**7,)


@pytest.mark.parametrize(
    ("member", "piece"), [("numbers.bin", b"\0" * 100), ("state.json", b"[],")]
)
def test_files_that_take_far_more_memory_than_bytes(path, member, piece, monkeypatch):
    content = b"[" + 2_000_000 * piece + b"0]"
    manifest, members = unpack(path.read_bytes(), None)
    # As an attacker would pack it, who need not keep to what `save` does.
    monkeypatch.setattr("crystalml.persistence._container._MOST_PER_BYTE", 10**9)
    path.write_bytes(pack(manifest, {**members, member: content}))
    monkeypatch.undo()
    assert path.stat().st_size < 300_000
    assert_refused(path, "bytes of memory, which no file that save has written does")


def with_declared_size(data, name, size):
    """Write another size into the directory of a zip, where readers look first."""
    data = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.start_dir
    entry = data.index(name.encode(), start) - 46
    struct.pack_into("<I", data, entry + 24, size)
    return bytes(data)


@pytest.mark.parametrize("size", [0, 10, 2**20, 2**29])
def test_false_sizes(path, size):
    path.write_bytes(with_declared_size(path.read_bytes(), "numbers.bin", size))
    assert_refused(path, "declares|damaged|checksum")


def test_huge_declared_sizes(path):
    path.write_bytes(with_declared_size(path.read_bytes(), "numbers.bin", 2**32 - 2))
    assert_refused(path, "more than max_size")


def test_encrypted_members_and_other_compression(path):
    target = path.with_suffix(".lzma")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as copy:
        for name in source.namelist():
            copy.writestr(name, source.read(name))
        copy.comment = source.comment
    assert_refused(target, "encrypted, or compressed by another method")


def test_the_manifest_is_complete(path):
    manifest = read_manifest(path)
    assert manifest["estimator"] == "DecisionTreeClassifier"
    assert manifest["training_data"] == {"rows": 150}
    assert manifest["output"]["labels"] == [0, 1, 2]
    assert set(manifest["members"]) == {"state.json", "numbers.bin"}
    assert manifest["members"]["numbers.bin"]["size"] > 0
