"""The audit names every leaking column of real and of deceptive tables, and no honest one."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.model_selection.leakage_tables import CELL, N_ROWS, cod

from crystalml.crystallography import (
    bravais_lattice,
    crystal_system,
    is_centrosymmetric,
    point_group,
    spacegroup_symbol,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import audit_leakage

HONEST, NUMBERS, LEAKING = cod()
TARGETS = {
    "space_group": NUMBERS,
    "symbol": spacegroup_symbol(NUMBERS),
    "bravais_lattice": bravais_lattice(NUMBERS),
    "point_group": point_group(NUMBERS),
    "crystal_system": crystal_system(NUMBERS),
    "centring": np.array([symbol[0] for symbol in spacegroup_symbol(NUMBERS)]),
}
each_target = pytest.mark.parametrize("target", list(TARGETS))


def flagged(*tables, y=NUMBERS, **options):
    return set(audit_leakage(pd.concat(tables, axis=1), y, **options).columns)


def noisy(frame, share=0.01):
    """Give a share of the rows of each column the value of another row."""
    random = np.random.RandomState(2)
    result = frame.copy()
    for name in result:
        values = result[name].to_numpy().copy()
        wrong = random.rand(len(values)) < share
        values[wrong] = random.permutation(values)[wrong]
        result[name] = values
    return result


class TestCODTable:
    @each_target
    def test_every_leaking_column_is_named_and_no_honest_one(self, target):
        assert flagged(HONEST, LEAKING, y=TARGETS[target]) == set(LEAKING)

    @each_target
    def test_an_honest_table_has_no_leak(self, target):
        report = audit_leakage(HONEST, TARGETS[target])
        assert not report
        assert report.columns == []
        assert set(report.table["severity"]) <= {"caution", "note"}

    def test_coarse_target_is_not_confused_with_the_metric(self):
        is_cubic = NUMBERS > 194
        assert flagged(HONEST, LEAKING, y=is_cubic) == set(LEAKING)
        assert not audit_leakage(HONEST, is_cubic)

    def test_without_cells_descriptors_of_the_metric_are_no_leaks(self):
        derived = HONEST.drop(columns=[*CELL, "volume"])
        assert not audit_leakage(derived, NUMBERS)
        report = audit_leakage(derived, NUMBERS > 194)
        assert not report
        assert (report.table["severity"] == "caution").any()
        assert "give cells" in report.table["evidence"].iloc[0]
        counted = {"n_atoms", "q_atoms_log", "q_units", "q_contents"}
        found = flagged(derived, LEAKING)
        assert set(LEAKING) - counted <= found <= set(LEAKING)

    def test_packaged_columns_that_the_data_set_derives_from_its_target(self):
        frame = load_cod_inorganic().frame.head(N_ROWS)
        report = audit_leakage(frame.drop(columns="spacegroup_number"), frame["spacegroup_number"])
        assert report.columns == ["n_atoms", "crystal_system", "bravais_lattice"]
        kinds = dict(zip(report.table["columns"], report.table["kind"], strict=True))
        assert kinds["n_atoms",] == "cell_contents"
        assert kinds["bravais_lattice",] == "symmetry"

    def test_whole_shared_table(self, shared_data):
        table = pd.read_csv(
            shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""]
        ).head(4000)
        report = audit_leakage(table.drop(columns="spacegroup_number"), table["spacegroup_number"])
        assert {"n_atoms", "formula_cell", "spacegroup_symbol"} <= set(report.columns)
        assert not {"formula", "volume", *CELL, "ordered", "chemical_system"} & set(report.columns)
        assert "source_id" not in report.columns


class TestEncodings:
    @pytest.mark.parametrize("drop", [None, "first"])
    def test_one_hot(self, drop):
        codes = pd.DataFrame({"spacegroup_hall": LEAKING["q_hall"]})
        encoder = OneHotEncoder(sparse_output=False, drop=drop).set_output(transform="pandas")
        encoded = encoder.fit_transform(codes)
        assert flagged(HONEST, encoded) == set(encoded)

    def test_one_hot_of_numbers_is_a_numbered_code_as_well(self):
        encoded = pd.get_dummies(pd.Series(LEAKING["q_system"], name="q"), prefix="part")
        encoded = encoded.astype(int)
        report = audit_leakage(pd.concat([HONEST[["formula", *CELL]], encoded], axis=1), NUMBERS)
        assert report.columns == list(encoded)
        assert report.scores["columns"].tolist()[-2:] == [tuple(encoded)] * 2

    def test_shuffled_nameless_scaled_one_hot_among_honest_logicals(self):
        encoded = pd.get_dummies(LEAKING["q_bravais"]).astype(float)
        honest = pd.DataFrame(
            {
                "heavy": (HONEST["mean_number"] > 40).astype(float),
                "oxygen": HONEST["has_oxygen"].astype(float),
            }
        )
        both = pd.concat([encoded, honest], axis=1).sample(frac=1, axis=1, random_state=3)
        array = StandardScaler().fit_transform(both)
        leaking = {f"x{k}" for k, name in enumerate(both) if name in set(encoded)}
        assert set(audit_leakage(array, NUMBERS, cells=HONEST[CELL]).columns) == leaking

    def test_bits_of_a_hash_of_symbols_in_many_settings(self):
        """A setting neither follows from the group nor do single bits determine it."""
        random = np.random.RandomState(4)
        setting = NUMBERS * 3 + random.randint(3, size=len(NUMBERS))
        bits = random.randint(2, size=(231 * 3, 20))[setting]
        named = pd.DataFrame(bits, columns=[f"hall_{k}" for k in range(20)])
        assert flagged(HONEST, named) == set(named)
        among = named.set_axis([f"feature_{k}" for k in range(20)], axis=1)
        bystanders = {"feature_20": HONEST["has_oxygen"], "feature_21": HONEST["n_elements"]}
        assert flagged(among.assign(**bystanders)) == set(among)

    def test_text_categories_booleans_and_missing_values(self):
        values = pd.Series(LEAKING["q_system"]).astype("Int64").mask(np.arange(N_ROWS) % 50 == 0)
        frame = HONEST.assign(
            one=LEAKING["q_point_group"].astype("category"), two=values, three=NUMBERS.astype(str)
        )
        assert flagged(frame) == {"one", "two", "three"}

    def test_label_encoded_target(self):
        y = np.random.RandomState(0).permutation(231)[NUMBERS]
        assert flagged(HONEST, LEAKING, y=y) == set(LEAKING)

    def test_given_space_groups_decide_where_the_target_does_not(self):
        y = is_centrosymmetric(NUMBERS)
        centring = LEAKING[["q_centring"]]
        assert flagged(HONEST, centring, y=y) == set()
        assert flagged(HONEST, centring, y=y, spacegroups=NUMBERS) == {"q_centring"}


class TestDeceptiveTables:
    def test_honest_columns_with_many_values(self):
        """Formulas, identifiers, papers and years predict their neighbours, and are honest."""
        random = np.random.RandomState(6)
        paper = np.sort(random.randint(N_ROWS // 3, size=N_ROWS))
        # Papers treat one family of structures: rows of a paper have alike space groups.
        order = np.lexsort((random.rand(N_ROWS), NUMBERS // 40))
        doi = np.empty(N_ROWS, dtype=object)
        doi[order] = [f"10.1000/{k}" for k in paper]
        honest = HONEST.assign(
            doi=doi,
            year=random.randint(1930, 2025, N_ROWS),
            author=[f"author {k}" for k in random.randint(400, size=N_ROWS)],
            temperature=random.choice([293.0, 295.0, 100.0, np.nan], N_ROWS),
        )
        assert not audit_leakage(honest, NUMBERS)

    def test_a_shuffled_leak_is_a_note(self):
        shuffled = LEAKING.sample(frac=1, random_state=7).reset_index(drop=True)
        shuffled = shuffled.rename(columns={"sgNumber": "spacegroup_number"})
        shuffled = shuffled.drop(columns=["q_scaled"])
        report = audit_leakage(pd.concat([HONEST, shuffled], axis=1), NUMBERS)
        assert not report
        notes = report.table[report.table["severity"] == "note"]
        about = notes.set_index("columns")["evidence"]
        assert "shuffled" in about["spacegroup_number",]
        assert "shuffled" in about["q_hall",]
        assert report.columns == []

    @pytest.mark.parametrize("target", ["space_group", "crystal_system", "centring"])
    def test_a_leak_with_one_wrong_row_in_a_hundred(self, target):
        encoded = noisy(LEAKING.filter(like="q_").iloc[:, :11]).drop(columns="q_scaled")
        assert flagged(HONEST, encoded, y=TARGETS[target]) == set(encoded)

    def test_a_leak_split_over_two_columns(self):
        halves = pd.DataFrame({"first": NUMBERS // 16, "second": NUMBERS % 16})
        assert flagged(HONEST, halves) == {"first", "second"}
        y = np.digitize(NUMBERS, [63, 195])
        hot = pd.DataFrame({"low": (y == 0).astype(int), "high": (y == 2).astype(int)})
        assert {"low", "high"} <= flagged(HONEST, hot, y=y)
        assert not audit_leakage(HONEST, y)

    def test_a_label_with_noise_added(self):
        blurred = NUMBERS + np.random.RandomState(8).normal(0, 0.01, N_ROWS)
        assert flagged(HONEST, pd.DataFrame({"blurred": blurred})) == {"blurred"}

    def test_names_that_promise_the_opposite_of_what_the_columns_hold(self):
        random = np.random.RandomState(11)
        honest = HONEST[["formula", *CELL, "volume"]].assign(
            Z=HONEST["mean_number"],  # the atomic number
            n_sites=random.randint(1, 500, N_ROWS),  # of the web
            hall_mobility=random.lognormal(size=N_ROWS),
            point_group_citations=random.randint(32, size=N_ROWS),
            centring_error=random.rand(N_ROWS),
            symmetry_operations_logged=random.choice([2, 4, 8, 16], N_ROWS),
        )
        innocent = {
            "sgNumber": "beamtime",
            "q_hashed": "checksum",
            "q_hall": "title",
            "q_point_group_code": "mean_radius",
            "q_centring": "colour",
            "q_operations": "detector_pixels",
            "q_units": "run",
            "q_contents": "comment",
        }
        leaking = LEAKING[list(innocent)].rename(columns=innocent)
        assert flagged(honest, leaking) == set(leaking)

    def test_z_by_name_alone_where_it_decides(self):
        """Without formulas and cells nothing is known of Z but its name, and what it tells."""
        frame = pd.DataFrame({"mean_number": HONEST["mean_number"], "Z": LEAKING["q_units"]})
        assert flagged(frame) == {"Z"}
        assert (
            flagged(frame.assign(Z=frame["Z"].sample(frac=1, random_state=0).to_numpy())) == set()
        )

    def test_a_leak_under_an_honest_name(self):
        hidden = HONEST.assign(gamma=60 + NUMBERS / 4)
        assert flagged(hidden) == {"gamma"}


class TestVolumes:
    def table(self):
        random = np.random.RandomState(9)
        atoms, volume = LEAKING["n_atoms"].to_numpy(), HONEST["volume"].to_numpy()
        mass = HONEST["mean_number"] * 2.3
        density = mass * atoms / volume * 1.6605
        wrong = random.rand(N_ROWS) < 0.01
        density[wrong] = random.permutation(density)[wrong]
        keep = ["formula", "cod_id", "mean_number", "n_elements", "has_oxygen"]
        return HONEST[keep].assign(atoms=atoms, mass=mass, q=density), volume

    def test_density_gives_the_volume_away_only_together_with_the_contents(self):
        frame, volume = self.table()
        report = audit_leakage(frame, volume)
        finding = report.table[report.table["kind"] == "target_formula"].iloc[0]
        assert {"atoms", "q"} < set(finding["columns"])
        assert finding["severity"] == "leak"
        assert finding["score"] > 0.9 > 0.2 > finding["chance"]
        honest = {"formula", "cod_id", "n_elements", "has_oxygen"}
        assert not honest & set(report.columns)
        assert audit_leakage(frame.drop(columns="q"), volume).columns == []

    def test_of_a_named_density_the_name_says_which_column_to_drop(self):
        frame, volume = self.table()
        named = frame.rename(columns={"q": "density"})
        assert audit_leakage(named, pd.Series(volume, name="volume")).columns == ["density"]

    def test_the_volume_in_another_unit(self):
        frame, volume = self.table()
        frame = frame.drop(columns="q").assign(nm3=volume / 1000, inverse=1 / volume)
        report = audit_leakage(frame, volume)
        assert report.columns == ["nm3", "inverse"]
        assert set(report.table["kind"][:2]) == {"determines_target"}

    def test_cells_give_volumes_by_arithmetic_which_is_a_caution(self):
        report = audit_leakage(HONEST[["formula", *CELL]], HONEST["volume"])
        assert not report
        caution = report.table[report.table["kind"] == "target_formula"].iloc[0]
        assert caution["severity"] == "caution"
        assert caution["columns"] == tuple(CELL)
        assert caution["score"] == 1


class TestInterface:
    def test_same_report_twice_and_for_any_number_of_jobs(self):
        frame = pd.concat([HONEST.iloc[:, :12], LEAKING.iloc[:, :3]], axis=1).head(600)
        first, second = (audit_leakage(frame, NUMBERS[:600], n_jobs=k) for k in (None, 2))
        pd.testing.assert_frame_equal(first.scores, second.scores)
        pd.testing.assert_frame_equal(first.table, second.table)

    def test_input_is_not_changed_and_global_generator_not_touched(self):
        frame = HONEST.iloc[:300, :10]
        copy = frame.copy()
        state = np.random.get_state()[1].copy()  # noqa: NPY002 - the one not to touch
        audit_leakage(frame, NUMBERS[:300])
        pd.testing.assert_frame_equal(frame, copy)
        assert (np.random.get_state()[1] == state).all()  # noqa: NPY002

    def test_arrays_and_sparse_matrices(self):
        array = np.column_stack([HONEST[CELL], NUMBERS])
        for X in (array, csr_array(array)):
            assert audit_leakage(X, NUMBERS, cells=HONEST[CELL]).columns == ["x6"]

    def test_columns_of_any_type(self):
        frame = pd.DataFrame(
            {
                "date": pd.date_range("2020-01-01", periods=60),
                "mapping": [{"a": 1}, None] * 30,
                "infinite": [np.inf, 1.0, 2.0] * 20,
                "unknown": np.nan,
                "logical": pd.array([True, None, False] * 20, dtype="boolean"),
                3: range(60),
            }
        )
        report = audit_leakage(frame, ["x", "y", "y"] * 20)
        assert report.columns == ["infinite", "logical"]

    def test_integers_with_many_values_are_numbers(self):
        y = np.arange(60) * 7
        report = audit_leakage(pd.DataFrame({"double": 2 * y}), y)
        assert report.columns == ["double"]
        assert "R^2" in report.table["evidence"].iloc[0]

    @pytest.mark.parametrize("n_rows", [60, 250])
    def test_small_tables(self, n_rows):
        honest = HONEST[["formula", *CELL, "volume", "cod_id", "ordered"]].head(n_rows)
        assert not audit_leakage(honest, NUMBERS[:n_rows])
        names = ["q_system", "q_point_group_code", "q_hashed"]
        hidden = pd.concat([honest, LEAKING[names].head(n_rows)], axis=1)
        assert audit_leakage(hidden, NUMBERS[:n_rows]).columns == names

    def test_own_estimator(self):
        frame = HONEST[["a"]].assign(code=NUMBERS > 100)
        report = audit_leakage(frame, NUMBERS > 100, estimator=GaussianNB())
        assert report.scores["score"].iloc[1] == 1
        assert report.columns == ["code"]

    def test_groups_hold_an_identifier_of_compounds_back(self):
        compound = np.arange(600) // 6
        y = np.random.RandomState(0).randint(1, 4, 100)[compound]
        frame = pd.DataFrame({"name": [f"compound {k}" for k in compound]})
        alone = audit_leakage(frame, y, task="classification")
        together = audit_leakage(frame, y, task="classification", groups=compound)
        assert alone.scores["score"].iloc[0] == 1
        assert together.scores["score"].iloc[0] < 0.6
        assert together.columns == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"task": "ranking"}, "task must be one of"),
            ({"n_folds": 1}, "n_folds must be an integer >= 2, got 1"),
            ({"max_samples": 10.0}, "max_samples must be an integer >= 100"),
            ({"random_state": -1}, "random_state must be an integer >= 0"),
            ({"formulas": ["NaCl"]}, f"{N_ROWS} rows and 1 formulas"),
            ({"cells": [[1, 1, 1, 90, 90, 90]]}, f"{N_ROWS} rows and 1 cells"),
            ({"cells": HONEST[["a", "b"]]}, "the table has no column 'c', 'alpha'"),
            ({"groups": [0]}, f"{N_ROWS} rows and 1 values of groups"),
            ({"spacegroups": np.full(N_ROWS, 231)}, "spacegroups must be numbers from 1 to 230"),
            ({"split": "half"}, "split must be a pair"),
            ({"split": ([0], [N_ROWS])}, f"split must hold row numbers from 0 to {N_ROWS - 1}"),
        ],
    )
    def test_bad_arguments(self, options, message):
        with pytest.raises(InvalidInputError, match=re.escape(message)):
            audit_leakage(HONEST[["a"]], NUMBERS, **options)

    def test_bad_tables_and_targets(self):
        with pytest.raises(InvalidInputError, match="more than one column 'a'"):
            audit_leakage(HONEST[["a", "a"]], NUMBERS)
        with pytest.raises(InvalidInputError, match="a table of rows and columns"):
            audit_leakage(np.zeros(3), [1, 2, 3])
        with pytest.raises(InvalidInputError, match=r"y has 1 missing values \(first: row 1\)"):
            audit_leakage([[1], [2]], [1.0, None])
        with pytest.raises(InvalidInputError, match="single value"):
            audit_leakage([[1], [2]], [1, 1])
        with pytest.raises(InvalidInputError, match="task='regression' needs numbers"):
            audit_leakage([[1], [2]], ["a", "b"], task="regression")
