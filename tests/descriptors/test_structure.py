"""StructureDescriptors: equal to matminer, pymatgen and ASE; blind to cell and symmetry."""

import gzip
import io
import pickle
import tarfile
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from crystalml.descriptors import StructureDescriptors
from crystalml.descriptors._structure_input import as_crystal
from crystalml.exceptions import InvalidInputError, SchemaError

ase = pytest.importorskip("ase")
pymatgen = pytest.importorskip("pymatgen.core")

FREE = ["packing", "bond_lengths", "coordination", "bond_angles", "voronoi", "rdf"]
N_CIFS = 24


def rock_salt(a=5.64):
    lattice = pymatgen.Lattice.cubic(a)
    points = [[0, 0, 0], [0.5, 0.5, 0.5]]
    return pymatgen.Structure.from_spacegroup("Fm-3m", lattice, ["Na", "Cl"], points)


def wurtzite():
    one, two = 1 / 3, 2 / 3
    points = [[one, two, 0], [two, one, 0.5], [one, two, 0.37], [two, one, 0.87]]
    lattice = pymatgen.Lattice.hexagonal(3.82, 6.26)
    return pymatgen.Structure(lattice, ["Zn", "Zn", "S", "S"], points)


def random_structure(seed, n_sites=5):
    """A triclinic crystal without symmetry, with atoms at reasonable distances."""
    random = np.random.default_rng(seed)
    lattice = pymatgen.Lattice.from_parameters(
        *random.uniform(4.5, 6.5, 3), *random.uniform(75.0, 105.0, 3)
    )
    points = []
    while len(points) < n_sites:
        point = random.random(3)
        apart = [lattice.get_distance_and_image(point, other)[0] for other in points]
        if not points or min(apart) > 1.6:
            points.append(point)
    return pymatgen.Structure(lattice, random.choice(["O", "Si", "Fe", "Ca"], n_sites), points)


def describe(structures, features="default", **options):
    return StructureDescriptors(features, **options).fit_transform(structures)


def as_dict(structure, features="default", **options):
    transformer = StructureDescriptors(features, **options)
    row = transformer.fit_transform([structure])[0]
    return dict(zip(transformer.get_feature_names_out(), row, strict=True))


@pytest.fixture(scope="module")
def real_files(shared_data):
    """Some small ordered structures of the COD, as pymatgen reads them, by the text of the file."""
    parser = pytest.importorskip("pymatgen.io.cif")
    found = {}
    with tarfile.open(shared_data / "cifs_cod.tar.xz", "r|xz") as archive:
        for position, member in enumerate(archive):
            if position % 11 or not member.name.endswith(".cif") or "single" in member.name:
                continue
            text = archive.extractfile(member).read().decode("utf-8", "replace")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what pymatgen has to say about the files
                try:
                    read = parser.CifParser(io.StringIO(text)).parse_structures(primitive=False)
                except ValueError:
                    continue
            if read[0].is_ordered and len(read[0]) <= 60:
                found[text] = read[0]
            if len(found) == N_CIFS:
                break
    return found


@pytest.fixture(scope="module")
def real_structures(real_files):
    """The same, without the text of the file."""
    return list(real_files.values())


# --- equal to matminer, pymatgen and ASE ----------------------------------------------------


def test_the_radial_distribution_is_that_of_matminer_per_site(real_structures):
    featurizer = pytest.importorskip("matminer.featurizers.structure").RadialDistributionFunction
    got = describe(real_structures, "rdf", rdf_cutoff=7.0, rdf_bin_width=0.2)
    for row, structure in zip(got, real_structures, strict=True):
        expected = featurizer(7.0, 0.2).featurize(structure)
        assert_allclose(row * len(structure), expected[: len(row)], rtol=1e-9, atol=1e-12)


