"""The registry of cell descriptors: a name, and the arithmetic behind it."""

from functools import cached_property

import numpy as np

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    bravais_distances,
    cell_volume,
    niggli_cell,
)

# Niggli reduction and the distances keep some hundred numbers per row while they work.
ROWS_PER_CHUNK = 8192


class CellQuantities:
    """Quantities of n cells that several features share, each computed when first asked for."""

    def __init__(self, cells, volume):
        """Hold cells of shape (n, 6), and measured volumes (NaN where not given) or None."""
        self.cells = cells
        self.a, self.b, self.c, self.alpha, self.beta, self.gamma = cells.T
        self._measured = volume

    @cached_property
    def cosines(self):
        # By the complement, so that a right angle has the cosine 0 and not 6e-17.
        return np.sin(np.deg2rad(90.0 - self.cells[:, 3:]))

    @cached_property
    def formula_volume(self):
        return cell_volume(self.cells)

    @cached_property
    def volume(self):
        """The measured volume where given, else the one of the formula."""
        if self._measured is None:
            return self.formula_volume
        return np.where(np.isnan(self._measured), self.formula_volume, self._measured)

    @cached_property
    def edge_product(self):
        return self.a * self.b * self.c

    @cached_property
    def niggli(self):
        """The same quantities of the reduced cell, which encloses the same volume."""
        return CellQuantities(niggli_cell(self.cells), self.volume)

    @cached_property
    def distances(self):
        return bravais_distances(self.cells)


# What can be computed of the given cell and of the reduced cell alike.
# Default arguments bind the name of each turn; without them, all would see the last one.
_PARAMETERS = {name: lambda q, name=name: getattr(q, name) for name in CELL_COLUMNS}
_COSINES = {
    f"cos_{name}": lambda q, axis=axis: q.cosines[:, axis]
    for axis, name in enumerate(CELL_COLUMNS[3:])
}
_RATIOS = {
    "b_over_a": lambda q: q.b / q.a,
    "c_over_a": lambda q: q.c / q.a,
    "c_over_b": lambda q: q.c / q.b,
    "anisotropy": lambda q: np.abs(q.a - q.c) / (q.a + q.c),
}
_SHAPE = {
    "edge_product": lambda q: q.edge_product,
    "shape_factor": lambda q: q.edge_product / q.volume,
}
_ANGLE_DEVIATIONS = {
    f"{name}_deviation": lambda q, name=name: np.abs(getattr(q, name) - 90.0)
    for name in CELL_COLUMNS[3:]
}
_EITHER_CELL = {
    "parameters": _PARAMETERS,
    "cosines": _COSINES,
    "ratios": _RATIOS,
    "shape": _SHAPE,
    "angle_deviations": _ANGLE_DEVIATIONS,
}
# The volume is that of the lattice, whatever cell describes it.
_VOLUME = {
    "v_formula": lambda q: q.formula_volume,
    "inverse_volume": lambda q: 1.0 / q.volume,
}


def _of_niggli(features):
    """Apply features to the reduced cell, under names that say so."""
    return {
        f"niggli_{name}": lambda q, compute=compute: compute(q.niggli)
        for name, compute in features.items()
    }


_BY_GROUP = {
    **_EITHER_CELL,
    "volume": _VOLUME,
    **{f"niggli_{group}": _of_niggli(features) for group, features in _EITHER_CELL.items()},
    "metric_symmetry": {
        f"distance_{symbol}": lambda q, column=column: q.distances[:, column]
        for column, symbol in enumerate(BRAVAIS_LATTICES)
    },
}
FEATURES = {name: compute for group in _BY_GROUP.values() for name, compute in group.items()}
GROUPS = {group: tuple(features) for group, features in _BY_GROUP.items()}
GROUPS["niggli"] = tuple(name for name in FEATURES if name.startswith("niggli_"))
GROUPS["default"] = tuple(FEATURES)


def compute_features(names, cells, volume):
    """Fill a block of shape (n, len(names)) with the named features, chunk by chunk."""
    block = np.empty((len(cells), len(names)))
    for start in range(0, len(cells), ROWS_PER_CHUNK):
        rows = slice(start, start + ROWS_PER_CHUNK)
        # Held for one chunk alone, whatever features ask for it.
        quantities = CellQuantities(cells[rows], None if volume is None else volume[rows])
        for column, name in enumerate(names):
            block[rows, column] = FEATURES[name](quantities)
    return block
