"""Gaussian and quantile heads: losses, units, order of quantiles, refusals."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import mean_pinball_loss

from crystalml.exceptions import InvalidInputError
from crystalml.neural import MLPNetRegressor, WideDeepNetRegressor
from crystalml.neural._heads import GaussianLoss, QuantileLoss, make_head

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture(scope="module")
def scattered():
    """Rows whose scatter grows with the input, far from zero and in large units."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(3000, 1))
    std = 100 * np.exp(X[:, 0])
    return X, 5000 + 300 * X[:, 0] + std * rng.standard_normal(3000), std


def quick(**parameters):
    settings = {"learning_rate": 1e-2, "max_epochs": 25, "patience": 5, "random_state": 0}
    return MLPNetRegressor(**{**settings, **parameters})


@pytest.fixture(scope="module")
def gaussian(scattered):
    X, y, _ = scattered
    return quick(head="gaussian").fit(X, y)


@pytest.fixture(scope="module")
def quantile(scattered):
    X, y, _ = scattered
    return quick(head="quantile").fit(X, y)


class TestLosses:
    def test_gaussian_loss_is_the_likelihood_of_scipy(self):
        head, output = make_head("gaussian", None, caller="net"), torch.randn(7, 4)
        target = torch.randn(7, 2)
        mean, std = head.numbers(output).transpose(2, 0, 1)
        expected = -stats.norm.logpdf(target.numpy(), mean, std).mean() - np.log(2 * np.pi) / 2
        assert GaussianLoss()(output, target).item() == pytest.approx(expected, rel=1e-5)

    def test_pinball_loss_is_that_of_scikit_learn(self):
        output, target = torch.randn(9, 3), torch.randn(9, 1)
        expected = [
            mean_pinball_loss(target[:, 0], output[:, i], alpha=level)
            for i, level in enumerate((0.1, 0.5, 0.8))
        ]
        loss = QuantileLoss(np.array([0.1, 0.5, 0.8]))(output, target)
        assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)

    @pytest.mark.parametrize("loss", [GaussianLoss(), QuantileLoss(np.array([0.3, 0.5]))])
    def test_weights_count_rows_as_often_as_their_weight(self, loss):
        output, target = torch.randn(4, 4), torch.randn(4, 2)
        weight, repeated = torch.tensor([2.0, 1.0, 0.0, 1.0]), [0, 0, 1, 3]
        torch.testing.assert_close(
            loss(output, target, weight), loss(output[repeated], target[repeated])
        )


class TestGaussian:
    def test_learns_mean_and_scatter_in_the_units_of_the_target(self, scattered, gaussian):
        X, _, std = scattered
        mean, predicted = gaussian.predict(X, return_std=True)
        assert_array_equal(mean, gaussian.predict(X))
        assert abs(mean - (5000 + 300 * X[:, 0])).mean() < 25
        assert_allclose(np.corrcoef(predicted, std)[0, 1], 1, atol=0.05)
        assert predicted.mean() == pytest.approx(std.mean(), rel=0.1)

    def test_units_do_not_matter(self, scattered, gaussian):
        X, y, _ = scattered
        mean, std = quick(head="gaussian").fit(X, y / 1e6 - 3).predict(X, return_std=True)
        expected = gaussian.predict(X, return_std=True)
        assert_allclose((mean + 3) * 1e6, expected[0], rtol=1e-3)
        assert_allclose(std * 1e6, expected[1], rtol=1e-2)

    def test_any_quantile_is_that_of_the_normal_distribution(self, scattered, gaussian):
        X = scattered[0][:20]
        mean, std = gaussian.predict(X, return_std=True)
        expected = stats.norm.ppf([[0.01, 0.3, 0.975]], mean[:, None], std[:, None])
        assert_allclose(gaussian.predict_quantiles(X, [0.01, 0.3, 0.975]), expected)
        assert gaussian.predict_quantiles(X).shape == (20, 5)
        interval = gaussian.predict_interval(X, coverage=0.8)
        assert_allclose(interval, gaussian.predict_quantiles(X, [0.1, 0.9]))

    def test_several_targets_have_their_own_scatter(self, scattered):
        X, y, _ = scattered
        noise = np.random.default_rng(1).standard_normal(3000)
        model = quick(head="gaussian").fit(X, np.column_stack([y, noise]))
        mean, std = model.predict(X[:50], return_std=True)
        assert mean.shape == std.shape == (50, 2)
        assert std[:, 1].mean() == pytest.approx(1, rel=0.1)
        assert std[:, 0].mean() > 50
        assert model.predict_interval(X[:50]).shape == (50, 2, 2)


