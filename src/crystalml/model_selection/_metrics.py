"""Metrics that allow for rare and unseen classes, and for near misses in symmetry.

scikit-learn's ``top_k_accuracy_score`` and ``log_loss`` refuse a true label that the
classifier was not fitted on. With 230 space groups and folds by compound that is the rule,
not the exception: here such a row counts as an error, at a cost that each metric states.
"""

from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from crystalml import crystallography
from crystalml._typing import ArrayLike, NDArray, SymmetryLevel
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._inputs import check_probabilities, checked_weights
from crystalml.model_selection._reliability import expected_calibration_error

__all__ = [
    "SYMMETRY_LEVELS",
    "evaluate_probabilities",
    "floored_log_loss",
    "hierarchical_accuracy",
    "symmetry_labels",
    "top_k_accuracy",
]

# From the coarsest to the finest; each name is also a function of crystalml.crystallography,
# except the last, which is the number itself.
SYMMETRY_LEVELS = ("crystal_system", "bravais_lattice", "point_group", "space_group")


def top_k_accuracy(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    k: int = 5,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of rows whose true label is among the `k` most probable.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type. A label that is not in `labels` counts as missed.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    k : int, default=5
        Length of the list. With fewer than `k` labels all of them are listed.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        Between 0 and 1. Equal probabilities rank in the order of their columns.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `k` is less than one or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import top_k_accuracy
    >>> y_proba = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    >>> top_k_accuracy([14, 227, 166], y_proba, k=2, labels=[14, 225, 166])
    0.333...
    """
    if k < 1:
        raise InvalidInputError(f"top_k_accuracy: k must be at least 1, got {k!r}.")
    y_proba, position = check_probabilities(y_true, y_proba, labels, "top_k_accuracy")
    weights = checked_weights(sample_weight, len(position), "top_k_accuracy")
    return float(np.average(_ranks_of_true(y_proba, position) < k, weights=weights))


def _ranks_of_true(y_proba, position):
    """Count the labels listed before the true one; more than all labels where it is unseen."""
    of_true = y_proba[np.arange(len(position)), position][:, None]
    # Of equal probabilities the earlier column is listed first.
    before = np.arange(y_proba.shape[1]) < position[:, None]
    rank = ((y_proba > of_true) | ((y_proba == of_true) & before)).sum(axis=1)
    return np.where(position < 0, np.iinfo(np.int64).max, rank)


def floored_log_loss(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    floor: float = 1e-4,
    labels: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean negative logarithm of the probability of the true label, never below `floor`.

    A single row with probability zero would make the plain log loss infinite. Here such a row
    costs ``-log(floor)``, and so does a row whose label the classifier has never seen; the other
    probabilities stay as they are.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type; one that is not in `labels` has probability `floor`.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    floor : float, default=1e-4
        Smallest probability, in (0, 1).
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        In nats; 0 is perfect.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit, `floor` is not in (0, 1) or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import floored_log_loss
    >>> floored_log_loss([14, 227], [[0.5, 0.5], [1.0, 0.0]], floor=0.01, labels=[14, 225])
    2.649...
    """
    if not 0 < floor < 1:
        raise InvalidInputError(f"floored_log_loss: floor must lie in (0, 1), got {floor!r}.")
    y_proba, position = check_probabilities(y_true, y_proba, labels, "floored_log_loss")
    weights = checked_weights(sample_weight, len(position), "floored_log_loss")
    of_true = np.where(position < 0, 0.0, y_proba[np.arange(len(position)), position])
    # "0.0 -" so that a perfect answer prints as 0.0 and not as -0.0.
    return float(0.0 - np.average(np.log(np.clip(of_true, floor, 1.0)), weights=weights))


def evaluate_probabilities(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike,
    floor: float = 1e-4,
    n_bins: int = 15,
    sample_weight: ArrayLike | None = None,
) -> dict[str, float]:
    """Score a table of probabilities by every metric at once.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of any type, seen in training or not.
    y_proba : array-like of shape (n_samples, n_labels)
        Probability of each label.
    labels : array-like of shape (n_labels,)
        The label of each column: the ``classes_`` of the classifier.
    floor : float, default=1e-4
        Smallest probability in the log loss (see `floored_log_loss`).
    n_bins : int, default=15
        Bins of the calibration error (see `expected_calibration_error`).
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    dict of str to float
        ``top_1_accuracy``, ``top_5_accuracy``, ``macro_f1`` (mean F1 over all true and
        predicted labels; 0 for one never predicted), ``log_loss`` in nats and
        ``calibration_error``.

    Raises
    ------
    InvalidInputError
        If the shapes do not fit or `y_proba` are no probabilities.

    Examples
    --------
    >>> from crystalml.model_selection import evaluate_probabilities
    >>> y_proba = [[0.7, 0.2, 0.1], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]]
    >>> scores = evaluate_probabilities([14, 225, 2], y_proba, labels=[14, 62, 225])
    >>> {name: round(score, 3) for name, score in scores.items()}
    {'top_1_accuracy': 0.667, 'top_5_accuracy': 0.667, 'macro_f1': 0.556,
     'log_loss': 3.359, 'calibration_error': 0.267}
    """
    rows: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight}
    scores = {
        "top_1_accuracy": top_k_accuracy(y_true, y_proba, k=1, **rows),
        "top_5_accuracy": top_k_accuracy(y_true, y_proba, k=5, **rows),
    }
    # F1 of labels that scikit-learn may take from the rows: unseen ones count as never predicted.
    y_pred = np.asarray(labels)[np.asarray(y_proba).argmax(axis=1)]
    macro_f1 = f1_score(
        y_true, y_pred, average="macro", zero_division=0, sample_weight=sample_weight
    )
    return scores | {
        "macro_f1": float(macro_f1),
        "log_loss": floored_log_loss(y_true, y_proba, floor=floor, **rows),
        "calibration_error": expected_calibration_error(y_true, y_proba, n_bins=n_bins, **rows),
    }


