"""What counts as the CIF that was asked for, on real files and on damaged ones."""

import re
import tarfile
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.io._cod._store import Store, cif_problem

CIF = b"# comment\ndata_1000041\n_cell_length_a 5.64\n_title\n;\ndata_9999999 is quoted here\n;\n"


@pytest.fixture(scope="module")
def real_files(shared_data):
    """(id, body) of CIFs as the COD serves them."""
    files = []
    with tarfile.open(shared_data / "cifs_cod.tar.xz") as archive:
        for member in archive:
            found = re.search(r"cod_single_crystal/(\d{7})\.cif$", member.name)
            if found and len(files) < 25:
                files.append((int(found[1]), archive.extractfile(member).read()))
    return files


def test_files_of_the_cod_are_accepted_and_only_under_their_own_id(real_files):
    assert len(real_files) == 25
    for cod_id, body in real_files:
        for syntax in (True, False):
            assert cif_problem(body, cod_id, syntax=syntax) is None
            assert "not 1000041" in cif_problem(body, 1000041, syntax=syntax)


def test_real_files_cut_anywhere_are_judged_and_mostly_found_out(real_files):
    rng = np.random.default_rng(0)
    small = sorted(real_files, key=lambda item: len(item[1]))[:5]
    verdicts = [
        cif_problem(body[: int(cut)], cod_id)
        for cod_id, body in small
        for cut in rng.integers(1000, len(body) - 1, 40)
    ]
    # A cut between two whole items leaves a correct, shorter CIF: only its length tells.
    assert np.mean([verdict is not None for verdict in verdicts]) > 0.5


@pytest.mark.parametrize("syntax", [True, False])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"<!DOCTYPE html><p>data_1000041</p>", "HTML"),
        (b"\n  <?xml version='1.0'?>", "HTML"),
        (b"\xef\xbb\xbf<html>", "HTML"),
        (b"Service unavailable\ndata_1000041\n", "does not start like a CIF"),
        (b"# only a comment\n", "does not start like a CIF"),
        (b"\x1f\x8b\x00\x00data_", "binary"),
        (CIF.replace(b"1000041", b"1000042"), "'1000042', not 1000041"),
        (CIF + b"_cod_database_code 1000042\n", "'1000042', not 1000041"),
    ],
)
def test_what_is_not_the_entry_is_named(body, said, syntax):
    assert said in cif_problem(body, 1000041, syntax=syntax)


def test_what_is_the_entry_passes_in_any_dress():
    for body in (
        CIF,
        b"\xef\xbb\xbf" + CIF,
        CIF.replace(b"\n", b"\r\n"),
        CIF.replace(b"data_1", b"DATA_1"),
        CIF.replace(b"data_1000041", b"data_other") + b"_cod_database_code '1000041'\n",
        CIF + b"_author 'Gra\xc5\xbeulis'\n_other 'Gra\xfeulis'\n",
    ):
        assert cif_problem(body, 1000041) is None


def test_cut_text_fields_and_loops_are_damage():
    assert "truncated or damaged" in cif_problem(CIF[:-3], 1000041)
    loop = CIF + b"loop_\n_x\n_y\n1 2\n3"
    assert "truncated or damaged" in cif_problem(loop, 1000041)
    assert cif_problem(loop, 1000041, syntax=False) is None


@given(st.binary(max_size=300))
def test_any_bytes_get_a_verdict(body):
    assert isinstance(cif_problem(body, 1000041), str)


def test_two_threads_may_write_the_same_entry(tmp_path):
    store = Store(tmp_path, max_size=10**6, syntax=True)
    body, failures = CIF, []

    def write():
        for _ in range(50):
            try:
                store.put(1000041, body)
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [store.path(1000041)]
