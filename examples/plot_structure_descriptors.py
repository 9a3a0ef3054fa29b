"""
The elements, told apart by the shape of their crystals
=======================================================

:class:`crystalml.descriptors.StructureDescriptors` turns atoms into numbers. Here it describes
the crystals of 71 elements, which ASE brings along (the structures of the Delta project), and
a mineral from a CIF file. Two of the numbers already sort the elements into close-packed metals,
covalent networks and molecules.
"""

# %%
# Describe crystals, and read the names of what came out
# ------------------------------------------------------
# The input is a column of pymatgen structures, ASE atoms or paths of CIFs. Groups and single
# descriptors are picked by name. None of these sees which cell of the crystal was given, and
# none sees its space group; that is kept apart in the group ``"symmetry"``, because beside a
# target of symmetry it gives the answer away.

from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
from ase.collections import dcdft

from crystalml.descriptors import StructureDescriptors

EFFICIENCY, EFFECTIVE = "voronoi_packing_efficiency", "voronoi_coordination_mean"

describe = StructureDescriptors(["voronoi", "coordination"]).set_output(transform="pandas")
elements = describe.fit_transform([dcdft[name] for name in dcdft.names])
elements.index = dcdft.names
shown = [EFFICIENCY, EFFECTIVE, "coordination_mean", "voronoi_variation_mean"]
print(elements.loc[["Cu", "Fe", "Si", "C", "N"], shown].round(3).to_string())

# %%
# Distances, as a distribution
# ----------------------------
# The radial distribution function says how many atoms there are at a distance, relative to an
# even spread: 1 far away, 0 where no atom is. Molecules and networks show their bond as one
# peak in front of a gap, metals have shell after shell.

folder = files("ase") / "test" / "testdata" / "minerals"
crystals = {
    "copper": dcdft["Cu"],
    "tungsten": dcdft["W"],
    "silicon": dcdft["Si"],
    "cristobalite": str(folder / "cod_9017338.cif"),  # SiO2
    "nitrogen": dcdft["N"],
}
rdf = StructureDescriptors("rdf", rdf_cutoff=8.0).fit_transform(list(crystals.values()))
distances = np.arange(0.05, 8.0, 0.1)

# %%
# Draw both
# ---------
# The Voronoi cell of an atom is the space that is nearer to it than to any other. How much of
# it the largest sphere fills, and how many neighbours share its surface, make the map. All
# elements of the body-centred lattice lie on one point, and hexagonal metals lead from zinc and
# cadmium, whose layers are far apart, to ideal close packing.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12.5, 5.4), layout="constrained", width_ratios=(1.25, 1)
)
inset = left.inset_axes((0.72, 0.07, 0.27, 0.52), xlim=(0.63, 0.75), ylim=(11.75, 12.05))
for ax in (left, inset):
    points = ax.scatter(
        elements[EFFICIENCY],
        elements[EFFECTIVE],
        c=elements["coordination_mean"],
        cmap="viridis_r",
        s=55,
        edgecolor="black",
        linewidth=0.5,
    )
figure.colorbar(points, ax=left, label="nearest neighbours of an atom, mean")
left.indicate_inset_zoom(inset, edgecolor="#666666")

offsets = {
    "Te": (-18, -4),
    "As": (5, 6),
    "Bi": (7, 1),
    "Sb": (5, -12),
    "S": (-13, 2),
    "Po": (-19, 2),
}
open_packed = elements[elements[EFFICIENCY] < 0.6].round(3)
for (x, y), names in open_packed.groupby([EFFICIENCY, EFFECTIVE]).groups.items():
    offset = offsets.get(names[0], (7, 4))
    left.annotate(", ".join(names), (x, y), offset, textcoords="offset points", size=9)
arrow = {"arrowstyle": "-", "color": "#666666", "linewidth": 0.8}
n_centred = int(elements["coordination_mean"].eq(8).sum())
for text, place, position in (
    ("close-packed", (0.740, 12.000), (0.687, 12.03)),
    (f"body-centred cubic\n({n_centred} elements)", (0.680, 11.957), (0.636, 11.99)),
    ("Zn, Cd", (0.641, 11.785), (0.652, 11.764)),
    ("Hg", (0.689, 11.865), (0.695, 11.855)),
    ("In", (0.682, 11.806), (0.688, 11.796)),
):
    inset.annotate(text, place, position, arrowprops=arrow, size=8)
inset.tick_params(labelsize=8)
left.set(
    xlim=(-0.03, 0.92),
    ylim=(3.5, 13),
    xlabel="packing efficiency of spheres in the Voronoi cells",
    ylabel="effective coordination number",
    title="Crystals of 71 elements",
)

colors = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#666666")
bases = -1.15 * np.arange(len(crystals))
for base, row, color in zip(bases, rdf, colors, strict=True):
    right.fill_between(distances, base, base + row / row.max(), step="mid", color=color)
    right.axhline(base, color=color, linewidth=0.8)
right.set_yticks(bases + 0.3, list(crystals))
for label, color in zip(right.get_yticklabels(), colors, strict=True):
    label.set(color=color, size=11, weight="bold")
right.tick_params(axis="y", length=0)
right.set(
    xlim=(0, 8),
    xlabel="distance r between two atoms / Å",
    ylabel="radial distribution g(r), each scaled to its highest peak",
    title="From close packing to molecules",
)
right.yaxis.set_label_position("right")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
right.spines["left"].set_visible(False)
plt.show()
