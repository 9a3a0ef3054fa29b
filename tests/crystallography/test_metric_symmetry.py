"""Distances to the Bravais types and conventional cells, of exact and published lattices."""

import gemmi
import numpy as np
import pandas as pd
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    bravais_distances,
    bravais_lattice,
    cell_from_metric,
    cell_volume,
    conventional_cell,
    lattice_vectors,
    metric_symmetry,
    metric_tensor,
    niggli_cell,
    primitive_cell,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

INDEX = {bravais: column for column, bravais in enumerate(BRAVAIS_LATTICES)}
# All types that a lattice of the type is a special case of, itself included.
ALLOWED = {
    "aP": "aP",
    "mP": "aP mP",
    "mS": "aP mS",
    "oP": "aP mP oP",
    "oS": "aP mP mS oS",
    "oI": "aP mS oI",
    "oF": "aP mS oF",
    "tP": "aP mP mS oP oS tP",
    "tI": "aP mS oI oF tI",
    "hR": "aP mS hR",
    "hP": "aP mP mS oS hP",
    "cP": "aP mP mS oP oS tP hR cP",
    "cI": "aP mS oI oF tI hR cI",
    "cF": "aP mS oI oF tI hR cF",
}
# Ratios at which conventional cells meet a boundary of reduction, or a higher symmetry.
RATIOS = [1.0, 2**0.5, 3**0.5, 2.0, 1.5**0.5, 0.75**0.5, 6**0.5, 2 * 2**0.5, 1.5, 0.5, 3.0]
HOLOHEDRY = [2, 10, 12, 47, 65, 71, 69, 123, 139, 166, 191, 221, 229, 225]


def conventional_cells(bravais, n, seed=0, *, ratios=None):
    """Random conventional cells of a type, unique axis b, hexagonal axes for hR."""
    rng = np.random.default_rng(seed)
    draw = rng.uniform(3.0, 15.0, (n, 3))
    if ratios is not None:
        draw = draw[:, :1] * np.hstack([np.ones((n, 1)), rng.choice(ratios, (n, 2))])
    a, b, c = draw.T
    right, hexagonal = np.full(n, 90.0), np.full(n, 120.0)
    if bravais == "aP":
        columns = a, b, c, *rng.uniform(70.0, 110.0, (3, n))
    elif bravais[0] == "m":
        special = np.degrees(np.arccos(-a / (2 * np.maximum(a, c))))
        beta = special if ratios is not None else rng.uniform(91.0, 130.0, n)
        columns = a, b, c, right, beta, right
    else:
        b = a if bravais[0] in "thc" else b
        c = a if bravais[0] == "c" else c
        columns = a, b, c, right, right, hexagonal if bravais[0] == "h" else right
    return np.column_stack(columns)


def letter(bravais):
    return bravais[1].replace("S", "C")


def jittered(cells, seed=0, *, relative=1e-3, degrees=0.1):
    """Cells with every length and angle changed by up to the given amounts."""
    rng = np.random.default_rng(seed)
    lengths = cells[:, :3] * (1.0 + relative * rng.uniform(-1.0, 1.0, (len(cells), 3)))
    return np.hstack([lengths, cells[:, 3:] + degrees * rng.uniform(-1.0, 1.0, (len(cells), 3))])


