"""From CIFs and rows of the table to the structures of pymatgen and ASE."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gemmi
import numpy as np
import pandas as pd

from crystalml._dependencies import import_optional
from crystalml._typing import CIFSource
from crystalml._validation import as_pandas
from crystalml.crystallography import lattice_vectors
from crystalml.exceptions import CIFError, InvalidInputError, SchemaError
from crystalml.io._convert._sites import FULL_OCCUPANCY, Rules, read_sites
from crystalml.io._find_cifs import iterate_sources, single_source
from crystalml.io._limits import FileLimitError
from crystalml.io._record import RECORD_FIELDS
from crystalml.io._records import read_records
from crystalml.io._source import READ_ERRORS, file_source, named_file, reason

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


_CHOICES = {
    "occupancy": ("keep", "majority", "drop", "raise"),
    "disorder": ("all", "first"),
    "deuterium": ("keep", "hydrogen"),
    "unknown_atoms": ("raise", "drop"),
    "on_error": ("raise", "none"),
}
_DEUTERIUM_MASS = 2.01355  # dalton, as ASE's own CIF reader sets it

_IN_MEMORY = ("<text>", "<bytes>", "<file>")


def to_pymatgen(
    source: CIFSource | pd.Series | pd.DataFrame,
    *,
    block: str | None = None,
    occupancy: Literal["keep", "majority", "drop", "raise"] = "keep",
    disorder: Literal["all", "first"] = "all",
    deuterium: Literal["keep", "hydrogen"] = "keep",
    unknown_atoms: Literal["raise", "drop"] = "raise",
    on_error: Literal["raise", "none"] = "raise",
) -> "Structure | Any":
    """Read the atoms of a CIF, or of rows of the table, into pymatgen structures.

    Atoms are read with gemmi and completed by the symmetry that :func:`read_cifs` trusts:
    operations, Hall symbol, Hermann-Mauguin symbol, number, in that order. The cell and its
    axes stay as they are in the file.

    Parameters
    ----------
    source : str, PathLike, bytes, file object, Series or DataFrame
        A CIF as :func:`read_cif` takes it; or a row, or any number of rows, of the table. The
        table has no atoms, so that they are read again from the file, or member of an archive,
        that the columns ``source`` and ``block`` name; it has to lie where it lay. An archive is
        walked once per call: pass all its rows at once.
    block : str, default=None
        Name of the data block; ``None`` is the first that has a cell and atoms. Rows of a table
        name their own.
    occupancy : {"keep", "majority", "drop", "raise"}, default="keep"
        What to do with sites that are partly occupied, or shared by several elements.
        ``"keep"``: as they are; occupancies of one place that add up to at most 1.05 are scaled
        to one. ``"majority"``: a site becomes its most abundant element, or empty where less
        than half of it is occupied. ``"drop"``: they are left out. ``"raise"``: an error.
    disorder : {"all", "first"}, default="all"
        Which disorder groups to read. ``"first"`` reads atoms without a group and of group 1
        or -1, by custom the major component; combine it with ``occupancy="majority"``.
    deuterium : {"keep", "hydrogen"}, default="keep"
        Whether D stays D or becomes H.
    unknown_atoms : {"raise", "drop"}, default="raise"
        What to do with listed atoms of no element: vacancies, dummies, water as ``Wat``.
        Atoms without coordinates are always left out.
    on_error : {"raise", "none"}, default="raise"
        With ``"none"``, a row of a DataFrame whose atoms cannot be read gives None.

    Returns
    -------
    pymatgen.core.Structure or list of Structure
        A list, in the order of the rows, for a DataFrame. ``properties`` has ``source`` and
        ``block``. Charges are not kept.

    Raises
    ------
    CIFError
        If a CIF or its atoms cannot be read.
    InvalidInputError
        If a parameter is not one of its choices, or `source` is none of the allowed types.
    SchemaError
        If a row has no column ``source`` or ``block``.
    MissingDependencyError
        If pymatgen is not installed.

    Notes
    -----
    Images of an atom closer than 0.1 Å (0.03 Å where it is partly occupied) are one atom on a
    special position; different atoms of the file closer than 0.1 Å share a site. An atom that
    the file lists several times at a place where it has room for one counts once.

    Examples
    --------
    >>> from crystalml.io import to_pymatgen
    >>> halite = '''data_halite
    ... _cell_length_a 5.64   _cell_length_b 5.64   _cell_length_c 5.64
    ... _cell_angle_alpha 90  _cell_angle_beta 90   _cell_angle_gamma 90
    ... _space_group_name_H-M_alt 'F m -3 m'
    ... loop_
    ... _atom_site_label _atom_site_fract_x _atom_site_fract_y _atom_site_fract_z
    ... Na 0 0 0
    ... Cl 0.5 0.5 0.5
    ... '''
    >>> to_pymatgen(halite).formula
    'Na4 Cl4'
    """
    rules = _rules("to_pymatgen", occupancy, disorder, deuterium, unknown_atoms, on_error=on_error)
    core = import_optional("pymatgen.core", needed_by="to_pymatgen")
    return _convert(source, block, rules, on_error, "to_pymatgen", lambda *a: _structure(core, *a))


def to_ase(
    source: CIFSource | pd.Series | pd.DataFrame,
    *,
    block: str | None = None,
    occupancy: Literal["keep", "majority", "drop", "raise"] = "keep",
    disorder: Literal["all", "first"] = "all",
    deuterium: Literal["keep", "hydrogen"] = "keep",
    unknown_atoms: Literal["raise", "drop"] = "raise",
    on_error: Literal["raise", "none"] = "raise",
) -> "Atoms | Any":
    """Read the atoms of a CIF, or of rows of the table, into ASE Atoms.

    The rules are those of :func:`to_pymatgen`; what ASE cannot hold follows its own conventions.

    Parameters
    ----------
    source : str, PathLike, bytes, file object, Series or DataFrame
        A CIF, or one or several rows of the table; see :func:`to_pymatgen`.
    block : str, default=None
        Name of the data block; ``None`` is the first that has a cell and atoms.
    occupancy : {"keep", "majority", "drop", "raise"}, default="keep"
        What to do with sites that are partly occupied or shared. An atom of ASE is one element
        and is there: with ``"keep"`` it is the most abundant one, and
        ``info["occupancy"][str(kind)]`` has the occupancies of all, where ``kind`` is the atom's
        entry in ``arrays["spacegroup_kinds"]``.
    disorder : {"all", "first"}, default="all"
        Which disorder groups to read.
    deuterium : {"keep", "hydrogen"}, default="keep"
        ASE has no symbol D: with ``"keep"`` D is H with the mass 2.01355.
    unknown_atoms : {"raise", "drop"}, default="raise"
        What to do with listed atoms of no element.
    on_error : {"raise", "none"}, default="raise"
        With ``"none"``, a row of a DataFrame whose atoms cannot be read gives None.

    Returns
    -------
    ase.Atoms or list of Atoms
        A list, in the order of the rows, for a DataFrame. Periodic in all directions; ``info``
        has ``source`` and ``block``.

    Raises
    ------
    CIFError
        If a CIF or its atoms cannot be read.
    InvalidInputError
        If a parameter is not one of its choices, or `source` is none of the allowed types.
    SchemaError
        If a row has no column ``source`` or ``block``.
    MissingDependencyError
        If ASE is not installed.

    Examples
    --------
    >>> from crystalml.io import to_ase
    >>> alloy = '''data_gold
    ... _cell_length_a 3.9    _cell_length_b 3.9    _cell_length_c 3.9
    ... _cell_angle_alpha 90  _cell_angle_beta 90   _cell_angle_gamma 90
    ... _space_group_name_H-M_alt 'P m -3 m'
    ... loop_
    ... _atom_site_label _atom_site_occupancy
    ... _atom_site_fract_x _atom_site_fract_y _atom_site_fract_z
    ... Au 0.75 0 0 0
    ... Cu 0.25 0 0 0
    ... '''
    >>> atoms = to_ase(alloy)
    >>> str(atoms.symbols), atoms.info["occupancy"]
    ('Au', {'0': {'Au': 0.75, 'Cu': 0.25}})
    """
    rules = _rules("to_ase", occupancy, disorder, deuterium, unknown_atoms, on_error=on_error)
    ase = import_optional("ase", needed_by="to_ase")
    return _convert(source, block, rules, on_error, "to_ase", lambda *a: _atoms(ase, *a))


def _rules(caller, occupancy, disorder, deuterium, unknown_atoms, *, on_error):
    """Check the choices of the parameters."""
    rules = Rules(occupancy, disorder, deuterium, unknown_atoms)
    for name, value in (rules._asdict() | {"on_error": on_error}).items():
        if value not in _CHOICES[name]:
            allowed = ", ".join(map(repr, _CHOICES[name]))
            raise InvalidInputError(f"{caller}: {name} must be one of {allowed}, got {value!r}.")
    return rules


def _convert(source, block, rules, on_error, caller, build):
    """Convert one CIF, one row or all rows of a table."""
    source = as_pandas(source)
    if isinstance(source, pd.DataFrame):
        return _convert_rows(source, rules, on_error, caller, build)
    if isinstance(source, pd.Series):
        return _convert_rows(source.to_frame().T, rules, "raise", caller, build)[0]
    file = single_source(source, caller=caller)
    found = _try_block(source_bytes(file), file.name, block, rules, build)
    if isinstance(found, CIFError):
        raise CIFError(f"{caller}: {file.name!r}: {found}.") from found
    return found


def _convert_rows(table, rules, on_error, caller, build):
    """Convert rows, each file read once."""
    missing = [name for name in ("source", "block") if name not in table.columns]
    if missing:
        raise SchemaError(
            f"{caller}: the table has no column {missing[0]!r}, which says where the atoms are; "
            "use the table of read_cifs, or pass the CIF itself."
        )
    # Grouped by source, so that a file with many blocks is read once.
    wanted = {}  # source -> positions of its rows
    for position, name in enumerate(table["source"]):
        wanted.setdefault(name if isinstance(name, str) else None, []).append(position)
    blocks = table["block"].tolist()
    converted = [None] * len(table)
    for name, data in read_row_sources(wanted):
        for position in wanted[name]:
            block = blocks[position] if isinstance(blocks[position], str) else None
            found = _try_block(data, name, block, rules, build)
            if isinstance(found, CIFError) and on_error == "raise":
                raise CIFError(f"{caller}: row {position}, {name!r}: {found}.") from found
            converted[position] = None if isinstance(found, CIFError) else found
    return converted


def _try_block(data, name, wanted, rules, build):
    """Build the structure of one block, or return the CIFError that says why there is none."""
    if isinstance(data, CIFError):
        return data
    try:
        block, fields = _choose_block(data, name, wanted)
        return build(read_sites(block, fields, rules), {"source": name, "block": fields["block"]})
    except CIFError as error:
        return error
    except FileLimitError as error:
        return CIFError(str(error))


def _choose_block(data, name, wanted):
    """Find the block by name, or the first with a cell and atoms; with its row of the table."""
    records = (dict(zip(RECORD_FIELDS, record, strict=True)) for record in read_records(data, name))
    # Of blocks with the same name, gemmi accepts none.
    rows = {fields["block"]: fields for fields in records if wanted in (None, fields["block"])}
    try:
        # Atoms are written in ASCII, whatever the encoding of names.
        document = gemmi.cif.read_string(data.decode("utf-8-sig", "replace"))
    except (ValueError, RuntimeError) as error:
        raise CIFError(
            f"its atoms cannot be read, as it is no well-formed CIF ({error}); read_cif repairs "
            "the header only"
        ) from error
    pairs = [(block, rows[block.name]) for block in document if block.name in rows]
    if not pairs:
        named = "" if wanted is None else f" named {wanted!r}"
        raise CIFError(f"it has no data block{named} with a unit cell")
    # Without any, the first says in its error that it lists no atoms.
    return next((pair for pair in pairs if pair[1]["n_sites"]), pairs[0])


def _structure(core, sites, properties):
    """Build a pymatgen Structure."""
    lattice = core.Lattice(lattice_vectors(sites.cell))
    return core.Structure(lattice, sites.species, sites.fractions, properties=properties)


def _atoms(ase, sites, info):
    """Build ASE Atoms."""
    major = [max(here, key=here.get) for here in sites.species]
    symbols = ["H" if symbol == "D" else symbol for symbol in major]
    atoms = ase.Atoms(
        symbols,
        scaled_positions=sites.fractions,
        cell=lattice_vectors(sites.cell),
        pbc=True,
        info=info,
    )
    if "D" in major:
        masses = atoms.get_masses()
        # ASE knows no D: the mass is all that tells it from H.
        masses[np.array(major) == "D"] = _DEUTERIUM_MASS
        atoms.set_masses(masses)
    if any(min(here.values()) < FULL_OCCUPANCY for here in sites.species):
        # ASE's own layout for mixed sites, which its writers understand.
        atoms.info["occupancy"] = {
            str(kind): {("H" if symbol == "D" else symbol): value for symbol, value in here.items()}
            for kind, here in zip(sites.kinds.tolist(), sites.species, strict=True)
        }
        atoms.set_array("spacegroup_kinds", sites.kinds.astype(int))
    return atoms


def read_row_sources(names):
    """Yield the distinct names of column `source`, each with its bytes or a CIFError.

    Archives are walked once each, however many members are wanted.
    """
    members = {}  # archive -> wanted names
    for name in dict.fromkeys(names):
        archive = None
        if isinstance(name, str) and not os.path.isfile(named_file(name)):
            parents = (named_file(str(parent)) for parent in Path(name).parents)
            archive = next((parent for parent in parents if os.path.isfile(parent)), None)
        if archive is None:
            yield name, _read(name)
        else:
            members.setdefault(archive, {})[name] = None
    for archive, wanted in members.items():
        for source in iterate_sources(archive, caller="read_row_sources"):
            if source.name in wanted:
                del wanted[source.name]
                yield source.name, source_bytes(source)
        for name in wanted:
            yield name, CIFError(f"archive {archive!r} has no such member")


def source_bytes(source):
    """Bytes of a Source, or the CIFError that says why there are none."""
    if source.error is not None:
        return CIFError(source.error)
    try:
        return source.read()
    except READ_ERRORS as error:
        return CIFError(reason(error))


def _read(name):
    if not isinstance(name, str):
        return CIFError("the row has no source to read the atoms from; pass the CIF itself")
    if name in _IN_MEMORY:
        return CIFError(
            "the row came from a CIF in memory, which the table does not keep; pass the text, "
            "bytes or file instead"
        )
    return source_bytes(file_source(named_file(name)))
