"""Which rows of a table are held out together."""

import numpy as np
import pandas as pd
import pytest

from crystalml.crystallography import niggli_cell
from crystalml.symmetry._space_groups._folds import natural_groups

CELLS = np.array(
    [
        [5.64, 5.64, 5.64, 90.0, 90.0, 90.0],
        [5.6403, 5.6403, 5.6403, 90.0, 90.0, 90.0],
        [4.0, 5.0, 6.0, 90.0, 100.0, 90.0],
        [6.0, 5.0, 4.0, 90.0, 80.0, 90.0],
        [4.0, 5.0, 6.0, 90.0, 101.0, 90.0],
    ]
)


def test_chemical_systems_where_there_are_formulas():
    table = pd.DataFrame({"formula": ["NaCl", "Na2Cl3", "NaN", "Na3N", "KCl"]})
    groups = natural_groups(table, None)
    assert groups.tolist() == ["Cl-Na", "Cl-Na", "N-Na", "N-Na", "Cl-K"]
    np.testing.assert_array_equal(natural_groups(table, CELLS), groups)


def test_formulas_that_nobody_asked_for_may_be_unreadable():
    groups = natural_groups(pd.DataFrame({"formula": ["NaCl", "?", None, "?", "ClNa"]}), CELLS)
    assert groups[0] == groups[4]
    assert len(set(groups)) == 4


def test_lattices_where_there_are_none():
    groups = natural_groups(pd.DataFrame(index=range(5)), CELLS)
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len(set(groups)) == 3
    reduced = natural_groups(pd.DataFrame(index=range(5)), niggli_cell(CELLS))
    same = groups[:, None] == groups
    np.testing.assert_array_equal(reduced[:, None] == reduced, same)


@pytest.mark.parametrize("names", [["formula"], []])
def test_no_rows(names):
    assert len(natural_groups(pd.DataFrame(columns=names), np.empty((0, 6)))) == 0
