"""The formula of files that give none: what the atom sites add up to in the cell."""

import pytest

from crystalml.crystallography import parse_formula
from crystalml.io import from_pymatgen, read_cif, read_cifs, to_pymatgen

CUBE = """data_x
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
"""
GROUP = "_symmetry_space_group_name_H-M '{}'\n"
TAGS = {
    "label": "_atom_site_label", "type": "_atom_site_type_symbol",
    "occupancy": "_atom_site_occupancy", "flag": "_atom_site_calc_flag",
    "hydrogens": "_atom_site_attached_hydrogens", "m": "_atom_site_symmetry_multiplicity",
    "x": "_atom_site_fract_x", "y": "_atom_site_fract_y", "z": "_atom_site_fract_z",
}  # fmt: skip


def read(sites, columns="type x y z", group="F m -3 m", items="", cell=CUBE):
    head = "".join(TAGS[name] + "\n" for name in columns.split())
    symmetry = GROUP.format(group) if group else ""
    found = read_cif(f"{cell}{symmetry}{items}loop_\n{head}{sites}\n").iloc[0]
    flag = "missing_formula" if found["formula"] is None else "formula_from_sites"
    assert flag in found["flags"].split(";")
    return found


HALITE = "Na 0 0 0\nCl 0.5 0.5 0.5"


def test_formula_and_z_of_the_sites():
    found = read(HALITE)
    assert found[["formula", "formula_units", "status"]].tolist() == ["Cl Na", 4.0, "repaired"]
    assert found["z_prime"] == pytest.approx(4 / 192)
    found = read(HALITE, items="_cell_formula_units_Z 2\n")
    assert found[["formula", "formula_units"]].tolist() == ["Cl2 Na2", 2.0]


def test_a_given_formula_is_kept():
    text = CUBE + GROUP.format("F m -3 m") + "_chemical_formula_sum 'K Br'\nloop_\n"
    found = read_cif(text + "_atom_site_label\n_atom_site_fract_x\nNa 0\n").iloc[0]
    assert found[["formula", "flags"]].tolist() == ["K Br", ""]
    nothing = read_cif(CUBE + GROUP.format("F m -3 m")).iloc[0]
    assert nothing[["formula", "flags"]].tolist() == [None, ""]  # nor sites


@pytest.mark.parametrize(
    ("sites", "columns", "formula"),
    [
        ("Na1+ 0 0 0\nCl1- .5 .5 .5", "type x y z", "Cl Na"),
        ("NA 0 0 0\ncl .5 .5 .5", "type x y z", "Cl Na"),
        ("Na1 0 0 0\nClA .5 .5 .5", "label x y z", "Cl Na"),
        ("FeT 0 0 0\nOA2 .5 .5 .5", "label x y z", "Fe O"),
        ("D 0 0 0\nLi .5 .5 .5", "type x y z", "D Li"),
        ("Na 0 0 0 0.5\nK 0 0 0 0.5\nCl .5 .5 .5 ?", "type x y z occupancy", "Cl2 K Na"),
        ("Na 0 0 0 1\nK .25 .25 .25 0\nCl .5 .5 .5 .", "type x y z occupancy", "Cl Na"),
        ("Na 0 0 0 .\nX ? ? ? dum\nCl .5 .5 .5 .", "type x y z flag", "Cl Na"),
        ("N 0 0 0 4\nCl .5 .5 .5 .", "type x y z hydrogens", "Cl H4 N"),
        # All images of one atom are listed: each counts once.
        ("Na 0 0 0\nNa .5 .5 0\nCl .5 .5 .5\nCl 0 0 .5", "type x y z", "Cl Na"),
        ("C 0 0 0 0.3333\nC .1 .1 .1 0.125", "type x y z occupancy", "C5.3332"),
    ],
)
def test_kinds_of_sites(sites, columns, formula):
    assert read(sites, columns)["formula"] == formula


@pytest.mark.parametrize(
    ("sites", "columns"),
    [
        ("Na 0 0 0\nX .5 .5 .5", "type x y z"),
        ("Na 0 0 0\nWat .5 .5 .5", "type x y z"),
        ("Na 0 0 0\n? .5 .5 .5", "type x y z"),
        ("Na1 0 0 0\nWat .5 .5 .5", "label x y z"),
        ("Na1 0 0 0\nOw .5 .5 .5", "label x y z"),
        ("CA1 0 0 0", "label x y z"),  # calcium, or an alpha carbon
        ("Na 0 0 0 a\nCl .5 .5 .5 1", "type x y z occupancy"),
        ("Na 0 0 0 -1\nCl .5 .5 .5 1", "type x y z occupancy"),
        ("Na 0 0 0 100\nCl .5 .5 .5 100", "type x y z occupancy"),  # per cent
        ("Na 0 0 0 0.7\nK 0 0 0 0.7", "type x y z occupancy"),
        ("Na 0 0 0\nCl ? ? ?", "type x y z"),
        ("Na 0 0 0\nCl .5 .5 1e300", "type x y z"),
        ("Na 0 0 0 0", "type x y z occupancy"),
        ("? ? ? ?", "type x y z"),
    ],
)
def test_what_sites_do_not_tell_is_missing(sites, columns):
    assert read(sites, columns)["formula"] is None if sites != "? ? ? ?" else True