def test_covalent_bonds_are_those_of_ase(real_structures):
    neighbours = pytest.importorskip("ase.neighborlist")
    adaptor = pytest.importorskip("pymatgen.io.ase").AseAtomsAdaptor
    options = {"features": ["bond_lengths", "coordination"], "bonds": "covalent"}
    for structure in real_structures:
        atoms = adaptor.get_atoms(structure)
        cutoffs = neighbours.natural_cutoffs(atoms, mult=1.15)
        first, lengths = neighbours.neighbor_list("id", atoms, cutoffs)
        numbers = np.bincount(first, minlength=len(atoms))
        expected = [f(values) for values in (lengths, numbers) if len(values)
                    for f in (np.min, np.max, np.mean, np.std)]  # fmt: skip
        if not len(lengths):
            expected = [np.nan] * 4 + expected
        for crystal in (structure, atoms):
            got = describe([crystal], bond_tolerance=0.15, **options)[0]
            assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_nearest_bonds_are_those_of_pymatgen(real_structures):
    method = pytest.importorskip("pymatgen.analysis.local_env").MinimumDistanceNN(tol=0.1)
    for structure in real_structures:
        bonds = method.get_all_nn_info(structure)
        lengths = np.array(
            [
                np.linalg.norm(bond["site"].coords - site.coords)
                for site, here in zip(structure, bonds, strict=True)
                for bond in here
            ]
        )
        numbers = np.array([len(here) for here in bonds])
        expected = [
            f(values) for values in (lengths, numbers) for f in (np.min, np.max, np.mean, np.std)
        ]
        got = describe([structure], ["bond_lengths", "coordination"])[0]
        assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_packing_is_that_of_matminer(real_structures):
    featurizer = pytest.importorskip("matminer.featurizers.structure").DensityFeatures()
    got = describe(real_structures, "packing")
    for row, structure in zip(got, real_structures, strict=True):
        if np.isnan(row).any():  # matminer raises where there is no radius
            continue
        assert_allclose(row, featurizer.featurize(structure), rtol=1e-9)


@pytest.mark.filterwarnings("ignore")  # of pymatgen about its own
def test_voronoi_cells_are_those_of_matminer():
    features = pytest.importorskip("matminer.featurizers.structure")
    local = pytest.importorskip("pymatgen.analysis.local_env")
    for structure in (wurtzite(), random_structure(0, 7), random_structure(2, 7)):
        ours = as_dict(structure, "voronoi")
        heterogeneity = features.StructuralHeterogeneity()
        expected = heterogeneity.featurize(structure)
        names = ["length_avg_dev", "length_maximum", "length_minimum"]
        names += [f"variation_{name}" for name in ("minimum", "maximum", "range", "mean")]
        names += ["variation_avg_dev", "volume_avg_dev"]
        got = [ours[f"voronoi_{name}"] for name in names]
        assert_allclose(got, expected, rtol=1e-7, atol=1e-9)
        (efficiency,) = features.MaximumPackingEfficiency().featurize(structure)
        assert_allclose(ours["voronoi_packing_efficiency"], efficiency, rtol=1e-7)
        voronoi = local.VoronoiNN()
        effective = []
        for site in range(len(structure)):
            faces = voronoi.get_voronoi_polyhedra(structure, site).values()
            areas = np.array([face["area"] for face in faces])
            effective.append(areas.sum() ** 2 / (areas**2).sum())
        assert_allclose(ours["voronoi_coordination_mean"], np.mean(effective), rtol=1e-7)
        assert_allclose(ours["voronoi_coordination_maximum"], max(effective), rtol=1e-7)


def test_symmetry_is_that_of_matminer(real_structures):
    featurizer = pytest.importorskip("matminer.featurizers.structure").GlobalSymmetryFeatures
    wanted = ["spacegroup_num", "is_centrosymmetric"]
    for structure in real_structures[:8]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = featurizer(wanted).featurize(structure)
        found = as_dict(structure, "symmetry")
        assert [found["spacegroup_number"], found["is_centrosymmetric"]] == expected


# --- what is known without any library ------------------------------------------------------


