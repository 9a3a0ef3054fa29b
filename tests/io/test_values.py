"""Numbers with standard uncertainties, and text."""

import math

import gemmi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.io import _values
from crystalml.io._values import is_null, number, text


@pytest.mark.parametrize(
    ("token", "value", "uncertainty"),
    [
        (b"5.431(2)", 5.431, 0.002),
        (b"10.1234(12)", 10.1234, 0.0012),
        (b"90.00(0)", 90.0, 0.0),
        (b"12(3)", 12.0, 3.0),
        (b"1.2e1(3)", 12.0, 3.0),
        (b"100.(2)", 100.0, 2.0),
        (b".5(1)", 0.5, 0.1),
        (b"-0.25(12)", -0.25, 0.12),
        (b"+7", 7.0, math.nan),
        (b"1.5D2", 150.0, math.nan),
        (b"5.43()", 5.43, math.nan),
        (b"'5.431 (2)'", 5.431, 0.002),
        (b";\n 5.4(1)\n;", 5.4, 0.1),
        (b"3e-" + b"9" * 5000 + b"(2)", 0.0, 0.0),
        (b"3e" + b"0" * 5000 + b"2(2)", 300.0, 200.0),
        (b"?", math.nan, math.nan),
        (b".", math.nan, math.nan),
        (b"'?'", math.nan, math.nan),
        (b";\n?\n;", math.nan, math.nan),
    ],
)
def test_number(token, value, uncertainty):
    assert number(token) == pytest.approx((value, uncertainty), nan_ok=True, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    "token",
    [b"nan", b"inf", b"-Infinity", b"1_0", b"1e999", b"5,43", b"<5", b"5 6", b"abc", b"5.4(x)",
     b"1e" + b"9" * 5000 + b"(3)",
     b"5.4(1)(2)", b"(2)", b"--5", b"1.2.3", b"\xff", b"5.4(1)e2"],
)  # fmt: skip
def test_no_number(token):
    assert number(token) is None


@given(
    digits=st.integers(0, 10**12),
    decimals=st.integers(0, 8),
    uncertainty=st.none() | st.integers(0, 999),
    exponent=st.none() | st.integers(-5, 5),
)
def test_numbers_equal_gemmi_s(digits, decimals, uncertainty, exponent):
    written = f"{digits:0{decimals + 1}d}"
    if decimals:
        written = f"{written[:-decimals]}.{written[-decimals:]}"
    written += "" if exponent is None else f"e{exponent}"
    plain = float(written)
    written += "" if uncertainty is None else f"({uncertainty})"
    value, su = number(written.encode())
    assert value == plain == gemmi.cif.as_number(written)
    if uncertainty is None:
        assert math.isnan(su)
    else:
        assert su == pytest.approx(uncertainty * 10.0 ** ((exponent or 0) - decimals), rel=1e-12)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value(token):
    found = number(token)
    assert found is None or len(found) == 2
    words = text(token)
    assert words is None or words == " ".join(words.split())


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"Quartz", "Quartz"),
        (b"'P 21/c'", "P 21/c"),
        (b"\"a  'b'\"", "a 'b'"),
        (b";\n two\n  lines \n;", "two lines"),
        (b";\\\nfold\\\ned\n;", "folded"),
        (b"'''a 'quoted' b'''", "a 'quoted' b"),
        (b";in;", ";in;"),
        (b"'", "'"),
        (b"NaN", "NaN"),
        (b"?", None),
        (b"''", None),
        (b"' '", None),
        (b";\n;", None),
        (b";\n?\n;", None),
        ("'Weißit'".encode(), "Weißit"),
        ("'Weißit'".encode("latin-1"), "Weißit"),
    ],
)
def test_text(token, expected):
    assert text(token) == expected


def test_null():
    assert all(map(is_null, [b"?", b".", b"", b"'?'", b'""']))
    assert not any(map(is_null, [b"0", b"NaN", b"None", b"-"]))


def test_long_values_are_read_and_not_kept():
    def kept():
        return len(_values.text), len(_values._written_number)

    long, before = b"'" + b"Na Cl " * 100 + b"'", kept()
    assert text(long) == " ".join(["Na Cl"] * 100)
    assert number(long) is _values.NOT_A_NUMBER
    assert number(b"'" + b" " * 300 + b"5.4'") == pytest.approx((5.4, math.nan), nan_ok=True)
    assert kept() == before
