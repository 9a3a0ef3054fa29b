"""Reduced and anonymous formulas and chemical systems are canonical names of compositions."""

import math
import string
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crystalml.crystallography import (
    ELEMENTS,
    anonymous_formula,
    chemical_system,
    parse_formula,
    parse_formulas,
    reduced_formula,
)
from crystalml.exceptions import FormulaError, InvalidInputError

NAMES = (reduced_formula, anonymous_formula, chemical_system)
TABLES = ("cod_cells", "cod_formulas", "mp_cells", "mp_formulas")
# Pymatgen does not divide these peroxides, hydrogen peroxide and the like.
UNDIVIDED_BY_PYMATGEN = {
    "LiO", "NaO", "KO", "HO", "CsO", "RbO", "O", "N", "F", "Cl", "H",
}  # fmt: skip


def read_table(folder, name):
    return pd.read_csv(folder / f"{name}.csv.gz", keep_default_na=False, na_values=[""])


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["Fe2O3", "Fe4O6", "O3Fe2", "Fe1 O1.5", "FeO3/2", "(FeO)2O", "Fe.02O.03"], "Fe2O3"),
        (["Fe0.6667O", "Fe.6666O", "Fe2/3O", "Fe1.3333O2", "Fe2.6667O4"], "Fe2O3"),
        (["LiNi0.3333Mn0.3333Co0.3334O2", "Li3NiMnCoO6"], "CoLi3MnNiO6"),
        (["Ca2.5(PO4)1.5(OH)0.5", "Ca5(PO4)3OH", "Ca10(PO4)6(OH)2"], "Ca5HO13P3"),
        (["La1.85Sr0.15CuO4", "La37Sr3Cu20O80", "La3.7Sr0.3Cu2O8"], "Cu20La37O80Sr3"),
        (["C6 H12 O6", "C0.1H0.2O0.1"], "CH2O"),
        (["H2O", "D2O", "HDO"], "H2O"),
        (["C2BrH5", "C4H10Br2"], "C2H5Br"),
        (["NaN", "Na3N3", "N1 Na1"], "NNa"),
        (["Fe", "Fe2", "Fe0.123"], "Fe"),
        (["Al2.6652O4", "Al1.3326O2", "Al0.6663O"], "Al0.6663O"),
        (["Al2O3Cr0.0001", "Al20000 O30000 Cr1.0", "Al0.6667O1Cr0.00003333"], None),
        (["C1201H600", "H1200C2402"], "C1201H600"),
        (["C1000.5H999"], "CH0.9985"),
    ],
)
def test_equal_compositions_have_one_reduced_formula(texts, name):
    names = set(reduced_formula(texts).tolist())
    if name is not None:
        assert names == {name}


def test_a_trace_does_not_vanish():
    assert reduced_formula("Al2O3.5Cr0.00011") == "Al0.5714Cr0.00003143O"
    absurd = reduced_formula(f"FeO0.{'0' * 310}1")
    assert absurd.startswith("FeO0.000")
    assert absurd.endswith("1")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Fe2O3", "A2B3"),
        ("Na4Ge9O20", "A4B9C20"),
        ("CaTiO3", "ABC3"),
        ("Cu2", "A"),
        ("C6H12O6", "ABC2"),
        ("La1.85Sr0.15CuO4", "A3B20C37D80"),
        ("Al2.6652O4", "A0.6663B"),
        ("NaN", "AB"),
    ],
)
def test_anonymous_formula(text, name):
    assert anonymous_formula(text) == name


def test_anonymous_formula_goes_on_after_26_letters():
    name = anonymous_formula("".join(ELEMENTS[:30]))
    assert name == string.ascii_uppercase + "AaAbAcAd"
    assert anonymous_formula("".join(ELEMENTS)).endswith("DmDn")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Na2SO4", "Na-O-S"), ("CH4", "C-H"), ("NaN", "N-Na"), ("Fe", "Fe"), ("D2O", "H-O")],
)
def test_chemical_system(text, name):
    assert chemical_system(text) == name


@pytest.mark.parametrize("name", TABLES)
def test_chemical_system_equals_the_shared_column(shared_data, name):
    table = read_table(shared_data, name)
    ours = chemical_system(table["formula"], on_error="missing")
    is_known = np.array([system is not None for system in ours])
    assert (~is_known).sum() <= 4  # the placeholders M and X
    assert (ours[is_known] == table["chemical_system"].to_numpy()[is_known]).all()


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
def test_names_equal_pymatgen_for_whole_amounts(shared_data):
    composition_of = pytest.importorskip("pymatgen.core").Composition
    texts = read_table(shared_data, "cod_formulas")["formula"].unique()[::6].tolist()
    texts += read_table(shared_data, "mp_formulas")["formula"].unique()[::25].tolist()
    texts += ["H2O2", "K2O2", "Na2O2", "O2", "Cl2"]
    compositions = zip(texts, parse_formulas(texts, on_error="report").to_dicts(), strict=True)
    whole = [
        text
        for text, amounts in compositions
        if amounts and all(amount.is_integer() for amount in amounts.values())
    ]
    assert len(whole) > 5_000
    anonymous, reduced = anonymous_formula(whole), reduced_formula(whole)
    for text, ours, name in zip(whole, reduced, anonymous, strict=True):
        composition = composition_of(text)
        assert name == composition.anonymized_formula
        if ours not in UNDIVIDED_BY_PYMATGEN:
            assert composition_of(ours) == composition_of(composition.reduced_formula)


symbols = st.sampled_from(ELEMENTS)
whole_compositions = st.dictionaries(symbols, st.integers(1, 400), min_size=1, max_size=12)
decimal_compositions = st.dictionaries(
    symbols, st.decimals("0.0001", 99, places=4).map(float), min_size=1, max_size=8
)


