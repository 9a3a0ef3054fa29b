"""Space groups from the formula by the votes of like compounds: a light default."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from crystalml.symmetry._input_tables import read_crystals
from crystalml.symmetry._isostructural_neighbours import Compounds, IsostructuralNeighbours
from crystalml.symmetry._similar_compositions import SimilarCompositions

_SAME, _SAME_REACH = 40, 0.35
_SIMILAR, _SIMILAR_REACH, _SIMILAR_WEIGHT = 25, 0.5, 0.2
# Votes that the frequencies of the training data have together.
_PRIOR_VOTES = 0.05


class SpaceGroupVotes(ClassifierMixin, BaseEstimator):
    """Let compounds of the same stoichiometry and of similar composition vote.

    A vote counts the more, the more alike the elements are; the frequencies of the groups in the
    training data have a small vote too, so that nothing that occurs is impossible.
    """

    def fit(self, X, y):
        """Keep formulas (a table with the column ``formula``, or a list) and space groups."""
        rows = read_crystals(X, caller=type(self).__name__)
        compounds = Compounds(rows.table)
        self.classes_, self.codes_ = np.unique(np.asarray(y), return_inverse=True)
        unknown = np.full(len(compounds), np.nan)
        self.same_ = IsostructuralNeighbours(compounds, rows.lattices, rows.numbers, unknown)
        self.similar_ = SimilarCompositions(
            rows.table.amounts, compounds.systems, rows.lattices, unknown
        )
        self.prior_ = np.bincount(self.codes_) / len(self.codes_)
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X):
        """Return the share of the votes, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        rows = read_crystals(X, caller=type(self).__name__)
        compounds = Compounds(rows.table)
        same, near = self.same_.find(compounds, _SAME)
        similar, far = self.similar_.find(rows.table.amounts, compounds.systems, _SIMILAR)
        votes = np.tile(_PRIOR_VOTES * self.prior_, (len(compounds), 1))
        self._count(votes, same, np.exp(-near / _SAME_REACH))
        self._count(votes, similar, _SIMILAR_WEIGHT * np.exp(-far / _SIMILAR_REACH))
        return votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the most probable space groups."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _count(self, votes, rows, weights):
        """Add the votes of the neighbours, in place."""
        exists = rows >= 0
        voters = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
        np.add.at(votes, (voters[exists], self.codes_[rows[exists]]), weights[exists])
