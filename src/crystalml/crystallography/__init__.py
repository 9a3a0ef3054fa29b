"""Cells, space groups and formulas: the mathematics that everything else stands on."""

from crystalml.crystallography._cell import (
    cell_from_metric,
    cell_problems,
    cell_volume,
    lattice_vectors,
    metric_tensor,
    reciprocal_cell,
    validate_cells,
)

__all__ = [
    "cell_from_metric",
    "cell_problems",
    "cell_volume",
    "lattice_vectors",
    "metric_tensor",
    "reciprocal_cell",
    "validate_cells",
]
