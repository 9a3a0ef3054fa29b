"""A ready classifier: the likely space groups of a crystal from its cell and composition."""

from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, column_or_1d

from crystalml._progress import progress_bar
from crystalml._typing import ArrayLike, NDArray, Progress, RandomState
from crystalml._validation import (
    Interval,
    StrOptions,
    as_pandas,
    check_parameters,
    check_sample_weight,
)
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.symmetry._labels import spacegroup_numbers
from crystalml.symmetry._space_group_answers import CrystalTable, SpaceGroupAnswers
from crystalml.symmetry._space_group_evidence import entry_table
from crystalml.symmetry._space_groups._entries import (
    ATOM_COLUMNS,
    ATOMS,
    CELL,
    COMPOSITION,
    as_table,
    needed_columns,
    read_entries,
)
from crystalml.symmetry._space_groups._folds import deal_folds, natural_groups
from crystalml.symmetry._space_groups._model import SpaceGroupModel

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


class SpaceGroupClassifier(SpaceGroupAnswers, ClassifierMixin, BaseEstimator):
    """Ranked, calibrated space groups from a composition, an indexed cell, or both.

    Extremely randomised trees and a net on descriptors of lattice and composition, and the votes
    of known crystals with the same stoichiometry, lattice or contents of the cell, are weighed
    for every candidate group by a ranker of boosted trees, beside what the cell's metric and the
    multiplicities of the group's Wyckoff positions allow. Each stage learns from answers of the
    stage before to compounds that it had not seen, so that its confidence holds for new ones.

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
        lattice that its metric allows; it must be exact enough for that (0.2 per cent and 0.2
        degrees), and its mean s.u. are those of the new axes.
    cv : int, default=5
        Folds in which the stages are fitted to one another and calibrated.
    n_trees : int, default=150
        Trees of the forest.
    n_rounds : int, default=300
        Rounds of boosting of the ranker.
    n_candidates : int, default=40
        Groups per row that the ranker looks at; the others share what they had in training.
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
            groups = np.asarray(groups)
        if weight is not None and not weight.all():
            kept = np.flatnonzero(weight)
            table, y, weight = table.iloc[kept], y[kept], weight[kept]
            groups = None if groups is None else groups[kept]
        entries = self._read_training(table)
        codes = self._learn_labels(y)
        if groups is None:
            groups = natural_groups(table, entries.cells)
        self._fit_model(entries, codes, weight, groups)
        self.entries_ = entry_table(table, self.numbers_[codes])
        return self

    def _read_training(self, table):
        """Read training rows, with their atoms where they are known, for the volumes of atoms."""
        parts = self._parts
        if parts == {COMPOSITION, CELL} and set(ATOM_COLUMNS) & set(table.columns):
            parts = parts | {ATOMS}
        return read_entries(table, parts, setting=self.setting, caller=type(self).__name__)

    def _learn_labels(self, y):
        """Fix the labels and their space groups; return the column of each row's label."""
        name = type(self).__name__
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
        random_state = self.random_state
        if not isinstance(random_state, np.random.RandomState):
            # None starts a generator of our own, not the global one.
            random_state = np.random.RandomState(random_state)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        folds = deal_folds(codes, groups, self.cv, seed=seed, caller=name)
        self.model_ = SpaceGroupModel(self.numbers_, self._options(), seed)
        n_steps = self.model_.n_steps(folds)
        bar = progress_bar(enabled=self.progress, description=name, total=n_steps, unit="step")
        with bar:
            found, rows = self.model_.fit(entries, codes, folds, weight, bar.update)
        self.calibration_scores_ = 1.0 - found[np.arange(len(rows)), codes[rows]]

    @property
    def _parts(self) -> set[str]:
        """What is looked at."""
        return _PARTS[self.inputs]

    def _remember_columns(self, X):
        """Keep what scikit-learn wants to know of the input: the columns that are needed."""
        names = needed_columns(self._parts)
        self.n_features_in_ = len(names)
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _options(self):
        """Return what the stages are told."""
        return {
            "with_composition": COMPOSITION in self._parts,
            "with_cell": CELL in self._parts,
            "with_atoms": ATOMS in self._parts,
            "n_trees": self.n_trees,
            "n_rounds": self.n_rounds,
            "n_candidates": self.n_candidates,
            "n_jobs": self.n_jobs,
        }

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _plain_labels(y: Any) -> NDArray[Any]:
    """Return labels as an array; whole numbers, of whatever type, as integers."""
    y = column_or_1d(y, warn=True)
    if y.dtype == object and not pd.isna(y).any():
        y = np.array(y.tolist())
    is_whole = y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.rint(y)).all()
    return y.astype(np.int64) if is_whole else y
