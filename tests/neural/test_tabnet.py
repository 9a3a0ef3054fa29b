"""The TabNet estimators as their users see them."""

import inspect
import pickle
import random
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from skorch.callbacks import EpochScoring

from crystalml.exceptions import InvalidInputError
from crystalml.neural import (
    NetEnsembleClassifier,
    TabNetClassifier,
    TabNetPretrainer,
    TabNetRegressor,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports from an old place of SciPy
    from pytorch_tabnet import tab_model

BOTH = pytest.mark.parametrize("estimator_class", [TabNetClassifier, TabNetRegressor])
ALL = pytest.mark.parametrize(
    "estimator_class", [TabNetClassifier, TabNetRegressor, TabNetPretrainer]
)
PEER_SIZES = {"n_d": 8, "n_a": 8, "n_steps": 3, "gamma": 1.5, "momentum": 0.1}
SMALL = {"n_d": 4, "n_a": 4, "n_steps": 2, "momentum": 0.1, "batch_size": 64}


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def table(iris):
    """Two numeric columns, and two of names, of which one has missing values."""
    X, y = iris
    frame = pd.DataFrame(X[:, :2], columns=["length", "width"])
    frame.insert(1, "formula", np.array(["NaN", "TiO2", "SiO2"])[(y + np.arange(150) // 40) % 3])
    colour = np.where(np.arange(150) % 7 == 0, None, np.array(["red", "blue"])[np.arange(150) % 2])
    frame["colour"] = pd.Categorical(colour)
    return frame


def quick(estimator_class=TabNetClassifier, **parameters):
    return estimator_class(**{**SMALL, "max_epochs": 2, "random_state": 0, **parameters})


def weights_of(estimator):
    return [p.detach().numpy() for p in estimator.net_.module_.parameters()]


def assert_same_weights(first, second, **tolerance):
    for ours, theirs in zip(weights_of(first), weights_of(second), strict=True):
        assert_allclose(ours, theirs, **{"rtol": 0, **tolerance})


def answers(model, X):
    """What the rows become: probabilities, numbers or encoded rows."""
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(model, method):
            return getattr(model, method)(X)
    raise AssertionError(model)


class TestDefaults:
    @ALL
    def test_are_those_of_the_study(self, estimator_class):
        study = {
            "n_d": 64,
            "n_a": 64,
            "n_steps": 5,
            "gamma": 1.5,
            "lambda_sparse": 1e-4,
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "scheduler": "step",
            "batch_size": 1024,
            "virtual_batch_size": 128,
            "patience": 30,
        }
        parameters = estimator_class().get_params()
        common = study.keys() & parameters.keys()
        assert study.keys() - common <= {"lambda_sparse"}
        assert {name: parameters[name] for name in common} == {n: study[n] for n in common}

    def test_step_decay(self, iris):
        X, y = iris
        model = quick(
            n_steps=1, n_shared=0, n_independent=1, max_epochs=102, learning_rate=0.01,
            validation_fraction=None,
        ).fit(X[::10], y[::10])  # fmt: skip
        rates = model.history_["learning_rate"]
        assert_allclose(rates[[0, 49, 50, 99, 100]], 0.01 * 0.9 ** np.array([0, 0, 1, 1, 2]))

    @ALL
    def test_signature_is_documented_with_its_defaults(self, estimator_class):
        text = inspect.getdoc(estimator_class)
        assert 'scheduler : {"cosine", "plateau", "step"}, callable or None, default="step"' in text
        assert "batch_size : int, default=1024" in text
        assert "{" not in text.replace('{"', "")


class TestBesidePytorchTabnet:
    """One batch and one virtual batch per epoch, so that both see the same rows in each step."""

    def peer(self, peer_class, X, y, seed):
        model = peer_class(
            **PEER_SIZES,
            seed=seed,
            lambda_sparse=1e-2,
            optimizer_params={"lr": 1e-3},
            verbose=0,
            device_name="cpu",
        )
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            model.fit(
                X, y, max_epochs=20, patience=0, batch_size=400, virtual_batch_size=400,
                drop_last=False,
            )  # fmt: skip
        return model

    def ours(self, estimator_class):
        return estimator_class(
            **PEER_SIZES,
            lambda_sparse=1e-2,
            learning_rate=1e-3,
            virtual_batch_size=400,
            batch_size=400,
            validation_fraction=None,
            max_epochs=20,
            random_state=0,
        )

    @pytest.fixture
    def rows(self):
        X = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32)
        return X, X[:, 0] * X[:, 1] + X[:, 2]

    @property
    def seed(self):
        return int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))

    def test_same_losses_and_predictions_of_numbers(self, rows):
        X, y = rows
        y = (y - y.mean()) / y.std()
        model = self.ours(TabNetRegressor).fit(X, y)
        peer = self.peer(tab_model.TabNetRegressor, X, y.reshape(-1, 1), self.seed)
        assert_allclose(model.history_["train_loss"], peer.history["loss"], rtol=0.02)
        expected = peer.predict(X)[:, 0]
        assert np.std(model.predict(X) - expected) < 0.05 * np.std(expected)
        assert_allclose(model.feature_importances_, peer.feature_importances_, atol=0.02)

    def test_same_losses_and_predictions_of_labels(self, rows):
        X, y = rows
        y = np.digitize(y, [-1, 1])
        model = self.ours(TabNetClassifier).fit(X, y)
        peer = self.peer(tab_model.TabNetClassifier, X, y, self.seed)
        assert_allclose(model.history_["train_loss"], peer.history["loss"], rtol=0.02)
        assert np.abs(model.predict_proba(X) - peer.predict_proba(X)).mean() < 0.02


class TestLearning:
    def test_learns_a_product_and_finds_its_columns(self):
        X = np.random.default_rng(0).standard_normal((1500, 6))
        y = X[:, 1] * X[:, 4]
        model = quick(
            TabNetRegressor, n_d=8, n_a=8, n_steps=3, batch_size=256, learning_rate=0.02,
            max_epochs=40,
        ).fit(X[:1000], y[:1000])  # fmt: skip
        assert model.score(X[1000:], y[1000:]) > 0.8
        assert set(np.argsort(model.feature_importances_)[-2:]) == {1, 4}
        assert model.feature_importances_[[1, 4]].sum() > 0.7

    def test_labels_of_any_kind(self, iris):
        X, y = iris
        names = np.array(["NaN", "aP", "cF"], dtype=object)[y]
        model = quick(max_epochs=40, learning_rate=0.02).fit(X, names)
        assert model.score(X, names) > 0.8
        assert_array_equal(model.classes_, ["NaN", "aP", "cF"])
        assert_allclose(model.predict_proba(X).sum(axis=1), 1)

    def test_several_targets_and_heads(self, iris):
        X, _ = iris
        y = np.column_stack([X[:, 0], X[:, 1] ** 2])
        assert quick(TabNetRegressor).fit(X, y).predict(X).shape == (150, 2)
        mean, std = quick(TabNetRegressor, head="gaussian").fit(X, y).predict(X, return_std=True)
        assert mean.shape == std.shape == (150, 2)
        quantiles = quick(TabNetRegressor, head="quantile").fit(X, y).predict_quantiles(X)
        assert (np.diff(quantiles, axis=-1) >= 0).all()

    def test_sparsity_penalty_makes_masks_sparser(self, iris):
        entropies = []
        for factor in (0.0, 1.0):
            model = quick(lambda_sparse=factor, max_epochs=30, learning_rate=0.01, patience=None)
            masks = model.fit(*iris).explain(iris[0]).masks
            entropies.append(-(masks * np.log(masks + 1e-12)).sum(axis=2).mean())
        assert entropies[1] < 0.9 * entropies[0]

    def test_gradients_are_shortened(self, iris):
        def after_one_step(norm, rate):
            model = quick(
                TabNetRegressor,
                max_gradient_norm=norm,
                learning_rate=rate,
                optimizer=torch.optim.SGD,
                batch_size=200,
                validation_fraction=None,
                max_epochs=1,
            )
            return np.concatenate([weight.ravel() for weight in weights_of(model.fit(*iris))])

        start = after_one_step(1.0, 1e-12)
        assert np.linalg.norm(after_one_step(0.01, 1.0) - start) == pytest.approx(0.01, rel=1e-3)
        assert np.linalg.norm(after_one_step(None, 1.0) - start) > 0.02

    def test_entmax_is_less_sparse(self, iris):
        X, y = iris
        shares = [
            (quick(mask_type=kind).fit(X, y).explain(X).masks == 0).mean()
            for kind in ("entmax", "sparsemax")
        ]
        assert shares[0] < shares[1]


class TestCommon:
    @ALL
    def test_same_seed_same_weights_and_global_generators_untouched(self, iris, estimator_class):
        np.random.seed(5)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
        first = quick(estimator_class).fit(*iris)
        torch.manual_seed(99)
        torch.set_rng_state(before[0])
        other = quick(estimator_class, random_state=1).fit(*iris)
        second = quick(estimator_class).fit(*iris)
        assert_same_weights(first, second, atol=0)
        assert not np.allclose(weights_of(first)[-1], weights_of(other)[-1])
        assert torch.equal(torch.get_rng_state(), before[0])
        for now, then in zip(np.random.get_state(), before[1], strict=True):  # noqa: NPY002
            assert_array_equal(now, then)
        assert random.getstate() == before[2]

    @ALL
    def test_a_row_alone_and_among_a_thousand(self, estimator_class):
        X = np.random.default_rng(0).standard_normal((1000, 9))
        model = quick(estimator_class).fit(X, np.arange(1000) % 5)
        together = answers(model, X)
        alone = np.concatenate([answers(model, X[i : i + 1]) for i in range(0, 1000, 50)])
        assert_allclose(alone, together[::50], rtol=1e-9, atol=1e-12)

    @BOTH
    def test_weights_classes_and_groups_are_taken(self, iris, estimator_class):
        X, y = iris
        groups = np.arange(150) // 5
        model = quick(estimator_class).fit(X, y, sample_weight=1.0 + (y == 1), groups=groups)
        plain = quick(estimator_class).fit(X, y, groups=groups)
        assert not np.allclose(weights_of(model)[-1], weights_of(plain)[-1])
        if estimator_class is TabNetClassifier:
            by_class = quick(class_weight={1: 2.0}).fit(X, y, groups=groups)
            assert_same_weights(model, by_class, atol=1e-6)
        assert "valid_loss" in model.history_

    @BOTH
    def test_scores_by_name(self, iris, estimator_class):
        name = "accuracy" if estimator_class is TabNetClassifier else "r2"
        scoring = EpochScoring(name, lower_is_better=False, on_train=True)
        model = quick(estimator_class, validation_fraction=None, callbacks=[scoring]).fit(*iris)
        assert model.history_[name].iloc[-1] == pytest.approx(model.score(*iris), abs=1e-5)

    @BOTH
    def test_warm_start_and_partial_fit_go_on(self, iris, estimator_class):
        X, y = iris
        model = quick(estimator_class, warm_start=True).fit(X, y).fit(X, y)
        assert model.n_iter_ == 4
        classes = {"classes": [0, 1, 2]} if estimator_class is TabNetClassifier else {}
        steps = quick(estimator_class).partial_fit(X[:70], y[:70], **classes)
        importances = steps.feature_importances_
        steps.partial_fit(X[70:], y[70:])
        assert steps.n_iter_ == 2
        assert not np.array_equal(importances, steps.feature_importances_)
        with pytest.raises(InvalidInputError, match="another network than the one fitted before"):
            model.set_params(n_d=5).fit(X, y)

    @ALL
    def test_pickles_answer_the_same(self, table, iris, estimator_class):
        model = quick(estimator_class).fit(table, iris[1])
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(answers(again, table), answers(model, table))

    @ALL
    def test_net_is_rebuilt_from_description_and_tensors(self, table, iris, estimator_class):
        model = quick(estimator_class, embedding_dim=[2, 3]).fit(table, iris[1])
        state = model._net_state(with_optimizer=True)
        expected = answers(model, table)
        again = pickle.loads(pickle.dumps(model))
        del again.net_
        again._restore_net(*state)
        assert_array_equal(answers(again, table), expected)

    def test_small_and_odd_batches(self, iris):
        X, y = iris
        for n_rows in (2, 3, 65, 67):
            model = quick(virtual_batch_size=2, validation_fraction=None, max_epochs=1)
            assert np.isfinite(model.fit(X[-n_rows:], np.arange(n_rows) % 2).predict_proba(X)).all()
        with pytest.raises(InvalidInputError, match="batches of at least two rows"):
            quick().partial_fit(X[:1], y[:1], classes=[0, 1])

    def test_in_an_ensemble_and_a_search(self, iris):
        X, y = iris
        ensemble = NetEnsembleClassifier(quick(), n_members=2, random_state=0).fit(X, y)
        assert ensemble.predict_proba(X).shape == (150, 3)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), quick(max_epochs=15)),
            {"tabnetclassifier__learning_rate": [1e-6, 0.03]},
            cv=2,
        ).fit(X, y)
        assert search.best_params_ == {"tabnetclassifier__learning_rate": 0.03}


