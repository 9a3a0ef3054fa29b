"""Many formulas at once: equal to one at a time, to pymatgen, and to the tables' own columns."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crystalml.crystallography import ELEMENTS, parse_formula, parse_formulas
from crystalml.crystallography._formula_bytes import read_plain_formulas
from crystalml.exceptions import FormulaError, InvalidInputError

TABLES = ("cod_cells", "cod_formulas", "mp_cells", "mp_formulas")

# Formulas of the shared tables that are refused here: pymatgen takes the placeholders M (metal)
# and X for elements of their own ("dummy species"). Nothing else is read differently.
REFUSED_HERE = {"M", "M20.23Sn14.908", "M2O3.936", "XClO4"}


@pytest.fixture(scope="module")
def formulas(shared_data):
    tables = [
        pd.read_csv(shared_data / f"{name}.csv.gz", keep_default_na=False, na_values=[""])
        for name in TABLES
    ]
    return sorted(set().union(*(table["formula"] for table in tables)))


numbers = st.one_of(
    st.integers(0, 999).map(str),
    st.decimals(0, 99, places=4).map(str),
    st.from_regex(r"[0-9]{0,17}\.[0-9]{1,17}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}/[0-9]{1,3}", fullmatch=True),
    st.just(""),
)
symbols = st.sampled_from([*ELEMENTS, "D", "T"])
groups = st.builds(
    lambda parts, brackets, number: f"{brackets[0]}{''.join(parts)}{brackets[1]}{number}",
    st.lists(st.builds(str.__add__, symbols, numbers), min_size=1, max_size=3),
    st.sampled_from(["()", "[]", "{}"]),
    numbers,
)
pieces = st.one_of(
    st.builds(str.__add__, symbols, numbers),
    groups,
    st.sampled_from(
        [" ", "(", ")", "]2", "H2O", ".5H2O", " H2O", "(H2O)", "NH3", ".", "x", "+", "2-", "\n"]
    ),
    st.sampled_from(["*", "\u00b7", " \u2022 ", "*5H2O", "\u22c5(H2O)2", "(2"]),
    st.text(max_size=2),
)
nearly_formulas = st.one_of(
    st.lists(pieces, max_size=6).map("".join),
    st.lists(pieces, max_size=6).map(" ".join),
    st.text(max_size=12),
    st.text(alphabet="HOCNaFe2.5()[] /+-x*\u00b7", max_size=12),
)


def read_or_reason(text, charges):
    try:
        return parse_formula(text, charges=charges), None
    except FormulaError as error:
        return {}, str(error).removeprefix("parse_formula: ")


@given(st.lists(nearly_formulas, max_size=8))
@example(["Fe2", "3"])
@example(["F", "x3"])
@example(["F", "(3)", ")2"])
@example(["Fe(", ")2"])
def test_many_at_once_equal_one_at_a_time_bit_for_bit(texts):
    for charges in ("refuse", "strip"):
        table = parse_formulas(texts, on_error="report", charges=charges)
        expected = [read_or_reason(text, charges) for text in texts]
        assert list(zip(table.to_dicts(), table.errors, strict=True)) == expected


@given(st.lists(st.tuples(symbols, st.floats(1e-9, 1e9)), min_size=1, max_size=9))
def test_amounts_equal_float_of_the_text(entries):
    texts = [f"{symbol}{np.format_float_positional(amount)}0" for symbol, amount in entries]
    data = parse_formulas(texts).amounts.data
    assert data.tolist() == [amount for _, amount in entries]


@given(
    st.dictionaries(
        st.sampled_from(ELEMENTS), st.floats(1e-6, 1e6) | st.integers(1, 999), min_size=1
    )
)
def test_text_of_a_composition_is_read_back(composition):
    text = " ".join(
        f"{symbol}{np.format_float_positional(amount, trim='-')}"
        for symbol, amount in composition.items()
    )
    assert parse_formula(text) == composition
    assert parse_formulas([text]).to_dicts() == [composition]


multiples = st.one_of(
    st.just(""),
    st.integers(1, 99).map(str),
    st.decimals("0.01", 99, places=2).map(str),
    st.from_regex(r"[1-9][0-9]?/[1-9][0-9]?", fullmatch=True),
)
parts = st.lists(st.builds(str.__add__, symbols, st.integers(1, 99).map(str)), min_size=1)
dots = st.sampled_from([*"\u00b7\u2022\u2219\u22c5*\u00d7", " \u00b7 ", " * "])


@given(st.lists(st.tuples(multiples, parts.map("".join)), min_size=2, max_size=4), dots)
def test_adducts_equal_their_parts_in_brackets(adduct, dot):
    multiplied_in = parse_formula("".join(f"({part}){multiple}" for multiple, part in adduct))
    text = dot.join(multiple + part for multiple, part in adduct)
    assert parse_formula(text) == multiplied_in
    assert parse_formula(f"[{text}]3") == parse_formula(
        "[" + "".join(f"({part}){multiple}" for multiple, part in adduct) + "]3"
    )


def test_adducts_equal_pymatgen_on_their_parts():
    composition_of = pytest.importorskip("pymatgen.core").Composition
    adducts = {
        "CuSO4\u00b75H2O": "CuSO4(H2O)5",
        "Na2CO3 * 10 H2O": "Na2CO3(H2O)10",
        "CaSO4\u20220.5H2O": "CaSO4(H2O)0.5",
        "KAl(SO4)2\u22c512H2O": "KAl(SO4)2(H2O)12",
        "3CdSO4\u00b78H2O": "(CdSO4)3(H2O)8",
    }
    for ours, theirs in zip(
        parse_formulas(list(adducts)).to_dicts(), adducts.values(), strict=True
    ):
        assert ours == composition_of(theirs).as_dict()


@settings(max_examples=500)
@given(nearly_formulas)
def test_any_text_is_read_or_refused(text):
    try:
        composition = parse_formula(text, charges="strip")
    except FormulaError:
        return
    assert set(composition) <= set(ELEMENTS)
    assert all(amount > 0 for amount in composition.values())


def test_plain_formulas_do_not_fall_back(formulas):
    is_read = read_plain_formulas(formulas).is_read
    assert is_read.mean() > 0.999


def test_shared_formulas_equal_one_at_a_time(formulas):
    sample = formulas[::6]
    table = parse_formulas(sample, on_error="report")
    expected = [{} if text in REFUSED_HERE else parse_formula(text) for text in sample]
    assert table.to_dicts() == expected


def test_shared_formulas_equal_pymatgen(formulas):
    composition_of = pytest.importorskip("pymatgen.core").Composition
    refused = parse_formulas(formulas, on_error="report")
    assert {formulas[row] for row in np.flatnonzero(~refused.is_valid)} == REFUSED_HERE

    generator = np.random.default_rng(0)
    readable = [text for text in formulas if text not in REFUSED_HERE]
    sample = [readable[row] for row in generator.choice(len(readable), 20_000, replace=False)]
    for text, ours in zip(sample, parse_formulas(sample).to_dicts(), strict=True):
        assert ours == {key.symbol: amount for key, amount in composition_of(text).items()}


def test_pymatgen_reads_the_refused_ones_as_dummy_species(formulas):
    pymatgen = pytest.importorskip("pymatgen.core")
    for text in REFUSED_HERE & set(formulas):
        composition = pymatgen.Composition(text)
        assert not composition.valid


def test_pymatgen_misreads_a_hydrate_that_is_refused_here():
    composition_of = pytest.importorskip("pymatgen.core").Composition
    assert composition_of("NaCl.2H2O").as_dict() == {"Na": 1, "Cl": 0.2, "H": 2, "O": 1}
    with pytest.raises(FormulaError, match="hydrate"):
        parse_formula("NaCl.2H2O")


def test_table_of_many():
    table = parse_formulas(["O2 Fe", "D2O", "NaN", "Xx"], on_error="report")
    assert table.elements == ELEMENTS
    assert table.amounts.shape == (4, 118)
    assert table.amounts.has_sorted_indices
    assert table.amounts.has_canonical_format
    assert table.has_deuterium.tolist() == [False, True, False, False]
    assert table.is_valid.tolist() == [True, True, True, False]
    assert table.amounts.toarray()[0, ELEMENTS.index("O")] == 2.0
    assert table.fractions().sum(axis=1) == pytest.approx([1, 1, 1, 0])
    assert len(table) == 4


@pytest.mark.parametrize("text", ["HDO", "D", "T2 O", "(D)2", "D/2"[:1], "C(D1/2)3"])
def test_deuterium_is_flagged(text):
    assert parse_formulas([text]).has_deuterium.tolist() == [True]


@pytest.mark.parametrize("text", ["Dy", "TiO2", "H2O", "D0H2O", "DbTsDs"])
def test_other_symbols_are_no_deuterium(text):
    assert parse_formulas([text]).has_deuterium.tolist() == [False]


def test_containers():
    texts = ["NaN", "Fe2O3"]
    expected = parse_formulas(texts).to_dicts()
    series = pd.Series(texts)
    containers = [
        tuple(texts),
        np.array(texts),
        np.array(texts, dtype=object),
        series,
        series.astype("category"),
        series.astype("string"),
        pd.Index(texts),
        (text for text in texts),
        [{"Na": 1, "N": 1}, "Fe2O3"],
        [np.str_("NaN"), np.str_("Fe2O3")],
    ]
    for container in containers:
        assert parse_formulas(container).to_dicts() == expected


def test_no_formulas_give_an_empty_table():
    table = parse_formulas([])
    assert len(table) == 0
    assert table.amounts.shape == (0, 118)
    assert table.to_dicts() == []


def test_sodium_nitride_survives_beside_missing_values():
    values = pd.Series(["NaN", None, float("nan"), pd.NA, "", np.nan, "NaN"], dtype=object)
    table = parse_formulas(values, on_error="report")
    assert table.is_valid.tolist() == [True, False, False, False, False, False, True]
    assert table.to_dicts()[0] == {"N": 1.0, "Na": 1.0}
    assert table.errors[1:6].tolist() == ["the formula is missing"] * 5
    strings = values.replace("", None).astype("string")
    assert parse_formulas(strings, on_error="report").is_valid.tolist() == [
        True, False, False, False, False, False, True,
    ]  # fmt: skip


def test_first_problem_is_named():
    with pytest.raises(FormulaError) as caught:
        parse_formulas(["Fe", "ThO2+x", None])
    assert str(caught.value).startswith(
        "parse_formulas: 2 of 3 formulas cannot be read (first: row 1, 'ThO2+x' contains the "
        "variable 'x'"
    )
    assert str(caught.value).endswith("Correct or drop them, or use on_error='report'.")


@pytest.mark.parametrize(
    ("arguments", "options", "reason"),
    [
        ("Fe2O3", {}, "the single value 'Fe2O3'; put it into a list"),
        (None, {}, "the single value None"),
        (pd.DataFrame({"formula": ["Fe"]}), {}, r"shape \(1, 1\); select one column"),
        (["Fe"], {"on_error": "ignore"}, "'raise' or 'report', got 'ignore'"),
        (["Fe"], {"charges": True}, "'refuse' or 'strip', got True"),
        (3, {}, "must be a list, array or Series"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, reason):
    with pytest.raises(InvalidInputError, match=reason):
        parse_formulas(arguments, **options)
