"""Cells, space groups and formulas: the mathematics that everything else stands on."""

from crystalml.crystallography._cell import (
    cell_from_metric,
    cell_problems,
    cell_volume,
    lattice_vectors,
    metric_tensor,
    reciprocal_cell,
    validate_cells,
)
from crystalml.crystallography._elements import ELEMENTS
from crystalml.crystallography._extinction import extinction_class
from crystalml.crystallography._extinction_symbols import spacegroups_of_extinction_symbol
from crystalml.crystallography._formula import FormulaTable, parse_formula, parse_formulas
from crystalml.crystallography._formula_names import (
    anonymous_formula,
    chemical_system,
    reduced_formula,
)
from crystalml.crystallography._metric_symmetry import (
    BRAVAIS_LATTICES,
    bravais_distances,
    metric_symmetry,
)
from crystalml.crystallography._reduction import niggli_cell, primitive_cell
from crystalml.crystallography._spacegroup_operations import (
    spacegroup_from_operations,
)
from crystalml.crystallography._spacegroup_settings import (
    SpaceGroupSetting,
)
from crystalml.crystallography._spacegroup_symbols import (
    find_spacegroup,
    spacegroup_number,
)
from crystalml.crystallography._spacegroups import (
    CRYSTAL_SYSTEMS,
    LATTICE_SYSTEMS,
    bravais_lattice,
    crystal_system,
    is_centrosymmetric,
    is_sohncke,
    lattice_system,
    point_group,
    spacegroup_symbol,
    spacegroups_of_bravais_lattice,
)

__all__ = [
    "BRAVAIS_LATTICES",
    "CRYSTAL_SYSTEMS",
    "ELEMENTS",
    "FormulaTable",
    "LATTICE_SYSTEMS",
    "SpaceGroupSetting",
    "anonymous_formula",
    "bravais_distances",
    "bravais_lattice",
    "cell_from_metric",
    "cell_problems",
    "cell_volume",
    "chemical_system",
    "crystal_system",
    "extinction_class",
    "find_spacegroup",
    "is_centrosymmetric",
    "is_sohncke",
    "lattice_system",
    "lattice_vectors",
    "metric_symmetry",
    "metric_tensor",
    "niggli_cell",
    "parse_formula",
    "parse_formulas",
    "point_group",
    "primitive_cell",
    "reciprocal_cell",
    "reduced_formula",
    "spacegroup_from_operations",
    "spacegroup_number",
    "spacegroup_symbol",
    "spacegroups_of_bravais_lattice",
    "spacegroups_of_extinction_symbol",
    "validate_cells",
]
