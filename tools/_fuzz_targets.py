"""What `fuzz.py` throws at the CIF reader, the formula parser and the model loader.

A target makes inputs from a random generator, as bytes, and checks what becomes of one.
"""

import math
import re
import tarfile
from pathlib import Path

from _fuzz_models import ModelTarget
from _plain_gemmi import differences, group_number, has_cell, listed_operations, look_up

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_LONGEST_SEED = 16_000  # bytes
_HALITE = b"""data_halite
_cell_length_a 5.6402(2)
_cell_length_b 5.6402(2)
_cell_length_c 5.6402(2)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90.000(3)
_cell_formula_units_Z 4
_cell_measurement_temperature 293(2)
_chemical_formula_sum 'Cl Na'
_symmetry_space_group_name_H-M 'F m -3 m'
_space_group_IT_number 225
_publ_section_title
;
 A text field with data_nothing and loop_ in it
;
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z' '-x, -y, z' 'z+1/2, x, -y+0.5'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_occupancy
Na1 0 1
Cl1 0.5 .99(1)
"""
_CIF_TOKENS = (
    b"data_ loop_ save_ global_ stop_ ; ' \" # _ $ [ ] { } \\ ? . ''' \"\"\" "
    b"_cell_length_a _cell_angle_gamma _symmetry_Int_Tables_number 1e400 nan -1 90( "
    b"\x00 \xff\xfe \xef\xbb\xbf \x1a \xe2\x80\xa8 1_000 0x10 5.6(999999999)"
).split(b" ")
_CIF_TOKENS += [b"\n;\n", b"\n", b"\r", b"\t", b" ", b"'x, y, z, w'", b"'P 21/c'"]
_CIF_TOKENS += [b"_symmetry_space_group_name_Hall '-P 2ybc'", b"_chemical_formula_sum 'NaN'"]
_CIF_TOKENS += [b"_cod_database_code 99999999999999999999"]
# Words that nearly are keywords, tags or quotes.
_LOOK_ALIKES = (
    b"loop_N4 Global_1 stop_2 LOOP_' loop_ loop_# data_ data_x stop_ global_ save_ save_x loop "
    b"_x _cell_length_a _cell_length_ _atom_site_label _atom_site_occupancy _symmetry_x ' \" '' # "
    b"; 'a ?' . ? 1. .5 -1 1e2 5.4(2) 0.5 5_6 5. O2' C1\" 'P 1' $x [1] {a"
).split(b" ")
_FORMULAS = (  # noqa: SIM905 - a list of so many is harder to read
    "NaCl|Fe2O3|Na4Ge9O20|NaN|La1.85Sr0.15CuO4|Ca10(PO4)6(OH)2|CuSO4*5H2O|CuSO4.5H2O|D2O|C6H6|"
    "Fe3+2O4|(Fe,Mg)2SiO4|K[Al(SO4)2]·12H2O|Si0.5Ge0.5|U3O8|HoHo|CoCO|No|Al2(SiO3)3|"
    "Al F3 H2 O2 Pb|C24 H20 N2 O4, 2(C H4 O)|Na₂O|Ti O~2~|Fe^3+^"
).split("|")
_FORMULA_TOKENS = (  # noqa: SIM905
    "( ) [ ] { } , . · * + - ~ ^ _ ' \" 0 1 2 3 9 1e9 1e400 x n δ ½ ₂ ² Å \u202e \x00 NaN Xx Uuo "
    "D T Og H2O Fe O2 Si (OH)2 0.333333333333333333333 99999999999999999999 2/3 nH2O \ud800 \n"
).split(" ")


class MisbehaviourError(Exception):
    """An answer, or an effect, that no input may have."""


class CIFTarget:
    """`read_cif` gives a table for any bytes."""

    name = "cif"

    def __init__(self, corpus):
        stored = _files(corpus / self.name)
        # Mostly from a good file: what a hostile one becomes is mostly refused at once.
        self.seeds = [_HALITE] * (2 * len(stored) + 1) + stored

    def make(self, chance):
        """Make an input."""
        return mutated_bytes(chance, self.seeds, _CIF_TOKENS)

    def check(self, data):
        """Read; return what became of it."""
        from crystalml._schema import STATUSES, TABLE_COLUMNS
        from crystalml.io import read_cif

        table = read_cif(data)
        if list(table.columns) != list(TABLE_COLUMNS) or not len(table):
            raise MisbehaviourError("the table has other columns than the schema, or no row")
        if not set(table["status"]) <= set(STATUSES):
            raise MisbehaviourError(f"unknown status {set(table['status'])!r}")
        return table["status"].iloc[0]