def test_without_symmetry_multiplicities_are_needed():
    assert read(HALITE, group=None)["formula"] is None
    given = "Na 4 0 0 0\nCl 4 .5 .5 .5"
    found = read(given, "type m x y z", group=None)
    assert found[["formula", "formula_units"]].tolist() == ["Cl Na", 4.0]
    assert found["status"] == "incomplete"
    # As older programs wrote it: 1 for a general position, whatever the group.
    assert read("Na 1 0 0 0\nCl 1 .5 .5 .5", "type m x y z", group=None)["formula"] is None
    # With symmetry, places say more than multiplicities, which may mean the opposite.
    assert read("Na 192 0 0 0\nCl 1 .5 .5 .5", "type m x y z")["formula"] == "Cl Na"


@pytest.mark.parametrize(
    "symmetry",
    [
        GROUP.format("F m -3 m"),
        "_space_group_name_Hall '-F 4 2 3'\n",
        "_space_group_IT_number 225\n",
        "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nx,1/2+y,1/2+z\n1/2+x,y,1/2+z\n1/2+x,1/2+y,z\n",
        # Of no table: a cell that is shifted by a sixteenth.
        (
            "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n1/8-x,1/8-y,1/8-z\n"
            "x,1/2+y,1/2+z\n1/8-x,5/8-y,5/8-z\n1/2+x,y,1/2+z\n5/8-x,1/8-y,5/8-z\n"
            "1/2+x,1/2+y,z\n5/8-x,5/8-y,1/8-z\n"
        ),
    ],
    ids=["H-M", "Hall", "number", "operations", "unlisted operations"],
)
def test_every_source_of_the_symmetry(symmetry):
    sites = "Na .0625 .0625 .0625\nCl .5625 .5625 .5625" if "5/8" in symmetry else HALITE
    found = read(sites, group=None, items=symmetry)
    assert found[["formula", "formula_units"]].tolist() == ["Cl Na", 4.0]


def test_rhombohedral_axes_are_told_by_the_cell():
    cell = CUBE.replace("90", "60")
    assert read("Na 0 0 0\nCl .5 .5 .5", group="R -3 m", cell=cell)["formula_units"] == 1.0


@pytest.mark.parametrize("layout", ["scanner", "gemmi", "repair", "single atom"])
def test_every_parser(layout):
    head = "loop_\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    text = CUBE + GROUP.format("F m -3 m") + head + "_atom_site_fract_z\n" + HALITE + "\n"
    if layout == "gemmi":
        text = text.replace("_cell_length_a 5.64\n_cell", "_cell_length_a 5.64 _cell")
    if layout == "repair":
        text = text.replace("'F m -3 m'", "F m -3 m")
    if layout == "single atom":
        text = CUBE + GROUP.format("F m -3 m") + "_atom_site_type_symbol Cu\n"
        text += "".join(f"_atom_site_fract_{axis} 0\n" for axis in "xyz")
    (formula,) = read_cif(text)["formula"]
    assert formula == ("Cu" if layout == "single atom" else "Cl Na")


def test_huge_lists_are_not_expanded():
    sites = "".join(f"Na 0.{n:05d} 0.1 0.2\n" for n in range(2000))
    assert read(sites)["formula"] is None


def test_real_files(shared_data):
    """Where a formula is given it is the same one, but for hydrogens and disordered solvents."""
    table = read_cifs(shared_data / "cifs_cod.tar.xz")
    derived = table["flags"].str.contains("formula_from_sites")
    assert derived.sum() == 552
    assert not table["flags"].str.contains("missing_formula").any()
    rows = table[derived].iloc[::50]
    for formula, structure in zip(rows["formula"], to_pymatgen(rows), strict=True):
        (expected,) = from_pymatgen(structure)["formula"]
        ours, theirs = parse_formula(formula), parse_formula(expected)
        total, other = sum(ours.values()), sum(theirs.values())
        assert ours.keys() == theirs.keys()
        for element, amount in ours.items():
            assert amount / total == pytest.approx(theirs[element] / other, abs=2e-3)
