"""Two stages: the joint probability, what the second stage is fitted on, labels, metadata."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import crystalml
from crystalml import CellDescriptors, CompositionDescriptors
from crystalml.crystallography import bravais_lattice, crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import composition_groups, top_k_accuracy
from crystalml.symmetry import BravaisSpaceGroupClassifier

# Lattices aP, mP, mS, oP and cF; the first and the third have a single group.
NUMBERS = np.array([2, 4, 14, 15, 19, 33, 62, 216, 225, 227])
# Given as pairs, since KFold warns that it ignores groups.
FOLDS_OF_ROWS = list(KFold(3, shuffle=True, random_state=0).split(np.empty(240)))
STAGES = pytest.mark.parametrize("second_stage", ["soft", "one_hot", "per_bravais"])


@pytest.fixture(scope="module")
def blobs():
    """Descriptors with some overlap, and labels of unequal frequency."""
    rng = np.random.default_rng(0)
    y = rng.choice(NUMBERS, 240, p=rng.dirichlet(np.full(len(NUMBERS), 20.0)))
    centres = dict(zip(NUMBERS, rng.normal(size=(len(NUMBERS), 4)), strict=True))
    X = np.array([centres[number] for number in y]) + rng.normal(scale=0.7, size=(240, 4))
    return X, y


def two_stages(bravais=None, space_group=None, **parameters):
    """A quick classifier: naive Bayes in both stages unless told otherwise."""
    return BravaisSpaceGroupClassifier(
        GaussianNB() if bravais is None else bravais,
        GaussianNB() if space_group is None else space_group,
        **{"cv": 3, **parameters},
    )


class Recorder(ClassifierMixin, BaseEstimator):
    """Answers with class frequencies and keeps what fit was given."""

    def fit(self, X, y, sample_weight=None, groups=None):
        self.X_, self.y_, self.sample_weight_, self.groups_ = X, y, sample_weight, groups
        self.classes_, counts = np.unique(y, return_counts=True)
        self.frequency_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.frequency_, (len(X), 1))


class Forgetful(Recorder):
    """Gives no probability to the last of its classes."""

    def predict_proba(self, X):
        return np.tile(np.append(np.full(len(self.classes_) - 1, 1.0), 0.0), (len(X), 1))


class RefusesKnownGroups(Recorder):
    """Raises when it is to predict a row whose first column was among the training rows."""

    def predict_proba(self, X):
        assert not np.isin(X[:, 0], self.X_[:, 0]).any()
        return super().predict_proba(X)


class TestJointProbability:
    @STAGES
    def test_equals_the_sum_over_lattices_by_hand(self, blobs, second_stage):
        X, y = blobs
        second = LogisticRegression()
        model = two_stages(None, second, second_stage=second_stage, min_count=1).fit(X, y)
        of_lattices = model.bravais_estimator_.predict_proba(X)
        lattices = list(model.bravais_classes_)
        second = model.space_group_estimator_
        expected = np.zeros((len(X), len(model.classes_)))
        for i, row in enumerate(X):
            for b, lattice in enumerate(lattices):
                if second_stage == "per_bravais":
                    known, asked = row, second[lattice]
                else:
                    mark = of_lattices[i] if second_stage == "soft" else np.eye(len(lattices))[b]
                    known, asked = np.append(row, mark), second
                answer = dict(zip(asked.classes_, asked.predict_proba([known])[0], strict=True))
                members = [g for g in model.classes_ if bravais_lattice(int(g)) == lattice]
                total = sum(answer[g] for g in members)
                for g in members:
                    column = list(model.classes_).index(g)
                    expected[i, column] += of_lattices[i, b] * answer[g] / total
        assert_allclose(model.predict_proba(X), expected, rtol=1e-9, atol=1e-12)

    @STAGES
    def test_adds_up(self, blobs, second_stage):
        X, y = blobs
        model = two_stages(second_stage=second_stage).fit(X, y)
        proba, of_lattices = model.predict_proba(X), model.predict_bravais_proba(X)
        assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
        assert_array_equal(model.bravais_of_classes_, bravais_lattice(model.classes_))
        for column, lattice in enumerate(model.bravais_classes_):
            inside = model.bravais_of_classes_ == lattice
            assert_allclose(proba[:, inside].sum(axis=1), of_lattices[:, column], atol=1e-12)

    @STAGES
    def test_is_zero_in_a_lattice_that_is_excluded(self, blobs, second_stage):
        model = two_stages(Forgetful(), second_stage=second_stage).fit(*blobs)
        excluded = model.bravais_of_classes_ == model.bravais_classes_[-1]
        proba = model.predict_proba(blobs[0])
        assert (proba[:, excluded] == 0).all()
        assert (proba[:, ~excluded] > 0).any(axis=0).all()

    @STAGES
    @pytest.mark.parametrize("consistent", [True, False])
    def test_depends_on_the_row_alone(self, blobs, second_stage, consistent):
        X, y = blobs
        model = two_stages(second_stage=second_stage, consistent=consistent).fit(X, y)
        proba = model.predict_proba(X[:40])
        order = np.random.default_rng(0).permutation(40)
        assert_allclose(model.predict_proba(X[order]), proba[order], rtol=1e-12)
        single = np.vstack([model.predict_proba(row[None, :]) for row in X[:40]])
        assert_allclose(single, proba, rtol=1e-12, atol=1e-15)

    def test_inconsistent_soft_is_the_answer_of_the_second_stage(self, blobs):
        X, y = blobs
        model = two_stages(consistent=False, min_count=1).fit(X, y)
        joined = np.hstack([X, model.predict_bravais_proba(X)])
        assert_allclose(model.predict_proba(X), model.space_group_estimator_.predict_proba(joined))

    def test_inconsistent_cascade_follows_the_most_probable_lattice(self, blobs):
        X, y = blobs
        cascade = two_stages(second_stage="per_bravais", consistent=False).fit(X, y)
        exact = two_stages(second_stage="per_bravais").fit(X, y)
        chosen = cascade.predict_bravais(X)
        assert_array_equal(bravais_lattice(cascade.predict(X)), chosen)
        inside = cascade.bravais_of_classes_ == chosen[:, None]
        share = np.where(inside, exact.predict_proba(X), 0)
        share /= share.sum(axis=1, keepdims=True)
        assert_allclose(cascade.predict_proba(X), share, atol=1e-12)

    def test_lattice_that_the_second_stage_excludes_is_shared_by_frequency(self):
        X, y = np.zeros((10, 1)), np.array([2, 2, 2, 2, 2, 2, 225, 225, 225, 227])
        model = two_stages(DummyClassifier(), Forgetful(), second_stage="soft", min_count=1)
        # The classes are 2, 225, 227; all of the second stage goes to the first two.
        assert_allclose(model.fit(X, y).predict_proba(X[:1]), [[0.6, 0.4, 0.0]])
        y = np.array([2, 2, 2, 2, 2, 2, 216, 225, 225, 227])
        model = two_stages(DummyClassifier(), OnlyFirst(), min_count=1).fit(X, y)
        assert_allclose(model.predict_proba(X[:1]), [[0.6, 0.1, 0.2, 0.1]])

    @pytest.mark.parametrize(
        ("second_stage", "consistent"),
        [("soft", True), ("one_hot", True), ("per_bravais", True), ("per_bravais", False)],
    )
    def test_ranking_in_a_lattice_that_the_first_stage_excludes(
        self, blobs, second_stage, consistent
    ):
        parameters = {"second_stage": second_stage, "consistent": consistent, "min_count": 1}
        X, y = blobs
        model = two_stages(OnlyFirst(), **parameters).fit(X, y)
        assert set(model.predict_bravais(X)) == {"aP"}
        ranked = model.rank(X, k=9, allowed=["mP", "oP"])
        assert set(ranked["spacegroup_number"]) == {4, 14, 19, 33, 62}
        sums = ranked.pivot_table("probability", "row", "crystal_system", aggfunc="sum")
        frequency = np.isin(y, [4, 14]).sum() / np.isin(y, [4, 14, 19, 33, 62]).sum()
        assert_allclose(sums["monoclinic"], frequency)
        assert_allclose(sums.sum(axis=1), 1)
        # What the second stage knows is used: descriptors tell the groups apart.
        known = np.isin(y, [4, 14])
        best = model.rank(X[known], k=1, allowed="mP")["spacegroup_number"]
        assert (best == y[known]).mean() > 0.8


class OnlyFirst(Recorder):
    """Gives all probability to the first of its classes."""

    def predict_proba(self, X):
        return np.tile(np.eye(len(self.classes_))[0], (len(X), 1))


class TestOutOfFold:
    def test_a_stage_that_memorises_does_not_tell_the_second_the_truth(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(300, 2)), rng.choice([14, 62, 225], 300)  # nothing to learn
        model = two_stages(KNeighborsClassifier(1), Recorder(), cv=5).fit(X, y)
        assert (model.predict_bravais(X) == bravais_lattice(y)).all()
        told = model.space_group_estimator_.X_[:, 2:]
        truth = np.searchsorted(model.bravais_classes_, bravais_lattice(y))
        assert 0.2 < told[np.arange(300), truth].mean() < 0.45
        assert_allclose(told.sum(axis=1), 1)

    def test_groups_keep_copies_of_a_row_apart_from_it(self):
        rng = np.random.default_rng(1)
        X = np.repeat(rng.normal(size=(150, 2)), 2, axis=0)
        y = np.repeat(rng.choice([14, 62, 225], 150), 2)
        model = two_stages(KNeighborsClassifier(1), Recorder(), cv=5)
        truth = np.searchsorted(["cF", "mP", "oP"], bravais_lattice(y))
        told = {}
        for name, groups in {"rows": None, "copies": np.repeat(np.arange(150), 2)}.items():
            seen = clone(model).fit(X, y, groups=groups).space_group_estimator_.X_[:, 2:]
            told[name] = seen[np.arange(300), truth].mean()
        assert told["rows"] > 0.6
        assert told["copies"] < 0.45

    @pytest.mark.parametrize("cv", [5, GroupKFold(4)])
    def test_groups_are_never_split(self, cv):
        rng = np.random.default_rng(0)
        groups = rng.integers(0, 40, 200)
        X, y = groups[:, None].astype(float), rng.choice([14, 62, 225], 200)
        two_stages(RefusesKnownGroups(), Recorder(), cv=cv).fit(X, y, groups=groups)
        with pytest.raises(AssertionError):
            two_stages(RefusesKnownGroups(), Recorder()).fit(X, y)

    def test_there_are_at_most_as_many_folds_as_groups(self, blobs):
        groups = np.arange(len(blobs[1])) % 2
        proba = two_stages(cv=5).fit(*blobs, groups=groups).predict_proba(blobs[0])
        by_hand = two_stages(cv=GroupKFold(2)).fit(*blobs, groups=groups)
        assert_allclose(proba, by_hand.predict_proba(blobs[0]))

    def test_lattice_of_one_row_is_not_known_out_of_fold(self):
        X, y = np.arange(21.0)[:, None], np.array([14, 62] * 10 + [225])
        told = two_stages(space_group=Recorder(), min_count=1).fit(X, y).space_group_estimator_.X_
        assert told[20, 1] == 0  # the columns are x, cF, mP, oP
        assert_allclose(told[:, 1:].sum(axis=1), 1)

    @pytest.mark.parametrize(
        ("cv", "groups", "message"),
        [
            (ShuffleSplit(1, random_state=0), None, "every row must be held out once"),
            (FOLDS_OF_ROWS, np.repeat(range(60), 4), "both sides of a split"),
            (3, np.zeros(240), "all 240 rows belong to one group"),
            (3, [None] * 240, "240 missing labels"),
        ],
    )
    def test_folds_that_would_leak_are_refused(self, blobs, cv, groups, message):
        with pytest.raises(InvalidInputError, match=message):
            two_stages(cv=cv).fit(*blobs, groups=groups)


class TestLabels:
    @STAGES
    def test_single_lattice(self, second_stage):
        X = np.random.default_rng(0).normal(size=(40, 2))
        y = np.where(X[:, 0] > 0, 62, 19)
        model = two_stages(second_stage=second_stage).fit(X, y)
        assert model.score(X, y) > 0.9
        assert_array_equal(model.predict_bravais_proba(X), np.ones((40, 1)))

    @STAGES
    def test_single_label(self, second_stage):
        model = two_stages(second_stage=second_stage).fit(np.zeros((5, 1)), [62] * 5)
        assert_array_equal(model.predict_proba(np.zeros((2, 1))), [[1.0], [1.0]])

    def test_lattice_of_one_label_has_no_model_to_fit(self, blobs):
        model = two_stages(second_stage="per_bravais").fit(*blobs)
        kinds = {name: type(m).__name__ for name, m in model.space_group_estimator_.items()}
        expected = dict.fromkeys(["aP", "mS"], "DummyClassifier")
        assert kinds == expected | dict.fromkeys(["mP", "oP", "cF"], "GaussianNB")

    @pytest.mark.parametrize("make", [str, float, np.uint8, "{:03d}".format])
    def test_numbers_may_be_written_in_any_way(self, blobs, make):
        X, y = blobs[0], np.array([make(number) for number in blobs[1]])
        model = two_stages().fit(X, y)
        assert model.predict(X).dtype == y.dtype
        assert model.rank(X[:1], k=1)["spacegroup_number"][0] == int(model.predict(X[:1])[0])

    def test_rare_labels_keep_their_share_of_the_lattice(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(50, 1)), np.array([14] * 20 + [19] * 9 + [33] + [62] * 20)
        model = two_stages(min_count=2).fit(X, y)
        full = two_stages(min_count=2).fit(np.delete(X, 29, axis=0), np.delete(y, 29))
        assert 33 not in model.space_group_estimator_.classes_
        proba, of_lattices = model.predict_proba(X), model.predict_bravais_proba(X)
        assert_allclose(proba[:, 2], of_lattices[:, 1] / 30)
        assert_allclose(proba.sum(axis=1), 1)
        assert 33 not in full.classes_
        plain = clone(model).set_params(consistent=False).fit(X, y).predict_proba(X)
        assert_allclose(plain[:, 2], 1 / 50)

    @STAGES
    def test_labels_that_are_all_rare(self, second_stage):
        X, y = np.arange(4.0)[:, None], [14, 19, 33, 225]
        model = two_stages(min_count=9, second_stage=second_stage).fit(X, y)
        proba = model.predict_proba(X)
        assert_allclose(proba[:, 1], proba[:, 2])
        assert_allclose(proba.sum(axis=1), 1)

    @pytest.mark.parametrize("label", ["P n m a", "0", "-2", "2.0", "²", 0, 231, 500.0, -2.0])
    def test_labels_that_are_no_space_groups(self, label):
        y = np.array([label, type(label)(2)] * 5)
        with pytest.raises(InvalidInputError) as caught:
            two_stages().fit(np.zeros((10, 1)), y)
        assert f"label {label!r} is no space-group number from 1 to 230" in str(caught.value)
        assert "bravais_of" in str(caught.value)

    def test_symbols_with_a_mapping(self, blobs):
        X, y = blobs
        symbols = crystalml.crystallography.spacegroup_symbol(y).astype(str)
        mapping = dict(zip(symbols, bravais_lattice(y), strict=True))
        by_symbol = two_stages(bravais_of=mapping).fit(X, symbols)
        by_number = two_stages().fit(X, y)
        columns = np.argsort(crystalml.crystallography.spacegroup_symbol(NUMBERS).astype(str))
        assert_allclose(by_symbol.predict_proba(X), by_number.predict_proba(X)[:, columns])
        with pytest.raises(InvalidInputError, match=r"rank: label 'C 1 2/c 1' .* predict_proba"):
            by_symbol.rank(X)
        del mapping["P n m a"]
        with pytest.raises(InvalidInputError, match="no entry for label 'P n m a'"):
            two_stages(bravais_of=mapping).fit(X, symbols)

    def test_another_first_stage(self, blobs):
        model = two_stages(bravais_of=crystal_system).fit(*blobs)
        assert set(model.predict_bravais(blobs[0])) <= set(crystal_system(NUMBERS))
        with pytest.raises(InvalidInputError, match="gave 1 answers for 10 labels"):
            two_stages(bravais_of=lambda labels: ["all"]).fit(*blobs)


class TestMetadata:
    def test_weights_and_groups_reach_the_last_step_of_a_pipeline(self, blobs):
        X, y = blobs
        weight, groups = np.linspace(1, 2, 240), np.arange(240) // 2
        nested = make_pipeline(make_pipeline(StandardScaler(), Recorder()))
        model = two_stages(nested, nested).fit(X, y, sample_weight=weight, groups=groups)
        for stage in (model.bravais_estimator_, model.space_group_estimator_):
            assert_allclose(stage[-1][-1].sample_weight_, weight)
            assert_array_equal(stage[-1][-1].groups_, groups)

    def test_weights_reach_composed_estimators(self, blobs):
        X, y = blobs
        weight = np.random.default_rng(0).uniform(0.1, 3, 240)
        vote = VotingClassifier([("a", GaussianNB())], voting="soft")
        composed = two_stages(vote, vote).fit(X, y, sample_weight=weight)
        plain = two_stages().fit(X, y, sample_weight=weight)
        assert_allclose(composed.predict_proba(X), plain.predict_proba(X))

    def test_groups_reach_the_splitter_of_a_search(self, blobs):
        search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=GroupKFold(2))
        model = two_stages(space_group=search).fit(*blobs, groups=np.arange(240) // 3)
        assert model.space_group_estimator_.best_params_

    def test_routing_gives_composed_estimators_what_they_request(self, blobs):
        X, y = blobs
        weight, groups = np.linspace(1, 2, 240), np.arange(240) // 2
        with sklearn.config_context(enable_metadata_routing=True):
            asks = make_pipeline(Recorder().set_fit_request(sample_weight=True, groups=False))
            model = two_stages(asks, Recorder()).fit(X, y, sample_weight=weight, groups=groups)
            search = GridSearchCV(
                two_stages(second_stage="one_hot").set_fit_request(groups=True),
                {"min_count": [1, 2]},
                cv=GroupKFold(2),
            )
            assert search.fit(X, y, groups=groups).best_score_ > 0.3
        assert_allclose(model.bravais_estimator_[-1].sample_weight_, weight)
        assert model.bravais_estimator_[-1].groups_ is None
        assert_array_equal(model.space_group_estimator_.groups_, groups)

    def test_weights_that_cannot_be_taken_are_refused(self, blobs):
        model = two_stages(KNeighborsClassifier())
        with pytest.raises(InvalidInputError, match=r"KNeighborsClassifier\(\) takes none"):
            model.fit(*blobs, sample_weight=np.ones(240))
        with pytest.raises(InvalidInputError, match="sample_weight or class_weight"):
            model.set_params(class_weight="balanced").fit(*blobs)

    @STAGES
    def test_rows_of_weight_zero_do_not_count(self, blobs, second_stage):
        X, y = blobs
        weight = (y != 225).astype(float)
        # Splits are given, so that dropping rows leaves the other rows in their folds.
        fold = np.arange(240) % 3
        splits = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(3)]
        model = two_stages(cv=splits, second_stage=second_stage).fit(X, y, sample_weight=weight)
        fold = fold[y != 225]
        splits = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(3)]
        kept = two_stages(cv=splits, second_stage=second_stage).fit(X[y != 225], y[y != 225])
        proba = model.predict_proba(X)
        assert (proba[:, model.classes_ == 225] == 0).all()
        assert_allclose(proba[:, model.classes_ != 225], kept.predict_proba(X))

    def test_balanced_class_weight_balances_each_stage(self, blobs):
        X, y = blobs
        model = two_stages(Recorder(), Recorder(), class_weight="balanced").fit(X, y)
        for stage in (model.bravais_estimator_, model.space_group_estimator_):
            sums = pd.Series(stage.sample_weight_).groupby(stage.y_).sum()
            assert_allclose(sums, sums.iloc[0])

    def test_class_weight_of_space_groups_weighs_the_rows_of_both_stages(self, blobs):
        X, y = blobs
        model = two_stages(Recorder(), Recorder(), class_weight={225: 3.0, 230: 9.0})
        model = model.fit(X, y, sample_weight=np.full(240, 2.0))
        for stage in (model.bravais_estimator_, model.space_group_estimator_):
            assert_allclose(stage.sample_weight_, np.where(y == 225, 6.0, 2.0))

    @pytest.mark.parametrize("oversample", ["bravais", "space_group", "both"])
    def test_oversampling_evens_out_the_labels_and_keeps_copies_together(self, blobs, oversample):
        X, y = blobs
        model = two_stages(Recorder(), Recorder(), oversample=oversample, random_state=0).fit(X, y)
        for name in ("bravais", "space_group"):
            seen = getattr(model, f"{name}_estimator_")
            if oversample not in (name, "both"):
                assert len(seen.y_) == 240
                continue
            assert len(set(pd.Series(seen.y_).value_counts())) == 1
            assert_array_equal(seen.X_[:240, :4], X)
            assert len(np.unique(seen.groups_)) == 240
            assert_array_equal(seen.X_[:, :4], X[seen.groups_])


class TestInputs:
    def test_tables_reach_the_inner_estimators_as_they_are(self):
        table, y = load_cod_inorganic(return_X_y=True)
        table, y = table.iloc[:300], y.iloc[:300]
        describe = make_column_transformer(
            (CompositionDescriptors(), ["formula"]),
            (CellDescriptors(), ["a", "b", "c", "alpha", "beta", "gamma"]),
        )
        first = make_pipeline(describe, ExtraTreesClassifier(5, random_state=0))
        describe = make_column_transformer((StandardScaler(), ["a", "P(cF)", "P(oP)"]))
        second = make_pipeline(describe, LogisticRegression())
        model = two_stages(first, second, cv=2).fit(table, y)
        ranked = model.rank(table.tail(2), k=3)
        assert ranked["row"].tolist() == [298] * 3 + [299] * 3
        assert_array_equal(model.feature_names_in_, table.columns)
        with pytest.raises(ValueError, match="feature names"):
            model.predict(table.drop(columns="a"))

    @STAGES
    def test_missing_values_are_left_to_models_that_take_them(self, blobs, second_stage):
        X, y = np.array(blobs[0]), blobs[1]
        X[::7, 1] = np.nan
        boosting = HistGradientBoostingClassifier(max_iter=3)
        model = two_stages(boosting, boosting, second_stage=second_stage).fit(X, y)
        assert np.isfinite(model.predict_proba(X)).all()
        with pytest.raises(ValueError, match="Input X contains NaN"):
            two_stages(boosting).fit(X, y)

    def test_grid_search_pipeline_and_pickle(self, blobs):
        X, y = blobs
        model = two_stages(LogisticRegression(), cv=2)
        grid = {
            "bravaisspacegroupclassifier__bravais_estimator__C": [1e-3, 1.0],
            "bravaisspacegroupclassifier__second_stage": ["soft", "per_bravais"],
        }
        search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=2).fit(X, y)
        assert search.best_score_ > 0.4
        copy = pickle.loads(pickle.dumps(search.best_estimator_))
        assert_array_equal(copy.predict_proba(X), search.predict_proba(X))

    def test_fits_at_the_same_time_give_the_same(self, blobs, capsys):
        X, y = blobs
        trees = ExtraTreesClassifier(5, random_state=0)
        one = two_stages(trees, trees, second_stage="per_bravais", progress=True).fit(X, y)
        assert "space group: 100%" in capsys.readouterr().err
        two = two_stages(trees, trees, second_stage="per_bravais", n_jobs=2).fit(X, y)
        assert_array_equal(one.predict_proba(X), two.predict_proba(X))

    @pytest.mark.parametrize("parameter", ["bravais_estimator", "space_group_estimator"])
    def test_estimators_without_probabilities_are_refused(self, blobs, parameter):
        model = two_stages().set_params(**{parameter: RidgeClassifier()})
        with pytest.raises(InvalidInputError, match=rf"{parameter}=RidgeClassifier\(\) has no"):
            model.fit(*blobs)

    @pytest.mark.parametrize(
        "parameter",
        [{"second_stage": "hard"}, {"oversample": True}, {"cv": 1}, {"min_count": 0}],
    )
    def test_parameters_are_checked(self, blobs, parameter):
        with pytest.raises(InvalidInputError, match=next(iter(parameter))):
            two_stages(**parameter).fit(*blobs)


class TestDefaults:
    def test_default_stages_are_the_nets_of_the_study(self, blobs):
        X, y = blobs
        X, y = X[::2], y[::2]
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        model = BravaisSpaceGroupClassifier(cv=2, random_state=0).fit(X, y)
        assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
        for stage, n_inputs in ((model.bravais_estimator_, 4), (model.space_group_estimator_, 9)):
            scaler, net = stage[0], stage[-1]
            assert isinstance(scaler, StandardScaler)
            sizes = [layer.out_features for layer in net.net_.module_ if hasattr(layer, "weight")
                     and layer.weight.ndim == 2]  # fmt: skip
            assert sizes[:2] == [128, 64]
            assert (net.dropout, net.batch_normalization, net.patience) == (0.2, True, 10)
            assert (net.optimizer, net.learning_rate, net.batch_size) == ("adam", 1e-3, 128)
            assert scaler.n_features_in_ == n_inputs
        again = BravaisSpaceGroupClassifier(cv=2, random_state=0).fit(X, y)
        assert_array_equal(again.predict_proba(X), model.predict_proba(X))

    def test_seeds_differ_without_a_random_state(self, blobs):
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        draws = [
            two_stages(Recorder(), Recorder(), oversample="both").fit(*blobs).bravais_estimator_.X_
            for _ in range(2)
        ]
        assert not np.array_equal(*draws)
        assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@STAGES
def test_real_cells_by_chemical_system(second_stage):
    table, y = load_cod_inorganic(return_X_y=True)
    table, y = table.iloc[:3000], y.iloc[:3000].to_numpy()
    X = CellDescriptors().fit_transform(table[["a", "b", "c", "alpha", "beta", "gamma"]])
    systems = composition_groups(table["formula"], by="chemical_system")
    train, test = next(GroupKFold(4).split(X, y, systems))
    trees = ExtraTreesClassifier(20, min_samples_leaf=2, random_state=0)
    model = two_stages(trees, trees, second_stage=second_stage).fit(
        X[train], y[train], groups=systems[train]
    )
    prior = DummyClassifier(strategy="prior").fit(X[train], y[train])
    scores = [
        top_k_accuracy(y[test], m.predict_proba(X[test]), k=5, labels=m.classes_)
        for m in (model, prior)
    ]
    assert scores[0] > scores[1] + 0.3
    assert (model.predict_bravais(X[test]) == bravais_lattice(y[test])).mean() > 0.6
    ranked = model.rank(X[test], k=3, allowed=["cF", "extinction:P n m a"])
    assert set(ranked["spacegroup_number"]) <= {33, 62, *range(202, 231)}
    assert ranked.groupby("row").size().eq(3).all()
    assert ranked.groupby("row")["probability"].agg(lambda p: p.is_monotonic_decreasing).all()
