"""The grammar of one formula: what is read, what is refused, and what the refusal says."""

import pytest

from crystalml.crystallography import ELEMENTS, parse_formula, parse_formulas
from crystalml.exceptions import FormulaError, InvalidInputError

READ = {
    "C16 H12 N2 O4": {"C": 16, "H": 12, "N": 2, "O": 4},
    "Na4Ge9O20": {"Na": 4, "Ge": 9, "O": 20},
    "Ca(OH)2": {"Ca": 1, "O": 2, "H": 2},
    "[Cu(NH3)4]SO4": {"Cu": 1, "N": 4, "H": 12, "S": 1, "O": 4},
    "K3[Fe{C(N)}6]2": {"K": 3, "Fe": 2, "C": 12, "N": 12},
    "Ga1Fe0.5Co0.5": {"Ga": 1, "Fe": 0.5, "Co": 0.5},
    "Fe O2.25 Cl.5 H2.75": {"Fe": 1, "O": 2.25, "Cl": 0.5, "H": 2.75},
    "Fe2/3O": {"Fe": 2 / 3, "O": 1},
    "(K.88 Na.06) Li1.57 (F1.53 H.47)": {"K": 0.88, "Na": 0.06, "Li": 1.57, "F": 1.53, "H": 0.47},
    "CH3COOH": {"C": 2, "H": 4, "O": 2},
    "NaN": {"Na": 1, "N": 1},
    "CO": {"C": 1, "O": 1},
    "Co": {"Co": 1},
    "No": {"No": 1},
    "DyDsDb": {"Dy": 1, "Ds": 1, "Db": 1},
    "D2O": {"H": 2, "O": 1},
    "HDO": {"H": 2, "O": 1},
    "T2O": {"H": 2, "O": 1},
    "La2Sr0CuO4": {"La": 2, "Cu": 1, "O": 4},
    "Fe0(OH)0O": {"O": 1},
    "'C12 H10'": {"C": 12, "H": 10},
    '"Na Cl"': {"Na": 1, "Cl": 1},
    ";\nC12\nH10\n;": {"C": 12, "H": 10},
    "  Fe2\tO3\r\n": {"Fe": 2, "O": 3},
    "H\u2082O": {"H": 2, "O": 1},
    "Fe\u2082O\u2083": {"Fe": 2, "O": 3},
    "Fe\u00a0O": {"Fe": 1, "O": 1},
    # Amounts with decimals before water that cannot be a hydrate's dot.
    "Mg0.5H2O": {"Mg": 0.5, "H": 2, "O": 1},
    "Cl1.2 H2 O": {"Cl": 1.2, "H": 2, "O": 1},
    "Na1.5(H2O)3": {"Na": 1.5, "H": 6, "O": 3},
    "Cl1.5H2O4": {"Cl": 1.5, "H": 2, "O": 4},
    "Cl1.5H2Os": {"Cl": 1.5, "H": 2, "Os": 1},
    # Hydrates and other adducts.
    "CuSO4\u00b75H2O": {"Cu": 1, "S": 1, "O": 9, "H": 10},
    "CuSO4*5H2O": {"Cu": 1, "S": 1, "O": 9, "H": 10},
    "CuSO4\u00d75H2O": {"Cu": 1, "S": 1, "O": 9, "H": 10},
    "CuSO\u2084\u22c5(H\u2082O)\u2085": {"Cu": 1, "S": 1, "O": 9, "H": 10},
    "Na2CO3 \u00b7 10 H2O": {"Na": 2, "C": 1, "O": 13, "H": 20},
    "CaSO4\u00b70.5H2O": {"Ca": 1, "S": 1, "O": 4.5, "H": 1},
    "CaSO4 \u2022 1.5H2O": {"Ca": 1, "S": 1, "O": 5.5, "H": 3},
    "CaSO4\u2219.5 H2O": {"Ca": 1, "S": 1, "O": 4.5, "H": 1},
    "CaSO4*1/2H2O": {"Ca": 1, "S": 1, "O": 4.5, "H": 1},
    "3CdSO4\u00b78H2O": {"Cd": 3, "S": 3, "O": 20, "H": 16},
    "KCl*MgCl2*6H2O": {"K": 1, "Cl": 3, "Mg": 1, "H": 12, "O": 6},
    "C6 H12 O6 * 2 H2 O": {"C": 6, "H": 16, "O": 8},
    "(Mg(OH)2\u00b73MgO)2": {"Mg": 8, "O": 10, "H": 4},
    "NaCl*0H2O": {"Na": 1, "Cl": 1},
    "BF3*D2O": {"B": 1, "F": 3, "H": 2, "O": 1},
}

