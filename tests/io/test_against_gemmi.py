"""The reader's values against plain gemmi look-ups, on thousands of real files.

Every file is compared as it is, and a sample after rewriting that changes no meaning.
"""

import itertools
import math
import re
import tarfile
from functools import cache

import gemmi
import pytest

from crystalml.io import read_cifs
from crystalml.io._read import read_records
from crystalml.io._record import RECORD_FIELDS

EVERY = {"cifs_cod.tar.xz": 13, "cifs_3dsc.tar.xz": 211}  # which files are rewritten

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


def archive_members(path):
    """Yield name and bytes of every CIF in a tar archive."""
    with tarfile.open(path, mode="r|*") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".cif"):
                yield member.name.removeprefix("./"), archive.extractfile(member).read()


def look_up(data):
    """Look the table's columns up in the sole block of `data` with plain gemmi."""
    block = gemmi.cif.read_string(data).sole_block()
    found = {name: _number(block, tags) for name, tags in NUMBERS.items()}
    found |= {name: _text(block, tags) for name, tags in TEXTS.items()}
    labels = block.find_loop("_atom_site_label")
    found["n_sites"] = len(labels)
    found["is_disordered"] = _is_disordered(block)
    return found


def listed_operations(data):
    """Symmetry operations of the sole block, as a tuple of texts."""
    block = gemmi.cif.read_string(data).sole_block()
    found = (block.find_loop(tag) for tag in OPERATIONS)
    return next((tuple(map(gemmi.cif.as_string, loop)) for loop in found if loop), ())


@cache
def group_number(operations):
    """Space group of the operations where gemmi's table lists their setting, else None."""
    try:
        group = gemmi.GroupOps([gemmi.Op(text) for text in operations])
    except RuntimeError:  # a translation of 29/40
        return None
    group = gemmi.find_spacegroup_by_ops(group)
    return group.number if group else None


def same(ours, theirs):
    """Compare two values, where all kinds of missing are the same."""
    if theirs is None or (isinstance(theirs, float) and math.isnan(theirs)):
        return ours is None or ours != ours
    return ours == theirs


def _values(block, tag):
    value = block.find_value(tag)
    return [value] if value is not None else list(block.find_loop(tag))


def _number(block, tags):
    for tag in tags:
        for raw in _values(block, tag):
            value = gemmi.cif.as_number(raw)
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


def _is_disordered(block):
    groups = (raw for raw in block.find_loop("_atom_site_disorder_group"))
    if any(not gemmi.cif.is_null(raw) for raw in groups):
        return True
    return any(gemmi.cif.as_number(raw) < 0.999 for raw in block.find_loop("_atom_site_occupancy"))


def differences(ours, theirs):
    """Columns in which a record differs from plain look-ups."""
    return {name: (ours[name], value) for name, value in theirs.items()
            if not same(ours[name], value)}  # fmt: skip


@pytest.mark.parametrize("archive", sorted(EVERY))
def test_every_file_reads_as_with_plain_gemmi(shared_data, archive):
    path = shared_data / archive
    table = read_cifs(path, progress=False).set_index("source")
    assert not table.index.has_duplicates
    assert set(table["status"]) <= {"ok", "repaired"}
    records = table.astype(object).where(table.notna(), None).to_dict("index")
    different, n_files = {}, 0
    for name, data in archive_members(path):
        n_files += 1
        found = differences(records[f"{path}/{name}"], look_up(data))
        operations = listed_operations(data)
        expected = group_number(operations) if len(operations) > 1 else None
        if expected is not None and records[f"{path}/{name}"]["spacegroup_number"] != expected:
            found["spacegroup_number"] = expected
        if found:
            different[name] = found
    assert n_files == len(table)
    assert different == {}


def outside_text(rewrite):
    """Apply `rewrite` to each run of lines outside of text fields, leave the others alone."""

    def whole(data):
        parts = re.split(rb"(?m)(^;(?:.|\n)*?\n;)", data)
        parts[::2] = [rewrite(part) for part in parts[::2]]
        return b"".join(parts)

    return whole


PAIR = rb"^(_\S+)[ \t]+(?=[^\s#;])"
WHOLE_PAIR = rb"(_\S+[ \t]+(?:[^\s'\"#_]\S*|'[^'\n]*'|\"[^\"\n]*\"))[ \t]*"
CELL_ITEM = rb"(?m)^(_cell_(?:length|angle)_\w+)[ \t]+(\S+)[ \t]*\n"
LOOK_ALIKES = b"""
# _cell_length_a 99
_crystalml_note
;
_cell_length_a 99
data_other
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
;
_crystalml_quoted 'no _cell_length_b 99 loop_ data_x here' # nor _cell_length_c 99 here
_crystalml_double "_cell_length_a 98"
"""


def looped_cell(data):
    items = re.findall(CELL_ITEM, data)
    loop = b"\nloop_\n" + b"\n".join(tag for tag, _ in items)
    loop += b"\n" + b" ".join(value for _, value in items) + b"\n"
    return re.sub(CELL_ITEM, b"", data) + loop


REWRITE = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "CR": lambda data: data.replace(b"\n", b"\r"),
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "tabs": outside_text(lambda part: re.sub(rb"(?m)" + PAIR, rb"\1\t\t", part)),
    "indented": outside_text(lambda part: re.sub(rb"(?m)^(?=[^\s;])", b" \t ", part)),
    "upper-case tags": outside_text(
        lambda part: re.sub(rb"(?m)^[ \t]*(?:_|loop_|data_)\S*", lambda m: m[0].upper(), part)
    ),
    "value on the next line": outside_text(lambda part: re.sub(rb"(?m)" + PAIR, rb"\1\n", part)),
    "value after a comment": outside_text(
        lambda part: re.sub(rb"(?m)" + PAIR, rb"\1 # _cell_length_a 7\n\n#\n ", part)
    ),
    "trailing comments": outside_text(
        lambda part: re.sub(rb"(?m)(?<=[^\n])$", b" # 'it _cell_length_a 9", part)
    ),
    "two items on a line": outside_text(
        lambda part: re.sub(rb"(?m)^" + WHOLE_PAIR + rb"\n" + WHOLE_PAIR + rb"$", rb"\1 \2", part)
    ),
    "look-alike tags": lambda data: re.sub(
        rb"(?m)^(data_\S+)", lambda m: m[0] + LOOK_ALIKES, data, count=1
    ),
    "looped cell": looped_cell,
    "no line feed at the end": lambda data: data.rstrip(),
    "blank lines": outside_text(lambda part: part.replace(b"\n", b"\n \n\n")),
    "one block more": lambda data: b"data_global\n_journal_year 1900\n" + data,
}


@pytest.fixture(scope="module")
def sample(shared_data):
    """Some files of both archives, with what plain gemmi looks up in them."""
    members = [
        itertools.islice(archive_members(shared_data / archive), 0, None, step)
        for archive, step in EVERY.items()
    ]
    return [(name, data, look_up(data)) for name, data in itertools.chain(*members)]


@pytest.mark.parametrize("way", sorted(REWRITE))
def test_harmless_rewriting_changes_no_value(sample, way):
    different, n_rewritten = {}, 0
    for name, data, expected in sample:
        rewritten = REWRITE[way](data)
        n_rewritten += rewritten != data
        records = read_records(rewritten, name)
        assert len(records) == 1, name
        found = differences(dict(zip(RECORD_FIELDS, records[0], strict=True)), expected)
        if found:
            different[name] = found
    assert n_rewritten > 0.5 * len(sample)
    assert different == {}
