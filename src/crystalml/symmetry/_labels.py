"""What labels say: space-group numbers, Bravais lattices, weights."""

import numpy as np
from sklearn.utils.validation import column_or_1d

from crystalml.crystallography import bravais_lattice
from crystalml.exceptions import InvalidInputError, SpaceGroupError


def weights_of_labels(class_weight, classes):
    """Return the weight that a dict gives to each of `classes`; 1 where it has none."""
    return np.array([class_weight.get(label, 1.0) for label in classes.tolist()], dtype=np.float64)


def spacegroup_numbers(classes):
    """Turn labels, integral numbers or text of digits, into International Tables numbers.

    Raises
    ------
    SpaceGroupError
        If a label is no number from 1 to 230.
    """
    values = [_as_number(label) for label in np.asarray(classes).tolist()]
    for label, value in zip(np.asarray(classes).tolist(), values, strict=True):
        if not 1 <= value <= 230:
            raise SpaceGroupError(f"label {label!r} is no space-group number from 1 to 230")
    return np.array(values, dtype=np.int64)


def _as_number(label):
    """Return a label as an integer, 0 if it is none."""
    if isinstance(label, str):
        # int() would take signs, spaces and the digits of other scripts, too.
        return int(label) if label.isdecimal() and label.isascii() else 0
    # In Python, True is an integer.
    is_integral = isinstance(label, (int, float)) and not isinstance(label, bool)
    return int(label) if is_integral and float(label).is_integer() else 0


def lattices_of_classes(classes, bravais_of, *, caller):
    """Return the Bravais lattice of each class, by International Tables or as the user says.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels, each once.
    bravais_of : None, dict or callable
        None for space-group numbers; else a mapping from label to coarser label, or a function
        that turns the array of labels into an array of coarser labels.
    caller : str
        Who asks, for messages.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    if bravais_of is None:
        try:
            return bravais_lattice(spacegroup_numbers(classes))
        except SpaceGroupError as error:
            raise InvalidInputError(
                f"{caller}: {error}, so that its Bravais lattice is not known. Turn symbols into "
                "numbers with crystallography.spacegroup_number, or say with bravais_of which "
                "label belongs where."
            ) from None
    if callable(bravais_of):
        lattices = column_or_1d(bravais_of(classes))
        if len(lattices) != len(classes):
            raise InvalidInputError(
                f"{caller}: bravais_of gave {len(lattices)} answers for {len(classes)} labels; it "
                "must return one for each."
            )
        return lattices
    missing = [label for label in classes.tolist() if label not in bravais_of]
    if missing:
        raise InvalidInputError(
            f"{caller}: bravais_of has no entry for label {missing[0]!r} ({len(missing)} of "
            f"{len(classes)} labels are missing). Give every label that occurs in y."
        )
    return np.array([bravais_of[label] for label in classes.tolist()])
