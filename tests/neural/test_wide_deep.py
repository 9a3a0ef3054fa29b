"""Wide-and-deep nets: architecture, wide columns, and rows that do not see each other."""

import pickle
import random
import re

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from torch import nn

from crystalml import CellDescriptors
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.neural import WideDeepNetClassifier, WideDeepNetRegressor
from crystalml.neural._modules import Dropout
from crystalml.neural._wide_deep import ResidualBlock, SqueezeExcitation, WideDeep

BOTH = pytest.mark.parametrize("estimator_class", [WideDeepNetClassifier, WideDeepNetRegressor])
CELL = ["a", "b", "c", "alpha", "beta", "gamma"]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def quick(estimator_class=WideDeepNetRegressor, **parameters):
    small = {"hidden_layer_sizes": (16, 8), "head_layer_sizes": 4, "max_epochs": 3}
    return estimator_class(**{**small, "random_state": 0, **parameters})


def n_weights(module):
    return sum(p.numel() for p in module.parameters())


def weights_of(estimator):
    return [p.detach().numpy() for p in estimator.net_.module_.parameters()]


class TestArchitecture:
    def test_default_net_has_the_layers_and_the_size_it_should(self):
        X = np.random.default_rng(0).standard_normal((140, 9))
        net = WideDeepNetRegressor(wide_features=[8], max_epochs=1, random_state=0)
        module = net.fit(X, X[:, 0]).net_.module_

        widths = [512, 512, 256, 256, 128, 128, 64, 64, 32, 16]
        expected, n_inputs = 0, 9
        for d in widths:
            narrow = d // 16
            expected += n_inputs * d + d + 2 * d  # Linear and BatchNorm
            expected += 2 * (d * d + d + 2 * d)  # twice the same in the block
            expected += d * narrow + narrow + narrow * d + d  # squeeze and excitation
            n_inputs = d
        expected += (16 + 1 + 1) * 64 + (64 + 1)  # 16 deep features and a wide one to 64 to 1
        assert n_weights(module) == expected == 2_030_780

        assert [type(layer) for layer in module.deep] == 10 * [
            nn.Linear,
            nn.BatchNorm1d,
            nn.ReLU,
            Dropout,
            ResidualBlock,
        ]
        linear = [layer for layer in module.deep if isinstance(layer, nn.Linear)]
        assert [layer.out_features for layer in linear] == widths
        assert [layer.in_features for layer in linear] == [9, *widths[:-1]]
        assert {layer.probability for layer in module.deep if isinstance(layer, Dropout)} == {0.2}
        assert [tuple(p.shape) for p in module.head.parameters()] == [
            (64, 17),
            (64,),
            (1, 64),
            (1,),
        ]

    def test_defaults_of_the_training(self):
        parameters = WideDeepNetRegressor().get_params()
        assert parameters["optimizer"] == "rmsprop"
        assert (parameters["learning_rate"], parameters["weight_decay"]) == (3e-4, 1e-4)
        assert (parameters["scheduler"], parameters["max_epochs"]) == ("cosine", 300)
        assert (parameters["batch_size"], parameters["patience"]) == (128, 25)
        assert "learning_rate : float, default=0.0003" in WideDeepNetRegressor.__doc__
        assert re.search(r"scheduler : .*, default=\"cosine\"", WideDeepNetClassifier.__doc__)

    def test_squeeze_and_excitation_by_hand(self):
        layer = SqueezeExcitation(6, 4)
        first, second = layer.gate[0], layer.gate[2]
        assert (first.out_features, second.in_features) == (1, 1)
        x = torch.randn(5, 6)
        hidden = np.maximum(x.numpy() @ first.weight.detach().numpy().T + first.bias.item(), 0)
        logits = hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy()
        expected = x.numpy() / (1 + np.exp(-logits))
        assert_allclose(layer(x).detach(), expected, rtol=1e-5, atol=1e-7)

    def test_residual_block_passes_on_what_its_branch_leaves(self):
        block = ResidualBlock(4, 2).eval()
        assert n_weights(block) == 2 * (4 * 4 + 4 + 8) + (4 * 2 + 2 + 2 * 4 + 4)
        x = torch.randn(7, 4)
        nn.init.zeros_(block.branch[4].weight)  # the last normalisation: the branch gives 0
        assert torch.equal(block(x), torch.relu(x))

    def test_wide_columns_reach_the_head_as_they_are(self):
        module = WideDeep(3, 2, [2, 0], (4,), (), 0.0, 2).eval()
        x = torch.randn(6, 3)
        joined = torch.cat([module.deep(x), x[:, [2, 0]]], dim=1)
        assert torch.equal(module(x), module.head(joined))
        assert tuple(module.head[-1].weight.shape) == (2, 6)

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({"hidden_layer_sizes": (), "head_layer_sizes": ()}, 5),  # linear
            ({"hidden_layer_sizes": 3, "head_layer_sizes": ()}, 15 + 6 + 36 + (3 + 1 + 3 + 3) + 4),
            ({"hidden_layer_sizes": (), "head_layer_sizes": (7, 2)}, 35 + 16 + 3),
        ],
    )
    def test_every_size_is_a_parameter(self, iris, parameters, expected):
        X, y = iris
        net = quick(wide_features=None, **parameters).fit(X, y)
        assert n_weights(net.net_.module_) == expected

    def test_one_output_per_class_or_target(self, iris):
        X, y = iris
        classifier = quick(WideDeepNetClassifier).fit(X, y)
        assert classifier.net_.module_.head[-1].out_features == 3
        regressor = quick(wide_features=[1]).fit(X, np.column_stack([y, y + X[:, 0]]))
        assert regressor.predict(X).shape == (150, 2)


