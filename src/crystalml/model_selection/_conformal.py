"""Conformal prediction sets from probabilities: lists with a stated coverage.

This is code of our own, since MAPIE and crepes refuse a calibration label that the classifier
was not fitted on. With 230 space groups and splits by compound there always are some, and without
them the sets would cover less than they state.
"""

from typing import Literal, TypeAlias, overload

import numpy as np
import pandas as pd

from crystalml._typing import ArrayLike, BoolArray, FloatArray
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import check_probabilities, checked_weights

__all__ = ["conformal_scores", "conformal_sets", "conformal_threshold", "set_coverage"]

METHODS = ("lac", "aps", "raps")
ConformalMethod: TypeAlias = Literal["lac", "aps", "raps"]


def conformal_scores(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    method: ConformalMethod = "lac",
    penalty: float = 0.01,
    free_rank: int = 5,
) -> FloatArray:
    """Score how badly each true label fits its probabilities: the smaller, the better.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type. One that is not in `labels` scores infinity.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label, from a model that did not see the row.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    method : {"lac", "aps", "raps"}, default="lac"
        The score of a label.

        - ``"lac"``: one minus its probability (least ambiguous sets). The smallest sets on
          average, but hard rows are covered less often than easy ones.
        - ``"aps"``: the probability of all labels ranked before it, and a random share of its
          own (adaptive prediction sets). Hard and easy rows are covered alike, as far as the
          probabilities are right.
        - ``"raps"``: ``"aps"`` plus `penalty` for each rank beyond `free_rank`, which keeps
          long tails of improbable labels out.
    penalty : float, default=0.01
        Of ``"raps"``, per rank.
    free_rank : int, default=5
        Of ``"raps"``: last rank that costs nothing.

    Returns
    -------
    ndarray of shape (n_samples,)
        One score per row.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `method` is unknown or `y_proba` are no probabilities.

    Notes
    -----
    The random share is computed from the row's own probabilities, rounded to four digits and
    hashed. It needs no seed, and the set of a row does not depend on the other rows. Any fixed
    function of row and label keeps the guarantee; where many rows have the very same
    probabilities, coverage is higher than asked for.

    Labels of probability zero tie. If the true label is among them in more rows than may be
    missed, all of them must be listed. Mix in class frequencies before (`ConformalClassifier`
    does), unless zero means impossible.

    References
    ----------
    M. Sadinle, J. Lei, L. Wasserman (2019). Least ambiguous set-valued classifiers with bounded
    error levels. Journal of the American Statistical Association 114, 223-234. ("lac")

    Y. Romano, M. Sesia, E. J. Candès (2020). Classification with valid and adaptive coverage.
    Advances in Neural Information Processing Systems 33, 3581-3591. ("aps")

    A. N. Angelopoulos, S. Bates, M. I. Jordan, J. Malik (2021). Uncertainty sets for image
    classifiers using conformal prediction. ICLR 2021, arXiv:2009.14193. ("raps")

    Examples
    --------
    >>> from crystalml.model_selection import conformal_scores
    >>> y_proba = [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]
    >>> conformal_scores([14, 227], y_proba, labels=[14, 62, 225])
    array([0.3, inf])
    """
    y_proba, position = check_probabilities(y_true, y_proba, labels, "conformal_scores")
    scores = label_scores(y_proba, method, penalty, free_rank, "conformal_scores")
    return np.where(position < 0, np.inf, scores[np.arange(len(position)), position])


def label_scores(y_proba, method, penalty, free_rank, caller):
    """Score every label in every row; `caller` begins the message of an error."""
    if not isinstance(method, str) or method not in METHODS:
        raise InvalidInputError(f"{caller}: method must be one of {METHODS}, got {method!r}.")
    if not (penalty >= 0 and free_rank >= 0):
        raise InvalidInputError(
            f"{caller}: penalty and free_rank must be >= 0, got {penalty!r} and {free_rank!r}."
        )
    total = y_proba.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        row = int(np.flatnonzero(~(total[:, 0] > 0))[0])
        raise InvalidInputError(
            f"{caller}: y_proba has rows that are zero throughout (first: row {row}). Each needs "
            "a label that is possible."
        )
    y_proba = y_proba / total
    if method == "lac":
        return 1.0 - y_proba
    # Stable, so that equal probabilities rank in the order of their columns on every machine.
    order = np.argsort(-y_proba, axis=1, kind="stable")
    ranked = np.take_along_axis(y_proba, order, axis=1)
    ranked = np.cumsum(ranked, axis=1) - ranked + _random_shares(y_proba)[:, None] * ranked
    if method == "raps":
        ranked += penalty * np.maximum(np.arange(1, ranked.shape[1] + 1) - free_rank, 0)
    scores = np.empty_like(ranked)
    np.put_along_axis(scores, order, ranked, axis=1)
    # Labels of probability zero must tie at 1, and the rounding of the sum would part them.
    return np.round(scores, 12)


