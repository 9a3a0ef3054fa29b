"""The MLP estimators as their users see them: labels, weights, early stopping, pipelines."""

import functools
import io
import pickle
import random
import re

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    StratifiedShuffleSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EpochScoring,
    GradientNormClipping,
)
from torch.optim.lr_scheduler import StepLR

import crystalml
from crystalml.exceptions import InvalidInputError
from crystalml.neural import MLPNetClassifier, MLPNetRegressor

BOTH = pytest.mark.parametrize("estimator_class", [MLPNetClassifier, MLPNetRegressor])


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def quick(estimator_class=MLPNetClassifier, **parameters):
    return estimator_class(**{"max_epochs": 3, "random_state": 0, **parameters})


def full_batches(estimator_class=MLPNetClassifier, **parameters):
    """An estimator whose steps see all rows alike: no dropout, no batches, no validation."""
    fixed = {"dropout": 0.0, "batch_size": 10_000, "validation_fraction": None, "max_epochs": 20}
    return quick(estimator_class, **{**fixed, **parameters})


def weights_of(estimator):
    return [p.detach().numpy() for p in estimator.net_.module_.parameters()]


def assert_same_weights(first, second, **tolerance):
    for ours, theirs in zip(weights_of(first), weights_of(second), strict=True):
        assert_allclose(ours, theirs, **{"rtol": 0, **tolerance})


class TestArchitecture:
    def test_defaults_are_the_net_of_the_study(self):
        X = np.random.default_rng(0).standard_normal((300, 9))
        net = quick().fit(X, np.arange(300) % 100).net_.module_
        shapes = [tuple(p.shape) for p in net.parameters()]
        assert shapes == [(64, 9), (64,), (32, 64), (32,), (100, 32), (100,)]
        assert sum(p.numel() for p in net.parameters()) == 6020

    @pytest.mark.parametrize(
        ("sizes", "n_parameters"), [((), 15), (7, 5 * 7 + 8 * 3), ([8, 4], 40 + 36 + 15)]
    )
    def test_hidden_layer_sizes(self, iris, sizes, n_parameters):
        net = quick(hidden_layer_sizes=sizes).fit(*iris).net_.module_
        assert sum(p.numel() for p in net.parameters()) == n_parameters

    def test_regressor_has_one_output_per_target(self, iris):
        X, _ = iris
        y = np.column_stack([X[:, 0], X[:, 1] ** 2])
        model = quick(MLPNetRegressor).fit(X, y)
        assert model.predict(X).shape == (150, 2)
        assert model.net_.module_[-1].out_features == 2


class TestLearning:
    def test_beats_a_linear_model_on_digits(self):
        X, y = load_digits(return_X_y=True)
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
        model = make_pipeline(StandardScaler(), MLPNetClassifier(max_epochs=40, random_state=0))
        linear = make_pipeline(StandardScaler(), RidgeClassifier())
        score = model.fit(X_train, y_train).score(X_test, y_test)
        assert score > linear.fit(X_train, y_train).score(X_test, y_test)
        assert log_loss(y_test, model.predict_proba(X_test)) < 0.15

    def test_crystal_systems_from_real_cells(self, shared_data):
        table = pd.read_csv(
            shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""], nrows=6000
        )
        a, b, c = table[["a", "b", "c"]].to_numpy().T
        angles = np.cos(np.radians(table[["alpha", "beta", "gamma"]].to_numpy()))
        X = np.column_stack([np.log(a), np.log(b / a), np.log(c / a), angles])
        edges = [0, 2, 15, 74, 142, 167, 194, 230]
        y = pd.cut(table["spacegroup_number"], edges, labels=list("amothrc")).astype(str)
        train, test = next(
            GroupShuffleSplit(1, test_size=0.3, random_state=0).split(
                X, y, table["chemical_system"]
            )
        )
        model = make_pipeline(StandardScaler(), MLPNetClassifier(max_epochs=60, random_state=0))
        model.fit(X[train], y[train], mlpnetclassifier__groups=table["chemical_system"].iloc[train])
        prior = y[train].value_counts(normalize=True).max()
        assert model.score(X[test], y[test]) > prior + 0.3

    def test_regressor_learns_the_volume_of_orthogonal_cells(self):
        edges = np.random.default_rng(0).uniform(3, 20, size=(2000, 3))
        volume = edges.prod(axis=1)
        model = make_pipeline(StandardScaler(), MLPNetRegressor(max_epochs=60, random_state=0))
        score = model.fit(edges[:1500], volume[:1500]).score(edges[1500:], volume[1500:])
        assert score > 0.99
        linear = make_pipeline(StandardScaler(), Ridge()).fit(edges[:1500], volume[:1500])
        assert linear.score(edges[1500:], volume[1500:]) < 0.95

    def test_regression_does_not_depend_on_units(self, iris):
        X, _ = iris
        y = X[:, 0] + X[:, 1] ** 2
        small, large = (quick(MLPNetRegressor).fit(X, factor * y + 7) for factor in (1, 1e6))
        assert_allclose((small.predict(X) - 7) * 1e6 + 7, large.predict(X), rtol=1e-3)

    @pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd", torch.optim.Adagrad])
    def test_every_optimizer_lowers_the_loss(self, iris, optimizer):
        model = quick(optimizer=optimizer, learning_rate=1e-2, max_epochs=20).fit(*iris)
        losses = model.history_["train_loss"]
        assert losses.iloc[-1] < 0.8 * losses.iloc[0]

    def test_batch_normalization_and_weight_decay(self, iris):
        model = quick(batch_normalization=True, max_epochs=30, learning_rate=1e-2).fit(*iris)
        assert model.score(*iris) > 0.9
        light, heavy = (
            full_batches(weight_decay=decay, learning_rate=1e-2).fit(*iris) for decay in (0, 1.0)
        )
        assert np.linalg.norm(weights_of(heavy)[2]) < 0.9 * np.linalg.norm(weights_of(light)[2])