class GemmiTarget:
    """`read_cif` reads what plain gemmi reads, or says in a flag what it made of the file.

    Inputs are real files with a few places changed: those of ASE's tests, and a sample of the
    archives in ``../shared/data`` where that folder is.
    """

    name = "gemmi"

    def __init__(self, corpus):
        self.seeds = [*_files(corpus / self.name), _HALITE, *_real_cifs()]

    def make(self, chance):
        """Make an input: lines or words of a file moved, replaced or damaged."""
        data = chance.choice(self.seeds)
        for _ in range(chance.choice([1, 1, 1, 1, 2, 3])):
            change = chance.choice([_changed_lines, _changed_words, _changed_layout])
            data = change(chance, data, self.seeds)
        if chance.random() < 0.15:
            data = mutated_bytes(chance, [data], _CIF_TOKENS)
        return data

    def check(self, data):
        """Read both ways and compare; return what became of it."""
        import gemmi

        from crystalml.io._record import RECORD_FIELDS
        from crystalml.io._records import records_of_data

        try:
            document = gemmi.cif.read_string(_as_plain_text(data))
            blocks = [block for block in document if has_cell(block)]
        except (ValueError, RuntimeError):
            return "refused by gemmi"
        records = records_of_data(data, "x")  # as read_cif, which builds a table of them
        rows = [dict(zip(RECORD_FIELDS, record, strict=True)) for record in records]
        if not blocks:
            return "without a cell"
        if len(rows) != len(blocks):
            raise MisbehaviourError(f"{len(rows)} rows, but gemmi sees {len(blocks)} blocks")
        outcome = "equal"
        for row, block in zip(rows, blocks, strict=True):
            found = silent_differences(row, block)
            if found and _EXPLAINED.isdisjoint(row["flags"].split(";")):
                raise MisbehaviourError(f"block {row['block']!r}: {found!r}")
            outcome = "different, and flagged" if found else outcome
        return outcome


# Flags that say that a value is not what the file says word by word.
_EXPLAINED = {"encoding", "unquoted_value", "no_value", "duplicate_tag", "duplicate_block"}
_EXPLAINED |= {"several_cells", "loop_length", "truncated", "stray_text", "bad_number"}
_COMPARED = ("a", "b", "c", "alpha", "beta", "gamma", "volume", "formula", "n_sites")
_COMPARED += ("is_disordered",)