REFUSED = {
    "": "missing",
    "  ": "missing",
    "''": "empty",
    "?": "empty",
    ".": "empty",
    "CuSO4.5H2O": "a star or a raised dot, as in 'CuSO4*5H2O'",
    "NaCl.2H2O": "'NaCl*2H2O'",
    "CuSO4.5 H2O": "hydrate",
    "CuSO4.5(H2O)": "hydrate",
    "CoCl2.6NH3": "'CoCl2*6NH3'",
    "CuSO4.H2O": "'CuSO4*H2O'",
    "CuSO4.5H2O*NaCl": "'CuSO4*5H2O*NaCl'",
    "NaCl\u00b7": "no formula on one side",
    "\u2022OH": "no formula on one side",
    "*": "no formula on one side",
    "NaCl\u00b7\u00b7H2O": "no formula on one side",
    "CuSO4*5": "no formula on one side",
    "2*3Fe": "no formula on one side",
    "NaCl\u00b72 3H2O": "isotopes other than D and T",
    "(2H2O)2\u00b7NaCl": "isotopes other than D and T",
    "NaCl\u00b7()2": "empty bracket '()'",
    "NaCl\u00b71/0H2O": "divides by zero",
    "CuSO4\u00b7nH2O": "variable 'n'",
    "CuSO4\u00b7\u00b9\u2078OH2": "isotopes other than D and T",
    "Na\u207a\u00b7Cl\u207b": "charge",
    "La2-xSrxCuO4": "variable 'x'",
    "ThO2+x": "variable 'x'",
    "YBa2Cu3O7-\u03b4": "variable '\u03b4'",
    "YBa2Cu3O7\u2212x": "variable 'x'",
    "LaxSr2O4": "variable 'x'",
    "NOx": "variable 'x'",
    "(SiO2)n": "variable 'n'",
    "YBa2Cu3O7-0.1": "written out",
    "Fe-2O3": "positive",
    "Xx2O3": "'Xx', which is no element symbol",
    "CL": "no certain element",
    "NACl": "no certain element",
    "FEO": "no certain element",
    "WJb": "one capital, such as Cl",
    "nacl": "variable 'n'",
    "fe2O3": "small letter 'f'",
    "X2O3": "no certain element",
    "LnCl3": "no certain element",
    "13C": "isotopes other than D and T",
    "\u00b9\u00b3CH4": "isotopes other than D and T",
    "C 13C": "isotopes other than D and T",
    "2H2O": "multiplied out",
    "0.5(C H2 Cl2)": "multiplied out",
    "Fe 2 O 3": "without a space",
    "Fe2 3": "belongs to no element",
    "Fe(2)": "belongs to no element",
    "Fe2.3.4": "belongs to no element",
    "Fe2.": "contains '.'",
    "Fe2/0": "divides by zero",
    "Fe/2": "contains '/'",
    "Ca(OH": "'(' that is not closed",
    "CaOH)2": "')' that was not opened",
    "Ca(OH]2": "closes the bracket '(' by ']'",
    "Ca()2": "empty bracket '()'",
    "Fe0": "amount above zero",
    "(Fe2O3)0": "amount above zero",
    "C30 H38 O4, H2 O": "sum formula",
    "C12 H10 [+ solvent]": "cannot be counted",
    "Y3N@C80": "contains '@'",
    "Fe1e3": "small letter 'e'",
    "Na+": "charge '+'",
    "SO4 2-": "charge '2-'",
    "C12 H10 N3 1+": "charge '1+'",
    "[NH4]+Cl-": "charge",
    "H" + "9" * 400: "too large",
    "(" * 40 + "Fe" + ")" * 40: "deeper than 32",
}

CHARGED = {
    "Na+": {"Na": 1},
    "Ca++": {"Ca": 1},
    "Cl-": {"Cl": 1},
    "Cl \u2212": {"Cl": 1},
    "Fe3+": {"Fe": 1},
    "Fe+3": {"Fe": 1},
    "O2-": {"O": 1},
    "Hg2 2+": {"Hg": 2},
    "SO4 2-": {"S": 1, "O": 4},
    "SO4 -2": {"S": 1, "O": 4},
    "SO4^2-": {"S": 1, "O": 4},
    "SO\u2084\u00b2\u207b": {"S": 1, "O": 4},
    "NH4+": {"N": 1, "H": 4},
    "[NH4]+": {"N": 1, "H": 4},
    "[Fe(CN)6]3-": {"Fe": 1, "C": 6, "N": 6},
    "(SO4)2-": {"S": 1, "O": 4},
    "Ca(OH)2+": {"Ca": 1, "O": 2, "H": 2},
    "C12 H10 N3 1+": {"C": 12, "H": 10, "N": 3},
    "CrCl2*4H2O +": {"Cr": 1, "Cl": 2, "H": 8, "O": 4},
    "C12 H10.5+": {"C": 12, "H": 10.5},
    "Fe2O3": {"Fe": 2, "O": 3},
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_is_read(text, expected):
    assert parse_formula(text) == expected
    assert list(parse_formula(text)) == list(expected), "elements in the order of the text"


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_is_refused_with_a_reason(text, reason):
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("parse_formula: ")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("text", "expected"), CHARGED.items())
def test_charge_at_the_end_is_stripped_on_request(text, expected):
    assert parse_formula(text, charges="strip") == expected


