"""A classifier that predicts sets of labels, which hold the true one with a chosen frequency."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import (
    ArrayLike,
    BoolArray,
    CrossValidation,
    Estimator,
    MatrixLike,
    NDArray,
    SymmetryLevel,
)
from crystalml._validation import Interval, StrOptions
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection._conformal import (
    METHODS,
    ConformalMethod,
    conformal_scores,
    conformal_sets,
    conformal_threshold,
    cross_conformal_sets,
    label_scores,
)
from crystalml.model_selection._metrics import SYMMETRY_LEVELS, symmetry_labels
from crystalml.model_selection._wrapped_classifier import BaseCalibratedClassifier

__all__ = ["ConformalClassifier"]

_OPEN = {"closed": "neither"}


class ConformalClassifier(BaseCalibratedClassifier):
    """Predict sets of labels that hold the true one with a stated frequency.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        It is cloned. Wrapped in ``sklearn.frozen.FrozenEstimator``, a fitted one is used as it
        is, on calibration rows that must be new to it.
    coverage : float, default=0.9
        Share of new rows whose set shall hold the true label.
    method : {"lac", "aps", "raps"}, default="lac"
        Score of a label; see `conformal_scores`.
    mondrian : None, str or callable, default=None
        Groups within which `coverage` shall be reached. Without groups it is an average over
        all rows, in which frequent, easy classes make up for rare ones.

        - ``"crystal_system"``, ``"bravais_lattice"``, ``"point_group"`` or ``"space_group"``:
          groups of labels, which must be space-group numbers. A label is listed if its score
          is within the threshold of *its* group, so that the coverage holds for the rows whose
          true label is in the group, although it is unknown where a row belongs.
        - ``mondrian(X) -> array of shape (n_samples,)``: groups of rows, by what is known of
          a row without its label, such as the crystal system that its metric allows. The
          coverage then holds for the rows of a group. The prediction of a model may be used if
          the model was fitted on other rows than these.
    cv : int, splitter or iterable of (train, test) row numbers, default=5
        How calibration rows are held out. A number means stratified folds, respecting the
        groups passed to ``fit``; see `out_of_fold_probabilities`.
    ensemble : bool, default=False
        Which models make the sets of new rows.

        - False: one, fitted on all rows. It has seen more rows than the models that gave the
          calibration scores, so that coverage tends to be somewhat too high.
        - True: the models of the splits, each of which compares the row with the rows that it
          was calibrated on (CV+). Coverage is nearer to the `coverage` asked for; time and
          memory are those of all models.
    allow_empty : bool, default=False
        Whether a set may be empty; see `conformal_sets`.
    prior_weight : float, default=0.01
        Weight in [0, 1) of the class frequencies, which are mixed into the probabilities before
        they are scored. A forest gives most groups the probability zero. Where the true label
        is too often among these, all of them would have to be listed; with the frequencies the
        common ones come first. It does not change ``predict_proba``. Give 0 where a zero of
        the estimator means impossible.
    penalty : float, default=0.01
        Of ``"raps"``, per rank.
    free_rank : int, default=5
        Of ``"raps"``: last rank that costs nothing.
    n_jobs : int, default=None
        Splits fitted at the same time, as in joblib.

    Attributes
    ----------
    estimator_ : classifier
        The fitted estimator.
    threshold_ : float or pandas.Series of float indexed by group
        Largest score that is listed, for `coverage`.
    calibration_scores_ : ndarray of shape (n_held_out,)
        Scores of the true labels of the rows that were held out.
    calibration_groups_ : ndarray of shape (n_held_out,) or None
        Their groups, if `mondrian` is given.
    calibration_folds_ : ndarray of shape (n_held_out,) of int
        The split in which each was held out.
    fold_models_ : list of classifiers or None
        The model of each split, with ``ensemble=True``.
    class_prior_ : ndarray of shape (n_classes,)
        Frequencies of the labels in the rows that ``estimator_`` was fitted on.
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the columns of ``predict_proba`` and ``predict_set_mask``.
    n_features_in_ : int
        As of the estimator, where it has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        As of the estimator, where it has it.

    See Also
    --------
    conformal_scores, conformal_threshold, conformal_sets : The same for probabilities at hand.
    set_coverage : Coverage and size of sets on test rows.

    Notes
    -----
    **The guarantee.** With a single split (``cv=GroupShuffleSplit(1)``, or a frozen estimator)
    a new row that is exchangeable with the calibration rows is covered with a probability of
    at least `coverage`, whatever the estimator is. With several splits, all rows are scored out
    of fold and the estimator is then fitted on all of them. That wastes no rows, but the
    guarantee is no longer a theorem: the final model differs from those that were scored. As
    it has seen more rows, its coverage tends to be a little higher. With ``ensemble=True`` the
    models that were scored make the sets; of exchangeable rows about ``1 - 2 * (1 - coverage)``
    are then covered for certain, and close to `coverage` in practice.

    **The limits.** The coverage holds neither for a single row, nor for a subset that `mondrian`
    does not name. Rows of new chemical systems are not exchangeable with rows of known ones:
    pass ``groups`` to ``fit`` that match the use. A row of a label that was unseen in training
    counts as missed in the calibration, and the other rows make up for it. Where there are too
    many such rows, or a group is too small, the threshold is infinite and all labels are listed;
    no list of known labels covers more. ``sample_weight`` is passed to the estimator and does
    not weight the calibration.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from crystalml.model_selection import ConformalClassifier, set_coverage
    >>> X, y = load_digits(return_X_y=True)
    >>> X, X_new, y, y_new = train_test_split(X, y, random_state=0)
    >>> model = ConformalClassifier(GaussianNB(var_smoothing=0.1), coverage=0.95).fit(X, y)
    >>> [labels.tolist() for labels in model.predict_set(X_new[:3])]
    [[2], [8], [2]]
    >>> sets = model.predict_set_mask(X_new)
    >>> set_coverage(y_new, sets, labels=model.classes_)[["coverage", "mean_size"]].round(2)
         coverage  mean_size
    all      0.96       1.09
    """

    _own_constraints = {  # noqa: RUF012
        "coverage": [Interval(Real, 0, 1, **_OPEN)],
        "method": [StrOptions(set(METHODS))],
        "mondrian": [None, StrOptions(set(SYMMETRY_LEVELS)), callable],
        "ensemble": ["boolean"],
        "allow_empty": ["boolean"],
        "prior_weight": [Interval(Real, 0, 1, closed="left")],
        "penalty": [Interval(Real, 0, None, closed="left")],
        "free_rank": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Estimator,
        *,
        coverage: float = 0.9,
        method: ConformalMethod = "lac",
        mondrian: SymmetryLevel | Callable[[Any], ArrayLike] | None = None,
        cv: CrossValidation = 5,
        ensemble: bool = False,
        allow_empty: bool = False,
        prior_weight: float = 0.01,
        penalty: float = 0.01,
        free_rank: int = 5,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.coverage = coverage
        self.method = method
        self.mondrian = mondrian
        self.cv = cv
        self.ensemble = ensemble
        self.allow_empty = allow_empty
        self.prior_weight = prior_weight
        self.penalty = penalty
        self.free_rank = free_rank
        self.n_jobs = n_jobs

    def _calibrate(self, held_out, X, y, sample_weight):  # noqa: ARG002
        """Score the rows that were held out."""
        rows = held_out.fold >= 0
        if not rows.any():
            raise InvalidInputError(
                "ConformalClassifier: cv holds no row out, so there is nothing to calibrate on; "
                "give a splitter with test rows."
            )
        # Each model gets the frequencies of the rows that it was fitted on, so that held-out
        # rows are scored in the same way as new rows will be.
        priors = [
            _frequencies(y[held_out.fold != number], held_out.labels)
            for number in range(len(held_out.models))
        ]
        # A single split keeps its model, which saw the rows that were not held out.
        fitted_on = held_out.fold < 0 if len(priors) == 1 and not rows.all() else slice(None)
        self.class_prior_ = _frequencies(y[fitted_on], self.classes_)
        y_proba = self._with_prior(held_out.y_proba[rows], np.array(priors)[held_out.fold[rows]])
        scores = conformal_scores(
            y[rows], y_proba, labels=held_out.labels, **self._score_arguments()
        )
        # A label that the model of the fold does not know is not one of probability zero, to
        # which the prior would give a finite score.
        self.calibration_scores_ = np.where(held_out.unseen[rows], np.inf, scores)
        self.calibration_groups_ = None
        if callable(self.mondrian):
            self.calibration_groups_ = _groups_of_rows(self.mondrian, X)[rows]
        elif self.mondrian is not None:
            self.calibration_groups_ = symmetry_labels(y[rows], self.mondrian)
        self.threshold_ = self._threshold(self.coverage)
        self.calibration_folds_ = held_out.fold[rows]
        self.fold_models_ = held_out.models if self.ensemble else None
        # The priors are over all labels of y; the sets over those of the fitted estimator.
        columns = np.searchsorted(held_out.labels, self.classes_)
        self._fold_priors = [prior[columns] for prior in priors]

    def _with_prior(self, y_proba, prior):
        return (1 - self.prior_weight) * y_proba + self.prior_weight * prior

    def _score_arguments(self):
        return {"method": self.method, "penalty": self.penalty, "free_rank": self.free_rank}

    def _threshold(self, coverage):
        return conformal_threshold(
            self.calibration_scores_, coverage=coverage, groups=self.calibration_groups_
        )

    def predict_set_mask(self, X: MatrixLike, coverage: float | None = None) -> BoolArray:
        """Predict sets of labels, as a matrix.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Rows, in the form that was fitted.
        coverage : float, default=None
            Another coverage than that of the classifier; nothing has to be fitted again.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) of bool
            True for the labels of the set, in the order of ``classes_``. A group without
            calibration rows lists all of its labels.
        """
        return self._sets(X, coverage)[2]

    def predict_set(self, X: MatrixLike, coverage: float | None = None) -> list[NDArray[Any]]:
        """Predict sets of labels, as lists.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, ...)
            Rows, in the form that was fitted.
        coverage : float, default=None
            Another coverage than that of the classifier; nothing has to be fitted again.

        Returns
        -------
        list of ndarray
            The labels of each row's set, the most probable first.
        """
        y_proba, scored, sets = self._sets(X, coverage)
        # Labels of equal probability are listed in the order of their frequency.
        order = np.lexsort((-scored, -y_proba), axis=1)
        listed = np.take_along_axis(sets, order, axis=1)
        labels = self.classes_[order[listed]]
        return np.split(labels, np.cumsum(listed.sum(axis=1))[:-1])

    def _sets(self, X, coverage):
        """Return probabilities, the same mixed with the prior, and the sets."""
        check_is_fitted(self)
        y_proba = self.predict_proba(X)
        if self.fold_models_ is not None:
            return self._sets_of_folds(X, y_proba, coverage, self.fold_models_)
        threshold = self.threshold_ if coverage is None else self._threshold(coverage)
        if callable(self.mondrian):
            threshold = _by_group(threshold, _groups_of_rows(self.mondrian, X))[:, None]
        elif self.mondrian is not None:
            threshold = _by_group(threshold, symmetry_labels(self.classes_, self.mondrian))
        scored = self._with_prior(y_proba, self.class_prior_)
        sets = conformal_sets(
            scored, threshold, allow_empty=self.allow_empty, **self._score_arguments()
        )
        return y_proba, scored, sets

    def _sets_of_folds(self, X, y_proba, coverage, models):
        """Return the same, with sets that the models of the splits make."""
        scores = [
            self._scores_of_fold(X, model, prior)
            for model, prior in zip(models, self._fold_priors, strict=True)
        ]
        of_calibration, of_entries = self._groups_of_entries(X)
        sets = cross_conformal_sets(
            scores,
            self.calibration_scores_,
            self.calibration_folds_,
            self.coverage if coverage is None else coverage,
            of_calibration,
            of_entries,
        )
        scored = self._with_prior(y_proba, self.class_prior_)
        if not self.allow_empty:
            empty = ~sets.any(axis=1)
            sets[empty, scored[empty].argmax(axis=1)] = True
        return y_proba, scored, sets

    def _scores_of_fold(self, X, model, prior):
        """Score every label in every row by the model of a split."""
        known = np.isin(self.classes_, model.classes_)
        of_known = model.predict_proba(X)
        y_proba = np.zeros((len(of_known), len(self.classes_)))
        y_proba[:, known] = of_known
        scores = label_scores(
            self._with_prior(y_proba, prior), caller=type(self).__name__, **self._score_arguments()
        )
        # As in the calibration: a label that the model does not know is never listed by it.
        scores[:, ~known] = np.inf
        return scores

    def _groups_of_entries(self, X):
        """Return codes of the groups of calibration rows, and of the entries of the sets."""
        if self.mondrian is None:
            return np.zeros(len(self.calibration_scores_), dtype=int), np.zeros((1, 1), dtype=int)
        if callable(self.mondrian):
            of_new, shape = _groups_of_rows(self.mondrian, X), (-1, 1)
        else:
            of_new, shape = symmetry_labels(self.classes_, self.mondrian), (1, -1)
        of_calibration = np.asarray(self.calibration_groups_)
        codes, _ = pd.factorize(np.concatenate([of_calibration, of_new]))
        n_held_out = len(of_calibration)
        return codes[:n_held_out], codes[n_held_out:].reshape(shape)


def _groups_of_rows(mondrian, X):
    groups = np.asarray(mondrian(X))
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if groups.shape != (n_rows,):
        raise InvalidInputError(
            f"ConformalClassifier: mondrian gave an array of shape {groups.shape} for "
            f"{n_rows} rows; it must give one group per row."
        )
    return groups


def _frequencies(y, labels):
    """Share of each label among rows; equal shares where there are none."""
    counts = pd.Series(y).value_counts().reindex(labels).fillna(0).to_numpy()
    return counts / counts.sum() if counts.any() else np.full(len(labels), 1 / len(labels))


def _by_group(thresholds, groups):
    """Return the threshold of each group; infinity for a group without calibration rows."""
    return pd.Series(thresholds).reindex(groups).fillna(np.inf).to_numpy()
