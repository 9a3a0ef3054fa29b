"""Cell geometry against gemmi, pymatgen and ASE, and by its own laws."""

import gemmi
import numpy as np
import pytest
from ase.geometry import cellpar_to_cell
from hypothesis import assume, given
from hypothesis import strategies as st
from pymatgen.core import Lattice

from crystalml.crystallography import (
    cell_from_metric,
    cell_problems,
    cell_volume,
    lattice_vectors,
    metric_tensor,
    primitive_cell,
    reciprocal_cell,
    validate_cells,
)
from crystalml.crystallography._cell import hexagonal_lengths
from crystalml.exceptions import CellError, InvalidInputError

ARRAY_FUNCTIONS = [cell_volume, metric_tensor, lattice_vectors, reciprocal_cell]

GOOD = [3.0, 4.0, 5.0, 80.0, 95.0, 110.0]
IMPOSSIBLE = {
    "a is -1.0, must be > 0": [-1.0, 4.0, 5.0, 90.0, 90.0, 90.0],
    "b is 0.0, must be > 0": [3.0, 0.0, 5.0, 90.0, 90.0, 90.0],
    "c is inf, must be a finite number": [3.0, 4.0, np.inf, 90.0, 90.0, 90.0],
    "b is 1e+200, must lie between 1e-30 and 1e+30": [3.0, 1e200, 5.0, 90.0, 90.0, 90.0],
    "c is 1e-200, must lie between 1e-30 and 1e+30": [3.0, 4.0, 1e-200, 90.0, 90.0, 90.0],
    "a is nan, must be a finite number": [np.nan, 4.0, 5.0, 90.0, 90.0, 90.0],
    "beta is nan, must be a finite number": [3.0, 4.0, 5.0, 90.0, np.nan, 90.0],
    "gamma is 190.0 degrees, must lie in (0, 180)": [3.0, 4.0, 5.0, 90.0, 90.0, 190.0],
    "alpha is 0.0 degrees, must lie in (0, 180)": [3.0, 4.0, 5.0, 0.0, 90.0, 90.0],
    "beta is 180.0 degrees, must lie in (0, 180)": [3.0, 4.0, 5.0, 90.0, 180.0, 90.0],
    "the angles enclose no volume": [3.0, 4.0, 5.0, 120.0, 120.0, 120.0],
}


def random_cells(n, seed=0):
    """Random cells, triclinic and not too flat."""
    rng = np.random.default_rng(seed)
    cells = np.hstack([rng.uniform(1.0, 30.0, (4 * n, 3)), rng.uniform(20.0, 160.0, (4 * n, 3))])
    cosines = np.cos(np.radians(cells[:, 3:]))
    flatness = 1.0 - (cosines**2).sum(axis=1) + 2.0 * cosines.prod(axis=1)
    return cells[flatness > 1e-3][:n]


@st.composite
def cells(draw):
    """One possible cell."""
    lengths = [draw(st.floats(0.5, 500.0)) for _ in range(3)]
    angles = [draw(st.one_of(st.sampled_from([60, 90, 120]), st.floats(5, 175))) for _ in range(3)]
    cell = np.array(lengths + angles, dtype=float)
    cosines = np.cos(np.radians(cell[3:]))
    assume(1.0 - (cosines**2).sum() + 2.0 * cosines.prod() > 1e-3)
    return cell


def test_against_gemmi_and_ase():
    rows = random_cells(500)
    peers = [gemmi.UnitCell(*row) for row in rows]
    np.testing.assert_allclose(cell_volume(rows), [peer.volume for peer in peers], rtol=1e-12)
    reciprocal = [peer.reciprocal().parameters for peer in peers]
    np.testing.assert_allclose(reciprocal_cell(rows), reciprocal, rtol=1e-9)
    np.testing.assert_allclose(
        lattice_vectors(rows), [cellpar_to_cell(row) for row in rows], rtol=1e-9, atol=1e-9
    )


def test_against_pymatgen():
    rows = random_cells(100, seed=1)
    peers = [Lattice.from_parameters(*row) for row in rows]
    np.testing.assert_allclose(cell_volume(rows), [peer.volume for peer in peers], rtol=1e-10)
    np.testing.assert_allclose(
        metric_tensor(rows), [peer.metric_tensor for peer in peers], rtol=1e-9, atol=1e-9
    )


@given(cells())
def test_round_trips(cell):
    np.testing.assert_allclose(cell_from_metric(metric_tensor(cell)), cell, rtol=1e-9)
    np.testing.assert_allclose(reciprocal_cell(reciprocal_cell(cell)), cell, rtol=1e-7)
    vectors = lattice_vectors(cell)
    np.testing.assert_allclose(cell_from_metric(vectors @ vectors.T), cell, rtol=1e-7)
    assert cell_volume(reciprocal_cell(cell)) * cell_volume(cell) == pytest.approx(1.0)
    assert np.linalg.det(metric_tensor(cell)) == pytest.approx(cell_volume(cell) ** 2)


