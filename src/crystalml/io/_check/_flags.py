"""The closed vocabulary of `check_table`: what each flag means."""

CHECK_FLAGS = {
    # The cell by itself.
    "impossible_cell": "the six parameters enclose no volume, or a length or angle is impossible",
    "volume_contradicts_cell": "the reported volume is not that of the cell, by more than the "
    "written digits and the s.u. of the volume leave open",
    # The cell against the space group.
    "cell_contradicts_spacegroup": "no choice of axes gives this lattice the metric that the "
    "space group needs",
    "cell_contradicts_setting": "the cell breaks the constraints of the declared setting, though "
    "the lattice could carry the space group on other axes",
    "metric_exceeds_spacegroup": "edges or angles are exactly those of a higher symmetry, which "
    "the space group does not ask for",
    "contradictory_spacegroup": "operations, symbols and number name different space groups",
    # The contents of the cell.
    "formula_units_not_integer": "Z is not a whole number above zero",
    "contents_contradict_formula": "the atoms in the cell are not Z times the formula, or no "
    "whole multiple of it",
    "formula_not_reduced": "Z is not given, only the atoms in the cell, and the formula has a "
    "common factor: Na2Cl2 with Z = 2, or NaCl with Z = 4",
    "contents_contradict_spacegroup": "all sites are said to be full, but the number of atoms of "
    "an element in the cell is no sum of multiplicities of Wyckoff positions",
    "density_contradicts_contents": "the reported density is not that of Z formulas in the cell",
    "implausible_density": "the density of the contents is outside of what crystals have",
    "volume_too_small": "the atoms in the cell would need much more room",
    "formula_is_cell_content": "with Z formulas the volume is too small, with one it fits, and Z "
    "divides the formula: the formula seems to be the content of the whole cell",
    "volume_too_large": "the atoms in the cell would need much less room: atoms are missing, Z is "
    "too small, or there are voids",
}

# Flags that one fault raises together: of these the most surprising counts.
SUBJECTS = {
    "cell_contradicts_spacegroup": "metric",
    "cell_contradicts_setting": "metric",
    "metric_exceeds_spacegroup": "metric",
    "implausible_density": "amount of matter",
    "volume_too_small": "amount of matter",
    "volume_too_large": "amount of matter",
    "formula_is_cell_content": "amount of matter",
}
