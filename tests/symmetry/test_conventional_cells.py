"""One setting for cells of like crystals: whatever axes somebody chose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.crystallography import cell_from_metric, cell_volume, metric_tensor, niggli_cell
from crystalml.datasets import load_cod_inorganic
from crystalml.symmetry._cell_model._shapes import lattice_codes
from crystalml.symmetry._conventional_cells import conventional_cells

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
lengths = st.floats(2.0, 30.0)


def convert(cell, lattice, axes="standardized"):
    cells, multiples, contradicts = conventional_cells([cell], lattice_codes([lattice]), axes=axes)
    return cells[0], multiples[0], contradicts[0]


@pytest.mark.parametrize("axes", ["as given", "standardized"])
def test_contradictions_are_those_that_the_data_set_knows(axes):
    frame = load_cod_inorganic(subset="all").frame
    codes = lattice_codes(frame["bravais_lattice"])
    cells, multiples, contradicts = conventional_cells(frame[CELL], codes, axes=axes)
    assert not contradicts[frame["cell_matches_spacegroup"]].any()
    assert contradicts.sum() > 0.6 * (~frame["cell_matches_spacegroup"]).sum()
    volumes = cell_volume(cells) / cell_volume(frame[CELL].to_numpy())
    assert_allclose(volumes[~contradicts], multiples[~contradicts], rtol=1e-4)
    assert set(np.unique(multiples)) == {1.0, 3.0}


def test_rhombohedral_axes_become_hexagonal():
    # Calcite, R. W. G. Wyckoff: a = 6.361 Å, alpha = 46.1 degrees; hexagonal 4.98, 17.0 Å.
    cell, multiple, contradicts = convert([6.361, 6.361, 6.361, 46.1, 46.1, 46.1], "hR")
    assert_allclose(cell, [4.981, 4.981, 17.02, 90, 90, 120], atol=0.02)
    assert (multiple, contradicts) == (3.0, False)
    assert_allclose(convert(cell, "hR")[0], cell)
    # A cubic metric described as rhombohedral: c / a is the root of six.
    cell, multiple, _ = convert([4.0, 4.0, 4.0, 90, 90, 90], "hR")
    assert_allclose(cell[2] / cell[0], np.sqrt(6.0) / 2.0)
    assert multiple == 3.0


def test_a_cell_that_is_not_rhombohedral_contradicts():
    assert convert([5.0, 5.5, 6.0, 90, 90, 90], "hR")[2]
    assert convert([5.0, 5.0, 6.0, 90, 95, 90], "tP")[2]
    assert not convert([5.0, 5.0, 6.0, 90, 95, 90], "mP")[2]


@given(st.permutations(range(3)), lengths, lengths, lengths, st.floats(91.0, 120.0))
def test_any_unique_axis_becomes_b(order, a, b, c, beta):
    cell = np.array([a, b, c, 90.0, beta, 90.0])
    shuffled = np.concatenate([cell[list(order)], cell[[axis + 3 for axis in order]]])
    found, _, contradicts = convert(shuffled, "mS", "as given")
    assert not contradicts
    assert_allclose(found[[1, 3, 4, 5]], [b, 90.0, beta, 90.0])
    assert_allclose(sorted(found[[0, 2]]), sorted([a, c]))


@given(st.permutations(range(3)), lengths, st.floats(1.05, 4.0))
def test_any_unique_axis_becomes_c(order, a, ratio):
    order = list(order)
    tetragonal = np.array([a, a, a * ratio])[order]
    found, _, contradicts = convert([*tetragonal, 90, 90, 90], "tI", "as given")
    assert_allclose(found[:3], [a, a, a * ratio])
    assert not contradicts
    angles = np.array([90.0, 90.0, 120.0])[order]
    found, _, _ = convert([*tetragonal, *angles], "hP", "as given")
    assert_allclose(found, [a, a, a * ratio, 90, 90, 120])


@given(st.permutations(range(3)), lengths, lengths, lengths)
def test_orthorhombic_axes_are_sorted_only_if_asked(order, a, b, c):
    cell = [*np.array([a, b, c])[list(order)], 90, 90, 90]
    assert_allclose(convert(cell, "oF")[0], [*sorted([a, b, c]), 90, 90, 90])
    assert_array_equal(convert(cell, "oF", "as given")[0], cell)


@given(
    lengths, lengths, lengths, st.floats(91.0, 119.0),
    st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), max_size=4),
)  # fmt: skip
def test_every_choice_of_the_monoclinic_plane_gives_one_cell(a, b, c, beta, shears):
    basis = np.eye(3, dtype=int)
    for first, steps in shears:
        shear = np.eye(3, dtype=int)
        shear[(0, 2) if first else (2, 0)] = steps
        basis = shear @ basis
    cell = np.array([a, b, c, 90.0, beta, 90.0])
    other = cell_from_metric(basis @ metric_tensor(cell) @ basis.T)
    found, expected = convert(other, "mP")[0], convert(cell, "mP")[0]
    assert_allclose(found[:3], expected[:3], rtol=1e-6)
    assert_allclose(np.cos(np.radians(found[4])), np.cos(np.radians(expected[4])), atol=1e-6)
    assert 90.0 <= found[4] <= 120.0 + 1e-6
    # Niggli's reduced cell has the same edges, in another order.
    assert_allclose(sorted(found[:3]), sorted(niggli_cell(other)[:3]), rtol=1e-6)