@given(cells(), st.permutations(range(3)))
def test_permutation_of_axes(cell, order):
    permuted = np.concatenate([cell[:3][order], cell[3:][order]])
    assert cell_volume(permuted) == pytest.approx(cell_volume(cell))
    np.testing.assert_allclose(metric_tensor(permuted), metric_tensor(cell)[np.ix_(order, order)])


@given(st.floats(3.0, 30.0), st.floats(20.0, 115.0))
def test_hexagonal_axes_span_the_rhombohedral_lattice(length, angle):
    a, c = hexagonal_lengths(np.array([length]), np.array([angle]))
    on_hexagonal_axes = np.column_stack([a, a, c, [90.0], [90.0], [120.0]])
    np.testing.assert_allclose(
        primitive_cell(on_hexagonal_axes, "R"), [[length] * 3 + [angle] * 3], rtol=1e-9
    )


def test_right_angles_are_exact():
    metric = metric_tensor([2.0, 3.0, 4.0, 90.0, 90.0, 90.0])
    assert np.array_equal(metric, np.diag([4.0, 9.0, 16.0]))
    assert cell_from_metric(metric).tolist() == [2.0, 3.0, 4.0, 90.0, 90.0, 90.0]
    assert cell_volume([2.0, 3.0, 4.0, 90.0, 90.0, 90.0]) == 24.0


@pytest.mark.parametrize("function", ARRAY_FUNCTIONS)
def test_one_cell_is_the_row_of_many(function):
    rows = random_cells(3)
    for row, expected in zip(rows, function(rows), strict=True):
        assert np.array_equal(function(row), expected)
    assert isinstance(cell_volume(rows[0]), float)
    assert function(np.empty((0, 6))).shape[0] == 0


@pytest.mark.parametrize("function", ARRAY_FUNCTIONS)
def test_impossible_rows_are_nan_and_spare_the_others(function):
    rows = np.array([GOOD, *IMPOSSIBLE.values(), GOOD])
    results = function(rows)
    assert np.isnan(results[1:-1]).reshape(len(IMPOSSIBLE), -1).all()
    assert np.array_equal(results[0], function(GOOD))
    assert np.array_equal(results[-1], function(GOOD))


def test_metric_that_is_not_positive_definite():
    assert np.isnan(cell_from_metric(np.diag([1.0, 1.0, -1.0]))).all()
    assert np.isnan(cell_from_metric(np.ones((3, 3)))).all()


def test_problems_are_told_by_row():
    problems = cell_problems([GOOD, *IMPOSSIBLE.values()])
    assert problems.tolist() == [None, *IMPOSSIBLE]
    assert cell_problems(GOOD) is None
    assert cell_problems(IMPOSSIBLE["b is 0.0, must be > 0"]) == "b is 0.0, must be > 0"


def test_flat_cells_are_found_in_spite_of_rounding():
    flat = [[3, 4, 5, x, y, x + y] for x in range(1, 90, 7) for y in range(1, 90, 8)]
    assert (cell_problems(flat) == "the angles enclose no volume").all()


def test_validate_cells():
    rows = np.array([GOOD, IMPOSSIBLE["a is -1.0, must be > 0"], GOOD])
    with pytest.raises(CellError, match=r"^Reader: .* 1 of 3 rows \(first: row 1\): a is -1.0"):
        validate_cells(rows, caller="Reader")
    checked = validate_cells(rows, caller="Reader", on_error="nan")
    assert np.isnan(checked[1]).all()
    assert np.array_equal(checked[[0, 2]], rows[[0, 2]])
    assert rows[1, 0] == -1.0
    assert validate_cells(GOOD, caller="Reader").tolist() == GOOD
    with pytest.raises(InvalidInputError, match="on_error is 'ignore'"):
        validate_cells(rows, caller="Reader", on_error="ignore")


@pytest.mark.parametrize("wrong", [np.zeros((2, 5)), np.zeros((1, 2, 6)), 3.0, [["x"] * 6]])
def test_wrong_shapes_are_refused(wrong):
    with pytest.raises(InvalidInputError, match=r"^cell_volume: cells (has shape|holds something)"):
        cell_volume(wrong)


def test_wrong_metric_shape_is_refused():
    with pytest.raises(InvalidInputError, match=r"shape \(3, 2\)"):
        cell_from_metric(np.zeros((3, 2)))


def test_published_volumes(shared_data):
    import pandas as pd

    table = pd.read_csv(
        shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""], low_memory=False
    )
    computed = cell_volume(table[["a", "b", "c", "alpha", "beta", "gamma"]])
    assert np.isfinite(computed).all()
    agrees = np.isclose(computed, table["volume"], rtol=1e-3)
    assert agrees.mean() > 0.99
