"""Cell volumes, Niggli reduction and metric symmetry beside gemmi, spglib and pymatgen."""

import warnings

import gemmi
import numpy as np
import pandas as pd
import spglib
from pymatgen.core import Lattice

from _harness import SHARED_DATA, Row, compare
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    bravais_distances,
    cell_volume,
    lattice_vectors,
    metric_symmetry,
    niggli_cell,
    primitive_cell,
)

# Peers that take one cell at a time do this many, and are scaled to the whole.
PART = 2_000
PYMATGEN_PART = 200


def benchmarks() -> list[Row]:
    warnings.filterwarnings("ignore", "Set OLD_ERROR_HANDLING", DeprecationWarning)
    rows = [*volumes("10,000 random", random_cells()), *reduction("10,000 random", random_cells())]
    path = SHARED_DATA / "cod_cells.csv.gz"
    if path.is_file():
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
        cells = table[list(CELL_COLUMNS)].to_numpy()
        primitive = primitive_cell(cells, table["spacegroup_symbol"].str[0].to_numpy())
        rows += volumes("COD", cells)
        rows += reduction("COD", cells)
        rows += reduction("COD primitive", primitive)
        rows += symmetry("COD primitive", primitive)
    return rows


def random_cells(n=10_000):
    rng = np.random.default_rng(0)
    cells = np.hstack([rng.uniform(1.0, 30.0, (4 * n, 3)), rng.uniform(20.0, 160.0, (4 * n, 3))])
    return cells[~np.isnan(cell_volume(cells))][:n]


def volumes(name, cells):
    part = cells[:PART]
    return compare(
        f"cell volumes, {name}",
        lambda: cell_volume(cells),
        {
            "pymatgen Lattice.volume": (
                lambda: [Lattice.from_parameters(*cell).volume for cell in part],
                300,
                len(cells) / len(part),
            ),
            "gemmi UnitCell.volume": (
                lambda: [gemmi.UnitCell(*cell).volume for cell in part],
                None,
                len(cells) / len(part),
            ),
        },
    )


def reduction(name, cells):
    part, vectors = cells[:PART], lattice_vectors(cells[:PART])
    lattices = [Lattice(rows) for rows in vectors[:PYMATGEN_PART]]
    return compare(
        f"Niggli cells, {name}",
        lambda: niggli_cell(cells),
        {
            "spglib niggli_reduce": (
                lambda: [spglib.niggli_reduce(rows) for rows in vectors],
                5,
                len(cells) / len(part),
            ),
            "pymatgen get_niggli_reduced_lattice": (
                lambda: [lattice.get_niggli_reduced_lattice() for lattice in lattices],
                400,
                len(cells) / len(lattices),
            ),
            "gemmi GruberVector": (
                lambda: [gemmi_niggli(cell) for cell in part],
                None,
                len(cells) / len(part),
            ),
        },
    )


def gemmi_niggli(cell):
    vector = gemmi.GruberVector(gemmi.UnitCell(*cell), "P")
    vector.niggli_reduce()
    return vector.cell_parameters()


def symmetry(name, cells):
    """Compare with the symmetry of one atom at the origin; ours judges all 14 types."""
    vectors = lattice_vectors(cells[:PART])
    reduced = [gemmi.UnitCell(*cell) for cell in niggli_cell(cells[:PART])]
    peers = {
        "spglib get_spacegroup": (
            lambda: [spglib.get_spacegroup((rows, [[0, 0, 0]], [1])) for rows in vectors],
            None,
            len(cells) / PART,
        ),
        "gemmi find_lattice_symmetry_r": (
            lambda: [gemmi.find_lattice_symmetry_r(cell, 0.2) for cell in reduced],
            None,
            len(cells) / PART,
        ),
    }
    return [
        *compare(
            f"distances to the Bravais types, {name}", lambda: bravais_distances(cells), peers
        ),
        *compare(f"metric symmetry, {name}", lambda: metric_symmetry(cells), peers),
    ]
