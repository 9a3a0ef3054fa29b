"""Classes of space groups with the same Laue class and systematic absences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.crystallography import (
    bravais_lattice,
    extinction_class,
    is_centrosymmetric,
    spacegroup_number,
)
from crystalml.exceptions import SpaceGroupError

NUMBERS = range(1, 231)

# Rows of International Tables A (2005), table 3.1.4.1: extinction symbol and its groups, in the
# settings printed there.
PRINTED = {
    "P - - -, mmm": ["P 2 2 2", "P m m 2", "P m m m"],
    "P - - a, mmm": ["P m 2 a", "P 21 m a", "P m m a"],
    "P n a -, mmm": ["P n a 21", "P n a m"],
    "P n n -, mmm": ["P n n 2", "P n n m"],
    "C - - -, mmm": ["C 2 2 2", "C m m 2", "C m 2 m", "C 2 m m", "C m m m"],
    "C - c -, mmm": ["C m c 21", "C 2 c m", "C m c m"],
    "I - - -, mmm": ["I 2 2 2", "I m m 2", "I 21 21 21", "I m m m"],
    "P 1 c 1, 2/m": ["P 1 c 1", "P 1 2/c 1"],
    "P 1 21/c 1, 2/m": ["P 1 21/c 1"],
    "P - 21 -, 4/mmm": ["P 4 21 2", "P -4 21 m"],
    "P - c -, 4/mmm": ["P 42 c m", "P -4 c 2", "P 42/m c m"],
    "P - - c, 4/mmm": ["P 42 m c", "P -4 2 c", "P 42/m m c"],
    "P 41 - -, 4/m": ["P 41", "P 43"],
    "P - - -, -3m1": ["P 3 2 1", "P 3 m 1", "P -3 m 1"],
    "P - - -, -31m": ["P 3 1 2", "P 3 1 m", "P -3 1 m"],
    "P 63 - -, 6/m": ["P 63", "P 63/m"],
    "F - - -, m-3m": ["F 4 3 2", "F -4 3 m", "F m -3 m"],
    "F d - -, m-3m": ["F d -3 m"],
    "I - - -, m-3": ["I 2 3", "I 21 3", "I m -3"],
}


@pytest.mark.parametrize("symbol", PRINTED)
def test_classes_are_those_of_international_tables(symbol):
    numbers = sorted({spacegroup_number(name) for name in PRINTED[symbol]})
    assert extinction_class(numbers[0]) == tuple(numbers)


def test_classes_partition_the_space_groups():
    classes = {extinction_class(number) for number in NUMBERS}
    assert len(classes) == 122
    assert sorted(number for members in classes for number in members) == list(NUMBERS)
    assert all(number in extinction_class(number) for number in NUMBERS)


@given(st.sampled_from(NUMBERS))
def test_a_class_has_one_bravais_lattice_and_at_most_one_centrosymmetric_group(number):
    members = np.array(extinction_class(number))
    assert len(set(bravais_lattice(members))) == 1
    assert is_centrosymmetric(members).sum() <= 1


@pytest.mark.parametrize("number", [0, 231, 1.5, "62", None, [62], True])
def test_anything_but_a_number_is_refused(number):
    with pytest.raises(SpaceGroupError):
        extinction_class(number)
