"""One net with two tasks: targets in several forms, missing volumes, weights, early stopping."""

import pickle
import random

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml.crystallography import crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import composition_groups
from crystalml.neural import MLPNetClassifier, MultiTaskNet
from crystalml.neural._modules import Dropout
from crystalml.neural._multi_task import TwoTaskLoss, TwoTaskNet, TwoTaskOutput

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]


@pytest.fixture(scope="module")
def lattices():
    """Logarithms of cell edges, and y with the columns lattice and volume (Å^3)."""
    random_state = np.random.default_rng(0)
    a, c = random_state.uniform(3, 9, size=(2, 300))
    c = np.where(np.arange(300) % 2, a, c)
    X = np.log(np.column_stack([a, c, c / a]))
    y = pd.DataFrame({"lattice": np.where(np.arange(300) % 2, "cP", "tP"), "volume": a * a * c})
    return X, y


def quick(**parameters):
    small = {"hidden_layer_sizes": 16, "head_layer_sizes": 8, "max_epochs": 3, "random_state": 0}
    return MultiTaskNet(**{**small, **parameters})


def full_batches(**parameters):
    """A net whose steps see all rows alike: no dropout, no batches, no validation."""
    fixed = {"dropout": 0.0, "batch_size": 10_000, "validation_fraction": None, "max_epochs": 20}
    return quick(**{**fixed, **parameters})


def weights_of(net):
    return [p.detach().numpy() for p in net.net_.module_.parameters()]


def assert_same_weights(first, second, **tolerance):
    for ours, theirs in zip(weights_of(first), weights_of(second), strict=True):
        assert_allclose(ours, theirs, **{"rtol": 0, "atol": 0, **tolerance})


class TestArchitecture:
    @pytest.mark.parametrize("learned", [False, True])
    def test_one_trunk_and_two_heads(self, learned):
        module = TwoTaskNet(9, 7, (64, 32), (20,), "relu", 0.1, False, learned)
        trunk = (9 + 1) * 64 + 65 * 32
        heads = 33 * 20 + 21 * 7 + 33 * 20 + 21
        assert sum(p.numel() for p in module.parameters()) == trunk + heads + 2 * learned
        assert [type(layer) for layer in module.trunk[2::3]] == [Dropout, Dropout]
        output = module(torch.randn(5, 9))
        assert output.logits.shape == (5, 7)
        assert output.volume.shape == (5,)

    def test_both_heads_stand_on_the_same_trunk(self):
        module = TwoTaskNet(3, 2, (8,), (), "tanh", 0.0, False, False)
        x = torch.randn(4, 3)
        shared = module.trunk(x)
        output = module(x)
        assert torch.equal(output.logits, module.class_head(shared))
        assert torch.equal(output.volume, module.volume_head(shared)[:, 0])


class TestLoss:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    volume = torch.tensor([0.5, -1.0, 2.0])
    target = torch.tensor([[0.0, 1.0], [1.0, torch.nan], [0.0, 0.0]])
    entropy = log_loss([0, 1, 0], torch.softmax(logits, 1).numpy(), labels=[0, 1])
    squares = np.array([0.25, 0.0, 4.0])  # nothing where the volume is not known

    def output(self, log_variances=None):
        return TwoTaskOutput(self.logits, self.volume, log_variances)

    def test_fixed_weight(self):
        loss = TwoTaskLoss(0.3)(self.output(), self.target)
        assert loss.item() == pytest.approx(self.entropy + 0.3 * self.squares.mean(), rel=1e-6)

    def test_learned_variances(self):
        s = torch.tensor([0.4, -0.6])
        loss = TwoTaskLoss()(self.output(s), self.target)
        by_volume = (np.exp(0.6) * self.squares + [-0.6, 0.0, -0.6]) / 2
        expected = np.exp(-0.4) * self.entropy + 0.2 + by_volume.mean()
        assert loss.item() == pytest.approx(expected, rel=1e-6)

    def test_best_variance_is_the_mean_loss(self):
        """At the minimum, exp(s2) is the mean squared error and exp(s1) twice the entropy."""
        known = self.target[[0, 2]], TwoTaskOutput(self.logits[[0, 2]], self.volume[[0, 2]], None)
        s = torch.zeros(2, requires_grad=True)
        optimizer = torch.optim.SGD([s], lr=0.5)
        for _ in range(300):
            optimizer.zero_grad()
            TwoTaskLoss()(known[1]._replace(log_variances=s), known[0]).backward()
            optimizer.step()
        scores = TwoTaskLoss().scores(known[1], known[0])
        assert torch.exp(s[1]).item() == pytest.approx(scores["volume_loss"].item(), rel=1e-3)
        assert torch.exp(s[0]).item() == pytest.approx(2 * scores["class_loss"].item(), rel=1e-3)

    def test_weights_count_rows_as_often_as_their_weight(self):
        weight, repeated = torch.tensor([2.0, 1.0, 0.0]), [0, 0, 1]
        again = TwoTaskOutput(self.logits[repeated], self.volume[repeated], None)
        torch.testing.assert_close(
            TwoTaskLoss()(self.output(), self.target, weight),
            TwoTaskLoss()(again, self.target[repeated]),
        )
        torch.testing.assert_close(
            TwoTaskLoss().scores(self.output(), self.target, weight),
            TwoTaskLoss().scores(again, self.target[repeated]),
        )

    def test_unknown_volumes_leave_the_gradient_whole(self):
        volume = self.volume.clone().requires_grad_()
        TwoTaskLoss()(TwoTaskOutput(self.logits, volume, None), self.target).backward()
        assert_allclose(volume.grad, 2 * np.array([-0.5, 0.0, 2.0]) / 3)


