"""From a block of raw values to one row of the table."""

import re
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any

from crystalml._schema import CELL_COLUMNS, CELL_SU_COLUMNS, TABLE_COLUMNS
from crystalml.io._remember import remember
from crystalml.io._site_formula import formula_of_sites, has_places
from crystalml.io._symmetry import operations_of_list, operations_of_symbol, reconcile
from crystalml.io._tags import (
    CELL_TAGS,
    MAGNETIC,
    MODULATED,
    NUMBER_TAGS,
    POWDER,
    SINGLE_CRYSTAL,
    SU_TAGS,
    TEXT_TAGS,
)
from crystalml.io._values import MISSING, NAN, number, text

# Computed for the whole table at once, not row by row.
TABLE_LEVEL_COLUMNS = ("v_formula", "crystal_system", "bravais_lattice")
RECORD_FIELDS = tuple(name for name in TABLE_COLUMNS if name not in TABLE_LEVEL_COLUMNS)

# A record is a list of values by slot, as dicts with so many keys would take longer to fill.
_EMPTY = tuple(NAN if TABLE_COLUMNS[name].dtype == "float64" else None for name in RECORD_FIELDS)
_SLOT = {name: slot for slot, name in enumerate(RECORD_FIELDS)}
_SOURCE, _BLOCK, _STATUS, _FLAGS, _ERROR = (
    _SLOT[name] for name in ("source", "block", "status", "flags", "error")
)
_SU_SLOTS = {
    _SLOT[column]: (_SLOT[su], SU_TAGS[NUMBER_TAGS[column][0]])
    for column, su in zip(
        (*CELL_COLUMNS, "volume"), (*CELL_SU_COLUMNS, "volume_su"), strict=True
    )
}  # fmt: skip
_CELL_SLOTS = [(_SLOT[name], *_SU_SLOTS[_SLOT[name]], NUMBER_TAGS[name][0])
               for name in (*CELL_COLUMNS, "volume")]  # fmt: skip
_SU_NAMES = frozenset(SU_TAGS.values())
# One call takes all seven, and fails where one is missing.
_cell_and_volume = itemgetter(*(tag for *_, tag in _CELL_SLOTS))
_CELL_NAMES = frozenset(CELL_TAGS)
_PROVENANCE_NAMES = frozenset(
    {*TEXT_TAGS["radiation"], *TEXT_TAGS["method"], *TEXT_TAGS["doi"], POWDER, SINGLE_CRYSTAL}
)
_NUMBER, _HM, _HALL, _GROUP_SOURCE = (
    _SLOT[name]
    for name in ("spacegroup_number", "spacegroup_hm", "spacegroup_hall", "spacegroup_source")
)
_CELL, _VOLUME = slice(_SLOT["a"], _SLOT["gamma"] + 1), _SLOT["volume"]
_FORMULA = _SLOT["formula"]
_GAMMA, _Z, _Z_PRIME = (_SLOT[name] for name in ("gamma", "formula_units", "z_prime"))
_SITES, _DISORDERED = _SLOT["n_sites"], _SLOT["is_disordered"]
_RADIATION, _METHOD, _COD_ID, _DOI = (
    _SLOT[name] for name in ("radiation", "method", "cod_id", "doi")
)
# All COD numbers have so many, and none begins with 0.
_COD_DIGITS = 7


def error_record(source, reason):
    """Row of a file that gives no cell: one sentence says why."""
    record: list[Any] = list(_EMPTY)
    record[_SOURCE], record[_STATUS], record[_FLAGS], record[_ERROR] = source, "error", "", reason
    return tuple(record)


def has_cell(block):
    """Tell whether a block gives at least one of the six cell parameters."""
    return not _CELL_NAMES.isdisjoint(block.values)


