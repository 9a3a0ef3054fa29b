"""Drop, merge or keep rare classes, and count what was done."""

from numbers import Integral
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from crystalml._typing import ArrayLike
from crystalml.exceptions import InvalidInputError

__all__ = ["RareClasses", "handle_rare_classes"]

POLICIES = {"drop": "dropped", "merge": "merged", "keep": "kept"}


class RareClasses(NamedTuple):
    """Result of `handle_rare_classes`.

    Attributes
    ----------
    y : ndarray of shape (n_kept,)
        Labels of the rows that were kept.
    mask : ndarray of shape (n_samples,) of bool
        Rows that were kept: take ``X[mask]`` and ``groups[mask]``.
    report : pandas.DataFrame
        Indexed by class, the most frequent first: ``rows``, ``groups`` (where given) and
        ``action``, one of ``kept``, ``dropped`` and ``merged``.

    Examples
    --------
    >>> from crystalml.model_selection import handle_rare_classes
    >>> y, mask, report = handle_rare_classes([14, 14, 2], min_count=2)
    >>> y.tolist(), mask.tolist()
    ([14, 14], [True, True, False])
    """

    y: np.ndarray
    mask: np.ndarray
    report: pd.DataFrame


def handle_rare_classes(
    y: ArrayLike,
    *,
    min_count: int = 5,
    policy: Literal["drop", "merge", "keep"] = "drop",
    merged_label: object = None,
    groups: ArrayLike | None = None,
) -> RareClasses:
    """Drop, merge or keep the classes with few rows, and report what was done.

    Of 210 space groups in the packaged COD data many have a handful of entries. A class that
    is too rare cannot be learned or tested, and leaving it out silently makes a score look
    better than it is. Report the policy and the counts together with the score.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any type; none may be missing.
    min_count : int, default=5
        Classes with fewer rows are rare.
    policy : {"drop", "merge", "keep"}, default="drop"
        - ``"drop"``: rows of rare classes are left out.
        - ``"merge"``: rare classes become one class, named `merged_label`.
        - ``"keep"``: nothing changes; rare classes are only reported.
    merged_label : object, default=None
        Label of the merged class, such as ``0`` or ``"rare"``, which must not be one of the
        classes that are kept. Needed by ``"merge"`` alone.
    groups : array-like of shape (n_samples,), default=None
        Where given, `min_count` counts groups instead of rows: ten entries of one compound are
        all on one side of a split by compound, so they count once.

    Returns
    -------
    RareClasses
        The labels, the mask of the rows kept, and the report.

    Raises
    ------
    InvalidInputError
        If a label is missing, no row would be left, `merged_label` is missing or taken, or
        another argument is not allowed.

    Examples
    --------
    >>> from crystalml.model_selection import handle_rare_classes
    >>> y = ["Pnma", "Pnma", "Fm-3m", "Fm-3m", "Fm-3m", "P1", "Cc"]
    >>> result = handle_rare_classes(y, min_count=2, policy="merge", merged_label="rare")
    >>> result.y.tolist()
    ['Pnma', 'Pnma', 'Fm-3m', 'Fm-3m', 'Fm-3m', 'rare', 'rare']
    >>> result.report
           rows  action
    Fm-3m     3    kept
    Pnma      2    kept
    Cc        1  merged
    P1        1  merged
    """
    _check_arguments(min_count, policy)
    y = np.asarray(y)
    if y.ndim != 1 or not len(y):
        raise InvalidInputError(
            f"handle_rare_classes: y has shape {y.shape}; give one label per row, at least one."
        )
    codes, classes = pd.factorize(y, sort=True)
    if (codes < 0).any():
        raise InvalidInputError(
            f"handle_rare_classes: y has {(codes < 0).sum()} missing labels (first: row "
            f"{codes.argmin()}). Drop these rows."
        )
    counts = _counts(codes, groups)
    # The last count decides: groups where they are given, else rows.
    rare = counts[list(counts)[-1]] < min_count
    report = pd.DataFrame(counts, index=classes)
    report["action"] = np.where(rare, POLICIES[policy], "kept")
    report = report.sort_values(list(counts)[-1], ascending=False, kind="stable")
    if policy == "merge":
        return RareClasses(
            _merged(y, classes, rare, codes, merged_label), np.full(len(y), True), report
        )
    mask = ~rare[codes] if policy == "drop" else np.full(len(y), True)
    if not mask.any():
        raise InvalidInputError(
            f"handle_rare_classes: every class has fewer than min_count={min_count} "
            f"{list(counts)[-1]}, so no row is left; lower min_count or merge them."
        )
    return RareClasses(y[mask], mask, report)


def _check_arguments(min_count, policy):
    if not isinstance(policy, str) or policy not in POLICIES:
        raise InvalidInputError(
            f"handle_rare_classes: policy must be one of {list(POLICIES)}, got {policy!r}."
        )
    # True is an integer for Python, but no number of rows.
    if isinstance(min_count, bool) or not isinstance(min_count, Integral) or min_count < 1:
        raise InvalidInputError(
            f"handle_rare_classes: min_count must be an integer >= 1, got {min_count!r}."
        )


def _counts(codes, groups):
    """Rows of each class, and groups where they are given."""
    counts = {"rows": np.bincount(codes)}
    if groups is None:
        return counts
    groups = np.asarray(groups)
    if groups.shape != codes.shape:
        raise InvalidInputError(
            f"handle_rare_classes: got {len(codes)} labels and groups of shape {groups.shape}; "
            "give one group per row."
        )
    # Each group counts once for each class that it holds.
    pairs = pd.DataFrame({"code": codes, "group": groups}).drop_duplicates()
    return counts | {"groups": np.bincount(pairs["code"])}


def _merged(y, classes, rare, codes, merged_label):
    """Labels in which the rare classes share one."""
    kept = classes[~rare]
    if merged_label is None or merged_label in set(kept.tolist()):
        raise InvalidInputError(
            f"handle_rare_classes: policy='merge' needs a merged_label that is no class that is "
            f"kept, got {merged_label!r}."
        )
    # NumPy would turn all labels into text without a word.
    if y.dtype.kind in "iuf" and isinstance(merged_label, str):
        raise InvalidInputError(
            f"handle_rare_classes: merged_label must be a number, as the labels are, got "
            f"{merged_label!r}."
        )
    # The type of the labels, but text may be longer than theirs.
    dtype = None if y.dtype.kind in "US" else y.dtype
    return np.where(rare[codes], np.asarray(merged_label, dtype=dtype), y)
