"""Cells as volume and shape: there and back, and exactly what the lattice asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.crystallography import BRAVAIS_LATTICES, cell_volume, metric_symmetry
from crystalml.datasets import load_cod_inorganic, make_crystals
from crystalml.symmetry._cell_model._shapes import (
    FREE_NUMBERS,
    cells_to_shapes,
    constrain,
    family_codes,
    lattice_codes,
    shapes_to_cells,
)

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
CODES = np.arange(len(BRAVAIS_LATTICES))


@st.composite
def shapes(draw):
    numbers = st.floats(-1.4, 1.4)
    return np.array([[draw(numbers) for _ in range(6)] for _ in CODES])


@given(shapes(), st.floats(10.0, 5000.0))
def test_any_shape_becomes_a_cell_of_its_lattice_and_volume(drawn, volume):
    cells = shapes_to_cells(drawn, np.full(len(CODES), volume), CODES)
    assert_allclose(cell_volume(cells), volume, rtol=1e-9)
    for lattice, (a, b, c, alpha, beta, gamma) in zip(BRAVAIS_LATTICES, cells, strict=True):
        family = lattice[0]
        if family in "th":
            assert a == b
        if family == "c":
            assert a == b == c
        if family in "otc":
            assert (alpha, beta, gamma) == (90.0, 90.0, 90.0)
        if family == "m":
            assert (alpha, gamma) == (90.0, 90.0)
        if family == "h":
            assert (alpha, beta, gamma) == (90.0, 90.0, 120.0)


@given(shapes())
def test_what_obeys_its_lattice_is_left_as_it_is(drawn):
    once = constrain(drawn, CODES)
    assert_allclose(constrain(once, CODES), once, atol=1e-12)
    weights = np.linspace(0.1, 0.9, len(CODES))[:, None]
    other = constrain(drawn[:, ::-1], CODES)
    mean = weights * once + (1.0 - weights) * other
    assert_allclose(constrain(mean, CODES), mean, atol=1e-12)


def test_real_cells_come_back():
    frame = load_cod_inorganic().frame
    frame = frame[frame["bravais_lattice"] == "aP"]
    cells = frame[CELL].to_numpy()
    found = shapes_to_cells(*cells_to_shapes(cells), lattice_codes(frame["bravais_lattice"]))
    assert_allclose(found, cells, rtol=1e-9)


def test_free_numbers_are_the_dimensions_of_the_shapes():
    generator = np.random.default_rng(0)
    for code in CODES:
        drawn = constrain(generator.normal(size=(30, 6)), np.full(30, code))
        rank = np.linalg.matrix_rank(drawn - drawn[0], tol=1e-8)
        assert rank == FREE_NUMBERS[family_codes(np.array([code]))[0]]


def test_metric_symmetry_recognises_the_cells():
    generator = np.random.default_rng(1)
    primitive = lattice_codes(["aP", "mP", "oP", "tP", "hP", "cP"])
    cells = shapes_to_cells(0.3 * generator.normal(size=(6, 6)), np.full(6, 100.0), primitive)
    allowed = metric_symmetry(cells, length_tolerance=1e-6, angle_tolerance=1e-4)
    assert allowed[np.arange(6), primitive].all()


def test_unknown_lattices_have_no_code():
    assert_array_equal(lattice_codes(["cF", "xx", None]), [13, -1, -1])


@pytest.mark.parametrize("lattice", ["oP", "tI", "hP", "cF"])
def test_synthetic_cells_are_not_changed(lattice):
    crystals = make_crystals(400, random_state=0).frame
    cells = crystals.loc[crystals["bravais_lattice"] == lattice, CELL].to_numpy()
    codes = np.full(len(cells), lattice_codes([lattice])[0])
    assert len(cells)
    found, volumes = cells_to_shapes(cells)
    assert_allclose(shapes_to_cells(found, volumes, codes), cells, rtol=1e-9)
