# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.crystallography._cell import cell_from_metric as cell_from_metric
from crystalml.crystallography._cell import cell_problems as cell_problems
from crystalml.crystallography._cell import cell_volume as cell_volume
from crystalml.crystallography._cell import lattice_vectors as lattice_vectors
from crystalml.crystallography._cell import metric_tensor as metric_tensor
from crystalml.crystallography._cell import reciprocal_cell as reciprocal_cell
from crystalml.crystallography._cell import validate_cells as validate_cells
from crystalml.crystallography._elements import ELEMENTS as ELEMENTS
from crystalml.crystallography._extinction import extinction_class as extinction_class
from crystalml.crystallography._extinction import (
    spacegroups_of_extinction_symbol as spacegroups_of_extinction_symbol,
)
from crystalml.crystallography._formula import FormulaTable as FormulaTable
from crystalml.crystallography._formula import parse_formula as parse_formula
from crystalml.crystallography._formula import parse_formulas as parse_formulas
from crystalml.crystallography._formula_names import anonymous_formula as anonymous_formula
from crystalml.crystallography._formula_names import chemical_system as chemical_system
from crystalml.crystallography._formula_names import reduced_formula as reduced_formula
from crystalml.crystallography._metric_symmetry import BRAVAIS_LATTICES as BRAVAIS_LATTICES
from crystalml.crystallography._metric_symmetry import bravais_distances as bravais_distances
from crystalml.crystallography._metric_symmetry import conventional_cell as conventional_cell
from crystalml.crystallography._metric_symmetry import metric_symmetry as metric_symmetry
from crystalml.crystallography._reduction import niggli_cell as niggli_cell
from crystalml.crystallography._reduction import primitive_cell as primitive_cell
from crystalml.crystallography._spacegroup_operations import (
    spacegroup_from_operations as spacegroup_from_operations,
)
from crystalml.crystallography._spacegroup_settings import SpaceGroupSetting as SpaceGroupSetting
from crystalml.crystallography._spacegroup_symbols import find_spacegroup as find_spacegroup
from crystalml.crystallography._spacegroup_symbols import spacegroup_number as spacegroup_number
from crystalml.crystallography._spacegroups import CRYSTAL_SYSTEMS as CRYSTAL_SYSTEMS
from crystalml.crystallography._spacegroups import LATTICE_SYSTEMS as LATTICE_SYSTEMS
from crystalml.crystallography._spacegroups import bravais_lattice as bravais_lattice
from crystalml.crystallography._spacegroups import crystal_system as crystal_system
from crystalml.crystallography._spacegroups import is_centrosymmetric as is_centrosymmetric
from crystalml.crystallography._spacegroups import is_sohncke as is_sohncke
from crystalml.crystallography._spacegroups import lattice_system as lattice_system
from crystalml.crystallography._spacegroups import point_group as point_group
from crystalml.crystallography._spacegroups import spacegroup_symbol as spacegroup_symbol
from crystalml.crystallography._spacegroups import (
    spacegroups_of_bravais_lattice as spacegroups_of_bravais_lattice,
)
