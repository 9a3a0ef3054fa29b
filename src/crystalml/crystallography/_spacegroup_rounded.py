"""Symmetry operations whose translations are rounded, as programs write them for odd origins.

Of an origin at 0.724 of a cell edge, a file has translations such as 29/40 or 347/863: no
fraction that a table could list. Rotations stay exact, and so does, but for rounding, what the
translations say about the type of the group.
"""

import re
from itertools import product

import gemmi
import numpy as np

from crystalml.crystallography._spacegroup_identification import identify
from crystalml.crystallography._spacegroup_settings import unlisted_setting

# Translations are given to about 0.001. Those that tell groups apart differ by 1/24 or more.
_ROUNDING = 0.005
_ADDED_ROUNDING = 0.02

_TERM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)?(?:/(\d+))?\*?([xyz]?)")


def setting_of_rounded_operations(texts):
    """Find the setting of lower-case triplets, or None where they are no group."""
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
    number = identify(rotations, translations, tolerance=_ADDED_ROUNDING)
    pure = cosets[tuple(np.eye(3).ravel())]
    return unlisted_setting(number, _centring_letter(pure)) if number else None


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


def _centring_letter(pure):
    """Letter of the centring with these translations, or nothing."""
    operations = []
    for translation in pure:
        operation = gemmi.Op("x,y,z")
        operation.tran = np.rint(translation * operation.DEN).astype(int).tolist()
        operations.append(operation.wrap())
    return gemmi.GroupOps(operations).find_centering().strip("\0")
