"""Uncertainty from samples: its sums add up, and dropout is all that is on while they are drawn."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import scale

from crystalml.exceptions import InvalidInputError
from crystalml.neural import MLPNetClassifier, MLPNetRegressor
from crystalml.neural._uncertainty import probability_uncertainty, total_uncertainty

_SEEDS = st.integers(0, 2**32 - 1)


@given(_SEEDS, st.integers(1, 9), st.integers(2, 12), st.sampled_from([0.05, 1.0, 20.0]))
def test_information_is_the_mean_divergence_from_the_mean(seed, n_samples, n_classes, sharpness):
    rng = np.random.default_rng(seed)
    samples = rng.dirichlet(np.full(n_classes, sharpness), size=(n_samples, 6))
    known = probability_uncertainty(iter(samples))
    mean = samples.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(samples > 0, samples * np.log(samples / mean), 0).sum(axis=2)
    assert (known.mutual_information >= 0).all()
    assert (known.mutual_information <= min(np.log(n_samples), np.log(n_classes)) + 1e-12).all()
    assert_allclose(known.mutual_information, divergence.mean(axis=0), atol=1e-12)
    assert_allclose(known.probability, mean)
    assert_allclose(known.spread, samples.std(axis=0), atol=1e-12)


def test_equal_samples_hold_no_information():
    sample = np.random.default_rng(0).dirichlet(np.ones(7), size=50)
    known = probability_uncertainty([sample] * 6)
    assert_array_equal(known.mutual_information, 0)
    assert_array_equal(known.spread, 0)
    assert_array_equal(known.predictive_entropy, known.expected_entropy)


def test_sure_samples_that_disagree_hold_nothing_but_information():
    known = probability_uncertainty([np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])])
    assert_allclose(known.mutual_information, np.log(2))
    assert_array_equal(known.expected_entropy, 0)


def test_samples_are_not_changed():
    samples = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 5))
    before = samples.copy()
    probability_uncertainty(iter(samples))
    total_uncertainty((sample, sample) for sample in samples)
    assert_array_equal(samples, before)


@given(_SEEDS, st.integers(1, 9))
def test_law_of_total_variance_is_the_variance_of_the_mixture(seed, n_samples):
    rng = np.random.default_rng(seed)
    means, stds = rng.normal(size=(n_samples, 4)), rng.gamma(1, size=(n_samples, 4))
    known = total_uncertainty(zip(means, stds, strict=True))
    second_moment = (means**2 + stds**2).mean(axis=0)
    assert_allclose(known.std**2, second_moment - means.mean(axis=0) ** 2, rtol=1e-9)
    assert_allclose(known.mean, means.mean(axis=0), atol=1e-12)


def test_variance_survives_a_large_mean():
    means = np.array([[1e9], [1e9 + 1]])
    assert total_uncertainty((mean, None) for mean in means).std == pytest.approx(0.5)


def test_unknown_noise_is_not_called_zero():
    known = total_uncertainty([(np.ones(3), None), (np.zeros(3), None)])
    assert np.isnan(known.noise).all()
    assert_array_equal(known.std, known.spread)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def classifier(iris):
    net = MLPNetClassifier(dropout=0.5, batch_normalization=True, max_epochs=20, random_state=0)
    return net.set_params(learning_rate=1e-2).fit(*iris)


def test_samples_scatter_around_the_prediction(iris, classifier):
    samples = classifier.sample_predictions(iris[0], n_samples=200, random_state=0)
    assert samples.shape == (200, 150, 3)
    assert_allclose(samples.sum(axis=2), 1)
    assert samples.std(axis=0).max() > 0.05
    agreement = samples.mean(axis=0).argmax(axis=1) == classifier.predict_proba(iris[0]).argmax(1)
    assert agreement.mean() > 0.95


def test_prediction_stays_deterministic_and_the_net_as_it_was(iris, classifier):
    before = classifier.predict_proba(iris[0])
    state = {name: value.clone() for name, value in classifier.net_.module_.state_dict().items()}
    classifier.sample_predictions(iris[0], n_samples=3)
    assert_array_equal(classifier.predict_proba(iris[0]), before)
    assert not any(part.training for part in classifier.net_.module_.modules())
    # Batch normalisation would have learned from the rows if it had been on.
    for name, value in classifier.net_.module_.state_dict().items():
        assert torch.equal(value, state[name])


def test_a_pass_does_not_depend_on_the_rows_beside(iris):
    """With one hidden layer, the first row gets the same masks alone and in company."""
    net = MLPNetClassifier((64,), dropout=0.5, batch_normalization=True, random_state=0)
    net.set_params(max_epochs=2).fit(*iris)
    company = np.vstack([iris[0][:1], 100 * iris[0][1:2]])
    alone, beside = (
        net.sample_predictions(X, n_samples=5, random_state=3) for X in (company[:1], company)
    )
    assert_allclose(alone[:, 0], beside[:, 0], rtol=1e-5)


def test_seeds_decide_and_global_generators_stay(iris, classifier):
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first, again, other, none = (
        classifier.sample_predictions(iris[0], n_samples=3, random_state=seed)
        for seed in (0, 0, 1, None)
    )
    assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first, none)
    assert len({sample.tobytes() for sample in first}) == 3
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_summary_is_that_of_the_samples(iris, classifier):
    samples = classifier.sample_predictions(iris[0], n_samples=20, random_state=0)
    known = classifier.dropout_uncertainty(iris[0], n_samples=20, random_state=0)
    assert_allclose(known.probability, samples.mean(axis=0))
    assert_allclose(known.spread, samples.std(axis=0), atol=1e-12)
    assert (known.mutual_information >= 0).all()
    assert_allclose(
        known.mutual_information, known.predictive_entropy - known.expected_entropy, atol=1e-12
    )


def test_regressor_samples_means_in_units(iris):
    X, _ = iris
    y = 1000 + 50 * X[:, 0]
    net = MLPNetRegressor(dropout=0.2, head="gaussian", max_epochs=30, random_state=0).fit(X, y)
    samples = net.sample_predictions(X, n_samples=30, random_state=0)
    assert samples.shape == (30, 150)
    known = net.dropout_uncertainty(X, n_samples=30, random_state=0)
    assert_allclose(known.mean, samples.mean(axis=0))
    assert_allclose(known.spread, samples.std(axis=0))
    assert_allclose(known.std**2, known.spread**2 + known.noise**2)
    assert (known.noise > 0).all()
    two = net.set_params(head="point").fit(X, np.column_stack([y, -y]))
    assert two.sample_predictions(X, n_samples=4).shape == (4, 150, 2)
    assert np.isnan(two.dropout_uncertainty(X, n_samples=4).noise).all()


def test_net_without_dropout_is_refused(iris):
    X, y = iris
    net = MLPNetRegressor(max_epochs=1).fit(X, y)
    with pytest.raises(InvalidInputError, match="drops no units, so all samples would be equal"):
        net.sample_predictions(X)


def test_number_of_samples(iris, classifier):
    with pytest.raises(InvalidInputError, match="n_samples must be a whole number >= 1, got 0"):
        classifier.dropout_uncertainty(iris[0], n_samples=0)


def test_before_fit(iris):
    for net in (MLPNetClassifier(), MLPNetRegressor()):
        with pytest.raises(NotFittedError):
            net.sample_predictions(iris[0])
