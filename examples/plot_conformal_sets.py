"""
Sets of space groups with a promise
===================================

The most probable space group is often wrong, and how long a list must be to hold the right one
differs from row to row. Conformal prediction sets are lists of such a length that a stated share
of them, here 90%, holds the true group. The promise needs no belief in the model: it rests on rows
that the model has not seen, and is checked below on others.
"""

# %%
# Three parts
# -----------
# A forest is fitted on the first part of the data, thresholds are found on the second, and coverage
# is measured on the third. No chemical system is in two of them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold

from crystalml import CellDescriptors, CompositionDescriptors
from crystalml.crystallography import CRYSTAL_SYSTEMS, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import (
    ConformalClassifier,
    composition_groups,
    set_coverage,
    symmetry_labels,
)

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]

table, y = load_cod_inorganic(return_X_y=True, subset="all")
y = y.to_numpy()
chemical_systems = composition_groups(table["formula"], by="chemical_system")
folds = GroupKFold(5, shuffle=True, random_state=0).split(table, y, chemical_systems)
parts = [test for _, test in folds]
fitting, calibration, testing = np.concatenate(parts[:2]), np.concatenate(parts[2:4]), parts[4]

describe = make_column_transformer(
    (CompositionDescriptors(), ["formula"]), (CellDescriptors(), CELL)
)
X = describe.fit_transform(table)
forest = ExtraTreesClassifier(40, min_samples_leaf=4, random_state=0)
forest.fit(X[fitting], y[fitting])

# %%
# One threshold, or one for each crystal system
# ---------------------------------------------
# With one threshold the promise is an average: systems that are easy to recognise are covered more
# often, others pay for it. ``mondrian="crystal_system"`` keeps it within each. The crystal system
# of a new row need not be known: each label is held against the threshold of its own system.

models = {
    "one threshold": ConformalClassifier(FrozenEstimator(forest)),
    "one per crystal system": ConformalClassifier(
        FrozenEstimator(forest), mondrian="crystal_system"
    ),
}
reports = {}
for name, model in models.items():
    model.fit(X[calibration], y[calibration], groups=chemical_systems[calibration])
    reports[name] = set_coverage(
        y[testing],
        model.predict_set_mask(X[testing]),
        labels=model.classes_,
        groups=symmetry_labels(y[testing], "crystal_system"),
    ).loc[["all", *CRYSTAL_SYSTEMS]]
    print(f"{name}:\n{reports[name].round(3)}\n")

# %%
# A few answers
# -------------
# Short where the crystal is easy, long where it is not.

model = models["one per crystal system"]
for row, labels in zip(testing[:6], model.predict_set(X[testing[:6]]), strict=True):
    listed = ", ".join(spacegroup_symbol(labels[:5])) + (", ..." if len(labels) > 5 else "")
    print(f"{table['formula'][row]} is {spacegroup_symbol(y[row])}: {len(labels)} ({listed})")

# %%
# Coverage and length
# -------------------
# Left: the share of sets that hold the true group, with two standard errors (of independent rows;
# the chance in the calibration comes on top). Right: how long the sets are for three promises,
# which need no new fit. Surer answers are longer lists: that is the price, and it depends on the
# model.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
names = ["all", *CRYSTAL_SYSTEMS]
styles = {
    "one threshold": ("#E69F00", "o", -0.13),
    "one per crystal system": ("#0072B2", "s", 0.13),
}
for name, (color, marker, offset) in styles.items():
    report = reports[name]
    left.errorbar(
        np.arange(len(names)) + offset,
        report["coverage"],
        yerr=2 * report["standard_error"],
        fmt=marker,
        color=color,
        capsize=3,
        label=name,
    )
left.axhline(0.9, color="black", linestyle=":", zorder=0, label="asked for")
left.set_xticks(range(len(names)), names, rotation=30, ha="right")
left.set(
    xlabel="crystal system of the true group",
    ylabel="share of sets with the true group",
    title="Coverage in new chemical systems",
    ylim=(0.7, 1.01),
)
left.legend(frameon=False, loc="lower left")

for coverage, color in ((0.8, "#56B4E9"), (0.9, "#0072B2"), (0.95, "#D55E00")):
    sizes = np.sort(model.predict_set_mask(X[testing], coverage=coverage).sum(axis=1))
    share = np.arange(1, len(sizes) + 1) / len(sizes)
    right.step(sizes, share, where="post", color=color, label=f"{coverage:.0%} covered")
right.set_xscale("log")
right.set_xticks([1, 2, 5, 10, 20, 50, 100], [1, 2, 5, 10, 20, 50, 100])
right.set(
    xlabel="space groups in the set",
    ylabel="share of rows with sets up to this size",
    title="Length of the sets, one threshold per system",
    ylim=(0, 1),
)
right.legend(frameon=False, loc="upper left")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25)
plt.show()
