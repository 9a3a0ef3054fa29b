"""Primitive and Niggli cells against gemmi and spglib, and by their own laws."""

import gemmi
import numpy as np
import pandas as pd
import pytest
import spglib
from hypothesis import given
from hypothesis import strategies as st

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    cell_from_metric,
    cell_volume,
    lattice_vectors,
    metric_tensor,
    niggli_cell,
    primitive_cell,
)
from crystalml.exceptions import InvalidInputError

# spglib announces another way of telling errors.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

CENTRINGS = {"P": 1, "A": 2, "B": 2, "C": 2, "I": 2, "F": 4, "R": 3}
ELEMENTARY = [
    np.array(rows)
    for rows in (
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, -1], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [1, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    )
]
# Cells whose reduction meets every kind of tie, beside general ones.
SPECIAL = [
    [4, 4, 4, 90, 90, 90],
    [4, 4, 4, 60, 60, 60],
    [4, 4, 4, 109.47122063449069, 109.47122063449069, 109.47122063449069],
    [4, 4, 7, 90, 90, 120],
    [4, 4, 7, 90, 90, 60],
    [3, 4, 5, 90, 90, 90],
    [3, 4, 5, 90, 100, 90],
    [3, 3, 5, 80, 80, 110],
    [5, 5, 5, 70, 70, 70],
    [3, 4, 5, 70, 80, 75],
    [3, 4, 5, 100, 95, 110],
]


def random_cells(n, seed=0):
    rng = np.random.default_rng(seed)
    cells = np.hstack([rng.uniform(1.0, 30.0, (4 * n, 3)), rng.uniform(20.0, 160.0, (4 * n, 3))])
    return cells[~np.isnan(cell_volume(cells))][:n]


def by_gemmi(cells, centring="P"):
    reduced = []
    for cell, letter in zip(cells, np.broadcast_to(centring, len(cells)), strict=True):
        vector = gemmi.GruberVector(gemmi.UnitCell(*cell), str(letter))
        vector.niggli_reduce(iteration_limit=1000)
        reduced.append(vector.cell_parameters())
    return np.array(reduced)


def by_spglib(cells):
    vectors = np.array([spglib.niggli_reduce(rows) for rows in lattice_vectors(cells)])
    return cell_from_metric(vectors @ vectors.transpose(0, 2, 1))


def is_niggli(cells):
    """Check the definition of International Tables A, section 3.1.3, off its boundaries."""
    metrics = metric_tensor(cells)
    aa, bb, cc = np.diagonal(metrics, axis1=1, axis2=2).T
    xi, eta, zeta = 2 * metrics[:, 1, 2], 2 * metrics[:, 0, 2], 2 * metrics[:, 0, 1]
    e = 1e-6 * cc
    acute = (xi > 0) & (eta > 0) & (zeta > 0)
    obtuse = (xi <= e) & (eta <= e) & (zeta <= e)
    return (
        (aa <= bb + e)
        & (bb <= cc + e)
        & (np.abs(xi) <= bb + e)
        & (np.abs(eta) <= aa + e)
        & (np.abs(zeta) <= aa + e)
        & (acute | (obtuse & (xi + eta + zeta + aa + bb >= -e)))
    )


def test_random_cells_against_gemmi():
    cells = random_cells(10_000)
    reduced = niggli_cell(cells)
    np.testing.assert_allclose(reduced, by_gemmi(cells), atol=1e-6)
    assert is_niggli(reduced).all()


def test_random_cells_against_spglib():
    cells = random_cells(1_000, seed=1)
    np.testing.assert_allclose(niggli_cell(cells), by_spglib(cells), atol=1e-6)


def test_published_cells(shared_data):
    table = pd.read_csv(
        shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""], low_memory=False
    )
    cells = table[list(CELL_COLUMNS)].to_numpy()
    np.testing.assert_allclose(niggli_cell(cells), by_gemmi(cells), atol=1e-6)

    centring = table["spacegroup_symbol"].str[0].to_numpy()
    reduced = niggli_cell(cells, centring=centring)
    assert is_niggli(reduced).all()
    # gemmi takes every R cell as hexagonal, so rhombohedral axes are left to spglib.
    rhombohedral = (centring == "R") & (np.abs(cells[:, 5] - 120.0) > 1.0)
    assert rhombohedral.sum() > 50
    np.testing.assert_allclose(
        reduced[~rhombohedral], by_gemmi(cells[~rhombohedral], centring[~rhombohedral]), atol=1e-6
    )
    np.testing.assert_allclose(reduced[rhombohedral], by_spglib(cells[rhombohedral]), atol=1e-6)


