"""Three ways to model the space group given the Bravais lattice.

Each ``answer`` is P(g | x, b) for the lattice b of each label g, up to a factor that depends on
x and b; it is zero for labels that were not learned.
"""

import numpy as np

from crystalml.symmetry._inner_estimators import aligned_probabilities, join_columns, take_rows


class SecondStage:
    """What the three share: labels, their lattices, and rows without a model.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    lattice_codes : ndarray of int of shape (n_classes,)
        Lattice of each label.
    lattices : ndarray of shape (n_lattices,)
        Names of the lattices.
    """

    needs_out_of_fold = False

    def __init__(self, classes, lattice_codes, lattices):
        self.classes = classes
        self.lattice_codes = lattice_codes
        self.lattices = lattices

    def _fit_one(self, fitter, inner, X, y, learned, known):
        """Fit one model on descriptors and what is known of the lattice."""
        joined, part = self._join(X, known), np.flatnonzero(learned)
        return fitter.fit_parts(inner, joined, y, [part], "space group")[0]

    def _join(self, X, of_lattices):
        """Append a column for each lattice to the descriptors."""
        return join_columns(X, of_lattices, [f"P({name})" for name in self.lattices])

    def _ask(self, estimator, X):
        """Return the probability of every label; zeros without an estimator."""
        if estimator is None:
            return np.zeros((X.shape[0], len(self.classes)))
        return aligned_probabilities(estimator, X, self.classes)


class SoftStage(SecondStage):
    """One model of the descriptors and the probabilities of all lattices."""

    needs_out_of_fold = True

    def fit(self, fitter, inner, X, y, learned, known):
        """Fit on lattice probabilities of models that have not seen the row."""
        self.estimator = self._fit_one(fitter, inner, X, y, learned, known)

    def answer(self, X, of_lattices):
        """Evaluate the model once."""
        return self._ask(self.estimator, self._join(X, of_lattices))


class OneHotStage(SecondStage):
    """One model of the descriptors and a mark at the lattice."""

    def fit(self, fitter, inner, X, y, learned, known):
        """Fit with the true lattice of each row marked."""
        self.estimator = self._fit_one(fitter, inner, X, y, learned, known)

    def answer(self, X, of_lattices):
        """Evaluate the model for each lattice that is possible, with the mark there."""
        answers = np.zeros((X.shape[0], len(self.classes)))
        for code, mark in enumerate(np.eye(len(self.lattices))):
            rows, columns = possible(code, of_lattices, self.lattice_codes)
            if len(rows):
                marked = self._join(take_rows(X, rows), np.tile(mark, (len(rows), 1)))
                found = self._ask(self.estimator, marked)
                answers[np.ix_(rows, columns)] = found[:, columns]
        return answers


class PerBravaisStage(SecondStage):
    """One model of the descriptors for each lattice."""

    def fit(self, fitter, inner, X, y, learned, known):
        """Fit each model on the rows of its lattice."""
        parts = [np.flatnonzero(learned & (marks > 0)) for marks in known.T]
        fitted = fitter.fit_parts(inner, X, y, parts, "space group")
        self.estimator = dict(zip(self.lattices.tolist(), fitted, strict=True))

    def answer(self, X, of_lattices):
        """Evaluate each model on the rows for which its lattice is possible."""
        answers = np.zeros((X.shape[0], len(self.classes)))
        for code, estimator in enumerate(self.estimator.values()):
            rows, columns = possible(code, of_lattices, self.lattice_codes)
            if len(rows):
                found = self._ask(estimator, take_rows(X, rows))
                answers[np.ix_(rows, columns)] = found[:, columns]
        return answers


def possible(code, of_lattices, lattice_codes):
    """Rows that give a lattice some probability, and the columns of its labels."""
    return np.flatnonzero(of_lattices[:, code]), np.flatnonzero(lattice_codes == code)


SECOND_STAGES = {"soft": SoftStage, "one_hot": OneHotStage, "per_bravais": PerBravaisStage}
