"""The atoms of a CIF, expanded by symmetry to the whole cell, as gemmi reads them."""

from typing import Any

import gemmi
import numpy as np

from crystalml.crystallography import (
    cell_problems,
    find_spacegroup,
    lattice_vectors,
    parse_formula,
)
from crystalml.crystallography._site_expansion import expand_sites, merge_sites
from crystalml.exceptions import CIFError, FormulaError

# Formulas round, and a few hydrogens of water are often not located.
_HYDROGEN_SHARE = 0.9
_NO_HEXAGON = 1.0  # degrees by which gamma differs from 120


def read_atoms(path):
    """Return cell vectors, fractions, species and whether hydrogen is missing, for one CIF.

    The first data block that lists atoms with coordinates is read, and completed by its
    symmetry operations, or where there are none by its Hall symbol, Hermann-Mauguin symbol or
    number; never by P1 for want of these.
    """
    try:
        return _read_atoms(path)
    except CIFError:
        raise
    except FileNotFoundError as error:
        raise CIFError("there is no such file") from error
    except (OSError, ValueError, RuntimeError) as error:  # gemmi's, of syntax and encoding
        raise CIFError(f"it cannot be read as a CIF: {error}") from error


def _read_atoms(path):
    """Do what `read_atoms` says, with the errors of gemmi."""
    block, small, listed = _block_with_atoms(path)
    cell = np.array(small.cell.parameters)
    problem = cell_problems(cell)
    if problem is not None:
        raise CIFError(f"its cell is impossible: {problem}")
    vectors = lattice_vectors(cell)
    fractions = np.array([site.fract.tolist() for site in listed])
    occupancies = np.array([site.occ for site in listed])
    fractions, atoms = expand_sites(fractions, occupancies, _operations(small), vectors)
    elements = [site.element.name for site in listed]
    kept, species = merge_sites(fractions, atoms, elements, occupancies, vectors)
    species = [tuple(here.items()) for here in species]
    return vectors, fractions[kept], species, _lacks_hydrogen(block, species)


def _block_with_atoms(path):
    """Read the file; return the first block with atoms, gemmi's structure of it, its atoms."""
    for block in gemmi.cif.read(path):
        small = gemmi.make_small_structure_from_block(block)
        placed = [site for site in small.sites if np.isfinite(site.fract.tolist()).all()]
        if not placed:
            continue
        unknown = next((site.label for site in placed if not site.element.atomic_number), None)
        if unknown is not None:
            raise CIFError(f"its atom {unknown!r} is of no known element")
        occupied = [site for site in placed if site.occ > 0.0]
        if not occupied:
            raise CIFError("none of its atoms is occupied")
        return block, small, occupied
    raise CIFError("it lists no atoms with fractional coordinates")


def _operations(small):
    """Return the symmetry operations of the file, or of the group that it names."""
    try:
        if small.symops:
            return [gemmi.Op(text) for text in small.symops]
    except (ValueError, RuntimeError) as error:
        raise CIFError(f"its symmetry operations cannot be read: {error}") from error
    number = small.spacegroup_number
    for name in (small.spacegroup_hall, small.spacegroup_hm):
        setting: Any = find_spacegroup(name) if name else None
        if setting is not None:
            break
    else:
        if not 1 <= number <= 230:
            raise CIFError("its space group is unknown, so that its atoms cannot be completed")
        return list(gemmi.get_spacegroup_reference_setting(number).operations())
    if setting.qualifier == "H" and abs(small.cell.gamma - 120.0) > _NO_HEXAGON:
        setting = find_spacegroup(f"{setting.hm}:R")  # the cell is the rhombohedral one
    return list(gemmi.symops_from_hall(setting.hall))


def _lacks_hydrogen(block, species):
    """Whether the formula has clearly more hydrogen than the atoms; None without a formula."""
    try:
        formula = parse_formula(block.find_value("_chemical_formula_sum") or "", charges="strip")
    except (FormulaError, UnicodeDecodeError):
        return None
    listed = {}
    for here in species:
        for symbol, occupancy in here:
            name = "H" if symbol in ("D", "T") else symbol
            listed[name] = listed.get(name, 0.0) + occupancy
    ratios = [
        contents.get("H", 0.0) / max(sum(contents.values()) - contents.get("H", 0.0), 1e-9)
        for contents in (listed, formula)
    ]
    return bool(ratios[0] < _HYDROGEN_SHARE * ratios[1])