class TestLabels:
    @pytest.mark.parametrize(
        "labels",
        [
            np.array([0, 1, 3]),
            np.array([-5, 2, 230]),
            np.array(["cP", "aP", "mP"]),
            np.array(["NaN", "Fm-3m", "P 1"], dtype=object),
            np.array([1.0, 2.0, 5.0]),
        ],
        ids=["gap", "negative", "text", "object", "float"],
    )
    def test_any_label_gives_the_same_net(self, iris, labels):
        X, y = iris
        order = np.argsort(labels)
        model = quick().fit(X, labels[order][y])
        reference = quick().fit(X, y)
        assert_array_equal(model.classes_, np.sort(labels))
        assert model.classes_.dtype == labels.dtype
        assert_allclose(model.predict_proba(X), reference.predict_proba(X))
        assert_array_equal(model.predict(X), labels[order][reference.predict(X)])

    def test_bool_labels(self, iris):
        X, y = iris
        model = quick(max_epochs=30).fit(X, y == 0)
        assert model.predict(X).dtype == bool
        assert model.score(X, y == 0) > 0.95

    def test_pandas_columns_of_nullable_integers_and_categories(self, iris):
        X, y = iris
        frame = pd.DataFrame(X, columns=list("abcd"))
        numbers = pd.Series(y, dtype="Int64")
        model = quick().fit(frame, numbers)
        assert_array_equal(model.classes_, [0, 1, 2])
        assert_array_equal(model.feature_names_in_, list("abcd"))
        names = pd.Series(pd.Categorical(np.array(["x", "y", "z"])[y]))
        assert set(quick().fit(frame, names).predict(frame)) <= {"x", "y", "z"}

    def test_probabilities_sum_to_one_and_agree_with_labels(self, iris):
        X, y = iris
        model = quick().fit(X, y)
        probabilities = model.predict_proba(X)
        assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
        assert_allclose(np.exp(model.predict_log_proba(X)), probabilities)


