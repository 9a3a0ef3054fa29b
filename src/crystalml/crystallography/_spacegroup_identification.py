"""Type of a space group whose operations are given in a setting that no table lists.

The axes are chosen as International Tables vol. A does, along the rotation axes of the point
group, which leaves a few right-handed bases to try; then an origin is sought that turns the
operations into those of a listed setting. Compare Grosse-Kunstleve (1999), Acta Cryst. A55,
383-395, and Hall (1981), Acta Cryst. A37, 517-525.
"""

from functools import cache
from typing import Any

import numpy as np

from crystalml._typing import FloatArray, IntArray, NDArray
from crystalml.crystallography._spacegroup_settings import listed_settings

# Lattice vectors are compared in steps of 1/144 of a cell edge: fine enough for every
# centring, and exact for all multiples of 1/2, 1/3 and their products.
_STEPS = 144


def identify(rotations, translations, *, tolerance=1e-6):
    """Find the number of the space group that all these operations, in cell units, are.

    `tolerance` says how exact the translations are, after they were added up some times. None
    if no listed setting can be reached.
    """
    rotations, translations = _in_primitive_cell(rotations, translations)
    if np.abs(rotations - np.rint(rotations)).max() > 1e-6:
        return None  # rounded or mistyped: such rotations leave no lattice unchanged
    rotations = np.rint(rotations)
    for basis in _standard_bases(rotations):
        number = _match(*_in_basis(rotations, translations, basis), tolerance)
        if number is not None:
            return number
    return None


def as_arrays(group):
    """Rotations (n, 3, 3) and translations (n, 3) of all operations, in cell units."""
    operations = list(group)
    denominator = operations[0].DEN
    rotations = np.array([operation.rot for operation in operations]) / denominator
    translations = np.array([operation.tran for operation in operations]) / denominator
    return rotations, translations


def _in_primitive_cell(rotations, translations):
    """Operations on a primitive cell with short edges, so that small coordinates suffice."""
    pure = (rotations == np.eye(3)).all(axis=(1, 2))
    cell = _lattice_basis(np.vstack([np.eye(3), translations[pure]])).T / _STEPS
    metric = cell.T @ _invariant_metric(rotations) @ cell
    cell = cell @ _short_edges(metric)
    inverse = np.linalg.inv(cell)
    return inverse @ rotations @ cell, translations @ inverse.T


def _invariant_metric(rotations):
    """Build a metric tensor that the point group leaves unchanged."""
    return np.einsum("nji,njk->ik", rotations, rotations)


def _short_edges(metric):
    """Columns of a unimodular change of basis after which no edge can be shortened by another."""
    edges = np.eye(3)
    shortened = True
    while shortened:
        shortened = False
        for i, j in ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)):
            other = edges[:, j]
            multiple = np.rint(edges[:, i] @ metric @ other / (other @ metric @ other) * (1 - 1e-9))
            edges[:, i] -= multiple * other
            shortened |= bool(multiple)
    return edges


def _standard_bases(rotations):
    """Bases (columns, right-handed) in which the table may list the group."""
    lattice, metric = _lattice_vectors(), _invariant_metric(rotations)
    proper = np.unique(rotations * np.linalg.det(rotations)[:, None, None].round(), axis=0)
    axes = {}
    for rotation in proper:
        order = {-1: 2, 0: 3, 1: 4, 2: 6, 3: 1}[round(np.trace(rotation))]
        axes.setdefault(order, []).append(rotation)
    if len(axes.get(3, ())) == 8:
        return _cubic_bases(axes, lattice)
    for order in (6, 4, 3):
        if order in axes:
            return _uniaxial_bases(axes[order][0], order, lattice, metric)
    if len(axes.get(2, ())) == 3:
        return [_right_handed([_along(rotation, lattice) for rotation in axes[2]])]
    if 2 in axes:
        unique = _along(axes[2][0], lattice)
        first, second = _plane_basis(axes[2][0], lattice, metric)
        return [_right_handed([first, unique, second])]
    return [np.eye(3)]


@cache
def _lattice_vectors():
    """All vectors of a primitive lattice with coordinates from -3 to 3, but the zero vector."""
    steps = np.arange(-3.0, 4.0)
    vectors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    return vectors[np.abs(vectors).max(axis=1) > 0]


def _along(rotation, lattice):
    """Shortest lattice vector along the axis of `rotation`."""
    fixed = lattice[np.abs(lattice @ rotation.T - lattice).max(axis=1) < 1e-9]
    return fixed[np.argmin((fixed**2).sum(axis=1))]


def _across(rotation, lattice):
    """Lattice vectors perpendicular to the axis: the sum over the axis' rotations kills them."""
    total, power = np.zeros((3, 3)), np.eye(3)
    while True:
        total, power = total + power, power @ rotation
        if np.allclose(power, np.eye(3)):
            break
    return lattice[np.abs(lattice @ total.T).max(axis=1) < 1e-9]


def _by_length(vectors, metric):
    """Sort vectors by their length in a metric that the point group leaves unchanged."""
    return vectors[np.argsort(np.einsum("ni,ij,nj->n", vectors, metric, vectors), kind="stable")]


def _plane_basis(rotation, lattice, metric):
    """Two shortest independent lattice vectors perpendicular to a twofold axis."""
    vectors = _by_length(_across(rotation, lattice), metric)
    independent = np.abs(np.cross(vectors[0], vectors)).max(axis=1) > 1e-9
    return vectors[0], vectors[independent][0]