def symmetry_labels(spacegroup_numbers: ArrayLike, level: SymmetryLevel) -> NDArray[Any]:
    """Translate space-group numbers to the labels of a coarser level of symmetry.

    Parameters
    ----------
    spacegroup_numbers : array-like of shape (n_samples,)
        International Tables numbers, 1-230.
    level : {"crystal_system", "bravais_lattice", "point_group", "space_group"}
        Level of the label; ``"space_group"`` returns the numbers.

    Returns
    -------
    ndarray of shape (n_samples,)
        Crystal systems, Pearson letters or Hermann-Mauguin point groups as text; integers for
        ``"space_group"``.

    Raises
    ------
    InvalidInputError
        If `level` is none of the four.
    SpaceGroupError
        If a number is not in 1-230.

    Examples
    --------
    >>> from crystalml.model_selection import symmetry_labels
    >>> symmetry_labels([14, 225], "bravais_lattice").tolist()
    ['mP', 'cF']
    """
    if level not in SYMMETRY_LEVELS:
        raise InvalidInputError(f"level must be one of {SYMMETRY_LEVELS}, got {level!r}.")
    numbers = np.asarray(spacegroup_numbers)
    # Computed at every level, so that a wrong number is an error at each of them.
    systems = crystallography.crystal_system(numbers)
    if level == "space_group":
        return numbers.astype(int)
    return systems if level == "crystal_system" else getattr(crystallography, level)(numbers)


def hierarchical_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    level: SymmetryLevel = "crystal_system",
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of predicted space groups that are right at a coarser level of symmetry.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Space-group numbers, 1-230.
    level : {"crystal_system", "bravais_lattice", "point_group", "space_group"}, \
default="crystal_system"
        What must agree.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    float
        Between 0 and 1. It needs labels only, so that
        ``sklearn.metrics.make_scorer(hierarchical_accuracy, level=...)`` is a scorer.

    Raises
    ------
    InvalidInputError
        If `level` is none of the four, or the lengths differ.
    SpaceGroupError
        If a label is not in 1-230.

    Examples
    --------
    >>> from crystalml.model_selection import SYMMETRY_LEVELS, hierarchical_accuracy
    >>> for level in SYMMETRY_LEVELS:
    ...     print(level, hierarchical_accuracy([225, 62], [227, 62], level=level))
    crystal_system 1.0
    bravais_lattice 1.0
    point_group 1.0
    space_group 0.5
    """
    agree = symmetry_labels(y_true, level), symmetry_labels(y_pred, level)
    if agree[0].shape != agree[1].shape:
        raise InvalidInputError(
            f"hierarchical_accuracy: got {agree[0].shape} true and {agree[1].shape} predicted "
            "labels; the shapes must be equal."
        )
    weights = checked_weights(sample_weight, len(agree[0]), "hierarchical_accuracy")
    return float(np.average(agree[0] == agree[1], weights=weights))
