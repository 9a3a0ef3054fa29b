"""What `fuzz.py` throws at the CIF reader, the formula parser and the model loader.

A target makes inputs from a random generator, as bytes, and checks what becomes of one.
"""

import math

from _fuzz_models import ModelTarget

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


TARGETS = {target.name: target for target in (CIFTarget, FormulaTarget, ModelTarget)}


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
