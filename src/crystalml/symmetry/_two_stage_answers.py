"""What a fitted two-stage classifier answers."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import FloatArray, MatrixLike, NDArray
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.symmetry._inner_estimators import aligned_probabilities, checked_rows, take_rows
from crystalml.symmetry._labels import spacegroup_numbers
from crystalml.symmetry._ranking import Allowed, allowed_numbers, rank_table
from crystalml.symmetry._two_stages import LabelHierarchy, most_probable


class TwoStageAnswers:
    """Predictions from both stages, and the ranked table."""

    consistent: bool
    classes_: NDArray[Any]
    bravais_classes_: NDArray[Any]
    bravais_estimator_: Any
    _hierarchy: LabelHierarchy
    _second_stage: Any

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
            return self._hierarchy.marginal(self._second_stage.answer(X, of_lattices))
        if not self.consistent:
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
        inside = np.isin(numbers, allowed_numbers(allowed, caller=caller))
        unforeseen = np.flatnonzero(~probabilities[:, inside].any(axis=1))
        if len(unforeseen) and inside.any():
            probabilities[unforeseen] = self._by_lattice_frequency(take_rows(X, unforeseen))
        return rank_table(probabilities, numbers, k, allowed, index, caller=caller)

    def _by_lattice_frequency(self, X):
        """Return P(g | x) with the frequencies of the lattices for P(b | x)."""
        asked = frequency = np.tile(self._hierarchy.lattice_frequency, (X.shape[0], 1))
        if self._second_stage.needs_out_of_fold:
            asked = self.predict_bravais_proba(X)
        return self._hierarchy.joint(frequency, self._second_stage.answer(X, asked))