def test_rock_salt_is_known_by_hand():
    found = as_dict(rock_salt(), [*FREE, "contents", "symmetry"])
    assert found["volume_per_atom"] == pytest.approx(5.64**3 / 8)
    assert found["density"] == pytest.approx(2.164, abs=1e-3)
    assert found["bond_length_minimum"] == pytest.approx(2.82)
    assert found["bond_length_std_dev"] == pytest.approx(0.0, abs=1e-9)
    assert found["coordination_mean"] == 6
    assert found["bond_angle_minimum"] == pytest.approx(90)
    assert found["bond_angle_maximum"] == pytest.approx(180)
    assert found["bond_angle_mean"] == pytest.approx((12 * 90 + 3 * 180) / 15)
    assert found["voronoi_coordination_mean"] == pytest.approx(6)  # cubes
    assert found["voronoi_sphericity_mean"] == pytest.approx(np.pi / 6)
    assert found["voronoi_packing_efficiency"] == pytest.approx(np.pi / 6)
    assert found["rdf_2.70_2.80"] == 0
    assert found["rdf_2.80_2.90"] > 10
    assert (found["n_sites"], found["n_atoms"]) == (8, 8)
    assert found["spacegroup_number"] == 225
    assert found["crystal_system"] == 7
    assert found["point_group_order"] == 48
    assert found["n_orbits"] == 2


@pytest.mark.parametrize("bonds", ["nearest", "covalent"])
def test_angles_are_those_of_a_loop_over_bonds(bonds):
    structure = random_structure(3)
    found = as_dict(structure, "bond_angles", bonds=bonds, bond_tolerance=0.3)
    radii = pytest.importorskip("ase.data").covalent_radii
    angles = []
    for site in structure:
        around = structure.get_neighbors(site, 8.0)
        shortest = min(other.nn_distance for other in around)
        bonded = [
            other.coords - site.coords
            for other in around
            if other.nn_distance
            < 1.3
            * (shortest if bonds == "nearest" else radii[site.specie.Z] + radii[other.specie.Z])
        ]
        for position, one in enumerate(bonded):
            for other in bonded[position + 1 :]:
                cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
                angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    expected = [np.min(angles), np.max(angles), np.mean(angles), np.std(angles)]
    assert_allclose(list(found.values()), expected, rtol=1e-7)


def test_the_radial_distribution_tends_to_one():
    row = describe([random_structure(5)], "rdf", rdf_cutoff=30.0, rdf_bin_width=5.0)[0]
    assert_allclose(row[-2:], 1.0, atol=0.02)


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_voronoi_cells_fill_the_cell_of_the_crystal(seed):
    from crystalml.descriptors._structure_neighbours import voronoi_faces

    crystal = as_crystal(random_structure(seed, 1 + seed % 4))
    faces = voronoi_faces(crystal)
    assert (faces.area * faces.distance / 6.0).sum() == pytest.approx(crystal.volume, rel=1e-9)


# --- blind to the choice of the cell --------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_default_descriptors_do_not_depend_on_cell_origin_axes_or_order(seed, origin):
    structure = random_structure(seed, 4)
    # Bins have sharp edges; all other descriptors are continuous or counts within tolerance.
    options = {"features": FREE, "rdf_cutoff": 6.0, "rdf_bin_width": 6.0, "bond_tolerance": 0.1}
    expected = describe([structure], **options)[0]
    moved = structure.copy()
    moved.translate_sites(list(range(len(moved))), origin, to_unit_cell=False)
    moved = pymatgen.Structure.from_sites(moved.sites[::-1])
    supercell = structure.copy()
    supercell.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 2]])
    skewed = structure.copy()
    skewed.make_supercell([[1, 2, 0], [0, 1, 0], [0, -1, 1]])
    turned = pymatgen.Structure(
        pymatgen.Lattice.from_parameters(*structure.lattice.parameters),
        structure.species,
        structure.frac_coords,
    )
    got = describe([moved, supercell, skewed, turned], **options)
    assert_allclose(got, np.tile(expected, (4, 1)), rtol=1e-6, atol=1e-7)


