"""Space groups in two stages: the Bravais lattice, then the group given the lattice."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from crystalml._typing import (
    ArrayLike,
    CrossValidation,
    Estimator,
    FloatArray,
    MatrixLike,
    NDArray,
    Progress,
    RandomState,
)
from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
    group_codes,
    private_random_state,
)
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.model_selection._folds import take_rows
from crystalml.symmetry._inner_estimators import (
    aligned_probabilities,
    check_classifier,
    checked_rows,
)
from crystalml.symmetry._labels import (
    lattices_of_classes,
    spacegroup_numbers,
    weights_of_labels,
)
from crystalml.symmetry._ranking import Allowed, allowed_numbers, rank_table
from crystalml.symmetry._stages import (
    SECOND_STAGES,
    LabelHierarchy,
    StageFitter,
    most_probable,
    study_net,
)

_CONSTRAINTS = {
    "bravais_estimator": [HasMethods(["fit"]), None],
    "space_group_estimator": [HasMethods(["fit"]), None],
    "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"]), "array-like"],
    "consistent": ["boolean"],
    "second_stage": [StrOptions({"soft", "one_hot", "per_bravais"})],
    "oversample": [StrOptions({"bravais", "space_group", "both"}), None],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "min_count": [Interval(Integral, 1, None, closed="left")],
    "bravais_of": [callable, dict, None],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "progress": ["boolean", StrOptions({"auto"})],
}


class BravaisSpaceGroupClassifier(ClassifierMixin, BaseEstimator):
    """Space groups in two stages, with any classifiers inside: the lattice, then the group.

    The first stage gives P(b | x), the probability of each Bravais lattice b; the second gives
    P(g | x, b), that of each space group g given the lattice. A space group has one lattice,
    so their product is the exact joint probability,

        P(g | x) = sum over b of P(b | x) P(g | x, b) = P(b(g) | x) P(g | x, b(g)),

    where no lattice is chosen on the way: a first answer that is wrong is not final.

    Parameters
    ----------
    bravais_estimator, space_group_estimator : classifier or None, default=None
        The two stages; clones are fitted. They need ``predict_proba``. None is a net behind a
        ``StandardScaler``: hidden layers of 128 and 64 rectified linear units, batch
        normalisation, dropout 0.2, Adam with learning rate 1e-3, batches of 128, early stopping
        after 10 epochs.
    cv : int, splitter or iterable, default=5
        Folds for the Bravais probabilities that the second stage is fitted on, as
        ``second_stage="soft"`` needs. A number means folds stratified by Bravais lattice that
        keep `groups` together, at most as many as there are rows or groups; a lattice may have
        fewer rows. Any other splitter must hold out every row once.
    consistent : bool, default=True
        Whether probabilities of space groups add up to those of the Bravais lattices. False
        returns what is used in published work instead: for ``second_stage="soft"`` the answer of
        the second stage as it is, else P(g | x, b) of the most probable lattice alone.
    second_stage : {"soft", "one_hot", "per_bravais"}, default="soft"
        How the second stage takes the lattice into account (see Notes).

        - ``"soft"``: one model of the descriptors and P(b | x) of all lattices;
        - ``"one_hot"``: one model of the descriptors and a mark at the lattice;
        - ``"per_bravais"``: one model of the descriptors for each lattice.
    oversample : {"bravais", "space_group", "both"} or None, default=None
        Stages for which rows of rarer labels are repeated at random until every label is as
        frequent as the commonest, in fitting only. This distorts probabilities.
    class_weight : "balanced", dict or None, default=None
        Handed to the inner estimators as sample weights: ``"balanced"`` weighs the labels of
        each stage inversely to their frequency; a dict from space group to weight (1 where it
        has none) weighs the rows of both stages.
    min_count : int, default=2
        Space groups with fewer rows are not learned by the second stage; they keep the share of
        their Bravais lattice that they have among the rows given to `fit`.
    bravais_of : callable, dict or None, default=None
        Coarser label of each label: a function from the array of the different labels to an
        array, or a mapping. None reads labels as International Tables numbers (integers or
        text of digits) and takes their Bravais lattices.
    random_state : int, RandomState or None, default=None
        Decides oversampling and the default nets. Estimators that are given keep their own.
    n_jobs : int or None, default=None
        Fits that run at a time, through joblib.
    progress : bool or "auto", default=False
        Show a progress bar over the fits; ``"auto"`` on a terminal only.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of `predict_proba`.
    bravais_classes_ : ndarray of shape (n_bravais,)
        Bravais lattices in the order of the columns of `predict_bravais_proba`.
    bravais_of_classes_ : ndarray of shape (n_classes,)
        Bravais lattice of each of ``classes_``.
    bravais_estimator_ : classifier
        The first stage, fitted on all rows.
    space_group_estimator_ : classifier or dict
        The second stage, fitted; for ``second_stage="per_bravais"`` a dict from Bravais lattice
        to classifier. None in the place of a classifier where every label is rare.
    n_features_in_ : int
        Number of columns of `X` in `fit`.
    feature_names_in_ : ndarray of str
        Names of these columns, where all have one.

    See Also
    --------
    crystalml.model_selection.evaluate_probabilities : What such probabilities are worth.

    Notes
    -----
    *Soft.* The second stage is fitted on probabilities of models that have seen neither the row
    nor its group, as in stacking; else it would learn to trust first answers that are too sure.
    Its answer q(g | x) is conditioned on the lattice: P(g | x, b) = q(g | x) / (sum of q over
    the groups of b). That takes `cv` + 2 fits and one evaluation. *One hot* is fitted with the
    true lattice marked: 2 fits, and one evaluation for each lattice that is possible, at most
    14. *Per Bravais* fits a model for each lattice, on its rows. Where a second stage gives
    nothing to all groups of a lattice, their frequencies in `fit` stand for P(g | x, b).

    Rows whose labels are all the same are answered without a model. A lattice that is absent
    from the other folds gets probability 0 in its own.

    Weights are handed to the inner estimators, which must take them; `groups` to those that
    have such an argument, as the nets for early stopping. In a pipeline the last step gets
    them; with scikit-learn's metadata routing on, composed estimators get what they requested.

    A DataFrame whose columns have names reaches the inner estimators as it is, so that they may
    begin with a ``ColumnTransformer``; probabilities are appended as columns ``P(aP)``, ...

    References
    ----------
    H. Liang, V. Stanev, A. G. Kusne & I. Takeuchi (2020). CRYSPNet: crystal structure
    predictions via neural networks. Physical Review Materials 4, 123802.

    D. H. Wolpert (1992). Stacked generalization. Neural Networks 5, 241-259.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from crystalml import BravaisSpaceGroupClassifier, CellDescriptors
    >>> from crystalml.datasets import load_cod_inorganic
    >>> table, y = load_cod_inorganic(return_X_y=True)
    >>> X = CellDescriptors().fit_transform(table[["a", "b", "c", "alpha", "beta", "gamma"]])
    >>> trees = ExtraTreesClassifier(20, min_samples_leaf=3, random_state=0)
    >>> model = BravaisSpaceGroupClassifier(trees, trees, cv=3, random_state=0)
    >>> model = model.fit(X[:2000], y[:2000])
    >>> ranked = model.rank(X[2000:2001], k=3)
    >>> ranked[["rank", "spacegroup_number", "spacegroup_hm", "crystal_system"]]
       rank  spacegroup_number spacegroup_hm crystal_system
    0     1                225      F m -3 m          cubic
    1     2                221      P m -3 m          cubic
    2     3                216      F -4 3 m          cubic

    Once the lattice is known, the answer is among its groups:

    >>> model.rank(X[2000:2001], k=3, allowed="cP")["spacegroup_hm"].tolist()
    ['P m -3 m', 'P a -3', 'P 21 3']
    """

    def __init__(
        self,
        bravais_estimator: Estimator | None = None,
        space_group_estimator: Estimator | None = None,
        cv: CrossValidation = 5,
        consistent: bool = True,
        *,
        second_stage: Literal["soft", "one_hot", "per_bravais"] = "soft",
        oversample: Literal["bravais", "space_group", "both"] | None = None,
        class_weight: Literal["balanced"] | dict[Any, Any] | None = None,
        min_count: int = 2,
        bravais_of: Callable[[NDArray[Any]], ArrayLike] | dict[Any, Any] | None = None,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        progress: Progress = False,
    ) -> None:
        self.bravais_estimator = bravais_estimator
        self.space_group_estimator = space_group_estimator
        self.cv = cv
        self.consistent = consistent
        self.second_stage = second_stage
        self.oversample = oversample
        self.class_weight = class_weight
        self.min_count = min_count
        self.bravais_of = bravais_of
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit both stages.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Descriptors, as the inner estimators take them.
        y : array-like of shape (n_samples,)
            International Tables numbers, or labels that `bravais_of` knows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row for the inner estimators; rows of weight 0 are left out.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group, such as a compound, are never split between folds.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        name = type(self).__name__
        check_parameters(self, _CONSTRAINTS)
        # Estimators without probabilities are refused before the rows are looked at.
        stages, seeds = self._stages()
        # X has a check of its own, which leaves tables as they are for the inner estimators.
        y = column_or_1d(validate_data(self, y=y), warn=True)
        check_classification_targets(y)
        X = checked_rows(self, X, reset=True)
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, X, caller=name)
        # Groups may be texts; splitters and nets of all kinds take codes.
        if groups is not None:
            check_consistent_length(X, groups)
            groups = group_codes(groups, caller=name)
        labels, lattices = self._learn_labels(y, weight)
        # Weights of space groups are weights of rows. Balanced ones depend on the labels of a
        # stage, and are left to the fitter.
        if isinstance(self.class_weight, dict):
            of_row = weights_of_labels(self.class_weight, self.classes_)[labels]
            weight = of_row if weight is None else of_row * weight
        fitter = StageFitter(
            name,
            weight,
            groups,
            balanced=self.class_weight == "balanced",
            n_jobs=self.n_jobs,
            progress=self.progress,
        )
        oversample = self.oversample in ("bravais", "both")
        inner = fitter.inner(stages[0], oversample=oversample, seed=seeds[0])
        known = self._fit_first_stage(fitter, inner, X, lattices)
        oversample = self.oversample in ("space_group", "both")
        inner = fitter.inner(stages[1], oversample=oversample, seed=seeds[1])
        # Labels of too few rows are not learned: the hierarchy gives them their frequency.
        self._second_stage.fit(fitter, inner, X, y, ~self._hierarchy.is_rare[labels], known)
        self.space_group_estimator_ = self._second_stage.estimator
        return self

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Return the most probable label of each row.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Descriptors.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        most = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most]

    def predict_proba(self, X: MatrixLike) -> FloatArray:
        """Return the probability of each label.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Descriptors.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.
        """
        check_is_fitted(self)
        X = checked_rows(self, X, reset=False)
        of_lattices = aligned_probabilities(self.bravais_estimator_, X, self.bravais_classes_)
        if self._second_stage.needs_out_of_fold and not self.consistent:
            # This answer is used as it is, even where it disagrees with the first stage.
            return self._hierarchy.marginal(self._second_stage.answer(X, of_lattices))
        if not self.consistent:
            # As in published work, only the most probable lattice counts.
            of_lattices = most_probable(of_lattices)
        return self._hierarchy.joint(of_lattices, self._second_stage.answer(X, of_lattices))

    def predict_bravais(self, X: MatrixLike) -> NDArray[Any]:
        """Return the most probable Bravais lattice of each row, by the first stage.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Descriptors.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        most = self.predict_bravais_proba(X).argmax(axis=1)
        return self.bravais_classes_[most]

    def predict_bravais_proba(self, X: MatrixLike) -> FloatArray:
        """Return the probability of each Bravais lattice, by the first stage.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Descriptors.

        Returns
        -------
        ndarray of shape (n_samples, n_bravais)
            Columns in the order of ``bravais_classes_``; rows sum to 1. With
            ``consistent=True`` they are the sums of `predict_proba` over each lattice.
        """
        check_is_fitted(self)
        X = checked_rows(self, X, reset=False)
        return aligned_probabilities(self.bravais_estimator_, X, self.bravais_classes_)

    def rank(self, X: MatrixLike, k: int = 5, allowed: Allowed = None) -> pd.DataFrame:
        """List the most probable space groups of each row in one table.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Descriptors.
        k : int, default=5
            Space groups to list for each row.
        allowed : None, str, int or iterable, default=None
            What is known from elsewhere; other space groups are excluded and the
            probabilities of those that stay made to sum to one. A Bravais lattice
            (``"oI"``), a crystal system (``"tetragonal"``), an extinction symbol
            (``"extinction:P n a -"``, with the Laue class where it is ambiguous, or the symbol
            of any group with these absences), a space group by symbol (``"P n a 21"``) or number,
            or a list of these for what any of them allows.

        Returns
        -------
        DataFrame
            ``row`` (index label, or position), ``rank`` (from 1), ``spacegroup_number``,
            ``spacegroup_hm``, ``probability`` and ``crystal_system``; `k` lines for each row,
            fewer where `allowed` has fewer of the groups that were learned. Where the model
            gives nothing to any group allowed, the frequencies of the Bravais lattices in `fit`
            stand for those of the first stage.

        Raises
        ------
        InvalidInputError
            If `allowed` is not understood or has no group that was learned, `k` is not a whole
            number >= 1, or the labels of `fit` are no space-group numbers.
        """
        check_is_fitted(self)
        caller = f"{type(self).__name__}.rank"
        try:
            numbers = spacegroup_numbers(self.classes_)
        except SpaceGroupError as error:
            raise InvalidInputError(f"{caller}: {error}; use predict_proba instead.") from None
        index = X.index if isinstance(X, pd.DataFrame) else None
        X = checked_rows(self, X, reset=False)
        probabilities = self.predict_proba(X)
        # The first stage may give nothing to any of the lattices that are allowed.
        inside = np.isin(numbers, allowed_numbers(allowed, caller=caller))
        unforeseen = np.flatnonzero(~probabilities[:, inside].any(axis=1))
        if len(unforeseen) and inside.any():
            probabilities[unforeseen] = self._by_lattice_frequency(take_rows(X, unforeseen))
        return rank_table(probabilities, numbers, k, allowed, index, caller=caller)

    def _stages(self):
        """Return the estimator of each stage (default nets seeded), and a seed for each."""
        # One for each stage, or both would repeat the same rows where they oversample.
        seeds = private_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=2)
        chosen = []
        for parameter, seed in zip(
            ("bravais_estimator", "space_group_estimator"), seeds, strict=True
        ):
            estimator = getattr(self, parameter)
            estimator = study_net(int(seed)) if estimator is None else estimator
            check_classifier(estimator, caller=type(self).__name__, parameter=parameter)
            chosen.append(estimator)
        return chosen, seeds.tolist()

    def _learn_labels(self, y, weight):
        """Fix the labels and their lattices; return the code of both for each row."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.bravais_of_classes_ = lattices_of_classes(
            self.classes_, self.bravais_of, caller=type(self).__name__
        )
        self.bravais_classes_, codes = np.unique(self.bravais_of_classes_, return_inverse=True)
        self._hierarchy = LabelHierarchy(codes, labels, weight, self.min_count)
        self._second_stage = SECOND_STAGES[self.second_stage](
            self.classes_, codes, self.bravais_classes_
        )
        return labels, codes[labels]

    def _fit_first_stage(self, fitter, inner, X, lattices):
        """Fit P(b | x); return what the second stage may know of the lattice of each row."""
        every, names = np.arange(len(lattices)), self.bravais_classes_[lattices]
        fitted = fitter.fit_parts(inner, X, names, [every], "Bravais lattice")
        (self.bravais_estimator_,) = fitted
        if self._second_stage.needs_out_of_fold:
            # Answers to rows that the model has seen are too sure to be learned from.
            return fitter.out_of_fold(inner, X, names, self.bravais_classes_, self.cv)
        return np.eye(len(self.bravais_classes_))[lattices]

    def _by_lattice_frequency(self, X):
        """Return P(g | x) with the frequencies of the lattices for P(b | x)."""
        asked = frequency = np.tile(self._hierarchy.lattice_frequency, (X.shape[0], 1))
        if self._second_stage.needs_out_of_fold:
            # This stage has lattice probabilities among its descriptors: those of the row.
            asked = self.predict_bravais_proba(X)
        return self._hierarchy.joint(frequency, self._second_stage.answer(X, asked))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        stages = (self.bravais_estimator, self.space_group_estimator)
        # The default nets take neither missing values nor sparse matrices.
        inner = [None if estimator is None else get_tags(estimator) for estimator in stages]
        tags.input_tags.allow_nan = all(t is not None and t.input_tags.allow_nan for t in inner)
        tags.input_tags.sparse = all(t is not None and t.input_tags.sparse for t in inner)
        return tags