class TestRowsAlone:
    @BOTH
    def test_a_row_alone_and_among_a_thousand(self, estimator_class):
        X = np.random.default_rng(0).standard_normal((1000, 9))
        y = np.arange(1000) % 5
        net = quick(estimator_class, hidden_layer_sizes=(64, 32, 16), wide_features=[3]).fit(X, y)
        method = getattr(net, "predict_proba", net.predict)
        together = method(X)
        alone = np.concatenate([method(X[i : i + 1]) for i in range(0, 1000, 20)])
        assert_allclose(alone, together[::20], rtol=1e-12)

    def test_default_net_treats_rows_alone(self):
        X = np.random.default_rng(0).standard_normal((1000, 7))
        net = WideDeepNetRegressor(max_epochs=1, batch_size=150, random_state=0)
        net.fit(X[:150], X[:150].sum(axis=1))
        together = net.predict(X)
        assert len(np.unique(together)) == 1000
        alone = np.concatenate([net.predict(X[i : i + 1]) for i in (0, 499, 999)])
        assert_allclose(alone, together[[0, 499, 999]], rtol=1e-12)

    def test_wild_neighbours_change_nothing(self, iris):
        X, y = iris
        net = quick(WideDeepNetClassifier).fit(X, y)
        wild = np.vstack([X[:5], 1e4 * np.ones((50, 4))])
        assert_allclose(net.predict_proba(wild)[:5], net.predict_proba(X[:5]), rtol=1e-12)

    def test_gates_in_training_follow_from_the_row_too(self):
        layer = SqueezeExcitation(8, 2).train()
        x = torch.randn(30, 8)
        torch.testing.assert_close(layer(x)[:3], layer(x[:3]))


@pytest.fixture(scope="module")
def frame(iris):
    return pd.DataFrame(iris[0], columns=["a", "v_formula", "c", "volume"])


class TestWideFeatures:
    @pytest.mark.parametrize(
        ("wide_features", "expected"),
        [
            ("auto", [1]),
            (["volume", "a"], [3, 0]),
            ([2, "a"], [2, 0]),
            (np.array([3]), [3]),
            (None, []),
            ((), []),
        ],
    )
    def test_names_and_positions(self, iris, frame, wide_features, expected):
        net = quick(wide_features=wide_features, max_epochs=1).fit(frame, iris[1])
        assert_array_equal(net.wide_features_, expected)
        assert net.net_.module_.head[0].in_features == 8 + len(expected)
        assert_array_equal(net.net_.module_.wide_columns, expected)

    def test_automatic_choice_needs_the_name(self, iris, frame):
        X, y = iris
        assert not len(quick(max_epochs=1).fit(X, y).wide_features_)
        assert not len(quick(max_epochs=1).fit(frame[["a", "c"]], y).wide_features_)

    def test_names_and_positions_give_the_same_net(self, iris, frame):
        X, y = iris
        by_name = quick(wide_features=["c"]).fit(frame, y)
        by_position = quick(wide_features=[2]).fit(X, y)
        for ours, theirs in zip(weights_of(by_name), weights_of(by_position), strict=True):
            assert_array_equal(ours, theirs)

    def test_descriptors_keep_the_name_through_a_scaler(self):
        table = load_cod_inorganic().data.head(200)
        net = quick(max_epochs=1)
        model = make_pipeline(CellDescriptors(), StandardScaler(), net)
        model.set_output(transform="pandas").fit(table[CELL], np.log(table["volume"]))
        assert net.feature_names_in_[net.wide_features_].tolist() == ["v_formula"]

    def test_a_linear_wide_column_is_learned_better(self):
        X = np.random.default_rng(0).standard_normal((400, 6))
        y = 3 * X[:, 5] + np.random.default_rng(1).standard_normal(400) * 0.1
        fixed = {"max_epochs": 15, "learning_rate": 3e-3}
        with_it, without = (
            quick(wide_features=wide, **fixed).fit(X[:300], y[:300]).score(X[300:], y[300:])
            for wide in ([5], None)
        )
        assert with_it > max(without, 0.9)

    @pytest.mark.parametrize(
        ("wide_features", "message"),
        [
            (["v"], "'v' in wide_features is no column of X; it has ['a', 'v_formula'"),
            ([4], "4 in wide_features is no column of X"),
            ([-1], "-1 in wide_features is no column of X"),
            ([True], "True in wide_features is no column of X"),
            ([1, "v_formula"], "has a column twice"),
            ("volume", "'wide_features' parameter of WideDeepNetRegressor must be"),
        ],
    )
    def test_columns_that_are_not_there(self, iris, frame, wide_features, message):
        with pytest.raises(InvalidInputError) as caught:
            quick(wide_features=wide_features).fit(frame, iris[1])
        assert message in str(caught.value)

    def test_names_of_an_array(self, iris):
        with pytest.raises(InvalidInputError, match=r"4 columns without names.*set_output"):
            quick(wide_features=["c"]).fit(*iris)

    def test_warm_start_keeps_the_columns(self, iris):
        net = quick(wide_features=[0], warm_start=True).fit(*iris)
        with pytest.raises(InvalidInputError, match=r"wide columns are now \[1\].*had \[0\]"):
            net.set_params(wide_features=[1]).fit(*iris)
        assert net.set_params(wide_features=[0]).fit(*iris).n_iter_ == 6


