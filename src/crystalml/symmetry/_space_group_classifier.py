"""A ready classifier: the likely space groups of a crystal from its cell and composition."""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from crystalml._progress import progress_bar
from crystalml._schema import CELL_COLUMNS
from crystalml._typing import (
    ArrayLike,
    FloatArray,
    NDArray,
    ObjectArray,
    Progress,
    RandomState,
)
from crystalml._validation import (
    Interval,
    StrOptions,
    as_pandas,
    check_parameters,
    check_sample_weight,
    group_codes,
    private_random_state,
    warn,
)
from crystalml.exceptions import (
    CellError,
    FormulaError,
    InvalidInputError,
    SkippedRowsWarning,
    SpaceGroupError,
)
from crystalml.model_selection import abstain_below as abstain
from crystalml.model_selection import conformal_sets, conformal_threshold
from crystalml.model_selection._folds import fold_of_row, grouped_splits
from crystalml.symmetry._input_tables import (
    ATOM_COLUMNS,
    ATOMS,
    CELL,
    COMPOSITION,
    as_table,
    natural_groups,
    needed_columns,
    read_entries,
    usable_rows,
    warn_of_ignored_atoms,
)
from crystalml.symmetry._labels import spacegroup_numbers
from crystalml.symmetry._ranking import (
    Allowed,
    evidence_table,
    neighbour_table,
    rank_table,
    restrict_probabilities,
    unfamiliarity_table,
    with_log_likelihood,
)
from crystalml.symmetry._space_group_model._model import SpaceGroupModel

# A table, rows as dicts, formulas alone, or an array of the columns needed.
CrystalTable: TypeAlias = pd.DataFrame | Iterable[Any]

# Rows answered at once, which bounds the memory.
_CHUNK = 2000
# Uncertain cells are answered by the mean over these draws from their s.u.; always the same
# ones, so that a row's answer depends on the row alone.
_N_DRAWS, _DRAW_SEED = 8, 20
# Smaller s.u. change nothing: the descriptors have wider tolerances.
_SMALLEST_SU = np.array([1e-3, 1e-3, 1e-3, 0.05, 0.05, 0.05])
_PARTS = {
    "composition+cell+atoms": {COMPOSITION, CELL, ATOMS},
    "composition+cell": {COMPOSITION, CELL},
    "composition": {COMPOSITION},
    "cell": {CELL},
}
_CONSTRAINTS = {
    "inputs": [StrOptions(set(_PARTS))],
    "setting": [StrOptions({"conventional", "primitive"})],
    "cv": [Interval(Integral, 2, None, closed="left")],
    "n_trees": [Interval(Integral, 1, None, closed="left")],
    "n_rounds": [Interval(Integral, 1, None, closed="left")],
    "n_candidates": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "n_jobs": [
        Interval(Integral, None, -1, closed="right"),
        Interval(Integral, 1, None, closed="left"),
        None,
    ],
    "progress": ["boolean", StrOptions({"auto"})],
}