def _as_plain_text(data):
    """Bring bytes to UTF-8 and line feeds, as the reader does.

    gemmi takes a carriage return for a blank, so that a comment would go on behind it.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode()
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def silent_differences(row, block):
    """Compare a row of the table with plain look-ups in a block of gemmi.

    Returns
    -------
    dict
        Column -> both values, where they differ in the cell, volume, formula, group or sites.
    """
    theirs = look_up(block)
    found = differences(row, {name: theirs[name] for name in _COMPARED})
    flags = row["flags"].split(";")
    operations = listed_operations(block)
    number = group_number(operations) if len(operations) > 1 else None
    has_number = not {"magnetic", "modulated"} & set(flags)
    if number is not None and number != row["spacegroup_number"] and has_number:
        found["spacegroup_number"] = (row["spacegroup_number"], number)
    return found


def _real_cifs():
    """Return the bytes of real files of moderate length."""
    import ase

    folder = Path(ase.__path__[0]) / "test" / "testdata"
    found = [path.read_bytes() for path in sorted(folder.rglob("*.cif"))]
    for name, step in (("cifs_cod.tar.xz", 3), ("cifs_3dsc.tar.xz", 60)):
        archive = _SHARED_DATA / name
        if archive.is_file():
            with tarfile.open(archive, "r|*") as stream:
                members = [m for m in stream if m.name.endswith(".cif")]
            with tarfile.open(archive) as stream:
                found += [_member(stream, member) for member in members[::step]]
    return [data for data in found if len(data) <= _LONGEST_SEED]


def _member(stream, member):
    return stream.extractfile(member).read()


def _changed_lines(chance, data, seeds):
    """Remove, repeat, move or exchange lines, or take some of another file."""
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    end = min(len(lines), place + chance.choice([1, 1, 2, 5, 20]))
    kind = chance.randrange(6)
    if kind == 0:
        del lines[place:end]
    elif kind == 1:
        lines[place:place] = lines[place:end]
    elif kind == 2:
        moved = lines[place:end]
        del lines[place:end]
        target = chance.randint(0, len(lines))
        lines[target:target] = moved
    elif kind == 3:
        other = chance.choice(seeds).split(b"\n")
        start = chance.randrange(len(other))
        lines[place:place] = other[start : start + chance.choice([1, 3, 10, 100])]
    elif kind == 4:
        lines[place:end] = [b" ".join(lines[place:end])]
    else:
        lines[place:end] = [b" " + line for line in lines[place:end]]
    return b"\n".join(lines)


def _changed_words(chance, data, _seeds):
    """Replace a word by one that looks like syntax, or by another word of the file."""
    words = list(re.finditer(rb"[^ \t\r\n]+", data))
    if not words:
        return data
    word = chance.choice(words)
    kind = chance.randrange(4)
    if kind == 0:
        new = chance.choice(_LOOK_ALIKES)
    elif kind == 1:
        new = chance.choice(words)[0]
    elif kind == 2:
        new = chance.choice(_LOOK_ALIKES) + word[0]
    else:
        quote = chance.choice([b"'", b'"'])
        new = quote + word[0] + quote
    return data[: word.start()] + new + data[word.end() :]


def _changed_layout(chance, data, _seeds):
    """Exchange white space: line ends, tabs, line breaks within items, comments."""
    kind = chance.randrange(5)
    if kind == 0:
        return data.replace(b"\n", chance.choice([b"\r\n", b"\r", b"\n\n", b" \n"]))
    spaces = list(re.finditer(rb"[ \t\n]+", data))
    if not spaces:
        return data
    place = chance.choice(spaces)
    new = [b"\n", b" ", b"\t", b" # a '_cell_length_a 7\n", b"\n#\n", b"\n;\n", b""]
    return data[: place.start()] + chance.choice(new) + data[place.end() :]


class FormulaTarget:
    """`parse_formula` gives positive amounts or a FormulaError, and `parse_formulas` agrees."""

    name = "formula"

    def __init__(self, corpus):
        stored = (data.decode("utf-8", "surrogatepass") for data in _files(corpus / self.name))
        self.seeds = [*_FORMULAS, *stored]

    def make(self, chance):
        """Make an input, as the bytes that are stored."""
        text = chance.choice(self.seeds)
        for _ in range(chance.randint(1, 3)):
            place, token = chance.randint(0, len(text)), chance.choice(_FORMULA_TOKENS)
            end = min(len(text), place + chance.choice([0, 0, 0, 1, 3]))
            if chance.random() < 0.1:
                token = chance.choice(self.seeds)
            text = text[:place] + token * chance.choice([1, 1, 1, 2, 50]) + text[end:]
        return text[:100_000].encode("utf-8", "surrogatepass")

    def check(self, data):
        """Parse both ways; return what became of it."""
        from crystalml.crystallography import parse_formula, parse_formulas
        from crystalml.exceptions import FormulaError

        text = data.decode("utf-8", "surrogatepass")
        table = parse_formulas([text], on_error="report")
        try:
            amounts = parse_formula(text)
        except FormulaError:
            if table.errors[0] is None:
                raise MisbehaviourError("parse_formula refuses what parse_formulas reads") from None
            return "refused"
        if table.errors[0] is not None:
            raise MisbehaviourError("parse_formulas refuses what parse_formula reads")
        if not all(0 < amount < math.inf for amount in amounts.values()):
            raise MisbehaviourError(f"amounts are {amounts!r}")
        if not math.isclose(table.amounts.sum(), sum(amounts.values()), rel_tol=1e-9):
            raise MisbehaviourError("the amounts of both differ")
        return "read"


_KINDS = (CIFTarget, GemmiTarget, FormulaTarget, ModelTarget)
TARGETS = {target.name: target for target in _KINDS}


def mutated_bytes(chance, seeds, tokens):
    """Return a seed with some places changed."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 8)):
        place = chance.randint(0, len(data))
        end = min(len(data), place + chance.choice([1, 2, 8, 64, 512]))
        kind = chance.randrange(8)
        if kind == 0 and data:
            data[min(place, len(data) - 1)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[place:end]
        elif kind == 2:
            data[place:place] = chance.choice(tokens) * chance.choice([1, 1, 1, 3, 300])
        elif kind == 3:
            data[place:end] = chance.choice(tokens)
        elif kind == 4:
            data[place:place] = data[place:end] * chance.choice([1, 2, 100])
        elif kind == 5:
            data[place:] = chance.choice(seeds)[place:]
        elif kind == 6:
            data[place:end] = chance.randbytes(chance.choice([1, 4, 16]))
        elif kind == 7 and chance.random() < 0.3:
            del data[place:]
    return bytes(data[:1_000_000])


def _files(folder):
    """Return the contents of the files of a folder, if there is one."""
    return [path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()]
