"""
Crystal structures and their distances
======================================

Three crystals, two of them from CIF files that ASE brings along: the unit cell, a supercell, and
the view along c; then how long their bonds are, and how their atoms are distributed around one
another.
"""

# %%
# Draw the structures
# -------------------
# A structure is a path, a pymatgen Structure or ASE Atoms. Atoms on the boundary of the cell are
# drawn at all places where it has them; each row has a legend of its elements, and each picture a
# bar for its scale.

from importlib.resources import files

import matplotlib.pyplot as plt
from ase.build import bulk

from crystalml import StructureDescriptors
from crystalml.plotting import plot_bond_lengths, plot_radial_distribution, plot_structures

folder = files("ase") / "test" / "testdata" / "minerals"
crystals = {
    "halite": bulk("NaCl", "rocksalt", a=5.64, cubic=True),
    "cristobalite": str(folder / "cod_9017338.cif"),
    "silicon carbide": str(folder / "cod_1010995.cif"),
}
plot_structures(crystals.values(), names=crystals)
plt.show()

# %%
# Measure distances
# -----------------
# Bonds are counted per atom, so that large cells weigh no more than small ones. The radial
# distribution is the one that :class:`crystalml.StructureDescriptors` makes as descriptors: 1 is
# the mean density of the crystal.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), layout="constrained")
plot_bond_lengths(crystals.values(), ax=left)
describe = StructureDescriptors("rdf", rdf_cutoff=6.0).set_output(transform="pandas")
distributions = describe.fit_transform(list(crystals.values()))
plot_radial_distribution(distributions, names=crystals, ax=right)
plt.show()