class TestExplanations:
    @ALL
    def test_sums(self, iris, estimator_class):
        X, y = iris
        model = quick(estimator_class, validation_fraction=None).fit(X, y)
        importances, masks, contributions = model.explain(X)
        assert masks.shape == (150, 2, 4)
        assert_allclose(masks.sum(axis=2), 1, rtol=1e-5)
        assert masks.min() >= 0
        assert contributions.min() >= 0
        used = contributions.sum(axis=1) > 0
        assert_allclose(importances.sum(axis=1), used, rtol=1e-5)
        total = np.einsum("nsf,ns->f", masks.astype(float), contributions)
        assert_allclose(model.feature_importances_, total / total.sum(), rtol=1e-3)
        assert model.feature_importances_.sum() == pytest.approx(1)

    def test_importances_are_weighted(self, iris):
        X, y = iris
        weight = np.where(np.arange(150) < 75, 1.0, 3.0)
        model = quick(validation_fraction=None).fit(X, y, sample_weight=weight)
        _, masks, contributions = model.explain(X)
        total = np.einsum("nsf,ns,n->f", masks.astype(float), contributions, weight)
        assert_allclose(model.feature_importances_, total / total.sum(), rtol=1e-3)

    def test_rows_do_not_depend_on_the_batch(self, iris):
        X, y = iris
        model = quick().fit(X, y)
        assert_allclose(model.explain(X).masks[7:8], model.explain(X[7:8]).masks, atol=1e-6)


