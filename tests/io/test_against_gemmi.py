"""The reader's values against plain gemmi look-ups, on thousands of real files.

Every file is compared as it is, and a sample after rewriting that changes no meaning.
"""

import itertools
import re
import tarfile

import gemmi
import pytest
from tools._plain_gemmi import differences, group_number, listed_operations, look_up

from crystalml.io import read_cifs
from crystalml.io._record import RECORD_FIELDS
from crystalml.io._records import read_records

EVERY = {"cifs_cod.tar.xz": 13, "cifs_3dsc.tar.xz": 211}  # which files are rewritten


def archive_members(path):
    """Yield name and bytes of every CIF in a tar archive."""
    with tarfile.open(path, mode="r|*") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".cif"):
                yield member.name.removeprefix("./"), archive.extractfile(member).read()


def sole_block(data):
    return gemmi.cif.read_string(data).sole_block()


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
        found = differences(records[f"{path}/{name}"], look_up(sole_block(data)))
        operations = listed_operations(sole_block(data))
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
    return [(name, data, look_up(sole_block(data))) for name, data in itertools.chain(*members)]


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