def _right_handed(vectors):
    """Columns of a right-handed basis: the first vector is turned round if need be."""
    basis = np.array(vectors, dtype=float).T
    if np.linalg.det(basis) < 0:
        basis[:, 0] *= -1
    return basis


def _uniaxial_bases(rotation, order, lattice, metric):
    """Bases with c along the main axis; for trigonal lattices obverse and reverse."""
    c = _along(rotation, lattice)
    a = _by_length(_across(rotation, lattice), metric)[0]
    quarter_or_third = rotation @ rotation if order == 6 else rotation
    b = quarter_or_third @ a
    if np.linalg.det([a, b, c]) < 0:
        b = np.linalg.inv(quarter_or_third) @ a
    bases = [np.column_stack([a, b, c])]
    if order != 4:
        bases.append(np.column_stack([-a, -b, c]))
    return bases


def _cubic_bases(axes, lattice):
    """Cube edges along the fourfold (else twofold) axes, in both cyclic orders."""
    a = _along(axes.get(4, axes[2])[0], lattice)
    third = axes[3][0]
    b, c = third @ a, third @ third @ a
    if np.linalg.det([a, b, c]) < 0:
        b, c = c, b
    return [np.column_stack([a, b, c]), np.column_stack([b, a, -c])]


def _in_basis(
    rotations: IntArray | FloatArray, translations: FloatArray, basis: NDArray[Any]
) -> tuple[dict[bytes, FloatArray], IntArray]:
    """Operations in a new basis: {rotation: translation}, and a basis of the new lattice."""
    inverse = np.linalg.inv(basis)
    new_rotations = np.rint(inverse @ rotations @ basis).astype(np.int64)
    new_translations = translations @ inverse.T
    pure = (new_rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2))
    lattice = _lattice_basis(np.vstack([inverse.T, new_translations[pure]]))
    keys = (rotation.tobytes() for rotation in new_rotations)
    return dict(zip(keys, new_translations, strict=True)), lattice


def _lattice_basis(vectors):
    """Hermite normal form of the lattice that `vectors` span: the same for the same lattice."""
    steps = np.rint(vectors * _STEPS).astype(np.int64)
    reduced, _, _ = _row_echelon(steps)
    basis = reduced[:3]
    for row in (1, 2):
        above = basis[:row, row] // basis[row, row]
        basis[:row] -= above[:, None] * basis[row]
    return basis


def _row_echelon(matrix):
    """Integer row echelon form (pivots > 0), the row operations that lead to it, the rank."""
    n_rows, n_columns = matrix.shape
    joined = np.hstack([matrix, np.eye(n_rows, dtype=np.int64)])
    rank = 0
    for column in range(n_columns):
        while np.any(joined[rank:, column]):
            rows = rank + np.flatnonzero(joined[rank:, column])
            pivot = rows[np.argmin(np.abs(joined[rows, column]))]
            joined[[rank, pivot]] = joined[[pivot, rank]]
            joined[rank] *= np.sign(joined[rank, column])
            below = joined[rank + 1 :]
            below -= (below[:, column] // joined[rank, column])[:, None] * joined[rank]
            if not np.any(below[:, column]):
                rank += 1
                break
    return joined[:, :n_columns], joined[:, n_columns:], rank


@cache
def _listed_operations():
    """Group the listed settings by their rotations and lattice, of which they have a few."""
    listed = {}
    for setting, group in listed_settings():
        rotations, translations = as_arrays(group.operations())
        representatives, lattice = _in_basis(rotations, translations, np.eye(3))
        key = (tuple(sorted(representatives)), lattice.tobytes())
        rows = np.array([representatives[rotation] for rotation in key[0]])
        listed.setdefault(key, []).append((setting.number, rows))
    return listed


def _match(representatives, lattice, tolerance):
    """Find the number of the listed setting that an origin shift leads to, or None."""
    key = (tuple(sorted(representatives)), lattice.tobytes())
    listed = _listed_operations().get(key)
    if listed is None:
        return None
    wanted = np.array([representatives[rotation] for rotation in key[0]])
    differences = np.array([rows - wanted for _, rows in listed]) @ np.linalg.inv(lattice / _STEPS)
    conditions = differences.reshape(len(listed), -1) @ _solvability(*key).T
    errors = np.abs(conditions - np.rint(conditions)).max(axis=1, initial=0.0)
    best = np.argmin(errors)
    return listed[best][0] if errors[best] < tolerance else None


@cache
def _solvability(rotations, lattice):
    """Integer combinations of the translations that no shift of the origin can change.

    A shift s of the origin adds (I - W) s to the translation of an operation with rotation W.
    With s free, the stacked equations have a solution modulo the lattice exactly if every
    integer combination of them that cancels s also cancels the right-hand side.
    """
    to_cell = (np.frombuffer(lattice, dtype=np.int64).reshape(3, 3) / _STEPS).T
    shifts = np.array(
        [np.eye(3) - np.frombuffer(w, dtype=np.int64).reshape(3, 3) for w in rotations]
    )
    primitive = np.linalg.inv(to_cell) @ shifts @ to_cell
    _, operations, rank = _row_echelon(np.rint(primitive).astype(np.int64).reshape(-1, 3))
    return operations[rank:]
