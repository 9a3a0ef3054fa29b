"""Volume per atom from composition: better than a sum of atoms, and blind to how it is written."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit

from crystalml.crystallography import ELEMENTS, parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups
from crystalml.symmetry._cell_model._volume import AtomicVolumeModel, fit_element_volumes


@pytest.fixture(scope="module")
def rows():
    table = load_cod_inorganic().data.sample(1500, random_state=0)
    return table["formula"].to_numpy(), (table["volume"] / table["n_atoms"]).to_numpy()


@pytest.fixture(scope="module")
def fitted(rows):
    formulas, volumes = rows
    return AtomicVolumeModel(10, max_leaf_nodes=15, random_state=0).fit(formulas, volumes)


def test_trees_correct_the_sum_of_atoms_on_unseen_chemical_systems(rows):
    formulas, volumes = rows
    groups = composition_groups(formulas, by="chemical_system")
    train, test = next(GroupShuffleSplit(random_state=0).split(formulas, groups=groups))
    errors = []
    for max_iter in (0, 25):
        model = AtomicVolumeModel(max_iter, max_leaf_nodes=31, random_state=0).fit(
            formulas[train], volumes[train]
        )
        errors.append(np.median(np.abs(model.predict(formulas[test]) / volumes[test] - 1.0)))
    mean_volume = np.median(np.abs(volumes[train].mean() / volumes[test] - 1.0))
    assert errors[1] < 0.9 * errors[0]
    assert errors[0] < 0.4 * mean_volume


def test_volumes_of_elements_are_recovered_through_wrong_entries():
    generator = np.random.default_rng(0)
    true = dict(zip(("Na", "Cl", "K", "O"), (24.0, 21.0, 40.0, 11.0), strict=True))
    formulas = ["NaCl", "KCl", "Na2O", "K2O", "NaK", "KClO3", "NaClO4"] * 20
    amounts = parse_formulas(formulas).amounts
    sizes = np.array([true.get(symbol, 0.0) for symbol in ELEMENTS])
    volumes = amounts @ sizes / amounts.sum(axis=1)
    wrong = generator.choice(len(volumes), 14, replace=False)
    volumes[wrong] *= 3.0
    found = fit_element_volumes(amounts, volumes, np.ones(len(volumes)))
    for symbol, size in true.items():
        assert_allclose(found[ELEMENTS.index(symbol)], size, rtol=0.02)
    assert_allclose(found[ELEMENTS.index("Pu")], volumes.mean(), rtol=0.01)  # no entry: the mean


def test_how_a_composition_is_written_does_not_matter(fitted):
    spellings = ["Fe2O3", "Fe4O6", "O3Fe2", "FeO1.5"]
    assert_allclose(fitted.predict(spellings), fitted.predict(["Fe2O3"])[0], rtol=1e-9)
    amounts = parse_formulas(spellings).amounts
    assert_array_equal(fitted.predict(amounts), fitted.predict(spellings))


def test_rows_do_not_depend_on_their_neighbours(fitted, rows):
    formulas = rows[0][:50]
    together = fitted.predict(formulas)
    assert_array_equal(fitted.predict(formulas[::-1]), together[::-1])
    assert_allclose(fitted.predict(formulas[7:8]), together[7:8], rtol=1e-12)


def test_elements_never_seen_give_a_finite_volume(rows):
    formulas, volumes = rows
    without = np.array(["Pu" not in formula for formula in formulas])
    model = AtomicVolumeModel(2, max_leaf_nodes=15, random_state=0).fit(
        formulas[without], volumes[without]
    )
    assert 5.0 < model.predict(["PuO2"])[0] < 60.0
    assert model.predict(["NaN"])[0] > 5.0  # sodium nitride


def test_rows_of_no_weight_do_not_count(rows):
    formulas, volumes = rows[0][:400], rows[1][:400].copy()
    weight = np.ones(400)
    weight[300:] = 0.0
    amounts = parse_formulas(formulas).amounts
    kept = fit_element_volumes(amounts[:300], volumes[:300], weight[:300])
    volumes[300:] *= 5.0
    assert_allclose(fit_element_volumes(amounts, volumes, weight), kept, rtol=1e-9)


def test_same_seed_same_model(fitted, rows):
    again = clone(fitted).fit(*rows)
    assert_array_equal(again.predict(rows[0][:100]), fitted.predict(rows[0][:100]))