class TestTargets:
    def test_every_form_gives_the_same_net(self, lattices):
        X, y = lattices
        frame = quick().fit(X, y)
        assert frame.target_names_ == ["lattice", "volume"]
        codes = pd.DataFrame({"lattice": (y["lattice"] == "tP").astype(int), "v": y["volume"]})
        for other in (
            y.to_numpy(),
            y.to_numpy().tolist(),
            y.astype({"lattice": "category"}),
            codes,
            codes.to_numpy(),
        ):
            net = quick().fit(X, other)
            assert_same_weights(frame, net, atol=1e-6)
        assert net.target_names_ == ["class", "volume"]
        assert_array_equal(net.classes_, [0.0, 1.0])

    def test_predictions_are_columns_of_their_own_types(self, lattices):
        X, y = lattices
        named = pd.DataFrame(X, columns=list("xyz"), index=np.arange(300)[::-1])
        net = quick().fit(named, y)
        predicted = net.predict(named)
        assert predicted.columns.tolist() == ["lattice", "volume"]
        assert_array_equal(predicted.index, named.index)
        assert predicted["volume"].dtype == np.float64
        assert_array_equal(predicted["volume"], net.predict_volume(named))
        best = net.classes_[net.predict_proba(named).argmax(axis=1)]
        assert_array_equal(predicted["lattice"], best)
        assert_allclose(np.exp(net.predict_log_proba(named)), net.predict_proba(named))
        assert net.score(named, y) == np.mean(best == y["lattice"])
        assert net.score(named, y["lattice"]) == net.score(named, y)

    def test_integer_labels_stay_integers_in_a_table(self, lattices):
        X, y = lattices
        y = pd.DataFrame({"number": np.where(y["lattice"] == "cP", 221, 123), "v": y["volume"]})
        net = quick().fit(X, y)
        assert net.classes_.dtype == np.int64
        assert set(net.predict(X)["number"]) <= {123, 221}

    def test_labels_alone_make_a_classifier(self, lattices):
        X, y = lattices
        net = quick().fit(X, y["lattice"])
        assert net.predict(X).shape == (300,)
        assert is_classifier(net)
        with pytest.raises(InvalidInputError, match="fitted on labels alone and knows of no vol"):
            net.predict_volume(X)

    def test_unit_of_the_volume_hardly_matters(self, lattices):
        """On a log scale another unit is an offset, but for the 1 of log1p."""
        X, y = lattices
        nets = [quick().fit(X, y.assign(volume=unit * y["volume"])) for unit in (1e3, 1e6)]
        ours, theirs = (net.predict_volume(X) for net in nets)
        assert_allclose(1e3 * ours, theirs, rtol=2e-2)

    def test_rows_without_volume_teach_the_class_alone(self, lattices):
        X, y = lattices
        unknown = np.arange(300) % 3 > 0
        holes = y.assign(volume=y["volume"].mask(unknown))
        net = full_batches(max_epochs=1).fit(X, holes)
        assert net.log_volume_mean_ == pytest.approx(np.log1p(y["volume"][~unknown]).mean())
        for missing in (None, np.nan):
            objects = holes.astype(object).where(holes.notna(), missing)
            assert_same_weights(net, full_batches(max_epochs=1).fit(X, objects))
        model = quick(max_epochs=60, learning_rate=1e-2, dropout=0.0).fit(X, holes)
        assert r2_score(y["volume"][unknown], model.predict_volume(X[unknown])) > 0.9

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda y: y.assign(volume=-y["volume"]), r"300 volumes .*first: row 0, -"),
            (lambda y: y.assign(volume=np.inf), r"first: row 0, inf\). Give NaN where"),
            (lambda y: y.assign(volume=np.nan), "no row that counts has a volume"),
            (lambda y: y[["volume", "lattice"]], "second column of y should be the volume"),
            (lambda y: y.assign(third=1), "y has 3 columns; give two, class and volume"),
            (lambda y: y.assign(lattice="cP"), "only one class, 'cP', among the rows"),
        ],
    )
    def test_targets_that_cannot_be(self, lattices, change, message):
        X, y = lattices
        with pytest.raises(InvalidInputError, match=message):
            quick().fit(X, change(y))


