"""The parts of a two-stage classifier: how stages are fitted, what they answer, and their product.

A second stage's ``answer`` is P(g | x, b) for the lattice b of each label g, up to a factor that
depends on x and b; it is zero for labels that were not learned. `LabelHierarchy` turns it and
P(b | x) into P(g | x).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from crystalml._progress import progress_bar
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import out_of_fold_probabilities
from crystalml.model_selection._folds import take_rows
from crystalml.symmetry._inner_estimators import (
    InnerClassifier,
    aligned_probabilities,
    join_columns,
)


def study_net(seed):
    """Return the net that both stages are by default, behind a scaler."""
    # Imported here, since torch is needed by the default only.
    from crystalml.neural import MLPNetClassifier

    net = MLPNetClassifier(
        (128, 64),
        dropout=0.2,
        batch_normalization=True,
        learning_rate=1e-3,
        batch_size=128,
        patience=10,
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), net)


class StageFitter:
    """Fits classifiers on all or on parts of the rows.

    Parameters
    ----------
    caller : str
        Who fits, for messages.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row.
    groups : ndarray of int of shape (n_samples,) or None
        Group of each row.
    balanced : bool
        Whether to weigh labels inversely to their frequency.
    n_jobs : int or None
        Fits at a time.
    progress : bool or "auto"
        Whether to show them.
    """

    def __init__(self, caller, sample_weight, groups, *, balanced, n_jobs, progress):
        self.caller = caller
        self.sample_weight = sample_weight
        self.groups = groups
        self.balanced = balanced
        self.n_jobs = n_jobs
        self.progress = progress

    def inner(self, estimator, *, oversample, seed):
        """Wrap an estimator so that it takes weights and groups, and any number of labels."""
        return InnerClassifier(
            estimator,
            balanced=self.balanced,
            oversample=oversample,
            random_state=seed,
            caller=self.caller,
        )

    def fit_parts(self, inner, X, y, parts, description):
        """Fit on each part of the rows, an array of positions; None where no row counts."""
        weight = np.ones(len(y)) if self.sample_weight is None else self.sample_weight
        # `InnerClassifier` drops rows of weight 0, which may be all of a part.
        counts = [bool(weight[part].any()) for part in parts]
        tasks = (
            delayed(inner.fitted_on)(take_rows(X, part), y[part], **self._metadata(part))
            for part, fits in zip(parts, counts, strict=True)
            if fits
        )
        results = progress_bar(
            # A generator, so that the bar moves on with each fit.
            Parallel(n_jobs=self.n_jobs, return_as="generator")(tasks),
            enabled=self.progress,
            description=description,
            total=sum(counts),
            unit="fit",
        )
        fitted = iter(list(results))
        return [next(fitted) if fits else None for fits in counts]

    def out_of_fold(self, inner, X, y, classes, cv):
        """Return the probabilities of `classes` by models that have not seen the row's group."""
        if len(classes) == 1:
            # Where there is only one lattice, there is nothing to predict.
            return np.ones((len(y), 1))
        if isinstance(cv, int | np.integer):
            # A small table may have fewer groups than folds.
            cv = min(int(cv), self._n_units(y))
        held_out = out_of_fold_probabilities(
            inner,
            X,
            y,
            groups=self.groups,
            cv=cv,
            n_jobs=self.n_jobs,
            fit_params=self._metadata(slice(None)),
        )
        left_out = held_out.fold < 0
        if left_out.any():
            raise InvalidInputError(
                f"{self.caller}: cv holds out {(~left_out).sum()} of {len(y)} rows (not row "
                f"{left_out.argmax()}); every row must be held out once, as in KFold and "
                "GroupKFold."
            )
        aligned = np.zeros((len(y), len(classes)))
        # Both are sorted, and a fold may lack a lattice.
        aligned[:, np.searchsorted(classes, held_out.labels)] = held_out.y_proba
        return aligned

    def _metadata(self, rows):
        """Weights and groups of some rows, as far as there are any."""
        metadata = {"sample_weight": self.sample_weight, "groups": self.groups}
        return {name: values[rows] for name, values in metadata.items() if values is not None}

    def _n_units(self, y):
        """Count the rows, or the groups, that folds can be made of."""
        units = len(y) if self.groups is None else len(np.unique(self.groups))
        if units < 2:
            raise InvalidInputError(
                f"{self.caller}: all {len(y)} rows belong to one group, so that no row can be "
                "predicted by a model that has not seen its group. Give more groups, or none."
            )
        return units