def random_cells(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.hstack([rng.uniform(3.0, 15.0, (n, 3)), rng.uniform(65.0, 110.0, (n, 3))])


@pytest.mark.parametrize("bravais", BRAVAIS_LATTICES)
def test_exact_lattices_allow_their_type_and_the_more_general(bravais):
    cells = conventional_cells(bravais, 200)
    distances = bravais_distances(cells, centring=letter(bravais))
    expected = np.isin(BRAVAIS_LATTICES, ALLOWED[bravais].split())
    assert ((distances == 0.0) == expected).all()
    exact = metric_symmetry(
        cells, length_tolerance=0.0, angle_tolerance=0.0, centring=letter(bravais)
    )
    assert (exact == expected).all()


@pytest.mark.parametrize(
    "ratios",
    [None, RATIOS, np.geomspace(0.03, 30.0, 100)],
    ids=["anywhere", "at boundaries", "elongated"],
)
@pytest.mark.parametrize("bravais", BRAVAIS_LATTICES)
def test_jittered_lattices_stay_near_their_type(bravais, ratios):
    cells = jittered(conventional_cells(bravais, 2_000, ratios=ratios))
    own = bravais_distances(cells, centring=letter(bravais))[:, INDEX[bravais]]
    # On right-angled axes, the largest strain of lengths off by 1e-3 and angles by 0.1 degrees.
    assert own.max() < np.sqrt(3) * 1e-3 + np.sqrt(1.5) * np.radians(0.1)
    tolerated = metric_symmetry(
        cells, length_tolerance=0.005, angle_tolerance=0.5, centring=letter(bravais)
    )
    assert tolerated[:, INDEX[bravais]].all()


def test_distances_grow_with_the_distortion():
    cells = np.repeat([[5.0, 5.0, 5.0, 90.0, 90.0, 90.0]], 4, axis=0)
    cells[:, 2] *= 1.0 + np.array([0.0, 0.001, 0.01, 0.05])
    for centring, bravais in (("P", "cP"), ("I", "cI"), ("F", "cF")):
        distances = bravais_distances(cells, centring=centring)[:, INDEX[bravais]]
        np.testing.assert_allclose(distances, (2 / 3) ** 0.5 * (cells[:, 2] / 5 - 1), rtol=0.05)


def test_special_cases_are_never_nearer():
    distances = bravais_distances(random_cells(2_000))
    for special, general_types in ALLOWED.items():
        for general in general_types.split():
            assert (distances[:, INDEX[general]] <= distances[:, INDEX[special]]).all()
    assert (distances[:, 0] == 0.0).all()
    assert (distances[:, 1:] > 0.0).all()


@given(st.sampled_from(BRAVAIS_LATTICES), st.integers(0, 99), st.integers(0, 99))
def test_any_basis_of_the_lattice_will_do(bravais, seed, steps):
    cell = primitive_cell(conventional_cells(bravais, 1, seed), letter(bravais))[0]
    rng = np.random.default_rng(steps)
    unimodular = np.eye(3)
    for _ in range(4):
        i, j = rng.permutation(3)[:2]
        unimodular[i] += rng.integers(-2, 3) * unimodular[j]
    oblique = cell_from_metric(unimodular @ metric_tensor(cell) @ unimodular.T)
    np.testing.assert_allclose(bravais_distances(oblique), bravais_distances(cell), atol=1e-6)


def test_monoclinic_distance_is_le_pages_obliquity():
    compared = 0
    for cell in jittered(conventional_cells("mS", 200, seed=5), degrees=1.0):
        reduced = niggli_cell(cell, centring="C")
        twofold = gemmi.find_lattice_2fold_ops(gemmi.UnitCell(*reduced), 1.5)
        strain = bravais_distances(reduced)[INDEX["mP"] : INDEX["mS"] + 1].min()
        obliquity = np.degrees(np.arcsin(np.sqrt(2.0) * strain))
        assert twofold or obliquity > 1.5
        if twofold:
            compared += 1
            assert obliquity == pytest.approx(min(angle for _, angle in twofold), rel=1e-6)
    assert compared > 100


@pytest.mark.parametrize("ratios", [None, RATIOS], ids=["anywhere", "at boundaries"])
@pytest.mark.parametrize("bravais", BRAVAIS_LATTICES)
def test_highest_type_is_that_of_spglib(bravais, ratios):
    cells = primitive_cell(conventional_cells(bravais, 30, 7, ratios=ratios), letter(bravais))
    allowed = metric_symmetry(cells, length_tolerance=1e-6, angle_tolerance=1e-4)
    for vectors, types in zip(lattice_vectors(cells), allowed, strict=True):
        number = spglib.get_symmetry_dataset((vectors, [[0, 0, 0]], [1]), symprec=1e-5).number
        highest = BRAVAIS_LATTICES[HOLOHEDRY.index(number)]
        assert types.tolist() == np.isin(BRAVAIS_LATTICES, ALLOWED[highest].split()).tolist()


def test_published_cells_allow_the_lattice_of_their_group(shared_data):
    table = pd.read_csv(
        shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""], low_memory=False
    )
    table = table[table["cell_matches_sg"] & (np.arange(len(table)) % 3 == 0)]
    own = np.array([INDEX[b] for b in bravais_lattice(table["spacegroup_number"].to_numpy())])
    cells = table[list(CELL_COLUMNS)].to_numpy()
    centring = table["spacegroup_symbol"].str[0].to_numpy()
    allowed = metric_symmetry(cells, centring=centring)[np.arange(len(cells)), own]
    # Symbols such as C2/m are kept for cells whose unique axis is c: their centring is lost.
    misnamed = (table["spacegroup_number"] < 16) & (table["gamma"] != 90.0)
    # Nor can a cell be tetragonal or cubic whose lengths were published unequal.
    unequal = (table["spacegroup_number"] > 74) & (table["a"] != table[["b"]].max(axis=1))
    assert allowed[~(misnamed | unequal)].mean() > 0.998
    assert allowed.mean() > 0.99


