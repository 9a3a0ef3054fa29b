"""The scanner reads what gemmi reads, in any layout, or says that it is in doubt."""

import gemmi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml.io._records import gemmi_blocks
from crystalml.io._scan import scan_blocks

NAMES = [
    "_cell_length_a", "_cell.length_b", "_CELL_LENGTH_C", "_Cell_angle_alpha", "_cELl_angle_beta",
    "_cell_angle_gamma", "_cell_volume", "_cell_measurement_reflns_used", "_symmetry_cell_setting",
    "_space_group_IT_number", "_symmetry_space_group_name_H-M", "_space_group_name_Hall",
    "_chemical_formula_sum", "_chemical_name_mineral", "_journal_year", "_atom_type_symbol",
    "_pd_proc_point_id", "_exptl_crystal_size_max", "_geom_note", "_refln_loop_", "_x_data_y",
]  # fmt: skip
LOOPED = [
    "_atom_site_label", "_atom_site_occupancy", "_atom_site_disorder_group", "_atom_site_u",
    "_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz", "_geom_bond_a",
    "_refln_index_h", "_diffrn_radiation_wavelength", "_cell_length_a",
]  # fmt: skip
TRAPS = [
    "_cell_length_a 99",
    "data_x",
    "loop_",
    "save_",
    "a _cell_volume 3",
    ";",
    "#",
    "it's",
    "x'",
]

blanks = st.sampled_from(
    [" ", "  ", "\t", "\n", "\n  ", " # _cell_length_a 9 loop_ data_z\n", "\n#\n"]
)
words = st.sampled_from(
    ["1", "5.431(2)", "?", ".", "x,y,z", "-x,1/2+y,-z", "Fe1", "0.5", "O2'", "a#b", "3_555", "loop",
     "data", "P", "x_", "C(1)", "10.1/x", "semi;colon"]
)  # fmt: skip
inner = st.one_of(st.sampled_from(TRAPS), st.text(alphabet="ab _#;'\"\t.loopdt", max_size=12))


@st.composite
def quoted(draw):
    quote = draw(st.sampled_from("'\""))
    text = draw(inner)
    for white in " \t":
        text = text.replace(quote + white, "q" + white)
    return quote + text.rstrip(quote) + quote


@st.composite
def text_fields(draw):
    lines = draw(st.lists(inner, max_size=4))
    return "\n;" + "\n".join(line.replace("\n;", "") for line in lines).replace("\n;", "\n") + "\n;"


values = st.one_of(words, words, quoted(), text_fields())


@st.composite
def items(draw):
    gap = draw(blanks)
    if draw(st.integers(0, 3)):
        return draw(st.sampled_from(NAMES)) + gap + draw(values)
    tags = draw(st.lists(st.sampled_from(LOOPED), min_size=1, max_size=3, unique=True))
    rows = draw(st.integers(0, 3)) * len(tags)
    keyword = draw(st.sampled_from(["loop_", "LOOP_", "Loop_"]))
    body = [draw(values) for _ in range(rows)]
    return gap.join([keyword, *tags]) + "".join(draw(blanks) + value for value in body)


@st.composite
def cif_texts(draw):
    blocks = []
    for number in range(draw(st.integers(1, 2))):
        header = draw(st.sampled_from(["data_", "DATA_", "Data_"])) + f"block{number}"
        found = draw(st.lists(items(), max_size=6))
        blocks.append(header + "".join(draw(blanks) + item for item in found))
    return (draw(st.sampled_from(["", "# data_no\n", "\n"])) + "\n".join(blocks)).encode()


@settings(max_examples=500)
@given(text=cif_texts())
def test_random_layouts_read_as_with_gemmi(text):
    scanned = scan_blocks(text)
    try:
        expected = gemmi_blocks(text)
    except (ValueError, RuntimeError):
        return  # a duplicate tag, or values that are no operations
    if scanned is not None:
        assert scanned == expected


PLAIN = b"data_x\n_cell_length_a 5\n_note\n;\n_cell_length_a 9\n;\n_cell_volume\n 3 # c\n_z 'a b'\n"


@pytest.mark.parametrize(
    "word", ["loop_N4", "Global_1", "stop_2", "LOOP_'", "loop__x", "loop_#", "stop_"]
)
@pytest.mark.parametrize("layout", ["Na1 1\n{} 0.5\nCl3 0.5\n", " {} 1\nNa1\t{}\n", "{} 1"])
def test_only_whole_words_are_reserved(word, layout):
    """A site may have a name that begins with a keyword; gemmi says what it is."""
    head = "data_x\nloop_\n_atom_site_label\n_atom_site_occupancy\n"
    text = (head + layout.format(word, word)).encode()
    scanned = scan_blocks(text)
    try:
        expected = gemmi_blocks(text)
    except (ValueError, RuntimeError):
        expected = None
    if expected is None and _version(gemmi.__version__) < (0, 7, 5):
        return  # older ones refuse some names that begin so
    assert scanned == expected or scanned is None
    if "#" not in word and word != "stop_":
        assert expected[0].sites[0] == layout.count("\n") or layout.count("\n") == 0
        assert scanned == expected or word in ("Global_1", "stop_2")


def test_a_loop_may_have_a_comment_glued_to_its_keyword():
    text = b"data_x\nloop_#c\n_x\n_cell_volume 1\n2\n"  # two tags, two values
    assert scan_blocks(text) is None
    assert gemmi_blocks(text)[0].values == {"_cell_volume": b"2"}


def test_plain_files_are_not_in_doubt():
    (block,) = scan_blocks(PLAIN)
    assert block.values == {"_cell_length_a": b"5", "_cell_volume": b"3"}
    assert scan_blocks(PLAIN * 1 + b"_note2 ';'") is not None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# nothing\n",
        b"_cell_length_a 5\n",
        b"_cell_length_a 5\ndata_x\n",
        b"data_x\n_cell_length_a\n",
        b"data_x\n_cell_length_a P 1\n",
        b"data_x\n_cell_length_a 5 _cell_length_b 6\n",
        b"data_x\n_cell_length_a 5\n_cell_length_a 5\n",
        b"data_x\ndata_X\n",
        b"data_x\nsave_y\nsave_\n",
        b"data_x\nloop_\n_cell_length_a\n5\n",
        b"data_x\n_note\n;\nno end\n",
        b"data_x\n_note\n;\n;_cell_length_a 5\n",
        b"data_x\n_cell_length_a\n;\n5\n;\n6\n",
        b"data_x\nloop_\n_atom_site_label\n_atom_site_occupancy\nC1 1\nC2\n",
        b"data_x\nloop_\n_atom_site_label\nC1 # c\nC2\n",
        b"data_x\nloop_\n_atom_site_label\n'C1\n",
        b"data_x\nloop_\n_atom_site_label\n;\nC1\n;\n",
        b"data_x\n'loop_ ' loop_\n_cell_length_a\n",
    ],
)
def test_doubtful_files_are_left_to_the_parser(text):
    assert scan_blocks(text) is None


def test_bulk_is_cut_exactly_at_any_size():
    bulk = b"_note\n;\n" + b"   1   2   3 data_y loop_ ;x\n;"[:-2] * 5000 + b"\n;\n"
    text = b"data_x\n" + bulk + b"_cell_length_a 5\n" + bulk.replace(b"note", b"more")
    assert scan_blocks(text) == gemmi_blocks(text)
    assert gemmi.cif.read_string(text).sole_block().find_value("_cell_length_a") == "5"


def _version(text):
    return tuple(int(part) for part in text.split(".")[:3])
