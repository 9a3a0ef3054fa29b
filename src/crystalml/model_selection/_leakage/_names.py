"""Names of columns that give symmetry away, and the vocabularies of their words."""

import re
from functools import cache

import numpy as np
import pandas as pd

from crystalml.crystallography import (
    CRYSTAL_SYSTEMS,
    ELEMENTS,
    LATTICE_SYSTEMS,
    bravais_lattice,
    find_spacegroup,
    point_group,
)
from crystalml.descriptors._table_columns import SYMMETRY_COLUMNS

# Names of counts of what is in the cell, known only from the solved structure.
CONTENTS_NAMES = frozenset(
    (
        *("formula_units", "z_prime", "n_sites", "n_atoms", "cell_formula", "formula_cell", "Z"),
        *("Zprime", "cellformula", "cell_contents", "n_formula_units", "nsites", "natoms"),
        *("num_atoms", "number_of_atoms", "n_asymmetric_atoms"),
    )
)
SYMMETRY_NAMES = (frozenset(SYMMETRY_COLUMNS) - CONTENTS_NAMES) | frozenset(
    (
        *("spacegroup", "space_group", "space_group_number", "space_group_symbol", "sg_number"),
        *("sgr", "spg", "spgnum", "spg_number", "hm", "hermann_mauguin", "hall", "hall_symbol"),
        *("hall_number", "point_group", "pointgroup", "crystal_class", "laue_class", "laue_group"),
        *("lattice_system", "crystal_family", "bravais", "bravais_type", "pearson_symbol"),
        *("centring", "centering", "lattice_type", "crystalsystem", "symop_count"),
        *("n_symmetry_operations", "n_symops", "n_operations", "symmetry_operations"),
        *("general_multiplicity", "multiplicity", "point_group_order", "is_centrosymmetric"),
        *("centrosymmetric", "is_sohncke", "is_chiral", "is_polar", "wyckoff", "wyckoff_letters"),
        *("prototype", "structure_type", "structure_prototype", "extinction_symbol"),
    )
)
# What is computed from the cell volume.
VOLUME_NAMES = frozenset(
    (
        *("volume", "vol", "cell_volume", "v_formula", "volume_su", "sigvol", "log_volume"),
        *("inverse_volume", "volume_per_atom", "vpa", "volume_per_formula_unit", "density"),
        *("number_density", "atomic_density", "mass_density", "packing_fraction"),
        *("packing_efficiency", "diffrdensity", "exptl_density"),
    )
)
# What encoders and scalers append: spacegroup_number_225, sgHall_encoded, Z_std.
_APPENDED = (
    r"([ _=:.\-]*(\d+|(enc|label|code|hash|one_?hot|ohe|idx|index|scaled|std|norm|cat|ord)\w*))"
)
_ENDING = re.compile(rf"{_APPENDED}+$", re.IGNORECASE)
_LONG_NAME = 6  # letters; what follows a separator after a shorter name may change its meaning

# Share of a column's distinct words that must be of one vocabulary.
_FLUENCY = 0.9


def is_named(name, known):
    """Whether a column bears one of the known names, or one with what an encoder appended.

    The elemental ``MagpieData mean SpaceGroupNumber`` is none of them: it is the symmetry of
    the elements, not of the crystal.
    """
    name = str(name)
    if _squeezed(name) in _squeezed_set(known):
        return True
    bare = _ENDING.sub("", name)
    if bare and _squeezed(bare) in _squeezed_set(known):
        return True
    heads = (name[: m.start()] for m in re.finditer(r"[ _=:.\-]", name))
    return any(len(h) >= _LONG_NAME and _squeezed(h) in _squeezed_set(known) for h in heads)


def vocabulary_of(values):
    """Name the symmetry vocabulary that the words of a text column belong to, or None."""
    words = pd.unique(values.dropna().astype(object).map(str))
    # Digits are any count, and Cd is cadmium here, though it reads as the glide group C d.
    if len(words) < 2 or all(word.isdigit() or word in ELEMENTS for word in words):
        return None
    for vocabulary, knows in _VOCABULARIES.items():
        sample = words if len(words) <= 1000 else words[:: len(words) // 500]
        if np.mean([knows(word.strip()) for word in sample]) >= _FLUENCY:
            return vocabulary
    return None


def _squeezed(name):
    """Return a name without separators and case, but with the capital that makes Z what it is."""
    return name if len(name) == 1 else re.sub("[^a-z0-9']", "", name.lower())


@cache
def _squeezed_set(known):
    return frozenset(map(_squeezed, known))


_NUMBERS = np.arange(1, 231)
_BRAVAIS = frozenset(bravais_lattice(_NUMBERS))
_POINT_GROUPS = frozenset(point_group(_NUMBERS))
_SYSTEMS = frozenset((*CRYSTAL_SYSTEMS, *LATTICE_SYSTEMS))
_VOCABULARIES = {
    "crystal systems": lambda word: word.lower() in _SYSTEMS,
    "Bravais lattices": _BRAVAIS.__contains__,
    "point groups": lambda word: word.replace(" ", "") in _POINT_GROUPS,
    "space-group symbols": lambda word: find_spacegroup(word) is not None,
}
