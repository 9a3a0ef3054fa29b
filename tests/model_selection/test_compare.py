"""Comparisons: the same folds for all, nothing seen twice, nothing lost without a word."""

import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from crystalml import CellDescriptors, CompositionDescriptors
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import (
    COMPARISON_METRICS,
    compare_models,
    composition_groups,
    evaluate_probabilities,
    top_k_accuracy,
)

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]


class Witness(ClassifierMixin, BaseEstimator):
    """Writes down the rows and the groups of every fit, and knows nothing."""

    fits = []  # noqa: RUF012 - shared by all clones on purpose

    def fit(self, X, y, groups=None):
        self.fits.append((np.asarray(X)[:, 0].astype(int), np.asarray(y), groups))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Fragile(GaussianNB):
    """Raises an error where a certain row is among the training rows."""

    def fit(self, X, y):
        if (np.asarray(X)[:, 0] == 7).any():
            raise RuntimeError("row 7\nis too much")
        return super().fit(X, y)


@pytest.fixture
def fits():
    Witness.fits.clear()
    yield Witness.fits
    Witness.fits.clear()


@pytest.fixture(scope="module")
def data():
    """Return numbered rows with a signal, eight labels of unequal frequency, and groups."""
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 80, 400)
    y = np.minimum(generator.geometric(0.35, 80), 8)[groups] * 10
    y = np.where(generator.random(400) < 0.3, generator.choice(y, 400), y)
    signal = y[:, None] + generator.normal(0, 15, (400, 3))
    return np.column_stack([np.arange(400), signal]), y, groups


