"""How far a column determines the target, and how far the target determines a column."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from crystalml._typing import Estimator, IntArray, NDArray

# Shuffles that an association must beat, and by how much, to be one.
_N_SHUFFLES, _SMALLEST_ASSOCIATION = 20, 0.005
# Rows that must follow from the class before a column counts as a function of it.
_FEWEST_EXPLAINED = 10


class Folds(NamedTuple):
    """Fold of each row, and the rows on which estimators are fitted."""

    fold: IntArray
    n_folds: int
    sample: IntArray


class Scoring(NamedTuple):
    """What it takes to score a column: the target as codes or ranks, folds and estimator.

    Parallel workers get this and a column, not the audit with the whole table.
    """

    y: NDArray
    is_class: bool
    chance: float
    folds: Folds
    estimator: Estimator | None
    seed: int


class Scores(NamedTuple):
    """Scores of one column.

    `skill` is the score between chance (0) and certainty (1); `follows` is NaN for numbers to
    predict.
    """

    score: float
    skill: float
    follows: float


def make_folds(groups, n_folds, max_samples, seed):
    """Deal groups of rows to folds at random, and draw the sample."""
    random = np.random.RandomState(seed)
    groups = np.unique(groups, return_inverse=True)[1]
    # Groups are dealt in turn, so every fold gets some where there are enough.
    fold = random.permutation(groups.max() + 1)[groups] % n_folds
    n_rows = len(groups)
    sample = np.arange(n_rows)
    if n_rows > max_samples:
        sample = np.sort(random.permutation(n_rows)[:max_samples])
    return Folds(fold, n_folds, sample)


def score_column(column, scoring):
    """Score a column against the target."""
    score = _determines(column, scoring)
    share = follows(column.codes, scoring.y) if scoring.is_class else np.nan
    return Scores(score, (score - scoring.chance) / (1 - scoring.chance), share)


def _determines(column, scoring):
    """Cross-validated score of the target from one column.

    Accuracy for classes; for numbers, R^2 of the ranks, which no outlier and no unit moves.
    Values that recur are looked up, by the most frequent class or mean rank of their training
    rows; numbers that do not, and all columns where an estimator is given, are left to a tree
    or the estimator, on the sample.
    """
    y, folds, is_class, estimator = scoring.y, scoring.folds, scoring.is_class, scoring.estimator
    if column.is_listed and estimator is None:
        return _looked_up(column.codes, y, folds, is_class=is_class)
    if estimator is None:
        tree = DecisionTreeClassifier if is_class else DecisionTreeRegressor
        # Leaves of numbers average noise where rows abound, and may be single where they do not.
        leaf = 2 if is_class else min(10, 1 + len(folds.sample) // 200)
        estimator = tree(min_samples_leaf=leaf, random_state=scoring.seed)
    return fitted_score(column.ordered()[:, None], y, folds, estimator, is_class=is_class)


def fitted_score(X, y, folds, estimator, *, is_class):
    """Cross-validated score of an estimator on the sample."""
    X, y, fold = X[folds.sample], y[folds.sample], folds.fold[folds.sample]
    # A fold that is empty, or holds all rows, cannot be held out; its rows count as guessed.
    predicted = np.full(len(y), _typical(y, is_class=is_class), dtype=float)
    for k in range(folds.n_folds):
        held_out = fold == k
        if held_out.any() and not held_out.all():
            with warnings.catch_warnings():
                # Many classes for few rows are the rule here, and no regression.
                warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
                model = clone(estimator).fit(X[~held_out], y[~held_out])
            predicted[held_out] = model.predict(X[held_out])
    return _score(y, predicted, is_class=is_class)


def follows(codes, classes):
    """Share of a column's variety that follows from the class of a row.

    1 minus the rows that differ from the most frequent value of the other rows of their class,
    over those that differ from the most frequent value of all. It is 1 for every relabelling and
    every coarsening of the class, whatever numbers stand for it, and about 0 for independence.
    Rows alone in their class say nothing and do not count. NaN where fewer than ten rows follow.
    """
    together = np.bincount(classes)[classes] > 1
    codes, classes = codes[together], classes[together]
    if not len(codes):
        return np.nan
    others = len(codes) - np.bincount(codes).max()
    # A constant column has no variety that could be explained.
    if not others:
        return np.nan
    overall = np.bincount(codes).argmax()
    best, count = _most_frequent(classes, codes)
    # Alone with its value, a row learns nothing from the others of its class.
    best = np.where(count > 1, best, overall)
    missed = np.count_nonzero(best[classes] != codes)
    return 1 - missed / others if others - missed >= _FEWEST_EXPLAINED else np.nan


def is_associated(codes, classes, seed):
    """Whether rows of equal value share their class more often than after any shuffle."""
    random = np.random.RandomState(seed)
    observed = _agreement(codes, classes)
    shuffled = [_agreement(random.permutation(codes), classes) for _ in range(_N_SHUFFLES)]
    return observed > max(shuffled) + _SMALLEST_ASSOCIATION


def scaled_ranks(values):
    """Ranks of numbers, from 0 to 1."""
    return (rankdata(values) - 0.5) / len(values)


def number_rows(*codes):
    """Give numbers to the different rows of several columns of codes."""
    joint = np.zeros(len(codes[0]), dtype=np.int64)
    # Numbered anew after each column, so that the products stay small.
    for column in codes:
        joint = np.unique(joint * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return joint.astype(np.int64)


def skill_of_lookup(codes, scoring):
    """Skill of the best class for each value, on the same rows."""
    n_classes = int(scoring.y.max()) + 1
    pairs, counts = np.unique(codes * n_classes + scoring.y, return_counts=True)
    best = np.zeros(codes.max() + 1)
    np.maximum.at(best, pairs // n_classes, counts)
    return (best.sum() / len(codes) - scoring.chance) / (1 - scoring.chance)


def _looked_up(codes, y, folds, *, is_class):
    """Score of looking a value up among the rows of the other folds."""
    predicted = np.empty(len(y), dtype=y.dtype)
    for k in range(folds.n_folds):
        test = folds.fold == k
        train = ~test
        # A value that no training row has is predicted as if nothing were known.
        table = np.full(codes.max() + 1, _typical(y[train], is_class=is_class), dtype=y.dtype)
        if is_class:
            best, count = _most_frequent(codes[train], y[train])
            table[: len(best)][count > 0] = best[count > 0]
        else:
            sums = np.bincount(codes[train], y[train], len(table))
            count = np.bincount(codes[train], minlength=len(table))
            table[count > 0] = sums[count > 0] / count[count > 0]
        predicted[test] = table[codes[test]]
    return _score(y, predicted, is_class=is_class)


def _typical(y, *, is_class):
    return np.bincount(y).argmax() if is_class else y.mean()


def _score(y, predicted, *, is_class):
    if is_class:
        return float(np.mean(predicted == y))
    return float(1 - np.mean((y - predicted) ** 2) / np.var(y))


def _most_frequent(keys, values):
    """Most frequent value of each key, and how often it occurs (0 for a key without rows)."""
    width = int(values.max()) + 1
    pairs, counts = np.unique(keys.astype(np.int64) * width + values, return_counts=True)
    key = pairs // width
    # Sorted by key, then by count: the last pair of each key is the most frequent.
    order = np.lexsort((counts, key))
    last = order[np.append(np.diff(key[order]) > 0, True)]
    best, count = np.zeros((2, int(keys.max()) + 1), dtype=np.int64)
    best[key[last]], count[key[last]] = pairs[last] % width, counts[last]
    return best, count


def _agreement(codes, classes):
    """Share of the other rows of equal value that are of equal class, averaged over rows."""
    width = int(classes.max()) + 1
    _, pair, counts = np.unique(
        codes.astype(np.int64) * width + classes, return_inverse=True, return_counts=True
    )
    # A row does not count as one that agrees with itself.
    rows = np.bincount(codes)[codes]
    recurs = rows > 1
    if not recurs.any():
        return 0.0
    return float(np.mean((counts[pair][recurs] - 1) / (rows[recurs] - 1)))
