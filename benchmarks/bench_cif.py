"""Reading CIFs: this library beside plain gemmi and pymatgen, on real files.

From memory, so that the disk plays no part, and once more from disk, where gemmi opens the same
files. The peers only look the values up; this library also reconciles the space group and builds
the table.
"""

import os
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

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


class FileSet(NamedTuple):
    """CIFs of the shared archives, and what is asked for on them."""

    folders: dict  # archive -> folder in it
    target: float  # against gemmi, from memory as well as from disk
    step: int  # through the files that pymatgen reads: it needs minutes for all
    repeat: int = 5


SETS = {
    "COD single crystals": FileSet({"cifs_cod.tar.xz": "cod_single_crystal"}, 15.0, 10, 9),
    "small files": FileSet(
        {"cifs_3dsc.tar.xz": "3dsc_mp", "cifs_cod.tar.xz": "one_per_space_group"}, 0.6, 101
    ),
    "one per space group": FileSet({"cifs_cod.tar.xz": "one_per_space_group"}, 0.6, 9, 9),
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


def _from_memory(name, files, wanted):
    return compare(
        f"{len(files)} {name}, from memory",
        lambda: read_cifs(files, progress=False),
        {"gemmi + look-ups": (lambda: _plain_gemmi(files), wanted.target, 1.0)},
        repeat=wanted.repeat,
    )


def _against_pymatgen(name, files, wanted):
    # By itself: what it leaves in the processor's caches would slow down whoever comes next.
    some = [data.decode("latin-1") for data in files[:: wanted.step]]
    return compare(
        f"{len(files)} {name}, from memory",
        lambda: read_cifs(files, progress=False),
        {
            f"pymatgen, every {wanted.step}th": (
                lambda: _pymatgen(some),
                100.0,
                len(files) / len(some),
            )
        },
    )


def _from_disk(name, files, wanted):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{number}.cif") for number in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            Path(path).write_bytes(data)
        return compare(
            f"{len(files)} {name}, from disk",
            lambda: read_cifs(paths, progress=False),
            {
                "gemmi + look-ups": (
                    lambda: [_look_up(gemmi.cif.read(path)) for path in paths],
                    wanted.target,
                    1.0,
                )
            },
            repeat=wanted.repeat,
        )


def benchmarks():
    """Rows of the table; empty where the shared data folder is absent."""
    if not SHARED_DATA.is_dir():
        return []
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns about most files
        for name, wanted in SETS.items():
            files = _files(wanted.folders)
            rows += _from_memory(name, files, wanted)
            rows += _from_disk(name, files, wanted)
            rows += _against_pymatgen(name, files, wanted)
    return rows
