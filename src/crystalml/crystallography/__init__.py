"""Cells, space groups and formulas: the mathematics that everything else stands on."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_cell": [
            "cell_from_metric",
            "cell_problems",
            "cell_volume",
            "lattice_vectors",
            "metric_tensor",
            "reciprocal_cell",
            "validate_cells",
        ],
        "_elements": ["ELEMENTS"],
        "_extinction": ["extinction_class", "spacegroups_of_extinction_symbol"],
        "_formula": ["FormulaTable", "parse_formula", "parse_formulas"],
        "_formula_names": ["anonymous_formula", "chemical_system", "reduced_formula"],
        "_metric_symmetry": [
            "BRAVAIS_LATTICES",
            "bravais_distances",
            "conventional_cell",
            "metric_symmetry",
        ],
        "_reduction": ["niggli_cell", "primitive_cell"],
        "_spacegroup_operations": ["spacegroup_from_operations"],
        "_spacegroup_settings": ["SpaceGroupSetting"],
        "_spacegroup_symbols": ["find_spacegroup", "spacegroup_number"],
        "_spacegroups": [
            "CRYSTAL_SYSTEMS",
            "LATTICE_SYSTEMS",
            "bravais_lattice",
            "crystal_system",
            "is_centrosymmetric",
            "is_sohncke",
            "lattice_system",
            "point_group",
            "spacegroup_symbol",
            "spacegroups_of_bravais_lattice",
        ],
    },
)
