"""How many atoms a cell holds, given or guessed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from crystalml.crystallography import bravais_lattice, parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.symmetry._cell_contents import likely_contents
from crystalml.symmetry._cell_memory import CellMemory
from crystalml.symmetry._cell_shapes import cells_to_shapes, constrain, lattice_codes
from crystalml.symmetry._isostructural_neighbours import Compounds


@pytest.fixture(scope="module")
def memory():
    data, target = load_cod_inorganic(return_X_y=True)
    data = data[target == 225]
    codes = np.full(len(data), lattice_codes(["cF"])[0])
    shapes, volumes = cells_to_shapes(data[["a", "b", "c", "alpha", "beta", "gamma"]])
    return CellMemory(
        parse_formulas(data["formula"]),
        codes,
        np.full(len(data), 225),
        data["n_atoms"].to_numpy(),
        constrain(shapes, codes),
        volumes,
        np.ones(len(data)),
    )


def test_the_most_alike_decide(memory):
    asked = parse_formulas(["KCl", "CaF2", "K2Cl2", "NaN"])
    codes = lattice_codes(bravais_lattice([225] * 4))
    n_atoms, share = likely_contents(
        memory, Compounds(asked), asked.amounts, codes, np.full(4, 225)
    )
    assert_allclose(n_atoms, [8.0, 12.0, 8.0, 8.0])
    assert ((share > 0.5) & (share <= 1.0 + 1e-12)).all()


def test_a_lattice_nobody_has_met_gets_whole_formula_units(memory):
    asked = parse_formulas(["KCl", "Ga0.5Fe0.5"])
    n_atoms, share = likely_contents(
        memory, Compounds(asked), asked.amounts, lattice_codes(["oF", "oF"]), np.zeros(2, int)
    )
    assert n_atoms[0] % 2 == 0
    assert (n_atoms > 0).all()
    assert_allclose(share, 1.0)