class TestTraining:
    def test_learns_crystal_geometry(self):
        edges = np.random.default_rng(0).uniform(3, 20, size=(900, 3))
        X, y = scale(np.log(edges)), np.log(edges.prod(axis=1))
        net = quick(hidden_layer_sizes=(32, 16), head_layer_sizes=32, dropout=0.05)
        net.set_params(learning_rate=1e-2, batch_size=32, max_epochs=20)
        assert net.fit(X[:700], y[:700]).score(X[700:], y[700:]) > 0.95

    def test_classifier_learns(self, iris):
        X, y = iris
        net = quick(WideDeepNetClassifier, learning_rate=1e-2, max_epochs=40, batch_size=32)
        assert net.fit(X, np.array(["x", "y", "z"])[y]).score(X, np.array(["x", "y", "z"])[y]) > 0.9

    def test_early_stopping_keeps_the_best_epoch(self, iris):
        X, y = iris
        splitter = StratifiedShuffleSplit(1, test_size=0.3, random_state=1)
        net = quick(WideDeepNetClassifier, learning_rate=0.03, scheduler=None, batch_size=16)
        net.set_params(max_epochs=200, patience=4, validation_splitter=splitter).fit(X, y)
        losses = net.history_.set_index("epoch")["valid_loss"]
        assert net.n_iter_ == net.best_epoch_ + 4 < 200
        _, valid = next(splitter.split(X, y))
        kept = -net.predict_log_proba(X[valid])[np.arange(len(valid)), y[valid]].mean()
        assert kept == pytest.approx(losses.loc[net.best_epoch_], rel=1e-4)

    def test_learning_rate_follows_a_cosine(self, iris):
        rates = quick(max_epochs=4, patience=None).fit(*iris).history_["learning_rate"]
        assert_allclose(rates, 3e-4 * np.array([1, 0.8535534, 0.5, 0.1464466]), rtol=1e-6)

    @BOTH
    def test_same_seed_same_weights_and_global_generators_untouched(self, iris, estimator_class):
        np.random.seed(5)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
        fits = [quick(estimator_class, random_state=seed).fit(*iris) for seed in (0, 0, 1)]
        for ours, theirs in zip(weights_of(fits[0]), weights_of(fits[1]), strict=True):
            assert_array_equal(ours, theirs)
        assert not np.allclose(weights_of(fits[0])[0], weights_of(fits[2])[0])
        assert torch.equal(torch.get_rng_state(), before[0])
        assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
        assert random.getstate() == before[2]

    def test_partial_fit(self, iris):
        X, y = iris
        net = quick(wide_features=[0])
        for _ in range(2):
            net.partial_fit(X, y)
        assert net.n_iter_ == 2
        with pytest.raises(InvalidInputError, match="batches of at least two rows"):
            net.partial_fit(X[:1], y[:1])

    def test_gaussian_head(self, iris):
        X, y = iris
        net = quick(head="gaussian", wide_features=[0]).fit(X, y)
        mean, std = net.predict(X, return_std=True)
        assert mean.shape == std.shape == (150,)
        assert (std > 0).all()

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("hidden_layer_sizes", (8, 0)),
            ("head_layer_sizes", (2.5,)),
            ("head_layer_sizes", 0),
            ("dropout", 1.0),
            ("reduction_ratio", 0),
        ],
    )
    def test_parameters_out_of_range(self, iris, parameter, value):
        with pytest.raises(InvalidInputError, match=parameter) as caught:
            quick(**{parameter: value}).fit(*iris)
        assert repr(value) in str(caught.value)

    @BOTH
    def test_pickle_clone_and_search(self, iris, estimator_class):
        X, y = iris
        net = quick(estimator_class, wide_features=[1]).fit(X, y)
        assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.predict(X))
        assert clone(net).get_params() == net.get_params()
        search = GridSearchCV(clone(net), {"wide_features": [[0], None]}, cv=2).fit(X, y)
        assert search.best_params_["wide_features"] in ([0], None)
