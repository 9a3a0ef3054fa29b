"""Levels of symmetry: their labels in order, and how these are written."""

import numpy as np

from crystalml.crystallography import LATTICE_SYSTEMS, lattice_system, spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import symmetry_labels
from crystalml.plotting._style import typeset_point_group, typeset_spacegroup

LEVEL_TITLES = {
    "crystal_system": "crystal system",
    "lattice_system": "lattice system",
    "bravais_lattice": "Bravais lattice",
    "point_group": "point group",
    "space_group": "space group",
}


def level_labels(numbers, level, *, caller):
    """Translate space-group numbers to labels of `level`, lattice systems among them."""
    if level not in LEVEL_TITLES:
        raise InvalidInputError(
            f"{caller}: level must be one of {tuple(LEVEL_TITLES)}, got {level!r}."
        )
    numbers = np.asarray(numbers)
    return lattice_system(numbers) if level == "lattice_system" else symmetry_labels(numbers, level)


def in_order(labels, level, *, caller):
    """Sort distinct labels from low to high symmetry, as International Tables do."""
    present = set(labels)
    if level == "lattice_system":  # by number, hexagonal lattices would come first of the two
        return [label for label in LATTICE_SYSTEMS if label in present]
    # dict.fromkeys: each label once, in the order in which the numbers reach it.
    order = dict.fromkeys(level_labels(np.arange(1, 231), level, caller=caller).tolist())
    return [label for label in order if label in present]


def level_names(labels, level):
    """Return the text of each label, symbols typeset."""
    if level == "space_group":
        return [typeset_spacegroup(symbol) for symbol in spacegroup_symbol(labels)]
    return [typeset_point_group(label) for label in labels] if level == "point_group" else labels
