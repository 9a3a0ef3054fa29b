"""Groups of rows that are one crystal described twice: equal formula and equal lattice."""

from numbers import Real

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from crystalml._schema import CELL_COLUMNS
from crystalml._typing import ArrayLike, Charges, Formulas, ObjectArray
from crystalml._validation import as_pandas
from crystalml.crystallography import metric_tensor, niggli_cell, validate_cells
from crystalml.exceptions import CellError, InvalidInputError
from crystalml.model_selection._groups import group_names

__all__ = ["duplicate_groups"]

_CALLER = "duplicate_groups"
# Vectors of a lattice fall into eight classes modulo twice the lattice. Of each class but that
# of zero, the shortest vector is among these combinations of the reduced basis: a Niggli basis
# is Minkowski-reduced, and Voronoi vectors of such a basis have no coefficient beyond one.
_CLASSES = (
    ((1, 0, 0),),
    ((0, 1, 0),),
    ((0, 0, 1),),
    ((0, 1, 1), (0, 1, -1)),
    ((1, 0, 1), (1, 0, -1)),
    ((1, 1, 0), (1, -1, 0)),
    ((1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)),
)
# Between formulas, in units of the logarithm of a length: more than any tolerance.
_FAR = 10.0


def duplicate_groups(
    formulas: Formulas,
    cells: pd.DataFrame | ArrayLike,
    *,
    length_tolerance: float = 0.01,
    centring: ArrayLike = "P",
    charges: Charges = "refuse",
) -> ObjectArray:
    """Label rows so that descriptions of one crystal share a label.

    Re-determinations, the same cell in another setting, and isotypic models of one compound
    have equal reduced formulas and nearly equal lattices. Pass the labels as ``groups`` to a
    group splitter, or count them to see how much of a table is repetition. Polymorphs have
    groups of their own here; to keep them on one side of a split use `composition_groups`,
    whose groups are unions of these.

    Parameters
    ----------
    formulas : sequence of str, shape (n,)
        Chemical formulas; see `composition_groups`. Every formula must be known.
    cells : DataFrame or array-like of shape (n, 6)
        a, b, c in Å, alpha, beta, gamma in degrees, by name or in this order. Every row must be
        a cell.
    length_tolerance : float, default=0.01
        Largest relative difference between corresponding shortest lattice vectors (see Notes),
        less than 1. The default joins cells measured at different temperatures.
    centring : str or array-like of shape (n,) of str, default="P"
        Centring letter of all cells or of each, as in
        `crystalml.crystallography.primitive_cell`. Without it the centred and the primitive
        cell of one crystal are two lattices, and so are a cell and a multiple of it.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end of a formula is an error or is dropped.

    Returns
    -------
    ndarray of shape (n,), dtype object
        The reduced formula and a number, such as ``"O2Si-3"``. The numbers count the lattices
        of a formula by the length of the shortest vector; they do not depend on the order of
        the rows.

    Raises
    ------
    FormulaError
        If a formula is missing or cannot be read.
    CellError
        If a row is no cell, or too oblique to be reduced.
    InvalidInputError
        If the lengths differ or `length_tolerance` is not in [0, 1).

    Notes
    -----
    A Niggli cell may jump to another form when the lattice changes a little, so that nearly
    equal lattices can have very different Niggli cells. Compared are, in the order of size, the
    seven lengths of the shortest lattice vectors of each class modulo twice the lattice (the
    square roots of Conway and Sloane's vonorms). They do not depend on the cell that was
    chosen, change continuously with the lattice, and in practice tell lattices apart. Mirror
    images are equal. Rows are joined transitively: a chain of small steps is one group.

    References
    ----------
    J. H. Conway, N. J. A. Sloane (1992). Low-dimensional lattices. VI. Voronoi reduction of
    three-dimensional forms. Proceedings of the Royal Society A 436, 55-68.

    See Also
    --------
    composition_groups : Coarser groups, by formula alone.

    Examples
    --------
    Quartz twice, the second time at another temperature, and cristobalite:

    >>> from crystalml.model_selection import duplicate_groups
    >>> cells = [[4.913, 4.913, 5.405, 90, 90, 120], [4.902, 5.400, 4.902, 90, 120, 90],
    ...          [4.972, 4.972, 6.922, 90, 90, 90]]
    >>> duplicate_groups(["SiO2", "Si2O4", "SiO2"], cells).tolist()
    ['O2Si-1', 'O2Si-1', 'O2Si-2']
    """
    if not (isinstance(length_tolerance, Real) and 0 <= length_tolerance < 1):
        raise InvalidInputError(
            f"{_CALLER}: length_tolerance must lie in [0, 1), got {length_tolerance!r}."
        )
    names = group_names(formulas, "reduced_formula", charges, caller=_CALLER)
    lengths = _shortest_lengths(_checked_cells(cells, len(names)), centring)
    compounds, codes = np.unique(names, return_inverse=True)
    # Rows that agree to nine digits are one point, however many they are.
    points = np.column_stack([_FAR * codes, np.round(np.log(lengths), 9)])
    points, point_of_row = np.unique(points, axis=0, return_inverse=True)
    point_of_row = point_of_row.reshape(-1)
    group_of_point = _connected(points, np.log1p(length_tolerance))
    code_of_point = np.rint(points[:, 0] / _FAR).astype(int)
    number = _numbers_within(group_of_point, code_of_point)
    labels = [f"{compounds[c]}-{k}" for c, k in zip(code_of_point, number, strict=True)]
    return np.array(labels, dtype=object)[point_of_row]