@pytest.fixture(scope="module")
def comparison(data):
    X, y, groups = data
    models = {"Bayes": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    return compare_models(models, X, y, groups=groups, random_state=0)


def test_no_group_is_on_both_sides_and_held_out_rows_are_never_seen(data, fits):
    X, y, groups = data
    result = compare_models({"w": Witness()}, X, y, groups=groups, random_state=1)
    fold = result.predictions["fold"].to_numpy()
    held_out = np.flatnonzero(fold == "hold-out")
    *folds, last = fits
    assert len(folds) == 5
    assert 0.15 < len(held_out) / 400 < 0.25
    for number, (seen, labels, seen_groups) in enumerate(folds, start=1):
        assert not np.isin(held_out, seen).any()
        tested = np.flatnonzero(fold == str(number))
        assert set(seen) | set(tested) | set(held_out) == set(range(400))
        assert not np.isin(groups[np.concatenate([tested, held_out])], groups[seen]).any()
        assert_array_equal(labels, y[seen])
        assert_array_equal(pd.factorize(seen_groups)[0], pd.factorize(groups[seen])[0])
    assert_array_equal(np.sort(last[0]), np.flatnonzero(fold != "hold-out"))


def test_folds_without_groups_are_stratified(data, fits):
    X, y, _ = data
    result = compare_models({"w": Witness()}, X, y, random_state=1)
    counts = pd.crosstab(result.predictions["y_true"], result.predictions["fold"])
    folds = counts.drop(columns="hold-out")
    assert (folds.max(axis=1) - folds.min(axis=1)).max() <= 1
    assert (counts["hold-out"] - counts.sum(axis=1) / 5).abs().max() < 1
    assert counts.sum().tolist() == [64] * 5 + [80]
    assert all(groups is None for _, _, groups in fits)


def test_every_model_meets_the_same_rows(data, fits):
    X, y, groups = data
    compare_models({"a": Witness(), "b": Witness()}, X, y, groups=groups, random_state=0)
    for first, second in zip(fits[::2], fits[1::2], strict=True):
        assert_array_equal(first[0], second[0])


def test_a_seed_decides_and_the_order_of_groups_does_not_leak(data):
    X, y, _ = data
    folds = [
        compare_models({"b": GaussianNB()}, X, y, random_state=seed).predictions["fold"].tolist()
        for seed in (0, 0, 1)
    ]
    assert folds[0] == folds[1] != folds[2]
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the one not to touch
    compare_models({"b": GaussianNB()}, X, y)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert folds[0][:6] != folds[0][6:12], "rows are shuffled"


@pytest.mark.parametrize("name", ["Bayes", "tree", "prior", "nearest_neighbour"])
def test_figures_are_those_of_the_predictions(comparison, name):
    predictions, labels = comparison.predictions, comparison.labels
    lines = comparison.fold_table[comparison.fold_table["model"] == name]
    assert lines["fold"].tolist() == ["1", "2", "3", "4", "5", "hold-out"]
    for line in lines.to_dict("records"):
        rows = (predictions["fold"] == line["fold"]).to_numpy()
        y_true, y_pred = predictions.loc[rows, "y_true"], predictions.loc[rows, name]
        y_proba = comparison.probabilities[name][rows]
        assert line["test_rows"] == rows.sum()
        assert line["accuracy"] == pytest.approx(accuracy_score(y_true, y_pred))
        for metric, score in (("precision", precision_score), ("recall", recall_score),
                              ("f1", f1_score)):  # fmt: skip
            for average in ("weighted", "macro"):
                expected = score(y_true, y_pred, average=average, zero_division=0)
                assert line[f"{metric}_{average}"] == pytest.approx(expected)
        fitted = ~predictions["fold"].isin([line["fold"], "hold-out"])
        seen = np.isin(labels, predictions["y_true"][fitted])
        assert not y_proba[:, ~seen].any()
        of_seen = {"y_proba": y_proba[:, seen], "labels": labels[seen]}
        for k in (3, 5):
            assert line[f"top_{k}_accuracy"] == top_k_accuracy(y_true, k=k, **of_seen)
        scores = evaluate_probabilities(y_true, **of_seen)
        assert line["log_loss"] == pytest.approx(scores["log_loss"])
        assert line["calibration_error"] == pytest.approx(scores["calibration_error"])
        assert line["fit_seconds"] > 0
        assert line["predict_seconds"] > 0
        assert line["error"] is None


def test_table_sums_the_folds_up(comparison):
    table, folds = comparison.table, comparison.fold_table
    assert comparison.models == ["Bayes", "tree", "prior", "nearest_neighbour"]
    assert comparison.baselines == ["prior", "nearest_neighbour"]
    assert table.columns.get_level_values(0).unique().tolist() == list(COMPARISON_METRICS)
    own = folds[(folds["model"] == "tree") & (folds["fold"] != "hold-out")]
    for metric in COMPARISON_METRICS:
        assert table.loc["tree", (metric, "mean")] == pytest.approx(own[metric].mean())
        assert table.loc["tree", (metric, "std")] == pytest.approx(own[metric].std())
    held_out = folds[folds["fold"] == "hold-out"].set_index("model")["accuracy"]
    assert_array_equal(table["accuracy", "hold_out"], held_out[table.index])
    assert not table.isna().any(axis=None)


def test_baselines_count_and_look_up(comparison, data):
    X, y, _ = data
    rows = (comparison.predictions["fold"] == "hold-out").to_numpy()
    frequent = pd.Series(y[~rows]).mode()[0]
    assert (comparison.predictions.loc[rows, "prior"] == frequent).all()
    scaled = StandardScaler().fit(X[~rows])
    one, others = scaled.transform(X[rows]), scaled.transform(X[~rows])
    nearest = ((one[:, None] - others) ** 2).sum(axis=2).argmin(axis=1)
    assert_array_equal(comparison.predictions.loc[rows, "nearest_neighbour"], y[~rows][nearest])


def test_a_model_that_fails_is_reported_and_the_others_go_on(data):
    X, y, _ = data
    models = {"fragile": Fragile(), "Bayes": GaussianNB()}
    result = compare_models(models, X, y, random_state=0)
    where = result.predictions["fold"][7]
    own = result.fold_table.query("model == 'fragile'").set_index("fold")
    failed = own["error"].notna()
    assert not failed[where]
    assert failed.sum() == 5
    assert set(own["error"][failed]) == {"RuntimeError: row 7 is too much"}
    assert np.isfinite(own["accuracy"][where])
    assert result.table.loc["fragile"].xs("mean", level="value").isna().all()
    assert result.table.loc["Bayes"].notna().all()
    known = result.predictions["fragile"].notna()
    assert_array_equal(known, result.predictions["fold"] == where)
    assert_array_equal(known, np.isfinite(result.probabilities["fragile"]).all(axis=1))
    (note,) = [note for note in result.notes if note.startswith("fragile")]
    assert note.endswith("RuntimeError: row 7 is too much")
    assert "n/a ± n/a" in result.to_markdown()
    assert result.ranking().index[-1] == "fragile"


def test_models_without_probabilities_have_the_other_figures(data):
    X, y, _ = data
    result = compare_models({"ridge": RidgeClassifier()}, X, y, random_state=0)
    row = result.table.loc["ridge"]
    assert np.isfinite(row["f1_macro"]).all()
    assert row[["top_3_accuracy", "log_loss", "calibration_error"]].isna().all()
    assert np.isnan(result.probabilities["ridge"]).all()
    assert "ridge has no predict_proba, and so no metrics of probabilities." in result.notes


def test_slow_models_learn_from_fewer_rows_in_proportion(data, fits):
    X, y, groups = data
    result = compare_models(
        {"few": Witness(), "all": Witness()}, X, y, groups=groups, max_rows={"few": 100},
        random_state=0,
    )  # fmt: skip
    for few, every in zip(fits[::2], fits[1::2], strict=True):
        assert len(few[0]) == len(set(few[0])) == len(few[2]) == 100
        assert set(few[0]) <= set(every[0])
        assert_array_equal(pd.factorize(few[2])[0], pd.factorize(groups[few[0]])[0])
        for label in np.unique(y):
            share = (every[1] == label).sum() * 100 / len(every[1])
            assert abs((few[1] == label).sum() - share) < 1
    table = result.fold_table
    assert (table.loc[table["model"] == "few", "train_rows"] == 100).all()
    assert (table.loc[table["model"] == "prior", "train_rows"] > 100).all()
    assert sum("few was fitted on 100 rows drawn from" in note for note in result.notes) == 1
    everything = compare_models({"w": Witness()}, X, y, max_rows=50, random_state=0)
    assert (everything.fold_table["train_rows"] == 50).all()


@pytest.mark.parametrize("policy", ["keep", "drop", "merge"])
def test_rare_classes_follow_the_policy_and_are_counted(data, policy):
    X, y, _ = data
    y = np.concatenate([y[:-3], [990, 991, 991]])
    result = compare_models(
        {"b": GaussianNB()}, X, y, rare_classes=policy, merged_label=0, random_state=0
    )
    report, true = result.report, result.predictions["y_true"]
    assert report["rows"] == 400
    assert report["classes"] == len(np.unique(y))
    assert result.rare_classes.loc[991, "rows"] == 2
    if policy == "keep":
        assert report["rows_used"] == 400
        # The single row always, and the pair only where both are held out together.
        assert report["rows_of_unseen_classes"] >= 1
        assert any("had not seen their class" in note for note in result.notes)
    else:
        assert report["rows_used"] == (397 if policy == "drop" else 400)
        assert not true.isin([990, 991]).any()
        assert (true == 0).any() == (policy == "merge")
        assert any(note.startswith("Rare classes") and "with 3 rows" in note
                   for note in result.notes)  # fmt: skip


def test_the_transformer_learns_from_training_rows_only(data, fits):
    X, y, _ = data

    class Recorder(StandardScaler):
        seen = []  # noqa: RUF012

        def fit(self, X, y=None, sample_weight=None):
            self.seen.append(len(X))
            return super().fit(X, y)

    result = compare_models({"b": GaussianNB()}, X, y, transformer=Recorder(), random_state=0)
    assert Recorder.seen == result.fold_table["train_rows"][:6].tolist()


def test_a_table_of_crystals_with_text_and_missing_formula_like_names():
    table, y = load_cod_inorganic(return_X_y=True)
    table, y = table.head(400).copy(), y.head(400)
    table.iloc[3, table.columns.get_loc("formula")] = "NaN"
    groups = composition_groups(table["formula"], by="chemical_system")
    describe = make_column_transformer(
        (CellDescriptors(), CELL), (CompositionDescriptors(), ["formula"])
    )
    forest = ExtraTreesClassifier(10, random_state=0)
    result = compare_models(
        {"inside": make_pipeline(describe, forest)}, table, y, groups=groups, random_state=0
    )
    before = compare_models(
        {"inside": forest}, table, y, groups=groups, transformer=describe, random_state=0
    )
    pd.testing.assert_series_equal(result.predictions["inside"], before.predictions["inside"])
    assert result.fold_table["error"].isna().all(), "the baseline uses the numeric columns"
    assert result.table["accuracy"]["mean"]["inside"] > result.table["accuracy"]["mean"]["prior"]
    assert result.report["groups"] == len(set(groups))


def test_groups_reach_searches_and_the_last_step(data):
    X, y, groups = data
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [2, 4]}, cv=GroupKFold(3)
    )
    models = {"search": search, "step": make_pipeline(StandardScaler(), search)}
    result = compare_models(models, X, y, groups=groups, random_state=0)
    assert result.fold_table["error"].isna().all()
    assert_array_equal(result.predictions["search"], result.predictions["step"])