class TestWeights:
    @BOTH
    def test_weights_equal_repeated_rows(self, iris, estimator_class):
        X, y = iris
        weight = np.random.default_rng(0).integers(0, 4, size=len(X))
        repeated = np.repeat(np.arange(len(X)), weight)
        weighted = full_batches(estimator_class).fit(X, y, sample_weight=weight)
        plain = full_batches(estimator_class).fit(X[repeated], y[repeated])
        assert_same_weights(weighted, plain, atol=2e-4)
        unweighted = full_batches(estimator_class).fit(X, y)
        assert abs(weights_of(weighted)[0] - weights_of(unweighted)[0]).max() > 1e-3

    @BOTH
    def test_a_common_factor_changes_nothing(self, iris, estimator_class):
        X, y = iris
        fits = [quick(estimator_class).fit(X, y, sample_weight=w * np.ones(150)) for w in (1, 64)]
        assert_same_weights(*fits, atol=1e-6)

    def test_class_weight_is_sample_weight_by_class(self, iris):
        X, y = iris
        by_class = full_batches(class_weight={0: 3.0, 2: 0.5}).fit(X, y)
        by_row = full_batches().fit(X, y, sample_weight=np.array([3.0, 1.0, 0.5])[y])
        assert_same_weights(by_class, by_row, atol=1e-6)

    def test_balanced_classes_find_the_rare_one(self):
        X, y = make_classification(1000, weights=[0.97], class_sep=0.5, random_state=0)
        settings = {"max_epochs": 20, "learning_rate": 3e-3}
        plain = quick(**settings).fit(X, y)
        balanced = quick(class_weight="balanced", **settings).fit(X, y)
        assert balanced.predict(X).mean() > 2 * plain.predict(X).mean()

    def test_validation_loss_is_weighted(self, iris):
        X, y = iris
        weight = np.where(np.arange(150) % 2, 1.0, 5.0)
        splitter = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
        model = quick(validation_splitter=splitter).fit(X, y, sample_weight=weight)
        _, valid = next(splitter.split(X, y))
        kept = model.history_.set_index("epoch").loc[model.best_epoch_]
        expected = log_loss(y[valid], model.predict_proba(X[valid]), sample_weight=weight[valid])
        assert kept["valid_loss"] == pytest.approx(expected, rel=1e-5)
        hits = model.predict(X[valid]) == y[valid]
        assert kept["valid_accuracy"] == pytest.approx(np.average(hits, weights=weight[valid]))


class TestEarlyStopping:
    def test_stops_after_patience_and_keeps_the_best_weights(self, iris):
        X, y = iris
        splitter = StratifiedShuffleSplit(1, test_size=0.3, random_state=1)
        model = quick(
            learning_rate=0.03, max_epochs=500, patience=4, validation_splitter=splitter
        ).fit(X, y)
        losses = model.history_.set_index("epoch")["valid_loss"]
        assert model.n_iter_ == model.best_epoch_ + 4 < 500
        assert losses.loc[model.best_epoch_] < losses.min() + 1e-4
        _, valid = next(splitter.split(X, y))
        reached = log_loss(y[valid], model.predict_proba(X[valid]))
        assert reached == pytest.approx(losses.loc[model.best_epoch_], rel=1e-5)

    def test_min_delta(self, iris):
        model = quick(max_epochs=50, patience=2, min_delta=10.0).fit(*iris)
        assert model.n_iter_ == 3
        assert model.best_epoch_ == 1

    def test_without_patience_all_epochs_pass(self, iris):
        X, _ = iris
        noise = np.random.default_rng(0).integers(0, 2, size=150)  # the net can only overfit it
        settings = {"max_epochs": 40, "patience": None, "min_delta": 0.0}
        model = quick(learning_rate=0.03, dropout=0.0, **settings).fit(X, noise)
        assert model.n_iter_ == 40
        assert model.best_epoch_ < 40
        assert model.history_["valid_loss"].idxmin() + 1 == model.best_epoch_

    def test_without_validation_the_last_weights_stay(self, iris):
        model = quick(validation_fraction=None, max_epochs=25, patience=1).fit(*iris)
        assert model.n_iter_ == model.best_epoch_ == 25
        assert "valid_loss" not in model.history_

    def test_classes_with_one_row_are_learned_from(self):
        X = np.random.default_rng(0).standard_normal((60, 3))
        y = np.r_[np.arange(20), np.repeat(99, 40)]
        model = quick(validation_fraction=0.5).fit(X, y)
        assert len(model.classes_) == 21

    def test_groups_are_never_split(self, iris):
        X, y = iris
        groups = np.arange(150) // 5
        seen = {}

        class Spy:
            def split(self, X, y, groups):
                seen["groups"] = groups
                yield np.flatnonzero(groups % 4), np.flatnonzero(groups % 4 == 0)

        quick(validation_splitter=Spy()).fit(X, y, groups=groups)
        assert_array_equal(seen["groups"], groups)

        model = quick(max_epochs=1, validation_fraction=0.2)
        _, valid = split_of(model, X, y, groups)
        assert set(groups[valid]).isdisjoint(np.delete(groups, valid))
        assert 0.15 < len(valid) / 150 < 0.25

    def test_only_rows_given_to_fit_are_used(self, iris):
        X, y = iris
        train, valid = split_of(quick(), X, y, None)
        assert_array_equal(np.sort(np.r_[train, valid]), np.arange(150))
        assert len(valid) == 15
        assert_array_equal(np.bincount(y[valid]), [5, 5, 5])


