"""
What cell descriptors say about symmetry
========================================

:class:`crystalml.CellDescriptors` turns six numbers into descriptors of size, shape and lattice
symmetry. Two of them, seen over all inorganic entries of the packaged COD data: how elongated
cells are, and how close their metric is to that of a more symmetric lattice.
"""

# %%
# Describe the cells
# ------------------
# The anisotropy \|a - c\| / (a + c) is taken on the Niggli-reduced cell, which does not depend on
# how somebody chose the axes. The distances are strains: 0 means that the metric is exactly
# that of the lattice type.

import matplotlib.pyplot as plt
import numpy as np

from crystalml import CellDescriptors
from crystalml.crystallography import CRYSTAL_SYSTEMS
from crystalml.datasets import load_cod_inorganic

DISTANCES = [f"distance_{name}" for name in ("mP", "oP", "tP", "hR", "hP", "cP")]
TOLERANCE = 0.003  # strain: about 0.3 % in a length, or a third of a degree in an angle

cod = load_cod_inorganic()
describe = CellDescriptors(["niggli_anisotropy", *DISTANCES], volume=False)
descriptors = describe.set_output(transform="pandas").fit_transform(cod.data)
systems = cod.frame["crystal_system"]
print(descriptors.groupby(systems).median().round(3).reindex(CRYSTAL_SYSTEMS).to_string())

# %%
# Share of lattices that allow more than they need
# ------------------------------------------------
# A row of the table below is a crystal system as reported, a column a lattice type. Symmetry
# forces the metric one way only: a cubic crystal has a cubic metric, but a crystal whose metric
# is cubic within the tolerance may be anything. These pseudo-symmetric cells are where no model
# that sees the cell alone can be sure.

allowed = (descriptors[DISTANCES] < TOLERANCE).groupby(systems).mean().reindex(CRYSTAL_SYSTEMS)
counts = systems.value_counts().reindex(CRYSTAL_SYSTEMS)

# %%
# Draw both
# ---------
# The cell is taken as the unit of translation, as deposited: a face-centred cubic crystal counts
# as primitive cubic here, since six numbers do not tell the centring.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4.6), layout="constrained", width_ratios=(1, 1.15)
)
values = [descriptors.loc[systems == name, "niggli_anisotropy"] for name in CRYSTAL_SYSTEMS]
violins = left.violinplot(values, positions=np.arange(7), widths=0.85, showextrema=False)
for body in violins["bodies"]:
    body.set(facecolor="#56B4E9", edgecolor="#0072B2", alpha=0.7)
quartiles = np.array([np.percentile(value, (25, 50, 75)) for value in values])
left.vlines(np.arange(7), quartiles[:, 0], quartiles[:, 2], color="#444444", linewidth=4)
left.scatter(np.arange(7), quartiles[:, 1], color="white", edgecolor="#444444", zorder=3, s=32)
left.set_xticks(np.arange(7), CRYSTAL_SYSTEMS, rotation=35, ha="right")
left.set(
    ylim=(0, None),
    xlabel="crystal system as reported",
    ylabel="|a - c| / (a + c) of the reduced cell",
    title="Elongation (dot: median, bar: middle half)",
)
left.spines[["top", "right"]].set_visible(False)

picture = right.imshow(allowed, cmap="cividis", vmin=0, vmax=1, aspect="auto")
for (i, j), share in np.ndenumerate(allowed.to_numpy()):
    color = "black" if share > 0.55 else "white"
    text = f"{share:.0%}" if share == 0 or share >= 0.01 else f"{max(share, 0.001):.1%}"
    text = f"<{text}" if 0 < share < 0.001 else text
    right.text(j, i, text, ha="center", va="center", color=color, size=9)
right.set_xticks(range(6), [name.removeprefix("distance_") for name in DISTANCES])
right.set_yticks(range(7), [f"{name} ({n:,})" for name, n in counts.items()])
right.set(
    xlabel=f"lattice type within a strain of {TOLERANCE}",
    ylabel="crystal system as reported (entries)",
    title="What the metric allows",
)
figure.colorbar(picture, ax=right, label="share of the entries")
plt.show()

# %%
# The right-hand picture also shows what the descriptors cannot do. A trigonal crystal has a
# hexagonal cell, unless it was deposited on rhombohedral axes: trigonal and hexagonal entries
# cannot be told apart by the metric. The long tail of the cubic entries is made of rows whose
# cell contradicts the reported group; the data set marks them in ``cell_matches_spacegroup``.
