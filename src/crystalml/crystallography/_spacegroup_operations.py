"""Which space group a list of symmetry operations is, in any setting.

Operations with exact fractions are looked up in gemmi's table of settings. What the table does
not list (a shifted origin, a multiplied cell, unusual axes) and what is written with rounded
decimals goes to moyopy, on a primitive cell.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import product

import gemmi
import numpy as np

from crystalml.crystallography._spacegroup_settings import (
    SpaceGroupSetting,
    listed_setting,
    unlisted_setting,
)
from crystalml.exceptions import SpaceGroupError

# Some files number their operations inside the text: "1 x,y,z", "(2) -x,-y,-z".
_LEADING_COUNT = re.compile(r"^\(?\d+\)?[\s:]+(?=[-+xyz.\d])")
_LONGEST_KEPT = 16_384  # characters of a list that is remembered
_IDENTITY = gemmi.Op("x,y,z")
_TERM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)?(?:/(\d+))?\*?([xyz]?)")

# Tolerances of translations, in cell edges: of exact ones, of rounded ones (as files write them
# for odd origins, to about 0.001), and of sums of rounded ones. Translations that tell groups
# apart differ by 1/24 or more.
_EXACT, _ROUNDING, _ADDED_ROUNDING = 1e-4, 0.005, 0.02


def spacegroup_from_operations(operations: Iterable[str]) -> SpaceGroupSetting | None:
    """Find the space group whose symmetry operations are given.

    Parameters
    ----------
    operations : sequence of str
        Coordinate triplets as in CIF, such as ``"-x, y+1/2, -z+1/2"``, in any order, upper or
        lower case, with fractions or decimals. Repeated operations, operations that differ by
        a lattice translation and a missing identity do no harm.

    Returns
    -------
    SpaceGroupSetting or None
        None when a text is no coordinate triplet or when the operations are no group: a list
        with operations missing is not completed. A setting that no table lists (a shifted
        origin, a multiplied cell, unusual axes) has the right number and an empty Hall symbol.

    Raises
    ------
    SpaceGroupError
        If `operations` is one string instead of a sequence of strings.

    Examples
    --------
    >>> from crystalml.crystallography import spacegroup_from_operations
    >>> spacegroup_from_operations(["x,y,z", "-X, 1/2+Y, .5-Z", "-x,-y,-z", "x,1/2-y,1/2+z"])
    SpaceGroupSetting(number=14, hm='P 1 21/c 1', hall='-P 2ybc', qualifier='', centring='P')
    >>> spacegroup_from_operations(["x,y,z", "-y,x,z"]) is None
    True
    """
    if isinstance(operations, str):
        raise SpaceGroupError(
            f"spacegroup_from_operations: operations is the string {operations!r}, must be a "
            "sequence of strings, one for each operation; split it first."
        )
    texts = tuple(operations)
    return (_known if sum(map(len, texts)) <= _LONGEST_KEPT else _from_texts)(texts)


def _from_texts(texts):
    """Look up a tuple of coordinate triplets."""
    if not texts:
        return None
    plain = [_LEADING_COUNT.sub("", text.strip(" \t\r\n'\";,").lower()) for text in texts]
    try:
        return _setting_of_exact([_parsed(text) for text in plain])
    except (RuntimeError, ValueError):
        # How gemmi says that a text is no triplet, that a translation is no multiple of 1/24,
        # or that the operations generate no end.
        return _setting_of_rounded(plain)


_known = lru_cache(maxsize=4096)(_from_texts)  # most files share few lists


def _parsed(text):
    """Read one triplet, with its translation brought into [0, 1)."""
    if not set(text) <= set("xyz0123456789+-*/., \t"):
        raise ValueError(text)
    operation = gemmi.Op(text).wrap()
    if abs(operation.det_rot()) != operation.DEN**3:
        raise ValueError(text)
    return operation


def _setting_of_exact(operations):
    """Find the setting of wrapped gemmi operations, or None where they are no group."""
    distinct = {operation.triplet(): operation for operation in (_IDENTITY, *operations)}
    group = gemmi.GroupOps(list(distinct.values()))
    # gemmi splits the list into centring vectors times representatives and multiplies them
    # out again; neither that nor completion may add anything.
    if len(group) != len(distinct):
        return None
    group.add_missing_elements()
    if len(group) != len(distinct):
        return None
    return setting_of_group(group)


def setting_of_group(group):
    """Find the setting of a complete gemmi GroupOps, or None where it cannot be identified."""
    listed = gemmi.find_spacegroup_by_ops(group)
    if listed:
        return listed_setting(listed)
    # Of a Hall symbol such as "-P 1a", gemmi keeps lattice translations among the other operations;
    # built from the whole list, the group has them with the centrings.
    group = gemmi.GroupOps(list(group))
    scale = gemmi.Op.DEN
    rotations = np.array([operation.rot for operation in group.sym_ops]) / scale
    translations = np.array([operation.tran for operation in group.sym_ops]) / scale
    number = _identify(rotations, translations, np.array(group.cen_ops) / scale, _EXACT)
    return unlisted_setting(number, group.find_centering().strip("\0")) if number else None


def _setting_of_rounded(texts):
    """Find the setting of lower-case triplets with rounded translations, or None.

    Of an origin at 0.724 of a cell edge, a file has translations such as 29/40 or 347/863: no
    fraction that a table could list. Rotations stay exact, and so does, but for rounding, what
    the translations say about the type of the group.
    """
    matrices = [_matrix(text) for text in texts]
    if any(matrix is None for matrix in matrices):
        return None
    augmented = np.array([np.eye(3, 4), *matrices])
    rotations, translations = augmented[:, :, :3], augmented[:, :, 3]
    if not np.allclose(np.abs(np.linalg.det(rotations)), 1):
        return None
    cosets = {}
    for rotation, translation in zip(rotations, translations, strict=True):
        members = cosets.setdefault(tuple(rotation.ravel()), [])
        if not _contains(members, translation):
            members.append(translation)
    if not _is_group(cosets):
        return None
    centrings = np.array(cosets[tuple(np.eye(3).ravel())])
    # Lattice translations return to the lattice when they are repeated as often as there are
    # of them, so that the exact fractions behind the rounded ones are known.
    centrings = np.rint(centrings * len(centrings)) / len(centrings)
    number = _identify(
        np.reshape(list(cosets), (-1, 3, 3)),
        np.array([members[0] for members in cosets.values()]),
        centrings,
        _ADDED_ROUNDING,
    )
    return unlisted_setting(number, _centring_letter(centrings)) if number else None


def _matrix(text):
    """Read a triplet as a (3, 4) array, or None."""
    parts = re.sub(r"\s", "", text).split(",")
    if len(parts) != 3:
        return None
    matrix = np.zeros((3, 4))
    for row, part in zip(matrix, parts, strict=True):
        terms = re.findall(r"[+-]?[^+-]+", part)
        if not terms or "".join(terms) != part:
            return None
        for term in terms:
            match = _TERM.fullmatch(term)
            if not match or not (match[2] or match[4]) or (match[3] and not int(match[3])):
                return None
            value = float(match[2] or 1) / int(match[3] or 1)
            row["xyz1".index(match[4] or "1")] += -value if match[1] == "-" else value
    return matrix


def _contains(vectors, vector):
    """Whether a vector is among others, up to whole cell edges and rounding."""
    if not len(vectors):
        return False
    differences = np.asarray(vectors) - vector
    return bool((np.abs(differences - np.rint(differences)).max(axis=1) < _ROUNDING).any())


def _is_group(cosets):
    """Whether every product of two operations is again one of them."""
    identity = tuple(np.eye(3).ravel())
    centring = cosets[identity]
    if len(cosets) > 48 or any(len(members) != len(centring) for members in cosets.values()):
        return False
    for (one, (first, *_)), (other, (second, *_)) in product(cosets.items(), repeat=2):
        rotation = np.reshape(one, (3, 3))
        result = cosets.get(tuple((rotation @ np.reshape(other, (3, 3))).ravel()))
        if result is None or not _contains(result, rotation @ second + first):
            return False
    return all(_contains(centring, a + b) for a, b in product(centring, repeat=2))


def _centring_letter(centrings):
    """Letter of the centring with these translations, or nothing."""
    operations = []
    for translation in centrings:
        operation = gemmi.Op("x,y,z")
        operation.tran = np.rint(translation * operation.DEN).astype(int).tolist()
        operations.append(operation.wrap())
    return gemmi.GroupOps(operations).find_centering().strip("\0")


def _identify(rotations, translations, centrings, tolerance):
    """Find the number of a group that is closed, or None where its lattice has no such rotations.

    Parameters
    ----------
    rotations : ndarray of shape (n, 3, 3)
        All different; in cell units, as are the translations.
    translations : ndarray of shape (n, 3)
        One for each rotation.
    centrings : ndarray of shape (m, 3)
        Lattice translations within the cell, the null vector among them.
    tolerance : float
        How exact the translations are.
    """
    import moyopy  # here, as few files need it, and readers of CIFs start faster without it

    cell = _primitive_cell(centrings)
    inverse = np.linalg.inv(cell)
    primitive = inverse.T @ rotations @ cell.T
    whole = np.rint(primitive).astype(int)
    if np.abs(primitive - whole).max() > 1e-6:
        return None  # rounded or mistyped: such rotations leave no lattice unchanged
    # Any metric that the rotations leave unchanged will do, for instance this sum.
    metric = np.einsum("nji,njk->ik", rotations, rotations)
    basis = cell @ np.linalg.cholesky(metric)
    try:
        group = moyopy.SpaceGroup(
            whole.tolist(),
            (translations @ inverse).tolist(),
            basis=basis.tolist(),
            epsilon=tolerance,
        )
    except ValueError:  # how moyopy says that no group has these translations
        return None
    return group.number


def _primitive_cell(centrings):
    """Rows of a right-handed basis of the lattice: its echelon form."""
    vectors = np.vstack([centrings % 1.0, np.eye(3)])
    rows = []
    for axis in range(3):
        reduced = vectors[(vectors[:, :axis] == 0).all(axis=1) & (vectors[:, axis] > 0)]
        rows.append(reduced[np.argmin(reduced[:, axis])])
    return np.array(rows)