class SpaceGroupClassifier(ClassifierMixin, BaseEstimator):
    """Ranked, calibrated space groups from a composition, an indexed cell, or both.

    Extremely randomised trees and a net predict from descriptors of lattice and composition.
    Known crystals with the same stoichiometry, lattice or contents of the cell vote. A ranker of
    boosted trees weighs both for every candidate group, with the strain to the metric of the
    group and the multiplicities of its Wyckoff positions. Each stage learns from answers of the
    stage before to compounds that it had not seen, so that its confidence holds for new ones.

    Parameters
    ----------
    inputs : {"composition+cell", "composition+cell+atoms", "composition", "cell"}, \
default="composition+cell"
        Inputs that the classifier uses. ``"atoms"`` is the number of atoms in the cell, from the
        column ``n_atoms`` or from ``formula_units`` (Z); for rows without it, the volume
        is used instead, as without that input.
    setting : {"conventional", "primitive"}, default="conventional"
        Setting of the cells. Axes may be in any order or cell choice, and rhombohedral cells on
        either axes. A primitive cell is turned into the conventional one of the most symmetric
        lattice that its metric allows; it must be exact enough for that (0.2 per cent and 0.2
        degrees), and its mean s.u. are those of the new axes.
    cv : int, default=5
        Folds in which the stages are fitted to one another and calibrated.
    n_trees : int, default=150
        Trees of the forest.
    n_rounds : int, default=300
        Rounds of boosting of the ranker.
    n_candidates : int, default=40
        Groups per row that the ranker scores; the others share the probability that they had in
        training.
    random_state : int, RandomState or None, default=None
        Draws folds and trees.
    n_jobs : int, default=None
        Threads in `fit`: None is one, -1 as many as there are processors. The result does not
        depend on it.
    progress : bool or "auto", default=False
        Whether `fit` shows a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_groups,)
        Labels seen in `fit`. Others are never predicted.
    numbers_ : ndarray of int of shape (n_groups,)
        Their International Tables numbers.
    model_ : SpaceGroupModel
        The fitted stages.
    entries_ : DataFrame
        Index, group, formula and cell of the training rows, for explanations.
    calibration_scores_ : ndarray
        One minus the probability of the true group in the fold that calibrated the answers.
    n_features_in_ : int
        Columns that are needed: one for the formula, six for the cell, one for the atoms.
    feature_names_in_ : ndarray of str
        Their names. Defined only if `fit` saw a table.

    See Also
    --------
    BravaisSpaceGroupClassifier : Two stages around any classifiers on any descriptors.
    LatticeParameterRegressor : Cells from compositions.

    Notes
    -----
    An answer depends neither on the other rows nor on the scale of the formula, the order of
    the axes or the choice of the cell. It says how often each group is met among crystals like
    the row in the data given to `fit`: a group that such data lack is never predicted.

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
        inputs: Literal[
            "composition+cell", "composition+cell+atoms", "composition", "cell"
        ] = "composition+cell",
        *,
        setting: Literal["conventional", "primitive"] = "conventional",
        cv: int = 5,
        n_trees: int = 150,
        n_rounds: int = 300,
        n_candidates: int = 40,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        progress: Progress = False,
    ) -> None:
        self.inputs = inputs
        self.setting = setting
        self.cv = cv
        self.n_trees = n_trees
        self.n_rounds = n_rounds
        self.n_candidates = n_candidates
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(
        self,
        X: CrystalTable,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Learn from crystals of known space group.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns), or list of dict
            ``formula`` and/or ``a, b, c`` (Å), ``alpha, beta, gamma`` (degrees); ``n_atoms`` or
            ``formula_units`` where known, which teach the volumes of atoms. Formulas alone may
            be a list, and columns without names an array in this order.
        y : array-like of shape (n_samples,)
            International Tables numbers, as numbers or as text.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows for the trees, the ranker and the calibration; known crystals
            vote alike. Rows of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are held out together; by default those of one chemical system if
            `X` has formulas, used or not, and else those of one lattice.

        Returns
        -------
        self : SpaceGroupClassifier
            The fitted classifier.

        Raises
        ------
        SchemaError
            If a column is missing.
        FormulaError, CellError, InvalidInputError
            If a formula, a cell or a number is impossible, a label is no number from 1 to 230,
            or there is only one space group or only one group of rows.
        """
        name = type(self).__name__
        check_parameters(self, _CONSTRAINTS)
        X = as_pandas(X)
        self._remember_columns(X)
        table = as_table(X, self._parts, caller=name)
        y = _plain_labels(y)
        check_consistent_length(table, y)
        weight = check_sample_weight(sample_weight, table, caller=name)
        if groups is not None:
            check_consistent_length(table, groups)
            groups = group_codes(groups, caller=name)
        if weight is not None and not weight.all():
            # Left out here, since neighbours vote alike whatever their weight.
            kept = np.flatnonzero(weight)
            table, y, weight = table.iloc[kept], y[kept], weight[kept]
            groups = None if groups is None else groups[kept]
        entries = self._read_training(table)
        codes = self._learn_labels(y)
        if groups is None:
            groups = natural_groups(table, entries.cells)
        self._fit_model(entries, codes, weight, groups)
        self.entries_ = _entry_table(table, self.numbers_[codes])
        return self

    def predict_proba(self, X: CrystalTable) -> FloatArray:
        """Return the probability of each space group.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns), or list of dict
            Columns as in `fit`. Cells with s.u. (``a_su`` ... ``gamma_su``) above 0.1 per cent
            or 0.05 degrees are answered by a mean over eight cells drawn from them, the same
            ones each time. The atoms in the cell are used with ``inputs="composition+cell+atoms"``
            alone. A dict or a list of dicts with ``n_atoms`` or ``formula_units`` that are not used
            gives a warning; a table does not, since those of `read_cifs` always have these columns.

        Returns
        -------
        ndarray of shape (n_samples, n_groups)
            Columns in the order of ``classes_``; rows sum to one.

        Raises
        ------
        SchemaError
            If a column is missing.
        FormulaError, CellError, InvalidInputError
            If a formula is missing, or a formula, a cell or a number is impossible.

        Warns
        -----
        ImplausibleCellWarning
            Once a call, if a cell is too small for one formula unit or too large for any crystal,
            has angles in radians, or has lengths and angles exchanged. The answer to such a row
            means nothing.
        IgnoredInputWarning
            If rows are dicts with the atoms in the cell, and these are not used.
        """
        return self._probabilities(self._entries(self._table(X)))

    def predict(self, X: CrystalTable) -> NDArray[Any]:
        """Return the most probable space group of each row.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_log_proba(self, X: CrystalTable) -> FloatArray:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_groups)
        """
        return np.log(self.predict_proba(X))

    def predict_or_abstain(self, X: CrystalTable, abstain_below: float) -> ObjectArray:
        """Return the most probable group, or None where it is not probable enough.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.
        abstain_below : float
            Probability, in [0, 1], below which there is no answer.

        Returns
        -------
        ndarray of shape (n_samples,) of object
        """
        return abstain(self.predict_proba(X), abstain_below, labels=self.classes_)

    def predict_set(self, X: CrystalTable, coverage: float = 0.9) -> list[NDArray[Any]]:
        """Return the groups that cannot be excluded.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.
        coverage : float, default=0.9
            Share of rows, in (0, 1), whose group is to be in the set.

        Returns
        -------
        list of ndarray
            Per row, labels by falling probability; often one, none where even the most probable
            group is less so than those of most calibration rows.

        Notes
        -----
        Split conformal prediction with the score "one minus the probability", calibrated on the
        fold of groups of rows (chemical systems) that a copy of the last stage had not seen.
        For that copy the coverage holds on average over new groups of rows that are
        exchangeable with these, whose space groups may be unseen. The stage that answers has
        learned from that fold as well, so that its coverage is that of the copy or a little
        more, as far as further data do no harm.
        """
        found = self.predict_proba(X)
        threshold = conformal_threshold(self.calibration_scores_, coverage=coverage)
        inside = conformal_sets(found, threshold)
        order = np.argsort(-found, axis=1, kind="stable")
        return [
            self.classes_[columns[member[columns]]]
            for columns, member in zip(order, inside, strict=True)
        ]

    def rank(
        self,
        X: CrystalTable,
        k: int = 5,
        allowed: Allowed = None,
        log_likelihood: Mapping[Any, float] | pd.Series | pd.DataFrame | ArrayLike | None = None,
    ) -> pd.DataFrame:
        """List the most probable space groups of each row.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`, but rows without a readable formula and cell are left out, with
            a warning.
        k : int, default=5
            Groups to list for each row.
        allowed : None, str, int or iterable of str and int, default=None
            What is possible: a Bravais lattice (``"oI"``), a crystal system, the absences
            (``"extinction:P n a -"``, or ``"extinction:P n a 21"`` for those of a group), a space
            group by symbol (``"P n a 21"``) or number, or several of these. The probabilities of
            what is allowed sum to one.
        log_likelihood : dict, Series, DataFrame or array, default=None
            Natural logarithm of how well outside evidence, such as the absences of a powder
            pattern, agrees with each group: a dict by number for all rows; a DataFrame whose
            columns are numbers, with one line per row of `X`, in their order; an array of shape
            (n_samples, n_groups) is in the order of ``classes_``. Groups that are not named are
            impossible.

        Returns
        -------
        DataFrame
            ``row`` (its index in `X`), ``rank``, ``spacegroup_number``, ``spacegroup_hm``,
            ``probability`` and ``crystal_system``.

        Raises
        ------
        InvalidInputError
            If nothing that was learned is allowed, or the evidence excludes everything.
        FormulaError, CellError
            If no row has a readable formula and cell.

        Warns
        -----
        SkippedRowsWarning
            If rows are left out: how many, and why the first of them.
        ImplausibleCellWarning, IgnoredInputWarning
            As `predict_proba`.
        """
        table, caller = self._table(X), f"{type(self).__name__}.rank"
        n_rows = len(table)
        table, entries, kept = self._usable(table, caller)
        log_likelihood = as_pandas(log_likelihood)
        # Evidence with a line for each row has lines for those that are left out.
        if kept is not None:
            log_likelihood = _of_rows(log_likelihood, kept, n_rows)
        found = self._probabilities(entries)
        found = restrict_probabilities(found, self.numbers_, allowed, caller=caller)
        if log_likelihood is not None:
            found = with_log_likelihood(found, self.numbers_, log_likelihood, caller=caller)
        return rank_table(found, self.numbers_, k, allowed, table.index, caller=caller)

    def explain(
        self, X: CrystalTable, k: int = 5, n_neighbours: int = 5
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """List the evidence for each group, and the most similar known crystals.

        Parameters
        ----------
        X : DataFrame
            As for `rank`.
        k : int, default=5
            Groups per row.
        n_neighbours : int, default=5
            Known crystals per row.

        Returns
        -------
        evidence : DataFrame
            The groups of `rank` with what speaks for each: ``frequency`` in the training data;
            ``by_forest``, its probability by the trees; ``share_of_votes`` of the known crystals
            that are like the row; ``metric_strain`` that would give the cell the metric of the
            group; ``feasible_units``, the share of the likely Z for which the Wyckoff positions
            of the group can hold the atoms. Columns that do not apply to `inputs` are absent.
        neighbours : DataFrame
            The known crystals most likely to have the same group: ``row`` in `X`, ``entry``
            (the index in `fit`), group, formula, cell, and that ``probability``.
        """
        caller = f"{type(self).__name__}.explain"
        # In Python, True is an integer.
        is_whole = isinstance(n_neighbours, Integral) and not isinstance(n_neighbours, bool)
        if not is_whole or n_neighbours < 0:
            raise InvalidInputError(
                f"{caller}: n_neighbours must be a whole number >= 0, got {n_neighbours!r}."
            )
        table, entries, _ = self._usable(self._table(X), caller)
        start, evidence, neighbours = 0, [], []
        for part in self._assessments(entries):
            index = table.index[start : start + len(part.probabilities)]
            start += len(index)
            prior = self.model_.log_prior
            evidence.append(evidence_table(part, prior, self.numbers_, k, index, caller=caller))
            neighbours.append(neighbour_table(part, self.entries_, n_neighbours, index))
        return pd.concat(evidence, ignore_index=True), pd.concat(neighbours, ignore_index=True)

    def unfamiliarity(self, X: CrystalTable) -> pd.DataFrame:
        """Measure how similar the training data are to each row.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.

        Returns
        -------
        DataFrame of shape (n_samples, 2)
            ``best_likeness``: probability that the most similar known crystal has the same
            group; ``n_same_stoichiometry``: known crystals of the same stoichiometry among the
            nearest, at most 40. Where both are low, the answer is little more than the frequencies
            of the groups in the training data.
        """
        table = self._table(X)
        entries = self._entries(table)
        parts = [unfamiliarity_table(part) for part in self._assessments(entries)]
        return pd.concat(parts).set_axis(table.index)

    def _read_training(self, table):
        """Read training rows, with their atoms where they are known, for the volumes of atoms."""
        parts = self._parts
        if parts == {COMPOSITION, CELL} and set(ATOM_COLUMNS) & set(table.columns):
            # Volumes of atoms are learned from it, and used for rows whose atoms are not known.
            parts = parts | {ATOMS}
        return read_entries(table, parts, setting=self.setting, caller=type(self).__name__)

    def _learn_labels(self, y):
        """Fix the labels and their space groups; return the column of each row's label."""
        name = type(self).__name__
        # np.unique cannot sort missing labels among text.
        missing = np.flatnonzero(pd.isna(y))
        if len(missing):
            raise InvalidInputError(
                f"{name}: y has {len(missing)} missing labels (first: row {missing[0]}). Drop "
                "these rows."
            )
        self.classes_, codes = np.unique(y, return_inverse=True)
        try:
            self.numbers_ = spacegroup_numbers(self.classes_)
        except SpaceGroupError as error:
            raise InvalidInputError(
                f"{name}: {error}. Turn symbols into numbers with crystallography."
                "spacegroup_number."
            ) from None
        if len(self.classes_) < 2:
            raise InvalidInputError(
                f"{name}: there is only one class, the space group {self.numbers_[0]}; give "
                "rows of more."
            )
        return codes

    def _fit_model(self, entries, codes, weight, groups):
        """Fit the stages, and keep how probable the true groups of the last fold were."""
        name = type(self).__name__
        random_state = private_random_state(self.random_state)
        # One number seeds all stages, so that each can be fitted alone and in any order.
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        folds = self._deal_folds(codes, groups, seed)
        self.model_ = SpaceGroupModel(self.numbers_, self._options(), seed)
        n_steps = self.model_.n_steps(folds)
        bar = progress_bar(enabled=self.progress, description=name, total=n_steps, unit="step")
        with bar:
            # These answers are those of a ranker that had not seen the rows, as conformal sets
            # need.
            found, rows = self.model_.fit(entries, codes, folds, weight, bar.update)
        self.calibration_scores_ = 1.0 - found[np.arange(len(rows)), codes[rows]]

    def _deal_folds(self, codes, groups, seed):
        """Return the fold of each row: labels are spread evenly, groups stay whole."""
        name = type(self).__name__
        groups = group_codes(groups, caller=name)
        n_groups = groups.max() + 1
        if n_groups < 2:
            raise InvalidInputError(
                f"{name}: all {len(codes)} rows are of one group, so that none can be held out; "
                "give rows of several chemical systems, or other groups."
            )
        splits = grouped_splits(codes, groups, min(self.cv, n_groups), seed=seed)
        return fold_of_row(splits, len(codes), caller=name)

    @property
    def _parts(self) -> set[str]:
        """What `inputs` names: composition, cell, atoms."""
        return _PARTS[self.inputs]

    def _remember_columns(self, X):
        """Keep what scikit-learn wants to know of the input: the columns that are needed."""
        # Further columns may come and go: they are not looked at.
        names = needed_columns(self._parts)
        self.n_features_in_ = len(names)
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _options(self):
        """Return the options of the stages."""
        return {
            "with_composition": COMPOSITION in self._parts,
            "with_cell": CELL in self._parts,
            "with_atoms": ATOMS in self._parts,
            "n_trees": self.n_trees,
            "n_rounds": self.n_rounds,
            "n_candidates": self.n_candidates,
            "n_jobs": self.n_jobs,
        }

    def _table(self, X):
        """Return the input as a table."""
        check_is_fitted(self)
        caller = type(self).__name__
        warn_of_ignored_atoms(X, self._parts, caller=caller)
        return as_table(X, self._parts, caller=caller)

    def _entries(self, table):
        """Read all rows, every one of which must be readable."""
        caller = type(self).__name__
        return read_entries(table, self._parts, setting=self.setting, doubts=True, caller=caller)

    def _usable(self, table, caller):
        """Read the rows that can be read; also return their positions, None if these are all."""
        try:
            # Usually every row can be read; finding those that cannot takes a second pass.
            return table, self._entries(table), None
        except (FormulaError, CellError):
            usable, reasons = usable_rows(table, self._parts, caller=caller)
            if not len(usable):
                raise
        first, reason = next(iter(reasons.items()))
        warn(
            f"{caller}: {len(reasons)} of {len(table)} rows are left out (first: row {first}: "
            f"{reason}). The column 'row' of the answer names the others.",
            SkippedRowsWarning,
        )
        table = table.iloc[usable]
        return table, self._entries(table), usable

    def _probabilities(self, entries):
        return np.concatenate([part.probabilities for part in self._assessments(entries)])

    def _assessments(self, entries):
        """Yield the answers chunk by chunk."""
        # A table without rows is one chunk, so that the answer has its columns.
        for start in range(0, max(len(entries), 1), _CHUNK):
            part = entries.rows(slice(start, start + _CHUNK))
            found = self.model_.assess(part)
            yield found._replace(probabilities=self._with_uncertainties(part, found.probabilities))

    def _with_uncertainties(self, entries, probabilities):
        """Replace the answers to uncertain cells by means over cells within their s.u."""
        if entries.cells_su is None:
            return probabilities
        # Lengths are judged by their relative s.u.
        units = np.column_stack([entries.cells[:, :3], np.ones((len(entries), 3))])
        uncertain = np.flatnonzero((entries.cells_su > _SMALLEST_SU * units).any(axis=1))
        if not len(uncertain):
            return probabilities
        some = entries.rows(uncertain)
        draws = np.random.RandomState(_DRAW_SEED).standard_normal((_N_DRAWS, 6))
        found = [self.model_.assess(some.shifted(draw)).probabilities for draw in draws]
        probabilities = probabilities.copy()
        probabilities[uncertain] = np.mean(found, axis=0)
        return probabilities

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Tables with text are no arrays of numbers, which scikit-learn's checks would give.
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _plain_labels(y: Any) -> NDArray[Any]:
    """Return labels as an array; whole numbers, of whatever type, as integers."""
    y = column_or_1d(y, warn=True)
    if y.dtype == object and not pd.isna(y).any():
        y = np.array(y.tolist())
    # A column of numbers that once had gaps is of floats, also after they were dropped.
    is_whole = y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.rint(y)).all()
    return y.astype(np.int64) if is_whole else y


def _entry_table(table, numbers):
    """Return the columns of the training rows that an explanation shows."""
    names = [name for name in ("formula", *CELL_COLUMNS) if name in table.columns]
    kept = table[names].reset_index(drop=True)
    if "formula" in names:  # of one kind, whatever pandas thinks of text, for saved models
        kept["formula"] = kept["formula"].astype(object)
    kept.insert(0, "spacegroup_number", numbers)
    kept.insert(0, "entry", table.index.to_numpy())
    return kept


def _of_rows(log_likelihood, kept, n_rows):
    """Take the lines of some rows from evidence that has one line for each row."""
    if isinstance(log_likelihood, pd.DataFrame) and len(log_likelihood) == n_rows:
        return log_likelihood.iloc[kept]
    if isinstance(log_likelihood, (list, tuple, np.ndarray)) and len(log_likelihood) == n_rows:
        return np.asarray(log_likelihood)[kept]
    return log_likelihood
