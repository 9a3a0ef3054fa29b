"""
A data set in pictures
======================

Before any model: what is in the data? The packaged entries of the Crystallography Open Database,
by elements and space groups, and the sizes and shapes of their cells. Each picture is one call of
a function of :mod:`crystalml.plotting`, which takes a table or a column, and an Axes if it shall
draw there.
"""

# %%
# What occurs how often
# ---------------------
# The ten most frequent of 204 space groups make up nearly half of the entries, and oxygen is in
# nearly every third formula. A model that ignores its input and names the first group is right
# for one entry in eleven, which is the baseline of all others.

import matplotlib.pyplot as plt

from crystalml import CellDescriptors
from crystalml.crystallography import find_spacegroup, reduced_formula, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.plotting import (
    plot_angle_deviations,
    plot_axis_ratio_densities,
    plot_axis_ratio_scatter,
    plot_by_symmetry,
    plot_cell_angles,
    plot_cell_lengths,
    plot_correlations,
    plot_element_counts,
    plot_most_frequent,
    plot_scatter_matrix,
    plot_shape_factor,
    plot_volume_anisotropy,
)

cod = load_cod_inorganic()
table, groups, systems = cod.data, cod.target, cod.frame["crystal_system"]

figure, axes = plt.subplot_mosaic(
    [["elements"] * 3, ["groups", "halls", "formulas"]], figsize=(13, 8), layout="constrained"
)
plot_element_counts(table["formula"], n_elements=40, ax=axes["elements"])
plot_most_frequent(groups, n_values=10, ax=axes["groups"])
halls = [find_spacegroup(symbol).hall for symbol in spacegroup_symbol(groups)]
plot_most_frequent(halls, kind="hall_symbol", n_values=10, ax=axes["halls"])
compounds = reduced_formula(table["formula"])
plot_most_frequent(compounds, kind="formula", n_values=10, ax=axes["formulas"])
plt.show()

# %%
# Lengths, angles, shapes
# -----------------------
# Nearly all angles that could be right are exactly so, since cells are refined under the symmetry
# that was found. The peak of axis ratios at one is of the same kind. A cell fresh from indexing
# has neither, and a model that leans on them is overrated.

figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained")
plot_cell_lengths(table, ax=axes[0, 0])
plot_cell_angles(table, ax=axes[0, 1])
plot_angle_deviations(table, ax=axes[0, 2])
plot_axis_ratio_densities(table, ax=axes[1, 0])
plot_volume_anisotropy(table, ax=axes[1, 1])
plot_shape_factor(table, ax=axes[1, 2])
plt.show()

# %%
# By symmetry
# -----------
# Groups go from low to high symmetry, with the number of their entries.

names = ["v_formula", "inverse_volume", "anisotropy", "c_over_a", "beta"]
describe = CellDescriptors(names, volume=False).set_output(transform="pandas")
descriptors = describe.fit_transform(table)

figure, axes = plt.subplots(3, 2, figsize=(12.5, 13), layout="constrained")
plot_by_symmetry(descriptors["v_formula"], groups, log=True, ax=axes[0, 0])
plot_by_symmetry(descriptors["anisotropy"], groups, ax=axes[0, 1])
by_lattice = {"level": "lattice_system", "kind": "violin"}
plot_by_symmetry(descriptors["inverse_volume"], groups, log=True, ax=axes[1, 0], **by_lattice)
plot_by_symmetry(descriptors["c_over_a"], groups, log=True, ax=axes[1, 1], **by_lattice)
plot_by_symmetry(descriptors["beta"], groups, ax=axes[2, 0], **by_lattice)
plot_axis_ratio_scatter(table, systems, ax=axes[2, 1])
plt.show()

# %%
# What goes with what
# -------------------
# The correlation is that of ranks. Volume and inverse volume are one column in two costumes, and
# a model learns nothing from the second one; anisotropy is a function of c/a, as its panels show,
# though no monotonic one, which a correlation hardly sees.

plot_correlations(descriptors)
plot_scatter_matrix(
    descriptors.drop(columns=["inverse_volume", "beta"]), systems, log=["v_formula", "c_over_a"]
)
plt.show()
