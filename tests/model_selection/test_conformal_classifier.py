"""Prediction sets as their users see them: coverage, groups, lists, pickle, tables."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml import CellDescriptors
from crystalml.crystallography import metric_symmetry
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.model_selection import (
    ConformalClassifier,
    TemperatureScaledClassifier,
    composition_groups,
    set_coverage,
    symmetry_labels,
)

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]


@parametrize_with_checks(
    [
        ConformalClassifier(LogisticRegression(), cv=2),
        ConformalClassifier(LogisticRegression(), cv=2, ensemble=True),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def easy():
    return make_classification(
        3000, n_classes=5, n_informative=5, n_redundant=0, flip_y=0.1, random_state=0
    )


@pytest.fixture(scope="module")
def crystals():
    table, y = load_cod_inorganic(return_X_y=True)
    groups = composition_groups(table["formula"], by="chemical_system")
    return table.head(4000), y.head(4000).to_numpy(), groups[:4000]


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
@pytest.mark.parametrize("cv", [5, ShuffleSplit(1, test_size=0.5, random_state=0)])
def test_coverage_on_new_rows(easy, method, cv):
    X, y = easy
    model = ConformalClassifier(GaussianNB(), method=method, cv=cv, allow_empty=True)
    model.fit(X[:1500], y[:1500])
    report = set_coverage(y[1500:], model.predict_set_mask(X[1500:]), labels=model.classes_)
    assert report["coverage"].item() == pytest.approx(0.9, abs=0.03)
    more = set_coverage(
        y[1500:], model.predict_set_mask(X[1500:], coverage=0.98), labels=model.classes_
    )
    assert more["coverage"].item() == pytest.approx(0.98, abs=0.02)
    assert more["mean_size"].item() > report["mean_size"].item()


def test_a_coverage_asked_for_later_equals_one_asked_for_at_once(easy):
    X, y = easy
    later = ConformalClassifier(GaussianNB()).fit(X, y).predict_set_mask(X, coverage=0.7)
    at_once = ConformalClassifier(GaussianNB(), coverage=0.7).fit(X, y).predict_set_mask(X)
    assert_array_equal(later, at_once)


def test_lists_are_the_sets_in_the_order_of_probability(easy):
    X, y = easy
    names = np.array(["P1", "P-1", "Pnma", "Fm-3m", "R-3c"])[y]
    model = ConformalClassifier(GaussianNB(), coverage=0.97).fit(X, names)
    mask, y_proba = model.predict_set_mask(X), model.predict_proba(X)
    lists = model.predict_set(X)
    assert len(lists) == len(X)
    for row in range(200):
        assert set(lists[row]) == set(model.classes_[mask[row]])
        probabilities = y_proba[row, np.searchsorted(model.classes_, lists[row])]
        assert (np.diff(probabilities) <= 0).all()
    assert lists[0][0] == model.predict(X[:1])[0]


def mean_coverage(crystals, **parameters):
    """Coverage of each crystal system in new chemical systems, on average over four splits."""
    table, y, groups = crystals
    describe = make_column_transformer((CellDescriptors(), CELL), ("passthrough", ["n_atoms"]))
    X = describe.fit_transform(table)
    forest = ExtraTreesClassifier(20, min_samples_leaf=5, random_state=0)
    reports = []
    for train, test in GroupShuffleSplit(4, test_size=0.4, random_state=0).split(y, y, groups):
        model = ConformalClassifier(forest, cv=2, **parameters)
        model.fit(X[train], y[train], groups=groups[train])
        sets, systems = model.predict_set_mask(X[test]), symmetry_labels(y[test], "crystal_system")
        reports.append(set_coverage(y[test], sets, labels=model.classes_, groups=systems))
    return pd.concat(reports).groupby(level=0).mean()


def test_crystal_systems_are_each_covered_in_new_chemical_systems(crystals):
    report = mean_coverage(crystals, mondrian="crystal_system")
    assert len(report) == 8
    # A system has some 60 to 400 rows in a split, on either side.
    assert abs(report["coverage"] - 0.9).max() < 0.045
    assert report.loc["all", "coverage"] == pytest.approx(0.9, abs=0.02)
    assert report["mean_size"].max() < 60, "no system is listed as a whole"
    plain = mean_coverage(crystals)
    assert plain.loc["all", "coverage"] == pytest.approx(0.9, abs=0.02)
    assert plain.loc["orthorhombic", "coverage"] < 0.87, "one threshold does not do it"
    assert plain.loc["cubic", "coverage"] > 0.93


def allows_cubic(X):
    """Group of a row by its metric alone."""
    return np.where(metric_symmetry(X[CELL])[:, -3:].any(axis=1), "cubic metric", "other metric")


def test_groups_of_rows_by_a_function_of_the_row(crystals):
    table, y, groups = crystals
    forest = make_pipeline(
        make_column_transformer((CellDescriptors("metric_symmetry"), CELL)),
        ExtraTreesClassifier(15, min_samples_leaf=3, random_state=0),
    )
    model = ConformalClassifier(forest, mondrian=allows_cubic, cv=2)
    model.fit(table[:2000], y[:2000], groups=groups[:2000])
    new = table[2000:]
    report = set_coverage(
        y[2000:], model.predict_set_mask(new), labels=model.classes_, groups=allows_cubic(new)
    )
    assert (abs(report["coverage"] - 0.9) < 0.04).all()
    assert list(model.threshold_.index) == ["cubic metric", "other metric"]
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_set_mask(new), model.predict_set_mask(new))


def test_labels_unseen_in_a_fold_score_infinity_and_are_made_up_for():
    X = np.arange(60.0)[:, None]
    y = np.repeat([2, 14], 30)
    y[[0, 30]] = 62, 225
    model = ConformalClassifier(GaussianNB(var_smoothing=0.1), coverage=0.9).fit(X, y)
    assert np.isinf(model.calibration_scores_).nonzero()[0].tolist() == [0, 30]
    assert np.isfinite(model.threshold_)
    everything = model.predict_set_mask(X, coverage=0.98)
    assert everything.all(), "2 of 60 labels are unseen: no shorter list covers 98 %"
    assert model.classes_.tolist() == [2, 14, 62, 225]


def test_a_small_group_lists_all_of_its_labels():
    X = np.arange(103.0)[:, None]
    y = np.repeat([14, 62, 225], [50, 50, 3])
    model = ConformalClassifier(GaussianNB(), mondrian="crystal_system").fit(X, y)
    assert model.threshold_["cubic"] == np.inf
    assert np.isfinite(model.threshold_[["monoclinic", "orthorhombic"]]).all()
    assert model.predict_set_mask(X)[:, 2].all()


def test_a_group_that_the_calibration_did_not_meet_lists_everything(easy):
    X, y = easy
    model = ConformalClassifier(GaussianNB(), mondrian=lambda X: X[:, 0] > 100).fit(X, y)
    assert not model.predict_set_mask(X[:5]).all()
    X_new = X[:5].copy()
    X_new[0, 0] = 101
    assert model.predict_set_mask(X_new)[0].all()


def test_groups_of_the_splitter_reach_it(crystals):
    table, y, groups = crystals
    X = table[CELL].head(300).to_numpy()
    model = ConformalClassifier(GaussianNB(var_smoothing=1e-3), cv=GroupKFold(3))
    with pytest.raises(ValueError, match="groups"):
        model.fit(X, y[:300])
    model.fit(X, y[:300], groups=groups[:300])
    assert len(model.calibration_scores_) == 300


def test_frequencies_order_the_labels_that_the_estimator_finds_impossible():
    generator = np.random.default_rng(0)
    y = np.repeat([1, 2, 14, 15, 62], [120, 60, 30, 10, 5])
    X = generator.random((len(y), 2))  # says nothing of y
    forest = ExtraTreesClassifier(2, random_state=0)
    plain = ConformalClassifier(forest, prior_weight=0).fit(X, y)
    assert plain.predict_set_mask(X).all(), "the true label is impossible too often"
    model = ConformalClassifier(forest).fit(X, y)
    np.testing.assert_allclose(model.class_prior_, np.array([120, 60, 30, 10, 5]) / 225)
    new = generator.random((500, 2))
    mask = model.predict_set_mask(new)
    assert mask[:, :2].mean() > mask[:, 2:4].mean() > mask[:, 4].mean()
    np.testing.assert_array_equal(model.predict_proba(new), plain.predict_proba(new))


def test_split_conformal_uses_the_held_out_rows_only(easy):
    X, y = easy
    model = ConformalClassifier(GaussianNB(), cv=ShuffleSplit(1, test_size=0.3, random_state=0))
    model.fit(X, y)
    assert len(model.calibration_scores_) == 900
    assert model.estimator_.class_count_.sum() == 2100
    np.testing.assert_allclose(model.class_prior_, model.estimator_.class_prior_)


def test_composes_with_calibration_and_search(easy):
    X, y = pd.DataFrame(easy[0]).add_prefix("x"), easy[1]
    model = ConformalClassifier(TemperatureScaledClassifier(GaussianNB(), cv=2), cv=2)
    search = GridSearchCV(model, {"estimator__estimator__var_smoothing": [1e-9, 10.0]}, cv=2)
    search.fit(X, y)
    assert search.best_params_ == {"estimator__estimator__var_smoothing": 1e-9}
    assert search.best_estimator_.feature_names_in_.tolist() == list(X.columns)
    assert search.predict(X).shape == (3000,)


@pytest.mark.parametrize(
    ("parameters", "error", "reason"),
    [
        ({"coverage": 1.0}, InvalidInputError, "'coverage' parameter of ConformalClassifier"),
        ({"method": "APS"}, InvalidInputError, "'method' parameter"),
        ({"mondrian": "lattice"}, InvalidInputError, "'mondrian' parameter"),
        ({"mondrian": lambda X: X}, InvalidInputError, r"shape \(3000, 20\) for 3000 rows"),
        ({"mondrian": "crystal_system"}, SpaceGroupError, "0"),
        ({"prior_weight": 1}, InvalidInputError, "'prior_weight' parameter"),
        ({"cv": []}, InvalidInputError, "holds no row out"),
    ],
)
def test_wrong_parameters(easy, parameters, error, reason):
    with pytest.raises(error, match=reason):
        ConformalClassifier(GaussianNB()).set_params(**parameters).fit(*easy)


class TestEnsemble:
    # The random shares of "aps" differ from fold to fold, which errs on the side of caution.
    @pytest.mark.parametrize(("method", "tolerance"), [("lac", 0.03), ("aps", 0.05)])
    def test_coverage_on_new_rows(self, easy, method, tolerance):
        X, y = easy
        model = ConformalClassifier(GaussianNB(), method=method, ensemble=True, allow_empty=True)
        model.fit(X[:1500], y[:1500])
        assert len(model.fold_models_) == 5
        for coverage in (0.7, 0.9):
            sets = model.predict_set_mask(X[1500:], coverage)
            report = set_coverage(y[1500:], sets, labels=model.classes_)
            assert report["coverage"].item() == pytest.approx(coverage, abs=tolerance)

    @pytest.mark.parametrize("mondrian", [None, "space_group", lambda X: X[:, 0] > 0])
    def test_of_one_split_it_is_the_same(self, easy, mondrian):
        X, y = easy
        options = {"cv": ShuffleSplit(1, test_size=0.5, random_state=0), "mondrian": mondrian}
        plain = ConformalClassifier(GaussianNB(), **options).fit(X, y + 1)
        ensemble = ConformalClassifier(GaussianNB(), ensemble=True, **options).fit(X, y + 1)
        for coverage in (0.5, 0.9, 0.99):
            assert_array_equal(
                plain.predict_set_mask(X, coverage), ensemble.predict_set_mask(X, coverage)
            )

    def test_of_equal_models_it_is_the_same(self, easy):
        X, y = easy
        options = {"prior_weight": 0, "allow_empty": True}
        frozen = FrozenEstimator(GaussianNB().fit(X[:1000], y[:1000]))
        plain = ConformalClassifier(frozen, **options).fit(X[1000:], y[1000:])
        ensemble = ConformalClassifier(frozen, ensemble=True, **options).fit(X[1000:], y[1000:])
        assert_array_equal(plain.predict_set_mask(X), ensemble.predict_set_mask(X))

    def test_a_label_unknown_to_a_fold_is_listed_only_where_the_others_cannot_exclude_it(self):
        X = np.repeat(np.arange(2.0), 100)[:, None]
        y = np.append(np.repeat([1, 2], 100)[:-1], 3)  # the one row of 3 is in one fold
        model = ConformalClassifier(GaussianNB(var_smoothing=0.1), ensemble=True, prior_weight=0)
        model.fit(X, y)
        assert sum(3 not in fold.classes_ for fold in model.fold_models_) == 1
        assert [s.tolist() for s in model.predict_set([[0.0], [1.0]])] == [[1], [2]]

    def test_pickle(self, easy):
        X, y = easy
        model = ConformalClassifier(GaussianNB(), ensemble=True, cv=2).fit(X, y)
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(model.predict_set_mask(X[:50]), again.predict_set_mask(X[:50]))