@pytest.mark.parametrize("text", [text for text in CHARGED if text != "Fe2O3"])
def test_charge_is_refused_by_default(text):
    with pytest.raises(FormulaError, match=r"carries the charge .* charges='strip'"):
        parse_formula(text)


@pytest.mark.parametrize("text", ["SO42-", "PO43-", "Co(NH3)63+"])
@pytest.mark.parametrize("charges", ["refuse", "strip"])
def test_digits_that_may_be_amount_or_charge_are_refused(text, charges):
    with pytest.raises(FormulaError, match="cannot be told apart; put a space"):
        parse_formula(text, charges=charges)


@pytest.mark.parametrize("text", ["+", "2+", "-", "--", "+3", "[NH4]+Cl-", "Fe2+O2-"])
def test_charges_elsewhere_are_refused_even_when_stripping(text):
    with pytest.raises(FormulaError):
        parse_formula(text, charges="strip")


def test_every_element_is_read_alone_and_beside_another():
    assert len(ELEMENTS) == len(set(ELEMENTS)) == 118
    for symbol in ELEMENTS:
        assert parse_formula(symbol) == {symbol: 1}
        other = "O" if symbol != "O" else "Fe"
        assert parse_formula(f"{symbol}3{other}2") == {symbol: 3, other: 2}


def test_elements_are_in_the_order_of_gemmi():
    gemmi = pytest.importorskip("gemmi")
    assert [gemmi.Element(symbol).atomic_number for symbol in ELEMENTS] == list(range(1, 119))


def test_mappings_are_checked():
    assert parse_formula({"Fe": 2, "O": 3.0, "Na": 0}) == {"Fe": 2.0, "O": 3.0}
    assert parse_formula({"D": 2, "H": 1}) == {"H": 3.0}
    for mapping, reason in (
        ({}, "names no element"),
        ({"Xx": 1}, "'Xx', which is no element"),
        ({26: 1}, "26, which is no element"),
        ({"Fe": -1}, "-1 for Fe"),
        ({"Fe": float("nan")}, "nan for Fe"),
        ({"Fe": "2"}, "'2' for Fe"),
    ):
        with pytest.raises(FormulaError, match=reason):
            parse_formula(mapping)


def test_compositions_of_pymatgen_are_read():
    pymatgen = pytest.importorskip("pymatgen.core")
    assert parse_formula(pymatgen.Composition("Fe2O3")) == {"Fe": 2.0, "O": 3.0}
    assert parse_formula(pymatgen.Composition({"Fe3+": 2, "O2-": 3})) == {"Fe": 2.0, "O": 3.0}


@pytest.mark.parametrize("value", [None, float("nan")])
def test_missing_is_refused(value):
    with pytest.raises(FormulaError, match="missing"):
        parse_formula(value)


@pytest.mark.parametrize("value", [3, b"NaCl", ["NaCl"]])
def test_other_types_are_refused(value):
    with pytest.raises(FormulaError, match="is of type"):
        parse_formula(value)


def test_wrong_charges_parameter_is_refused():
    with pytest.raises(InvalidInputError, match="charges must be 'refuse' or 'strip', got 'keep'"):
        parse_formula("Fe", charges="keep")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "(Fe" * 100_000,
        "Fe" * 100_000 + "!",
        "Fe." * 100_000,
        "1" * 100_000,
        "Fe" + "1" * 100_000,
        "Fe2.5" * 50_000 + "H2O",
        " " * 200_000 + "Fe!",
        "Fe" + " " * 200_000 + "+",
        "+" * 200_000,
        "^" * 100_000 + "+",
        "\u00b2" * 100_000,
        "Fe" + "/1" * 50_000,
        "[" * 30 + "Fe" * 50_000 + "]2" * 30,
        "*" * 100_000,
        "2Fe*" * 50_000 + "Fe",
        "(2Fe*" * 30 + "Fe*" * 50_000,
    ],
)
# Steps that grow with the square of the length would take minutes here.
def test_hostile_text_is_answered(text):
    table = parse_formulas([text], on_error="report", charges="strip")
    (composition,), (error,) = table.to_dicts(), table.errors
    assert set(composition) == {"Fe"} if error is None else len(error) < 500
