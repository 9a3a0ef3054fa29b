import re
import tarfile

import gemmi
import numpy as np
import pandas as pd
import pytest
import spglib
from hypothesis import given
from hypothesis import strategies as st

from crystalml.crystallography import (
    SpaceGroupSetting,
    find_spacegroup,
    spacegroup_from_operations,
    spacegroup_number,
)
from crystalml.exceptions import InvalidInputError, SpaceGroupError

# Some versions of spglib announce that their errors will become exceptions.
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

TABLE = list(gemmi.spacegroup_table())

# Spellings of real files, programs and papers, by the group they mean.
WILD = {
    2: "P-1|P -1|p-1|P \u20131|P \u22121|P1\u0305|P\u00af1|P\u203e1"
    "|P \\bar{1}|P\\bar1|P\\overline{1}|P-1 (2)|P 1-|Ci^1"
    "|A -1|C -1|F -1|I -1|'P -1'",
    3: "P2|P 1 2 1|P 1 1 2|B 1 2 1|P 1 2 1 (2*a+c,b,c)|P 2y (1/2*x,y,-1/2*x+z)",
    4: "P21|P2_1|P 2 1|P 1 21 1|B 1 21 1|C 1 1 21|P 1 1 21|P2(1)",
    5: "C2|A2|B2|I2|C 1 2 1|F 1 2 1|C 2|C 2 = A 1 2 1|C 2y (x+1/4,y+1/4,z)",
    14: "P 1 21/n 1|P2(1)/c|P2(1)/n|P 21/c (No. 14)|P 21/c No. 14|P 21/c #14|#14|No. 14|14"
    "|P 1 21/c 1 (14)|'P 21/c'|\"P 21/c|P21/c\"|P 2 1/c|P 21 / c|P2_1/c|P2_{1}/c|$P2_1/c$|P2₁/c"
    "|P2<sub>1</sub>/c|<i>P</i>2~1~/c|P 1 1 21/b|P21/b|B 1 21/d 1|C 1 1 21/d|B 21/d|B 1 1 21/d"
    "|-P 2ybc|-p 2YBC|-P_2ybc|-P2ybc|-P 2yn|P 1 21/c 1 :b1|C2h^5|C_{2h}^{5}|P 21/c,|P21/n"
    "|P 1 21/c 1 (2*c,2*a+c,b)|P 21/c = P 1 21/c 1",
    15: "C2/c|C 1 2/c 1|I 1 2/a 1|I2/a|A2/n|B2/b|F 1 2/d 1|A 1 2/a 1 S|C12/c1",
    19: "P2(1)2(1)2(1)|P2_1 2_1 2_1|P 2_12_12_1|P21 21 21|P 212121|P 2ac 2ab|D2^4",
    20: "C222(1)|C222_1|C 2 2 21",
    16: "P222|P 2 2 2|P_2_2_2",
    33: "P n a 21|Pna2_1|P n 21 a|P c 21 n",
    39: "A b m 2|Aem2|A e m 2|A c m 2",
    59: "P 21/m 21/m 2/n|P m m n :2|P 21/m 21/m 2/n (origin choice 2)",
    62: "Pnma|P n m a|P b n m|P 21/n 21/m 21/a|D2h^16|D_{2h}^{16}|D2h¹⁶",
    64: "C m c a|C m c e|Cmca|Cmce|C m c b|B m e b|C 2/m 2/c 21/a|C 2/m 2/c 21/e",
    68: "C c c a|C c c e|C c c b|C 2/c 2/c 2/a (origin choice 2)|Aeaa:1-cba",
    77: "P42|P 42|P4_2|P4(2)",
    89: "P422|P 4 2 2|P 4 2|P 422",
    90: "C 4 2 21|P4212|P42_12|P 4 21 2",
    129: "P 4/n m m :1|P4/nmmS|P4/nmm|C 4/a m m|C 4/e m m|P 4/n 21/m 2/m|P 4/n 21/m m|D4h^7",
    131: "P 42/m m c|P 42/m m c (a,b+1/2,c)|-P 4c 2 (x,y+1/2,z)",
    141: "I 41/a m d|I41/amdZ|I 41/a 2/m 2/d|F 41/d d m|I41/amd:2",
    113: "P-42(1)m|P-42_1m|P -4 21 m",
    136: "P4(2)/mnm|P42/mnm|P 42/m 21/n 2/m",
    142: "I 41/a c d|F 41/d d c",
    144: "P31|P 31|P 3 1|P3_1|P 32 (a,b,-c)",
    145: "P32|P 32|P3_2|P 31 (a,b,-c)",
    152: "P3(1)21|P3_121|P 31 2 1",
    146: "R3|R 3 :R|R3r|R 3 H|H 3|H3",
    149: "P312|P 3 1 2|P 312|P 3 2",
    154: "P 32 2 1|P3221|P 32 2 1 S",
    155: "R32|R 3 2|H 3 2|R 3 2\"|R 3 2''",
    161: "R3cH|R 3 c :H|R 3 c (hexagonal axes)",
    166: "R -3 m :H|R -3 m R|R-3mH|r -3 m h|R -3 m HR|R-3m|R -3 2/m (hexagonal axes)|R-3mr"
    "|R-3m (rhombohedral axes)|R 3- m|-R 3 2\" (-x,-y,z)",
    171: "P62|P6_2|P 62",
    177: "P622|P 6 2 2|P 6 2|P 622",
    185: "P6_3cm|P63cm|P 63 c m|p 63 C M",
    192: "P 6/m c c|P 6/m c c S",
    194: "P6_{3}/mmc|P63/mmc|P6(3)/mmc|P 63/m 2/m 2/c|D6h^4|P 63 / m m c",
    195: "P23|P 2 3",
    200: "P m -3|P m 3|Pm3|P 2/m -3|P 2/m 3",
    205: "P a 3|Pa-3|P 21/a -3",
    212: "P4332|P4_332|P 43 3 2",
    221: "Pm-3m|P m -3 m|P_m_-3_m|Pm3m|pm-3M|P 4/m -3 2/m|P m -3 m (221)|-P 4 2 3",
    225: "Fm3m|F m 3 m|Fm-3m|$Fm\\bar{3}m$|F 4/m -3 2/m|\\textit{F}m-3m|Fm\\bar 3m",
    227: "F d 3 m|Fd3m|Fd-3m|F d -3 m :2|F d -3 m S|Fd-3mZ|F d -3 m (origin choice 2)|FD-3M:2"
    "|F d -3 m, origin 2|F 41/d -3 2/m|-F 4vw 2vw 3|-f4vw2vw3|Oh^7|O_h^7|O_{h}^{7}|Oh⁷",
    230: "I a 3 d|Ia-3d|I 41/a -3 2/d",
}  # fmt: skip