@pytest.mark.parametrize("container", [pd.DataFrame, csr_array, np.ndarray.tolist])
def test_containers_and_text_labels(data, container):
    X, y, _ = data
    X = X[:, 1:]
    labels = np.array([f"group {label}" for label in y])
    tree = {"tree": DecisionTreeClassifier(max_depth=4, random_state=0)}
    expected = compare_models(tree, X, y, random_state=0)
    result = compare_models(tree, container(X), labels.tolist(), random_state=0)
    assert result.predictions["tree"].tolist() == [
        f"group {label}" for label in expected.predictions["tree"]
    ]
    assert_allclose(result.probabilities["tree"], expected.probabilities["tree"])


def test_splitters_and_no_hold_out(data):
    X, y, groups = data
    result = compare_models(
        {"b": GaussianNB()}, X, y, cv=KFold(3, shuffle=True, random_state=0), test_size=None
    )
    assert result.report["rows_held_out"] == 0
    assert result.report["folds"] == 3
    assert result.table["accuracy", "hold_out"].isna().all()
    assert "held out |" not in result.to_markdown()
    single = compare_models({"b": GaussianNB()}, X, y, cv=[(range(200), range(200, 250))])
    assert single.predictions["fold"].isna().sum() == 320 - 50
    assert single.predictions["b"].notna().sum() == 50 + 80
    with pytest.raises(InvalidInputError, match="rows of one group on both sides"):
        compare_models({"b": GaussianNB()}, X, y, groups=groups, cv=[(range(150), range(150, 300))])


