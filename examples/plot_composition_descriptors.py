"""
What composition descriptors say about symmetry
===============================================

:class:`crystalml.CompositionDescriptors` turns a formula into the 145 descriptors of Ward et al.
(2016, npj Computational Materials 2, 16028). Two of them, over the inorganic entries of the
packaged COD data, draw a map of chemistry; and along one of them the crystal systems change.
"""

# %%
# Describe the formulas
# ---------------------
# Rows of the table are entries of the Crystallography Open Database. The transformer reads the
# column ``formula`` and gives names that say what each number is.

import matplotlib.pyplot as plt
import pandas as pd

from crystalml import CompositionDescriptors
from crystalml.crystallography import CRYSTAL_SYSTEMS
from crystalml.datasets import load_cod_inorganic

MEAN, SPREAD = "MagpieData mean Electronegativity", "MagpieData range Electronegativity"
IONIC = "avg ionic char"
LANDMARKS = ["NaCl", "SiO2", "MoS2", "GaAs", "TiC", "CsF", "LaNi5"]

cod = load_cod_inorganic()
describe = CompositionDescriptors().set_output(transform="pandas")
descriptors = describe.fit_transform(cod.data["formula"])
print(f"{descriptors.shape[0]:,} formulas, {descriptors.shape[1]} descriptors each")
print(descriptors[[MEAN, SPREAD, IONIC]].describe().round(2).to_string())

# %%
# Crystal systems along the ionic character
# -----------------------------------------
# Entries are sorted by the mean ionic character of their bonds and cut into bins of equal count.
# The share of each crystal system in a bin is an average over whatever was published: it says
# what crystallographers deposited, not what nature prefers. The spike near zero belongs to
# molecules of carbon and hydrogen: hardly any ionic character, and low symmetry.

systems = cod.frame["crystal_system"]
bins = pd.qcut(descriptors[IONIC], 20, duplicates="drop")
shares = pd.crosstab(bins, systems, normalize="index")[list(CRYSTAL_SYSTEMS)]
centres = descriptors[IONIC].groupby(bins, observed=True).median()

# %%
# Draw the map and the shares
# ---------------------------

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
hexagons = left.hexbin(
    descriptors[MEAN], descriptors[SPREAD], gridsize=42, bins="log", cmap="cividis", mincnt=1
)
figure.colorbar(hexagons, ax=left, label="entries per hexagon")
positions = describe.transform(LANDMARKS)[[MEAN, SPREAD]].to_numpy()
for name, (x, y) in zip(LANDMARKS, positions, strict=True):
    left.plot(x, y, "o", color="white", markeredgecolor="black", markersize=6)
    formula = "".join(f"$_{letter}$" if letter.isdigit() else letter for letter in name)
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
    left.annotate(formula, (x, y), (5, 6), textcoords="offset points", size=9, bbox=box)
left.set(
    xlabel="mean electronegativity (Pauling)",
    ylabel="range of electronegativity (Pauling)",
    title="A map of the COD's inorganic formulas",
)

colors = ("#999999", "#56B4E9", "#E69F00", "#F0E442", "#CC79A7", "#009E73", "#0072B2")
right.stackplot(centres, shares.to_numpy().T, colors=colors, edgecolor="white", linewidth=0.6)
middles = shares.cumsum(axis=1).to_numpy()[-1] - shares.to_numpy()[-1] / 2
for name, height in zip(CRYSTAL_SYSTEMS, middles, strict=True):
    right.text(centres.iloc[-1] * 1.015, height, name, va="center", size=9)
right.set(
    xlim=(centres.iloc[0], centres.iloc[-1]),
    ylim=(0, 1),
    xlabel="mean ionic character of the bonds (0 to 1)",
    ylabel="share of the entries",
    title="Crystal systems, from metals to salts",
)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