class TestTraining:
    def test_learns_both_from_real_cells(self):
        table, numbers = load_cod_inorganic(return_X_y=True)
        table, numbers = table.head(1500), numbers.head(1500)
        X = np.hstack([np.log(table[CELL[:3]]), np.cos(np.radians(table[CELL[3:]]))])
        system = crystal_system(numbers.to_numpy())
        y = pd.DataFrame({"system": system, "volume": table["volume"]})
        groups = composition_groups(table["formula"], by="chemical_system")
        splitter = GroupShuffleSplit(1, test_size=0.3, random_state=0)
        train, test = next(splitter.split(X, y, groups))
        net = quick(hidden_layer_sizes=(64, 32), max_epochs=25, learning_rate=3e-3)
        model = make_pipeline(StandardScaler(), net)
        model.fit(X[train], y.iloc[train], multitasknet__groups=groups[train])
        predicted = model.predict(X[test])
        most_frequent = y["system"].iloc[train].mode()[0]
        chance = np.mean(y["system"].iloc[test] == most_frequent)
        assert model.score(X[test], y.iloc[test]) > chance + 0.3
        true, found = np.log(y["volume"].iloc[test]), np.log(predicted["volume"])
        assert r2_score(true, found) > 0.95

    def test_without_volume_weight_the_class_learns_as_if_alone(self, lattices):
        X, y = lattices
        twin = MLPNetClassifier((16, 8), dropout=0.0, max_epochs=5, random_state=0).fit(
            X, y["lattice"]
        )
        net = quick(volume_weight=0.0, dropout=0.0, max_epochs=5).fit(X, y)
        alone = quick(dropout=0.0, max_epochs=5).fit(X, y["lattice"])
        assert_allclose(net.predict_proba(X), alone.predict_proba(X), atol=1e-6)
        assert_allclose(
            net.history_["valid_class_loss"].iloc[-1],
            twin.history_["valid_loss"].iloc[-1],
            atol=0.1,
        )

    def test_volume_weight_shifts_the_balance(self, lattices):
        X, y = lattices
        light, heavy = (full_batches(volume_weight=w).fit(X, y) for w in (0.01, 100.0))
        errors = [np.log(net.predict_volume(X) / y["volume"]).std() for net in (light, heavy)]
        assert errors[1] < errors[0]
        assert_array_equal(heavy.loss_weights_, [1.0, 100.0])

    def test_learned_weights_move_and_are_trained(self, lattices):
        X, y = lattices
        net = quick(volume_weight="learned", max_epochs=15, learning_rate=1e-2).fit(X, y)
        assert_allclose(
            net.loss_weights_,
            np.exp(-net.net_.module_.log_variances.detach().numpy()) * [1, 0.5],
            rtol=1e-5,
        )
        assert (abs(net.loss_weights_ - [1.0, 0.5]) > 0.02).all()

    def test_early_stopping_looks_at_both(self, lattices):
        X, y = lattices
        settings = {"learning_rate": 0.03, "max_epochs": 300, "patience": 4, "volume_weight": 0.5}
        net = quick(**settings).fit(X, y)
        history = net.history_.set_index("epoch")
        assert net.n_iter_ == net.best_epoch_ + 4 < 300
        parts = history["valid_class_loss"] + 0.5 * history["valid_volume_loss"]
        assert_allclose(history["valid_loss"], parts, rtol=1e-5)
        assert "valid_accuracy" in history

    def test_groups_and_splitter_get_labels(self, lattices):
        X, y = lattices
        seen = {}

        class Splitter:
            def split(self, X, y, groups):
                seen.update(y=y, groups=groups)
                yield np.arange(200), np.arange(200, 300)

        groups = np.arange(300) // 2
        quick(validation_splitter=Splitter()).fit(X, y, groups=groups)
        assert_array_equal(seen["y"], y["lattice"])
        assert_array_equal(seen["groups"], groups)

    @pytest.mark.parametrize("volume_weight", [1.0, "learned"])
    def test_weights_equal_repeated_rows(self, lattices, volume_weight):
        X, y = lattices
        y = y.assign(volume=y["volume"].mask(np.arange(300) % 5 == 0))
        weight = np.random.default_rng(0).integers(0, 4, size=300)
        repeated = np.repeat(np.arange(300), weight)
        settings = {"volume_weight": volume_weight}
        weighted = full_batches(**settings).fit(X, y, sample_weight=weight)
        plain = full_batches(**settings).fit(X[repeated], y.iloc[repeated])
        assert_same_weights(weighted, plain, atol=2e-4)
        assert weighted.log_volume_mean_ == pytest.approx(plain.log_volume_mean_)

    def test_same_seed_same_weights_and_global_generators_untouched(self, lattices):
        np.random.seed(5)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # noqa: NPY002
        first, second, other = (quick(random_state=seed).fit(*lattices) for seed in (0, 0, 1))
        assert_same_weights(first, second)
        assert not np.allclose(weights_of(first)[0], weights_of(other)[0])
        assert torch.equal(torch.get_rng_state(), before[0])
        assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
        assert random.getstate() == before[2]

    def test_partial_fit_and_warm_start(self, lattices):
        X, y = lattices
        net = quick()
        for rows in (slice(0, 150), slice(150, 300)):
            net.partial_fit(X[rows], y[rows], classes=["cP", "hP", "tP"])
        assert net.n_iter_ == 2
        assert net.predict_proba(X).shape == (300, 3)
        mean = net.log_volume_mean_
        net.set_params(warm_start=True).fit(X, y.assign(volume=9 * y["volume"]))
        assert net.log_volume_mean_ == mean
        net.fit(X, y["lattice"])
        assert net.n_iter_ == 8

        labels_first = quick(warm_start=True).fit(X, y["lattice"])
        with pytest.raises(InvalidInputError, match="no volume, so it has no scale"):
            labels_first.fit(X, y)


