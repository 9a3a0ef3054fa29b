"""Single CIFs as strangers write them: values, status, flags and one clear sentence."""

import io
import math
from pathlib import Path

import ase
import pytest

from crystalml._schema import STATUSES, TABLE_COLUMNS
from crystalml.exceptions import CIFError, InvalidInputError
from crystalml.io import FLAGS, read_cif

CELL = """_cell_length_a 5.431(2)
_cell_length_b 6.5
_cell_length_c 7.25(10)
_cell_angle_alpha 90
_cell_angle_beta 101.50(3)
_cell_angle_gamma 90.00(0)
"""
GROUP = "_symmetry_space_group_name_H-M 'P 1 21/c 1'\n"
P21C = ["x,y,z", "-x,y+1/2,-z+1/2", "-x,-y,-z", "x,-y+1/2,z+1/2"]
MINERALS = Path(ase.__path__[0]) / "test" / "testdata" / "minerals"


def cif(*parts, cell=CELL, group=GROUP):
    return "data_test\n" + cell + group + "\n".join(parts) + "\n"


def operations(*texts, tag="_symmetry_equiv_pos_as_xyz", quote="'"):
    return "loop_\n" + tag + "\n" + "".join(f"{quote}{text}{quote}\n" for text in texts)


def row(text, **parameters):
    table = read_cif(text, **parameters)
    assert list(table.columns) == list(TABLE_COLUMNS)
    assert {name: str(table[name].dtype) for name in table} == {
        name: column.dtype for name, column in TABLE_COLUMNS.items()
    }
    assert len(table) == 1
    found = table.iloc[0]
    assert found["status"] in STATUSES
    assert set(filter(None, found["flags"].split(";"))) <= set(FLAGS)
    return found


def flags_of(text):
    return row(text)["flags"].split(";")


def test_cell_with_uncertainties_and_computed_volume():
    found = row(cif())
    assert found["status"] == "ok"
    assert found[["a", "b", "c", "alpha", "beta", "gamma"]].to_list() == [
        5.431, 6.5, 7.25, 90.0, 101.5, 90.0,
    ]  # fmt: skip
    assert found["a_su"] == pytest.approx(0.002)
    assert found["c_su"] == pytest.approx(0.10)
    assert found["beta_su"] == pytest.approx(0.03)
    assert found["gamma_su"] == 0.0
    assert math.isnan(found["b_su"])
    assert math.isnan(found["volume"])
    assert found["v_formula"] == pytest.approx(
        5.431 * 6.5 * 7.25 * math.sin(math.radians(101.5)), rel=1e-12
    )
    assert found["spacegroup_number"] == 14
    assert found["crystal_system"] == "monoclinic"
    assert found["bravais_lattice"] == "mP"