def split_of(model, X, y, groups):
    """Fit, and return the rows trained on and validated on."""
    rows = []
    train = crystalml.neural._base.train

    def spy(net, X, y, weight, train_rows, valid_rows):
        rows.extend([train_rows, valid_rows])
        return train(net, X, y, weight, train_rows, valid_rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crystalml.neural._base.train", spy)
        model.fit(X, y, groups=groups)
    return rows


class TestRandomness:
    @BOTH
    def test_same_seed_same_weights_and_global_generators_untouched(self, iris, estimator_class):
        np.random.seed(5)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
        first = quick(estimator_class).fit(*iris)
        torch.manual_seed(99)
        torch.set_rng_state(before[0])
        for seed in (0, None):
            quick(estimator_class, random_state=seed).fit(*iris)
        second = quick(estimator_class).fit(*iris)
        assert_same_weights(first, second, atol=0)
        assert torch.equal(torch.get_rng_state(), before[0])
        for now, then in zip(np.random.get_state(), before[1], strict=True):  # noqa: NPY002
            assert_array_equal(now, then)
        assert random.getstate() == before[2]

    def test_other_seeds_give_other_weights(self, iris):
        fits = [quick(random_state=seed).fit(*iris) for seed in (0, 1, None, None)]
        first_layers = [weights_of(fit)[0] for fit in fits]
        for i, ours in enumerate(first_layers):
            assert not any(np.allclose(ours, theirs) for theirs in first_layers[:i])

    def test_generator_is_used_up(self, iris):
        state = np.random.RandomState(0)
        first, second = (quick(random_state=state).fit(*iris) for _ in range(2))
        assert not np.allclose(weights_of(first)[0], weights_of(second)[0])

    def test_threads_of_one_process_do_not_disturb_each_other(self, iris):
        before = torch.get_rng_state()
        alone = [quick(random_state=seed).fit(*iris) for seed in range(4)]
        together = joblib.Parallel(n_jobs=4, prefer="threads")(
            joblib.delayed(quick(random_state=seed).fit)(*iris) for seed in range(4)
        )
        for ours, theirs in zip(alone, together, strict=True):
            assert_same_weights(ours, theirs, atol=0)
        assert torch.equal(torch.get_rng_state(), before)

    def test_thread_count_is_restored(self, iris):
        before = torch.get_num_threads()
        quick(n_threads=before + 1).fit(*iris).predict(iris[0])
        assert torch.get_num_threads() == before


class TestGoingOn:
    def test_warm_start_goes_on_where_the_last_fit_ended(self, iris):
        model = quick(warm_start=True, validation_fraction=None, max_epochs=5).fit(*iris)
        model.fit(*iris)
        assert model.n_iter_ == 10
        assert_array_equal(model.history_["epoch"], np.arange(1, 11))
        losses = model.history_["train_loss"]
        assert losses.iloc[5] < losses.iloc[0]
        model.set_params(warm_start=False).fit(*iris)
        assert model.n_iter_ == 5

    @pytest.mark.parametrize("scheduler", ["cosine", "plateau"])
    def test_warm_start_starts_the_schedule_anew(self, iris, scheduler):
        model = quick(warm_start=True, scheduler=scheduler, max_epochs=4, patience=None)
        rates = model.fit(*iris).fit(*iris).history_["learning_rate"]
        assert_allclose(rates[:4], rates[4:])

    def test_warm_start_refuses_another_net_and_new_labels(self, iris):
        X, y = iris
        model = quick(warm_start=True).fit(X, y)
        with pytest.raises(InvalidInputError, match="another network than the one fitted before"):
            model.set_params(hidden_layer_sizes=(3,)).fit(X, y)
        with pytest.raises(InvalidInputError, match="label 7 of row 149 is not among"):
            model.set_params(hidden_layer_sizes=(64, 32)).fit(X, np.r_[y[:-1], 7])

    def test_partial_fit_is_one_epoch_at_a_time(self, iris):
        X, y = iris
        model = quick(learning_rate=1e-2)
        for _ in range(30):
            model.partial_fit(X, y, classes=[0, 1, 2, 9])
        assert model.n_iter_ == 30
        assert model.predict_proba(X).shape == (150, 4)
        assert model.score(X, y) > 0.9

    def test_partial_fit_keeps_the_state_of_the_optimizer(self, iris):
        X, y = iris
        steps = full_batches(max_epochs=6, batch_size=150).fit(X, y)
        pieces = full_batches(batch_size=150)
        for _ in range(6):
            pieces.partial_fit(X, y, classes=[0, 1, 2])
        assert_same_weights(steps, pieces, atol=1e-5)

    def test_partial_fit_draws_new_masks_in_every_call(self, iris):
        X, y = iris
        model = quick(learning_rate=1e-12, dropout=0.5).partial_fit(X, y, classes=[0, 1, 2])
        model.partial_fit(X, y)
        assert model.history_["train_loss"].nunique() == 2

    def test_partial_fit_after_fit_uses_the_learning_rate_as_set(self, iris):
        model = quick(scheduler="cosine", max_epochs=5).fit(*iris).partial_fit(*iris)
        assert model.history_["learning_rate"].iloc[-1] == model.learning_rate
        assert model.best_epoch_ == model.n_iter_ == 6

    def test_partial_fit_of_one_row(self, iris):
        X, y = iris
        model = quick().partial_fit(X[:1], y[:1], classes=[0, 1, 2])
        assert model.predict(X).shape == (150,)

    def test_partial_fit_refuses_what_it_cannot_do(self, iris):
        X, y = iris
        with pytest.raises(InvalidInputError, match="must name all labels"):
            quick().partial_fit(X, y)
        with pytest.raises(InvalidInputError, match="needs all rows at once"):
            quick(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
        with pytest.raises(InvalidInputError, match="differ from those of the fit before"):
            quick().fit(X, y).partial_fit(X, y, classes=[0, 1])

    def test_regressor_keeps_the_first_scale(self, iris):
        X, y = iris
        model = quick(MLPNetRegressor).partial_fit(X, y)
        mean = model.target_mean_.copy()
        model.partial_fit(X, y + 100)
        assert_array_equal(model.target_mean_, mean)
        with pytest.raises(InvalidInputError, match="y has 2 targets, but the fit before had 1"):
            model.partial_fit(X, np.column_stack([y, y]))


class TestPrediction:
    @BOTH
    @pytest.mark.parametrize("batch_normalization", [False, True])
    def test_a_row_alone_and_among_others(self, estimator_class, batch_normalization):
        X = np.random.default_rng(0).standard_normal((1000, 9))
        y = np.arange(1000) % 5
        model = quick(estimator_class, batch_normalization=batch_normalization).fit(X, y)
        method = getattr(model, "predict_proba", model.predict)
        together = method(X)
        alone = np.concatenate([method(X[i : i + 1]) for i in range(0, 1000, 50)])
        assert_allclose(alone, together[::50], rtol=1e-5)

    def test_dtype_layout_and_container_do_not_matter(self, iris):
        X, y = iris
        X = X.astype(np.float32)
        model = quick().fit(X, y)
        expected = model.predict_proba(X)
        frozen = X.copy()
        frozen.setflags(write=False)
        for variant in (frozen, X.astype(float), np.asfortranarray(X), X[::-1][::-1], X.tolist()):
            assert_allclose(model.predict_proba(variant), expected, rtol=1e-6)
        assert_array_equal(quick().fit(frozen, y).predict_proba(X), expected)

    def test_integers_are_taken(self):
        X = np.random.default_rng(0).integers(0, 9, size=(80, 3), dtype=np.int8)
        assert quick().fit(X, X[:, 0] > 4).predict(X).shape == (80,)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
    def test_values_that_are_no_numbers(self, iris, value):
        X, y = iris
        model = quick().fit(X, y)
        spoiled = X.copy()
        spoiled[3, 1] = value
        for call in (lambda: model.predict(spoiled), lambda: model.fit(spoiled, y)):
            with (
                np.errstate(over="ignore"),
                pytest.raises(ValueError, match=r"contains (NaN|infinity)"),
            ):
                call()

    def test_wrong_width(self, iris):
        X, y = iris
        with pytest.raises(ValueError, match="X has 3 features, but MLPNetClassifier is expecting"):
            quick().fit(X, y).predict(X[:, :3])


class TestCallbacksAndHistory:
    def test_history_columns(self, iris):
        history = quick().fit(*iris).history_
        assert isinstance(history, pd.DataFrame)
        columns = {"epoch", "train_loss", "valid_loss", "valid_accuracy", "duration"}
        assert set(history) == columns | {"learning_rate"}
        assert_array_equal(history["epoch"], [1, 2, 3])
        assert (history["duration"] > 0).all()
        assert "valid_accuracy" not in quick(MLPNetRegressor).fit(*iris).history_

    @pytest.mark.parametrize(
        ("scheduler", "expected"),
        [
            (None, [1, 1, 1, 1]),
            ("cosine", [1, 0.8535534, 0.5, 0.1464466]),
            (functools.partial(StepLR, step_size=2, gamma=0.5), [1, 1, 0.5, 0.5]),
        ],
        ids=["constant", "cosine", "callable"],
    )
    def test_schedules(self, iris, scheduler, expected):
        model = quick(scheduler=scheduler, max_epochs=4, learning_rate=0.01).fit(*iris)
        assert_allclose(model.history_["learning_rate"], 0.01 * np.array(expected), rtol=1e-6)
        clone(model)
        pickle.dumps(model)

    def test_callbacks_of_skorch_are_told_and_left_as_they_were(self, iris):
        class Counter(Callback):
            def initialize(self):
                self.calls_ = []
                return self

            def on_epoch_end(self, net, **kwargs):
                self.calls_.append("epoch")

            def on_batch_end(self, net, training, loss, **kwargs):
                self.calls_.append("train" if training else "valid")

        counter = Counter()

        def worst_row(net, dataset, y):
            return float(net.history[-1, "valid_loss"])

        scoring = EpochScoring(worst_row, name="score", use_caching=False)
        plain = quick().fit(*iris)
        callbacks = [counter, GradientNormClipping(1e9), scoring]
        model = quick(callbacks=callbacks).fit(*iris)
        calls = dict(model.net_.callbacks_)["Counter"].calls_
        assert calls == (["train"] * 2 + ["valid", "epoch"]) * 3  # of 64 and 71 rows
        assert not hasattr(counter, "calls_")
        assert_array_equal(model.history_["score"], model.history_["valid_loss"])
        assert_same_weights(plain, model, atol=1e-6)
        assert_allclose(
            plain.history_[["train_loss", "valid_loss"]],
            model.history_[["train_loss", "valid_loss"]],
            rtol=1e-5,
        )

    @pytest.mark.parametrize("use_caching", [True, False])
    def test_scores_by_name(self, iris, use_caching):
        names = ["accuracy", "neg_log_loss", "f1_macro"]
        scoring = [
            EpochScoring(name, lower_is_better=False, use_caching=use_caching) for name in names
        ]
        model = quick(callbacks=scoring, learning_rate=1e-2).fit(*iris)
        history = model.history_
        assert_allclose(history["accuracy"], history["valid_accuracy"], rtol=1e-6)
        assert_allclose(history["neg_log_loss"], -history["valid_loss"], rtol=1e-5)
        assert history["f1_macro"].between(0, 1).all()
        assert_same_weights(quick(learning_rate=1e-2).fit(*iris), model, atol=1e-6)

    def test_scores_by_batch_leave_dropout_on(self, iris):
        modes = []

        class Modes(Callback):
            def on_batch_end(self, net, training, **kwargs):
                modes.append(net.module_.training is training)

        scoring = BatchScoring("accuracy", name="right", lower_is_better=False, on_train=True)
        model = quick(callbacks=[scoring, Modes]).fit(*iris)
        assert all(modes)
        assert model.history_["right"].between(0, 1).all()

    def test_checkpoints_and_named_callbacks(self, iris, tmp_path):
        callbacks = [("kept", Checkpoint(dirname=tmp_path, f_history=None))]
        model = quick(callbacks=callbacks).fit(*iris)
        saved = torch.load(tmp_path / "params.pt", weights_only=True)
        for name, weights in model.net_.module_.state_dict().items():
            assert torch.equal(weights, saved[name])

    @pytest.mark.parametrize("callback", ["score", ("named", 3), int])
    def test_what_is_no_callback_is_refused(self, iris, callback):
        with pytest.raises(InvalidInputError, match=r"callbacks holds .* give callbacks of skorch"):
            quick(callbacks=[callback]).fit(*iris)

    def test_table_of_epochs(self, iris, capsys):
        quick(verbose=True).fit(*iris)
        table = capsys.readouterr().out.splitlines()
        assert len(table) == 5  # head, rule and three epochs
        assert "valid_loss" in table[0]
        assert not any("\x1b" in line or "best" in line for line in table)

    @pytest.mark.parametrize("head", ["point", "gaussian", "quantile"])
    def test_scores_of_regressors(self, iris, head):
        X, _ = iris
        scoring = EpochScoring("r2", lower_is_better=False, on_train=True)
        model = quick(MLPNetRegressor, head=head, validation_fraction=None, callbacks=[scoring])
        model.fit(X[:, :3], X[:, 3])
        last = model.history_["r2"].iloc[-1]
        assert last == pytest.approx(model.score(X[:, :3], X[:, 3]), abs=1e-5)

    def test_scores_that_a_net_cannot_have(self, iris):
        scoring = EpochScoring("neg_log_loss")
        # scikit-learn below 1.9 refuses before the net is asked.
        refusals = "asks this net for probabilities, which|Got a regressor with response_method"
        with pytest.raises(ValueError, match=refusals):
            quick(MLPNetRegressor, callbacks=[scoring]).fit(*iris)

    @pytest.mark.parametrize("name", ["neg_log_loss", "roc_auc", "f1", "average_precision"])
    def test_scores_of_two_classes(self, iris, name):
        X, y = iris[0][50:], np.array(["blue", "red"])[iris[1][50:] - 1]
        model = quick(callbacks=[EpochScoring(name, on_train=True, use_caching=False)]).fit(X, y)
        assert np.isfinite(model.history_[name]).all()

    def test_callbacks_that_ask_for_the_best_epoch(self, iris):
        class BestEpochs(Callback):
            def on_epoch_end(self, net, **kwargs):
                net.history.record("was_best", net.history[-1, "valid_loss_best"])

        history = quick(max_epochs=8, learning_rate=0.3, callbacks=[BestEpochs]).fit(*iris).history_
        losses = history["valid_loss"]
        assert_array_equal(history["was_best"], losses < losses.cummin().shift(fill_value=np.inf))
        assert not history["was_best"].all()
        assert "valid_loss_best" not in history

    def test_a_callback_may_end_the_training(self, iris):
        class StopAtTwo(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    raise KeyboardInterrupt

        model = quick(callbacks=[StopAtTwo], max_epochs=9).fit(*iris)
        assert model.n_iter_ == 2

    def test_an_interrupt_by_the_user_is_passed_on(self, iris, monkeypatch):
        def interrupted(self, X):
            raise KeyboardInterrupt

        monkeypatch.setattr(crystalml.neural._modules.MLP, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            quick().fit(*iris)

    def test_silent_unless_asked(self, iris, capsys):
        quick().fit(*iris)
        captured = capsys.readouterr()
        assert captured.out == captured.err == ""
        quick(verbose=True, progress=True).fit(*iris)
        captured = capsys.readouterr()
        assert "valid_loss" in captured.out
        assert "MLPNetClassifier" in captured.err
        assert "3/3" in captured.err


class TestRefusals:
    @pytest.mark.parametrize("largest", [1e200, -4e38])
    def test_targets_beyond_float32(self, iris, largest):
        X, y = iris[0], iris[0][:, 0].copy()
        y[7] = largest
        expected = re.escape(f"MLPNetRegressor: y has {largest!r} in row 7, but nets compute")
        with pytest.raises(InvalidInputError, match=expected):
            quick(MLPNetRegressor).fit(X, y)

    def test_targets_that_leave_float32_on_the_scale_of_the_fit_before(self, iris):
        X, y = iris[0], iris[0][:, 0]
        model = quick(MLPNetRegressor).partial_fit(X, y * 1e-3)
        with pytest.raises(InvalidInputError, match=r"y has 1e\+38 in row 0, but nets compute"):
            model.partial_fit(X[:1], [1e38])

    def test_the_largest_targets_are_learned(self, iris):
        X, y = iris[0], iris[0][:, 0] * 1e37
        assert np.isfinite(quick(MLPNetRegressor).fit(X, y).predict(X)).all()

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("dropout", 1.0),
            ("activation", "sine"),
            ("hidden_layer_sizes", 0),
            ("hidden_layer_sizes", (8, 0)),
            ("hidden_layer_sizes", (8.5,)),
            ("batch_size", 0),
            ("learning_rate", 0.0),
            ("optimizer", "lbfgs"),
            ("optimizer", int),
            ("max_epochs", 1.5),
            ("validation_fraction", 1.0),
            ("validation_splitter", 5),
            ("class_weight", "equal"),
            ("random_state", "zero"),
            ("callbacks", "print"),
            ("device", "abacus"),
        ],
    )
    def test_parameters_out_of_range(self, iris, parameter, value):
        with pytest.raises(InvalidInputError, match=parameter.partition("_")[0]) as caught:
            quick(**{parameter: value}).fit(*iris)
        assert "MLPNetClassifier" in str(caught.value)
        assert repr(value) in str(caught.value)

    def test_one_class(self, iris):
        X, y = iris
        with pytest.raises(InvalidInputError, match="only one class, 'a', among the rows"):
            quick().fit(X, np.full(150, "a"))
        with pytest.raises(InvalidInputError, match=r"only one class, 0, among the rows"):
            quick().fit(X, y, sample_weight=y == 0)

    def test_too_few_rows_to_validate(self, iris):
        X, _ = iris
        with pytest.raises(InvalidInputError, match="none of the 9 rows can be set aside"):
            quick().fit(X[:9], np.arange(9))
        with pytest.raises(InvalidInputError, match="validation_fraction=None"):
            quick().fit(X[:9], np.arange(9) % 2, groups=np.zeros(9))
        quick(validation_fraction=None).fit(X[:9], np.arange(9))

    def test_groups_with_missing_labels(self, iris):
        groups = np.array(["NaN"] * 149 + [None], dtype=object)
        with pytest.raises(InvalidInputError, match=r"1 missing labels \(first: row 149\)"):
            quick().fit(*iris, groups=groups)

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            (np.r_[np.ones(149), -1], "row 149 has"),
            (np.zeros(150), "every sample_weight is zero"),
            (np.ones((150, 1)), r"has shape \(150, 1\)"),
        ],
    )
    def test_bad_weights(self, iris, weight, message):
        with pytest.raises(InvalidInputError, match=message):
            quick().fit(*iris, sample_weight=weight)

    def test_diverging_training(self, iris):
        X, y = iris
        with pytest.raises(InvalidInputError, match=r"Scale the inputs .* or lower learning_rate"):
            quick(MLPNetRegressor, optimizer="sgd", learning_rate=1e6, max_epochs=50).fit(X, y)

    def test_batch_normalization_of_single_rows(self, iris):
        with pytest.raises(InvalidInputError, match="batches of at least two rows"):
            quick(batch_normalization=True, batch_size=1).fit(*iris)

    def test_infinite_target(self, iris):
        X, y = iris
        with pytest.raises(ValueError, match="Input y contains infinity"):
            quick(MLPNetRegressor).fit(X, np.r_[y[:-1], np.inf])


