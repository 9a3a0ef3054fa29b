"""Checks of parameters and weights."""

from numbers import Real

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
    warn,
)
from crystalml.crystallography import parse_formulas
from crystalml.exceptions import CrystalmlWarning, InvalidInputError

_CONSTRAINTS = {
    "share": [Interval(Real, 0, 1, closed="neither"), None],
    "kind": [StrOptions({"plain", "fancy"})],
    "splitter": [HasMethods(["split"]), None],
}


class Example(BaseEstimator):
    def __init__(self, share=None, kind="plain", splitter=None):
        self.share = share
        self.kind = kind
        self.splitter = splitter


def test_allowed_parameters_pass():
    check_parameters(Example(), _CONSTRAINTS)
    check_parameters(Example(share=0.5, kind="fancy"), _CONSTRAINTS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"share": 1.0}, r"'share' parameter of Example must be .*\(0\.0, 1\.0\).* Got 1\.0"),
        ({"kind": "best"}, r"'kind' parameter of Example must be .*'fancy'.* Got 'best'"),
        ({"splitter": 3}, r"'splitter' parameter of Example must be .*'split'.* Got 3"),
    ],
)
def test_others_are_named_with_what_is_allowed(parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        check_parameters(Example(**parameters), _CONSTRAINTS)


def test_no_weight_stays_none():
    assert check_sample_weight(None, np.zeros((3, 1)), caller="net") is None


@pytest.mark.parametrize("weight", [2, [2, 2, 2], np.full(3, 2.0, dtype=np.float32)])
def test_weights_become_one_float_per_row(weight):
    checked = check_sample_weight(weight, np.zeros((3, 1)), caller="net")
    assert checked.dtype == np.float64
    assert_array_equal(checked, [2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1, -2, 1], InvalidInputError, r"net: sample_weight must be >= 0, but row 1 has"),
        ([0, 0, 0], InvalidInputError, "net: every sample_weight is zero"),
        ([[1], [1], [1]], InvalidInputError, r"net: sample_weight has shape \(3, 1\)"),
        ([1, 1], ValueError, "inconsistent numbers of samples"),
        ([1, np.nan, 1], ValueError, "sample_weight contains NaN"),
    ],
)
def test_bad_weights(weight, error, message):
    with pytest.raises(error, match=message):
        check_sample_weight(weight, np.zeros((3, 1)), caller="net")


def test_warnings_point_to_the_line_that_called_into_the_package(monkeypatch):
    with pytest.warns(CrystalmlWarning, match="odd") as said:
        warn("odd", CrystalmlWarning)
    assert said[0].filename == __file__

    def complain(*arguments, **options):
        warn("deep", CrystalmlWarning)

    monkeypatch.setattr("crystalml.crystallography._formula.FormulaTable", complain)
    with pytest.warns(CrystalmlWarning, match="deep") as said:
        parse_formulas(["NaCl"], on_error="report")
    assert said[0].filename == __file__
