"""What a search for symmetry finds in a crystal: kept apart from all other descriptors."""

import warnings

import gemmi
import numpy as np

from crystalml._dependencies import import_optional
from crystalml.crystallography import CRYSTAL_SYSTEMS, crystal_system, is_centrosymmetric
from crystalml.exceptions import InvalidInputError

SYMMETRY_NAMES = (
    "spacegroup_number",
    "crystal_system",
    "point_group_order",
    "is_centrosymmetric",
    "n_orbits",
)


def detected_symmetry(crystal, tolerance):
    """Return what spglib, by way of pymatgen, finds within `tolerance` in Å."""
    core = import_optional("pymatgen.core", needed_by="StructureDescriptors")
    symmetry = import_optional("pymatgen.symmetry.analyzer", needed_by="StructureDescriptors")
    structure = core.Structure(
        core.Lattice(crystal.vectors), [dict(here) for here in crystal.species], crystal.fractions
    )
    with warnings.catch_warnings():
        # What spglib asks of its callers, here pymatgen.
        warnings.filterwarnings("ignore", "Set OLD_ERROR_HANDLING", DeprecationWarning)
        try:
            found = symmetry.SpacegroupAnalyzer(structure, tolerance).get_symmetry_dataset()
        except symmetry.SymmetryUndeterminedError as error:
            raise InvalidInputError(f"no space group is found within {tolerance} Å") from error
    number = int(found.number)
    operations = gemmi.get_spacegroup_reference_setting(number).operations()
    values = (
        number,
        CRYSTAL_SYSTEMS.index(crystal_system(number)) + 1,
        len(operations.sym_ops),
        is_centrosymmetric(number),
        len(np.unique(found.equivalent_atoms)),
    )
    return dict(zip(SYMMETRY_NAMES, map(float, values), strict=True))