class TestCategories:
    def test_found_by_dtype(self, table, iris):
        model = quick().fit(table, iris[1])
        assert_array_equal(model.categorical_features_, [1, 3])
        assert model.categories_[0].tolist() == ["NaN", "SiO2", "TiO2"]
        assert model.categories_[1].tolist()[:2] == ["blue", "red"]
        assert np.isnan(model.categories_[1][2])
        assert_array_equal(model.feature_names_in_, table.columns)
        assert model.feature_importances_.shape == (4,)
        shapes = [tuple(e.weight.shape) for e in model.net_.module_.embedder.embeddings]
        assert shapes == [(4, 1), (4, 1)]

    @pytest.mark.parametrize(
        "wanted", [[1, 3], ["formula", "colour"], [False, True, False, True], [3, "formula"]]
    )
    def test_named_in_other_ways(self, table, iris, wanted):
        by_dtype = quick().fit(table, iris[1])
        model = quick(categorical_features=wanted).fit(table, iris[1])
        assert_same_weights(model, by_dtype, atol=0)

    def test_arrays_and_lists_give_the_same_as_tables(self, table, iris):
        X, y = table.to_numpy(dtype=object), iris[1]
        expected = quick().fit(table, y).predict_proba(table)
        for rows in (X, X.tolist()):
            model = quick(categorical_features=[1, 3]).fit(rows, y)
            assert_array_equal(model.predict_proba(rows), expected)

    def test_numbers_may_be_categories(self, iris):
        X, y = iris
        codes = np.array([230, 2, -7])[(y + np.arange(150) // 40) % 3]
        rows = np.column_stack([X[:, :1], codes])
        model = quick(categorical_features=[1]).fit(rows, y)
        assert model.categories_[0].tolist() == [-7, 2, 230]
        frame = pd.DataFrame({"length": X[:, 0], "number": codes})
        with pytest.warns(UserWarning, match="feature names"):
            assert_allclose(model.predict_proba(frame), model.predict_proba(rows), rtol=1e-6)

    def test_none_are_asked_for(self, iris):
        frame = pd.DataFrame(iris[0]).astype({0: "category"}).set_axis(list("abcd"), axis=1)
        model = quick(categorical_features=None).fit(frame, iris[1])
        assert len(model.categorical_features_) == 0

    def test_categories_help(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(
            {"noise": rng.standard_normal(600), "k": rng.choice(list("abcd"), 600)}
        )
        y = frame["k"].isin(["a", "d"])
        model = quick(max_epochs=30, learning_rate=0.02, embedding_dim=2).fit(frame[:400], y[:400])
        assert model.score(frame[400:], y[400:]) > 0.95
        assert model.feature_importances_[1] > 0.6

    def test_unknown_categories_are_the_mean_of_the_known(self, table, iris):
        model = quick(embedding_dim=[2, 3]).fit(table, iris[1])
        for embedding in model.net_.module_.embedder.embeddings:
            weight = embedding.weight.detach()
            torch.testing.assert_close(weight[0], weight[1:].mean(dim=0))
        unknown, missing = (table.assign(formula=value) for value in ("XeF2", None))
        assert_array_equal(model.predict_proba(unknown), model.predict_proba(missing))
        assert not np.allclose(model.predict_proba(unknown), model.predict_proba(table))

    def test_missing_is_a_category_where_it_was_learned(self, table, iris):
        model = quick(max_epochs=5).fit(table, iris[1])
        missing, unknown = (table.assign(colour=value) for value in (np.nan, "green"))
        assert not np.allclose(model.predict_proba(missing), model.predict_proba(unknown))
        as_none = table.assign(colour=pd.Series([None] * 150, dtype=object))
        assert_array_equal(model.predict_proba(missing), model.predict_proba(as_none))

    def test_rows_are_left_as_they_were(self, table, iris):
        before = table.copy(deep=True)
        quick().fit(table, iris[1]).predict(table)
        pd.testing.assert_frame_equal(table, before)

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"categorical_features": ["colur"]}, "'colur' in categorical_features is no column"),
            ({"categorical_features": [4]}, "4 in categorical_features is no column of X"),
            ({"categorical_features": [True]}, "has 1 truth values, but X has 4 columns"),
            ({"embedding_dim": [1, 2, 3]}, "each of the 2 categorical columns, got"),
            ({"embedding_dim": [1, 0]}, r"got \[1, 0\]"),
            ({"n_independent": 0, "n_shared": 0}, "are both 0, which leaves no layers"),
            ({"mask_type": "softmax"}, "'mask_type' parameter of TabNetClassifier"),
            ({"gamma": 0.5}, "'gamma'"),
            ({"virtual_batch_size": 1}, "'virtual_batch_size'"),
            ({"scheduler": "steps"}, "'scheduler'"),
        ],
    )
    def test_refusals(self, table, iris, parameters, said):
        with pytest.raises(InvalidInputError, match=said):
            quick(**parameters).fit(table, iris[1])

    def test_wrong_columns_in_prediction(self, table, iris):
        model = quick().fit(table, iris[1])
        with pytest.raises(ValueError, match="feature names"):
            model.predict(table[["length", "formula", "width"]])
        with pytest.raises(ValueError, match="feature names"):
            model.predict(table[["formula", "length", "width", "colour"]])


