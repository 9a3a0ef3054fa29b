"""Crystals in whatever form they come (pymatgen, ASE, the path of a CIF), to arrays."""

import os
from functools import cache
from typing import Any, NamedTuple

import gemmi
import numpy as np

from crystalml._dependencies import import_optional
from crystalml.crystallography import cell_problems, find_spacegroup, lattice_vectors, parse_formula
from crystalml.crystallography._site_expansion import (
    FULL_OCCUPANCY,
    OCCUPANCY_TOLERANCE,
    expand_sites,
    merge_sites,
)
from crystalml.descriptors._structure_neighbours import first_of_place
from crystalml.exceptions import CIFError, FormulaError, InvalidInputError

_CALLER = "StructureDescriptors"
# Cordero's table ends with curium; what ASE has for heavier elements are placeholders.
_LAST_COVALENT_RADIUS = 96

# Formulas round, and a few hydrogens of water are often not located.
_HYDROGEN_SHARE = 0.9
_NO_HEXAGON = 1.0  # degrees by which gamma differs from 120


class Element(NamedTuple):
    """What is known of one element; NaN where it is not."""

    number: int
    mass: float  # dalton
    atomic_radius: float  # Å, Slater's
    covalent_radius: float  # Å, Cordero's


class Crystal(NamedTuple):
    """n sites in a cell; properties of a site that several elements share are averaged."""

    vectors: np.ndarray  # (3, 3), rows a, b, c in Å
    fractions: np.ndarray  # (n, 3)
    occupancy: np.ndarray  # (n,), of all elements of the site together
    mass: np.ndarray  # (n,), dalton, times occupancy
    sphere: np.ndarray  # (n,), cube of the atomic radius in Å^3, times occupancy
    covalent_radius: np.ndarray  # (n,), Å
    species: tuple  # (n,) of tuples of (symbol, occupancy)
    lacks_hydrogen: bool | None  # None where it cannot be told

    @property
    def positions(self):
        """Cartesian coordinates in Å, shape (n, 3)."""
        return self.fractions @ self.vectors

    @property
    def volume(self):
        """Volume of the cell in Å^3."""
        return abs(np.linalg.det(self.vectors))

    @property
    def is_partial(self):
        """Whether each site may be empty, shape (n,)."""
        return self.occupancy < FULL_OCCUPANCY

    @property
    def is_disordered(self):
        """Whether some site may be empty or is shared by several elements."""
        return bool(self.is_partial.any()) or any(len(here) > 1 for here in self.species)


def as_crystal(value, *, hydrogens="keep", disorder="average"):
    """Turn a pymatgen Structure, ASE Atoms or the path of a CIF into a Crystal."""
    vectors, fractions, species, lacks_hydrogen = _read(value)
    if hydrogens == "drop":
        kept = [row for row, here in enumerate(species) if not _is_hydrogen(here)]
        fractions, species = fractions[kept], [species[row] for row in kept]
    if not species:
        but = " but hydrogen" if hydrogens == "drop" else ""
        raise InvalidInputError(f"it has no atoms{but}")
    if not np.isfinite(fractions).all() or not abs(np.linalg.det(vectors)) > 0.0:
        raise InvalidInputError("its cell encloses no volume, or a coordinate is not finite")
    fractions, species = _merge_partial(vectors, fractions, species)
    crystal = _average(vectors, fractions, species, lacks_hydrogen)
    if disorder == "error" and crystal.is_disordered:
        partial = sum(len(here) > 1 for here in species) + int(crystal.is_partial.sum())
        raise InvalidInputError(
            f"it is disordered: {partial} of {len(species)} sites are partly or jointly occupied"
        )
    return crystal