# Not space groups of three dimensions, misspelt beyond repair, or open to two readings.
REFUSED = [
    "", " ", "?", ".", "P", "X -1", "Q21/c", "unknown", "monoclinic", "P P", "(a,b,c)", "P 7",
    # magnetic: primes, grey groups, lattices of type IV
    "P 21/c'", "P21'/c", "Pn'ma", "P 1 21/c 1 1'", "Pnma.1'", "P_b2_1/c", "P_c 2/m", "C_c2/c",
    "I_c-3m", "P_I 4/m m m", "P_2c 2", "P_2c m m", "P 2'", "F_Sd-3m",
    # modulated
    "P4/nmm(00g)", "P4/nmm(00g)s000", "Pnma(0b0)s00", "P-1(abg)0", "P21/c(a0g)0s",
    # two groups could be meant
    "P 31 2", "P4_22", "P 42 2", "P3(1)2", "P 62 2", "P -3 m", "Pna", "P1 or P-1", "P 43 2",
    # contradictions
    "P 21/c (No. 15)", "P 21/c #15", "P 21/c = P 1 2/c 1", "P 1 = P -1", "P 1 21/c 1 (a,a,c)",
    # axes that are no translations of the lattice
    "A 1 1 n (-a,-b/2,c/2)", "F m -3 m (2*a,-b,c/2)", "P m n m (-a/2,-b-c,-c)",
    # no such group
    "P 21/a 1 1", "F 41/d m c", "H 3 1 m", "R 3 1 2", "P 2 2 2 2", "C 4/d", "I 4/m m", "0",
    "231", "No. 300", "#0", "D2h^29", "X5^1", "P 3 2\"x", "-Q 2", "P 4ab 5x",
    "014", "1}4", "1 4", "14.5", "P 21/c " * 30,
]  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "number"), [(s, number) for number, row in WILD.items() for s in row.split("|")]
)
def test_spellings_of_the_wild(symbol, number):
    found = find_spacegroup(symbol)
    assert isinstance(found, SpaceGroupSetting)
    assert found.number == number
    assert spacegroup_number(symbol) == number


