"""The sparse forest gives scikit-learn's probabilities, from little memory."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier

import crystalml
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.symmetry._space_group_model._boosted_trees import (
    TreeArrays,
    check_trees,
    find_leaves,
)
from crystalml.symmetry._space_group_model._forest import LeafForest


@pytest.fixture(scope="module")
def rows():
    """Rows with ties and equal rows, so that some leaves hold several classes."""
    random = np.random.default_rng(0)
    X = random.normal(size=(900, 20)).astype(np.float32)
    X[:, :5] = np.round(X[:, :5])
    X[600:640] = X[:40]
    codes = (np.digitize(X[:, 6], [-1, 0, 0.4, 1.3]) * 7 + random.integers(0, 5, 900)) % 30
    codes[codes == 4] = 5  # a class without rows
    return X[:700], codes[:700], X[700:]


def scattered(forest, X, n_classes):
    """Probabilities of scikit-learn's forest in the columns of the codes."""
    proba = np.zeros((len(X), n_classes))
    proba[:, forest.classes_] = forest.predict_proba(X)
    return proba


@pytest.mark.parametrize("min_samples_leaf", [1, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_are_those_of_scikit_learn(rows, min_samples_leaf, weighted):
    X, codes, new = rows
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    options = {"max_features": 0.3, "min_samples_leaf": min_samples_leaf, "random_state": 5}
    ours = LeafForest(12, **options).fit(X, codes, 30, weight)
    theirs = ExtraTreesClassifier(12, **options).fit(X, codes, weight)
    for table in (X, new):
        np.testing.assert_allclose(
            ours.predict_proba(table), scattered(theirs, table, 30), rtol=0, atol=1e-7
        )


def test_values_on_a_threshold_go_the_same_way(rows):
    X, codes, _ = rows
    options = {"min_samples_leaf": 2, "max_features": 0.3, "random_state": 5}
    ours = LeafForest(8, **options).fit(X, codes, 30)
    theirs = ExtraTreesClassifier(8, **options).fit(X, codes)
    trees = [tree.tree_ for tree in theirs.estimators_]
    thresholds = np.concatenate([tree.threshold[tree.feature >= 0] for tree in trees])
    features = np.concatenate([tree.feature[tree.feature >= 0] for tree in trees])
    near = np.repeat(X[:100], 30, axis=0)
    for column in range(20):
        values = thresholds[features == column].astype(np.float32)
        drawn = np.random.default_rng(column).choice(values, len(near))
        steps = np.nextafter(drawn, np.float32(np.inf)), np.nextafter(drawn, np.float32(-np.inf))
        near[:, column] = np.choose(np.arange(len(near)) % 3, [drawn, *steps])
    np.testing.assert_allclose(
        ours.predict_proba(near), scattered(theirs, near, 30), rtol=0, atol=1e-7
    )


def test_rows_do_not_depend_on_the_batch(rows):
    X, codes, new = rows
    forest = LeafForest(10, random_state=0).fit(X, codes, 30)
    together = forest.predict_proba(new)
    apart = np.concatenate([forest.predict_proba(row[None]) for row in new[:50]])
    assert (together[:50] == apart).all()
    assert (forest.predict_proba(new[::-1]) == together[::-1]).all()
    np.testing.assert_allclose(together.sum(axis=1), 1)
    assert forest.predict_proba(new[:0]).shape == (0, 30)


def test_many_rows_are_worked_off_in_parts(rows):
    X, codes, new = rows
    forest = LeafForest(40, random_state=0).fit(X, codes, 30)
    many = np.tile(new, (30, 1))
    assert (forest.predict_proba(many) == np.tile(forest.predict_proba(new), (30, 1))).all()


def test_same_seed_same_forest_whatever_the_threads(rows):
    X, codes, new = rows
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    forest = LeafForest(6, random_state=1)
    one = forest.fit(X, codes, 30).predict_proba(new)
    again = clone(forest).set_params(n_jobs=2).fit(X, codes, 30).predict_proba(new)
    other = clone(forest).set_params(random_state=2).fit(X, codes, 30).predict_proba(new)
    assert (one == again).all()
    assert (one != other).any()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_state_is_small_and_survives_pickle_and_files(rows, tmp_path):
    X, codes, new = rows
    forest = LeafForest(20, random_state=0).fit(X, codes, 30)
    size = len(pickle.dumps(forest))
    expected = forest.predict_proba(new)
    assert len(pickle.dumps(forest)) == size  # what was made for predicting is left out
    theirs = ExtraTreesClassifier(20, max_features=0.2, random_state=0).fit(X, codes)
    assert size < len(pickle.dumps(theirs)) / 10
    assert (pickle.loads(pickle.dumps(forest)).predict_proba(new) == expected).all()
    crystalml.save(forest, tmp_path / "forest.crystalml")
    loaded = crystalml.load(tmp_path / "forest.crystalml")
    assert (loaded.predict_proba(new) == expected).all()


def test_one_class_is_a_forest_of_single_leaves(rows):
    X, _, new = rows
    forest = LeafForest(3, random_state=0).fit(X, np.full(len(X), 2), 4)
    assert (forest.predict_proba(new) == [0, 0, 1, 0]).all()


def test_bad_tables_are_refused(rows):
    X, codes, _ = rows
    broken = X.copy()
    broken[17, 3] = np.nan
    with pytest.raises(InvalidInputError, match=r"row 17 has .*nan.* in column 3"):
        LeafForest(2).fit(broken, codes, 30)
    with pytest.raises(InvalidInputError, match="codes run from 0 to 29"):
        LeafForest(2).fit(X, codes, 29)
    forest = LeafForest(2, random_state=0).fit(X, codes, 30)
    with pytest.raises(InvalidInputError, match="19 columns"):
        forest.predict_proba(X[:, :19])
    with pytest.raises(InvalidInputError, match="at most 32767"):
        LeafForest(2).fit(np.zeros((2, 40_000)), np.array([0, 1]), 2)


@pytest.mark.parametrize(
    ("part", "index", "value"),
    [
        ("feature", 3, 20),
        ("feature", 3, -1),
        ("children", (5, 0), 2),
        ("children", (5, 0), 100_000),
        ("children", (5, 0), -100_000),
        ("children", (1, 1), 3),
        ("split_counts", 0, -1),
    ],
)
def test_damaged_trees_are_refused(rows, part, index, value):
    X, codes, new = rows
    forest = LeafForest(4, random_state=0).fit(X, codes, 30)
    getattr(forest.trees_, part)[index] = value
    with pytest.raises(PersistenceError, match="damaged"):
        forest.predict_proba(new)


@pytest.mark.parametrize("part", ["leaf_starts_", "leaf_classes_"])
def test_damaged_leaves_are_refused(rows, part):
    X, codes, new = rows
    forest = LeafForest(4, random_state=0).fit(X, codes, 30)
    getattr(forest, part)[5] = 9_999
    with pytest.raises(PersistenceError, match="damaged"):
        forest.predict_proba(new)


def test_way_down_a_tree_written_by_hand():
    trees = TreeArrays(
        np.array([0, 1], dtype=np.int16),
        np.array([0.5, 2.0], dtype=np.float32),
        np.array([[1, -4], [-2, -3]], dtype=np.int32),
        np.array([0, 2], dtype=np.int32),
    )
    check_trees(trees, 2)
    X = np.array([[0.5, 2.0], [0.5, 2.1], [0.6, 0.0], [np.nan, 0.0], [0, np.nan]], dtype=np.float32)
    assert find_leaves(trees, X).tolist() == [[0, 0, 0, 0, 0], [1, 2, 3, 3, 2]]
