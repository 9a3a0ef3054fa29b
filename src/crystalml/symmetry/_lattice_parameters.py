"""Unit cells from the composition, and from what else is known of a crystal."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_random_state

from crystalml._typing import ArrayLike, Estimator, Formulas, Progress, RandomState
from crystalml._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_parameters,
    check_sample_weight,
)
from crystalml.crystallography import cell_volume
from crystalml.exceptions import InvalidInputError
from crystalml.known_crystals._contents import contents_of_cells
from crystalml.symmetry._cell_answers import CellAnswers
from crystalml.symmetry._cell_model import CellModel, Crystals
from crystalml.symmetry._cell_shapes import cells_to_shapes, constrain
from crystalml.symmetry._cell_table import (
    lattices_of_metric,
    read_cells,
    read_crystals,
    take_rows,
)
from crystalml.symmetry._conventional_cells import conventional_cells
from crystalml.symmetry._isostructural_neighbours import Compounds
from crystalml.symmetry._symmetry_guess import SymmetryGuess

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


class LatticeParameterRegressor(CellAnswers, RegressorMixin, BaseEstimator):
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
        weight = np.ones(len(cells)) if weight is None else weight
        self._remember_columns(X)
        lattices = np.where(rows.lattices < 0, lattices_of_metric(cells), rows.lattices)
        n_atoms = contents_of_cells(rows.table.amounts, cell_volume(cells), rows.n_atoms)
        cells, multiples, contradicts = conventional_cells(cells, lattices, axes=self.axes)
        self.n_contradictory_ = int(contradicts.sum())
        used = np.flatnonzero(~contradicts & (weight > 0))
        if len(used) < 2:
            raise InvalidInputError(
                f"{_CALLER}: {len(used)} of {len(cells)} rows can be learned from; "
                f"{self.n_contradictory_} cells contradict their Bravais lattice. Give more rows."
            )
        table = take_rows(rows.table, used)
        crystals = Crystals(
            table.amounts,
            Compounds(table),
            lattices[used],
            rows.numbers[used],
            (n_atoms * multiples)[used],
        )
        shapes, volumes = cells_to_shapes(cells[used])
        self.model_ = CellModel(
            self._net_parameters(),
            self.max_iter,
            self.calibration_fraction,
            check_random_state(self.random_state),
        ).fit(crystals, table, constrain(shapes, lattices[used]), volumes, weight[used])
        symmetry = SymmetryGuess(self.space_group_estimator, caller=_CALLER)
        self._symmetry = symmetry.fit(rows, lattices, used)
        self.space_group_estimator_ = self._symmetry.estimator
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
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
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