class TestUse:
    @pytest.mark.parametrize("batch_normalization", [False, True])
    def test_a_row_alone_and_among_a_thousand(self, lattices, batch_normalization):
        X, y = lattices
        net = quick(batch_normalization=batch_normalization).fit(X, y)
        many = np.random.default_rng(1).standard_normal((1000, 3))
        for method in (net.predict_proba, net.predict_volume):
            alone = np.concatenate([method(many[i : i + 1]) for i in range(0, 1000, 50)])
            assert_allclose(alone, method(many)[::50], rtol=1e-5)

    def test_dropout_uncertainty(self, lattices):
        X, y = lattices
        net = quick(dropout=0.5).fit(X, y)
        samples = net.sample_predictions(X, n_samples=4, random_state=0)
        assert samples.shape == (4, 300, 2)
        assert samples.std(axis=0).max() > 0.01
        assert (net.dropout_uncertainty(X, 4, 0)["mutual_information"] >= 0).all()

    def test_pickle_clone_and_search_with_group_folds(self, lattices):
        X, y = lattices
        net = quick(volume_weight="learned").fit(X, y)
        pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(net)).predict(X), net.predict(X))
        assert clone(net).get_params() == net.get_params()
        search = GridSearchCV(
            make_pipeline(StandardScaler(), quick(max_epochs=30, dropout=0.0)),
            {"multitasknet__learning_rate": [1e-6, 2e-2]},
            cv=GroupKFold(2),
        ).fit(X, y, groups=np.arange(300) // 3)
        assert search.best_params_ == {"multitasknet__learning_rate": 2e-2}

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [("volume_weight", -1.0), ("volume_weight", "equal"), ("head_layer_sizes", (4, 0))],
    )
    def test_parameters_out_of_range(self, lattices, parameter, value):
        with pytest.raises(InvalidInputError, match=parameter) as caught:
            quick(**{parameter: value}).fit(*lattices)
        assert "MultiTaskNet" in str(caught.value)
        assert repr(value) in str(caught.value)