def record_of(block, source, *, file_flags=(), error=None):
    """Row of one data block; status is settled when the whole table is built."""
    record: list[Any] = list(_EMPTY)
    record[_SOURCE], record[_BLOCK], record[_ERROR] = source, block.name, error
    flags = [*file_flags, *block.flags]
    values = block.values
    if not _fill_plain_cell(record, values):
        _fill_cell(record, values, flags)
    for slot, tag, meaning in _plan(tuple(values)):
        # Filled already by a better tag? NaN is the one value that differs from itself.
        if record[slot] is None or record[slot] != record[slot]:
            found = meaning(values[tag])
            # A mark of its own, as None says that a value is missing.
            if found is _BAD_NUMBER:
                flags.append("bad_number")
            else:
                record[slot] = found
    if block.sites is not None:
        record[_SITES], record[_DISORDERED] = block.sites
    if record[_COD_ID] is None:
        record[_COD_ID] = _cod_id(block.name, source)
    if not _PROVENANCE_NAMES.isdisjoint(values):
        _fill_provenance(record, values)
    # After the texts, as symbols are among them.
    symmetry = _fill_symmetry(record, block, flags)
    if record[_FORMULA] is None and block.atoms and has_places(block.atoms):
        _fill_formula(record, block, symmetry, flags)
    if symmetry is not None:
        # Z from the atom sites counts, too; unknown numbers are NaN, and stay so.
        record[_Z_PRIME] = record[_Z] / symmetry.multiplicity
    record[_FLAGS] = ";".join(dict.fromkeys(flags)) if flags else ""
    return tuple(record)  # the garbage collector need not look into tuples of plain values


def _fill_plain_cell(record, values):
    """Fill in the cell and its volume if all seven are plain numbers; most computed ones are."""
    try:
        tokens = _cell_and_volume(values)
    except KeyError:
        return False
    together = b"".join(tokens)
    # A parenthesis brings an s.u.; float() reads 1_000, which no CIF means.
    if b"(" in together or b"_" in together:
        return False
    try:
        numbers = list(map(float, tokens))
    except ValueError:
        return False
    # float() also reads nan and inf, which one sum of all seven tells.
    if not isfinite(sum(numbers)) or not _SU_NAMES.isdisjoint(values):
        return False
    record[_CELL], record[_VOLUME] = numbers[:6], numbers[6]
    return True


def _fill_cell(record, values, flags):
    """Fill in the cell and its volume with their uncertainties, each as far as it is given."""
    for slot, su_slot, _, tag in _CELL_SLOTS:
        if tag in values:
            found = number(values[tag])
            if found is None:
                flags.append("bad_number")
            else:
                record[slot], record[su_slot] = found
    if not _SU_NAMES.isdisjoint(values):
        for _, su_slot, su_tag, _ in _CELL_SLOTS:
            if su_tag in values:
                record[su_slot] = (number(values[su_tag]) or MISSING)[0]


_BAD_NUMBER = object()


@remember(4096)
def _plain_number(token):
    found = number(token)
    return _BAD_NUMBER if found is None else found[0]


@remember(4096)
def _integer(token):
    found = number(token)
    if found is None or (found[0] == found[0] and not found[0].is_integer()):
        return _BAD_NUMBER
    return int(found[0]) if found[0] == found[0] else None


# Every scalar column whose value is what its first tag with a value says.
_PLAN = [
    (_SLOT[name], tag, meaning)
    for meaning, names, tags_of in (
        (_plain_number, ("formula_units", "temperature", "pressure", "wavelength", "density"),
         NUMBER_TAGS),
        (_integer, ("spacegroup_number", "cod_id", "year"), NUMBER_TAGS),
        (text, ("spacegroup_hm", "spacegroup_hall", "formula", "mineral", "chemical_name"),
         TEXT_TAGS),
    )
    for name in names
    for tag in tags_of[name]
]  # fmt: skip


@lru_cache(maxsize=4096)
def _plan(tags):
    """Return the part of the plan that these tags fill; files of one program have the same."""
    given = frozenset(tags)
    return [step for step in _PLAN if step[1] in given]