@cache
def element(symbol):
    """Look up an element, D and T included."""
    core = import_optional("pymatgen.core", needed_by=_CALLER)
    radii = import_optional("ase.data", needed_by=_CALLER).covalent_radii
    if not core.Element.is_valid_symbol(symbol):
        raise InvalidInputError(f"{symbol!r} is no element")
    found = core.Element(symbol)
    radius = found.data.get("Atomic radius")
    return Element(
        number=int(found.Z),
        mass=float(found.atomic_mass),
        atomic_radius=float(radius) if isinstance(radius, int | float) else np.nan,
        covalent_radius=float(radii[found.Z]) if found.Z <= _LAST_COVALENT_RADIUS else np.nan,
    )


def _read(value):
    """Return vectors, fractions, species and whether hydrogen is known to be missing."""
    if value is None:
        raise InvalidInputError("the value is missing")
    if isinstance(value, str | os.PathLike):
        return read_atoms(os.fspath(value))
    if hasattr(value, "get_scaled_positions"):
        return _from_ase(value)
    if hasattr(value, "lattice") and hasattr(value, "frac_coords"):
        return _from_pymatgen(value)
    raise InvalidInputError(
        f"it is of type {type(value).__name__}, neither a pymatgen Structure nor ASE Atoms nor "
        "the path of a CIF"
    )


def _from_pymatgen(structure):
    if not all(structure.lattice.pbc):
        raise InvalidInputError("it is not periodic in three directions")
    species = [
        tuple((symbol.symbol, float(occupancy)) for symbol, occupancy in site.species.items())
        for site in structure
    ]
    return structure.lattice.matrix, np.reshape(structure.frac_coords, (-1, 3)), species, None


def _from_ase(atoms):
    """Read ASE Atoms, with the occupancies that ASE keeps from a CIF."""
    if atoms.cell.rank < 3 or not all(atoms.pbc):
        raise InvalidInputError("it is not periodic in three directions")
    kinds, mixed = atoms.arrays.get("spacegroup_kinds"), atoms.info.get("occupancy")
    if mixed and kinds is not None:
        species = [tuple(mixed[str(kind)].items()) for kind in kinds]
    else:
        species = [((symbol, 1.0),) for symbol in atoms.get_chemical_symbols()]
    return np.array(atoms.cell), atoms.get_scaled_positions(wrap=False), species, None


def _is_hydrogen(species):
    return all(element(symbol).number == 1 for symbol, _ in species)


def _merge_partial(vectors, fractions, species):
    """Make one site of partly occupied ones at the same place."""
    first = first_of_place(fractions, vectors)
    kept = np.ones(len(first), dtype=bool)
    for place in np.unique(first[first != np.arange(len(first))]):
        members = np.flatnonzero(first == place)
        shared = {}
        for symbol, occupancy in (pair for row in members for pair in species[row]):
            shared[symbol] = shared.get(symbol, 0.0) + occupancy
        if sum(shared.values()) <= 1.0 + OCCUPANCY_TOLERANCE:  # else `refuse_coinciding` tells
            species[place] = tuple(shared.items())
            kept[members[1:]] = False
    return fractions[kept], [here for here, keep in zip(species, kept, strict=True) if keep]


def _average(vectors, fractions, species, lacks_hydrogen):
    """Average the properties of the elements of each site."""
    site = np.repeat(np.arange(len(species)), [len(here) for here in species])
    share = np.array([occupancy for here in species for _, occupancy in here])
    known = [element(symbol) for here in species for symbol, _ in here]
    _, mass, radius, covalent = np.array(known, dtype=float).T
    total = np.bincount(site, share)
    if not (total > 0.0).all():
        raise InvalidInputError("a site has no occupancy")
    return Crystal(
        vectors=np.asarray(vectors, dtype=float),
        fractions=np.asarray(fractions, dtype=float),
        occupancy=total,
        mass=np.bincount(site, share * mass),
        sphere=np.bincount(site, share * radius**3),
        covalent_radius=np.bincount(site, share * covalent) / total,
        species=tuple(species),
        lacks_hydrogen=lacks_hydrogen,
    )


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
