"""Which lattice a formula has, where the table does not say: by a classifier of space groups."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from crystalml.crystallography import BRAVAIS_LATTICES
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._cell_ranking import group_probabilities
from crystalml.symmetry._input_tables import read_crystals
from crystalml.symmetry._space_group_votes import SpaceGroupVotes


class SymmetryGuess:
    """A classifier of space groups or, where none are known, the votes for Bravais lattices.

    Parameters
    ----------
    estimator : classifier or None
        As the parameter `space_group_estimator` of `LatticeParameterRegressor`.
    caller : str
        Who asks, for messages.
    """

    def __init__(self, estimator, *, caller):
        self.caller = caller
        self.estimator: Any = None
        self.lattice_votes: Any = None
        self._given = estimator

    def fit(self, rows, lattices, used):
        """Use the classifier if it is fitted, else fit it to the rows `used`."""
        given, self._given = self._given, None
        if given is not None and _is_fitted(given):
            self.estimator = given
            return self
        known = used[rows.numbers[used] > 0]
        if len(known):
            estimator = SpaceGroupVotes() if given is None else clone(given)
            formulas = pd.DataFrame({"formula": [rows.formulas[row] for row in known]})
            self.estimator = estimator.fit(formulas, rows.numbers[known])
        elif given is not None:
            raise InvalidInputError(
                f"{self.caller}: space_group_estimator={given!r} is not fitted, and X has no "
                "column 'spacegroup_number' to fit it with. Add the column, or fit it before."
            )
        else:
            formulas = [rows.formulas[row] for row in used]
            self.lattice_votes = SpaceGroupVotes().fit(formulas, lattices[used])
        return self

    def probabilities(self, rows):
        """Return probabilities of lattices, (n, 14), and of space groups, (n, 231) or None."""
        if self.estimator is not None:
            return group_probabilities(self.estimator, rows, caller=self.caller)
        votes = self.lattice_votes
        lattices = np.zeros((len(rows.formulas), len(BRAVAIS_LATTICES)))
        lattices[:, votes.classes_] = votes.predict_proba(rows.formulas)
        known = rows.lattices >= 0
        lattices[known] = np.eye(len(BRAVAIS_LATTICES))[rows.lattices[known]]
        return lattices, None

    def likely_lattices(self, rows):
        """Return the known lattices, and the most probable ones of the other rows."""
        lattices = rows.lattices.copy()
        unknown = np.flatnonzero(lattices < 0)
        if len(unknown):
            formulas = [rows.formulas[row] for row in unknown]
            part = read_crystals(formulas, caller=self.caller)
            lattices[unknown] = self.probabilities(part)[0].argmax(axis=1)
        return lattices


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
