"""Which rows are set aside, and which never are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold, PredefinedSplit

from crystalml.exceptions import InvalidInputError
from crystalml.neural._holdout import held_out_rows, rows_of_splitter

_FRACTIONS = st.floats(0.05, 0.9)


def held_out(strata, fraction, groups=None, seed=0):
    return held_out_rows(
        np.asarray(strata), fraction, groups=groups, random_state=np.random.RandomState(seed)
    )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), _FRACTIONS, st.integers(0, 99))
def test_each_stratum_gives_its_share_and_keeps_a_row(sizes, fraction, seed):
    strata = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    marked = held_out(strata, fraction, seed=seed)
    taken = np.bincount(strata[marked], minlength=len(sizes))
    share = np.asarray(sizes) * max(fraction, 1 / len(strata))
    assert (taken <= np.maximum(np.ceil(share), 1)).all()
    assert (taken >= np.minimum(np.floor(share), np.asarray(sizes) - 1)).all()
    assert (taken < sizes).all()
    assert marked.any() == (max(sizes) > 1)


def test_common_strata_make_up_the_fraction():
    strata = np.repeat(np.arange(50), 37)
    assert held_out(strata, 0.1).sum() == 185


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=60),
    _FRACTIONS,
    st.integers(0, 99),
)
def test_groups_stay_whole_and_every_stratum_is_learned(rows, fraction, seed):
    groups, strata = np.array(rows).T
    _, groups = np.unique(groups, return_inverse=True)
    marked = held_out(strata, fraction, groups=groups, seed=seed)
    assert not np.intersect1d(groups[marked], groups[~marked]).size
    assert set(strata) == set(strata[~marked])


def test_groups_reach_the_fraction_and_large_groups_come_last():
    groups = np.concatenate([np.zeros(500, int), np.repeat(np.arange(1, 101), 5)])
    strata = np.zeros(1000, dtype=int)
    shares = [held_out(strata, 0.1, groups=groups, seed=seed).mean() for seed in range(20)]
    assert_array_equal(shares, 0.1)


def test_one_group_cannot_be_split():
    assert not held_out([0, 1, 0, 1], 0.5, groups=np.zeros(4, dtype=int)).any()


def test_splitter_gives_its_first_split_of_the_rows_that_count():
    X = np.zeros((6, 1))
    used = np.array([0, 1, 2, 4, 5])
    train, valid = rows_of_splitter(KFold(3), X, None, None, used, caller="net")
    assert_array_equal(valid, [0, 1])
    assert_array_equal(train, [2, 4, 5])


def test_splitter_with_an_empty_part_is_refused():
    used = np.array([2, 3])
    with pytest.raises(InvalidInputError, match="2 rows to train on and 0 to validate on"):
        rows_of_splitter(
            PredefinedSplit([0, 0, -1, -1]), np.zeros((4, 1)), None, None, used, caller="net"
        )


def test_splitter_with_shared_rows_is_refused():
    class Leaky:
        def split(self, X, y, groups):
            yield [0, 1, 2], [2, 3]

    with pytest.raises(InvalidInputError, match="both sides of its first split"):
        rows_of_splitter(Leaky(), np.zeros((4, 1)), None, None, np.arange(4), caller="net")
