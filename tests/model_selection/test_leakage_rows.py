"""Findings about rows, preprocessing and exact cells, and the report itself."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, KFold, train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tests.model_selection.leakage_tables import CELL, N_ROWS, cod

from crystalml.model_selection import audit_leakage, composition_groups, jitter_cells

HONEST, NUMBERS, LEAKING = cod()
TABLE = HONEST[["formula", *CELL, "mean_number"]]
COMPOUNDS = composition_groups(TABLE["formula"])
SPLIT = next(KFold(4, shuffle=True, random_state=0).split(TABLE))
GROUPED = next(GroupKFold(4).split(TABLE, groups=COMPOUNDS))


def findings(X, kind, y=NUMBERS, **options):
    table = audit_leakage(X, y, **options).table
    return table[table["kind"] == kind].reset_index(drop=True)


class TestSplit:
    def test_random_split_has_compounds_on_both_sides(self):
        found = findings(TABLE, "split", split=SPLIT)
        about = found[found["evidence"].str.contains("compound")].iloc[0]
        train, test = SPLIT
        assert about["score"] == np.isin(COMPOUNDS[test], COMPOUNDS[train]).mean()
        assert about["severity"] == "caution"

    def test_grouped_split_has_none(self):
        assert findings(TABLE, "split", split=GROUPED).empty
        assert findings(TABLE, "split", split=GroupKFold(3), groups=COMPOUNDS).empty

    def test_the_list_that_train_test_split_returns_is_a_pair(self):
        found = findings(TABLE, "split", split=train_test_split(np.arange(N_ROWS), random_state=0))
        assert found["severity"].tolist() == ["caution"]

    def test_groups_on_both_sides_are_a_leak(self):
        found = findings(TABLE[CELL], "split", split=SPLIT, groups=COMPOUNDS)
        assert found["severity"].iloc[0] == "leak"
        assert "rows of their group" in found["evidence"].iloc[0]

    def test_crystals_in_another_setting_are_found(self):
        twins = TABLE.iloc[:50].copy()
        twins[["a", "b", "alpha", "beta"]] = twins[["b", "a", "beta", "alpha"]].to_numpy()
        twins["mean_number"] += 1
        both = pd.concat([TABLE.iloc[:500], twins], ignore_index=True)
        y = np.append(NUMBERS[:500], NUMBERS[:50])
        found = findings(both, "split", y=y, split=(np.arange(500), np.arange(500, 550)))
        about = found[found["evidence"].str.contains("second time")].iloc[0]
        assert about["severity"] == "leak"
        assert about["score"] == 1

    def test_nearly_equal_rows_whatever_their_identifier(self):
        X = np.random.RandomState(0).rand(300, 5)
        X[200:220] = X[:20] * (1 + 1e-6)
        frame = pd.DataFrame(X).assign(id=np.arange(300))
        found = findings(
            frame, "split", y=np.arange(300) % 3, split=(np.arange(200), np.arange(200, 300))
        )
        assert len(found) == 1
        assert 0.15 < found["score"].iloc[0] <= 0.2

    def test_rows_on_both_sides_themselves_and_masks(self):
        train = np.arange(N_ROWS) < 1500
        test = np.arange(N_ROWS) >= 1400
        found = findings(TABLE[["a"]], "split", split=(train, test))
        assert "themselves" in found["evidence"].iloc[0]
        assert found["score"].iloc[0] == 100 / (N_ROWS - 1400)

    def test_without_a_split_repetition_is_a_note(self):
        found = findings(TABLE, "split")
        assert set(found["severity"]) == {"note"}
        assert found["score"].iloc[-1] == pytest.approx(
            pd.Series(COMPOUNDS).duplicated(keep=False).mean()
        )

    def test_unreadable_formulas_and_cells_stand_alone(self):
        broken = TABLE.copy()
        broken.loc[:9, "formula"] = "La2-xSrxCuO4"
        broken.loc[10:19, "a"] = -1.0
        broken.loc[20:22, "formula"] = None
        found = findings(broken, "split")
        assert 0 < found["score"].iloc[-1] < 0.2

    def test_sodium_nitride_is_a_compound(self):
        formulas = ["NaN", "NaCl", "NaN", "KCl"]
        found = findings([[1], [2], [3], [4]], "split", y=[1, 2, 1, 2], formulas=formulas)
        assert found["score"].iloc[-1] == 0.5


class TestPreprocessing:
    frame = HONEST[["a", "b", "c", "mean_number", "v_formula", "anisotropy"]]

    def audit(self, values, split=SPLIT):
        values = pd.DataFrame(np.asarray(values))
        return findings(values, "preprocessing", split=split)

    def test_standardised_before_the_split(self):
        found = self.audit(StandardScaler().fit_transform(self.frame))
        assert found["columns"].tolist() == [tuple(range(6))]
        assert found["severity"].tolist() == ["leak"]
        assert "scaler" in found["remedy"].iloc[0]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_with_pandas_and_in_single_precision(self, dtype):
        scaled = ((self.frame - self.frame.mean()) / self.frame.std()).astype(dtype)
        assert len(self.audit(scaled)) == 1

    def test_fitted_on_the_training_rows_alone_leaves_no_trace(self):
        train = self.frame.iloc[SPLIT[0]]
        for step in (StandardScaler(), MinMaxScaler(), PCA()):
            assert self.audit(step.fit(train).transform(self.frame)).empty, step

    def test_raw_columns_leave_no_trace(self):
        assert self.audit(self.frame).empty
        assert findings(HONEST, "preprocessing").empty

    def test_without_a_split_it_is_a_caution(self):
        found = self.audit(StandardScaler().fit_transform(self.frame), split=None)
        assert found["severity"].tolist() == ["caution"]

    @pytest.mark.parametrize("limits", [(0, 1), (-1, 1)])
    def test_scaled_between_extremes(self, limits):
        found = self.audit(MinMaxScaler(limits).fit_transform(self.frame))
        assert len(found) == 1
        assert f"Minimum {limits[0]} and maximum 1" in found["evidence"].iloc[0]

    def test_imputed_by_the_mean_of_all_rows(self):
        values = self.frame.mask(np.random.RandomState(0).rand(*self.frame.shape) < 0.05)
        found = self.audit(SimpleImputer().fit_transform(values))
        assert found["columns"].tolist() == [tuple(range(6))]
        assert "mean of all others" in found["evidence"].iloc[0]
        honest = SimpleImputer().fit(values.iloc[SPLIT[0]]).transform(values)
        assert self.audit(honest).empty

    @pytest.mark.parametrize("whiten", [True, False])
    def test_principal_components_of_all_rows(self, whiten):
        found = self.audit(PCA(5, whiten=whiten).fit_transform(self.frame))
        assert "decomposition" in found["remedy"].iloc[-1]
        assert found["columns"].iloc[-1] == tuple(range(5))


class TestExactMetric:
    def test_deposited_cells_are_exact(self):
        found = findings(TABLE[CELL], "exact_metric")
        assert found["severity"].tolist() == ["caution"]
        a, b, c = TABLE[["a", "b", "c"]].to_numpy().T
        assert f"{np.mean((a == b) | (b == c)):.1%} of the cells" in found["evidence"].iloc[0]
        assert found["score"].iloc[0] > 2 * found["chance"].iloc[0]

    def test_jittered_cells_are_not(self):
        assert findings(jitter_cells(TABLE[CELL], random_state=0), "exact_metric").empty


class TestReport:
    report = audit_leakage(
        pd.concat([TABLE, LEAKING[["q_hall", "n_atoms"]]], axis=1), NUMBERS, split=SPLIT
    )

    def test_truth_length_and_columns(self):
        assert self.report
        assert len(self.report) == len(self.report.table)
        assert self.report.columns == ["q_hall", "n_atoms"]
        assert list(self.report.table.columns) == [
            *("severity", "kind", "columns", "score", "chance", "evidence", "remedy")
        ]

    def test_most_severe_first(self):
        ranks = self.report.table["severity"].map(["leak", "caution", "note"].index)
        assert ranks.is_monotonic_increasing

    def test_repr_says_columns_evidence_and_remedy(self):
        lines = repr(self.report).splitlines()
        assert lines[0].startswith(f"LeakageReport of {N_ROWS} rows: ")
        assert len(lines) == 1 + len(self.report)
        assert any("q_hall:" in line and "Drop it" in line for line in lines)

    def test_markdown_is_a_table(self):
        lines = self.report.to_markdown().splitlines()
        assert len(lines) == 2 + len(self.report)
        assert all(line.startswith("|") and line.endswith("|") for line in lines)

    def test_scores_of_all_columns(self):
        scores = self.report.scores
        assert scores["columns"].tolist() == [(name,) for name in [*TABLE, "q_hall", "n_atoms"]]
        hall = scores.set_index("columns").loc[[("q_hall",)]].iloc[0]
        assert hall["skill"] > 0.95
        assert hall["follows"] > 0.95
        assert hall["skill"] == pytest.approx(
            (hall["score"] - hall["chance"]) / (1 - hall["chance"])
        )

    def test_nothing_found(self):
        random = np.random.RandomState(0)
        report = audit_leakage(random.rand(100, 2), random.randint(2, size=100))
        assert not report
        assert repr(report) == "LeakageReport of 100 rows: nothing found"
