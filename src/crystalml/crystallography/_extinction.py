"""Space groups that systematic absences cannot tell apart."""

from functools import cache
from itertools import permutations, product

import gemmi
import numpy as np

from crystalml._typing import Integer
from crystalml.crystallography._spacegroups import crystal_system
from crystalml.exceptions import SpaceGroupError

# All residues of the indices modulo 12, the largest common denominator of a translation.
_LARGEST_INDEX = 6


def extinction_class(number: Integer) -> tuple[int, ...]:
    """Numbers of the space groups with the Laue class and the absences of a given one.

    A diffraction pattern shows the Laue class and which reflections are systematically absent;
    resonant scattering and intensity statistics aside, it cannot tell the groups of one class
    apart. The classes are derived from the symmetry operations: two groups are together when
    some choice of their axes gives them the same Laue group, orientation included, and the same
    absent reflections.

    Parameters
    ----------
    number : int
        International Tables number, 1-230.

    Returns
    -------
    tuple of int
        The International Tables numbers, ascending, `number` among them. The 122 different
        tuples partition 1-230.

    Raises
    ------
    SpaceGroupError
        If `number` is not an integer from 1 to 230.

    See Also
    --------
    spacegroups_of_extinction_symbol : The same from a symbol such as P n a -.
    find_spacegroup : From any symbol of a group to its number.

    Notes
    -----
    The axes matter where the lattice leaves a choice (orthorhombic: all six orders are tried),
    so that ``P n a 21`` and ``P n m a``, of extinction symbol P n a -, are together although
    their standard settings name the axes differently. Special positions can cause further
    absences, which say nothing about the group and are not considered.

    References
    ----------
    International Tables for Crystallography, vol. A, chapter 3.1 (5th edition, 2005).

    Examples
    --------
    >>> from crystalml.crystallography import extinction_class, spacegroup_symbol
    >>> extinction_class(14)
    (14,)
    >>> spacegroup_symbol(extinction_class(62)).tolist()
    ['P n a 21', 'P n m a']
    >>> extinction_class(225)
    (209, 216, 225)
    """
    # Numbers only: crystal_system raises for anything else, but also takes arrays.
    if np.ndim(number):
        raise SpaceGroupError(
            f"extinction_class: number is {number!r}, must be one integer from 1 to 230."
        )
    crystal_system(number)
    return _classes()[int(number)]


@cache
def _classes():
    """Map each number to its class."""
    members = {}
    for number in range(1, 231):
        members.setdefault(_fingerprint(number), []).append(number)
    return {number: tuple(group) for group in members.values() for number in group}


def _fingerprint(number):
    """Laue group and absent reflections, in the order of axes that sorts first."""
    group = gemmi.find_spacegroup_by_number(number)
    operations = group.operations()
    rotations = [np.array(operation.rot) // operation.DEN for operation in operations.sym_ops]
    laue = frozenset(tuple(rotation.ravel()) for half in rotations for rotation in (half, -half))
    free = group.crystal_system_str() == "orthorhombic"
    orders = permutations(range(3)) if free else [(0, 1, 2)]
    indices = _indices()
    absent = (
        operations.systematic_absences(np.ascontiguousarray(indices[:, order])) for order in orders
    )
    return laue, min(np.packbits(pattern).tobytes() for pattern in absent)


@cache
def count_absences(number: int) -> int:
    """Count the absent reflections among those that are compared."""
    operations = gemmi.find_spacegroup_by_number(number).operations()
    return int(np.sum(operations.systematic_absences(_indices())))


@cache
def _indices():
    """All reflections h k l up to the largest index, 0 0 0 left out."""
    span = range(-_LARGEST_INDEX, _LARGEST_INDEX + 1)
    indices = np.array(list(product(span, repeat=3)), dtype=np.int32)
    return indices[indices.any(axis=1)]
