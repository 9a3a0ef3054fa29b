"""Space-group tags that agree, contradict one another, or say little."""

import math

import gemmi
import pytest

from crystalml.io._blocks import operations_of
from crystalml.io._symmetry import reconcile


def operations(symbol):
    found = gemmi.find_spacegroup_by_name(symbol).operations()
    return operations_of(tuple(f"'{operation.triplet()}'".encode() for operation in found))


P21C, PNMA, P1 = operations("P 21/c"), operations("P n m a"), operations("P 1")


@pytest.mark.parametrize(
    ("given", "number", "source", "flags"),
    [
        ((P21C, "-P 2ybc", "P 1 21/c 1", 14), 14, "operations", ()),
        ((None, "-P 2ybc", "P 1 21/c 1", 14), 14, "Hall", ()),
        ((None, None, "P 1 21/c 1", 14), 14, "Hermann-Mauguin", ()),
        ((None, None, None, 14), 14, "number", ()),
        ((None, None, None, None), None, None, ("missing_spacegroup",)),
        ((P21C, None, "P n m a", None), 14, "operations", ("contradictory_spacegroup",)),
        ((None, "-P 2ac 2n", "P 21/c", 62), 62, "Hall", ("contradictory_spacegroup",)),
        ((P21C, None, None, 15), 14, "operations", ("contradictory_spacegroup",)),
        ((P21C, None, "P 1 21/n 1", 14), 14, "operations", ("contradictory_setting",)),
        ((None, "nonsense", "P n m a", None), 62, "Hermann-Mauguin", ("unknown_hall",)),
        ((PNMA, None, "nonsense", None), 62, "operations", ("unknown_hermann_mauguin",)),
        ((PNMA, None, None, 231), 62, "operations", ("unknown_number",)),
        ((None, None, None, 0), None, None, ("unknown_number", "missing_spacegroup")),
    ],
)
def test_order_of_sources(given, number, source, flags):
    found = reconcile(*given)
    assert (found.number, found.source, found.flags) == (number, source, flags)


@pytest.mark.parametrize(
    ("given", "number", "source", "flags"),
    [
        ((P1, "P 1", "P 1", 1), 1, "operations", ()),
        ((P1, None, "P 1", None), 1, "operations", ()),
        ((P1, None, None, None), 1, "operations", ("identity_operations_only",)),
        ((P1, None, "P n m a", None), 62, "Hermann-Mauguin", ("identity_operations_only",)),
        ((P1, None, None, 225), 225, "number", ("identity_operations_only",)),
        ((P1, "P 1", "P n m a", None), 1, "Hall",
         ("identity_operations_only", "contradictory_spacegroup")),
    ],
)  # fmt: skip
def test_a_lone_identity_is_an_incomplete_list_unless_confirmed(given, number, source, flags):
    found = reconcile(*given)
    assert (found.number, found.source, found.flags) == (number, source, flags)


def test_operations_that_are_no_group():
    broken = operations_of((b"'x,y,z'", b"'-y,x,z'"))
    found = reconcile(broken, None, "P 4", None)
    assert (found.number, found.source, found.flags) == (
        75, "Hermann-Mauguin", ("unknown_operations",),
    )  # fmt: skip


def test_axes_that_no_table_lists():
    tetragonal_along_a = operations_of(
        tuple(f"'{text}'".encode() for text in ("x,y,z", "x,-z,y", "x,-y,-z", "x,z,-y"))
    )
    found = reconcile(tetragonal_along_a, None, "P 4", 75)
    assert (found.number, found.source, found.flags) == (75, "operations", ("unlisted_setting",))
    assert found.multiplicity == 4


def test_a_hall_symbol_of_a_setting_that_no_table_lists():
    found = reconcile(None, "-P 2ybc (x,y,z+1/8)", "P 1 21/n 1", 14)
    assert (found.number, found.source, found.flags) == (14, "Hall", ("unlisted_setting",))
    assert found.multiplicity == 4


@pytest.mark.parametrize(
    ("given", "number", "source", "flags"),
    [
        ((None, "P 3 2", None, None), 149, "Hall", ()),
        ((None, None, "P 3 2", 150), 150, "number", ("unknown_hermann_mauguin",)),
        ((None, "1", "P n m a", None), 62, "Hermann-Mauguin", ("unknown_hall",)),
    ],
)
def test_each_symbol_is_read_in_its_own_notation(given, number, source, flags):
    found = reconcile(*given)
    assert (found.number, found.source, found.flags) == (number, source, flags)


@pytest.mark.parametrize("row", list(gemmi.spacegroup_table()), ids=lambda row: row.xhm())
def test_every_tabulated_hall_symbol_and_its_operations(row):
    hall = reconcile(None, row.hall, None, None)
    assert (hall.number, hall.source, hall.flags) == (row.number, "Hall", ())
    listed = reconcile(operations(row.xhm()), row.hall, row.xhm(), row.number)
    assert (listed.number, listed.flags) == (row.number, ())
    assert hall.multiplicity == listed.multiplicity == len(row.operations())


def test_multiplicity_is_unknown_where_nothing_is_known():
    assert math.isnan(reconcile(None, None, None, None).multiplicity)


def test_rhombohedral_cells_have_a_third_of_the_positions():
    from crystalml.io import read_cif

    text = (
        "data_r\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c {c}\n"
        "_cell_angle_alpha {angle}\n_cell_angle_beta {angle}\n"
        "_cell_angle_gamma {gamma}\n_cell_formula_units_Z {z}\n"
        "_symmetry_space_group_name_H-M 'R 3'\n"
    )
    hexagonal = read_cif(text.format(c=12, angle=90, gamma=120, z=9))
    rhombohedral = read_cif(text.format(c=5, angle=55, gamma=55, z=3))
    assert hexagonal.loc[0, "z_prime"] == rhombohedral.loc[0, "z_prime"] == 1.0
