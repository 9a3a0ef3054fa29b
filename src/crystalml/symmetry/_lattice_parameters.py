"""Unit cells from the composition, and from what else is known of a crystal."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Literal, Self, overload

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    check_random_state,
)

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import ArrayLike, Estimator, FloatArray, Formulas, Progress, RandomState
from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
)
from crystalml.crystallography import BRAVAIS_LATTICES, cell_volume, chemical_system
from crystalml.exceptions import InvalidInputError
from crystalml.known_crystals._contents import contents_of_cells
from crystalml.symmetry._cell_model._contents import likely_contents
from crystalml.symmetry._cell_model._lattice_prior import LatticePrior, ranked_symmetries
from crystalml.symmetry._cell_model._model import CellModel
from crystalml.symmetry._cell_model._neighbours import CellContents
from crystalml.symmetry._cell_model._shapes import cells_to_shapes, constrain
from crystalml.symmetry._conventional_cells import conventional_cells
from crystalml.symmetry._input_tables import (
    lattices_of_metric,
    read_cells,
    read_crystals,
    take_rows,
)

_CALLER = "LatticeParameterRegressor"
_CONSTRAINTS = {
    "axes": [StrOptions({"as given", "standardized"})],
    "space_group_estimator": [HasMethods(["fit", "predict_proba"]), None],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 0, None, closed="left")],
    "calibration_fraction": [Interval(Real, 0, 0.5, closed="both")],
    "random_state": ["random_state"],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    "progress": ["boolean", StrOptions({"auto"})],
}


class LatticeParameterRegressor(RegressorMixin, BaseEstimator):
    """Predict the conventional cell of a crystal from its formula, with its uncertainty.

    What is known beside the formula (Bravais lattice or space group, formula units or atoms in
    the cell) is used where it is given, and predicted where it is not. The cells obey their
    lattice exactly: cubic ones have a = b = c and right angles, and so on.

    The volume is the number of atoms times a predicted volume per atom: boosted trees on the
    descriptors of the composition, averaged with a net. The shape comes from training compounds
    of the same lattice that are most alike element by element, or in composition; the net has
    one trunk for the composition and one head for each Bravais lattice, which weighs these
    candidates against one another and against a shape of its own making. The answer is the most
    central of them, since between two unlike structures the mean is like neither.

    Parameters
    ----------
    axes : {"standardized", "as given"}, default="standardized"
        In which setting cells are learned and predicted, where symmetry leaves it open.

        - ``"standardized"``: orthorhombic axes in the order a <= b <= c; the two shortest
          translations of the a, c plane in primitive monoclinic cells (a <= c); Niggli's reduced
          cell for triclinic crystals. Right for published cells, whose settings differ.
        - ``"as given"``: as in the training data. Right where these share one standard setting,
          as computed structures often do.

        In both, b is the unique axis of monoclinic cells and beta >= 90 degrees, c that of
        tetragonal and hexagonal ones, and rhombohedral lattices have hexagonal axes (with three
        times as many atoms as the rhombohedral cell).
    space_group_estimator : classifier, default=None
        Gives probabilities of space groups (International Tables numbers) to rows of a table with
        the one column ``formula``, where neither lattice nor space group is known. A fitted one
        is used as it is; one that is not fitted is cloned and fitted with the rest. None lets
        like compounds of the training data vote, which is quick and not very accurate.
    hidden_layer_sizes : sequence of int, default=(256, 128)
        Width of each layer of the trunk.
    max_epochs : int, default=25
        Passes of the net over the training rows.
    max_iter : int, default=250
        Boosted trees of the volume model.
    calibration_fraction : float, default=0.05
        Share of the chemical systems that net and trees do not see, and by whose errors the
        spread is calibrated. 0, or too few rows, leaves the spread as the net has it.
    random_state : int, RandomState or None, default=None
        Weights and batches of the net, columns of the trees, rows for the calibration.
    n_threads : int or None, default=1
        Threads of torch.
    progress : bool or "auto", default=False
        Whether to show a progress bar of the net's training.

    Attributes
    ----------
    n_contradictory_ : int
        Training rows whose cell contradicts their Bravais lattice; they are left out.
    space_group_estimator_ : classifier
        The classifier in use.
    n_features_in_ : int
        1: the formula. Further columns are used where there are any.
    feature_names_in_ : ndarray of shape (1,)
        ``["formula"]``. Defined only if ``fit`` saw a table with that column.

    See Also
    --------
    crystalml.model_selection.composition_groups : Groups for an honest evaluation.

    Notes
    -----
    Input is a column of formulas (a list, an array of shape (n,) or (n, 1), a Series), or a table
    with the column ``formula`` and, where known, ``bravais_lattice``, ``spacegroup_number``,
    ``n_atoms`` (in the cell) or ``formula_units`` (Z, of the formula as written). In `fit`, an
    unknown lattice is taken from the metric of the cell as a primitive one, and an unknown number
    of atoms is that of the whole number of formula units whose atoms fill the cell best. Needs
    the extras ``neural`` and ``structures``.

    References
    ----------
    .. [1] H. Liang, V. Stanev, A. G. Kusne, I. Takeuchi, "CRYSPNet: Crystal structure predictions
       via neural networks", Physical Review Materials 4 (2020) 123802,
       https://doi.org/10.1103/PhysRevMaterials.4.123802.

    Examples
    --------
    >>> from crystalml import LatticeParameterRegressor
    >>> from crystalml.crystallography import bravais_lattice
    >>> from crystalml.datasets import load_cod_inorganic
    >>> table, y = load_cod_inorganic(return_X_y=True)
    >>> rocksalt = table[(y == 225) & (table["n_atoms"] == 8)]
    >>> X = rocksalt[["formula", "n_atoms"]].assign(bravais_lattice="cF")
    >>> model = LatticeParameterRegressor(max_epochs=5, max_iter=20, random_state=0)
    >>> model = model.fit(X, rocksalt[["a", "b", "c", "alpha", "beta", "gamma"]])
    >>> mine = X.head(1).assign(formula="KCl")
    >>> cell = model.predict(mine)[0]
    >>> bool(cell[0] == cell[1] == cell[2]), cell[3:].tolist()
    (True, [90.0, 90.0, 90.0])
    >>> bool(abs(cell[0] - 6.29) < 0.3)
    True
    """

    def __init__(
        self,
        *,
        axes: Literal["standardized", "as given"] = "standardized",
        space_group_estimator: Estimator | None = None,
        hidden_layer_sizes: int | Sequence[int] = (256, 128),
        max_epochs: int = 25,
        max_iter: int = 250,
        calibration_fraction: float = 0.05,
        random_state: RandomState = None,
        n_threads: int | None = 1,
        progress: Progress = False,
    ) -> None:
        self.axes = axes
        self.space_group_estimator = space_group_estimator
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_epochs = max_epochs
        self.max_iter = max_iter
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state
        self.n_threads = n_threads
        self.progress = progress

    def fit(
        self,
        X: pd.DataFrame | Formulas,
        y: pd.DataFrame | ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from crystals with known cells.

        Parameters
        ----------
        X : DataFrame, list, Series or ndarray
            Formulas, and what is known beside them; see the Notes of the class.
        y : DataFrame or array-like of shape (n_samples, 6)
            Cells: the columns a, b, c (Å), alpha, beta, gamma (degrees) of a table, which may
            have others, or an array of them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the losses of net and trees; rows of weight 0 are left out.

        Returns
        -------
        self : LatticeParameterRegressor
            The fitted estimator.

        Raises
        ------
        CellError
            If a cell is impossible.
        FormulaError, SchemaError, InvalidInputError
            If a column cannot be used, or no row can be learned from.
        """
        check_parameters(self, _CONSTRAINTS)
        rows = read_crystals(X, caller=_CALLER)
        cells = read_cells(y, caller=_CALLER)
        check_consistent_length(rows.formulas, cells)
        weight = check_sample_weight(sample_weight, cells, caller=_CALLER)
        # Ones instead of None, so that everything below has one form of weights.
        weight = np.ones(len(cells)) if weight is None else weight
        self._remember_columns(X)
        lattices = np.where(rows.lattices < 0, lattices_of_metric(cells), rows.lattices)
        # Before the cells change their setting: the contents are those of the cell as given.
        n_atoms = contents_of_cells(rows.table.amounts, cell_volume(cells), rows.n_atoms)
        cells, multiples, contradicts = conventional_cells(cells, lattices, axes=self.axes)
        self.n_contradictory_ = int(contradicts.sum())
        # Made to obey its lattice, a contradictory cell would be one that no crystal has.
        used = np.flatnonzero(~contradicts & (weight > 0))
        if len(used) < 2:
            raise InvalidInputError(
                f"{_CALLER}: {len(used)} of {len(cells)} rows can be learned from; "
                f"{self.n_contradictory_} cells contradict their Bravais lattice. Give more rows."
            )
        table = take_rows(rows.table, used)
        contents = CellContents.of(
            table.amounts, lattices[used], rows.numbers[used], (n_atoms * multiples)[used]
        )
        # Compounds of one system are hidden from each other below: a polymorph in the training
        # data would make the errors look smaller than they are for new compounds.
        _, systems = np.unique(chemical_system(table).astype(str), return_inverse=True)
        shapes, volumes = cells_to_shapes(cells[used])
        self.model_ = CellModel(
            self._net_parameters(),
            self.max_iter,
            self.calibration_fraction,
            check_random_state(self.random_state),
        ).fit(contents, systems, constrain(shapes, lattices[used]), volumes, weight[used])
        symmetry = LatticePrior(self.space_group_estimator, caller=_CALLER)
        # The lattices in use, which may come from the metric, and not those of X alone.
        self._symmetry = symmetry.fit(rows, lattices, used)
        self.space_group_estimator_ = self._symmetry.estimator
        return self

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
        contents, _, prediction = self._predict(rows)
        table = _cell_table(rows.formulas, contents, prediction)
        index = getattr(X, "index", None)
        # The `index` of a list is a method.
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
        # A small spread of the logarithm is the relative spread of the volume.
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
        rows = _listed(rows, ranked)
        contents, certainty, prediction = self._predict(rows)
        table = _cell_table(rows.formulas, contents, prediction)
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
        # In the setting of the predictions, or equal cells with other axes would count as errors.
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
        # In this order: contents are those of a conventional cell, which depends on the lattice.
        lattices = self._symmetry.likely_lattices(rows)
        contents = CellContents.of(rows.table.amounts, lattices, rows.numbers, rows.n_atoms)
        n_atoms, certainty = likely_contents(self.model_.known, contents)
        # What the table states is not put to the vote.
        known = ~np.isnan(rows.n_atoms)
        n_atoms, certainty = np.where(known, rows.n_atoms, n_atoms), np.where(known, 1.0, certainty)
        contents = contents._replace(n_atoms=n_atoms)
        return contents, certainty, self.model_.predict(contents)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Formulas are one column of text: generic checks would come with matrices of numbers.
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def _net_parameters(self):
        """Return what is passed on to the net."""
        names = ("hidden_layer_sizes", "max_epochs", "n_threads", "progress")
        return {name: getattr(self, name) for name in names}

    def _remember_columns(self, X):
        """Keep what scikit-learn wants to know of the input: the one column that is needed."""
        self.n_features_in_ = 1
        if "formula" in getattr(X, "columns", ()):
            self.feature_names_in_ = np.array(["formula"], dtype=object)
        # A second fit, without names, must not keep those of the first.
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


