"""Space groups as numbers: family, centring, point group, and the metric that each needs."""

from typing import NamedTuple

import gemmi
import numpy as np

from crystalml.crystallography import bravais_lattice, is_centrosymmetric, point_group
from crystalml.known_crystals._descriptions import METRIC_TOLERANCE

# Orders of the point groups of the lattices that `VECTOR_LATTICES` names.
VECTOR_LATTICE_ORDERS = np.array([2, 4, 8, 16, 24, 48])


class GroupTable(NamedTuple):
    """Properties of space groups, one entry of each array per group."""

    numbers: np.ndarray
    family: np.ndarray
    """Crystal family: place in `VECTOR_LATTICES`."""
    columns: np.ndarray
    """Float columns: number, family, centring, centrosymmetry, point group, multiplicity."""
    general_multiplicity: np.ndarray
    """Points that a general position has in the conventional cell."""

    @classmethod
    def of(cls, numbers):
        """Look the groups up."""
        numbers = np.asarray(numbers, dtype=np.int64)
        lattices = bravais_lattice(numbers)
        families = "amothc"
        family = np.array([families.index(name[0]) for name in lattices])
        centring = np.array(["PSIFR".index(name[1]) for name in lattices])
        every = list(dict.fromkeys(point_group(np.arange(1, 231))))
        classes = np.array([every.index(name) for name in point_group(numbers)])
        centric = np.asarray(is_centrosymmetric(numbers))
        multiplicity = np.array([_multiplicity(int(number)) for number in numbers])
        columns = [numbers, family, centring, centric, classes, np.log(multiplicity)]
        return cls(numbers, family, np.column_stack(columns).astype(np.float32), multiplicity)

    def metric_compatibility(self, strains):
        """Compare the metric of each row with the metric of each group.

        Parameters
        ----------
        strains : ndarray of shape (n, 6)
            Strain to each of `VECTOR_LATTICES`.

        Returns
        -------
        strain : ndarray of shape (n, n_groups)
            Strain to the metric of the group.
        excess : ndarray of shape (n, n_groups)
            How many times more symmetric the metric is than the group.
        """
        order = (VECTOR_LATTICE_ORDERS * (strains < METRIC_TOLERANCE)).max(axis=1)
        return strains[:, self.family], order[:, None] / VECTOR_LATTICE_ORDERS[self.family]


def _multiplicity(number):
    """Operations of a group, centring translations included."""
    operations = gemmi.find_spacegroup_by_number(number).operations()
    return len(operations.sym_ops) * len(operations.cen_ops)
