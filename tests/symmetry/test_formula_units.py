"""Candidate numbers of formula units: Bayes' rule, whole numbers, and estimates that err."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from crystalml.symmetry._space_group_model._formula_units import FormulaUnitPrior

COMMON = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24])


def _sample(n_samples, seed=0, centre=0.02):
    """Numbers of formula units and estimates of them: four in five good ones, the rest bad."""
    generator = np.random.default_rng(seed)
    units = generator.choice(
        COMMON, size=n_samples, p=[0.1, 0.2, 0.05, 0.4, 0.05, 0.1, 0.04, 0.04, 0.02]
    )
    spreads = np.where(generator.random(n_samples) < 0.8, 0.05, 0.4)
    return np.log(units) + centre + spreads * generator.normal(size=n_samples), units


@pytest.fixture(scope="module")
def prior():
    return FormulaUnitPrior().fit(*_sample(5000))


def test_finds_core_and_tails(prior):
    assert_allclose(prior.centre_, 0.02, atol=0.005)
    assert_allclose(prior.spreads_, [0.05, 0.4], rtol=0.1)
    assert_allclose(prior.shares_, [0.8, 0.2], atol=0.03)
    assert_allclose(np.exp(prior.log_frequencies_[4]), 0.4, atol=0.03)
    assert prior.log_frequencies_[0] == -np.inf
    assert_allclose(np.exp(prior.log_frequencies_).sum(), 1.0)


def test_probabilities_are_true(prior):
    """Of the candidates with a given weight, that share is right."""
    log_units, units = _sample(20_000, seed=1)
    candidates, weights = prior.candidates(log_units, 8)
    is_right = candidates == units[:, None]
    assert is_right[:, 0].mean() > 0.85
    assert is_right.any(axis=1).mean() > 0.97
    for low, high in ((0.05, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.0)):
        chosen = (weights > low) & (weights <= high)
        assert chosen.sum() > 300
        assert_allclose(is_right[chosen].mean(), weights[chosen].mean(), atol=0.05)


@given(log_units=st.floats(-2, 4.5), n_candidates=st.integers(1, 9))
def test_is_the_rule_of_bayes(log_units, n_candidates, prior):
    numbers = np.arange(1, 190)
    errors = log_units - np.log(numbers) - prior.centre_
    density = prior.shares_ @ [norm.pdf(errors, scale=spread) for spread in prior.spreads_]
    posterior = density * np.exp(prior.log_frequencies_[numbers])
    units, weights = prior.candidates(np.array([log_units]), n_candidates)
    first = max(np.rint(np.exp(log_units - prior.centre_)) - 16, 1)
    best = np.sort(posterior[(numbers >= first) & (numbers <= first + 32)])[::-1]
    found = posterior[units[0] - 1]
    assert_allclose(found, best[:n_candidates], rtol=1e-6)
    assert_allclose(weights[0], found / found.sum(), rtol=1e-6)


@given(
    log_units=st.lists(
        st.one_of(st.floats(-30, 30), st.sampled_from([np.nan, np.inf, -np.inf])), max_size=20
    ),
    n_candidates=st.integers(1, 25),
)
def test_candidates_are_distinct_whole_numbers(log_units, n_candidates, prior):
    units, weights = prior.candidates(np.array(log_units), n_candidates)
    assert units.shape == weights.shape == (len(log_units), n_candidates)
    assert units.dtype == np.int64
    assert (units >= 1).all()
    assert all(len({*row}) == n_candidates for row in units.tolist())
    assert_allclose(weights.sum(axis=1), 1.0)
    assert (np.diff(weights, axis=1) <= 0).all()
    for row, value in enumerate(log_units):
        alone = prior.candidates(np.array([value]), n_candidates)
        assert_array_equal(alone[0][0], units[row])
        assert_array_equal(alone[1][0], weights[row])


@pytest.mark.parametrize("number", [1, 2, 4, 8, 17, 500, 100_000])
def test_good_estimates_stand(number):
    log_units, units = _sample(2000, centre=0.0)
    noise = (log_units - np.log(units)) * 1e-2
    prior = FormulaUnitPrior().fit(np.log(units) + noise, units)
    # Large numbers are too close to one another to be told apart by their logarithms.
    candidates, _ = prior.candidates(np.log([float(number)]))
    assert_allclose(candidates[0, 0], number, rtol=0.01 if number > 100 else 0)


def test_the_frequent_number_wins_between_two(prior):
    units, _ = prior.candidates(np.log([4.45, 7.6]) + prior.centre_)
    assert units[:, 0].tolist() == [4, 8]


def test_unknown_estimates_leave_the_frequencies(prior):
    units, weights = prior.candidates([np.nan], 3)
    assert units[0].tolist() == [4, 2, 8] or units[0].tolist() == [4, 2, 1]
    frequencies = np.exp(prior.log_frequencies_[units[0]])
    assert_allclose(weights[0], frequencies / frequencies.sum())


def test_rows_without_a_whole_number_teach_nothing(prior):
    log_units, units = _sample(5000)
    more = np.array([0.3, 0.0, 2.5, np.nan, 4.0, np.inf])
    estimates = np.append(log_units, [0.0, 0.0, 1.0, 1.0, np.nan, 1.0])
    same = FormulaUnitPrior().fit(estimates, np.append(units, more))
    assert same.centre_ == prior.centre_
    assert_array_equal(same.spreads_, prior.spreads_)
    assert_array_equal(same.log_frequencies_, prior.log_frequencies_)


@pytest.mark.parametrize("n_samples", [0, 1, 2])
def test_few_rows_are_enough_to_answer(n_samples):
    prior = FormulaUnitPrior().fit(np.log([2.0, 4.0][:n_samples]), [2, 4][:n_samples])
    units, weights = prior.candidates(np.log([4.1]))
    assert units[0, 0] == 4
    assert np.isfinite(weights).all()


def test_unseen_numbers_are_rarer_the_larger(prior):
    log_frequencies = prior._log_frequency(np.array([36, 60, 156, 204, 300, 1200, 12_000]))
    assert (np.diff(log_frequencies) < 0).all()
    assert_allclose(log_frequencies[-1] - log_frequencies[-2], -2 * np.log(10))


def test_exact_numbers(prior):
    units, weights = prior.exact([4, 3.98, 0.2, 11.7])
    assert units.tolist() == [[4], [4], [1], [12]]
    assert units.dtype == np.int64
    assert weights.tolist() == [[1.0]] * 4


def test_pickles(prior):
    log_units, _ = _sample(50)
    copy = pickle.loads(pickle.dumps(prior))
    assert_array_equal(copy.candidates(log_units)[1], prior.candidates(log_units)[1])
