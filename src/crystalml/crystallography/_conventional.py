"""From a primitive cell to the conventional one of the highest symmetry its metric allows."""

from typing import Any

import numpy as np

from crystalml._typing import ArrayLike, FloatArray, ObjectArray
from crystalml.crystallography._bravais_constraints import FITS, SQUARED_STRAINS
from crystalml.crystallography._cell import as_cells, cells_from_products
from crystalml.crystallography._metric_symmetry import (
    BRAVAIS_LATTICES,
    conventional_products,
    metric_symmetry,
)
from crystalml.crystallography._reduction import niggli_products

# From high to low symmetry; among equals the centred ones first, whose cells are larger.
_BY_SYMMETRY = (
    "cF", "cI", "cP", "hP", "hR", "tI", "tP", "oF", "oI", "oS", "oP", "mS", "mP", "aP",
)  # fmt: skip


def conventional_cell(
    cells: ArrayLike,
    *,
    length_tolerance: float = 0.002,
    angle_tolerance: float = 0.2,
    centring: ArrayLike = "P",
) -> tuple[FloatArray, ObjectArray | Any]:
    """Conventional cell of the most symmetric Bravais type that the metric allows.

    Parameters
    ----------
    cells : array-like of shape (n, 6) or (6,)
        a, b, c in Å, alpha, beta, gamma in degrees.
    length_tolerance, angle_tolerance : float
        Relative, and in degrees, as in `metric_symmetry`.
    centring : str or array-like of shape (n,) of str, default="P"
        Centring letter of all cells or of each, as in `primitive_cell`.

    Returns
    -------
    cells : ndarray of shape (n, 6) or (6,)
        Cells whose metric is close to that of the type, not forced to it; the reduced cell for
        aP, hexagonal axes for hR. NaN where the row is no cell.
    bravais : ndarray of shape (n,) of str, or str
        The Bravais type of each, None where the row is no cell.

    Notes
    -----
    The metric alone decides: a crystal may be less symmetric than its lattice. Of the bases of
    the type (see `bravais_distances`) the one with the least strain is taken.

    Examples
    --------
    >>> from crystalml.crystallography import conventional_cell
    >>> cell, bravais = conventional_cell([4.0, 4.0, 4.0, 60.0, 60.0, 60.0])
    >>> cell.round(4).tolist(), bravais
    ([5.6569, 5.6569, 5.6569, 90.0, 90.0, 90.0], 'cF')
    """
    cells, single = as_cells(cells, caller="conventional_cell")
    allowed = metric_symmetry(
        cells,
        length_tolerance=length_tolerance,
        angle_tolerance=angle_tolerance,
        centring=centring,
    )
    products, _ = niggli_products(cells, centring, caller="conventional_cell")
    order = [BRAVAIS_LATTICES.index(name) for name in _BY_SYMMETRY]
    bravais = np.array([*_BY_SYMMETRY, None], dtype=object)[
        np.where(allowed.any(axis=1), allowed[:, order].argmax(axis=1), len(order))
    ]
    found = products.copy()
    tolerances = length_tolerance, np.radians(angle_tolerance)
    with np.errstate(divide="ignore", invalid="ignore"):
        for chunk, bases in conventional_products(products):
            for name in set(bravais[chunk]) - {"aP", None}:
                rows = np.flatnonzero(bravais[chunk] == name)
                found[:, chunk.start + rows] = _least_strained(
                    bases[name][..., rows], name, tolerances
                )
    result = cells_from_products(found)
    return (result[0], bravais[0]) if single else (result, bravais)


def _least_strained(products, name, tolerances):
    """Choose for every row, of products (6, bases, rows), the basis with the least strain."""
    strain = SQUARED_STRAINS[name[0]](*products)
    # A basis within the tolerances before one that only has little strain.
    strain = np.where(FITS[name[0]](*products, *tolerances), strain, 1.0 + strain)
    best = np.nan_to_num(strain, nan=np.inf).argmin(axis=0)
    return products[:, best, np.arange(products.shape[2])]
