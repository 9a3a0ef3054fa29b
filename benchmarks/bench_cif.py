"""Reading CIFs: this library beside plain gemmi and pymatgen, on real files.

From memory, so that the disk plays no part, and once more from disk. The peers only look the
values up; this library also reconciles the space group and builds the table.
"""

import tarfile
import tempfile
import warnings
from pathlib import Path

import gemmi

from _harness import SHARED_DATA, compare
from crystalml.io import read_cifs

# What the table needs, by the names of the core dictionary.
TAGS = [
    *("_cell_length_a", "_cell_length_b", "_cell_length_c"),
    *("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma"),
    *("_cell_volume", "_cell_formula_units_Z"),
    *("_space_group_IT_number", "_symmetry_Int_Tables_number"),
    *("_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M"),
    *("_space_group_name_H-M_full", "_space_group_name_Hall", "_symmetry_space_group_name_Hall"),
    *("_chemical_formula_sum", "_chemical_name_mineral"),
    *("_chemical_name_systematic", "_chemical_name_common"),
    *("_cell_measurement_temperature", "_diffrn_ambient_temperature"),
    *("_cell_measurement_pressure", "_diffrn_ambient_pressure"),
    *("_diffrn_radiation_wavelength", "_cell_measurement_wavelength"),
    *("_diffrn_radiation_probe", "_diffrn_radiation_type", "_exptl_crystal_density_diffrn"),
    *("_exptl_crystal_size_max", "_cod_struct_determination_method", "_cod_database_code"),
    *("_journal_year", "_journal_paper_doi", "_citation_year"),
]
LOOP_TAGS = [
    *("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz"),
    *("_atom_site_label", "_atom_site_occupancy", "_atom_site_disorder_group"),
]
SETS = {  # name -> (folders of archives, target against gemmi, step through the files for pymatgen)
    "COD single crystals": ({"cifs_cod.tar.xz": "cod_single_crystal"}, 15.0, 10),
    "small files": (
        {"cifs_3dsc.tar.xz": "3dsc_mp", "cifs_cod.tar.xz": "one_per_space_group"},
        0.6,
        101,
    ),
}


def _files(folders):
    """Contents of the CIFs in a folder of each archive."""
    found = []
    for archive, folder in folders.items():
        with tarfile.open(SHARED_DATA / archive, mode="r|*") as members:
            found += [
                members.extractfile(member).read()
                for member in members
                if member.name.endswith(".cif") and folder in member.name
            ]
    return found


def _look_up(document):
    block = document.sole_block()
    for tag in TAGS:
        block.find_value(tag)
    for tag in LOOP_TAGS:
        list(block.find_loop(tag))


def _plain_gemmi(files):
    for data in files:
        _look_up(gemmi.cif.read_string(data))


def _pymatgen(texts):
    from pymatgen.io.cif import CifParser

    for text in texts:
        try:
            CifParser.from_str(text).parse_structures(primitive=False)
        except (ValueError, AssertionError, NotImplementedError, IndexError, TypeError):
            continue  # what it cannot read, it was still asked to read


def _from_memory(name, files, target, step):
    some = [data.decode("latin-1") for data in files[::step]]
    return compare(
        f"{len(files)} {name}, from memory",
        lambda: read_cifs(files, progress=False),
        {
            "gemmi + look-ups": (lambda: _plain_gemmi(files), target, 1.0),
            f"pymatgen, every {step}th": (lambda: _pymatgen(some), 100.0, len(files) / len(some)),
        },
    )


def _from_disk(name, files, folder):
    paths = [Path(folder) / f"{number}.cif" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return compare(
        f"{len(files)} {name}, from disk",
        lambda: read_cifs(paths, progress=False),
        {
            "gemmi + look-ups": (
                lambda: [_look_up(gemmi.cif.read(str(path))) for path in paths],
                None,
                1.0,
            )
        },
    )


def benchmarks():
    """Rows of the table; empty where the shared data folder is absent."""
    if not SHARED_DATA.is_dir():
        return []
    rows = []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # pymatgen warns about most files
        for name, (folders, target, step) in SETS.items():
            files = _files(folders)
            rows += _from_memory(name, files, target, step)
            rows += _from_disk(name, files, folder)
    return rows
