"""Which known cells stand for another one, and how many atoms a cell holds by them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.crystallography import bravais_lattice, parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.known_crystals._index import STOICHIOMETRY
from crystalml.symmetry._cell_model._contents import likely_contents
from crystalml.symmetry._cell_model._neighbours import N_CANDIDATES, CellContents, KnownCells
from crystalml.symmetry._cell_model._shapes import cells_to_shapes, constrain, lattice_codes

KNOWN = ["NaCl", "KBr", "MgO", "TiO2", "ZrO2", "CaTiO3", "NaN", "Cs", "LiFeO2", "Si2O4"]
LATTICES = np.array([13, 13, 13, 7, 1, 3, 13, 12, 9, 7])
ATOMS = np.array([8.0, 8, 8, 6, 12, 20, 8, 2, 12, 6])


def contents(formulas, lattices=0, numbers=0, n_atoms=np.nan):
    parts = (np.broadcast_to(part, len(formulas)) for part in (lattices, numbers, n_atoms))
    return CellContents.of(parse_formulas(formulas).amounts, *parts)


@pytest.fixture(scope="module")
def few():
    """Ten cells, whose shapes are their numbers, each a chemical system of its own."""
    crystals = contents(KNOWN, LATTICES, 0, ATOMS)
    shapes = np.tile(np.arange(10.0)[:, None], 6)
    return KnownCells(crystals, np.arange(10), shapes, 20.0 * ATOMS, np.ones(10))


def names(found):
    return [[KNOWN[row] for row in rows if row >= 0] for rows in found.rows]


def test_the_same_stoichiometry_and_the_most_alike_first(few):
    asked = contents(["KCl", "SnO2", "Rb", "PbTiO3"]).crystals()
    found = few.same(asked, 4, within=(STOICHIOMETRY,))
    first, second, *others = names(found)
    assert set(first) == {"NaCl", "KBr", "MgO", "NaN"}
    assert first.index("MgO") > 1  # chemically the furthest of the halides' neighbours
    assert set(second) == {"TiO2", "ZrO2", "Si2O4"}
    assert others == [["Cs"], ["CaTiO3"]]


def test_lattice_and_size_count(few):
    asked = contents(["HfO2"], 7).crystals()
    assert set(names(few.same(asked, 3))[0]) == {"TiO2", "Si2O4"}
    # Without a lattice, ZrO2 is the nearest, unless the cell is known to be a small one.
    free = few.same(asked, 1, within=(STOICHIOMETRY,))
    small = few.same(contents(["HfO2"], n_atoms=6.0).crystals(), 1, within=(STOICHIOMETRY,))
    assert names(free) == [["ZrO2"]]
    assert names(small) == [["TiO2"]]


def test_elements_that_share_a_site_count_as_one(few):
    asked = contents(["Na0.97K0.03Cl", "Ti0.97Zr0.03O2"]).crystals()
    found = names(few.same(asked, 1, within=(STOICHIOMETRY,)))
    assert found == [["NaCl"], ["TiO2"]]


def test_like_contents_need_no_common_stoichiometry(few):
    found = few.similar(contents(["Na3Cl2", "Ti3O5", "Zn"], [13, 7, 5]).crystals(), 3)
    first, second, third = names(found)
    assert first[0] == "NaCl"
    assert set(second) == {"TiO2", "Si2O4"}
    assert third == []
    assert np.isinf(found.distances[2]).all()


def test_candidates_tell_what_they_are(few):
    asked = contents(["KCl", "Zn"], [13, 5], [0, 0], [8.0, 2.0])
    found = few.candidates(asked.crystals(), asked.numbers, asked.n_atoms)
    assert found.features.shape == (2, N_CANDIDATES, 6)
    exists = found.features[..., 0] == 1
    assert exists[0].all()
    assert not exists[1].any()
    assert not found.features[1, :, 3:].any()
    assert not found.shapes[1].any()
    nearest = few.same(asked.crystals(), 4).rows[0]
    assert_array_equal(found.shapes[0, :4, 0], nearest)
    assert_allclose(found.features[0, :4, 3], 0.0, atol=1e-12)  # all have eight atoms


def test_a_chemical_system_can_be_hidden(few):
    hidden = contents(["NaCl"], 13, 0, 8.0).crystals(np.array([0]))
    assert "NaCl" not in names(few.same(hidden, 9))[0]
    assert "NaCl" not in names(few.similar(hidden, 9))[0]


@pytest.fixture(scope="module")
def cubic():
    data, target = load_cod_inorganic(return_X_y=True)
    data = data[target == 225]
    codes = np.full(len(data), lattice_codes(["cF"])[0])
    shapes, volumes = cells_to_shapes(data[["a", "b", "c", "alpha", "beta", "gamma"]])
    crystals = contents(data["formula"].tolist(), codes, 225, data["n_atoms"].to_numpy())
    systems = np.arange(len(data))
    return KnownCells(crystals, systems, constrain(shapes, codes), volumes, np.ones(len(data)))


def test_the_most_alike_decide(cubic):
    codes = lattice_codes(bravais_lattice([225] * 4))
    n_atoms, share = likely_contents(cubic, contents(["KCl", "CaF2", "K2Cl2", "NaN"], codes, 225))
    assert_allclose(n_atoms, [8.0, 12.0, 8.0, 8.0])
    assert ((share > 0.5) & (share <= 1.0 + 1e-12)).all()


def test_a_lattice_nobody_has_met_gets_whole_formula_units(cubic):
    asked = contents(["KCl", "Ga0.5Fe0.5"], lattice_codes(["oF", "oF"]))
    n_atoms, share = likely_contents(cubic, asked)
    assert n_atoms[0] % 2 == 0
    assert (n_atoms > 0).all()
    assert_allclose(share, 1.0)