def _random_shares(y_proba):
    """Pseudo-random numbers in [0, 1), each a function of the probabilities of its row."""
    n_labels = y_proba.shape[1]
    factors = np.random.Generator(np.random.PCG64(0)).integers(
        2**63, size=n_labels, dtype=np.uint64
    )
    # Four digits, so that probabilities computed on another machine get the same share.
    digits = np.rint(y_proba * 1e4).astype(np.uint64)
    mixed = digits @ (2 * factors + 1)  # arithmetic modulo 2**64 is intended
    # The finalizer of SplitMix64 (Steele, Lea & Flood, 2014).
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) * 2.0**-53


@overload
def conformal_threshold(
    scores: ArrayLike, *, coverage: float = ..., groups: None = ...
) -> float: ...
@overload
def conformal_threshold(
    scores: ArrayLike, *, coverage: float = ..., groups: ArrayLike
) -> pd.Series: ...
def conformal_threshold(
    scores: ArrayLike, *, coverage: float = 0.9, groups: ArrayLike | None = None
) -> float | pd.Series:
    """Find the score up to which labels must be listed to reach a coverage.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        Scores of the true labels of rows that the model did not see, from `conformal_scores`;
        infinity for labels that the model does not know.
    coverage : float, default=0.9
        Share of new rows whose set is to hold the true label, in (0, 1).
    groups : array-like of shape (n_samples,), default=None
        Where given, each group gets a threshold of its own (Mondrian): a function of the row
        alone, such as the lattice system its metric allows, or of its true label, such as its
        crystal system. These are not the groups of a splitter.

    Returns
    -------
    float, or pandas.Series of float indexed by group
        The k-th smallest score, where k is ``(n + 1) * coverage`` rounded up. Infinity where k
        exceeds n: with fewer than ``coverage / (1 - coverage)`` rows only the list of all
        labels guarantees the coverage.

    Raises
    ------
    InvalidInputError
        If `coverage` is not in (0, 1), a score is NaN, there are none, or the lengths differ.

    Notes
    -----
    If the rows scored here and a new row are exchangeable, the score of the new row's true
    label is at most the threshold with probability at least `coverage` (and at most
    ``coverage + 1 / (n + 1)``, but for ties). Rows of one compound or chemical system are not
    exchangeable with rows of new ones: score rows whose group was held out. The coverage is an
    average over rows (within a group, where groups are given), not for each row.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer (2005). Algorithmic Learning in a Random World. Springer.

    Examples
    --------
    >>> from crystalml.model_selection import conformal_threshold
    >>> conformal_threshold([0.1, 0.5, 0.2, 0.9], coverage=0.6)
    0.5
    >>> conformal_threshold([0.1, 0.5, 0.2, 0.9], coverage=0.9)
    inf
    >>> conformal_threshold([0.1, 0.5, 0.2, 0.9], coverage=0.5, groups=list("aabb"))
    a    0.5
    b    0.9
    dtype: float64
    """
    scores = np.asarray(scores, dtype=float)
    if not 0 < coverage < 1:
        raise InvalidInputError(
            f"conformal_threshold: coverage must lie in (0, 1), got {coverage!r}."
        )
    if scores.ndim != 1 or not len(scores) or np.isnan(scores).any():
        raise InvalidInputError(
            f"conformal_threshold: scores must be one number per row, at least one and none of "
            f"them NaN; got shape {scores.shape} with {np.isnan(scores).sum()} NaN."
        )
    if groups is None:
        return _threshold(scores, coverage)
    groups = np.asarray(groups)
    if groups.shape != scores.shape:
        raise InvalidInputError(
            f"conformal_threshold: got {len(scores)} scores and groups of shape {groups.shape}; "
            "give one group per score."
        )
    by_group = pd.Series(scores).groupby(groups)
    return by_group.agg(lambda part: _threshold(part.to_numpy(), coverage))


def _threshold(scores, coverage):
    # Rounded, since (n + 1) * 0.9 may come out a little above an integer.
    k = int(np.ceil(np.round((len(scores) + 1) * coverage, 9)))
    return float(np.partition(scores, k - 1)[k - 1]) if k <= len(scores) else np.inf


