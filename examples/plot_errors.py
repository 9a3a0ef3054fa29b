"""
Which classes are confused
==========================

One accuracy hides who pays for it. A forest predicts space groups of compounds from chemical
systems that it has not seen; its errors are shown by crystal system, by class, and zoomed in on
the worst classes. Last comes whether it knows when it errs.
"""

# %%
# Predict space groups
# --------------------
# Every row is predicted by a model that has not seen its chemical system.

import matplotlib.pyplot as plt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold

from crystalml import CellDescriptors
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import (
    composition_groups,
    hierarchical_accuracy,
    out_of_fold_probabilities,
)
from crystalml.plotting import plot_class_errors, plot_confusion_matrix, plot_reliability

N_ROWS = 4000

table, y = load_cod_inorganic(return_X_y=True)
table, y = table.head(N_ROWS), y.head(N_ROWS).to_numpy()
X = CellDescriptors(volume=False).fit_transform(table)
systems = composition_groups(table["formula"], by="chemical_system")
forest = ExtraTreesClassifier(40, min_samples_leaf=2, random_state=0)
held_out = out_of_fold_probabilities(forest, X, y, groups=systems, cv=GroupKFold(3))
predicted = held_out.labels[held_out.y_proba.argmax(axis=1)]
for level in ("space_group", "crystal_system"):
    print(f"{level}: {hierarchical_accuracy(y, predicted, level=level):.3f} right")

# %%
# From crystal systems to the worst classes
# -----------------------------------------
# Trigonal and hexagonal crystals share a lattice, and a cell alone cannot tell them apart. Below,
# the right-hand matrix has the space groups with most errors, missed or wrongly claimed.

figure, (left, right) = plt.subplots(1, 2, figsize=(13.5, 5.6), layout="constrained")
plot_confusion_matrix(y, predicted, ax=left)
plot_confusion_matrix(y, predicted, level="space_group", worst=8, ax=right)
plt.show()

# %%
# Missed and wrongly claimed
# --------------------------
# Above the diagonal are groups that are predicted too often, mostly frequent ones; below it, and
# along the bottom, rare groups that are hardly ever named.

ax = plot_class_errors(y, predicted, n_named=12)
ax.set_title(f"Space groups of {len(y):,} entries")
plt.show()

# %%
# As sure as it is right?
# -----------------------
# Of the answers given with a probability near 0.4, four in ten should be right. This forest is
# right about as often as it claims below 0.3, and more often above.

ax = plot_reliability(y, held_out.y_proba, labels=held_out.labels, name="forest")
ax.set_title(f"Space groups of {len(y):,} entries")
plt.show()
