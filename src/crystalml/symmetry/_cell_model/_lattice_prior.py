"""Which lattice and space group a formula has, where the table does not say.

A classifier of space groups tells, one that the user gives or the votes of like compounds.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from crystalml.crystallography import BRAVAIS_LATTICES, bravais_lattice, spacegroup_symbol
from crystalml.exceptions import InvalidInputError
from crystalml.known_crystals._descriptions import Compositions, ElementTable
from crystalml.known_crystals._index import STOICHIOMETRY, CrystalIndex, Crystals
from crystalml.known_crystals._neighbours import LIKE_CONTENTS, LIKE_SITES
from crystalml.symmetry._cell_model._shapes import lattice_codes
from crystalml.symmetry._input_tables import read_crystals

# Neighbours that vote, and how fast their vote falls with the distance. A like composition of
# another stoichiometry says less of the symmetry, hence the small weight.
_SAME, _SAME_REACH = 40, 0.35
_SIMILAR, _SIMILAR_REACH, _SIMILAR_WEIGHT = 25, 0.25, 0.1
# Votes that the frequencies of the training data have together.
_PRIOR_VOTES = 0.05
_NUMBERS = np.arange(1, 231)


class LatticePrior:
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
        # Dropped here, so that the fitted state holds one estimator and not two.
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


class SpaceGroupVotes(ClassifierMixin, BaseEstimator):
    """Let compounds of the same stoichiometry and of similar composition vote.

    A vote counts the more, the more alike the elements are; the frequencies of the groups in the
    training data have a small vote too, so that nothing that occurs is impossible.
    """

    def fit(self, X, y):
        """Keep formulas (a table with the column ``formula``, or a list) and space groups."""
        crystals = self._read(X)
        self.classes_, self.codes_ = np.unique(np.asarray(y), return_inverse=True)
        compositions = crystals.compositions
        # What only trees look at need not be kept.
        compositions = compositions._replace(statistics=compositions.statistics[:0])
        self.crystals_ = crystals._replace(compositions=compositions)
        self._index = CrystalIndex(self.crystals_)
        self.prior_ = np.bincount(self.codes_) / len(self.codes_)
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X):
        """Return the share of the votes, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        crystals = self._read(X)
        same, near = self._index.nearest(crystals, _SAME, LIKE_SITES, within=(STOICHIOMETRY,))
        similar, far = self._index.nearest(crystals, _SIMILAR, LIKE_CONTENTS)
        votes = np.tile(_PRIOR_VOTES * self.prior_, (len(same), 1))
        self._count(votes, same, np.exp(-near / _SAME_REACH))
        self._count(votes, similar, _SIMILAR_WEIGHT * np.exp(-far / _SIMILAR_REACH))
        return votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the most probable space groups."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _read(self, X):
        """Describe formulas."""
        amounts = read_crystals(X, caller=type(self).__name__).table.amounts
        compositions = Compositions.of(amounts, ElementTable.read())
        return Crystals(compositions, None, None, np.full(amounts.shape[0], -1))

    def _count(self, votes, rows, weights):
        """Add the votes of the neighbours, in place."""
        # Rows of -1 are neighbours that do not exist, and as an index would be the last crystal.
        exists = rows >= 0
        voters = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
        # Not `+=`, which would count several neighbours of one class once.
        np.add.at(votes, (voters[exists], self.codes_[rows[exists]]), weights[exists])


