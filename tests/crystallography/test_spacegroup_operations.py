import subprocess
import sys
from fractions import Fraction

import gemmi
import numpy as np
import pytest
import spglib
from hypothesis import assume, given
from hypothesis import strategies as st

from crystalml.crystallography import (
    find_spacegroup,
    is_sohncke,
    spacegroup_from_operations,
)
from crystalml.exceptions import SpaceGroupError

# Some versions of spglib announce that their errors will become exceptions.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

TABLE = list(gemmi.spacegroup_table())
P21C = ["x,y,z", "-x,y+1/2,-z+1/2", "-x,-y,-z", "x,-y+1/2,z+1/2"]


def triplets(group):
    """Coordinate triplets of a gemmi space group or GroupOps."""
    operations = group.operations() if isinstance(group, gemmi.SpaceGroup) else group
    return [operation.triplet() for operation in operations]


@pytest.mark.parametrize("group", TABLE, ids=lambda group: group.xhm())
def test_every_listed_setting_is_found_again(group):
    texts = triplets(group)
    texts = np.random.default_rng(group.number).permutation(texts).tolist()
    found = spacegroup_from_operations(texts)
    assert found.number == group.number
    assert set(triplets(gemmi.symops_from_hall(found.hall))) == set(texts)
    # The table lists a few settings under two names, such as C c c a and C c c b.
    named = find_spacegroup(group.hall, notation="hall")
    assert set(triplets(gemmi.symops_from_hall(named.hall))) == set(texts)


def test_every_hall_setting_of_spglib_is_found():
    for hall_number in range(1, 531):
        database = spglib.get_symmetry_from_database(hall_number)
        texts = []
        for rotation, translation in zip(
            database["rotations"], database["translations"], strict=True
        ):
            operation = gemmi.Op("x,y,z")
            operation.rot = (rotation * operation.DEN).tolist()
            operation.tran = np.rint(translation * operation.DEN).astype(int).tolist()
            texts.append(operation.triplet())
        kind = spglib.get_spacegroup_type(hall_number)
        found = spacegroup_from_operations(texts)
        assert (found.number, bool(found.hall)) == (kind.number, True)


@pytest.mark.parametrize(
    "texts",
    [
        P21C,
        P21C[::-1],
        P21C[1:],  # no identity
        [*P21C, *P21C],
        [*P21C, "1-x,2-y,-z", "x+1,y,z-3"],
        ["X,Y,Z", "-X , Y+1/2 , 1/2-Z", " -x,-y,-z ", "+x, .5-y, 0.5+z"],
        ["'x, y, z'", '"-x,1/2+y,1/2-z"', "-x,-y,-z;", "x,1/2-y,1/2+z,"],
        ["1 x,y,z", "2 -x,y+1/2,-z+1/2", "3 -x,-y,-z", "4 x,-y+1/2,z+1/2"],
        ["(1) x,y,z", "(2) -x,y+1/2,-z+1/2", "(3) -x,-y,-z", "(4) x,-y+1/2,z+1/2"],
        ["x,y,z", "-x,y-1/2,-z-1/2", "-x,-y,-z", "x,-y-1/2,z-1/2"],
        ["x,y,z", "-x,y+2/4,-z+3/6", "-x,-y,-z", "x,-y+0.5,z+0.50000"],
    ],
)
def test_odd_formats_are_read(texts):
    assert spacegroup_from_operations(texts) == find_spacegroup("P 1 21/c 1")
    assert spacegroup_from_operations(iter(texts)) == find_spacegroup("P 1 21/c 1")


def test_rounded_thirds_are_read():
    texts = ["x,y,z", "-y,x-y,z+0.3333", "-x+y,-x,z+.66667"]
    assert spacegroup_from_operations(texts).hm == "P 31"


@pytest.mark.parametrize(
    ("texts", "number", "centring"),
    [
        (["x,y,z", "-x+5/17,-y+4/17,-z+10/17"], 2, "P"),
        (["x, y, z", "x+1/2, -y+347/863, -z+100/999"], 4, "P"),
        (["x,y,z", "x+z+1/5,y,-z+3/5"], 8, "P"),
        (["x,y,z", "x,-y+.477,-z+.7293"], 3, "P"),
        (["x,y,z", "x,-y+.477,-z+.7293", "x,y+1/2,z+.5", "x,-y+.977,-z+.2293"], 3, "A"),
        (["x,y,z", "x,-y+.477,-z+.7293", "x+1/2,y,z+.5", "x+.5,-y+.477,-z+.2293"], 5, "B"),
        (["x,y,z", "-y+.123,x+.457,z", "-x-.334,-y+.580,z", "y-.457,-x+.123,z"], 75, "P"),
    ],
)
def test_rounded_translations_of_odd_origins(texts, number, centring):
    found = spacegroup_from_operations(texts)
    assert (found.number, found.hall, found.centring) == (number, "", centring)