def text_of(composition, order=None):
    return " ".join(
        f"{symbol}{np.format_float_positional(composition[symbol], trim='-')}"
        for symbol in (order or composition)
    )


@given(whole_compositions, st.floats(1e-3, 1e3))
def test_scaling_by_any_factor_keeps_the_names(composition, factor):
    scaled = {symbol: amount * factor for symbol, amount in composition.items()}
    for name in NAMES:
        assert name(text_of(scaled)) == name(text_of(composition)) == name(composition)


@given(whole_compositions)
def test_reduced_amounts_are_divided_by_the_greatest_common_divisor(composition):
    divisor = math.gcd(*composition.values())
    expected = {symbol: amount // divisor for symbol, amount in composition.items()}
    assert parse_formula(reduced_formula(composition)) == expected


@given(decimal_compositions, st.integers(2, 50))
def test_scaling_decimals_keeps_the_names(composition, factor):
    scaled = {symbol: amount * factor for symbol, amount in composition.items()}
    assume(not all(amount.is_integer() for amount in scaled.values()))
    assert reduced_formula(scaled) == reduced_formula(composition)
    assert anonymous_formula(scaled) == anonymous_formula(composition)


@given(decimal_compositions, st.randoms(use_true_random=False))
def test_order_does_not_matter(composition, random):
    order = list(composition)
    random.shuffle(order)
    for name in NAMES:
        assert name(text_of(composition, order)) == name(text_of(composition))


@given(decimal_compositions)
def test_a_reduced_formula_is_its_own(composition):
    name = reduced_formula(composition)
    assert reduced_formula(name) == name
    assert chemical_system(name) == chemical_system(composition)


@given(st.dictionaries(symbols, st.integers(1, 24), min_size=1, max_size=6))
def test_amounts_rounded_to_four_decimals_reduce_to_what_they_round(composition):
    largest = max(composition.values())
    rounded = {symbol: round(amount / largest, 4) for symbol, amount in composition.items()}
    assert reduced_formula(rounded) == reduced_formula(composition)


@given(st.lists(decimal_compositions | whole_compositions, min_size=1, max_size=6))
def test_many_are_named_like_each(compositions):
    for name in NAMES:
        assert name(compositions).tolist() == [name(one) for one in compositions]


@given(decimal_compositions)
def test_symbols_are_in_order(composition):
    system = chemical_system(composition).split("-")
    assert system == sorted(composition)
    found = list(parse_formula(reduced_formula(composition)))
    if "C" in composition:
        head = [symbol for symbol in ("C", "H") if symbol in composition]
        assert found[: len(head)] == head
        found = found[len(head) :]
    assert all(first < second for first, second in pairwise(found))


@pytest.mark.parametrize("name", NAMES)
def test_one_gives_text_and_many_give_an_array(name):
    assert isinstance(name("Fe2O3"), str)
    assert isinstance(name({"Fe": 2, "O": 3}), str)
    many = name(pd.Series(["Fe2O3", "NaN", "Fe2O3"], index=[5, 6, 7]))
    assert isinstance(many, np.ndarray)
    assert many.dtype == object
    assert many[0] == many[2] != many[1]
    assert name([]).tolist() == []


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_read(name):
    values = ["Fe2O3", "ThO2+x", None, "Fe2O3", float("nan"), "NaN"]
    names = name(values, on_error="missing")
    assert [value is None for value in names] == [False, True, True, False, True, False]
    assert name("ThO2+x", on_error="missing") is None
    assert name(None, on_error="missing") is None
    with pytest.raises(FormulaError) as caught:
        name(values)
    assert str(caught.value).startswith(
        f"{name.__name__}: 3 of 6 formulas cannot be read (first: row 1, 'ThO2+x' contains"
    )
    assert str(caught.value).endswith("or use on_error='missing'.")
    with pytest.raises(FormulaError, match=f"{name.__name__}: the formula is missing"):
        name(None)
    with pytest.raises(
        FormulaError, match=f"{name.__name__}: 'ThO2\\+x' contains the variable 'x'"
    ):
        name("ThO2+x")
    table = parse_formulas(values, on_error="report")
    assert name(table, on_error="missing").tolist() == names.tolist()
    with pytest.raises(FormulaError, match="3 of 6"):
        name(table)
    assert name("SO4 2-", charges="strip") == name("SO4")
    with pytest.raises(InvalidInputError, match="on_error must be"):
        name(values, on_error="ignore")
    with pytest.raises(InvalidInputError, match="charges must be"):
        name(values, charges="ignore")


def test_sodium_nitride_survives_a_table_written_and_read(tmp_path):
    table = pd.DataFrame({"formula": ["NaN", "NaCl", None]})
    table["system"] = chemical_system(table["formula"], on_error="missing")
    table["reduced"] = reduced_formula(table["formula"], on_error="missing")
    table.to_csv(tmp_path / "table.csv", index=False)
    back = pd.read_csv(tmp_path / "table.csv", keep_default_na=False, na_values=[""])
    assert back["formula"].tolist()[:2] == ["NaN", "NaCl"]
    assert back["formula"].isna().tolist() == [False, False, True]
    again = chemical_system(back["formula"], on_error="missing")
    assert again.tolist() == ["N-Na", "Cl-Na", None]
    assert table["system"].tolist()[:2] == ["N-Na", "Cl-Na"]
    assert parse_formula(back["reduced"][0]) == {"N": 1.0, "Na": 1.0}
    assert (back["formula"] == "NaN").sum() == 1