def _checked_cells(cells, n_rows):
    """Return the cells as a float array, one per formula."""
    cells = as_pandas(cells)
    if isinstance(cells, pd.DataFrame) and set(CELL_COLUMNS) <= set(cells.columns):
        cells = cells[list(CELL_COLUMNS)]
    if isinstance(cells, pd.DataFrame):
        cells = cells.to_numpy(dtype=float, na_value=np.nan)
    cells = np.atleast_2d(validate_cells(cells, caller=_CALLER))
    if len(cells) != n_rows:
        raise InvalidInputError(
            f"{_CALLER}: got {n_rows} formulas and {len(cells)} cells; give one cell per formula."
        )
    return cells


def _shortest_lengths(cells, centring):
    """Lengths of the shortest vectors of the seven classes, sorted, (n, 7)."""
    reduced = niggli_cell(cells, centring=centring)
    lost = np.flatnonzero(np.isnan(reduced[:, 0]))
    if lost.size:
        raise CellError(
            f"{_CALLER}: {lost.size} cells are too oblique to be reduced (first: row {lost[0]}). "
            "Drop these rows."
        )
    metrics = metric_tensor(reduced)
    squares = np.empty((len(cells), len(_CLASSES)))
    for column, members in enumerate(_CLASSES):
        vectors = np.array(members, dtype=float)
        norms = np.einsum("vi,nij,vj->nv", vectors, metrics, vectors)
        squares[:, column] = norms.min(axis=1)
    return np.sqrt(np.sort(squares, axis=1))


def _connected(points, tolerance):
    """Group points that lie within the tolerance of one another, transitively."""
    # A hair wider, so that rounding does not part what is exactly at the tolerance.
    pairs = KDTree(points).query_pairs(tolerance + 2e-9, p=np.inf, output_type="ndarray")
    edges = coo_array((np.ones(len(pairs), dtype=bool), pairs.T), shape=(len(points),) * 2)
    return connected_components(edges, directed=False)[1]


def _numbers_within(group_of_point, code_of_point):
    """Count the groups of each formula from 1, in the order of their first points."""
    group, _ = pd.factorize(group_of_point)
    _, first = np.unique(group, return_index=True)
    code_of_group = pd.Series(code_of_point[first])
    return (code_of_group.groupby(code_of_group).cumcount().to_numpy() + 1)[group]
