"""Classes of space groups with the same Laue class and systematic absences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.crystallography import (
    bravais_lattice,
    extinction_class,
    is_centrosymmetric,
    spacegroups_of_extinction_symbol,
)
from crystalml.exceptions import SpaceGroupError

NUMBERS = range(1, 231)

# Extinction symbols, with the Laue class where it is needed, and the groups that have them, in
# the notation of International Tables A (2005), chapter 3.1.
PRINTED = {
    "P n a -": (33, 62),
    "-1 P -": (1, 2),
    "P 1 - 1": (3, 6, 10),
    "P 1 21 1": (4, 11),
    "P 1 c 1": (7, 13),
    "P 1 n 1": (7, 13),
    "P 1 21/n 1": (14,),
    "C 1 - 1": (5, 8, 12),
    "C 1 c 1": (9, 15),
    "mmm P - - -": (16, 25, 47),
    "mmm P - - 21": (17,),
    "P 21 21 -": (18,),
    "P 21 21 21": (19,),
    "mmm P - - a": (26, 28, 51),
    "mmm P - - n": (31, 59),
    "mmm C - - -": (21, 35, 38, 65),
    "mmm C - - 21": (20,),
    "mmm C - c -": (36, 40, 63),
    "C c c -": (37, 66),
    "mmm C - - (ab)": (39, 67),
    "mmm C - - e": (39, 67),
    "C - c (ab)": (41, 64),
    "C c c (ab)": (68,),
    "mmm I - - -": (23, 24, 44, 71),
    "mmm I - (ac) -": (46, 74),
    "I b a -": (45, 72),
    "I b c a": (73,),
    "mmm F - - -": (22, 42, 69),
    "F d d -": (43,),
    "F d d d": (70,),
    "P b a -": (32, 55),
    "P c c -": (27, 49),
    "mmm P n n -": (34, 58),
    "P c a -": (29, 57),
    "mmm P n c -": (30, 53),
    "P - n a": (30, 53),
    "4/m P - - -": (75, 81, 83),
    "4/m P 42 - -": (77, 84),
    "4/m P 41 - -": (76, 78),
    "4/m P n - -": (85,),
    "4/m P 42/n - -": (86,),
    "4/m I - - -": (79, 82, 87),
    "4/m I 41 - -": (80,),
    "4/m I 41/a - -": (88,),
    "4/mmm P - - -": (89, 99, 111, 115, 123),
    "4/mmm P - 21 -": (90, 113),
    "4/mmm P 42 - -": (93,),
    "4/mmm P 42 21 -": (94,),
    "4/mmm P 41 - -": (91, 95),
    "4/mmm P 41 21 -": (92, 96),
    "4/mmm P - - c": (105, 112, 131),
    "4/mmm P - 21 c": (114,),
    "4/mmm P - b -": (100, 117, 127),
    "4/mmm P - b c": (106, 135),
    "4/mmm P - c -": (101, 116, 132),
    "4/mmm P - c c": (103, 124),
    "4/mmm P - n -": (102, 118, 136),
    "4/mmm P - n c": (104, 128),
    "4/mmm P n - -": (129,),
    "4/mmm P n - c": (137,),
    "4/mmm P n b -": (125,),
    "4/mmm P n b c": (133,),
    "4/mmm P n c -": (138,),
    "4/mmm P n c c": (130,),
    "4/mmm P n n -": (134,),
    "4/mmm P n n c": (126,),
    "4/mmm I - - -": (97, 107, 119, 121, 139),
    "4/mmm I 41 - -": (98,),
    "4/mmm I - - d": (109, 122),
    "4/mmm I - c -": (108, 120, 140),
    "4/mmm I - c d": (110,),
    "4/mmm I a - d": (141,),
    "I a c d": (142,),
    "-3 P - - -": (143, 147),
    "-3 P 31 - -": (144, 145),
    "-3 R (obv) - -": (146, 148),
    "-3m1 P - - -": (150, 156, 164),
    "-31m P - - -": (149, 157, 162),
    "-3m1 P 31 - -": (152, 154),
    "-31m P 31 - -": (151, 153),
    "-3m1 P - c -": (158, 165),
    "-31m P - - c": (159, 163),
    "-3m R (obv) - -": (155, 160, 166),
    "R (obv) - c": (161, 167),
    "6/m P - - -": (168, 174, 175),
    "6/m P 63 - -": (173, 176),
    "6/m P 62 - -": (171, 172),
    "6/m P 61 - -": (169, 170),
    "6/mmm P - - -": (177, 183, 187, 189, 191),
    "6/mmm P 63 - -": (182,),
    "6/mmm P 62 - -": (180, 181),
    "6/mmm P 61 - -": (178, 179),
    "6/mmm P - - c": (186, 190, 194),
    "6/mmm P - c -": (185, 188, 193),
    "6/mmm P - c c": (184, 192),
    "m-3 P - - -": (195, 200),
    "m-3 P 21 - -": (198,),
    "m-3 P n - -": (201,),
    "m-3 P a - -": (205,),
    "m-3 I - - -": (197, 199, 204),
    "m-3 I a - -": (206,),
    "m-3 F - - -": (196, 202),
    "m-3 F d - -": (203,),
    "m-3m P - - -": (207, 215, 221),
    "m-3m P 42 - -": (208,),
    "m-3m P 41 - -": (212, 213),
    "m-3m P - - n": (218, 223),
    "m-3m P n - -": (224,),
    "m-3m P n - n": (222,),
    "m-3m I - - -": (211, 217, 229),
    "m-3m I 41 - -": (214,),
    "m-3m I - - d": (220,),
    "m-3m I a - d": (230,),
    "m-3m F - - -": (209, 216, 225),
    "m-3m F 41 - -": (210,),
    "m-3m F d - -": (227,),
    "m-3m F - - c": (219, 226),
    "F d - c": (228,),
    "P b n a": (60,),
}


@pytest.mark.parametrize("symbol", PRINTED)
def test_symbols_and_classes_are_those_of_international_tables(symbol):
    assert spacegroups_of_extinction_symbol(symbol) == PRINTED[symbol]
    assert extinction_class(PRINTED[symbol][0]) == PRINTED[symbol]


def test_every_class_has_a_symbol_here():
    assert set(PRINTED.values()) >= {c for c in map(extinction_class, NUMBERS) if len(c) > 1}


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        ("P - - -", "occurs in the Laue classes .*mmm.*m-3m"),
        ("-3m P - - -", "occurs in the Laue classes -3m; .*-31m"),
        ("Q n a -", "'Q n a -' agrees with no space group"),
        ("m-3 P n a -", "agrees with no space group"),
        ("mmm", "agrees with no space group"),
        ("", "agrees with no space group"),
        (62, "62 agrees with no space group"),
    ],
)
def test_symbols_that_name_no_class_are_refused(symbol, message):
    with pytest.raises(SpaceGroupError, match=message):
        spacegroups_of_extinction_symbol(symbol)


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
