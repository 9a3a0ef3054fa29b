"""
How far is this lattice from cubic?
===================================

:func:`crystalml.crystallography.bravais_distances` measures the smallest strain that would give a
lattice the metric of each of the 14 Bravais types. A test with a tolerance says yes or no; near a
type the distance grows in proportion to the deformation, and nobody has to choose a tolerance.
"""

# %%
# Break a cubic cell step by step
# -------------------------------
# First c grows, then b shrinks, then the angle beta opens. Each step costs one Bravais type: its
# distance leaves zero, while the less symmetric types stay exact.

import matplotlib.pyplot as plt
import numpy as np

from crystalml.crystallography import BRAVAIS_LATTICES, bravais_distances, metric_symmetry

STEPS = 200
EDGE = 4.0  # Å
colors = {"cP": "#D55E00", "tP": "#E69F00", "oP": "#009E73", "mP": "#0072B2"}

progress = np.linspace(0, 3, 3 * STEPS + 1)
stage = [np.clip(progress - start, 0, 1) for start in range(3)]
cells = np.full((len(progress), 6), [EDGE] * 3 + [90.0] * 3)
cells[:, 2] *= 1 + 0.02 * stage[0]
cells[:, 1] *= 1 - 0.02 * stage[1]
cells[:, 4] += 2.0 * stage[2]
distances = bravais_distances(cells)
print(dict(zip(BRAVAIS_LATTICES, distances[-1].round(4).tolist(), strict=True)))

# %%
# The Bain path
# -------------
# Compress a face-centred cubic cell along c, and at c/a = 1/√2 it is body-centred cubic: the path
# that E. C. Bain proposed in 1924 for the hardening of steel. With ``centring="F"`` the distances
# see it: body-centred tetragonal all the way, and cubic twice. Each distance ends at 0.2: a
# lattice strained by a fifth is no distorted one of the type.

ratio = np.linspace(0.62, 1.12, 400)
path = np.full((len(ratio), 6), [EDGE, EDGE, np.nan, 90.0, 90.0, 90.0])
path[:, 2] = EDGE * ratio
along = bravais_distances(path, centring="F")
bcc = [EDGE, EDGE, EDGE / np.sqrt(2), 90, 90, 90]
allowed = metric_symmetry(bcc, centring="F")
print([name for name, yes in zip(BRAVAIS_LATTICES, allowed, strict=True) if yes])

# %%
# Draw both paths
# ---------------

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for start, text in enumerate(("c grows by 2 %", "b shrinks by 2 %", "β opens by 2°")):
    left.axvspan(start, start + 1, color="#000000", alpha=(0.02, 0.06, 0.02)[start], linewidth=0)
    left.text(start + 0.5, 0.0405, text, ha="center", size=9.5)
for name, color in colors.items():
    values = distances[:, BRAVAIS_LATTICES.index(name)]
    left.plot(progress, values, color=color, linewidth=2.4, label=name)
    left.text(3.03, values[-1], name, color=color, va="center", weight="bold")
left.set(
    xlim=(0, 3.25),
    ylim=(-0.001, 0.043),
    xticks=[0, 1, 2, 3],
    xticklabels=["cubic", "tetragonal", "orthorhombic", "monoclinic"],
    xlabel="deformation of a primitive cubic cell",
    ylabel="distance to the Bravais type (strain, dimensionless)",
    title="Each deformation costs one type",
)

styles = {"cF": ("#D55E00", "-"), "cI": ("#0072B2", "-"), "hR": ("#CC79A7", "--"),
          "tI": ("#444444", ":")}  # fmt: skip
for name, (color, line) in styles.items():
    values = along[:, BRAVAIS_LATTICES.index(name)]
    right.plot(ratio, values, color=color, linestyle=line, linewidth=2.4, label=name)
for c_over_a, name in ((1 / np.sqrt(2), "cI"), (1.0, "cF")):
    right.plot(c_over_a, 0, "o", color=styles[name][0], markersize=9, clip_on=False, zorder=3)
right.annotate("c/a = 1/√2", (1 / np.sqrt(2), 0), (0.725, 0.008), size=9.5, color="#0072B2")
right.set(
    xlim=(ratio[0], ratio[-1]),
    ylim=(-0.004, 0.3),
    xlabel="c/a of the face-centred cell",
    ylabel="distance to the Bravais type (strain, dimensionless)",
    title="The Bain path, from cF to cI",
)
right.legend(title="Bravais type", frameon=False, loc="upper center")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