@pytest.mark.parametrize(
    "texts",
    [
        ["x,y,z", "-x+5/17,-y+4/17,-z+10/17", "x,-y,z"],
        ["x,y,z", "-y+.123,x+.457,z", "-x-.334,-y+.580,z"],
        ["x,y,z", "-x+5/17,-y,-z", "x,y,z+1/17"],
        ["x,y,z", "-x+5/0,-y,-z"],
        ["x,y,z", "-x+5/17,-y,-z*"],
        ["x,y,z", "-x+5/17,-y,--z"],
        ["x,y,z", "x+y+1/17,y,z"],
        [],
        ["x,y"],
        ["x,y,z", "nonsense"],
        ["x,y,z", ""],
        ["h,k,l"],
        ["a,b,c"],
        ["x,y,z", "x,y,z,+1"],
        P21C[:3],
        P21C[:2] + P21C[3:],
        ["x,y,z", "-y,x,z"],
        ["x,y,z", "1/2+x,1/2+y,z", "-x,y,-z"],  # the centred mate of the rotation is missing
        ["x,y,z", "x,y,0"],
        ["x,y,z", "2*x,y,z"],
        ["x,y,z", "x+y,y,z"],  # of infinite order
    ],
)
def test_what_is_no_group_is_none(texts):
    assert spacegroup_from_operations(texts) is None


def test_one_string_is_refused():
    with pytest.raises(SpaceGroupError, match="must be a sequence of strings"):
        spacegroup_from_operations("x,y,z")


def test_shifted_origins_and_cells_without_a_listed_setting():
    primitive = _transformed("F m -3 m", [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    primitive_cubic_f = triplets(primitive)
    assert len(primitive_cubic_f) == 48
    found = spacegroup_from_operations(primitive_cubic_f)
    assert found == (225, "F m -3 m", "", "", "P")
    reverse = spacegroup_from_operations(triplets(_transformed("R -3 m:H", np.diag([-1, -1, 1]))))
    assert (reverse.number, reverse.hall) == (166, "")
    shifted = spacegroup_from_operations(["x,y,z", "1/3-x,-y,1/8-z"])
    assert (shifted.number, shifted.hall) == (2, "")


def _transformed(symbol, basis, shift=(0, 0, 0)):
    """Operations of a listed setting on another basis (columns) and origin, both exact in 1/24."""
    change = gemmi.Op("x,y,z")
    change.rot = np.rint(np.linalg.inv(basis) * change.DEN).astype(int).tolist()
    change.tran = list(shift)
    group = gemmi.find_spacegroup_by_name(symbol).operations()
    group.change_basis_forward(change)
    return group


@st.composite
def unimodular(draw):
    """Bases of the same lattice: products of a few shears and a cyclic permutation."""
    basis = np.roll(np.eye(3, dtype=int), draw(st.integers(0, 2)), axis=0)
    for _ in range(draw(st.integers(0, 4))):
        row, other = draw(st.permutations(range(3)))[:2]
        basis[row] += draw(st.integers(-2, 2)) * basis[other]
    return basis


# Larger cells (columns: edges) that many lattices allow: doubled and tripled along c, C-centred,
# hexagonally tripled, doubled along all edges.
LARGER = [
    np.diag([1, 1, 2]),
    np.diag([1, 1, 3]),
    np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]]),
    np.array([[1, 1, 0], [-1, 2, 0], [0, 0, 1]]),
    np.diag([2, 2, 2]),
]


shifts = st.lists(st.integers(0, 23), min_size=3, max_size=3)


@pytest.mark.parametrize("digits", [None, 5])
def test_every_setting_on_a_random_basis_and_origin(digits):
    generator = np.random.default_rng(0)
    settings = [(group.number, *_matrices(group)) for group in TABLE]
    for hall_number in range(1, 531):
        database = spglib.get_symmetry_from_database(hall_number)
        kind = spglib.get_spacegroup_type(hall_number)
        settings.append((kind.number, database["rotations"], database["translations"]))
    for number, rotations, translations in settings:
        basis = np.eye(3)
        for _ in range(3):
            row, other = generator.permutation(3)[:2]
            basis[row] += generator.integers(-1, 2) * basis[other]
        inverse = np.linalg.inv(basis)
        # Thousands of a cell edge are no multiples of 1/24, in which gemmi counts.
        shift = generator.integers(0, 1000, 3) / 1000
        moved = (translations + shift - rotations @ shift) @ inverse.T
        texts = _texts(inverse @ rotations @ basis, moved, digits)
        assert spacegroup_from_operations(texts).number == number, texts