@given(
    st.one_of(
        st.sampled_from(SPECIAL),
        st.tuples(*[st.floats(2, 20)] * 3, *[st.floats(60, 105)] * 3).map(list),
    ),
    st.lists(st.sampled_from(ELEMENTARY), max_size=8),
)
def test_every_basis_of_a_lattice_has_the_same_reduced_cell(cell, steps):
    unimodular = np.linalg.multi_dot([np.eye(3), *steps, np.eye(3)])
    oblique = cell_from_metric(unimodular @ metric_tensor(cell) @ unimodular.T)
    reduced = niggli_cell(oblique)
    # Angles near 90 degrees change their kind within rounding; metrics are compared there.
    np.testing.assert_allclose(reduced, niggli_cell(cell), atol=2e-5)
    assert cell_volume(reduced) == pytest.approx(cell_volume(cell), rel=1e-6)


def test_reduction_is_idempotent():
    reduced = niggli_cell(np.vstack([SPECIAL, random_cells(1_000, seed=2)]))
    np.testing.assert_allclose(niggli_cell(reduced), reduced, atol=1e-7)


def test_very_oblique_cells():
    cell = np.array([3.0, 4.0, 5.0, 80.0, 95.0, 110.0])
    shear = np.array([[1, 0, 0], [37, 1, 0], [-52, 41, 1]])
    oblique = cell_from_metric(shear @ metric_tensor(cell) @ shear.T)
    np.testing.assert_allclose(niggli_cell(oblique), niggli_cell(cell), rtol=1e-5)


def test_needles_are_reduced_or_given_up_as_nan():
    rng = np.random.default_rng(4)
    lengths = 10.0 ** rng.uniform(-3.0, 5.0, (20_000, 3))
    cells = np.hstack([lengths, rng.uniform(0.01, 179.99, (20_000, 3))])
    cells = cells[~np.isnan(cell_volume(cells))]
    reduced = niggli_cell(cells)
    given_up = np.isnan(reduced[:, 0])
    assert given_up.mean() < 0.01
    np.testing.assert_allclose(
        cell_volume(reduced[~given_up]), cell_volume(cells[~given_up]), rtol=1e-6
    )


@pytest.mark.parametrize("centring", CENTRINGS)
def test_transformation_gives_the_reduced_metric(centring):
    cells = np.array([*SPECIAL, *random_cells(300, seed=3)])
    if centring == "R":
        cells[:, 3:] = 90.0, 90.0, 120.0
        cells[:, 1] = cells[:, 0]
    reduced, transformation = niggli_cell(cells, centring=centring, return_transformation=True)
    assert transformation.dtype == np.int64
    assert (np.rint(np.linalg.det(transformation)) == 1).all()
    metrics = metric_tensor(primitive_cell(cells, centring))
    expected = transformation @ metrics @ transformation.transpose(0, 2, 1)
    np.testing.assert_allclose(metric_tensor(reduced), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("centring", "multiplicity"), CENTRINGS.items())
def test_primitive_cell_has_its_share_of_the_volume(centring, multiplicity):
    cell = [4.0, 4.0, 7.0, 90.0, 90.0, 120.0] if centring == "R" else [3.0, 4.0, 5.0, 80, 95, 110]
    primitive = primitive_cell(cell, centring)
    assert cell_volume(primitive) * multiplicity == pytest.approx(cell_volume(cell))
    np.testing.assert_allclose(niggli_cell(primitive), niggli_cell(cell, centring=centring))


def test_primitive_cells_row_by_row():
    cells = np.array([SPECIAL[0]] * 3 + [[5, 5, 5, 70, 70, 70]], dtype=float)
    primitive = primitive_cell(cells, ["P", "I", "F", "R"])
    assert np.array_equal(primitive[[0, 3]], cells[[0, 3]])
    np.testing.assert_allclose(primitive[1, :3], 2 * np.sqrt(3))
    np.testing.assert_allclose(primitive[2], [8**0.5] * 3 + [60] * 3)


def test_impossible_rows_spare_the_others():
    cells = np.array([SPECIAL[9], [3, 4, 5, 90, 90, 190], SPECIAL[9], [-1, 4, 5, 90, 90, 90]])
    reduced, transformation = niggli_cell(cells, centring="I", return_transformation=True)
    assert np.isnan(reduced[[1, 3]]).all()
    assert not transformation[[1, 3]].any()
    assert np.array_equal(reduced[0], niggli_cell(SPECIAL[9], centring="I"))
    assert np.isnan(primitive_cell(cells, "P")[1]).all()
    assert niggli_cell(np.empty((0, 6))).shape == (0, 6)


@pytest.mark.parametrize("centring", ["X", "H", "", None, np.nan, 3])
def test_unknown_centring_is_refused(centring):
    with pytest.raises(InvalidInputError, match=r"^niggli_cell: centring .* is unknown"):
        niggli_cell(SPECIAL, centring=centring)


def test_centring_of_wrong_length_is_refused():
    with pytest.raises(InvalidInputError, match="for 11 cells"):
        primitive_cell(SPECIAL, ["P", "I"])