@pytest.mark.parametrize("symbol", REFUSED)
def test_what_names_no_group_is_none(symbol):
    assert find_spacegroup(symbol) is None
    assert np.isnan(spacegroup_number(symbol, on_error="missing"))


@pytest.mark.parametrize("value", [None, np.nan, 14, 14.0, b"P 21/c", ["P 21/c"]])
def test_what_is_no_text_is_none(value):
    assert find_spacegroup(value) is None


@pytest.mark.parametrize(
    ("symbol", "hm", "qualifier"),
    [
        ("F d -3 m", "F d -3 m", "1"),
        ("F d -3 m Z", "F d -3 m", "2"),
        ("Fd-3m S", "F d -3 m", "1"),
        ("F d 3 m :2", "F d -3 m", "2"),
        ("P 4/n 21/m 2/m (origin choice 2)", "P 4/n m m", "2"),
        ("R -3 c", "R -3 c", "H"),
        ("R -3 c :R", "R -3 c", "R"),
        ("r-3cR", "R -3 c", "R"),
        ("R 3 (rhombohedral axes)", "R 3", "R"),
        ("H 3 2", "R 3 2", "H"),
        ("P 63/m m c Z", "P 63/m m c", ""),  # nothing to choose
        ("P 1 21/c 1 :2", "P 1 21/c 1", ""),
        ("P21/c", "P 1 21/c 1", ""),
        ("P21/b", "P 1 1 21/b", ""),
        ("C2/c :b2", "A 1 2/n 1", ""),
        ("C2/c :c1", "A 1 1 2/a", ""),
        ("P b n m", "P b n m", ""),
        ("227", "F d -3 m", "2"),
        ("D4h^7", "P 4/n m m", "2"),
    ],
)
def test_settings_are_told_apart(symbol, hm, qualifier):
    found = find_spacegroup(symbol)
    assert (found.hm, found.qualifier) == (hm, qualifier)
    listed = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(found.hall))
    assert listed.hm == hm


@pytest.mark.parametrize("group", TABLE, ids=lambda group: group.xhm())
def test_every_listed_spelling_gives_its_setting(group):
    spellings = [group.xhm(), group.xhm().replace(" ", ""), group.xhm().replace(" ", "_")]
    ext = group.ext.strip("\0")
    for symbol in spellings:
        found = find_spacegroup(symbol)
        assert found == (group.number, group.hm, group.hall, ext, group.centring_type())
    if group.hm != "B 1 2 1":  # shortened to B2, which is B 1 1 2 to everybody else
        assert find_spacegroup(group.short_name()).number == group.number
    assert find_spacegroup(group.hm).number == group.number
    same = find_spacegroup(group.hall, notation="hall")
    assert gemmi.symops_from_hall(same.hall) == group.operations()


@pytest.mark.parametrize("hall_number", range(1, 531))
def test_every_spelling_of_spglib(hall_number):
    kind = spglib.get_spacegroup_type(hall_number)
    spellings = {
        kind.international_short,
        kind.international_full,
        kind.international,
        kind.schoenflies,
        f"{kind.international_full} :{kind.choice}",
        f"{kind.international_short}:{kind.choice}",
    }
    assert {find_spacegroup(symbol).number for symbol in spellings} == {kind.number}
    hall = kind.hall_symbol
    primes, underscores = hall.replace('"', "''"), hall.replace(" ", "_")
    for symbol in (hall, hall.upper(), f" {hall} ", primes, underscores):
        assert find_spacegroup(symbol, notation="hall").number == kind.number
    found = find_spacegroup(hall)
    # As a Hermann-Mauguin symbol, "P 2" has unique axis b, "C 2" a face-centred cell.
    assert found.number == kind.number or hall in ("A 2", "B 2", "C 2")


def test_notations_that_overlap():
    assert find_spacegroup("C 2").number == 5
    assert find_spacegroup("C 2", notation="hall").number == 3
    assert find_spacegroup("C 2", notation="hermann-mauguin").number == 5
    for symbol, hall, unspaced in (("P 3 2", 149, 145), ("P 4 2", 89, 77), ("P 6 2", 177, 171)):
        assert find_spacegroup(symbol).number == hall
        assert find_spacegroup(symbol, notation="hermann-mauguin") is None
        assert find_spacegroup(symbol.replace(" ", "")).number == unspaced
    assert find_spacegroup("-P 2ybc", notation="hermann-mauguin") is None
    assert find_spacegroup("P 21/c", notation="hall") is None
    with pytest.raises(InvalidInputError, match=r"notation is 'HM', must be one of any, "):
        find_spacegroup("P 21/c", notation="HM")


