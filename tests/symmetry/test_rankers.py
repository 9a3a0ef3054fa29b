"""The ranker's loss is what it says, its answers belong to candidates; pairs are told apart."""

import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone

import crystalml
from crystalml.exceptions import InvalidInputError, MissingDependencyError
from crystalml.symmetry._space_group_model import _rankers
from crystalml.symmetry._space_group_model._rankers import ListRanker, ListwiseLoss, PairModel


@pytest.fixture(scope="module")
def lists():
    """Features of 12 candidates a row and the drawn one, with probabilities by a softmax."""
    random = np.random.default_rng(0)
    features = random.normal(size=(700, 12, 6)).astype(np.float32)
    score = 1.5 * features[..., 0] + np.abs(features[..., 1]) * features[..., 2]
    drawn = (score + random.gumbel(size=score.shape)).argmax(axis=1)
    is_true = np.arange(12) == drawn[:, None]
    # What rows share must not matter: as a column, it cannot order candidates.
    features[..., 5] = random.normal(size=(700, 1))
    return features[:500], is_true[:500], features[500:], is_true[500:]


@pytest.fixture(scope="module")
def fitted(lists):
    features, is_true, _, _ = lists
    return ListRanker(n_rounds=60, random_state=0).fit(features, is_true)


def log_loss(probabilities, is_true):
    return -np.log(probabilities[is_true]).mean()


def test_gradients_are_those_of_the_loss():
    random = np.random.default_rng(1)
    is_true = np.zeros((5, 7), dtype=bool)
    is_true[:, 0] = True
    is_true[2] = True  # several right ones share the target
    is_true[3, 4] = True
    loss = ListwiseLoss(is_true, random.uniform(0.5, 2, 5))
    scores = random.normal(size=is_true.size)
    first, second = loss.gradients(scores)
    step = 1e-4
    for place in range(len(scores)):
        shift = step * (np.arange(len(scores)) == place)
        above, below = loss.value(scores + shift), loss.value(scores - shift)
        np.testing.assert_allclose(first[place], (above - below) / (2 * step), atol=1e-7)
        curvature = (above - 2 * loss.value(scores) + below) / step**2
        np.testing.assert_allclose(second[place], max(curvature, 1e-6), atol=1e-5)


def test_loss_survives_certainty():
    loss = ListwiseLoss(np.array([[True, False]]), np.ones(1))
    first, second = loss.gradients(np.array([2000.0, -2000.0]))
    assert (first == 0).all()
    assert (second > 0).all()
    assert loss.value(np.array([2000.0, -2000.0])) == 0


def test_it_learns_to_rank(lists, fitted):
    _, _, features, is_true = lists
    found = fitted.probabilities(features)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    score = 1.5 * features[..., 0] + np.abs(features[..., 1]) * features[..., 2]
    best = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    assert log_loss(best, is_true) < log_loss(found, is_true) < log_loss(best, is_true) + 0.2
    assert log_loss(found, is_true) < np.log(12) - 0.5


def test_order_of_candidates_does_not_matter(lists, fitted):
    _, _, features, _ = lists
    order = np.random.default_rng(2).permuted(np.tile(np.arange(12), (len(features), 1)), axis=1)
    moved = np.take_along_axis(features, order[:, :, None], axis=1)
    expected = np.take_along_axis(fitted.probabilities(features), order, axis=1)
    np.testing.assert_allclose(fitted.probabilities(moved), expected, rtol=1e-12)
    assert (
        fitted.scores(moved) == np.take_along_axis(fitted.scores(features), order, axis=1)
    ).all()


def test_rows_do_not_depend_on_the_batch(lists, fitted):
    _, _, features, _ = lists
    together = fitted.probabilities(features)
    apart = np.concatenate([fitted.probabilities(row[None]) for row in features])
    assert (together == apart).all()


def test_rows_without_the_true_candidate_are_left_out(lists):
    features, is_true, new, _ = lists
    ranker = ListRanker(n_rounds=20, random_state=0)
    some = is_true.copy()
    some[::3] = False
    kept = some.any(axis=1)
    expected = clone(ranker).fit(features[kept], is_true[kept]).scores(new)
    assert (ranker.fit(features, some).scores(new) == expected).all()
    with pytest.raises(InvalidInputError, match="no row has the true answer"):
        ranker.fit(features, np.zeros_like(is_true))


