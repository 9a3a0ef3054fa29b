"""Neighbours: chemically sensible, complete, and independent of how the question is put."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.crystallography import ELEMENTS, parse_formulas
from crystalml.symmetry._isostructural_neighbours import (
    Compounds,
    IsostructuralNeighbours,
    element_distances,
)
from crystalml.symmetry._similar_compositions import SimilarCompositions

KNOWN = ["NaCl", "KBr", "MgO", "TiO2", "ZrO2", "CaTiO3", "NaN", "Cs", "LiFeO2", "Si2O4"]
LATTICES = np.array([13, 13, 13, 7, 1, 3, 13, 12, 9, 7])
NUMBERS = np.array([225, 225, 225, 136, 14, 62, 225, 229, 166, 136])
ATOMS = np.array([8.0, 8, 8, 6, 12, 20, 8, 2, 12, 6])


@pytest.fixture(scope="module")
def memory():
    return IsostructuralNeighbours(Compounds(parse_formulas(KNOWN)), LATTICES, NUMBERS, ATOMS)


def names(rows):
    return [[KNOWN[row] for row in found if row >= 0] for found in rows]


def test_element_distances_are_a_metric_of_the_periodic_table():
    squares, order = element_distances()
    assert squares.shape == (118, 118)
    assert_allclose(squares, squares.T, atol=1e-12)
    assert (np.diag(squares) == 0).all()
    assert np.isfinite(order).all()
    at = ELEMENTS.index
    assert squares[at("La"), at("Ce")] < squares[at("La"), at("O")]
    assert squares[at("Na"), at("K")] < squares[at("Na"), at("Cl")]


def test_the_same_stoichiometry_and_the_most_alike_first(memory):
    rows, distances = memory.find(Compounds(parse_formulas(["KCl", "SnO2", "Rb", "PbTiO3"])), 4)
    found = names(rows)
    assert set(found[0]) == {"NaCl", "KBr", "MgO", "NaN"}
    assert found[0].index("MgO") > 1  # chemically the furthest of the halides' neighbours
    assert set(found[1]) == {"TiO2", "ZrO2", "Si2O4"}
    assert found[2:] == [["Cs"], ["CaTiO3"]]
    assert (np.diff(np.where(np.isfinite(distances), distances, 99.0)) >= 0).all()


def test_lattice_group_and_size_count(memory):
    asked = Compounds(parse_formulas(["HfO2"]))
    assert names(memory.find(asked, 3, lattices=np.array([7]))[0]) == [["TiO2", "Si2O4"]]
    nearest = memory.find(asked, 1, n_atoms=np.array([6.0]))[0]
    assert names(nearest) == [["TiO2"]]
    free, closer = (memory.find(asked, 1, numbers=np.array([number]))[1] for number in (14, 0))
    assert_allclose(free, closer)  # ZrO2 is in the group asked for
    assert memory.find(asked, 1, numbers=np.array([136]))[1] > closer


def test_compounds_of_the_same_elements_can_be_kept_apart(memory):
    asked = Compounds(parse_formulas(["NaCl", "Ti3O6"]))
    together, distances = memory.find(asked, 1)
    assert names(together) == [["NaCl"], ["TiO2"]]
    assert_allclose(distances, 0.0, atol=1e-9)
    apart = names(memory.find(asked, 9, apart=True)[0])
    assert "NaCl" not in apart[0]
    assert "TiO2" not in apart[1]


def test_rows_do_not_depend_on_order_or_company(memory):
    compounds = Compounds(parse_formulas([*KNOWN, "BaO", "UO2"]))
    rows, distances = memory.find(compounds, 3)
    order = np.random.default_rng(0).permutation(len(compounds))
    again = memory.find(compounds.take(order), 3)
    assert_array_equal(again[0], rows[order])
    assert_array_equal(again[1], distances[order])


def test_similar_compositions_need_no_common_stoichiometry():
    table = parse_formulas(KNOWN)
    systems = Compounds(table).systems
    memory = SimilarCompositions(table.amounts, systems, LATTICES, ATOMS)
    asked = parse_formulas(["Na0.9K0.1Cl", "Ti0.95Zr0.05O2", "NaCl"])
    systems = Compounds(asked).systems
    rows, _ = memory.find(asked.amounts, systems, 2)
    assert [found[0] for found in names(rows)] == ["NaCl", "TiO2", "NaCl"]
    rows, _ = memory.find(asked.amounts, systems, 1, apart=True)
    assert names(rows)[2] != ["NaCl"]
    rows, distances = memory.find(asked.amounts, systems, 3, lattices=np.array([12, 7, 5]))
    assert names(rows) == [["Cs"], ["TiO2", "Si2O4"], []]
    assert np.isinf(distances[2]).all()
