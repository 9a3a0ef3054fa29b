"""The search for neutral combinations against trying all of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from crystalml.descriptors import _charge_balance
from crystalml.descriptors._charge_balance import ChargeBalance

N_ELEMENTS = 8
states = st.lists(st.integers(-4, 7), max_size=4, unique=True)
amounts = st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 1.85, 2.0, 3.0, 4.0])
formulas = st.lists(amounts, min_size=N_ELEMENTS, max_size=N_ELEMENTS).filter(any)


def try_all(states_of, row):
    present = np.flatnonzero(row)
    return any(
        abs(np.dot(combination, row[present])) <= 1e-8
        for combination in product(*(states_of[element] for element in present))
    )


@pytest.mark.parametrize("most_combinations", [1, 4096])
@settings(max_examples=80)
@given(
    states_of=st.lists(states, min_size=N_ELEMENTS, max_size=N_ELEMENTS),
    rows=st.lists(formulas, min_size=1, max_size=6),
)
def test_both_ways_of_searching_equal_trying_all(most_combinations, states_of, rows):
    matrix = np.array(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_charge_balance, "_MOST_COMBINATIONS", most_combinations)
        patch.setattr(_charge_balance, "_BLOCK_NUMBERS", 8)
        got = ChargeBalance(states_of).is_possible(sparse.csr_array(matrix))
    assert got.tolist() == [try_all(states_of, row) for row in matrix]
