"""Arrays give the sums that LightGBM itself gives."""

import lightgbm
import numpy as np
import pytest
from scipy.special import expit

from crystalml.exceptions import PersistenceError
from crystalml.symmetry._space_group_model import _boosted_trees
from crystalml.symmetry._space_group_model._boosted_trees import (
    BoostedTrees,
    TreeArrays,
    find_leaves,
    grow_boosted_trees,
)


@pytest.fixture(scope="module")
def pairs():
    """Features with ties and zeros, and whether the pair is alike."""
    random = np.random.default_rng(0)
    X = random.normal(size=(5000, 12)).astype(np.float32)
    X[:, :3] = np.round(X[:, :3])
    X[:, 3] = np.maximum(X[:, 3], 0)
    return X, X[:, 0] + X[:, 4] * X[:, 5] + random.normal(size=5000) > 0.5


def grown(X, label, monkeypatch=None, **parameters):
    """Trees, and LightGBM's own model beside them where it is asked for."""
    texts = []
    if monkeypatch is not None:
        read = _boosted_trees._from_text
        keep = lambda text, n: (texts.append(text), read(text, n))[1]  # noqa: E731
        monkeypatch.setattr(_boosted_trees, "_from_text", keep)
    settings = {"n_rounds": 40, "objective": "binary", "seed": 3, "n_threads": 1, **parameters}
    trees = grow_boosted_trees(X, label, caller="the test", **settings)
    return (trees, lightgbm.Booster(model_str=texts[0])) if texts else trees


@pytest.mark.parametrize("num_leaves", [2, 31, 32, 33, 64, 65, 100])
def test_sums_are_those_of_lightgbm(pairs, num_leaves, monkeypatch):
    X, same = pairs
    trees, theirs = grown(X, same, monkeypatch, num_leaves=num_leaves, min_data_in_leaf=5)
    assert trees.trees.split_counts.max() == num_leaves - 1
    ours = trees.sums(X)
    np.testing.assert_allclose(ours, theirs.predict(X, raw_score=True), rtol=0, atol=1e-12)
    leaves = find_leaves(trees.trees, X) - trees.trees.leaf_starts[:, None]
    assert (theirs.predict(X, pred_leaf=True) == leaves.T).all()


def test_values_on_a_threshold_go_the_same_way(pairs, monkeypatch):
    X, same = pairs
    trees, theirs = grown(X, same, monkeypatch, num_leaves=31)
    near = np.repeat(X[:300], 3, axis=0)
    for column in range(12):
        values = trees.trees.threshold[trees.trees.feature == column]
        drawn = np.random.default_rng(column).choice(values, len(near))
        steps = np.nextafter(drawn, np.float32(np.inf)), np.nextafter(drawn, np.float32(-np.inf))
        near[:, column] = np.choose(np.arange(len(near)) % 3, [drawn, *steps])
    tiny = np.float32(1e-35)  # what LightGBM takes for zero
    near[::2, 3] = np.random.default_rng(0).choice([-tiny, tiny, 0, -tiny / 2], len(near[::2]))
    np.testing.assert_allclose(
        trees.sums(near), theirs.predict(near, raw_score=True), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("num_leaves", [31, 64, 80])
def test_missing_counts_as_largest(pairs, num_leaves):
    X, same = pairs
    gaps = X.copy()
    gaps[same & (np.arange(len(X)) % 2 == 0), 7] = np.nan  # missing tells something
    trees = grown(gaps, same, num_leaves=num_leaves)
    filled = np.nan_to_num(gaps, nan=np.finfo(np.float32).max)
    assert 7 in trees.trees.feature
    assert (trees.sums(gaps) == trees.sums(filled)).all()
    assert (trees.sums(gaps) == trees.sums(np.nan_to_num(gaps, nan=np.inf))).all()
    assert (trees.sums(gaps) != trees.sums(np.nan_to_num(gaps, nan=0))).any()


@pytest.mark.parametrize("num_leaves", [31, 64, 80])
def test_rows_do_not_depend_on_the_batch(pairs, num_leaves):
    X, same = pairs
    trees = grown(X, same, num_leaves=num_leaves)
    together = trees.sums(X)
    assert (np.concatenate([trees.sums(row[None]) for row in X[:60]]) == together[:60]).all()
    assert (trees.sums(X[::-1]) == together[::-1]).all()
    assert (trees.sums(np.asfortranarray(X)) == together).all()
    assert trees.sums(X[:0]).shape == (0,)


def test_trees_without_a_split(pairs):
    X, _ = pairs
    trees = grown(X[:30], np.arange(30) < 10)  # too few rows for two leaves
    assert trees.trees.split_counts.max() == 0
    np.testing.assert_allclose(expit(trees.sums(X)), 1 / 3)


def test_trees_of_very_different_sizes():
    trees = TreeArrays(
        np.array([0, 1], dtype=np.int16),
        np.array([0.5, 2.0], dtype=np.float32),
        np.array([[1, -4], [-2, -3]], dtype=np.int32),
        np.array([0, 2, 0], dtype=np.int32),
    )
    boosted = BoostedTrees(trees, np.array([1000.0, 1, 2, 3, 5000]), 2)
    X = [[0.5, 2.0], [0.5, 2.1], [0.6, 0.0], [np.nan, 0.0], [0, np.nan]]
    assert boosted.sums(X).tolist() == [6001, 6002, 6003, 6003, 6002]


@pytest.mark.parametrize(
    ("part", "index", "value"),
    [
        ("feature", 3, 12),
        ("children", (5, 0), 2),
        ("children", (5, 0), 100_000),
        ("children", (35, 0), -1),
        ("children", (1, 1), 2),
        ("split_counts", 0, 3),
    ],
)
@pytest.mark.parametrize("num_leaves", [31, 70])
def test_damaged_trees_are_refused(pairs, num_leaves, part, index, value):
    X, same = pairs
    trees = grown(X[:500], same[:500], num_leaves=num_leaves, n_rounds=3, min_data_in_leaf=5)
    getattr(trees.trees, part)[index] = value
    with pytest.raises(PersistenceError, match="damaged"):
        trees.sums(X)
    whole = grown(X[:500], same[:500], num_leaves=num_leaves, n_rounds=3)
    with pytest.raises(PersistenceError, match="leaves"):
        BoostedTrees(whole.trees, whole.leaf_values[1:], 12).sums(X)