def test_primitive_and_conventional_cell_are_one_crystal_but_for_the_contents():
    conventional = rock_salt()
    a = 5.64 / 2
    primitive = pymatgen.Structure(
        [[0, a, a], [a, 0, a], [a, a, 0]], ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    features = ["packing", "bond_angles", "voronoi", "symmetry"]
    free = describe([conventional, primitive], features)
    assert_allclose(free[0], free[1], rtol=1e-9, atol=1e-9)
    contents = describe([conventional, primitive], "n_sites")
    assert contents.ravel().tolist() == [8, 2]


def test_neither_symmetry_nor_contents_are_among_the_default():
    names = set(StructureDescriptors().get_feature_names_out())
    apart = StructureDescriptors(["symmetry", "contents"]).get_feature_names_out()
    assert not names & set(apart)
    assert not [name for name in names if "group" in name or "symm" in name or "n_" in name[:2]]


# --- disorder, hydrogen, sparse crystals ----------------------------------------------------


def test_a_solid_solution_is_averaged():
    lattice, points = pymatgen.Lattice.cubic(3.6), [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]]
    points.append([0, 0.5, 0.5])
    mixed = pymatgen.Structure(lattice, [{"Cu": 0.25, "Ni": 0.75}] * 4, points)
    pure = {name: pymatgen.Structure(lattice, [name] * 4, points) for name in ("Cu", "Ni")}
    got = as_dict(mixed, FREE)
    ends = {name: as_dict(structure, FREE) for name, structure in pure.items()}
    expected = 0.25 * ends["Cu"]["density"] + 0.75 * ends["Ni"]["density"]
    assert got["density"] == pytest.approx(expected)
    for name in set(got) - {"density", "packing_fraction"}:
        assert got[name] == pytest.approx(ends["Cu"][name], abs=1e-9), name


def test_half_occupied_sites_count_half():
    full = rock_salt()
    half = full.copy()
    half.replace_species({"Na": {"Na": 0.5}})
    found, whole = as_dict(half), as_dict(full)
    assert found["volume_per_atom"] == pytest.approx(whole["volume_per_atom"] * 8 / 6)
    # Chlorine sees half of its six neighbours, sodium all: (0.5 * 6 + 1 * 3) / 1.5.
    assert found["coordination_mean"] == pytest.approx(4)
    assert as_dict(half, "n_atoms")["n_atoms"] == pytest.approx(6)


def test_partly_occupied_sites_at_one_place_are_one_site():
    lattice = pymatgen.Lattice.cubic(4.0)
    mixed = pymatgen.Structure(lattice, [{"Cu": 0.4, "Ni": 0.6}], [[0, 0, 0]])
    apart = pymatgen.Structure(lattice, [{"Cu": 0.4}, {"Ni": 0.6}], [[0, 0, 0], [0, 0, 1.01]])
    features = ["packing", "voronoi", "contents", "coordination"]
    assert_allclose(describe([apart], features), describe([mixed], features))


def test_elements_without_a_covalent_radius_have_no_covalent_bonds():
    lattice = pymatgen.Lattice.cubic(3.0)
    fermium = pymatgen.Structure(lattice, ["Fm"], [[0, 0, 0]])
    assert as_dict(fermium, "coordination", bonds="covalent")["coordination_mean"] == 0


def test_alternative_positions_are_not_bonded_to_each_other():
    lattice = pymatgen.Lattice.cubic(4.0)
    split = [{"O": 0.5}, {"O": 0.5}, "Si"]
    points = [[0.02, 0, 0], [-0.02, 0.1, 0], [0.45, 0.05, 0]]
    structure = pymatgen.Structure(lattice, split, points)
    full = pymatgen.Structure(lattice, ["O", "O", "Si"], points)  # too close, but so it is said
    found, said = (
        as_dict(crystal, ["bond_lengths", "bond_angles", "rdf"], bond_tolerance=0.2)
        for crystal in (structure, full)
    )
    assert found["bond_length_minimum"] > 1.5 > 0.5 > said["bond_length_minimum"]
    assert said["bond_angle_minimum"] < 20 < 90 < found["bond_angle_minimum"]
    assert found["rdf_0.40_0.50"] == 0 < said["rdf_0.40_0.50"]


def test_disorder_can_be_refused():
    half = rock_salt()
    half.replace_species({"Na": {"Na": 0.5}})
    with pytest.raises(InvalidInputError, match="disordered: 4 of 8 sites are partly or jointly"):
        describe([half], disorder="error")


def test_hydrogen_can_be_left_out():
    lattice = pymatgen.Lattice.cubic(5.0)
    water = pymatgen.Structure(
        lattice, ["O", "H", "D"], [[0, 0, 0], [0.15, 0.1, 0], [-0.15, 0.1, 0]]
    )
    bare = pymatgen.Structure(lattice, ["O"], [[0, 0, 0]])
    got = describe([water, bare], "packing", hydrogens="drop")
    assert_array_equal(got[0], got[1])
    assert as_dict(water, "n_atoms")["n_atoms"] == 3
    hydrogen = pymatgen.Structure(lattice, ["H"], [[0, 0, 0]])
    with pytest.raises(InvalidInputError, match="no atoms but hydrogen"):
        describe([hydrogen], hydrogens="drop")


