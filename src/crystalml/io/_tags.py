"""Which tag of which dictionary fills which column, and the closed vocabulary of flags.

Tags are compared in canonical form: lower case, with ``.`` replaced by ``_``. So one name
covers the core dictionary (``_cell_length_a``), DDLm and mmCIF (``_cell.length_a``).
"""

from crystalml.io._remember import remember

FLAGS = {
    # What the reader repaired.
    "encoding": "the file is not UTF-8: read as UTF-16 where it says so, else as Latin-1",
    "unquoted_value": "quotes are missing or unbalanced: the words were joined (P 1; x, y, z)",
    "no_value": "a tag has no value: it counts as missing",
    "duplicate_tag": "a tag occurs twice with different values: the first was kept",
    "duplicate_block": "several data blocks have the same name: each has its row",
    "several_cells": "the cell is looped over several rows that differ: the first was kept",
    "loop_length": "a loop's values do not fill its rows: the incomplete row was dropped",
    "truncated": "the file ends inside a text field, a quoted string or an item",
    "no_block_header": "items stand before any data_ header: read as a block without a name",
    "stray_text": "text that belongs to no item was skipped",
    "bad_number": "a value that should be a number is not: it is missing in the table",
    "formula_from_sites": "no formula is given: it is what the atom sites add up to, as is Z where "
    "it is not given; hydrogen atoms that are not listed are missing",
    # What contradicts what.
    "contradictory_spacegroup": "operations, symbols and number name different space groups",
    "contradictory_setting": "operations or Hall symbol mean other axes than the "
    "Hermann-Mauguin symbol of the same space group",
    "unlisted_setting": "operations or Hall symbol belong to axes or an origin that no table "
    "lists, such as those of a primitive cell; the space group is certain all the same",
    "identity_operations_only": "the only listed operation is x,y,z and nothing else says P 1",
    "unknown_operations": "the listed operations form no space group: some are missing, or wrong",
    "unknown_hall": "the Hall symbol means no space group",
    "unknown_hermann_mauguin": "the Hermann-Mauguin symbol means no space group",
    "unknown_number": "the space-group number is not in 1-230",
    "impossible_cell": "the six parameters enclose no volume, or a length or angle is impossible",
    "volume_contradicts_cell": "reported and computed volume differ by more than 1 %",
    # What is missing, or beyond the table.
    "missing_cell": "not all six cell parameters are given",
    "missing_spacegroup": "no usable operations, symbol or number of a space group",
    "missing_formula": "no formula is given, and the atom sites, though placed, do not tell it",
    "magnetic": "a magnetic structure: its space group has no number in 1-230",
    "modulated": "a modulated or composite structure: its superspace group has no number in 1-230",
}

# Column -> canonical tags, best first: the first that is not missing fills the column.
NUMBER_TAGS = {
    "a": ("_cell_length_a",),
    "b": ("_cell_length_b",),
    "c": ("_cell_length_c",),
    "alpha": ("_cell_angle_alpha",),
    "beta": ("_cell_angle_beta",),
    "gamma": ("_cell_angle_gamma",),
    "volume": ("_cell_volume",),
    "formula_units": ("_cell_formula_units_z",),
    "temperature": ("_cell_measurement_temperature", "_diffrn_ambient_temperature"),
    "pressure": ("_cell_measurement_pressure", "_diffrn_ambient_pressure"),
    "wavelength": ("_diffrn_radiation_wavelength", "_cell_measurement_wavelength"),
    "density": ("_exptl_crystal_density_diffrn",),
    "spacegroup_number": ("_space_group_it_number", "_symmetry_int_tables_number"),
    "cod_id": ("_cod_database_code",),
    "year": ("_journal_year", "_citation_year"),
}
TEXT_TAGS = {
    "spacegroup_hm": (
        "_space_group_name_h-m_alt",
        "_symmetry_space_group_name_h-m",
        "_space_group_name_h-m_full",
    ),
    "spacegroup_hall": ("_space_group_name_hall", "_symmetry_space_group_name_hall"),
    "formula": ("_chemical_formula_sum",),
    "mineral": ("_chemical_name_mineral",),
    "chemical_name": ("_chemical_name_systematic", "_chemical_name_common"),
    "doi": ("_journal_paper_doi", "_citation_doi"),
    "radiation": ("_diffrn_radiation_probe", "_diffrn_radiation_type"),
    "method": ("_cod_struct_determination_method", "_exptl_method"),
}
SU_TAGS = {
    "_cell_length_a": "_cell_length_a_su",
    "_cell_length_b": "_cell_length_b_su",
    "_cell_length_c": "_cell_length_c_su",
    "_cell_angle_alpha": "_cell_angle_alpha_su",
    "_cell_angle_beta": "_cell_angle_beta_su",
    "_cell_angle_gamma": "_cell_angle_gamma_su",
    "_cell_volume": "_cell_volume_su",
}
CELL_TAGS = tuple(NUMBER_TAGS[name][0] for name in ("a", "b", "c", "alpha", "beta", "gamma"))
OPERATION_TAGS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")