def test_one_cell_and_impossible_rows():
    cells = np.array([[4, 4, 4, 90, 90, 90], [4, 4, 4, 90, 90, 200], [4, 4, 5, 90, 90, 120.0]])
    distances, allowed = bravais_distances(cells), metric_symmetry(cells)
    assert distances.shape == allowed.shape == (3, 14)
    assert np.isnan(distances[1]).all()
    assert not allowed[1].any()
    assert np.array_equal(bravais_distances(cells[0]), distances[0])
    assert np.array_equal(metric_symmetry(cells[2]), allowed[2])
    assert bravais_distances(np.empty((0, 6))).shape == (0, 14)
    assert metric_symmetry(np.empty((0, 6))).shape == (0, 14)


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf, "0.1", None, [0.1]])
def test_impossible_tolerances_are_refused(wrong):
    cell = [4.0, 4.0, 4.0, 90.0, 90.0, 90.0]
    with pytest.raises(InvalidInputError, match=r"angle_tolerance is .*; give a number >= 0"):
        metric_symmetry(cell, angle_tolerance=wrong)
    with pytest.raises(InvalidInputError, match="length_tolerance is"):
        metric_symmetry(cell, length_tolerance=wrong)


def test_distances_change_continuously_with_published_cells():
    cells = load_cod_inorganic(subset="all").data[list(CELL_COLUMNS)].to_numpy()[::5]
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(cells.shape)
    measured = cells + noise * np.where(np.arange(6) < 3, 1e-5 * cells, 1e-3)
    change = np.abs(bravais_distances(measured) - bravais_distances(cells))
    # Noise of 1e-5 in lengths and of 1.7e-5 rad in angles, a few times over in each strain.
    assert change.max() < 3e-4


# One cell of each Bravais type whose metric allows nothing more symmetric.
CELLS = {
    "cP": [5.1, 5.1, 5.1, 90, 90, 90],
    "cI": [5.1, 5.1, 5.1, 90, 90, 90],
    "cF": [5.1, 5.1, 5.1, 90, 90, 90],
    "hP": [4.3, 4.3, 6.9, 90, 90, 120],
    "hR": [4.3, 4.3, 16.9, 90, 90, 120],
    "tP": [4.3, 4.3, 6.9, 90, 90, 90],
    "tI": [4.3, 4.3, 7.9, 90, 90, 90],
    "oP": [4.3, 5.6, 6.9, 90, 90, 90],
    "oS": [4.3, 9.6, 6.9, 90, 90, 90],
    "oI": [4.3, 5.6, 8.9, 90, 90, 90],
    "oF": [5.3, 7.6, 9.9, 90, 90, 90],
    "mP": [4.3, 5.6, 6.9, 90, 103, 90],
    "mS": [9.3, 5.6, 6.9, 90, 103, 90],
    "aP": [4.3, 5.6, 6.9, 81, 103, 97],
}
N_POINTS = {"P": 1, "S": 2, "I": 2, "F": 4, "R": 3}
SHEARS = [
    np.array(rows)
    for rows in (
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, -1], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [1, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    )
]


def transformed(cell, steps):
    """Return the cell on other basis vectors of the same lattice."""
    metric = metric_tensor(cell)
    for step in steps:
        metric = SHEARS[step] @ metric @ SHEARS[step].T
    return cell_from_metric(metric)


@pytest.mark.parametrize("bravais", CELLS)
@settings(max_examples=40)
@given(steps=st.lists(st.integers(0, len(SHEARS) - 1), max_size=5))
def test_any_primitive_cell_leads_to_the_conventional_one(bravais, steps):
    cell = np.array(CELLS[bravais], dtype=float)
    primitive = transformed(primitive_cell(cell, letter(bravais)), steps)
    found, name = conventional_cell(primitive)
    assert name == bravais
    assert cell_volume(found) / cell_volume(primitive) == pytest.approx(N_POINTS[bravais[1]])
    # Both conventional cells span the same vectors, if in another order or cell choice.
    np.testing.assert_allclose(niggli_cell(found), niggli_cell(cell), rtol=1e-6)


def test_centred_cells_are_found_again():
    cells = np.array(list(CELLS.values()), dtype=float)
    letters = [letter(name) for name in CELLS]
    found, names = conventional_cell(cells, centring=letters)
    assert names.tolist() == list(CELLS)
    np.testing.assert_allclose(cell_volume(found), cell_volume(cells))


def test_metric_is_neither_forced_nor_missed_within_tolerances():
    almost = [5.1, 5.103, 5.098, 90, 90.05, 90]
    found, name = conventional_cell(almost)
    assert name == "cP"
    assert np.ptp(found[:3]) > 1e-3
    assert conventional_cell(almost, length_tolerance=1e-5, angle_tolerance=1e-3)[1] == "mP"


def test_impossible_rows_have_no_conventional_cell():
    found, names = conventional_cell([[5, 5, 5, 90, 90, 90], [5, 5, 5, 10, 90, 170]])
    assert names.tolist() == ["cP", None]
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[0]).any()


def test_one_cell_has_one_conventional_cell():
    found, name = conventional_cell(CELLS["tP"])
    assert found.shape == (6,)
    assert isinstance(name, str)


def test_no_cells_have_no_conventional_cells():
    found, names = conventional_cell(np.empty((0, 6)))
    assert found.shape == (0, 6)
    assert len(names) == 0
