"""The autoencoder against principal components, on real descriptors, and as a transformer."""

import pickle
import random

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml import CellDescriptors
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import composition_groups
from crystalml.neural import DescriptorAutoencoder


@parametrize_with_checks([DescriptorAutoencoder(2, max_epochs=10, batch_size=16)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def sheet():
    """Rows on a curved surface of two dimensions in six columns of very different units."""
    u, v = np.random.default_rng(0).uniform(-1, 1, size=(2, 1200))
    columns = np.column_stack([u, v, u * v, u**2, v**2, np.sin(3 * u)])
    return columns * [1, 1e4, 1e-5, 3, 10, 1] + [0, 1e6, 0, 5, -7, 2]


@pytest.fixture(scope="module")
def learned(sheet):
    return DescriptorAutoencoder(2, learning_rate=3e-3, max_epochs=60, random_state=0).fit(
        sheet[:800]
    )


def quick(**parameters):
    return DescriptorAutoencoder(**{"n_components": 2, "max_epochs": 3, **parameters})


def weights_of(model):
    return [p.detach().numpy().copy() for p in model.net_.module_.parameters()]


def principal_error(train, test, n_components):
    """Return the error of as many principal components, as `reconstruction_error` defines it."""
    scaler = StandardScaler().fit(train)
    pca = PCA(n_components).fit(scaler.transform(train))
    rows = scaler.transform(test)
    return np.mean((pca.inverse_transform(pca.transform(rows)) - rows) ** 2, axis=1)


class TestLearning:
    def test_linear_autoencoder_finds_the_principal_subspace(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((600, 3)) @ rng.standard_normal((3, 8))
        X += 0.3 * rng.standard_normal(X.shape)
        model = DescriptorAutoencoder(
            3, (), noise=0.0, validation_fraction=None, learning_rate=1e-2, max_epochs=150,
            scheduler="cosine", random_state=0,
        ).fit(X)  # fmt: skip
        assert_allclose(model.reconstruction_error(X), principal_error(X, X, 3), atol=5e-3)

    def test_curved_surface_is_unrolled(self, learned, sheet):
        error = learned.reconstruction_error(sheet[800:]).mean()
        assert error < 0.1 * principal_error(sheet[:800], sheet[800:], 2).mean()
        assert error < 0.03

    def test_real_cells_keep_more_than_principal_components(self):
        table, _ = load_cod_inorganic(return_X_y=True)
        table = table.sample(1500, random_state=0)
        groups = composition_groups(table["formula"], by="chemical_system")
        X = CellDescriptors().fit_transform(table)
        split = GroupShuffleSplit(1, test_size=0.3, random_state=0)
        train, test = next(split.split(X, groups=groups))
        model = DescriptorAutoencoder(4, max_epochs=30, learning_rate=2e-3, random_state=0)
        error = model.fit(X[train], groups=groups[train]).reconstruction_error(X[test])
        assert error.mean() < 0.7 * principal_error(X[train], X[test], 4).mean()
        assert error.mean() > 0.5 * model.history_["valid_loss"].min()

    def test_noise_and_dropout_disturb_training_alone(self, sheet):
        X = sheet[:200]
        plain, noisy, dropped = (
            quick(random_state=0, noise=noise, dropout=dropout, max_epochs=40).fit(X)
            for noise, dropout in ((0.0, 0.0), (1.0, 0.0), (0.0, 0.5))
        )
        for model in (noisy, dropped):
            assert_array_equal(model.transform(X), model.transform(X))
            calm, disturbed = plain.history_.iloc[-1], model.history_.iloc[-1]
            assert disturbed["train_loss"] > 1.3 * calm["train_loss"]
            assert -model.score(X) < 0.9 * disturbed["train_loss"]

    def test_groups_stay_on_one_side(self, sheet):
        X, groups = sheet[:90], np.repeat(list("abc"), 30)
        seen = {}

        class Spy(DescriptorAutoencoder):
            def _train(self, rows, target, weight, train_rows, valid_rows, **options):
                seen.update(train=set(groups[train_rows]), valid=set(groups[valid_rows]))
                super()._train(rows, target, weight, train_rows, valid_rows, **options)

        Spy(2, max_epochs=1, random_state=0).fit(X, groups=groups)
        assert seen["train"]
        assert seen["valid"]
        assert not seen["train"] & seen["valid"]

    def test_best_epoch_is_kept(self, sheet):
        model = quick(max_epochs=12, patience=None, learning_rate=0.05, random_state=0).fit(sheet)
        best = model.history_.loc[model.best_epoch_ - 1, "valid_loss"]
        assert best <= model.history_["valid_loss"].min() + model.min_delta
        splitter = GroupShuffleSplit(1, test_size=0.2, random_state=0)
        groups = np.arange(len(sheet)) // 4
        _, valid = next(splitter.split(sheet, groups=groups))
        model.set_params(validation_splitter=splitter).fit(sheet, groups=groups)
        best = model.history_.loc[model.best_epoch_ - 1, "valid_loss"]
        assert_allclose(-model.score(sheet[valid]), best, rtol=1e-4)

    def test_warm_start_goes_on_with_the_first_scale(self, sheet):
        model = quick(warm_start=True, random_state=0).fit(sheet[:300])
        mean = model.mean_.copy()
        model.fit(sheet[300:600])
        assert_array_equal(model.mean_, mean)
        assert model.n_iter_ == 6


class TestScale:
    def test_units_do_not_matter(self, sheet):
        X = sheet[:300]
        factors, shifts = np.array([2.0, 1024, 0.5, 8, 4, 16]), np.array([0, 5, 0, 0, 1, 0])
        one, other = (quick(random_state=0).fit(rows) for rows in (X, X * factors + shifts))
        assert_allclose(one.transform(X), other.transform(X * factors + shifts), atol=1e-4)

    def test_scale_comes_from_fit_alone(self, learned, sheet):
        scaler = StandardScaler().fit(sheet[:800])
        assert_allclose(learned.mean_, scaler.mean_, rtol=1e-12, atol=1e-12)
        assert_allclose(learned.scale_, scaler.scale_, rtol=1e-12)
        before = learned.transform(sheet[800:810])
        learned.transform(1000 * sheet)
        assert_array_equal(learned.transform(sheet[800:810]), before)

    def test_constant_columns_are_centred(self, sheet):
        X = np.column_stack([sheet[:100], np.full(100, 0.1), np.zeros(100)])
        model = quick(random_state=0).fit(X)
        assert_array_equal(model.scale_[-2:], 1)
        assert np.isfinite(model.transform(X)).all()

    def test_large_offsets_keep_their_digits(self, sheet):
        X = sheet[:300] - sheet[:300].mean(axis=0)
        near, far = quick(random_state=0).fit(X), quick(random_state=0).fit(X + 1e9 * X.std(axis=0))
        shifted = far.transform(X + 1e9 * X.std(axis=0))
        assert_allclose(near.transform(X), shifted, atol=1e-4)


class TestTransform:
    def test_back_and_forth(self, learned, sheet):
        Z = learned.transform(sheet)
        back = learned.inverse_transform(Z)
        assert Z.shape == (1200, 2)
        assert back.shape == sheet.shape
        deviations = (back - sheet) / learned.scale_
        assert_allclose(np.mean(deviations**2, axis=1), learned.reconstruction_error(sheet))
        assert learned.score(sheet) == -learned.reconstruction_error(sheet).mean()

    def test_strange_rows_come_back_badly(self, learned, sheet):
        shuffled = np.random.default_rng(0).permuted(sheet[800:], axis=0)
        known = learned.reconstruction_error(sheet[800:])
        assert np.median(learned.reconstruction_error(shuffled)) > np.quantile(known, 0.99)

    def test_rows_do_not_depend_on_the_batch(self, learned, sheet):
        many = np.tile(sheet, (4, 1))  # more than one slice
        whole = learned.transform(many)
        assert_allclose(learned.transform(many[::-1])[::-1], whole, rtol=0, atol=1e-12)
        single = np.vstack([learned.transform(many[i : i + 1]) for i in (0, 7, 4500)])
        assert_allclose(single, whole[[0, 7, 4500]], rtol=0, atol=1e-12)

    def test_float32_in_float32_out(self, sheet):
        X = sheet[:300].astype(np.float32)
        single, double = (quick(random_state=0).fit(rows) for rows in (X, X.astype(np.float64)))
        for ours, theirs in zip(weights_of(single), weights_of(double), strict=True):
            assert_array_equal(ours, theirs)
        assert single.transform(X).dtype == single.inverse_transform(X[:, :2]).dtype == np.float32
        assert double.transform(X.astype(np.float64)).dtype == np.float64
        assert_allclose(single.transform(X), double.transform(X.astype(np.float64)), rtol=1e-6)
        assert single.transform(sheet[:5].astype(int)).dtype == np.float64

    def test_names_and_tables_out(self, sheet):
        frame = pd.DataFrame(sheet[:50], columns=list("abcdef"), index=np.arange(50) + 7)
        model = quick(random_state=0).set_output(transform="pandas")
        learned = model.fit_transform(frame)
        assert learned.columns.tolist() == ["descriptorautoencoder0", "descriptorautoencoder1"]
        assert_array_equal(learned.index, frame.index)
        assert_array_equal(model.get_feature_names_out(), learned.columns)


class TestRandomness:
    def test_same_seed_same_weights_and_no_global_generator_touched(self, sheet):
        X = sheet[:150]
        torch.manual_seed(1)
        before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
        first = quick(random_state=3, dropout=0.2).fit(X)
        assert torch.equal(before[0], torch.get_rng_state())
        assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
        assert before[2] == random.getstate()
        torch.manual_seed(2)
        second, other = (quick(random_state=seed, dropout=0.2).fit(X) for seed in (3, 4))
        for ours, theirs in zip(weights_of(first), weights_of(second), strict=True):
            assert_array_equal(ours, theirs)
        assert not np.array_equal(weights_of(first)[0], weights_of(other)[0])

    def test_pickle_and_clone(self, learned, sheet):
        again = pickle.loads(pickle.dumps(learned))
        assert_array_equal(again.transform(sheet), learned.transform(sheet))
        assert clone(learned).get_params() == learned.get_params()


class TestInPipelines:
    def test_grid_search_without_labels_prefers_enough_components(self, sheet):
        search = GridSearchCV(
            DescriptorAutoencoder(learning_rate=3e-3, max_epochs=30, random_state=0),
            {"n_components": [1, 2]},
            cv=2,
        ).fit(sheet[:500])
        assert search.best_params_ == {"n_components": 2}

    def test_few_learned_numbers_classify_digits(self):
        X, y = load_digits(return_X_y=True)
        model = make_pipeline(
            DescriptorAutoencoder(8, max_epochs=20, learning_rate=2e-3, random_state=0),
            StandardScaler(),
            LogisticRegression(max_iter=500),
        )
        assert cross_val_score(model, X, y, cv=2).mean() > 0.8


class TestErrors:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_are_named(self, learned, sheet, value):
        frame = pd.DataFrame(sheet[:20].copy(), columns=list("abcdef"))
        frame.loc[[4, 9], "c"] = value
        said = rf"column 'c' has 2 NaN or infinite values \(first: row 4, {value!r}\).*Imputer"
        with pytest.raises(InvalidInputError, match=said):
            quick().fit(frame)
        with pytest.raises(InvalidInputError, match="column 2 has 2 NaN"):
            learned.transform(frame.to_numpy())

    def test_values_too_large_to_be_squared(self, sheet):
        X = sheet[:20].copy()
        X[3, 1] = 1e200
        with pytest.raises(InvalidInputError, match=r"column 1 .* squared \(largest: 1e\+200\)"):
            quick().fit(X)

    def test_wrong_width_of_learned_descriptors(self, learned):
        with pytest.raises(InvalidInputError, match="got 3 columns, but there are 2 learned"):
            learned.inverse_transform(np.zeros((2, 3)))

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"n_components": 0}, "'n_components' parameter of DescriptorAutoencoder"),
            ({"noise": -0.1}, "'noise'"),
            ({"dropout": 1.0}, "'dropout'"),
            ({"activation": "step"}, "'activation'"),
            ({"hidden_layer_sizes": (8, 0)}, r"must be whole numbers >= 1, got \(8, 0\)"),
        ],
    )
    def test_parameters(self, sheet, parameters, said):
        with pytest.raises(InvalidInputError, match=said):
            quick(**parameters).fit(sheet[:20])

    def test_groups_of_the_wrong_length_or_missing(self, sheet):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            quick().fit(sheet[:20], groups=[1, 2])
        with pytest.raises(InvalidInputError, match="only group"):
            quick().fit(sheet[:20], groups=np.zeros(20))