def group_probabilities(estimator, rows, *, caller):
    """Ask a classifier for space groups, and keep to what is known of the rows.

    Parameters
    ----------
    estimator : classifier
        Gives probabilities of International Tables numbers to a table of formulas.
    rows : CrystalRows
        The formulas; a known lattice or space group excludes all others.
    caller : str
        Who asks, for messages.

    Returns
    -------
    lattices : ndarray of shape (n, 14)
        Probabilities of the Bravais lattices.
    groups : ndarray of shape (n, 231)
        Probabilities of the space groups, by number.
    """
    found = estimator.predict_proba(pd.DataFrame({"formula": rows.formulas}))
    classes = np.asarray(estimator.classes_)
    if not np.isin(classes, _NUMBERS).all():
        raise InvalidInputError(
            f"{caller}: the classes of space_group_estimator are {classes!r}; they must be "
            "International Tables numbers, 1 to 230."
        )
    groups = np.zeros((len(found), len(_NUMBERS) + 1))
    groups[:, classes.astype(np.int64)] = found
    codes = lattice_codes(bravais_lattice(_NUMBERS))
    of_lattice = np.zeros((len(_NUMBERS) + 1, len(BRAVAIS_LATTICES)))
    of_lattice[_NUMBERS, codes] = 1.0
    known = np.flatnonzero(rows.lattices >= 0)
    # What is known to be so has a chance even where the classifier has never met it.
    groups[known] = (groups[known] + 1e-12) * of_lattice[:, rows.lattices[known]].T
    known = np.flatnonzero(rows.numbers > 0)
    groups[known] = np.eye(len(_NUMBERS) + 1)[rows.numbers[known]]
    groups /= groups.sum(axis=1, keepdims=True)
    return groups @ of_lattice, groups


def ranked_symmetries(lattices, groups, k, space_groups):
    """List the most probable lattices and, within each, space groups.

    Parameters
    ----------
    lattices : ndarray of shape (n, 14)
        Probabilities of Bravais lattices.
    groups : ndarray of shape (n, 231) or None
        Probabilities of space groups by number, where there are any.
    k, space_groups : int
        How many lattices of each row, and groups of each lattice.

    Returns
    -------
    DataFrame
        The columns ``row``, ``rank``, ``lattice`` (code) and those of ``predict_cells``.
    """
    # Stable, so that equal probabilities have one order on every machine.
    order = np.argsort(-lattices, axis=1, kind="stable")[:, :k]
    parts: list[tuple] = []
    for place in range(order.shape[1]):
        code = order[:, place]
        if groups is None:
            parts.append((place, 0, code, None))
            continue
        codes = np.append(-1, lattice_codes(bravais_lattice(_NUMBERS)))
        within = np.where(codes == code[:, None], groups, -1.0)
        numbers = np.argsort(-within, axis=1, kind="stable")[:, :space_groups]
        parts += [(place, nth, code, numbers[:, nth]) for nth in range(numbers.shape[1])]
    table = pd.concat([_part(lattices, groups, *part) for part in parts])
    table = table[table.pop("possible")].sort_values(["row", "place", "nth"])
    table.insert(1, "rank", table.groupby("row").cumcount() + 1)
    return table.drop(columns=["place", "nth"]).reset_index(drop=True)


def _part(lattices, groups, place, nth, code, numbers):
    """Return the rows of one rank, of all formulas."""
    rows = np.arange(len(lattices))
    probability = lattices[rows, code]
    table = pd.DataFrame({"row": rows, "place": place, "nth": nth, "lattice": code})
    table["bravais_lattice"] = np.array(BRAVAIS_LATTICES, dtype=object)[code]
    table["bravais_probability"] = probability
    if numbers is None:
        table["spacegroup_number"] = pd.array([pd.NA] * len(rows), dtype="Int64")
        table["spacegroup_symbol"] = None
        table["spacegroup_probability"] = np.nan
        return table.assign(possible=probability > 0)
    # Beyond the groups of the lattice come those of others: not possible, and dropped below.
    numbers = np.maximum(numbers, 1)
    fits = lattice_codes(bravais_lattice(numbers)) == code
    table["spacegroup_number"] = pd.array(numbers, dtype="Int64")
    table["spacegroup_symbol"] = spacegroup_symbol(numbers)
    table["spacegroup_probability"] = groups[rows, numbers]
    return table.assign(possible=fits & (groups[rows, numbers] > 0))


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