def test_multiplied_tetragonal_cells_of_the_international_tables():
    symbols = (
        "C 4/m m m|C 4/m c c|C 4/a m b|C 4/a c n|C 4/m m b|C 4/m c n|C 4/a m m|C 4/a c c"
        "|C 42/m c m|C 42/m m c|C 42/a c b|C 42/a m n|C 42/m c b|C 42/m m n|C 42/a c m|C 42/a m c"
        "|F 4/m m m|F 4/m m c|F 41/d d m|F 41/d d c"
    )
    assert spacegroup_number(symbols.split("|")).tolist() == list(range(123, 143))


@pytest.mark.parametrize("symbol", ["C 4/a m m", "F 41/d d m", "B 1 21/d 1", "P b n m (a,b,2*c)"])
def test_a_setting_without_a_row_has_no_hall_symbol(symbol):
    found = find_spacegroup(symbol)
    assert found.hall == ""
    assert found.hm == find_spacegroup(str(found.number)).hm


def test_hall_symbols_beyond_the_table_keep_their_operations():
    found = find_spacegroup("C 2y (z,y+1/4,-x-1/4)")
    assert found == (5, "C 1 2 1", "c 2y (z,y+1/4,-x-1/4)", "", "A")
    operations = [operation.triplet() for operation in gemmi.symops_from_hall(found.hall)]
    assert spacegroup_from_operations(operations).number == 5


@pytest.mark.parametrize(
    ("symbol", "hall"),
    [
        ("C 1 2 1 (c-1/4,b-1/4,-a)", "C 2y (z,y+1/4,-x-1/4)"),
        ("P 1 2 1 (2*a+c,b,c)", "P 2y (1/2*x,y,-1/2*x+z)"),
        ("C 1 2 1 (a-1/4,b-1/4,a+2*c)", "C 2y (x-1/2*z+1/4,y+1/4,1/2*z)"),
        ("P 1 (-a,-b+c,b+c)", "P 1 (-x,-1/2*y+1/2*z,1/2*y+1/2*z)"),
    ],
)
def test_a_change_of_basis_means_the_same_in_both_notations(symbol, hall):
    one, other = find_spacegroup(symbol), find_spacegroup(hall)
    assert (one.number, one.centring) == (other.number, other.centring)


@pytest.mark.parametrize(
    ("symbol", "number"),
    [
        ("P 43 21 2 (a,b,-c)", 92),
        ("P 43 21 2 (b,-a,c)", 96),
        ("P 43 21 2 (a+1/8,b,-c)", 92),
        ("P 41 3 2 (-a,-b,-c)", 212),
        ("P 21 21 21 (a,b,-c)", 19),
        ("I 41/a (a,b,-c)", 88),
    ],
)
def test_a_change_of_hand_turns_only_enantiomorphic_groups(symbol, number):
    assert find_spacegroup(symbol).number == number


@given(st.sampled_from(TABLE), st.data())
def test_case_spaces_and_underscores_do_not_matter(group, data):
    tokens = group.hm.split()
    if any(letter in group.hm for letter in "()") or group.hm.endswith("a"):
        return  # gemmi's own names for shifted origins
    style = data.draw(st.sampled_from(["spaces", "none", "underscores", "subscripts", "split"]))
    if style == "spaces":
        gaps = data.draw(st.lists(st.sampled_from([" ", "  ", "\t"]), min_size=4, max_size=4))
        symbol = "".join(token + gap for token, gap in zip(tokens, gaps, strict=False))
    elif style == "none":
        symbol = "".join(tokens)
    elif style == "underscores":
        symbol = "_".join(tokens)
    elif style == "subscripts":
        symbol = "".join(re.sub(r"^([2346])([1-5])", r"\1_\2", token) for token in tokens)
    else:
        symbol = " ".join(token.replace("/", " / ") for token in tokens)
    flips = data.draw(st.lists(st.booleans(), min_size=len(symbol), max_size=len(symbol)))
    symbol = "".join(c.swapcase() if f else c for c, f in zip(symbol, flips, strict=True))
    wrapped = data.draw(st.sampled_from(["{}", " {} ", "'{}'", '"{}"', "{}.", "{} (No. {})"]))
    assert find_spacegroup(wrapped.format(symbol, group.number)).number == group.number


