"""Ranked tables of space groups and the restriction to those that are allowed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.crystallography import (
    bravais_lattice,
    crystal_system,
    spacegroups_of_bravais_lattice,
)
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._ranking import allowed_numbers, rank_table, restrict_probabilities

CLASSES = np.array([2, 14, 15, 33, 62, 225])


class TestAllowed:
    def test_none_is_every_group(self):
        assert_array_equal(allowed_numbers(None), np.arange(1, 231))

    @pytest.mark.parametrize(
        ("allowed", "numbers"),
        [
            (14, [14]),
            (np.int32(14), [14]),
            ([62, 14, 62], [14, 62]),
            (np.array([62, 14]), [14, 62]),
            ("oI", spacegroups_of_bravais_lattice("oI")),
            (["tP", "tI"], range(75, 143)),
            ("tetragonal", range(75, 143)),
            ("trigonal", range(143, 168)),
            ("extinction:P n a 21", [33, 62]),
            ("extinction: Pnma", [33, 62]),
            ("extinction:P 1 21/n 1", [14]),
            ("extinction:P n a -", [33, 62]),
            ("extinction:4/mmm P - 21 -", [90, 113]),
            ({"extinction:P n m a", 2}, [2, 33, 62]),
            ("P n a 21", [33]),
            ("Pbnm", [62]),
            (
                ["P 1 21/n 1", "I41/amd", "cF", 2],
                [2, 14, 141, *spacegroups_of_bravais_lattice("cF")],
            ),
            ("62", [62]),
        ],
    )
    def test_what_is_understood(self, allowed, numbers):
        assert_array_equal(allowed_numbers(allowed), np.array(numbers))

    @pytest.mark.parametrize(
        "allowed", ["xP", "Cubic", "P n a 7", 0, 231, 1.5, True, [None], ["tP", "?"]]
    )
    def test_what_is_not_says_what_would_be(self, allowed):
        with pytest.raises(InvalidInputError, match=r"someone: allowed has .*a Bravais lattice"):
            allowed_numbers(allowed, caller="someone")

    def test_unknown_symbol_and_empty_list(self):
        with pytest.raises(InvalidInputError, match="'Q n a' agrees with no space group"):
            allowed_numbers("extinction:Q n a")
        with pytest.raises(InvalidInputError, match="occurs in the Laue classes"):
            allowed_numbers("extinction:P - - -")
        with pytest.raises(InvalidInputError, match="empty"):
            allowed_numbers([])


class TestRestriction:
    @given(arrays(float, (3, 6), elements=st.floats(0.01, 1)))
    def test_is_conditional_probability(self, weights):
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        found = restrict_probabilities(probabilities, CLASSES, "orthorhombic")
        expected = probabilities[:, 3:5] / probabilities[:, 3:5].sum(axis=1, keepdims=True)
        assert_allclose(found[:, 3:5], expected)
        assert not found[:, [0, 1, 2, 5]].any()

    def test_row_that_excludes_all_that_is_allowed_is_undefined(self):
        found = restrict_probabilities(np.eye(6)[[3, 0]], CLASSES, [33, 62])
        assert_array_equal(found[0], np.eye(6)[3])
        assert_array_equal(found[1], [0, 0, 0, np.nan, np.nan, 0])

    def test_nothing_that_was_learned_is_allowed(self):
        with pytest.raises(InvalidInputError, match="none of the 6 space groups"):
            restrict_probabilities(np.eye(6), CLASSES, "tP")


class TestTable:
    def test_content(self):
        table = rank_table([[0.1, 0.2, 0.0, 0.3, 0.4, 0.0]], CLASSES, k=3, index=["mine"])
        expected = pd.DataFrame(
            {
                "row": ["mine"] * 3,
                "rank": [1, 2, 3],
                "spacegroup_number": [62, 33, 14],
                "spacegroup_hm": ["P n m a", "P n a 21", "P 1 21/c 1"],
                "probability": [0.4, 0.3, 0.2],
                "crystal_system": ["orthorhombic", "orthorhombic", "monoclinic"],
            }
        )
        pd.testing.assert_frame_equal(table, expected)

    def test_allowed_shortens_and_renormalises(self):
        table = rank_table([[0.1, 0.2, 0.0, 0.3, 0.4, 0.0]], CLASSES, k=9, allowed=[33, 62, 63])
        assert table["spacegroup_number"].tolist() == [62, 33]
        assert_allclose(table["probability"], [4 / 7, 3 / 7])

    def test_many_rows_agree_with_sorting_each(self):
        rng = np.random.default_rng(0)
        classes = np.sort(rng.choice(np.arange(1, 231), 100, replace=False))
        probabilities = rng.dirichlet(np.ones(100), size=50)
        table = rank_table(probabilities, classes, k=7)
        for row, part in table.groupby("row"):
            order = np.argsort(-probabilities[row])[:7]
            assert part["rank"].tolist() == list(range(1, 8))
            assert_array_equal(part["spacegroup_number"], classes[order])
            assert_array_equal(part["probability"], probabilities[row, order])
            assert_array_equal(part["crystal_system"], crystal_system(classes[order]))

    def test_equal_probabilities_keep_the_order_of_the_classes(self):
        table = rank_table(np.full((2, 6), 1 / 6), CLASSES, k=6)
        assert_array_equal(table["spacegroup_number"], np.tile(CLASSES, 2))

    def test_undefined_probabilities_are_listed_as_missing(self):
        table = rank_table([[1.0, 0, 0, 0, 0, 0]], CLASSES, allowed="oP")
        assert set(bravais_lattice(table["spacegroup_number"])) == {"oP"}
        assert table["probability"].isna().all()

    @pytest.mark.parametrize("k", [0, -1, 1.5, True, "5", None])
    def test_k_is_a_whole_number(self, k):
        with pytest.raises(InvalidInputError, match="k must be a whole number"):
            rank_table(np.eye(6), CLASSES, k=k)

    def test_no_rows(self):
        assert rank_table(np.empty((0, 6)), CLASSES).shape == (0, 6)