class TestScikitLearn:
    def test_grid_search_over_a_pipeline(self, iris):
        X, y = iris
        search = GridSearchCV(
            make_pipeline(StandardScaler(), quick(max_epochs=15)),
            {"mlpnetclassifier__learning_rate": [1e-6, 1e-2]},
            cv=2,
        ).fit(X, np.array(["x", "y", "z"])[y])
        assert search.best_params_ == {"mlpnetclassifier__learning_rate": 1e-2}
        assert search.best_score_ > 0.8

    @pytest.mark.parametrize("dump", [pickle, joblib])
    @BOTH
    def test_pickles_predict_the_same(self, iris, estimator_class, dump):
        X, y = iris
        model = quick(estimator_class, progress=True, scheduler="cosine").fit(X, y)
        buffer = io.BytesIO()
        dump.dump(model, buffer)
        assert buffer.tell() < 100_000
        buffer.seek(0)
        loaded = dump.load(buffer)
        assert_array_equal(loaded.predict(X), model.predict(X))
        assert_array_equal(loaded.history_, model.history_)
        loaded.set_params(warm_start=True).fit(X, y)
        assert loaded.n_iter_ == 6

    def test_groups_travel_by_metadata_routing(self, iris):
        X, y = iris
        groups = np.arange(150) // 5
        with sklearn.config_context(enable_metadata_routing=True):
            model = make_pipeline(StandardScaler(), quick().set_fit_request(groups=True))
            scores = cross_val_score(model, X, y, cv=2, params={"groups": groups})
        assert len(scores) == 2

    def test_fit_does_not_change_its_parameters(self, iris):
        model = quick(hidden_layer_sizes=[4, 3], callbacks=[], class_weight={0: 2.0})
        before = {name: repr(value) for name, value in model.get_params().items()}
        model.fit(*iris)
        assert {name: repr(value) for name, value in model.get_params().items()} == before
