"""
CIF files as one table, and their cells to scale
================================================

A folder of CIF files becomes one table with :func:`crystalml.read_cifs`. Here the folder is the
one of eight minerals that ASE brings along, copied from the Crystallography Open Database. The
columns of the table go straight into the functions of :mod:`crystalml.crystallography`, which
give us the edges of every cell to draw.
"""

# %%
# Read the folder
# ---------------
# Each data block is a row. ``status`` says how the reading went, and ``flags`` would name every
# repair and every contradiction; these files are clean.

from importlib.resources import files
from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from crystalml import read_cifs
from crystalml.crystallography import CRYSTAL_SYSTEMS, lattice_vectors

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]

table = read_cifs(files("ase") / "test" / "testdata" / "minerals", progress=False)
columns = ["mineral", "formula", "status", *CELL, "spacegroup_hm", "spacegroup_number"]
print(table[columns].to_string(index=False))

# %%
# The space-group number was reconciled from all that a file says about it: here the symmetry
# operations decided, and the symbols agreed.

print(table[["mineral", "spacegroup_source", "bravais_lattice"]].to_string(index=False))

# %%
# Draw the cells
# --------------
# ``lattice_vectors`` gives the three edges of every cell in Cartesian coordinates. The eight
# corners follow by adding them up, and a parallel projection puts them on paper. All cells share
# one scale, so that the layers of molybdenite stand out.

table = table.sort_values("v_formula", ignore_index=True)
vectors = lattice_vectors(table[CELL].to_numpy())  # (n, 3, 3), rows a, b, c
CORNERS = np.array(list(product((0, 1), repeat=3)))  # (8, 3)
EDGES = [(i, j) for i, j in product(range(8), repeat=2) if (CORNERS[j] - CORNERS[i]).sum() == 1
         and (CORNERS[j] >= CORNERS[i]).all()]  # fmt: skip
EDGE_NAMES = dict(zip(("a", "b", "c"), ("#0072B2", "#D55E00", "#009E73"), strict=True))
FILLS = dict(
    zip(
        CRYSTAL_SYSTEMS,
        ("#999999", "#56B4E9", "#E69F00", "#F0E442", "#CC79A7", "#009E73", "#0072B2"),
        strict=True,
    )
)
FACES = [[0, 1, 3, 2], [0, 1, 5, 4], [0, 2, 6, 4], [7, 6, 4, 5], [7, 6, 2, 3], [7, 5, 1, 3]]


def project(points, azimuth=-40.0, elevation=20.0):
    """Parallel projection of points (..., 3) in Å to the paper, by two angles in degrees."""
    azimuth, elevation = np.radians([azimuth, elevation])
    x, y, z = np.moveaxis(np.asarray(points), -1, 0)
    across = x * np.cos(azimuth) - y * np.sin(azimuth)
    depth = x * np.sin(azimuth) + y * np.cos(azimuth)
    return np.stack([across, z * np.cos(elevation) + depth * np.sin(elevation)], axis=-1)


figure, ax = plt.subplots(figsize=(11.5, 3.9), layout="constrained")
left, ticks = 0.0, []
for row, edges in zip(table.itertuples(), vectors, strict=True):
    corners = project(CORNERS @ edges)
    corners += [left - corners[:, 0].min(), -corners[:, 1].min()]
    for face in FACES:
        ax.fill(*corners[face].T, color=FILLS[row.crystal_system], alpha=0.13, linewidth=0)
    for start, end in EDGES:
        name = "abc"[int(np.flatnonzero(CORNERS[end] - CORNERS[start])[0])]
        style = {"color": EDGE_NAMES[name], "linewidth": 2.6} if start == 0 else {}
        ax.plot(*corners[[start, end]].T, **{"color": "#444444", "linewidth": 0.9, **style})
    width = np.ptp(corners[:, 0])
    ticks.append((left + width / 2, f"{row.mineral}\n{row.spacegroup_hm}\n{row.v_formula:.0f} Å³"))
    ax.text(left + width / 2, corners[:, 1].max() + 0.4, row.crystal_system, ha="center", size=9)
    left += max(width, 7.0) + 2.0

for name, color in EDGE_NAMES.items():
    ax.plot([], [], color=color, linewidth=2.6, label=f"edge {name}")
ax.legend(loc="upper left", frameon=False)
ax.set_xticks(*zip(*ticks, strict=True), size=9)
ax.tick_params(axis="x", length=0)
ax.set(
    aspect="equal",
    xlabel="mineral, space group as reported, and volume of the cell",
    ylabel="height on paper (Å)",
    title="Eight cells at one scale, ordered by volume",
)
ax.spines[["top", "right", "bottom"]].set_visible(False)
plt.show()