def test_every_column_from_its_tag():
    found = row(
        cif(
            "_cell_volume 250.8(1)",
            "_cell_formula_units_Z 4",
            "_chemical_formula_sum 'C2 H4 O'",
            "_cell_measurement_temperature ?",
            "_diffrn_ambient_temperature 293(2)",
            "_diffrn_ambient_pressure 8.1e+06",
            "_diffrn_radiation_wavelength 0.71073",
            r"_diffrn_radiation_type 'Mo K\a'",
            "_exptl_crystal_density_diffrn 1.535",
            "_exptl_crystal_size_max 0.2",
            "_cod_database_code 1570490",
            "_chemical_name_mineral Quartz",
            "_chemical_name_systematic\n;\n two\n lines\n;",
            "_journal_year 2024",
            "_journal_paper_doi https://doi.org/10.1039/D3SC05824G",
            operations(*P21C),
            "loop_\n_atom_site_label\n_atom_site_occupancy\nC1 1\nC2 0.98(3)\nO1 1.0",
        )
    )
    assert found["status"] == "ok"
    expected = {
        "volume": 250.8, "formula_units": 4, "z_prime": 1, "formula": "C2 H4 O",
        "temperature": 293, "pressure": 8.1e6, "wavelength": 0.71073, "density": 1.535,
        "radiation": "x-ray", "method": "single crystal", "cod_id": 1570490,
        "mineral": "Quartz", "chemical_name": "two lines", "year": 2024,
        "doi": "10.1039/D3SC05824G", "n_sites": 3, "is_disordered": True,
        "spacegroup_source": "operations", "block": "test",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


DICTIONARIES = {
    "mmCIF": """data_1ABC
_cell.entry_id 1ABC
_cell.length_a 5.431
_cell.length_b 6.5
_cell.length_c 7.25
_cell.angle_alpha 90
_cell.angle_beta 101.5
_cell.angle_gamma 90
_cell.length_a_esd 0.002
_symmetry.space_group_name_H-M 'P 1 21/c 1'
_symmetry.Int_Tables_number 14
_exptl.method 'X-RAY DIFFRACTION'
_diffrn.ambient_temp 100
_diffrn_radiation_wavelength.wavelength 0.98
loop_
_atom_site.id
_atom_site.type_symbol
_atom_site.occupancy
1 N 1.0
2 C 1.0
""",
    "DDLm": """data_ddlm
_cell.length_a 5.431
_cell.length_a_su 0.002
_cell.length_b 6.5
_cell.length_c 7.25
_cell.angle_alpha 90
_cell.angle_beta 101.5
_cell.angle_gamma 90
_space_group.IT_number 14
_space_group.name_H-M_alt 'P 1 21/c 1'
_diffrn.ambient_temperature 100
_diffrn_radiation_wavelength.value 0.98
_exptl_crystal.size_max 0.1
loop_
_atom_site.label
_atom_site.occupancy
N1 1.0
C1 1.0
""",
}


@pytest.mark.parametrize("dictionary", DICTIONARIES)
def test_other_dictionaries_names(dictionary):
    found = row(DICTIONARIES[dictionary])
    assert found["status"] == "ok"
    expected = {
        "a": 5.431, "a_su": 0.002, "beta": 101.5, "spacegroup_number": 14, "temperature": 100,
        "wavelength": 0.98, "n_sites": 2, "is_disordered": False, "method": "single crystal",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_cif2_with_triple_quotes_and_lists():
    text = "#\\#CIF_2.0\n" + cif(
        "_publ_note '''_cell_length_a 99\n;\n_cell_length_b 98\n'''",
        '_list [1 2 "_cell_length_c 9" [4 5]]',
        "_table {'a':1 'b':[2 3]}",
        "_chemical_formula_sum '''C2 H4'''",
        "loop_\n_atom_site_label\n_odd\nC1 [1 2]\nC2 [3 4]",
    )
    found = row(text)
    assert (found["status"], found["a"], found["formula"]) == ("ok", 5.431, "C2 H4")
    assert found["n_sites"] == 2


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("unquoted symbol", cif(group="_symmetry_space_group_name_H-M P 21/c\n")),
        ("unquoted operations", cif(operations(*P21C, quote="").replace(",", ", "))),
        (
            "unquoted operations with numbers",
            cif(
                "loop_\n_symmetry_equiv_pos_site_id\n_symmetry_equiv_pos_as_xyz\n"
                + "".join(f"{i} {text.replace(',', ', ')}\n" for i, text in enumerate(P21C))
            ),
        ),
        ("unbalanced quote", cif(group="_symmetry_space_group_name_H-M 'P 21/c\n")),
    ],
)
def test_missing_quotes_are_repaired(how, text):
    found = row(text)
    assert (found["status"], found["flags"]) == ("repaired", "unquoted_value")
    assert found["spacegroup_number"] == 14


def test_duplicate_tags_keep_the_first():
    found = row(cif("_cell_length_a 99"))
    assert (found["a"], found["flags"]) == (5.431, "duplicate_tag")


def test_null_before_a_value_does_not_hide_it():
    found = row(
        cif("_symmetry_cell_setting ?").replace("data_test\n", "data_test\n_cell_volume ?\n")
    )
    assert found["status"] == "ok"


def test_loop_with_missing_value():
    text = cif("loop_\n_atom_site_label\n_atom_site_fract_x\nC1 0.1\nC2\nC3 0.3\n_z 1")
    found = row(text)
    assert (found["n_sites"], found["flags"]) == (2, "loop_length")


def test_several_cells():
    loop = "loop_\n_cell_length_a\n_cell_length_b\n5.431 6.5\n5.432 6.6\n"
    cell = "".join(line + "\n" for line in CELL.splitlines()[2:])
    found = row(cif(loop, cell=cell))
    assert (found["a"], found["b"], found["flags"]) == (5.431, 6.5, "several_cells")


