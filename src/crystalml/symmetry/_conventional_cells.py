"""Cells in one setting, so that cells of like crystals are alike."""

import numpy as np

from crystalml.crystallography import niggli_cell
from crystalml.crystallography._cell import hexagonal_lengths
from crystalml.symmetry._cell_model._shapes import cells_to_shapes, constrain, family_codes
from crystalml.symmetry._cell_model._shapes import lattice_codes as codes_of

# Cells whose shape is further from what the lattice asks, in logarithms and radians, contradict it.
CONTRADICTION = 0.02
_HR = codes_of(["hR"])[0]
_MP = codes_of(["mP"])[0]
# Which axis becomes a, b and c, by which axis is the unique one; all are cyclic.
_UNIQUE_TO_B = np.array([[2, 0, 1], [0, 1, 2], [1, 2, 0]])
_UNIQUE_TO_C = np.array([[1, 2, 0], [2, 0, 1], [0, 1, 2]])


def conventional_cells(cells, codes, *, axes):
    """Bring cells into the setting in which shapes are learned.

    Always: b is the unique axis of monoclinic cells, with an obtuse beta; c that of tetragonal,
    hexagonal and rhombohedral ones, the last on hexagonal axes. With ``axes="standardized"`` also:
    orthorhombic axes in the order of their lengths, the shortest two translations of the a, c
    plane in primitive monoclinic cells, and Niggli's reduced cell where the crystal is triclinic.

    Parameters
    ----------
    cells : ndarray of shape (n, 6)
        Possible cells, in Å and degrees.
    codes : ndarray of shape (n,)
        Codes of their Bravais lattices.
    axes : {"as given", "standardized"}
        See above.

    Returns
    -------
    cells : ndarray of shape (n, 6)
        Cells in the new setting, not yet made to obey the lattice exactly.
    multiples : ndarray of shape (n,)
        How often the old cell goes into the new one: 3 for rhombohedral axes, else 1.
    contradicts : ndarray of shape (n,), bool
        Whether the metric is not that of the Bravais lattice.
    """
    # A copy, since rows are replaced below.
    cells = np.array(cells, dtype=float)
    family = family_codes(codes)
    multiples = np.ones(len(cells))
    rows = np.flatnonzero((codes == _HR) & ~_has_hexagonal_angles(cells))
    cells[rows], multiples[rows] = _hexagonal_axes(cells[rows]), 3.0
    rows = np.flatnonzero(family == 1)
    unique = np.abs(cells[rows, 3:] - 90.0).argmax(axis=1)
    cells[rows] = _obtuse(_reorder(cells[rows], _UNIQUE_TO_B[unique]))
    rows = np.flatnonzero(family == 3)
    cells[rows] = _reorder(cells[rows], _UNIQUE_TO_C[_odd_one_out(cells[rows, :3])])
    rows = np.flatnonzero(family == 4)
    unique = np.abs(cells[rows, 3:] - 90.0).argmax(axis=1)
    cells[rows] = _reorder(cells[rows], _UNIQUE_TO_C[unique])
    if axes == "standardized":
        _standardize(cells, codes, family)
    shapes, _ = cells_to_shapes(cells)
    misfit = np.abs(shapes - constrain(shapes, codes)).max(axis=1, initial=0.0)
    # Not `>`, which a cell without a shape, NaN, would pass as none.
    return cells, multiples, ~(misfit <= CONTRADICTION)


def _standardize(cells, codes, family):
    """Choose the axes that symmetry leaves open, in place."""
    rows = np.flatnonzero(family == 2)
    cells[rows, :3] = np.sort(cells[rows, :3], axis=1)
    rows = np.flatnonzero(codes == _MP)
    cells[rows] = _shortest_plane(cells[rows])
    rows = np.flatnonzero(family == 0)
    cells[rows] = niggli_cell(cells[rows])


def _has_hexagonal_angles(cells):
    """Tell cells of which one angle is near 120 degrees and the others are right."""
    angles = np.sort(np.abs(cells[:, 3:] - 90.0), axis=1)
    return (angles[:, 1] < 1.0) & (np.abs(angles[:, 2] - 30.0) < 1.0)


def _hexagonal_axes(cells):
    """Turn rhombohedral cells (a, alpha) into their hexagonal triple cells."""
    length = np.cbrt(cells[:, :3].prod(axis=1))
    a, c = hexagonal_lengths(length, cells[:, 3:].mean(axis=1))
    # A cell that is none of these keeps its spread, and so its contradiction.
    result = np.column_stack([a, a, c, *np.full((3, len(cells)), 90.0)])
    result[:, 5] = 120.0
    result[:, :3] *= cells[:, :3] / length[:, None]
    result[:, 3:] += cells[:, 3:] - cells[:, 3:].mean(axis=1, keepdims=True)
    return result


def _odd_one_out(lengths):
    """Return the axis whose length differs from the other two, which are closest."""
    logarithms = np.log(lengths)
    gaps = np.abs(logarithms[:, [1, 2, 0]] - logarithms[:, [2, 0, 1]])
    # In doubt c: a cell that is nearly a cube stays as it is.
    gaps[:, 2] -= 1e-4
    return gaps.argmin(axis=1)


def _reorder(cells, axes):
    """Permute the axes, and with them the angles opposite to them."""
    return np.take_along_axis(cells, np.concatenate([axes, axes + 3], axis=1), axis=1)


def _obtuse(cells):
    """Invert a where beta is acute."""
    cells[:, 4] = 90.0 + np.abs(cells[:, 4] - 90.0)
    return cells


def _shortest_plane(cells):
    """Take the two shortest translations of the a, c plane, a <= c and beta obtuse."""
    a2, c2 = cells[:, 0] ** 2, cells[:, 2] ** 2
    product = cells[:, 0] * cells[:, 2] * np.cos(np.radians(cells[:, 4]))
    for _ in range(100):  # the number of steps grows with the logarithm of the elongation
        # Gauss reduces a plane by lengths and scalar product alone: no vectors are needed.
        a2, c2 = np.minimum(a2, c2), np.maximum(a2, c2)
        steps = np.rint(product / a2)
        if not steps.any():
            break
        c2 = c2 - 2.0 * steps * product + steps**2 * a2
        product = product - steps * a2
    result = cells.copy()
    result[:, 0], result[:, 2] = np.sqrt(a2), np.sqrt(c2)
    result[:, 4] = 90.0 + np.degrees(np.arcsin(np.abs(product) / np.sqrt(a2 * c2)))
    return result
