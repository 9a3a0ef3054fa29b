import gemmi
import pytest

from crystalml.crystallography import find_spacegroup
from crystalml.crystallography._spacegroup_names import (
    _listed_names,
    _unlisted_names,
    claims_by_key,
    compact,
)


def test_derived_names_agree_with_gemmi_where_it_knows_them():
    known = 0
    for key, claim in claims_by_key().items():
        group = gemmi.find_spacegroup_by_name(key)
        if group:
            known += 1
            assert {setting.number for setting in claim.settings} == {group.number}, key
    assert known > 500


def test_no_derived_name_is_ambiguous():
    names = {compact(name) for _, name, _ in (*_listed_names(), *_unlisted_names())}
    assert names == set(claims_by_key())


def test_which_names_two_groups_claim():
    claims = {}
    for _, name, setting in (*_listed_names(), *_unlisted_names()):
        claims.setdefault(compact(name), set()).add(setting.number)
    contested = {key: numbers for key, numbers in claims.items() if len(numbers) > 1}
    # All are abbreviations: of a doubled cell of a primitive group, and of a usual cell.
    assert contested == {
        **{key: {3, 5} for key in ("a2", "b2", "c2")},
        **{key: {6, 8} for key in ("am", "bm", "cm")},
        **{key: {10, 12} for key in ("a2/m", "b2/m", "c2/m")},
        "c21": {4, 5},  # gemmi lists C 1 21 1 as C 1 2 1 with another origin
    }
    for key, numbers in contested.items():
        assert find_spacegroup(key).number == max(numbers)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("P 21/n 21/m 21/a", "P 2/n 21/m 21/a"),
        ("P 2/b 21/c 21/m", "P 21/b 21/c 21/m"),
        ("P 4/m 21/b 2/m", "P 4/m 2/b 2/m"),
        ("P 21/a -3", "P 2/a -3"),
        ("P 42/m -3 2/n", "P 4/m -3 2/n"),
        ("C 2/m 2/c 21/e", "C 2/m 2/e 21/c"),
        ("P 3 1 m", "P 3 m m"),
    ],
)
def test_full_symbols_must_fit_the_operations(right, wrong):
    assert find_spacegroup(right) is not None
    assert find_spacegroup(wrong) is None


def test_symbols_of_centred_groups_may_name_either_axis():
    # I m m m has twofold and screw axes along every direction.
    for symbol in ("I 2/m 2/m 2/m", "I 21/m 21/m 21/m", "I 2/m 21/m 2/m"):
        assert find_spacegroup(symbol).number == 71