@pytest.fixture(scope="module")
def curves():
    """Six columns that follow from two, and labels that follow from them as well."""
    u, v = np.random.default_rng(0).uniform(-1, 1, size=(2, 1200))
    X = scale(np.column_stack([u, v, u * v, u + v, u - v, np.sin(3 * u)]))
    return X, (u * v > 0).astype(int)


@pytest.fixture(scope="module")
def pretrainer(curves):
    settings = {"n_d": 8, "n_a": 8, "n_steps": 2, "batch_size": 256}
    return TabNetPretrainer(
        **settings, momentum=0.1, max_epochs=60, learning_rate=0.02, random_state=0
    ).fit(curves[0][:1000])


class TestPretraining:
    def started(self, pretrainer, **parameters):
        return quick(n_d=8, n_a=8, pretrained=FrozenEstimator(pretrainer), **parameters)

    def test_fills_in_what_follows_from_other_columns(self, pretrainer, curves):
        losses = pretrainer.history_["valid_loss"]
        assert losses.iloc[0] > 0.9
        assert losses.min() < 0.6
        assert -pretrainer.score(curves[0][1000:]) < 0.65
        shuffled = np.random.default_rng(0).permuted(curves[0][1000:], axis=0)
        assert -pretrainer.score(shuffled) > 1

    def test_loss_of_the_best_epoch_is_kept(self, iris):
        class EveryFifth:
            def split(self, X, y, groups):
                rows = np.arange(len(X))
                yield rows[rows % 5 > 0], rows[rows % 5 == 0]

        model = quick(TabNetPretrainer, max_epochs=6, validation_splitter=EveryFifth())
        kept = model.fit(iris[0]).history_["valid_loss"][model.best_epoch_ - 1]
        assert model.score(iris[0][::5]) == pytest.approx(-kept, rel=1e-4)

    def test_transform(self, pretrainer, curves):
        encoded = pretrainer.transform(curves[0])
        assert encoded.shape == (1200, 8)
        assert encoded.min() >= 0
        assert pretrainer.get_feature_names_out()[7] == "tabnetpretrainer7"

    def test_start_from_its_weights(self, pretrainer, curves):
        X, y = curves
        model = self.started(pretrainer, learning_rate=1e-12, max_epochs=1).fit(X, y)
        ours, theirs = (m.net_.module_.encoder for m in (model, pretrainer))
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p, q, msg=name, rtol=0, atol=1e-9)

    def test_helps_with_few_labels(self, pretrainer, curves):
        X, y = curves
        few = slice(0, 200)
        settings = {"max_epochs": 8, "learning_rate": 0.02, "patience": None}
        losses = [
            model.fit(X[few], y[few]).history_["train_loss"].iloc[-1]
            for model in (
                self.started(pretrainer, **settings),
                quick(n_d=8, n_a=8, **settings),
            )
        ]
        assert losses[0] < losses[1]

    def test_the_pretrainer_is_left_as_it_was(self, pretrainer, curves):
        before = [weight.copy() for weight in weights_of(pretrainer)]
        self.started(pretrainer).fit(*curves)
        for weight, then in zip(weights_of(pretrainer), before, strict=True):
            assert_array_equal(weight, then)

    def test_frozen_ones_survive_cloning_others_are_refused(self, pretrainer, curves):
        X, y = curves
        model = self.started(pretrainer)
        assert_same_weights(clone(model).fit(X, y), model.fit(X, y), atol=0)
        assert cross_val_score(model, X, y, cv=2).shape == (2,)
        bare = self.started(pretrainer).set_params(pretrained=pretrainer)
        assert_same_weights(bare.fit(X, y), model, atol=0)
        with pytest.raises(InvalidInputError, match=r"pretrainer is not fitted.*FrozenEstimator"):
            clone(bare).fit(X, y)
        frozen = FrozenEstimator(StandardScaler().fit(X))
        with pytest.raises(InvalidInputError, match="must be a fitted TabNetPretrainer"):
            quick(pretrained=frozen).fit(X, y)

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"n_d": 7}, r"differs in n_d \(7 here, 8 there\)"),
            ({"n_steps": 3, "n_shared": 1}, r"n_steps \(3 here, 2 there\), n_shared \(1 here, 2"),
            ({"categorical_features": [0]}, r"categorical columns are \[0\], but those of the p"),
        ],
    )
    def test_other_sizes_are_refused(self, pretrainer, curves, parameters, said):
        with pytest.raises(InvalidInputError, match=said):
            self.started(pretrainer).set_params(**parameters).fit(*curves)

    def test_other_columns_are_refused(self, pretrainer, curves, table, iris):
        X, y = curves
        with pytest.raises(InvalidInputError, match=r"number of columns \(5 here, 6 there\)"):
            self.started(pretrainer).fit(X[:, :5], y)
        named = quick(TabNetPretrainer).fit(table)
        model = quick(pretrained=named)
        with pytest.raises(InvalidInputError, match="are not those of the pretrainer"):
            model.fit(table.rename(columns={"width": "breadth"}), iris[1])
        with pytest.raises(InvalidInputError, match=r"embedding_dim \(\[2, 2\] here, \[1, 1\]"):
            model.set_params(embedding_dim=2).fit(table, iris[1])

    def test_categories_are_those_of_the_pretrainer(self, table, iris):
        pretrainer = quick(TabNetPretrainer).fit(table)
        fewer = table["formula"] != "SiO2"
        model = quick(pretrained=pretrainer).fit(table[fewer], iris[1][fewer])
        assert model.categories_[0].tolist() == ["NaN", "SiO2", "TiO2"]
        unseen = quick(TabNetPretrainer).fit(table[fewer])
        model = quick(pretrained=unseen).fit(table, iris[1])
        weight = model.net_.module_.embedder.embeddings[0].weight.detach()
        assert not torch.allclose(weight[0], weight[1:].mean(dim=0))  # it was learned from rows