# An atom-site loop is one that has a site's name, kind or place.
SITE_TAGS = frozenset(
    {
        "_atom_site_label",
        "_atom_site_type_symbol",
        "_atom_site_id",
        "_atom_site_fract_x",
        "_atom_site_cartn_x",
    }
)
LABEL_TAG, TYPE_TAG = "_atom_site_label", "_atom_site_type_symbol"
OCCUPANCY_TAG = "_atom_site_occupancy"
DISORDER_TAG = "_atom_site_disorder_group"

# What the formula can be taken from where a file gives none.
FORMULA_TAG = "_chemical_formula_sum"
FRACTION_TAGS = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
MULTIPLICITY_TAGS = ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity")
CALCULATION_TAG = "_atom_site_calc_flag"
ATTACHED_HYDROGEN_TAG = "_atom_site_attached_hydrogens"
ATOM_TAGS = frozenset(
    {LABEL_TAG, TYPE_TAG, OCCUPANCY_TAG, CALCULATION_TAG, ATTACHED_HYDROGEN_TAG}
    | {*FRACTION_TAGS, *MULTIPLICITY_TAGS}
)

# Canonical tags that stand for a family: any member with a value is evidence of ...
POWDER, SINGLE_CRYSTAL, MAGNETIC, MODULATED = "#powder", "#single", "#magnetic", "#modulated"
_FAMILIES = {
    "_pd_meas_": POWDER,
    "_pd_proc_": POWDER,
    "_pd_instr_": POWDER,
    "_exptl_crystal_size_": SINGLE_CRYSTAL,
    "_space_group_magn_": MAGNETIC,
    "_space_group_symop_magn_": MAGNETIC,
    "_magnetic_space_group_": MAGNETIC,
    "_atom_site_moment_": MAGNETIC,
    "_space_group_ssg_": MODULATED,
    "_space_group_symop_ssg_": MODULATED,
    "_superspace_group_": MODULATED,
    "_cell_wave_vector_": MODULATED,
    "_cell_modulation_dimension": MODULATED,
    "_cell_subsystem": MODULATED,
}
FAMILY_MARKS = frozenset(_FAMILIES.values())

# Other dictionaries' names for the same thing.
_ALIASES = {
    "_diffrn_ambient_temp": "_diffrn_ambient_temperature",
    "_diffrn_radiation_wavelength_wavelength": "_diffrn_radiation_wavelength",
    "_diffrn_radiation_wavelength_value": "_diffrn_radiation_wavelength",
    "_citation_database_id_doi": "_citation_doi",
    "_citation_pdbx_database_id_doi": "_citation_doi",
    "_database_code_cod": "_cod_database_code",
} | {f"{su[:-3]}_esd": su for su in SU_TAGS.values()}

SCALAR_TAGS = frozenset(
    {tag for tags in (*NUMBER_TAGS.values(), *TEXT_TAGS.values()) for tag in tags}
    | set(SU_TAGS.values())
)
_KNOWN = SCALAR_TAGS | SITE_TAGS | ATOM_TAGS | {*OPERATION_TAGS, DISORDER_TAG}


@remember(16384)
def canonical_tag(tag):
    """Canonical form of the tag `tag` (bytes), its family's mark, or None if not read."""
    name = tag.decode("utf-8", "replace").lower().replace(".", "_")
    name = _ALIASES.get(name, name)
    if name in _KNOWN:
        return name
    # Families last: their members are many, and nearly no file has one.
    return next((mark for start, mark in _FAMILIES.items() if name.startswith(start)), None)
