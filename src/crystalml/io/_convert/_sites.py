"""The atoms of one data block, expanded by symmetry to the whole cell."""

from typing import NamedTuple

import gemmi
import numpy as np

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import lattice_vectors
from crystalml.crystallography._site_expansion import (
    FULL_OCCUPANCY,
    expand_sites,
    merge_sites,
)
from crystalml.exceptions import CIFError
from crystalml.io._symmetry import operations_of_symbol


class Sites(NamedTuple):
    """Atoms of one cell. A site holds one species or several, each with its occupancy."""

    cell: np.ndarray  # (6,)
    fractions: np.ndarray  # (n, 3), in [0, 1)
    species: list  # (n,) dict of element symbol -> occupancy, as listed
    kinds: np.ndarray  # (n,) which atom of the file the site is an image of

    def select(self, kept, species=None):
        """Return the sites where `kept`, with other species if given."""
        chosen = np.flatnonzero(kept)
        species = self.species if species is None else species
        return Sites(
            self.cell, self.fractions[chosen], [species[i] for i in chosen], self.kinds[chosen]
        )


class Rules(NamedTuple):
    """What to do about atoms that are not simply there."""

    occupancy: str
    disorder: str
    deuterium: str
    unknown_atoms: str


def read_sites(block, fields, rules):
    """Read the atoms of a gemmi block.

    Parameters
    ----------
    block : gemmi.cif.Block
        Where the atoms are listed.
    fields : dict
        The block's row of the table, without computed columns.
    rules : Rules
        Checked values.

    Raises
    ------
    CIFError
        If the atoms cannot be read, or break a rule.
    """
    cell = np.array([fields[name] for name in CELL_COLUMNS], dtype=float)
    vectors = lattice_vectors(cell)
    if np.isnan(vectors).any():
        raise CIFError("it has no complete and possible cell")
    structure = gemmi.make_small_structure_from_block(block)
    operations = _operations(fields, structure.symops)
    atoms = _listed_atoms(structure, rules)
    listed = np.array([site.fract.tolist() for site in atoms])
    occupancies = [site.occ for site in atoms]
    fractions, kinds = expand_sites(listed, occupancies, operations, vectors)
    symbols = [_symbol(site, rules) for site in atoms]
    # After expansion, as two atoms that share a site need not be listed at the same image of it.
    kept, species = merge_sites(fractions, kinds, symbols, occupancies, vectors)
    return _apply_occupancy(Sites(cell, fractions[kept], species, kinds[kept]), rules)


def _listed_atoms(structure, rules):
    """Return the atoms of the file that count by the rules."""
    # Sites may be listed without a place, as hydrogen atoms that were not located.
    atoms = [site for site in structure.sites if not np.isnan(site.fract.tolist()).any()]
    if rules.disorder == "first":
        # A negative group is disordered about a special position; its first part is -1.
        atoms = [site for site in atoms if abs(site.disorder_group) <= 1]
    unknown = [site.label for site in atoms if not site.element.atomic_number]
    if unknown and rules.unknown_atoms == "raise":
        raise CIFError(
            f"atom {unknown[0]!r} is of no known element; with unknown_atoms='drop' such "
            "atoms are left out"
        )
    atoms = [site for site in atoms if site.element.atomic_number and site.occ > 0.0]
    if not atoms:
        raise CIFError("it lists no atom with fractional coordinates")
    return atoms


def _symbol(site, rules):
    name = site.element.name
    return "H" if name == "D" and rules.deuterium == "hydrogen" else name


def _operations(fields, listed):
    """Return the operations of the source that the reader trusts."""
    source = fields["spacegroup_source"]
    if source is None:
        raise CIFError("its space group is unknown, so that its atoms cannot be completed")
    try:
        if source == "operations":
            # As listed, not those of the group: the cell may be a primitive or multiplied one.
            operations = [gemmi.Op(text) for text in listed]
        else:
            operations = operations_of_symbol(
                source,
                hall=fields["spacegroup_hall"],
                hermann_mauguin=fields["spacegroup_hm"],
                number=fields["spacegroup_number"],
                gamma=fields["gamma"],
            )
    except (RuntimeError, ValueError) as error:
        raise CIFError(f"its symmetry operations cannot be read: {error}") from error
    if not operations:
        raise CIFError("its symmetry operations cannot be read")
    return operations


def _apply_occupancy(sites, rules):
    """Keep, drop or settle sites that are not fully occupied by one element."""
    partial = np.array([max(here.values()) < FULL_OCCUPANCY for here in sites.species])
    if rules.occupancy == "keep" or not partial.any():
        return sites
    if rules.occupancy == "raise":
        first = sites.species[int(np.flatnonzero(partial)[0])]
        raise CIFError(
            f"{int(partial.sum())} of {len(partial)} sites are partly or jointly occupied (first: "
            f"{first}); with occupancy='keep' they stay so, with 'majority' they are settled"
        )
    if rules.occupancy == "drop":
        chosen = sites.select(~partial)
    else:
        # A site that is empty more often than not is settled as empty.
        occupied = [sum(here.values()) >= 0.5 for here in sites.species]
        major = [{max(here, key=here.get): 1.0} for here in sites.species]
        chosen = sites.select(occupied, major)
    if not chosen.species:
        raise CIFError(f"occupancy={rules.occupancy!r} leaves no atom")
    return chosen
