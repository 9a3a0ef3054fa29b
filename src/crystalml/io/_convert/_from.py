"""From the structures of pymatgen and ASE to the table."""

import warnings
from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from crystalml._dependencies import import_optional
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import cell_volume
from crystalml.exceptions import InvalidInputError
from crystalml.io._check._contents import DALTON_PER_CUBIC_ANGSTROM
from crystalml.io._convert._sites import FULL_OCCUPANCY
from crystalml.io._read_cifs import build_table
from crystalml.io._record import RECORD_FIELDS
from crystalml.io._site_formula import contents_as_formula

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from pymatgen.core import Structure

_NO_GROUP = {"flags": "missing_spacegroup"}
_WHOLE = 1e-6
_HEAVY_HYDROGEN = 1.5  # dalton; a hydrogen of ASE above this is deuterium


def from_pymatgen(
    structures: "Structure | Iterable[Structure]",
    *,
    symprec: float | None = None,
    angle_tolerance: float = 5.0,
) -> "pd.DataFrame":
    """Describe pymatgen structures as rows of the table.

    Parameters
    ----------
    structures : Structure or iterable of Structure
        Ordered or disordered, with a cell.
    symprec : float, default=None
        A structure declares no space group. With ``None`` it stays missing, and the row is
        flagged; with a distance in Å, spglib looks for symmetry within that tolerance by
        pymatgen's SpacegroupAnalyzer, and ``spacegroup_source`` says so.
    angle_tolerance : float, default=5.0
        For spglib, in degrees.

    Returns
    -------
    pandas.DataFrame
        One row per structure, with the columns of :func:`read_cifs`. The cell is that of the
        structure, with its axes. ``formula`` is reduced to whole numbers without common factor
        and ``formula_units`` is the factor; where occupancies leave no whole numbers, the
        formula is the content of the cell. ``n_sites`` counts the sites of the cell, and
        ``density`` is computed. ``volume`` stays missing, as nothing was reported.

    Raises
    ------
    InvalidInputError
        If something among `structures` is no periodic Structure, or a parameter is out of range.
    MissingDependencyError
        If pymatgen is not installed.

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> from crystalml.io import from_pymatgen
    >>> halite = Structure.from_spacegroup(
    ...     "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> table = from_pymatgen([halite], symprec=0.01)
    >>> table[["a", "formula", "formula_units", "spacegroup_number", "spacegroup_source"]]
          a formula  formula_units  spacegroup_number     spacegroup_source
    0  5.64    ClNa            4.0                225  spglib, symprec 0.01
    """
    core = import_optional("pymatgen.core", needed_by="from_pymatgen")
    _check_positive("symprec", symprec, optional=True)
    _check_positive("angle_tolerance", angle_tolerance)
    records = []
    for position, structure in _each(structures, core.Structure, "from_pymatgen"):
        if not all(structure.lattice.pbc):
            raise _no_cell("from_pymatgen", position)
        group = _NO_GROUP
        if symprec is not None:
            group = _detect(structure, symprec, angle_tolerance)
        records.append(
            _record(
                cell=structure.lattice.parameters,
                contents=_element_amounts(structure.composition),
                mass=float(structure.composition.weight),
                n_sites=len(structure),
                is_disordered=not structure.is_ordered,
                named=structure.properties,
                group=group,
            )
        )
    return build_table(records)


def from_ase(atoms: "Atoms | Iterable[Atoms]") -> "pd.DataFrame":
    """Describe ASE Atoms as rows of the table.

    Parameters
    ----------
    atoms : Atoms or iterable of Atoms
        With a cell of three vectors. Occupancies are read where ASE's CIF reader, or
        :func:`to_ase`, puts them: ``info["occupancy"]`` and ``arrays["spacegroup_kinds"]``.

    Returns
    -------
    pandas.DataFrame
        One row per Atoms, as described at :func:`from_pymatgen`. The space group is the one
        that ``info["spacegroup"]`` declares, as ASE's CIF reader and ``ase.spacegroup.crystal``
        set it, and ``spacegroup_source`` says so; ASE does not update it when atoms move. There
        is no search for symmetry here, as ASE has none of its own. Hydrogen of a mass above
        1.5 is written as D.

    Raises
    ------
    InvalidInputError
        If something among `atoms` is no Atoms object with a cell of three vectors.
    MissingDependencyError
        If ASE is not installed.

    Examples
    --------
    >>> from ase.spacegroup import crystal
    >>> from crystalml.io import from_ase
    >>> diamond = crystal("C", [(0, 0, 0)], spacegroup=227, cellpar=[3.57, 3.57, 3.57, 90, 90, 90])
    >>> from_ase(diamond)[["a", "formula", "formula_units", "spacegroup_number"]]
          a formula  formula_units  spacegroup_number
    0  3.57       C            8.0                227
    """
    ase = import_optional("ase", needed_by="from_ase")
    records = []
    for position, one in _each(atoms, ase.Atoms, "from_ase"):
        if one.cell.rank < 3:
            raise _no_cell("from_ase", position)
        contents, masses, is_disordered = _contents(one)
        records.append(
            _record(
                cell=one.cell.cellpar(),
                contents=contents,
                mass=masses,
                n_sites=len(one),
                is_disordered=is_disordered,
                named=one.info,
                group=_declared(one.info.get("spacegroup")),
            )
        )
    return build_table(records)