def _fill_provenance(record, values):
    """Radiation, method and DOI, each by its rule."""
    for tag in TEXT_TAGS["radiation"]:
        if tag in values and record[_RADIATION] is None:
            record[_RADIATION] = radiation_kind(values[tag])
    record[_METHOD] = _method(values)
    for tag in TEXT_TAGS["doi"]:
        if tag in values and record[_DOI] is None:
            record[_DOI] = _doi(values[tag])


def _fill_symmetry(record, block, flags):
    """Fill in the space group; return what is known of the symmetry, or None."""
    values = block.values
    if MAGNETIC in values or MODULATED in values:
        flags.extend(mark[1:] for mark in (MAGNETIC, MODULATED) if mark in values)
        # A number that such files give is that of the parent or average structure.
        record[_NUMBER] = None
        return None
    # What the tags said of the number is evidence only; the outcome replaces it.
    found = reconcile(block.operations, record[_HALL], record[_HM], record[_NUMBER])
    record[_NUMBER], record[_GROUP_SOURCE] = found.number, found.source
    flags.extend(found.flags)
    if found.is_hexagonal_r and record[_GAMMA] != 120:
        return found._replace(
            multiplicity=found.multiplicity / 3
        )  # the cell is the rhombohedral one
    return found


def _fill_formula(record, block, symmetry, flags):
    """Take the formula, and Z where it is missing, from the atom sites, or flag that they fail."""
    if symmetry is not None:
        operations = _operations(record, block, symmetry.source)
        record[_FORMULA], record[_Z] = formula_of_sites(
            block.atoms, record[_CELL], operations, record[_Z]
        )
    flags.append("missing_formula" if record[_FORMULA] is None else "formula_from_sites")


def _operations(record, block, source):
    """Symmetry operations by the source that decided on the space group; None if unknown."""
    if source is None:
        return None
    if source == "operations":
        return operations_of_list(block.operations)
    return operations_of_symbol(
        source,
        hall=record[_HALL],
        hermann_mauguin=record[_HM],
        number=record[_NUMBER],
        gamma=record[_GAMMA],
    )


@remember(4096)
def radiation_kind(token):
    r"""Kinds of radiation that a raw value names, joined by a comma; None if none is known.

    X-rays are mostly named by their line, such as ``MoK\a`` or ``Cu K-alpha``.
    """
    words = (text(token) or "").lower()
    kinds = [kind for kind in ("electron", "gamma", "neutron") if kind in words]
    has_line = re.search(r"(?:ag|co|cr|cu|fe|ga|in|mo|w)[ _-]*k(?:\\?a|~|$|[ _-])", words)
    if has_line or re.search(r"x-?ray|synchrotron|xfel|molybd|copper", words):
        kinds.append("x-ray")
    return ",".join(kinds) or None


def _method(values):
    """How the structure was determined: as declared, else by what was measured."""
    for tag in TEXT_TAGS["method"]:
        if tag in values and (found := _method_kind(values[tag])):
            return found
    if POWDER in values:
        return "powder"
    return "single crystal" if SINGLE_CRYSTAL in values else None


@remember(4096)
def _method_kind(token):
    """Return the method that a declaration names: our term, or its words in lower case."""
    words = (text(token) or "").lower()
    if words in ("x-ray diffraction", "neutron diffraction", "electron crystallography"):
        return "single crystal"  # as mmCIF uses these words
    for kind in ("powder", "theoretical", "single crystal"):
        if kind in words:
            return kind
    return words or None


def _doi(token):
    words = text(token)
    return words and re.sub(r"(?i)^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", "", words)


def _cod_id(block_name, source):
    """COD number by the name of the block (``data_1000017``) or of the file."""
    if _is_cod_id(block_name):
        return int(block_name)
    stem = source[source.rfind("/") + 1 :].partition(".")
    return int(stem[0]) if stem[1] and _is_cod_id(stem[0]) else None


def _is_cod_id(name):
    return len(name) == _COD_DIGITS and name.isdecimal() and name[0] != "0"