def conformal_sets(
    y_proba: ArrayLike,
    threshold: ArrayLike,
    *,
    method: ConformalMethod = "lac",
    penalty: float = 0.01,
    free_rank: int = 5,
    allow_empty: bool = False,
) -> BoolArray:
    """List the labels that cannot be excluded.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    threshold : float or array-like that broadcasts to (n_samples, n_labels)
        From `conformal_threshold`: a number; an array of shape (n_labels,) where the groups
        are of labels; of shape (n_samples, 1) where they are of rows. At infinity every label
        is listed.
    method : {"lac", "aps", "raps"}, default="lac"
        As in `conformal_scores`, of which the threshold must come.
    penalty : float, default=0.01
        As in `conformal_scores`.
    free_rank : int, default=5
        As in `conformal_scores`.
    allow_empty : bool, default=False
        Whether a set may be empty. If not, the most probable label is listed where no label
        would be, which can only raise coverage. Empty sets occur where the model is right more
        often than was asked for.

    Returns
    -------
    ndarray of shape (n_samples, n_labels) of bool
        True for the labels of the set.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `method` is unknown or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import conformal_sets
    >>> conformal_sets([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]], 0.7)
    array([[ True, False, False],
           [ True,  True, False]])
    """
    y_proba = np.asarray(y_proba, dtype=float)
    if y_proba.ndim != 2:
        raise InvalidInputError(
            f"conformal_sets: y_proba has shape {y_proba.shape}; give one row per sample, one "
            "column per label."
        )
    if not len(y_proba):
        return np.zeros(y_proba.shape, dtype=bool)
    columns = np.arange(y_proba.shape[1])
    y_proba, _ = check_probabilities(None, y_proba, columns, "conformal_sets")
    scores = label_scores(y_proba, method, penalty, free_rank, "conformal_sets")
    try:
        sets = scores <= np.broadcast_to(np.asarray(threshold, dtype=float), scores.shape)
    except ValueError:
        raise InvalidInputError(
            f"conformal_sets: threshold has shape {np.shape(threshold)}, which does not fit "
            f"y_proba of shape {y_proba.shape}; give a number, one per label, or a column."
        ) from None
    if not allow_empty:
        empty = ~sets.any(axis=1)
        sets[empty, y_proba[empty].argmax(axis=1)] = True
    return sets


def set_coverage(
    y_true: ArrayLike,
    sets: ArrayLike,
    *,
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Measure how often the sets hold the true label, and how long they are.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels; one that is not in `labels` is never covered.
    sets : array-like of shape (n_samples, n_labels) of bool
        From `conformal_sets` or ``ConformalClassifier.predict_set_mask``.
    labels : array-like of shape (n_labels,)
        The label of each column.
    groups : array-like of shape (n_samples,), default=None
        Where given, a row for each group follows that for all rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``"all"`` and the groups: ``coverage`` (share of sets with the true label),
        ``standard_error`` of it for independent rows, ``mean_size`` and ``median_size`` (labels
        in a set; the median without weights) and ``count`` (rows).

    Raises
    ------
    InvalidInputError
        If the shapes do not fit.

    Examples
    --------
    >>> from crystalml.model_selection import set_coverage
    >>> sets = [[True, False], [True, True], [False, True]]
    >>> set_coverage([14, 14, 14], sets, labels=[14, 62])[["coverage", "mean_size"]].round(3)
         coverage  mean_size
    all     0.667      1.333
    """
    sets = np.asarray(sets, dtype=bool)
    _, position = check_probabilities(y_true, sets.astype(float), labels, "set_coverage")
    weights = checked_weights(sample_weight, len(position), "set_coverage")
    covered = sets[np.arange(len(position)), position] & (position >= 0)
    rows = {"all": np.ones(len(position), dtype=bool)}
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != position.shape:
            raise InvalidInputError(
                f"set_coverage: got {len(position)} rows and groups of shape {groups.shape}; "
                "give one group per row."
            )
        rows |= {name: groups == name for name in np.unique(groups)}
    summary = {
        name: _summary(covered[mask], sets[mask].sum(axis=1), weights[mask])
        for name, mask in rows.items()
    }
    return pd.DataFrame(summary).T.astype({"count": int})


def _summary(covered, sizes, weights):
    """Coverage and sizes of some rows; NaN where they have no weight."""
    total = weights.sum()
    share = weights @ covered / total if total > 0 else np.nan
    # Kish's effective number of rows, which is their number where all weights are equal.
    effective = total**2 / (weights @ weights) if total > 0 else np.nan
    return {
        "coverage": share,
        "standard_error": np.sqrt(share * (1 - share) / effective),
        "mean_size": weights @ sizes / total if total > 0 else np.nan,
        "median_size": np.median(sizes),
        "count": len(covered),
    }


def cross_conformal_sets(scores, calibration, folds, coverage, of_calibration, of_entries):
    """List the labels whose scores are not larger than those of enough calibration rows.

    `scores` holds those of every label in every row by the model of each fold, `calibration` those
    of the true labels of the calibration rows, `folds` in which fold these were held out. Rows are
    compared within the groups `of_calibration` (of the rows) and `of_entries` (of the sets).

    The model that did not see a calibration row compares each label with that row: CV+ of
    Y. Romano, M. Sesia, E. J. Candès (2020), Advances in Neural Information Processing Systems
    33, 3581-3591, appendix; the groups (Mondrian) are added here.
    """
    shape = scores[0].shape
    of_entries = np.broadcast_to(of_entries, shape)
    sets = np.ones(shape, dtype=bool)
    for group in np.unique(of_entries):
        entries, inside = of_entries == group, of_calibration == group
        at_least = np.zeros(int(entries.sum()), dtype=np.int64)
        for number, of_fold in enumerate(scores):
            sorted_scores = np.sort(calibration[inside & (folds == number)])
            # From the left, so that calibration rows with the same score count as "at least".
            below = np.searchsorted(sorted_scores, of_fold[entries], side="left")
            at_least += len(sorted_scores) - below
        # Rounded, since (n + 1) * 0.1 may come out a little below an integer.
        needed = np.round((inside.sum() + 1) * (1 - coverage), 9)
        sets[entries] = 1 + at_least > needed
    return sets
