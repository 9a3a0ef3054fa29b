"""What a fitted classifier of space groups answers."""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, FloatArray, NDArray, ObjectArray
from crystalml._validation import as_pandas, warn
from crystalml.exceptions import CellError, FormulaError, InvalidInputError, SkippedRowsWarning
from crystalml.model_selection import abstain_below as abstain
from crystalml.model_selection import conformal_sets, conformal_threshold
from crystalml.symmetry._ranking import Allowed, rank_table, restrict_probabilities
from crystalml.symmetry._space_group_evidence import (
    evidence_table,
    neighbour_table,
    unfamiliarity_table,
    with_log_likelihood,
)
from crystalml.symmetry._space_groups._entries import (
    as_table,
    read_entries,
    usable_rows,
    warn_of_ignored_atoms,
)
from crystalml.symmetry._space_groups._model import SpaceGroupModel

# A table, rows as dicts, formulas alone, or an array of the columns needed.
CrystalTable: TypeAlias = pd.DataFrame | Iterable[Any]

# Rows answered at once, which bounds the memory.
_CHUNK = 2000
# Uncertain cells are answered by the mean over these draws from their s.u.; always the same
# ones, so that a row's answer depends on the row alone.
_N_DRAWS, _DRAW_SEED = 8, 20
# Smaller s.u. change nothing: the descriptors have wider tolerances.
_SMALLEST_SU = np.array([1e-3, 1e-3, 1e-3, 0.05, 0.05, 0.05])


class SpaceGroupAnswers:
    """Probabilities, lists, sets and explanations from the fitted stages."""

    setting: str
    classes_: NDArray[Any]
    numbers_: NDArray[np.int64]
    model_: SpaceGroupModel
    entries_: pd.DataFrame
    calibration_scores_: FloatArray
    if TYPE_CHECKING:

        @property
        def _parts(self) -> set[str]: ...

    def predict_proba(self, X: CrystalTable) -> FloatArray:
        """Return the probability of each space group.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns), or list of dict
            Columns as in `fit`. Cells with s.u. (``a_su`` ... ``gamma_su``) above 0.1 per cent
            or 0.05 degrees are answered by a mean over eight cells drawn from them, the same
            ones each time. The atoms in the cell are used with ``inputs="composition+cell+atoms"``
            alone. That they are ignored is said where they were typed (a dict or a list of dicts
            with ``n_atoms`` or ``formula_units``); of tables it is not said, since those of
            `read_cifs` always have such a column.

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
            If rows are dicts that tell the atoms in the cell, and they are not looked at.
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
        """Say what the answers rest on.

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
        """Say how little the training data resemble each row.

        Parameters
        ----------
        X : DataFrame
            As for `predict_proba`.

        Returns
        -------
        DataFrame of shape (n_samples, 2)
            ``best_likeness``: probability that the most similar known crystal has the same
            group; ``n_same_stoichiometry``: known crystals of the same stoichiometry among the
            nearest, at most 40. Answers to rows with little of both are frequencies more than
            findings.
        """
        table = self._table(X)
        entries = self._entries(table)
        parts = [unfamiliarity_table(part) for part in self._assessments(entries)]
        return pd.concat(parts).set_axis(table.index)

    def _table(self, X):
        """Make a table of what came."""
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


def _of_rows(log_likelihood, kept, n_rows):
    """Keep of evidence that has one line per row the lines of some rows."""
    if isinstance(log_likelihood, pd.DataFrame) and len(log_likelihood) == n_rows:
        return log_likelihood.iloc[kept]
    if isinstance(log_likelihood, (list, tuple, np.ndarray)) and len(log_likelihood) == n_rows:
        return np.asarray(log_likelihood)[kept]
    return log_likelihood