class TestQuantile:
    def test_quantiles_hold_their_share_and_never_cross(self, scattered, quantile):
        X, y, std = scattered
        predicted = quantile.predict_quantiles(X)
        assert (np.diff(predicted) >= 0).all()
        assert_allclose((y[:, None] <= predicted).mean(axis=0), LEVELS, atol=0.04)
        width = np.diff(quantile.predict_interval(X, coverage=0.9))[:, 0]
        assert np.corrcoef(width, std)[0, 1] > 0.9

    def test_untrained_quantiles_do_not_cross_either(self, scattered):
        X, y, _ = scattered
        levels = np.linspace(0.1, 0.9, 9)
        model = quick(head="quantile", quantiles=levels, max_epochs=1, learning_rate=1e-5)
        assert (np.diff(model.fit(X, y).predict_quantiles(X)) >= 0).all()
        assert_array_equal(model.quantiles_, levels)

    def test_predict_is_the_median(self, scattered, quantile):
        X = scattered[0][:20]
        assert_array_equal(quantile.predict(X), quantile.predict_quantiles(X, [0.5])[:, 0])
        assert_array_equal(quantile.predict_quantiles(X), quantile.predict_quantiles(X, LEVELS))

    def test_quantile_that_was_not_learned(self, scattered, quantile):
        with pytest.raises(InvalidInputError, match=r"the quantile 0\.1 was not learned; these"):
            quantile.predict_interval(scattered[0], coverage=0.8)


class TestRefusals:
    def test_point_head_knows_no_scatter(self, scattered):
        X, y, _ = scattered
        model = quick(max_epochs=1).fit(X, y)
        with pytest.raises(InvalidInputError, match="needs a net fitted with head='gaussian'"):
            model.predict(X, return_std=True)
        with pytest.raises(InvalidInputError, match="head='point' knows the mean alone"):
            model.predict_interval(X)

    @pytest.mark.parametrize(
        "quantiles", [(0.1, 0.9), (0.9, 0.5, 0.1), (0, 0.5), (0.5,), ("a", 0.5), (0.5, 0.5, 0.9)]
    )
    def test_bad_quantiles(self, scattered, quantiles):
        X, y, _ = scattered
        with pytest.raises(InvalidInputError, match=r"quantiles must be ascending .* \(0.05, 0.5"):
            quick(head="quantile", quantiles=quantiles).fit(X, y)

    def test_unknown_head(self, scattered):
        with pytest.raises(InvalidInputError, match="'head' parameter of MLPNetRegressor"):
            quick(head="normal").fit(*scattered[:2])

    @pytest.mark.parametrize("coverage", [0, 1, 90, "0.9"])
    def test_coverage_is_a_share(self, scattered, gaussian, coverage):
        with pytest.raises(InvalidInputError, match="coverage must be a number between 0 and 1"):
            gaussian.predict_interval(scattered[0], coverage=coverage)

    def test_levels_are_shares(self, scattered, gaussian):
        with pytest.raises(InvalidInputError, match=r"got \[5, 95\]"):
            gaussian.predict_quantiles(scattered[0], [5, 95])

    def test_training_goes_on_with_the_same_head_only(self, scattered):
        X, y, _ = scattered
        model = quick(head="gaussian", max_epochs=1, warm_start=True).fit(X, y)
        assert model.fit(X, y).n_iter_ == 2
        # Two quantiles have as many outputs as mean and standard deviation.
        model.set_params(head="quantile", quantiles=(0.5, 0.9))
        with pytest.raises(InvalidInputError, match="head or quantiles differ"):
            model.fit(X, y)
        assert model.head_ == "gaussian"
        assert model.predict(X, return_std=True)[1].shape == (3000,)


@pytest.mark.parametrize("head", ["gaussian", "quantile"])
def test_wide_and_deep_takes_the_same_heads(scattered, head):
    X, y, _ = scattered
    net = WideDeepNetRegressor(hidden_layer_sizes=(8,), head=head, max_epochs=2, random_state=0)
    interval = net.fit(X, y).predict_interval(X[:30], coverage=0.9)
    assert interval.shape == (30, 2)
    assert (interval[:, 0] < interval[:, 1]).all()
