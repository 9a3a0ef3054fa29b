"""Atoms of the asymmetric unit completed by symmetry, against gemmi."""

import gemmi
import numpy as np
import pytest

from crystalml.crystallography import lattice_vectors
from crystalml.crystallography._site_expansion import expand_sites, merge_sites
from crystalml.exceptions import CIFError

CELLS = {
    "triclinic": (7.1, 8.3, 9.7, 81.0, 94.0, 103.0),
    "monoclinic": (7.1, 8.3, 9.7, 90.0, 103.0, 90.0),
    "orthorhombic": (7.1, 8.3, 9.7, 90.0, 90.0, 90.0),
    "tetragonal": (7.1, 7.1, 9.7, 90.0, 90.0, 90.0),
    "trigonal": (7.1, 7.1, 9.7, 90.0, 90.0, 120.0),
    "hexagonal": (7.1, 7.1, 9.7, 90.0, 90.0, 120.0),
    "cubic": (9.1, 9.1, 9.1, 90.0, 90.0, 90.0),
}
# The first is far from all special positions: gemmi merges images closer than 0.4 Å.
ASYMMETRIC_UNIT = np.array([[0.10, 0.36, 0.20], [0.0, 0.0, 0.0], [0.5, 0.5, 0.25]])


def empty_structure(group):
    """A structure of this group without sites; older gemmi takes the group from a CIF only."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    cell = zip(names, CELLS[group.crystal_system_str()], strict=True)
    lines = ["data_empty", *(f"_cell_{name} {value}" for name, value in cell)]
    lines.append(f"_symmetry_space_group_name_H-M '{group.xhm()}'")
    block = gemmi.cif.read_string("\n".join(lines)).sole_block()
    return gemmi.make_small_structure_from_block(block)


@pytest.mark.parametrize("number", range(1, 231))
def test_every_space_group_completes_general_and_special_positions_as_gemmi(number):
    group = gemmi.get_spacegroup_reference_setting(number)
    structure = empty_structure(group)
    for fraction in ASYMMETRIC_UNIT:
        site = gemmi.SmallStructure.Site()
        site.fract = gemmi.Fractional(*fraction)
        structure.add_site(site)
    expected = [site.fract.tolist() for site in structure.get_all_unit_cell_sites()]
    vectors = lattice_vectors(np.array(structure.cell.parameters))
    fractions, atoms = expand_sites(ASYMMETRIC_UNIT, np.ones(3), list(group.operations()), vectors)
    assert (atoms == 0).sum() == len(group.operations())
    assert len(fractions) == len(expected)
    between = fractions[:, None] - np.array(expected)
    distances = np.linalg.norm((between - np.round(between)) @ vectors, axis=2)
    assert (distances.min(axis=1) < 1e-6).all()
    assert ((fractions >= 0.0) & (fractions < 1.0)).all()


def test_images_of_a_partly_occupied_atom_may_be_close():
    operations = [gemmi.Op("x,y,z"), gemmi.Op("-x,y,z")]
    near_the_mirror = np.array([[0.008, 0.1, 0.2]])  # 0.08 Å from its image
    for occupancy, count in ((1.0, 1), (0.5, 2)):
        _, atoms = expand_sites(near_the_mirror, [occupancy], operations, 5.0 * np.eye(3))
        assert len(atoms) == count


PLACES = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [0.999, 0, 0], [0.51, 0.5, 0.5], [0.3, 0, 0]])


def merged(elements, occupancies, atoms=range(5)):
    """The sites of five atoms, of which 0 and 2 share a place, and 1 and 3 do."""
    return merge_sites(PLACES, np.array(atoms), elements, occupancies, 5.0 * np.eye(3))


def test_atoms_of_one_place_are_one_site():
    sites, species = merged(["Na", "Cl", "K", "Br", "O"], [0.4, 1.0, 0.6, 0.0, 0.5])
    assert sites.tolist() == [0, 1, 4]
    assert species == [{"Na": 0.4, "K": 0.6}, {"Cl": 1.0, "Br": 0.0}, {"O": 0.5}]


def test_atoms_listed_twice_count_once_or_share():
    _, species = merged(["Na", "Cl", "Na", "Cl", "O"], [1.0, 0.5, 1.0, 0.25, 1.0])
    assert species == [{"Na": 1.0}, {"Cl": 0.75}, {"O": 1.0}]


def test_rounded_occupancies_fill_a_place_and_larger_ones_are_refused():
    _, species = merged(["Na", "Cl", "K", "Br", "O"], [0.34, 1.0, 0.7, 0.0, 1.0])
    assert species[0] == pytest.approx({"Na": 0.34 / 1.04, "K": 0.7 / 1.04})
    with pytest.raises(CIFError, match=r"occupancies of Na and K at one place add up to 1\.3"):
        merged(["Na", "Cl", "K", "Br", "O"], [0.6, 1.0, 0.7, 0.0, 1.0])


def test_images_of_one_atom_stay_apart():
    sites, species = merged(["Na", "Cl"], [0.5, 0.5], atoms=[0, 1, 0, 1, 1])
    assert sites.tolist() == [0, 1, 2, 3, 4]
    assert species == [{"Na": 0.5}, {"Cl": 0.5}, {"Na": 0.5}, {"Cl": 0.5}, {"Cl": 0.5}]


def test_chains_of_coinciding_atoms_are_one_site():
    chain = np.array([[0.0, 0, 0], [0.015, 0, 0], [0.03, 0, 0]])  # the ends are 0.15 Å apart
    elements, occupancies = ["Na", "K", "Rb"], [0.2, 0.3, 0.4]
    sites, species = merge_sites(chain, np.arange(3), elements, occupancies, 5.0 * np.eye(3))
    assert sites.tolist() == [0]
    assert species == [{"Na": 0.2, "K": 0.3, "Rb": 0.4}]