def _matrices(group):
    """Rotations and translations of a gemmi space group."""
    operations = list(group.operations())
    rotations = np.array([operation.rot for operation in operations]) / gemmi.Op.DEN
    return rotations, np.array([operation.tran for operation in operations]) / gemmi.Op.DEN


def _texts(rotations, translations, digits):
    """Triplets with fractions, or with decimals of so many digits."""
    texts = []
    for rotation, translation in zip(np.rint(rotations).astype(int), translations % 1, strict=True):
        parts = []
        for row, value in zip(rotation, translation, strict=True):
            axes = "".join(f"{n:+d}*{axis}" for n, axis in zip(row, "xyz", strict=True) if n)
            shift = f"{value:.{digits}f}" if digits else Fraction(value).limit_denominator(9000)
            parts.append(f"{axes}+{shift}")
        texts.append(",".join(parts))
    return texts


@given(st.sampled_from(TABLE), unimodular(), shifts)
def test_type_does_not_depend_on_basis_and_origin(group, basis, shift):
    found = spacegroup_from_operations(triplets(_transformed(group.xhm(), basis, shift)))
    assert found.number == group.number


@given(st.sampled_from(TABLE), st.sampled_from(LARGER), unimodular())
def test_type_does_not_depend_on_the_size_of_the_cell(group, larger, basis):
    texts = _on_another_cell(group, larger @ basis)
    assume(texts)
    found = spacegroup_from_operations(texts)
    assert found.number == group.number


def _on_another_cell(group, basis):
    """Triplets with any fractions: gemmi's own change of basis would round them to 1/24."""
    inverse = np.linalg.inv(basis)
    steps = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3), axis=-1).reshape(-1, 3)
    cells = np.unique(np.rint(steps @ inverse.T * 144) % 144, axis=0) / 144
    rotations, translations = _matrices(group)
    rotations = inverse @ rotations @ basis
    if np.abs(rotations - np.rint(rotations)).max() > 1e-9:
        return []  # the larger cell does not have the symmetry of the group
    translations = (translations @ inverse.T)[:, None] + cells
    rotations = np.repeat(rotations, len(cells), axis=0)
    return _texts(rotations, translations.reshape(-1, 3), None)


@given(st.sampled_from(TABLE), unimodular(), shifts)
def test_types_agree_with_spglib(group, basis, shift):
    operations = list(_transformed(group.xhm(), basis, shift))
    rotations = np.array([operation.rot for operation in operations]) // gemmi.Op.DEN
    translations = np.array([operation.tran for operation in operations]) / gemmi.Op.DEN
    metric = np.einsum("nji,njk->ik", rotations, rotations)
    lattice = np.linalg.cholesky(metric).T
    oracle = spglib.get_spacegroup_type_from_symmetry(
        rotations, translations, lattice=lattice.T, symprec=1e-5
    )
    assume(oracle is not None)
    texts = [operation.triplet() for operation in operations]
    assert spacegroup_from_operations(texts).number == oracle.number


def test_centrings_that_the_rotations_do_not_keep_are_no_group():
    # S centres a rhombohedral lattice along b; a sixfold axis along a turns it into another one.
    assert find_spacegroup("-S 6x 5", notation="hall") is None
    assert find_spacegroup("-C 1 4xw", notation="hall") is None
    assert find_spacegroup("S 3y", notation="hall").number == 146


def test_listed_settings_are_found_without_moyopy():
    code = (
        "import sys; from crystalml.crystallography import spacegroup_from_operations\n"
        f"assert spacegroup_from_operations({P21C}).number == 14\n"
        "assert 'moyopy' not in sys.modules\n"
        "assert spacegroup_from_operations(['x,y,z', '1/3-x,-y,-z']).number == 2\n"
        "assert 'moyopy' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_change_of_hand_swaps_the_enantiomorphic_pairs():
    mirror = np.diag([1, 1, -1])
    partners = {}
    for number in range(1, 231):
        group = gemmi.find_spacegroup_by_number(number)
        if is_sohncke(number):
            texts = triplets(_transformed(group.xhm(), mirror))
            partners[number] = spacegroup_from_operations(texts).number
    changed = {number: partner for number, partner in partners.items() if number != partner}
    assert len(changed) == 22  # eleven pairs
    assert all(partners[partner] == number for number, partner in changed.items())
    assert changed[144] == 145
    assert changed[212] == 213