@pytest.mark.parametrize(
    "cut", [r"_chemical_name_systematic", "_chemical_name_systematic\n;\nlong"]
)
def test_truncated_file_keeps_what_was_read(cut):
    found = row((cif() + cut).rstrip("\n"))
    assert (found["a"], found["spacegroup_number"], found["flags"]) == (5.431, 14, "truncated")


def test_values_that_are_no_numbers():
    found = row(cif("_cell_volume about_250", "_diffrn_ambient_temperature 293K"))
    assert (found["status"], found["flags"]) == ("repaired", "bad_number")
    assert math.isnan(found["temperature"])
    for text in ("nan", "inf", "1_000", "1e999", "0x10"):
        assert math.isnan(row(cif(f"_cell_volume {text}"))["volume"]), text


def test_items_before_a_header():
    found = row(CELL + GROUP)
    assert (found["a"], found["block"], found["flags"]) == (5.431, "", "no_block_header")


def test_incomplete_and_impossible_cells():
    partial = "".join(CELL.splitlines(keepends=True)[:3])
    found = row(cif(cell=partial))
    assert (found["status"], found["flags"]) == ("incomplete", "missing_cell")
    assert found["error"] == "the cell is incomplete: alpha, beta, gamma missing"
    with pytest.raises(CIFError, match=r"read_cif: '<text>': the cell is incomplete: alpha, "):
        read_cif(cif(cell=partial), on_error="raise")
    found = row(cif(cell=CELL.replace("101.50(3)", "190")))
    assert (found["status"], found["flags"]) == ("incomplete", "impossible_cell")
    assert found["error"] == "beta is 190.0 degrees, must lie in (0, 180)"
    assert math.isnan(found["v_formula"])
    assert flags_of(cif("_cell_volume 260")) == ["volume_contradicts_cell"]
    assert flags_of(cif("_cell_volume 251.2")) == [""]


def test_several_blocks():
    text = "data_global\n_journal_year 2001\n" + cif() + cif().replace("data_test", "data_second")
    table = read_cif(text)
    assert table["block"].to_list() == ["test", "second"]
    twins = read_cif(cif() + cif())
    assert twins["flags"].to_list() == ["duplicate_block"] * 2


def test_save_frames_are_not_read():
    found = row("data_test\nsave_x\n_cell_length_a 99\nsave_\n" + CELL + GROUP)
    assert found["a"] == 5.431


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("magnetic", "_space_group_magn.number_BNS 62.448"),
        ("magnetic", "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,-y,-z,-1"),
        ("magnetic", "loop_\n_atom_site_moment.label\n_atom_site_moment.crystalaxis_x\nFe1 4.1"),
        ("modulated", "_cell_modulation_dimension 1"),
        ("modulated", "_space_group_ssg_name 'P21/c(0b0)'"),
        ("modulated", "loop_\n_cell_wave_vector_seq_id\n_cell_wave_vector_x\n1 0.3"),
    ],
)
def test_magnetic_and_modulated_structures_get_no_group(mark, text):
    found = row(cif(text, operations(*P21C)))
    assert (found["status"], found["flags"]) == ("unsupported", mark)
    assert found["a"] == 5.431
    assert found[["spacegroup_number"]].isna().all()
    assert found["spacegroup_hm"] == "P 1 21/c 1"
    assert row(cif("_cell_modulation_dimension 0"))["status"] == "ok"


def test_sites_and_disorder():
    loop = "loop_\n_atom_site_label\n_atom_site_disorder_group\n"
    assert row(cif(loop + "C1 .\nC2 ."))["is_disordered"] == False  # noqa: E712
    assert row(cif(loop + "C1 1\nC2 2"))["is_disordered"] == True  # noqa: E712
    assert row(cif("_atom_site_label Fe1"))["n_sites"] == 1
    empty = row(cif("loop_\n_atom_site_label\n?"))
    assert empty[["n_sites", "is_disordered"]].isna().all()
    thirds = "loop_\n_atom_site_label\n_atom_site_occupancy\nC1 0.9999\nC2 1.00(2)\n"
    assert row(cif(thirds))["is_disordered"] == False  # noqa: E712


