"""Learned volumes are never shown without the exact one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, r2_score

from crystalml.crystallography import cell_volume
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CellError, InvalidInputError, SchemaError
from crystalml.model_selection import volume_report

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]


@pytest.fixture(scope="module")
def table():
    return load_cod_inorganic().data.head(50)


def test_scores_are_those_of_scikit_learn(table):
    true = table["volume"].to_numpy()
    models = {"off": true * 1.1, "noisy": true + np.resize([-5.0, 7.0], 50)}
    weight = np.arange(1, 51)
    report = volume_report(true, models, table, sample_weight=weight)
    assert report.index.tolist() == ["off", "noisy", "exact formula"]
    for column, metric in {
        "r2": r2_score,
        "mean_absolute_error": mean_absolute_error,
        "mean_absolute_percentage_error": mean_absolute_percentage_error,
    }.items():
        for name, volumes in models.items():
            expected = metric(true, volumes, sample_weight=weight)
            assert report.loc[name, column] == pytest.approx(expected)
    assert report.loc["off", "mean_absolute_percentage_error"] == pytest.approx(0.1)


def test_exact_formula_is_right_for_exact_volumes_and_is_not_for_others(table):
    exact = volume_report(table["volume"], {}, table).loc["exact formula"]
    assert exact["r2"] == 1
    assert exact["mean_absolute_error"] == pytest.approx(0, abs=1e-9)
    wrong = volume_report(2 * table["volume"], {}, table).loc["exact formula"]
    assert wrong["mean_absolute_percentage_error"] == pytest.approx(0.5)


def test_cells_as_table_in_any_order_or_as_array(table):
    shuffled = table[CELL[::-1]].assign(text="x")
    reports = [volume_report(table["volume"], {}, c) for c in (shuffled, table[CELL].to_numpy())]
    pd.testing.assert_frame_equal(*reports)
    assert cell_volume(table[CELL]) == pytest.approx(table["volume"].to_numpy())


def test_refusals(table):
    true = table["volume"].to_numpy()
    with pytest.raises(InvalidInputError, match="predictions must be a dict"):
        volume_report(true, true, table)
    with pytest.raises(InvalidInputError, match="without 'exact formula'"):
        volume_report(true, {"exact formula": true}, table)
    with pytest.raises(InvalidInputError, match=r"predictions\['net'\] has 1 NaN .*row 49"):
        volume_report(true, {"net": np.r_[true[:-1], np.nan]}, table)
    with pytest.raises(InvalidInputError, match=r"predictions\['net'\] has shape \(50, 1\)"):
        volume_report(true, {"net": true[:, None]}, table)
    with pytest.raises(InvalidInputError, match=r"y_true must be > 0, but row 0 has -1.0"):
        volume_report(np.r_[-1, true[1:]], {}, table)
    with pytest.raises(InvalidInputError, match="sample_weight must hold 50 numbers"):
        volume_report(true, {}, table, sample_weight=[1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        volume_report(true, {"net": true[:-1]}, table)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        volume_report(true[:-1], {}, table)
    with pytest.raises(SchemaError, match="the table has no column 'gamma'"):
        volume_report(true, {}, table[CELL[:-1]])
    with pytest.raises(CellError, match="impossible unit cell"):
        volume_report(true, {}, table.assign(gamma=190.0))
