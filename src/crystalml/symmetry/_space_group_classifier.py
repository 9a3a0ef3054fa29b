"""A ready classifier: the likely space groups of a crystal from its cell and composition."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from crystalml._progress import progress_bar
from crystalml._validation import Interval, StrOptions, check_parameters, check_sample_weight
from crystalml.crystallography import chemical_system
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import abstain_below as abstain
from crystalml.model_selection import conformal_sets, conformal_threshold
from crystalml.symmetry._ranking import rank_table
from crystalml.symmetry._space_group_answers import (
    as_numbers,
    entry_table,
    evidence_table,
    neighbour_table,
    unfamiliarity,
    with_log_likelihood,
)
from crystalml.symmetry._space_groups._entries import ATOMS, CELL, COMPOSITION, read_entries
from crystalml.symmetry._space_groups._folds import deal_folds
from crystalml.symmetry._space_groups._model import SpaceGroupModel

_PARTS = {
    "composition+cell+atoms": {COMPOSITION, CELL, ATOMS},
    "composition+cell": {COMPOSITION, CELL},
    "composition": {COMPOSITION},
    "cell": {CELL},
}
# Rows answered at once, which bounds the memory.
_CHUNK = 2000
# Uncertain cells are answered by the mean over these draws from their s.u.; always the same
# ones, so that a row's answer depends on the row alone.
_N_DRAWS, _DRAW_SEED = 8, 20
# Smaller s.u. change nothing: the descriptors have wider tolerances.
_SMALLEST_SU = np.array([1e-3, 1e-3, 1e-3, 0.05, 0.05, 0.05])


class SpaceGroupClassifier(ClassifierMixin, BaseEstimator):
    """Ranked, calibrated space groups from a composition, an indexed cell, or both.

    Extremely randomised trees on descriptors of lattice and composition, and the votes of known
    crystals with the same stoichiometry or lattice, are weighed for every candidate group by a
    ranker of boosted trees, beside what the cell's metric and the multiplicities of the group's
    Wyckoff positions allow. Each stage learns from answers of the stage before to compounds
    that it had not seen, so that its confidence holds for new ones.

    Parameters
    ----------
    inputs : {"composition+cell", "composition+cell+atoms", "composition", "cell"}, \