def test_powder_and_radiation_rules():
    assert row(cif("_pd_meas_2theta_range_max 90"))["method"] == "powder"
    assert row(cif("_pd_meas_2theta_range_max ?"))["method"] is None
    assert row(cif("_pd_phase_name x"))["method"] is None
    declared = cif("_cod_struct_determination_method 'powder diffraction'")
    assert row(declared)["method"] == "powder"
    for text, kind in {
        "'Cu K\\a~1~'": "x-ray", "MoKalpha": "x-ray", "synchrotron": "x-ray",
        "'neutron, time of flight'": "neutron", "electron": "electron", "?": None, "other": None,
    }.items():  # fmt: skip
        assert row(cif(f"_diffrn_radiation_type {text}"))["radiation"] == kind, text


def test_cod_number_by_tag_block_or_file_name(tmp_path):
    assert row(cif().replace("data_test", "data_1000017"))["cod_id"] == 1000017
    path = tmp_path / "9008680.cif"
    path.write_text(cif())
    assert row(path)["cod_id"] == 9008680
    assert row(cif().replace("data_test", "data_0000017")).isna()["cod_id"]


def test_sodium_nitride_survives():
    found = row(cif("_chemical_formula_sum NaN", "_chemical_name_common 'None'"))
    assert found["formula"] == "NaN"
    assert found["chemical_name"] == "None"


def test_encodings():
    text = cif("_chemical_name_mineral 'Weißit'")
    for data, flag in [
        (text.encode("latin-1"), "encoding"),
        (text.encode("utf-16"), "encoding"),
        (text.encode(), ""),
        (b"\xef\xbb\xbf" + text.encode(), ""),
    ]:
        found = row(data)
        assert (found["mineral"], found["a"], found["flags"]) == ("Weißit", 5.431, flag)


def test_kinds_of_source(tmp_path):
    path = tmp_path / "my_data_set" / "one.cif"
    path.parent.mkdir()
    path.write_text(cif())
    assert row(path)["a"] == row(str(path))["a"] == 5.431
    assert row(path)["source"] == str(path)
    with path.open() as text, path.open("rb") as binary:
        assert row(text)["source"] == row(binary)["source"] == str(path)
    assert row(io.StringIO(cif()))["source"] == "<file>"
    assert row(cif())["source"] == "<text>"
    assert row(cif().encode())["source"] == "<bytes>"
    assert row("data_x _cell_length_a 3")["a"] == 3


NOT_A_CRYSTAL = {
    "": "the file is empty",
    " \n\n": "the file is empty",
    "data_x\n": "no data block has a unit cell",
    "data_x\n_journal_year 2001\n": "no data block has a unit cell",
    "<!DOCTYPE html>\n<html>data_ loop_\n": "this is no CIF: it looks like an HTML page",
    "\x89PNG\r\n\x1a\n": "this is no CIF: it",
    "Dear Sir,\nplease find": "this is no CIF: it has neither data_ header nor item",
}


@pytest.mark.parametrize("text", NOT_A_CRYSTAL)
def test_files_without_a_cell(text):
    found = row(text.encode("latin-1"))
    assert found["status"] in ("error", "incomplete")
    assert found["error"].startswith(NOT_A_CRYSTAL[text])
    with pytest.raises(CIFError, match=r"^read_cif: '<bytes>': "):
        read_cif(text.encode("latin-1"), on_error="raise")


def test_missing_file_and_bad_arguments(tmp_path):
    assert row(tmp_path / "none.cif")["error"] == "the file does not exist"
    assert row(tmp_path)["status"] == "error"
    with pytest.raises(CIFError, match="does not exist"):
        read_cif(tmp_path / "none.cif", on_error="raise")
    with pytest.raises(InvalidInputError, match="got 'ignore'"):
        read_cif("x.cif", on_error="ignore")
    with pytest.raises(InvalidInputError, match="got int"):
        read_cif(3)


@pytest.mark.parametrize("path", sorted(MINERALS.glob("*.cif")), ids=lambda path: path.stem)
def test_minerals_of_ase_agree_with_ase(path):
    from ase.io.cif import parse_cif

    with path.open() as file:
        block = next(iter(parse_cif(file)))
    found = row(path)
    assert found["status"] == "ok"
    assert found[["a", "b", "c", "alpha", "beta", "gamma"]].to_list() == block.get_cellpar()
    assert found["cod_id"] == int(path.stem.removeprefix("cod_"))
    assert found["spacegroup_number"] == block.get_spacegroup(True).no
