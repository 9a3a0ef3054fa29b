"""Conventional cells of primitive ones: the type of the lattice, its volume, the same lattice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalml.crystallography import (
    cell_from_metric,
    cell_volume,
    conventional_cell,
    metric_tensor,
    niggli_cell,
    primitive_cell,
)

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


def centring(bravais):
    return bravais[1].replace("S", "C")


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
    primitive = transformed(primitive_cell(cell, centring(bravais)), steps)
    found, name = conventional_cell(primitive)
    assert name == bravais
    assert cell_volume(found) / cell_volume(primitive) == pytest.approx(N_POINTS[bravais[1]])
    # Both conventional cells span the same vectors, if in another order or cell choice.
    np.testing.assert_allclose(niggli_cell(found), niggli_cell(cell), rtol=1e-6)


def test_centred_cells_are_found_again():
    cells = np.array(list(CELLS.values()), dtype=float)
    letters = [centring(name) for name in CELLS]
    found, names = conventional_cell(cells, centring=letters)
    assert names.tolist() == list(CELLS)
    np.testing.assert_allclose(cell_volume(found), cell_volume(cells))


def test_metric_is_neither_forced_nor_missed_within_tolerances():
    almost = [5.1, 5.103, 5.098, 90, 90.05, 90]
    found, name = conventional_cell(almost)
    assert name == "cP"
    assert np.ptp(found[:3]) > 1e-3
    assert conventional_cell(almost, length_tolerance=1e-5, angle_tolerance=1e-3)[1] == "mP"


def test_impossible_rows_are_missing():
    found, names = conventional_cell([[5, 5, 5, 90, 90, 90], [5, 5, 5, 10, 90, 170]])
    assert names.tolist() == ["cP", None]
    assert np.isnan(found[1]).all()
    assert not np.isnan(found[0]).any()


def test_single_cell_gives_a_single_answer():
    found, name = conventional_cell(CELLS["tP"])
    assert found.shape == (6,)
    assert isinstance(name, str)


def test_empty_table():
    found, names = conventional_cell(np.empty((0, 6)))
    assert found.shape == (0, 6)
    assert len(names) == 0
