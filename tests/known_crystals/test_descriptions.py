"""Compositions as numbers: the area between profiles is the element mover's distance."""

import numpy as np
from scipy.stats import wasserstein_distance

from crystalml.crystallography import parse_formulas
from crystalml.known_crystals._descriptions import Compositions, ElementTable

FORMULAS = ["NaCl", "KBr", "Fe2O3", "La1.85Sr0.15CuO4", "Si", "CaTiO3"]


def compositions(formulas):
    return Compositions.of(parse_formulas(formulas).amounts, ElementTable.read())


def test_area_between_profiles():
    found = compositions(FORMULAS)
    fractions = found.fractions.toarray()[:, found.order]
    places = np.arange(fractions.shape[1])
    area = np.abs(found.profiles()[:, None] - found.profiles()).sum(axis=2)
    for i, left in enumerate(fractions):
        for j, right in enumerate(fractions):
            expected = wasserstein_distance(places, places, left, right)
            np.testing.assert_allclose(area[i, j], expected, atol=1e-9)
    # Alkali chlorides are nearer to alkali bromides than to silicon.
    assert area[0, 1] < area[0, 4]


def test_some_rows_are_like_all():
    found = compositions(FORMULAS)
    some = np.array([4, 0, 2])
    np.testing.assert_array_equal(found.profiles(some), found.profiles()[some])
    np.testing.assert_array_equal(found.largest_fractions(some), found.largest_fractions()[some])


def test_the_largest_fractions_forget_the_elements():
    largest = compositions(FORMULAS).largest_fractions()
    np.testing.assert_array_equal(largest[0], largest[1])
    np.testing.assert_allclose(largest[2], [0.6, 0.4, 0, 0, 0, 0])


def test_multiples_of_a_formula_are_equal():
    left, right = compositions(FORMULAS), compositions(["Na3Cl3", "K2Br2", "Fe4O6"])
    np.testing.assert_array_equal(left.profiles()[:3], right.profiles())