def test_size_of_the_hold_out(data):
    X, y, _ = data
    for size, rows in ((0.25, 100), (0.3, 120), (0.5, 200), (0.05, 20)):
        result = compare_models({"b": GaussianNB()}, X, y, test_size=size, cv=2, random_state=0)
        assert result.report["rows_held_out"] == rows


def test_jobs_change_nothing_but_the_time(data, comparison):
    X, y, groups = data
    models = {"Bayes": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0)}
    with parallel_config("threading"):
        result = compare_models(models, X, y, groups=groups, random_state=0, n_jobs=2)
    pd.testing.assert_frame_equal(result.predictions, comparison.predictions)


def test_progress_counts_the_fits(data, capsys):
    X, y, _ = data
    compare_models({"b": GaussianNB()}, X, y, cv=2, random_state=0, progress=True)
    assert "9/9" in capsys.readouterr().err
    compare_models({"b": GaussianNB()}, X, y, cv=2, random_state=0)
    assert capsys.readouterr().err == ""


def test_ranking_knows_which_end_is_best(comparison):
    for metric, best in (("accuracy", "max"), ("log_loss", "min"), ("calibration_error", "min")):
        means = comparison.ranking(metric)["mean"]
        assert means.iloc[0] == getattr(means, best)()
        assert means.is_monotonic_decreasing == (best == "max")
    with pytest.raises(InvalidInputError, match=r"metrics must be of .*, got 'f2'"):
        comparison.ranking("f2")


def test_markdown(comparison):
    text = comparison.to_markdown(["accuracy", "fit_seconds"], digits=2)
    header, rule, *lines = text.split("\n\n")[0].splitlines()
    assert header == "| model | accuracy | held out | time to fit, s | held out |"
    assert rule == "| --- | ---: | ---: | ---: | ---: |"
    mean, std, held_out = comparison.table.loc["Bayes", "accuracy"]
    assert lines[0].startswith(f"| Bayes | {mean:.2f} ± {std:.2f} | {held_out:.2f} | 0.")
    assert len(lines) == 4
    notes = text.split("\n\n")[1].splitlines()
    assert notes == [f"- {note}" for note in comparison.notes]
    with pytest.raises(InvalidInputError, match="got 'accuracy'"):
        comparison.to_markdown("accuracy")


def test_result_can_be_kept(comparison):
    again = pickle.loads(pickle.dumps(comparison))
    pd.testing.assert_frame_equal(again.table, comparison.table)
    assert repr(again) == repr(comparison)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"models": {}}, "models must be a dict from name to classifier"),
        ({"models": [GaussianNB()]}, "models must be a dict"),
        ({"models": {"prior": GaussianNB()}}, "'prior' cannot be the name of a model"),
        ({"models": {1: GaussianNB()}}, "1 cannot be the name"),
        ({"models": {"b": GaussianNB}}, "must be a classifier with fit and predict"),
        ({"models": {"s": StandardScaler()}}, "must be a classifier with fit and predict"),
        ({"y": [1, 2]}, "400 rows, 2 labels"),
        ({"groups": [1, 2]}, "400 labels and 2 groups"),
        ({"groups": [None] * 400}, "groups has 400 missing labels"),
        ({"groups": [0, 1] * 200}, "cv=5 folds need as many groups"),
        ({"test_size": 0.01}, "test_size must be None or between 0.05 and 0.5, got 0.01"),
        ({"test_size": "some"}, "got 'some'"),
        ({"max_rows": 0}, "max_rows must be a number of rows"),
        ({"max_rows": {"c": 10}}, r"max_rows names \['c'\]"),
        ({"cv": 500}, "cv=500 folds need as many rows"),
    ],
)
def test_bad_input_is_named(data, arguments, reason):
    X, y, _ = data
    arguments = {"models": {"b": GaussianNB()}, "X": X, "y": y} | arguments
    models, X, y = (arguments.pop(name) for name in ("models", "X", "y"))
    with pytest.raises(InvalidInputError, match=f"compare_models: .*{reason}"):
        compare_models(models, X, y, **arguments)
    Witness.fits.clear()


def test_missing_labels_are_named(data):
    X, y, _ = data
    with pytest.raises(InvalidInputError, match="y has 1 missing labels"):
        compare_models({"b": GaussianNB()}, X, [None, *map(str, y[1:])])