def _listed(rows, ranked):
    """Return a row for each entry of what `ranked_symmetries` listed of `rows`."""
    chosen = ranked["row"].to_numpy()
    return rows._replace(
        formulas=[rows.formulas[row] for row in chosen],
        table=take_rows(rows.table, chosen),
        lattices=ranked["lattice"].to_numpy(),
        # 0 stands for a group that is not known.
        numbers=ranked["spacegroup_number"].fillna(0).to_numpy(dtype=np.int64),
        n_atoms=rows.n_atoms[chosen],
    )


def _cell_table(formulas, contents, prediction):
    """Put cells and their spread into a table."""
    volumes = np.exp(prediction.log_volumes)
    table = pd.DataFrame({"formula": pd.Series(formulas, dtype=object)})
    table["bravais_lattice"] = np.array(BRAVAIS_LATTICES, dtype=object)[contents.lattices]
    table["n_atoms"] = contents.n_atoms
    columns = [*CELL_COLUMNS, "volume", *(f"{name}_std" for name in CELL_COLUMNS), "volume_std"]
    numbers = np.column_stack(
        [prediction.cells, volumes, prediction.stds, volumes * prediction.log_volume_stds]
    )
    return pd.concat([table, pd.DataFrame(numbers, columns=columns)], axis=1)