@given(st.text(alphabet="PCIFRabcnmd12346-/_ '\"():\\", max_size=14))
def test_no_text_makes_it_fail(text):
    found = find_spacegroup(text)
    assert found is None or 1 <= found.number <= 230
    for notation in ("hall", "hermann-mauguin"):
        found = find_spacegroup(text, notation=notation)
        assert found is None or 1 <= found.number <= 230


@given(st.text(max_size=20))
def test_no_unicode_makes_it_fail(text):
    assert find_spacegroup(text) is None or find_spacegroup(text).number


def test_magnetic_lattices_are_never_mistaken_for_nuclear_groups():
    for group in TABLE:
        lattice, *elements = group.hm.split()
        for subscript in "abcABCIS":
            magnetic = f"{lattice}_{subscript}{' '.join(elements)}"
            found = find_spacegroup(magnetic)
            # No trigonal or cubic group has a lattice P_a: "P_a-3" is "P a -3" oddly written.
            assert found is None or (found.hm == "P a -3" and subscript in "aA"), magnetic


def test_shapes_of_spacegroup_number():
    assert type(spacegroup_number("P 21/c")) is int
    for symbols in (["P 21/c", "Fm-3m"], ("P 21/c", "Fm-3m"), np.array(["P 21/c", "Fm-3m"])):
        numbers = spacegroup_number(symbols)
        assert numbers.dtype == np.int64
        assert numbers.tolist() == [14, 225]
    series = pd.Series(["P 21/c", None, "NaN", np.nan], index=[5, 6, 7, 8])
    numbers = spacegroup_number(series, on_error="missing")
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [14, np.nan, np.nan, np.nan])
    assert spacegroup_number([]).shape == (0,)
    assert spacegroup_number([["P1"], ["P-1"]]).tolist() == [[1], [2]]
    assert spacegroup_number("P1", on_error="missing") == 1


def test_messages_name_the_symbol_and_the_remedy():
    with pytest.raises(SpaceGroupError, match=r"^spacegroup_number: 'P 7' names .* on_error="):
        spacegroup_number("P 7")
    with pytest.raises(SpaceGroupError, match=r"2 of 3 symbols .*\(first: row 1, 'X'\)\. Correct"):
        spacegroup_number(["P1", "X", None])
    with pytest.raises(SpaceGroupError, match=r"None names no space group"):
        spacegroup_number(None)
    with pytest.raises(InvalidInputError, match=r"on_error is 'ignore', must be 'raise' or"):
        spacegroup_number("P1", on_error="ignore")


def test_published_symbols_of_the_cell_table(shared_data):
    table = pd.read_csv(
        shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""], low_memory=False
    )
    numbers = spacegroup_number(table["spacegroup_symbol"])
    np.testing.assert_array_equal(numbers, table["spacegroup_number"])


@pytest.mark.parametrize("archive", ["cifs_cod.tar.xz", "cifs_3dsc.tar.xz"])
def test_published_symbols_and_operations_of_real_files(shared_data, archive):
    wrong, unread, seen = [], set(), 0
    with tarfile.open(shared_data / archive) as files:
        for member in files:
            if not member.name.endswith(".cif"):
                continue
            text = files.extractfile(member).read().decode("utf-8", "replace")
            for block in gemmi.cif.read_string(text):
                number, symbols, operations = _reported(block)
                seen += bool(symbols)
                for symbol, notation in symbols:
                    for way in ("any", notation):
                        found = find_spacegroup(symbol, notation=way)
                        if found is None or (number and found.number != number):
                            wrong.append((member.name, symbol, number))
                if operations:
                    found = spacegroup_from_operations(operations)
                    if found is None:
                        unread.add(member.name.rpartition("/")[2])
                    elif number and found.number != number:
                        wrong.append((member.name, operations, number))
    assert seen > 1000
    assert wrong == []
    assert unread == set()


def _reported(block):
    """Number, symbols with their notation, and operations of a CIF block."""

    def first(*tags):
        values = (block.find_value(tag) for tag in tags)
        return next((gemmi.cif.as_string(value) for value in values if value), "")

    number = first("_symmetry_Int_Tables_number", "_space_group_IT_number").strip()
    hm = first("_symmetry_space_group_name_H-M", "_space_group_name_H-M_alt")
    hall = first("_symmetry_space_group_name_Hall", "_space_group_name_Hall")
    symbols = [pair for pair in ((hm, "hermann-mauguin"), (hall, "hall")) if pair[0]]
    for tag in ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"):
        operations = tuple(gemmi.cif.as_string(value) for value in block.find_values(tag))
        if operations:
            break
    return int(number) if number.isdigit() else None, symbols, operations
