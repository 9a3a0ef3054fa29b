"""What one file may take: time, blocks and words; beyond it there is a row, and never silence."""

import gzip
import random
from time import process_time

import pytest

from crystalml.exceptions import CIFError
from crystalml.io import CIFReader, _limits, cifs_to_parquet, read_cif, read_cifs, to_ase
from crystalml.io._limits import FileLimitError, check_words

CELL = """_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
"""
FILE = "data_halite\n" + CELL
SITES = "loop_\n_atom_site_label\n_atom_site_fract_x\n"


def assert_refused(text, match):
    """The file has one row that says why; its neighbours are read."""
    table = read_cifs([FILE, text, FILE])
    assert table["a"].notna().tolist() == [True, False, True]
    assert table["status"].tolist()[1] == "error"
    assert match in table["error"].iloc[1]
    with pytest.raises(CIFError, match=match):
        read_cif(text, on_error="raise")
    assert match in CIFReader().fit_transform([text])["error"].iloc[0]
    with pytest.raises(CIFError, match=match):
        to_ase(text)


@pytest.mark.parametrize("layout", ["data_{}\n", " data_{} ", "data_{} _unfinished\n"])
def test_blocks(layout, monkeypatch):
    monkeypatch.setattr(_limits, "MAX_BLOCKS", 50)
    assert "error" not in read_cif(FILE + "".join(map(layout.format, range(49))))["status"]
    assert_refused(FILE + "".join(map(layout.format, range(50))), "more than 50 data blocks")


@pytest.mark.parametrize("layout", [SITES, "_unfinished\n" + SITES, "_z 1 _y 2\n" + SITES])
def test_words(layout, monkeypatch):
    monkeypatch.setattr(_limits, "MAX_WORDS", 500)
    assert read_cif(FILE + layout + "Na 0\n" * 200)["n_sites"].tolist() == [200]
    assert_refused(FILE + layout + "Na 0\n" * 300, "more than 500 words")
    refined = "loop_\n_refln_index_h\n" + "1 2 3\n" * 1000  # is passed over, not taken apart
    assert read_cif(FILE + refined)["status"].tolist() == ["incomplete"]


def test_words_are_counted_exactly(monkeypatch):
    chance = random.Random(0)  # noqa: S311
    monkeypatch.setattr(_limits, "_PIECE", 7)
    for _ in range(300):
        text = bytes(chance.choices(b"a1 \n\t", k=chance.randint(1, 60)))
        n_words = len(text.split())
        assert _limits._count_words(text) == n_words
        monkeypatch.setattr(_limits, "MAX_WORDS", n_words)
        check_words(text)
        monkeypatch.setattr(_limits, "MAX_WORDS", n_words - 1)
        with pytest.raises(FileLimitError):
            check_words(text + b"   ")


@pytest.mark.parametrize("text", [FILE, FILE + "_x 'y", FILE + "_x 1 _y 2", SITES + "1 " * 9999])
def test_seconds(text, monkeypatch):
    monkeypatch.setattr(_limits, "MAX_SECONDS", -1.0)
    (error,) = read_cif(text)["error"]
    assert error == "reading the file takes more than -1 seconds of processor time"


def test_a_limit_is_reported_in_data_sets(tmp_path, monkeypatch):
    monkeypatch.setattr(_limits, "MAX_BLOCKS", 1)
    report = cifs_to_parquet([FILE, FILE + FILE, FILE], tmp_path / "data")
    assert report.counts["error"] == 1


def test_half_a_million_headers_in_a_few_kilobytes(tmp_path):
    path = tmp_path / "x.cif.gz"
    path.write_bytes(gzip.compress(FILE.encode() + b" data_" * 500_000))
    start = process_time()
    table = read_cifs(path)
    assert process_time() - start < 5.0
    assert table["error"].tolist() == [
        "the file has more than 100,000 data blocks; split it into several files"
    ]


def test_lists_of_operations_cost_no_more_than_their_length():
    """To identify a group of so many operations would take minutes."""
    operations = "\n".join(f"x+{n}/20000,y,z" for n in range(20_000))
    start = process_time()
    table = read_cif(f"{FILE}loop_\n_symmetry_equiv_pos_as_xyz\n{operations}\n")
    assert process_time() - start < 5.0
    assert "unknown_operations" in table["flags"].iloc[0]


def test_oversized_integers_cost_no_more_than_their_number():
    text = "".join(f"data_{n}\n_cell_length_a 5\n_journal_year 1e30\n" for n in range(20_000))
    start = process_time()
    table = read_cif(text)
    assert process_time() - start < 10.0
    assert table["year"].isna().all()
    assert table["flags"].str.contains("bad_number").all()


@pytest.mark.parametrize("blanks", [" ", "\t"])
def test_long_lines_cost_no_more_than_their_length(blanks):
    line = blanks * 200_000 + "# " + " _cell_length_a" * 20_000
    start = process_time()
    assert read_cif(FILE + line + "\n")["a"].tolist() == [5.64]
    assert process_time() - start < 5.0
