"""Structures to rows of the table."""

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal
from pymatgen.core import Lattice, Structure

from crystalml._schema import CELL_COLUMNS, TABLE_COLUMNS
from crystalml.exceptions import InvalidInputError
from crystalml.io import from_ase, from_pymatgen, read_cif, to_ase, to_pymatgen

QUARTZ = """data_quartz
_cell_length_a 4.9134 _cell_length_b 4.9134 _cell_length_c 5.4052
_cell_angle_alpha 90  _cell_angle_beta 90   _cell_angle_gamma 120
_space_group_name_H-M_alt 'P 32 2 1'
loop_ _atom_site_label _atom_site_fract_x _atom_site_fract_y _atom_site_fract_z
Si 0.4699 0 0.6666667
O  0.4141 0.2681 0.7854
"""


@pytest.fixture
def halite():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def test_columns_are_those_of_the_schema(halite):
    for table in (from_pymatgen([halite]), from_ase(bulk("Cu"))):
        assert list(table.columns) == list(TABLE_COLUMNS)
        assert {n: str(t) for n, t in table.dtypes.items()} == {
            name: column.dtype for name, column in TABLE_COLUMNS.items()
        }
    assert len(from_pymatgen([])) == 0


def test_a_round_trip_keeps_cell_and_contents():
    row = read_cif(QUARTZ).iloc[0]
    for table in (from_pymatgen(to_pymatgen(QUARTZ)), from_ase(to_ase(QUARTZ))):
        np.testing.assert_allclose(table.loc[0, list(CELL_COLUMNS)].astype(float),
                                   row[list(CELL_COLUMNS)].astype(float), rtol=1e-9)  # fmt: skip
        assert table.loc[0, "formula"] == "O2Si"
        assert table.loc[0, "formula_units"] == 3.0
        assert table.loc[0, "n_sites"] == 9
        assert table.loc[0, "density"] == pytest.approx(2.648, abs=0.002)
        assert table.loc[0, "block"] == "quartz"


def test_no_space_group_is_guessed(halite):
    table = from_pymatgen(halite)
    assert table["spacegroup_number"].isna().all()
    assert table.loc[0, "flags"] == "missing_spacegroup"
    assert table.loc[0, "status"] == "incomplete"
    assert np.isnan(table.loc[0, "volume"])


def test_spglib_finds_a_space_group_when_asked():
    table = from_pymatgen(to_pymatgen(QUARTZ), symprec=1e-3)
    assert table.loc[0, "spacegroup_number"] == 154
    assert table.loc[0, "spacegroup_source"] == "spglib, symprec 0.001"
    assert table.loc[0, "crystal_system"] == "trigonal"
    assert table.loc[0, "status"] == "ok"


def test_disorder_is_kept(halite):
    halite.replace_species({"Na": {"Na": 0.7, "K": 0.25}})
    table = from_pymatgen(halite)
    assert table.loc[0, "formula"] == "Cl4KNa2.8"
    assert table.loc[0, "formula_units"] == 1.0
    assert bool(table.loc[0, "is_disordered"])


def test_partial_occupancy_of_ase():
    text = QUARTZ.replace("_atom_site_label", "_atom_site_label _atom_site_occupancy")
    text = text.replace("Si 0.4", "Si 0.9 0.4").replace("O  0.4", "O 1 0.4")
    table = from_ase(to_ase(text))
    assert table.loc[0, "formula"] == "O6Si2.7"
    assert bool(table.loc[0, "is_disordered"])
    ours, theirs = from_ase(to_ase(text)), from_pymatgen(to_pymatgen(text))
    assert ours.loc[0, "density"] == pytest.approx(theirs.loc[0, "density"], rel=1e-4)


def test_the_group_that_ase_declares():
    diamond = crystal("C", [(0, 0, 0)], spacegroup=227, cellpar=[3.57, 3.57, 3.57, 90, 90, 90])
    table = from_ase([diamond, bulk("Cu")])
    assert table.loc[0, "spacegroup_number"] == 227
    assert table.loc[0, "spacegroup_source"] == "Atoms.info['spacegroup']"
    assert table["spacegroup_number"].isna().tolist() == [False, True]


def test_formulas_in_the_order_of_hill_and_sodium_nitride():
    lattice = Lattice.cubic(9.0)
    places = np.random.default_rng(0).random((5, 3))
    methanol = Structure(lattice, ["O", "H", "H", "H", "C"], places)
    assert from_pymatgen(methanol).loc[0, "formula"] == "CH3O"
    assert from_pymatgen(Structure(lattice, ["Na", "N"], places[:2])).loc[0, "formula"] == "NNa"


def test_what_has_no_cell_is_refused():
    with pytest.raises(InvalidInputError, match="from_ase: item 1 is not periodic"):
        from_ase([bulk("Cu"), ase.Atoms("H")])
    slab = Structure(Lattice.cubic(4.0, pbc=(True, True, False)), ["Cu"], [[0, 0, 0]])
    with pytest.raises(InvalidInputError, match="from_pymatgen: item 0 is not periodic"):
        from_pymatgen(slab)


@pytest.mark.parametrize("given", ["x.cif", 5, [5]])
def test_other_objects_are_refused(given):
    with pytest.raises(InvalidInputError, match=r"from_pymatgen: .*Structure"):
        from_pymatgen(given)


def test_tolerances_are_checked(halite):
    with pytest.raises(InvalidInputError, match="symprec is -1; give a number above 0"):
        from_pymatgen(halite, symprec=-1)
