"""Accuracy at the coarser levels of symmetry: a near miss is not as wrong as a far one."""

from typing import Any

import numpy as np

from crystalml import crystallography
from crystalml._typing import ArrayLike, NDArray, SymmetryLevel
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._probabilities import checked_weights

__all__ = ["SYMMETRY_LEVELS", "hierarchical_accuracy", "symmetry_labels"]

# From the coarsest to the finest; each name is also a function of crystalml.crystallography,
# except the last, which is the number itself.
SYMMETRY_LEVELS = ("crystal_system", "bravais_lattice", "point_group", "space_group")


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
    # Asked at every level, so that a wrong number is an error at each of them.
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