default="composition+cell"
        What the classifier looks at. ``"atoms"`` is the number of atoms in the cell, from the
        column ``n_atoms`` or from ``formula_units`` (Z); rows without it are answered by their
        volume, as without that input.
    setting : {"conventional", "primitive"}, default="conventional"
        What the cells are. Axes may be in any order or cell choice, and rhombohedral cells on
        either axes. A primitive cell is turned into the conventional one of the most symmetric
        lattice that its metric allows.
    cv : int, default=5
        Folds in which the stages are fitted to one another and calibrated.
    n_trees : int, default=100
        Trees of the forest.
    n_rounds : int, default=150
        Rounds of boosting of the ranker.
    n_candidates : int, default=40
        Groups per row that the ranker looks at; the others share half a per cent.
    random_state : int, RandomState or None, default=None
        Folds and trees.
    n_jobs : int, default=None
        Threads in `fit`.
    progress : bool or "auto", default=False
        Whether `fit` shows a progress bar.

    Attributes
    ----------
    classes_ : ndarray of int of shape (n_groups,)
        International Tables numbers seen in `fit`. Others are never predicted.
    model_ : SpaceGroupModel
        The fitted stages.
    entries_ : DataFrame
        Name, formula, cell and group of the training rows, for explanations.
    calibration_scores_ : ndarray
        One minus the probability of the true group in the fold that calibrated the answers.
    n_features_in_ : int
        Columns of the table in `fit`.

    See Also
    --------
    BravaisSpaceGroupClassifier : Two stages around any classifiers on any descriptors.
    LatticeParameterRegressor : Cells from compositions.

    Notes
    -----
    An answer depends neither on the other rows nor on the scale of the formula, the order of
    the axes or the choice of the cell. It says how often each group is met among crystals like
    the row in the data given to `fit`: a group that such data lack is not foreseen.

    Merging elements on shared sites is a guess from the formula, so that doped compounds find
    the parents of their structure. Votes of isostructural compounds follow the idea of
    structure prototypes; the two-stage alternative is that of CRYSPNet (Liang et al. 2020,
    Phys. Rev. Materials 4, 123802). Calibration is by temperature (Guo et al. 2017).

    Examples
    --------
    >>> from crystalml import SpaceGroupClassifier
    >>> from crystalml.datasets import load_cod_inorganic
    >>> data = load_cod_inorganic()
    >>> model = SpaceGroupClassifier(n_trees=10, n_rounds=20, random_state=0)
    >>> model = model.fit(data.data[::20], data.target[::20])
    >>> cell = dict(a=5.64, b=5.64, c=5.64, alpha=90, beta=90, gamma=90)
    >>> ranked = model.rank([{"formula": "NaCl", **cell}], k=3)
    >>> ranked["crystal_system"].unique().tolist()
    ['cubic']
    """

    def __init__(
        self,
        inputs="composition+cell",
        *,
        setting="conventional",
        cv=5,
        n_trees=100,
        n_rounds=150,
        n_candidates=40,
        random_state=None,
        n_jobs=None,
        progress=False,
    ):
        self.inputs = inputs
        self.setting = setting
        self.cv = cv
        self.n_trees = n_trees
        self.n_rounds = n_rounds
        self.n_candidates = n_candidates
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(self, X, y, sample_weight=None, groups=None):
        """Learn from crystals of known space group.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            ``formula`` and/or ``a, b, c`` (Å), ``alpha, beta, gamma`` (degrees); ``n_atoms`` or
            ``formula_units`` where known, which teach the volumes of atoms.
        y : array-like of int of shape (n_samples,)
            International Tables numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are held out together; by default those of one chemical system.

        Returns
        -------
        self : SpaceGroupClassifier
            The fitted classifier.

        Raises
        ------
        SchemaError
            If a column is missing.
        InvalidInputError
            If a label is no number from 1 to 230, there are fewer than two, or too few groups.
        """
        self._check_parameters()
        name = type(self).__name__
        X = _as_table(X)
        check_consistent_length(X, y)
        y = as_numbers(y, caller=name)
        weight = check_sample_weight(sample_weight, np.empty((len(y), 1)), caller=name)
        entries = read_entries(X, self._parts(X, fitting=True), setting=self.setting, caller=name)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InvalidInputError(
                f"{name}: there is only one space group, {self.classes_[0]}; give rows of more."
            )
        self.n_features_in_ = X.shape[1]
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        if groups is None and COMPOSITION in _PARTS[self.inputs]:
            groups = chemical_system(list(X["formula"]))
        folds = deal_folds(codes, groups, self.cv, seed=seed, caller=name)
        self.model_ = SpaceGroupModel(self.classes_, self._options(), seed)
        n_steps = self.model_.n_steps(folds)
        bar = progress_bar(enabled=self.progress, description=name, total=n_steps, unit="step")
        with bar:
            found, rows = self.model_.fit(entries, codes, folds, weight, bar.update)
        self.calibration_scores_ = 1.0 - found[np.arange(len(rows)), codes[rows]]
        self.entries_ = entry_table(X, y)
        return self

    def predict_proba(self, X):
        """Return the probability of each space group.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns), or list of dict
            Columns as in `fit`. Cells with s.u. (``a_su`` ... ``gamma_su``) above some tenths
            of a per cent or 0.05 degrees are answered by a mean over cells within them.

        Returns
        -------
        ndarray of shape (n_samples, n_groups)
            Columns in the order of ``classes_``; rows sum to one.
        """
        return np.concatenate([part.probabilities for part in self._assessments(X)])

    def predict(self, X):
        """Return the most probable space group of each row, an array of int."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_log_proba(self, X):
        """Return the logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def predict_or_abstain(self, X, abstain_below):
        """Return the most probable group, or None where it is not probable enough.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.
        abstain_below : float
            Probability below which there is no answer.

        Returns
        -------
        ndarray of shape (n_samples,) of object
        """
        return abstain(self.predict_proba(X), abstain_below, labels=self.classes_)

    def predict_set(self, X, coverage=0.9):
        """Return the groups that cannot be excluded, with a guarantee.

        Of new rows that are exchangeable with whole groups of training rows (new chemical
        systems like the known ones), at least this share has its group in the set, on average.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.
        coverage : float, default=0.9
            Share, in (0, 1).

        Returns
        -------
        list of ndarray of int
            Per row, numbers by falling probability.
        """
        found = self.predict_proba(X)
        threshold = conformal_threshold(self.calibration_scores_, coverage=coverage)
        inside = conformal_sets(found, threshold)
        order = np.argsort(-found, axis=1, kind="stable")
        return [
            self.classes_[columns[member[columns]]]
            for columns, member in zip(order, inside, strict=True)
        ]

    def rank(self, X, k=5, allowed=None, log_likelihood=None):
        """List the most probable space groups of each row.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.
        k : int, default=5
            Groups to list for each row.
        allowed : None, str, int or iterable of str and int, default=None
            What is possible: a Bravais lattice (``"oI"``), a crystal system, the absences
            (``"extinction:P n a -"``, or ``"extinction:P n a 21"`` for those of a group), a
            number, or several of these. The probabilities of what is allowed sum to one.
        log_likelihood : dict, Series, DataFrame or array, default=None
            Natural logarithm of how well outside evidence, such as the absences of a powder
            pattern, agrees with each group: by number, for all rows or one line per row; an
            array of shape (n_samples, n_groups) is in the order of ``classes_``. Groups that
            are not named are impossible.

        Returns
        -------
        DataFrame
            ``row`` (its index in `X`), ``rank``, ``spacegroup_number``, ``spacegroup_hm``,
            ``probability`` and ``crystal_system``.

        Raises
        ------
        InvalidInputError
            If nothing that was learned is allowed, or the evidence excludes everything.
        """
        X = _as_table(X)
        found = self.predict_proba(X)
        caller = f"{type(self).__name__}.rank"
        if log_likelihood is not None:
            found = with_log_likelihood(found, self.classes_, log_likelihood, caller=caller)
        return rank_table(found, self.classes_, k, allowed, X.index, caller=caller)

    def explain(self, X, k=5, n_neighbours=5):
        """Say what the answers rest on.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.
        k : int, default=5
            Groups per row.
        n_neighbours : int, default=5
            Known crystals per row.

        Returns
        -------
        evidence : DataFrame
            The groups of `rank` with what speaks for each: its frequency, the probability by
            the forest, the share of the neighbours' votes, the strain that would give the cell
            the metric of the group, and the share of the likely Z for which its Wyckoff
            positions can hold the atoms.
        neighbours : DataFrame
            The known crystals most likely to have the same group: the index they had in
            `fit`, formula, group, cell, and that probability.
        """
        X = _as_table(X)
        parts = list(self._assessments(X))
        starts = np.cumsum([0] + [len(part.probabilities) for part in parts[:-1]])
        names = [
            X.index[start : start + len(part.probabilities)]
            for start, part in zip(starts, parts, strict=True)
        ]
        evidence = [
            evidence_table(part, self.model_.log_prior, self.classes_, k, index)
            for part, index in zip(parts, names, strict=True)
        ]
        neighbours = [
            neighbour_table(part, self.entries_, n_neighbours, index)
            for part, index in zip(parts, names, strict=True)
        ]
        return pd.concat(evidence, ignore_index=True), pd.concat(neighbours, ignore_index=True)

    def unfamiliarity(self, X):
        """Say how little the training data resemble each row.

        Returns
        -------
        DataFrame of shape (n_samples, 2)
            ``best_likeness``: probability that the most similar known crystal has the same
            group; ``n_same_stoichiometry``: known crystals of the same stoichiometry among the
            nearest. Answers to rows with little of both are frequencies more than findings.
        """
        X = _as_table(X)
        return pd.concat([unfamiliarity(part) for part in self._assessments(X)]).set_axis(X.index)

    def _assessments(self, X):
        """Yield the answers chunk by chunk."""
        check_is_fitted(self, "model_")
        X = _as_table(X)
        name = type(self).__name__
        entries = read_entries(X, self._parts(X), setting=self.setting, caller=name)
        for start in range(0, max(len(entries), 1), _CHUNK):
            part = entries.rows(slice(start, start + _CHUNK))
            found = self.model_.assess(part)
            yield found._replace(probabilities=self._with_uncertainties(part, found.probabilities))

    def _with_uncertainties(self, entries, probabilities):
        """Replace the answers to uncertain cells by means over cells within their s.u."""
        if entries.cells_su is None:
            return probabilities
        uncertain = np.flatnonzero(
            (entries.cells_su > _SMALLEST_SU * _su_units(entries.cells)).any(axis=1)
        )
        if not len(uncertain):
            return probabilities
        draws = np.random.RandomState(_DRAW_SEED).standard_normal((_N_DRAWS, 6))
        some = entries.rows(uncertain)
        found = [
            self.model_.assess(some.with_cells(some.cells + draw * some.cells_su)).probabilities
            for draw in draws
        ]
        probabilities = probabilities.copy()
        probabilities[uncertain] = np.mean(found, axis=0)
        return probabilities

    def _parts(self, X, *, fitting=False):
        """Name what is read of a table; in `fit` the atoms too, which teach their volumes."""
        parts = set(_PARTS[self.inputs])
        if (
            fitting
            and parts == {COMPOSITION, CELL}
            and {"n_atoms", "formula_units"} & set(X.columns)
        ):
            parts.add(ATOMS)
        return parts

    def _options(self):
        parts = _PARTS[self.inputs]
        return {
            "with_composition": COMPOSITION in parts,
            "with_cell": CELL in parts,
            "with_atoms": ATOMS in parts,
            "n_trees": self.n_trees,
            "n_rounds": self.n_rounds,
            "n_candidates": self.n_candidates,
            "n_jobs": self.n_jobs,
        }

    def _check_parameters(self):
        check_parameters(
            self,
            {
                "inputs": [StrOptions(set(_PARTS))],
                "setting": [StrOptions({"conventional", "primitive"})],
                "cv": [Interval(Integral, 2, None, closed="left")],
                "n_trees": [Interval(Integral, 1, None, closed="left")],
                "n_rounds": [Interval(Integral, 1, None, closed="left")],
                "n_candidates": [Interval(Integral, 1, None, closed="left")],
                "random_state": ["random_state"],
                "n_jobs": [Integral, None],
                "progress": ["boolean", StrOptions({"auto"})],
            },
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _as_table(X):
    """Rows given as dicts are a table, too."""
    if isinstance(X, dict):
        X = [X]
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], dict):
        return pd.DataFrame(list(X))
    return X


def _su_units(cells):
    """Lengths of the cells, by which their s.u. are judged, and 1 for angles."""
    return np.column_stack([cells[:, :3], np.ones((len(cells), 3))])
