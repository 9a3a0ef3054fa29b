"""What a fitted `LatticeParameterRegressor` answers."""

from numbers import Integral
from typing import Literal, overload

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from crystalml._typing import ArrayLike, FloatArray, Formulas
from crystalml.crystallography import cell_volume
from crystalml.exceptions import InvalidInputError
from crystalml.symmetry._cell_contents import likely_contents
from crystalml.symmetry._cell_model import CellModel, Crystals
from crystalml.symmetry._cell_ranking import answers, listed, ranked_symmetries
from crystalml.symmetry._conventional_cells import conventional_cells
from crystalml.symmetry._input_tables import lattices_of_metric, read_cells, read_crystals
from crystalml.symmetry._isostructural_neighbours import Compounds
from crystalml.symmetry._symmetry_guess import SymmetryGuess

_CALLER = "LatticeParameterRegressor"


class CellAnswers:
    """The predictions, from what the fit has left in ``model_`` and ``_symmetry``."""

    axes: str
    model_: CellModel
    _symmetry: SymmetryGuess

    @overload
    def predict(
        self, X: pd.DataFrame | Formulas, return_std: Literal[False] = ...
    ) -> FloatArray: ...
    @overload
    def predict(
        self, X: pd.DataFrame | Formulas, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(
        self, X: pd.DataFrame | Formulas, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]: ...
    def predict(
        self, X: pd.DataFrame | Formulas, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the cells.

        Parameters
        ----------
        X : DataFrame, list, Series or ndarray
            Formulas, and what is known beside them. Unknown lattices and contents are the most
            probable ones; `predict_table` names them.
        return_std : bool, default=False
            Whether to return standard deviations too.

        Returns
        -------
        cells : ndarray of shape (n_samples, 6)
            a, b, c (Å), alpha, beta, gamma (degrees).
        stds : ndarray of shape (n_samples, 6)
            Their standard deviations, given lattice and contents; 0 for angles that the lattice
            fixes. Only with `return_std`.
        """
        _, _, prediction = self._predict(read_crystals(self._checked(X), caller=_CALLER))
        return (prediction.cells, prediction.stds) if return_std else prediction.cells

    def predict_table(self, X: pd.DataFrame | Formulas) -> pd.DataFrame:
        """Predict the cells, and say what was assumed.

        Parameters
        ----------
        X : DataFrame, list, Series or ndarray
            As in `predict`.

        Returns
        -------
        DataFrame
            A row for each of X, with its index if it has one, and the columns ``formula``,
            ``bravais_lattice``, ``n_atoms``; ``a`` to ``gamma`` and ``volume`` (Å, degrees,
            Å^3); and their standard deviations ``a_std`` to ``gamma_std`` and ``volume_std``.
        """
        rows = read_crystals(self._checked(X), caller=_CALLER)
        crystals, _, prediction = self._predict(rows)
        table = answers(rows.formulas, crystals, prediction)
        index = getattr(X, "index", None)
        return table if index is None or callable(index) else table.set_axis(index, axis=0)

    @overload
    def predict_volume_per_atom(
        self, X: pd.DataFrame | Formulas, return_std: Literal[False] = ...
    ) -> FloatArray: ...
    @overload
    def predict_volume_per_atom(
        self, X: pd.DataFrame | Formulas, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict_volume_per_atom(
        self, X: pd.DataFrame | Formulas, return_std: bool
    ) -> FloatArray | tuple[FloatArray, FloatArray]: ...
    def predict_volume_per_atom(
        self, X: pd.DataFrame | Formulas, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the volume per atom from the composition alone.

        Parameters
        ----------
        X : DataFrame, list, Series or ndarray
            Formulas; further columns are not used.
        return_std : bool, default=False
            Whether to return standard deviations too.

        Returns
        -------
        volumes : ndarray of shape (n_samples,)
            Volume per atom in Å^3.
        stds : ndarray of shape (n_samples,)
            Their standard deviations. Only with `return_std`.
        """
        rows = read_crystals(self._checked(X), caller=_CALLER)
        logarithms, stds = self.model_.predict_log_volumes(rows.table)
        volumes = np.exp(logarithms)
        return (volumes, volumes * stds) if return_std else volumes

    def predict_cells(
        self, formulas: pd.DataFrame | Formulas, k: int = 3, *, space_groups: int = 1
    ) -> pd.DataFrame:
        """List the most probable Bravais lattices and space groups of formulas, with their cells.

        Parameters
        ----------
        formulas : list of str, Series, ndarray or DataFrame
            Formulas; of a table, what is known beside them restricts the list.
        k : int, default=3
            Bravais lattices for each formula.
        space_groups : int, default=1
            Space groups for each Bravais lattice, each with its cell.

        Returns
        -------
        DataFrame
            Up to ``k * space_groups`` rows for each formula, in the order of the formulas, with
            the columns ``formula``, ``rank``; ``bravais_lattice``, ``bravais_probability``,
            ``spacegroup_number``, ``spacegroup_symbol``, ``spacegroup_probability`` (missing if
            no space groups were known in `fit`), ``n_atoms``, ``n_atoms_probability`` (given
            the others), and the cell as in `predict_table`.

        Examples
        --------
        >>> from crystalml import LatticeParameterRegressor
        >>> from crystalml.datasets import load_cod_inorganic
        >>> table, y = load_cod_inorganic(return_X_y=True)
        >>> rows = table.index[(table["formula"].str.len() < 5)]
        >>> X = table.loc[rows, ["formula", "n_atoms"]].assign(spacegroup_number=y[rows])
        >>> model = LatticeParameterRegressor(max_epochs=3, max_iter=10, random_state=0)
        >>> cells = model.fit(X, table.loc[rows]).predict_cells(["KCl", "NaN"], k=2)
        >>> cells[["formula", "rank"]].values.tolist()
        [['KCl', 1], ['KCl', 2], ['NaN', 1], ['NaN', 2]]
        >>> cells.loc[0, "bravais_lattice"], cells.loc[0, "spacegroup_symbol"]
        ('cF', 'F m -3 m')
        """
        for name, value in (("k", k), ("space_groups", space_groups)):
            if not isinstance(value, Integral) or value < 1:
                raise InvalidInputError(
                    f"{_CALLER}.predict_cells: {name} is {value!r}; give a whole number >= 1."
                )
        rows = read_crystals(self._checked(formulas), caller=_CALLER)
        lattices, groups = self._symmetry.probabilities(rows)
        ranked = ranked_symmetries(lattices, groups, k, space_groups)
        rows = listed(rows, ranked)
        crystals, certainty, prediction = self._predict(rows)
        table = answers(rows.formulas, crystals, prediction)
        table.insert(3, "n_atoms_probability", certainty)
        ranked = ranked.drop(columns=["row", "lattice"])
        cells = table.drop(columns=["formula", "bravais_lattice"])
        return pd.concat([table[["formula"]], ranked, cells], axis=1)

    def score(
        self,
        X: pd.DataFrame | Formulas,
        y: pd.DataFrame | ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return minus the mean absolute relative error of a, b, c and the volume.

        Parameters
        ----------
        X : DataFrame, list, Series or ndarray
            As in `predict`.
        y : DataFrame or array-like of shape (n_samples, 6)
            True cells, in any setting: they are brought into that of the predictions, for the
            lattices of X (or those of their metric).
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        float
            0 at best. Rows whose true cell contradicts the lattice count as they are.
        """
        rows = read_crystals(self._checked(X), caller=_CALLER)
        cells = read_cells(y, caller=_CALLER)
        lattices = np.where(rows.lattices < 0, lattices_of_metric(cells), rows.lattices)
        truth, _, _ = conventional_cells(cells, lattices, axes=self.axes)
        found = self.predict(X)
        ratios = np.column_stack(
            [found[:, :3] / truth[:, :3], cell_volume(found) / cell_volume(truth)]
        )
        weights = None if sample_weight is None else np.asarray(sample_weight)
        return -float(np.average(np.abs(ratios - 1.0).mean(axis=1), weights=weights))

    def _checked(self, X):
        """Return X, if there is a fitted model to use it with."""
        check_is_fitted(self)
        return X

    def _predict(self, rows):
        """Fill in what is not known, and predict; also return how sure the contents are."""
        lattices = self._symmetry.likely_lattices(rows)
        compounds, amounts = Compounds(rows.table), rows.table.amounts
        n_atoms, certainty = likely_contents(
            self.model_.memory, compounds, amounts, lattices, rows.numbers
        )
        known = ~np.isnan(rows.n_atoms)
        n_atoms, certainty = np.where(known, rows.n_atoms, n_atoms), np.where(known, 1.0, certainty)
        crystals = Crystals(amounts, compounds, lattices, rows.numbers, n_atoms)
        return crystals, certainty, self.model_.predict(crystals)