def _each(given, kind, caller):
    """Yield position and object, one given alone included."""
    objects = [given] if isinstance(given, kind) else given
    if isinstance(given, str) or not hasattr(objects, "__iter__"):
        raise InvalidInputError(
            f"{caller}: expected {kind.__name__} objects, got {type(given).__name__} ({given!r})."
        )
    for position, one in enumerate(objects):
        if not isinstance(one, kind):
            raise InvalidInputError(
                f"{caller}: item {position} is no {kind.__name__} but {type(one).__name__} "
                f"({one!r}); leave it out."
            )
        yield position, one


def _no_cell(caller, position):
    return InvalidInputError(
        f"{caller}: item {position} is not periodic in three directions, so that it has no unit "
        "cell; leave it out."
    )


def _check_positive(name, value, *, optional=False):
    if optional and value is None:
        return
    if not (isinstance(value, Real) and 0.0 < float(value) < np.inf):
        raise InvalidInputError(f"from_pymatgen: {name} is {value!r}; give a number above 0.")


def _record(*, cell, contents, mass, n_sites, is_disordered, named, group):
    """Row of one structure, without computed columns."""
    formula, units = _formula(contents)
    volume = cell_volume(cell)
    fields = dict.fromkeys(RECORD_FIELDS)
    fields.update(dict(zip(CELL_COLUMNS, map(float, cell), strict=True)))
    fields.update(
        source=_text(named.get("source")),
        block=_text(named.get("block")),
        flags="",
        formula=formula,
        formula_units=units,
        n_sites=n_sites,
        is_disordered=is_disordered,
        density=mass / volume * DALTON_PER_CUBIC_ANGSTROM,
    )
    fields.update(group)
    return tuple(fields.values())


def _text(value):
    return value if isinstance(value, str) else None


def _formula(contents):
    """Write the formula without common factor, and the factor; or the content, and 1."""
    amounts = np.array(list(contents.values()))
    factor = 1
    # Of partly occupied sites no common factor can be told.
    if np.abs(amounts - np.round(amounts)).max() < _WHOLE:
        factor = int(np.gcd.reduce(np.round(amounts).astype(int)))
        amounts = np.round(amounts) / factor
    shares = dict(zip(contents, amounts.tolist(), strict=True))
    return contents_as_formula(shares).replace(" ", ""), float(factor)


def _detect(structure, symprec, angle_tolerance):
    """Look for symmetry with spglib, which pymatgen brings."""
    symmetry = import_optional("pymatgen.symmetry.analyzer", needed_by="from_pymatgen")
    with warnings.catch_warnings():
        # What spglib asks of its callers, here pymatgen.
        warnings.filterwarnings("ignore", "Set OLD_ERROR_HANDLING", DeprecationWarning)
        try:
            found = symmetry.SpacegroupAnalyzer(structure, symprec, angle_tolerance)
        except symmetry.SymmetryUndeterminedError:
            return _NO_GROUP
    number, symbol = found.get_space_group_number(), found.get_space_group_symbol()
    return {
        "spacegroup_number": int(number),
        "spacegroup_hm": symbol,
        "spacegroup_source": f"spglib, symprec {symprec:g}",
    }


def _declared(group):
    """Space group of ``info["spacegroup"]``, where it is one of ASE's."""
    # `info` holds whatever the user put there.
    if not (hasattr(group, "no") and hasattr(group, "symbol")):
        return _NO_GROUP
    return {
        "spacegroup_number": int(group.no),
        "spacegroup_hm": group.symbol,
        "spacegroup_source": "Atoms.info['spacegroup']",
    }


def _element_amounts(composition):
    """Amounts by symbol; pymatgen's own dictionary writes D as H."""
    amounts = {}
    for species, amount in composition.items():
        # A Species has an oxidation state, and keeps its element beside it.
        name = getattr(species, "element", species).name
        amounts[name] = amounts.get(name, 0.0) + float(amount)
    return amounts


def _contents(atoms):
    """Amounts by symbol, total mass and whether some site is partly occupied or shared."""
    masses, kinds = atoms.get_masses(), atoms.arrays.get("spacegroup_kinds")
    occupancy = atoms.info.get("occupancy") if kinds is not None else None
    reference = import_optional("ase.data", needed_by="from_ase")
    contents, total, is_disordered = {}, 0.0, False
    for position, symbol in enumerate(atoms.get_chemical_symbols()):
        here = occupancy[str(kinds[position])] if occupancy else {symbol: 1.0}
        is_disordered |= min(here.values()) < FULL_OCCUPANCY
        for element, share in here.items():
            mass = reference.atomic_masses[reference.atomic_numbers[element]]
            # The user may have set the mass of an atom; the other elements of its site have none
            # there.
            mass = masses[position] if element == symbol else mass
            name = "D" if element == "H" and mass > _HEAVY_HYDROGEN else element
            contents[name] = contents.get(name, 0.0) + share
            total += share * mass
    return contents, total, bool(is_disordered)
