import gemmi
import numpy as np
import pandas as pd
import pytest
import spglib

from crystalml.crystallography import (
    CRYSTAL_SYSTEMS,
    LATTICE_SYSTEMS,
    bravais_lattice,
    crystal_system,
    find_spacegroup,
    is_centrosymmetric,
    is_sohncke,
    lattice_system,
    point_group,
    spacegroup_symbol,
    spacegroups_of_bravais_lattice,
)
from crystalml.exceptions import SpaceGroupError

# Some versions of spglib announce that their errors will become exceptions.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

NUMBERS = np.arange(1, 231)
FUNCTIONS = [
    bravais_lattice,
    crystal_system,
    is_centrosymmetric,
    is_sohncke,
    lattice_system,
    point_group,
    spacegroup_symbol,
]

# Space groups per Bravais lattice; they add up to 230.
GROUPS_PER_LATTICE = {
    "aP": 2, "mP": 8, "mS": 5, "oP": 30, "oS": 15, "oI": 9, "oF": 5,
    "tP": 49, "tI": 19, "hR": 7, "hP": 45, "cP": 15, "cI": 10, "cF": 11,
}  # fmt: skip


@pytest.fixture(scope="module")
def spglib_types():
    return [spglib.get_spacegroup_type(hall_number) for hall_number in range(1, 531)]


def test_every_group_agrees_with_gemmi():
    groups = [gemmi.find_spacegroup_by_number(int(n)) for n in NUMBERS]
    assert spacegroup_symbol(NUMBERS).tolist() == [g.hm for g in groups]
    assert crystal_system(NUMBERS).tolist() == [g.crystal_system_str() for g in groups]
    assert point_group(NUMBERS).tolist() == [g.point_group_hm() for g in groups]
    assert is_centrosymmetric(NUMBERS).tolist() == [g.is_centrosymmetric() for g in groups]
    assert is_sohncke(NUMBERS).tolist() == [g.is_sohncke() for g in groups]


def test_every_hall_setting_agrees_with_spglib(spglib_types):
    numbers = np.array([t.number for t in spglib_types])
    # Of the two orientations of one class, spglib writes -6m2 and International Tables -62m.
    classes = [t.pointgroup_international.replace("-6m2", "-62m") for t in spglib_types]
    assert point_group(numbers).tolist() == classes
    centrings = [t.international_short[0] for t in spglib_types]
    letters = ["S" if centring in "ABC" else centring for centring in centrings]
    assert [lattice[1] for lattice in bravais_lattice(numbers)] == letters


def test_every_hall_setting_agrees_with_operations_of_spglib(spglib_types):
    for hall_number, kind in enumerate(spglib_types, start=1):
        operations = spglib.get_symmetry_from_database(hall_number)
        rotations = operations["rotations"]
        inversion = (rotations == -np.eye(3, dtype=int)).all(axis=(1, 2)).any()
        proper = (np.linalg.det(rotations) > 0).all()
        assert is_centrosymmetric(kind.number) == inversion
        assert is_sohncke(kind.number) == proper


def test_reference_symbols_lead_back_to_their_numbers():
    assert [find_spacegroup(symbol).number for symbol in spacegroup_symbol(NUMBERS)] == list(
        NUMBERS
    )


def test_systems_follow_from_the_bravais_lattice():
    lattices, systems = bravais_lattice(NUMBERS), lattice_system(NUMBERS)
    first = dict(zip(LATTICE_SYSTEMS, "amothhc", strict=True))
    for lattice, system in zip(lattices, systems, strict=True):
        assert lattice[0] == first[system]
        assert (lattice == "hR") == (system == "rhombohedral")
    assert set(systems) == set(LATTICE_SYSTEMS)
    assert set(crystal_system(NUMBERS)) == set(CRYSTAL_SYSTEMS)
    assert np.count_nonzero(crystal_system(NUMBERS) == "trigonal") == 25
    assert np.count_nonzero(is_sohncke(NUMBERS)) == 65
    assert np.count_nonzero(is_centrosymmetric(NUMBERS)) == 92
    assert len(set(point_group(NUMBERS))) == 32


def test_bravais_lattices_partition_the_groups():
    members = {letters: spacegroups_of_bravais_lattice(letters) for letters in GROUPS_PER_LATTICE}
    assert {letters: len(numbers) for letters, numbers in members.items()} == GROUPS_PER_LATTICE
    assert sorted(n for numbers in members.values() for n in numbers) == NUMBERS.tolist()
    for letters, numbers in members.items():
        assert set(bravais_lattice(numbers)) == {letters}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_shapes_follow_the_input(function):
    scalar = function(194)
    assert type(scalar) is (bool if function in (is_centrosymmetric, is_sohncke) else str)
    assert function(np.int32(194)) == scalar
    assert type(function(np.int64(194))) is type(scalar)
    for numbers in ([194, 2], (194, 2), np.array([194, 2], dtype=np.uint8), [194.0, 2.0]):
        result = function(numbers)
        assert isinstance(result, np.ndarray)
        assert result.tolist() == [scalar, function(2)]
    series = pd.Series([194, 2], dtype="Int64")
    assert function(series).tolist() == [scalar, function(2)]
    assert function(np.array([[194], [2]])).shape == (2, 1)
    assert function([]).shape == (0,)


def test_results_do_not_share_memory_with_the_tables():
    first = point_group(NUMBERS)
    first[:] = "spoilt"
    assert point_group(1) == "1"


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "bad",
    [
        *(0, 231, -1, 1.5, np.nan, None, True, "Fm-3m", "225", b"225", 10**30),
        *([1, 231], [np.nan, 3], [True], ["P1"], [None, 1], [1 + 2j], [[1], [0]]),
        pd.Series([1, pd.NA], dtype="Int64"),
    ],
    ids=repr,
)
def test_wrong_numbers_are_refused_in_one_sentence(function, bad):
    with pytest.raises(SpaceGroupError, match=rf"^{function.__name__}: .* 1 to 230") as caught:
        function(bad)
    assert "\n" not in str(caught.value)


def test_messages_say_where_and_what_to_do():
    with pytest.raises(SpaceGroupError, match=r"2 values are .*\(first: row 1, 231\)\. Drop or"):
        crystal_system([1, 231, 0])
    with pytest.raises(SpaceGroupError, match=r"'Fm-3m' is .* Turn symbols into numbers with spac"):
        crystal_system("Fm-3m")


@pytest.mark.parametrize("bad", ["mC", "", "cf", None, 3, ["cF"]])
def test_unknown_bravais_lattices_are_refused(bad):
    with pytest.raises(SpaceGroupError, match=r"symbol is .* must be one of aP, cF"):
        spacegroups_of_bravais_lattice(bad)