def test_atoms_too_far_apart_for_bonds_have_none():
    argon = ase.Atoms("Ar", cell=[9.0] * 3, pbc=True)
    found = as_dict(argon, bonds="covalent")
    assert found["coordination_maximum"] == 0
    assert np.isnan([found["bond_length_mean"], found["bond_angle_mean"]]).all()
    assert as_dict(argon)["bond_length_mean"] == pytest.approx(9.0)  # the nearest, however far


def test_an_element_without_a_radius_has_no_packing_fraction_and_no_error():
    found = as_dict(ase.Atoms("Kr", cell=[5.7] * 3, pbc=True), "packing")
    assert np.isnan(found["packing_fraction"])
    assert found["volume_per_atom"] == pytest.approx(5.7**3)


# --- CIF paths ------------------------------------------------------------------------------

CIF = """data_halite
_chemical_formula_sum '{formula}'
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt '{group}'
loop_
_atom_site_label
_atom_site_occupancy
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 1 0 0 0
{chlorine}
"""


@pytest.fixture
def write_cif(tmp_path):
    def write(name="halite.cif", formula="Cl Na", group="F m -3 m", chlorine="Cl1 1 .5 .5 .5"):
        path = tmp_path / name
        path.write_text(CIF.format(formula=formula, group=group, chlorine=chlorine))
        return path

    return write


def test_structure_atoms_and_cif_are_described_alike(write_cif):
    adaptor = pytest.importorskip("pymatgen.io.ase").AseAtomsAdaptor
    structure, path = rock_salt(), write_cif()
    got = describe([structure, adaptor.get_atoms(structure), path, str(path)], FREE)
    assert_allclose(got, np.tile(got[0], (4, 1)), rtol=1e-9, atol=1e-9)


def test_atoms_of_the_file_that_share_a_place_are_one_site(write_cif):
    path = write_cif(formula="Br0.25 Cl0.75 Na", chlorine="Cl1 .75 .5 .5 .5\nBr1 .25 .5 .5 .5")
    assert as_dict(path, "contents") == {"n_sites": 8, "n_atoms": pytest.approx(8)}
    assert as_dict(path, "coordination")["coordination_mean"] == pytest.approx(6)
    atoms = pytest.importorskip("ase.io").read(path)
    assert_allclose(describe([atoms], "packing"), describe([path], "packing"), rtol=1e-6)


def test_an_atom_that_a_file_lists_twice_counts_once(write_cif):
    twice = write_cif("twice.cif", chlorine="Cl1 1 .5 .5 .5\nCl2 1 .5 .501 .5")
    assert_allclose(describe([twice], FREE), describe([write_cif()], FREE), atol=1e-9)
    # Occupancies are rounded; a little too much is scaled down, more is an error.
    rounded = write_cif("rounded.cif", chlorine="Cl1 .68 .5 .5 .5\nBr1 .34 .5 .5 .5")
    assert as_dict(rounded, "n_atoms")["n_atoms"] == pytest.approx(8)
    wrong = write_cif("wrong.cif", chlorine="Cl1 .8 .5 .5 .5\nBr1 .8 .5 .5 .5")
    with pytest.raises(InvalidInputError, match=r"occupancies of Cl and Br .* add up to 1\.6"):
        describe([wrong])


def test_without_a_symbol_the_number_or_an_old_spelling_will_do(write_cif):
    old = write_cif("old.cif", group="F 4/m -3 2/m")
    text = write_cif().read_text()
    number = old.with_name("number.cif")
    number.write_text(
        text.replace("_space_group_name_H-M_alt 'F m -3 m'", "_symmetry_Int_Tables_number 225")
    )
    operations = old.with_name("operations.cif")
    listed = (
        "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nx+1/2,y+1/2,z\nx+1/2,y,z+1/2\nx,y+1/2,z+1/2\n"
    )
    operations.write_text(text.replace("_space_group_name_H-M_alt 'F m -3 m'\n", listed))
    broken = old.with_name("broken.cif")
    broken.write_text(operations.read_text().replace("x+1/2,y,z+1/2", "x+1/2,q,z"))
    got = describe([old, number, operations], ["packing", "contents"])
    assert_allclose(got, np.tile(got[0], (3, 1)))
    with pytest.raises(InvalidInputError, match="symmetry operations cannot be read"):
        describe([broken])


