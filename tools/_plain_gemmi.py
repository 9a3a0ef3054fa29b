"""What plain gemmi look-ups find in a CIF: what the reader is compared with, in tests and fuzzing.

Nothing here is shared with the reader but gemmi's grammar.
"""

import math
import re
from functools import cache

import gemmi

CELL = {
    "a": "_cell_length_a",
    "b": "_cell_length_b",
    "c": "_cell_length_c",
    "alpha": "_cell_angle_alpha",
    "beta": "_cell_angle_beta",
    "gamma": "_cell_angle_gamma",
}
NUMBERS = {
    **{name: [tag] for name, tag in CELL.items()},
    "volume": ["_cell_volume"],
    "formula_units": ["_cell_formula_units_Z"],
    "temperature": ["_cell_measurement_temperature", "_diffrn_ambient_temperature"],
    "pressure": ["_cell_measurement_pressure", "_diffrn_ambient_pressure"],
    "wavelength": ["_diffrn_radiation_wavelength", "_cell_measurement_wavelength"],
    "density": ["_exptl_crystal_density_diffrn"],
    "year": ["_journal_year", "_citation_year"],
}
TEXTS = {
    "spacegroup_hm": [
        "_space_group_name_H-M_alt",
        "_symmetry_space_group_name_H-M",
        "_space_group_name_H-M_full",
    ],
    "spacegroup_hall": ["_space_group_name_Hall", "_symmetry_space_group_name_Hall"],
    "formula": ["_chemical_formula_sum"],
    "mineral": ["_chemical_name_mineral"],
    "chemical_name": ["_chemical_name_systematic", "_chemical_name_common"],
    "doi": ["_journal_paper_doi"],
}
OPERATIONS = ["_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz"]
SITES = ["_atom_site_label", "_atom_site_type_symbol", "_atom_site_fract_x"]


def look_up(block):
    """Look the table's columns up in a gemmi block."""
    found = {name: _number(block, tags) for name, tags in NUMBERS.items()}
    found |= {name: _text(block, tags) for name, tags in TEXTS.items()}
    found["n_sites"], found["is_disordered"] = _sites(block)
    return found


def has_cell(block):
    """Tell whether a block gives any of the six cell parameters."""
    return any(not gemmi.cif.is_null(raw) for tag in CELL.values() for raw in _values(block, tag))


def listed_operations(block):
    """Symmetry operations of a block, as a tuple of texts."""
    found = (block.find_loop(tag) for tag in OPERATIONS)
    return next((tuple(map(gemmi.cif.as_string, loop)) for loop in found if loop), ())


@cache
def group_number(operations):
    """Space group of the operations where gemmi's table lists their setting, else None."""
    try:
        listed = [gemmi.Op(text).wrap() for text in operations]
        group = gemmi.GroupOps(listed)
    except (RuntimeError, ValueError):  # a translation of 29/40; a message with half a character
        return None
    if len(group) != len({operation.triplet() for operation in listed}):
        return None  # some are missing
    group = gemmi.find_spacegroup_by_ops(group)
    return group.number if group else None


def same(ours, theirs):
    """Compare two values, where all kinds of missing are the same."""
    if theirs is None or (isinstance(theirs, float) and math.isnan(theirs)):
        return ours is None or ours != ours
    return ours == theirs


def differences(ours, theirs):
    """Columns in which a record differs from plain look-ups.

    What a file does not give may be taken from its atom sites, where the flag says so.
    """
    from_sites = "formula_from_sites" in ours["flags"].split(";")
    derived = {"formula", "formula_units"} if from_sites else set()
    return {
        name: (ours[name], value)
        for name, value in theirs.items()
        if not same(ours[name], value) and not (name in derived and same(None, value))
    }


def _values(block, tag):
    value = block.find_value(tag)
    return [value] if value is not None else list(block.find_loop(tag))


def _number(block, tags):
    for tag in tags:
        for raw in _values(block, tag):
            value = _as_number(raw)
            if not math.isnan(value):
                return value
    return math.nan


def _text(block, tags):
    for tag in tags:
        for raw in _values(block, tag):
            text = " ".join(gemmi.cif.as_string(raw).split())
            if text not in ("", "?", "."):
                return text
    return None


def _as_number(raw):
    """Read a number, also one in quotes or with the exponent of Fortran."""
    text = gemmi.cif.as_string(raw).strip()
    return gemmi.cif.as_number(re.sub(r"(?<=[0-9.])[dD](?=[+-]?[0-9])", "e", text))


def _sites(block):
    """Count the sites of the first list that has any, and tell whether they are disordered."""
    for item in block:
        if item.pair is not None:
            tags, rows = [item.pair[0]], [[item.pair[1]]]
        elif item.loop is not None:
            tags, width = item.loop.tags, len(item.loop.tags)
            values = item.loop.values
            rows = [values[n : n + width] for n in range(0, len(values), width)]
        else:
            continue
        tags = [tag.lower().replace(".", "_") for tag in tags]
        named = next((n for n, tag in enumerate(tags) if tag in SITES), None)
        if named is None or not rows:
            continue
        if len(rows) > 1 or gemmi.cif.as_string(rows[0][named]) not in ("?", ".", ""):
            return len(rows), any(_is_partial(tags, row) for row in rows)
    return None, None  # an empty template is no site


def _is_partial(tags, row):
    for tag, raw in zip(tags, row, strict=True):
        if tag == "_atom_site_disorder_group" and gemmi.cif.as_string(raw) not in ("?", ".", ""):
            return True
        if tag == "_atom_site_occupancy" and _as_number(raw) < 0.999:
            return True
    return False