def test_weights_count(lists, monkeypatch):
    features, is_true, new, _ = lists
    monkeypatch.setitem(_rankers._RANKER_TREES, "bagging_fraction", 1.0)
    ranker = ListRanker(n_rounds=20, random_state=0)
    weight = np.where(np.arange(len(is_true)) % 2, 1.0, 0.0)
    plain = clone(ranker).fit(features, is_true).scores(new)
    assert (clone(ranker).fit(features, is_true, np.ones(len(is_true))).scores(new) == plain).all()
    assert (clone(ranker).fit(features, is_true, weight).scores(new) != plain).any()
    # A row of twice the weight is as good as two rows, but for the count of rows in a leaf.
    monkeypatch.setitem(_rankers._RANKER_TREES, "min_data_in_leaf", 1)
    monkeypatch.setitem(_rankers._RANKER_TREES, "num_leaves", 4)
    ranker, rows = ListRanker(n_rounds=5, random_state=0), np.repeat(np.arange(60), 2)
    twice = clone(ranker).fit(features[:60], is_true[:60], np.full(60, 2.0))
    doubled = clone(ranker).fit(features[rows], is_true[rows])
    np.testing.assert_allclose(twice.scores(new), doubled.scores(new), atol=1e-6)


def test_same_seed_same_ranker(lists):
    features, is_true, new, _ = lists
    one, again, other = (
        ListRanker(n_rounds=10, random_state=seed).fit(features, is_true).scores(new)
        for seed in (0, 0, 1)
    )
    assert (one == again).all()
    assert (one != other).any()


def test_state_is_small_and_survives_pickle_and_files(lists, fitted, tmp_path):
    _, _, new, _ = lists
    expected = fitted.scores(new)
    assert len(pickle.dumps(fitted)) < 100_000
    assert (pickle.loads(pickle.dumps(fitted)).scores(new) == expected).all()
    crystalml.save(fitted, tmp_path / "ranker.crystalml")
    assert (crystalml.load(tmp_path / "ranker.crystalml").scores(new) == expected).all()


def test_flat_features_are_refused(fitted):
    with pytest.raises(InvalidInputError, match=r"shape \(12, 6\)"):
        fitted.scores(np.zeros((12, 6)))


@pytest.fixture(scope="module")
def pairs():
    """Features with ties and zeros, and whether the pair is alike."""
    random = np.random.default_rng(0)
    X = random.normal(size=(5000, 12)).astype(np.float32)
    X[:, :3] = np.round(X[:, :3])
    X[:, 3] = np.maximum(X[:, 3], 0)
    return X, X[:, 0] + X[:, 4] * X[:, 5] + random.normal(size=5000) > 0.5


def test_pair_model_tells_pairs_apart(pairs):
    X, same = pairs
    model = PairModel(random_state=0).fit(X[:4000], same[:4000])
    found = model.probabilities(X[4000:])
    assert ((found > 0) & (found < 1)).all()
    assert ((found > 0.5) == same[4000:]).mean() > 0.75
    # As often the same as is said: within three standard errors of the mean.
    error = np.sqrt((found * (1 - found)).sum()) / len(found)
    assert abs(found.mean() - same[4000:].mean()) < 3 * error


def test_same_seed_same_trees_and_no_global_generator(pairs):
    X, same = pairs
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, again, other = (
        PairModel(random_state=seed).fit(X, same).probabilities(X)
        for seed in (0, np.random.RandomState(0), 1)
    )
    assert (one == again).all()
    assert (one != other).any()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_fitted_models_are_small_and_need_no_lightgbm(pairs, tmp_path, monkeypatch):
    X, same = pairs
    model = PairModel(random_state=0).fit(X, same)
    size = len(pickle.dumps(model))
    expected = model.probabilities(X)
    assert len(pickle.dumps(model)) == size < 100_000
    crystalml.save(model, tmp_path / "pairs.crystalml")
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    loaded = crystalml.load(tmp_path / "pairs.crystalml")
    assert (loaded.probabilities(X) == expected).all()
    assert (pickle.loads(pickle.dumps(model)).probabilities(X) == expected).all()
    with pytest.raises(MissingDependencyError, match=r"PairModel needs lightgbm.*\[spacegroups\]"):
        PairModel().fit(X, same)


def test_bad_tables_are_refused(pairs):
    X, same = pairs
    model = PairModel(random_state=0).fit(X, same)
    with pytest.raises(InvalidInputError, match=r"shape \(5000, 11\)"):
        model.probabilities(X[:, :11])
