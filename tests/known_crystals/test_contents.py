"""How many atoms a cell holds, by its formula and its volume."""

import numpy as np
from numpy.testing import assert_allclose

from crystalml.crystallography import parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.known_crystals._contents import atoms_per_unit, contents_of_cells


def test_atoms_of_the_reduced_formula():
    amounts = parse_formulas(["Fe4O6", "NaN", "Si8", "Ga1Fe0.5Co0.5"]).amounts
    assert_allclose(atoms_per_unit(amounts), [5.0, 2.0, 1.0, np.nan])


def test_unknown_contents_follow_from_the_volume():
    n_known = 500
    data = load_cod_inorganic().data.sample(1500, random_state=0)
    amounts = parse_formulas(data["formula"]).amounts
    truth = data["n_atoms"].to_numpy()
    given = np.where(np.arange(len(truth)) < n_known, truth, np.nan)
    found = contents_of_cells(amounts, data["volume"].to_numpy(), given)
    assert_allclose(found[:n_known], truth[:n_known])
    right = np.abs(found / truth - 1.0)[n_known:] < 1e-6
    assert right.mean() > 0.75
    units = found / atoms_per_unit(amounts)
    assert_allclose(units[n_known:], np.rint(units[n_known:]))