def test_compressed_and_badly_encoded_files_are_read_or_reported(write_cif, tmp_path):
    text = write_cif().read_bytes()
    packed = tmp_path / "packed.cif.gz"
    packed.write_bytes(gzip.compress(text))
    assert_allclose(describe([packed], "packing"), describe([write_cif()], "packing"))
    latin = tmp_path / "latin.cif"
    latin.write_bytes(text.replace(b"F m -3 m", b"F m -3 m \xe9"))
    assert "cannot be read as a CIF" in StructureDescriptors().report([latin])["error"][0]
    assert "cannot be read as a CIF" in StructureDescriptors().report([tmp_path])["error"][0]


def test_the_report_tells_what_was_noticed(write_cif, tmp_path):
    rubbish = tmp_path / "rubbish.cif"
    rubbish.write_bytes(b"\x00\xff not a cif")
    table = pd.DataFrame(
        {
            "source": [
                str(write_cif()),
                str(write_cif("lacks.cif", formula="Cl H2 Na")),
                str(write_cif("mixed.cif", chlorine="Cl1 .5 .5 .5 .5")),
                str(write_cif("group.cif", group="?")),
                str(write_cif("water.cif", chlorine="Wat1 1 .5 .5 .5")),
                str(rubbish),
                "nowhere.cif",
                None,
            ],
            "other": 1,
        },
        index=list("abcdefgh"),
    )
    report = StructureDescriptors().fit(table).report(table)
    assert report.index.tolist() == list("abcdefgh")
    assert report["lacks_hydrogen"].tolist()[:3] == [False, True, False]
    assert report["is_disordered"].tolist()[:3] == [False, False, True]
    words = [None] * 3 + ["space group is unknown", "'Wat1' is of no known element"]
    words += ["cannot be read as a CIF", "no such file", "value is missing"]
    for error, word in zip(report["error"], words, strict=True):
        assert error is None if word is None else word in error
    with pytest.raises(InvalidInputError, match=r"5 of 8 rows \(first: row 3, '.*: its space"):
        StructureDescriptors().transform(table)
    got = StructureDescriptors("packing", on_error="nan").fit_transform(table)
    assert np.isnan(got).all(axis=1).tolist() == [False] * 3 + [True] * 5


