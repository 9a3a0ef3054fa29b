"""Sums over samples: information is never negative, variances add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

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