class SecondStage(ABC):
    """Base of the second stages: their labels, the lattices of these, and rows without a model.

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
    estimator: Any

    def __init__(self, classes, lattice_codes, lattices):
        self.classes = classes
        self.lattice_codes = lattice_codes
        self.lattices = lattices

    def fit(self, fitter, inner, X, y, learned, known):
        """Fit one model on the descriptors and a column for each lattice.

        Parameters
        ----------
        fitter : StageFitter
            Fits with the weights and groups of the rows.
        inner : InnerClassifier
            What is fitted.
        X, y : matrix and ndarray
            Descriptors and labels.
        learned : bool ndarray of shape (n_samples,)
            Rows whose label is not rare.
        known : ndarray of shape (n_samples, n_lattices)
            Probabilities of the lattices by models that have not seen the row, or a mark at the
            true lattice.
        """
        joined, part = self._join(X, known), np.flatnonzero(learned)
        (self.estimator,) = fitter.fit_parts(inner, joined, y, [part], "space group")

    @abstractmethod
    def answer(self, X, of_lattices):
        """Return P(g | x, b) of every label, given the probabilities of the lattices."""

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

    def answer(self, X, of_lattices):
        """Evaluate the model once."""
        return self._ask(self.estimator, self._join(X, of_lattices))


class OneHotStage(SecondStage):
    """One model of the descriptors and a mark at the lattice."""

    def answer(self, X, of_lattices):
        """Evaluate the model for each lattice that is possible, with the mark there."""
        answers = np.zeros((X.shape[0], len(self.classes)))
        for code, mark in enumerate(np.eye(len(self.lattices))):
            # A lattice of probability 0 makes the product 0, whatever the answer is.
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


SECOND_STAGES: dict[str, Callable[..., SecondStage]] = {
    "soft": SoftStage,
    "one_hot": OneHotStage,
    "per_bravais": PerBravaisStage,
}


class LabelHierarchy:
    """Which label belongs to which lattice, and how frequent each is among the rows of `fit`.

    Parameters
    ----------
    lattice_codes : ndarray of int of shape (n_classes,)
        Lattice of each label; every code from 0 to the largest occurs.
    label_codes : ndarray of int of shape (n_samples,)
        Label of each row; every label occurs.
    sample_weight : ndarray of shape (n_samples,) or None
        Weight of each row in the frequencies.
    min_count : int
        Labels with fewer rows are rare: they are not learned and keep their frequency.
    """

    def __init__(self, lattice_codes, label_codes, sample_weight, min_count):
        self.lattice_codes = lattice_codes
        # A line for each label with a 1 at its lattice: sums over lattices are a matrix product.
        self._membership = np.eye(lattice_codes.max() + 1)[lattice_codes]
        counted = np.ones(len(label_codes)) if sample_weight is None else sample_weight
        weights = np.bincount(label_codes, weights=counted)
        self.is_rare = np.bincount(label_codes, weights=counted > 0) < min_count
        self.frequency = weights / weights.sum()
        self.lattice_frequency = self.per_lattice(self.frequency[None, :])[0]
        total = self.per_lattice(weights[None, :])[0, lattice_codes]
        # Labels of a lattice whose rows all have weight 0 are equally frequent.
        members = self.per_lattice(np.ones((1, len(weights))))[0, lattice_codes]
        self.frequency_in_lattice = 1.0 / members
        np.divide(weights, total, out=self.frequency_in_lattice, where=total > 0)

    def per_lattice(self, values):
        """Sum the columns (one per label) of each lattice."""
        return values @ self._membership

    def conditional(self, of_labels):
        """Turn P(g | x), zero for rare labels, into P(g | x, b) for the lattice b of each g.

        Dividing by the sum over each lattice is conditioning. Where that sum is zero, x says
        nothing about the labels of the lattice, and their frequencies stand.
        """
        total = self.per_lattice(of_labels)[:, self.lattice_codes]
        share = np.divide(of_labels, total, out=np.zeros_like(of_labels), where=total > 0)
        rare = np.where(self.is_rare, self.frequency_in_lattice, 0.0)
        # What the rare labels leave to those that were learned.
        learned = 1.0 - self.per_lattice(rare[None, :])[0, self.lattice_codes]
        return np.where((total > 0) & ~self.is_rare, learned * share, self.frequency_in_lattice)

    def joint(self, of_lattices, of_labels):
        """P(g | x) = P(b | x) P(g | x, b), where b is the lattice of g."""
        # A label has one lattice, so that the sum over lattices has a single term.
        return of_lattices[:, self.lattice_codes] * self.conditional(of_labels)

    def marginal(self, of_labels):
        """Mix the P(g | x) of a model of the learned labels with the frequencies of the rare."""
        rare = np.where(self.is_rare, self.frequency, 0.0)
        return (1.0 - rare.sum()) * of_labels + rare


def most_probable(of_lattices):
    """All probability to the most probable lattice of each row."""
    return np.eye(of_lattices.shape[1])[of_lattices.argmax(axis=1)]