def test_real_files_are_read_like_pymatgen_reads_them(real_files, tmp_path):
    features = ["packing", "contents", "bond_lengths", "coordination"]
    assert len(real_files) == N_CIFS
    for position, (text, structure) in enumerate(real_files.items()):
        path = tmp_path / f"{position}.cif"
        path.write_text(text, encoding="utf-8")
        got, expected = describe([path, structure], features)
        # pymatgen rounds coordinates such as 0.3333 to thirds.
        assert_allclose(got, expected, rtol=2e-3, atol=2e-3)


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the value is missing"),
        (3.0, "neither a pymatgen Structure nor ASE Atoms nor the path"),
        ("NaN", "no such file"),
        (ase.Atoms("Na", cell=[3, 3, 3]), "not periodic in three directions"),
        (ase.Atoms("Na", cell=[3, 3, 0], pbc=True), "not periodic in three directions"),
        (ase.Atoms("X", cell=[3, 3, 3], pbc=True), "'X' is no element"),
        (ase.Atoms(cell=[3, 3, 3], pbc=True), "it has no atoms"),
        (
            ase.Atoms("NaCl", [[0, 0, 0], [0, 0, 2.99]], cell=[3, 3, 3], pbc=True),
            r"sites 0 \(Na\) and 1 \(Cl\) are 0\.010 Å apart",
        ),
    ],
)
def test_what_cannot_be_described_is_said_by_row(value, message):
    with pytest.raises(InvalidInputError, match=message) as error:
        describe([rock_salt(), value])
    assert "1 of 2 rows (first: row 1, " in str(error.value)
    got = describe([rock_salt(), value], "packing", on_error="nan")
    assert np.isnan(got).all(axis=1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": "voronoy"}, "Did you mean 'voronoi'"),
        ({"rdf_cutoff": 10.0, "rdf_bin_width": 0.3}, "no multiple of"),
        ({"rdf_cutoff": -1.0}, "'rdf_cutoff' parameter of StructureDescriptors"),
        ({"bonds": "ionic"}, "'bonds' parameter"),
        ({"disorder": "ignore"}, "'disorder' parameter"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter"),
    ],
)
def test_wrong_parameters_are_refused_in_fit(parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        StructureDescriptors(**parameters).fit([rock_salt()])


def test_one_structure_is_no_column():
    with pytest.raises(InvalidInputError, match="Structure Na4 Cl4, of type Structure; put"):
        StructureDescriptors().fit(rock_salt())
    with pytest.raises(InvalidInputError, match="Atoms Na, of type Atoms; put"):
        StructureDescriptors().fit(ase.Atoms("Na", cell=[3] * 3, pbc=True))
    with pytest.raises(SchemaError, match="'structure' or 'source'"):
        StructureDescriptors().fit(pd.DataFrame({"a": [1], "b": [2]}))


# --- the contract of scikit-learn -----------------------------------------------------------


def test_names_follow_the_selection_and_the_bins():
    names = StructureDescriptors(["rdf", "density"], rdf_cutoff=0.02, rdf_bin_width=0.005)
    assert names.get_feature_names_out().tolist() == [
        "rdf_0.0000_0.0050",
        "rdf_0.0050_0.0100",
        "rdf_0.0100_0.0150",
        "rdf_0.0150_0.0200",
        "density",
    ]
    assert len(StructureDescriptors().get_feature_names_out()) == 100 + 3 + 3 * 4 + 18


def test_every_single_name_gives_what_its_group_gives():
    structure, names = random_structure(7), list(StructureDescriptors().get_feature_names_out())
    picked = [*names[:33:4], "rdf_2.00_2.10"]
    whole = as_dict(structure)
    assert_array_equal(describe([structure], picked)[0], [whole[name] for name in picked])


def test_a_search_over_groups_in_a_pipeline():
    structures = [random_structure(seed, 3) for seed in range(6)]
    pipeline = make_pipeline(
        StructureDescriptors().set_output(transform="pandas"),
        ExtraTreesRegressor(3, random_state=0),
    )
    grid = {
        "structuredescriptors__features": ["packing", ["bond_angles", "n_sites"]],
        "structuredescriptors__bonds": ["nearest", "covalent"],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    table = pd.DataFrame({"structure": structures})
    assert np.isfinite(search.fit(table, np.arange(6.0)).predict(table)).all()


def test_pickle_clone_parallel_and_repeated_rows(tmp_path):
    transformer = StructureDescriptors("voronoi", n_jobs=2)
    structures = [rock_salt(), wurtzite(), rock_salt()]
    with joblib.parallel_config(backend="threading"):
        got = transformer.fit_transform(structures)
        assert_array_equal(pickle.loads(pickle.dumps(transformer)).transform(structures), got)
    assert_array_equal(clone(transformer).set_params(n_jobs=None).transform(structures), got)
    assert_array_equal(got[0], got[2])


class StructuresFromNumbers(StructureDescriptors):
    """StructureDescriptors that makes a crystal of each row of numbers.

    scikit-learn's checks feed matrices of numbers. Only the reading of the column is replaced:
    the first number of a row makes the cell of a crystal, the others do not matter.
    """

    def _column(self, X, *, reset):
        if reset or hasattr(self, "n_features_in_"):
            X = validate_data(self, X, reset=reset, dtype=np.float64)
        lengths = 4.0 + np.tanh(np.asarray(X, dtype=float)[:, 0])
        crystals = [ase.Atoms("Na", cell=[length] * 3, pbc=True) for length in lengths]
        return np.fromiter(crystals, dtype=object, count=len(crystals)).reshape(-1, 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = False
        return tags


@parametrize_with_checks([StructuresFromNumbers(["packing", "bond_lengths", "voronoi"])])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_tags_tell_that_objects_are_wanted():
    tags = StructureDescriptors(on_error="nan").__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.string
    assert tags.input_tags.allow_nan
    assert not tags.requires_fit
