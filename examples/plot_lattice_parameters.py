"""
Cells from formulas, with their uncertainty
===========================================

:class:`crystalml.LatticeParameterRegressor` predicts cells from the formula, the Bravais lattice
and the number of atoms in the cell. Here the cells of chemical systems that it has not seen:
predicted against published lengths, and whether the spread it states is the spread there is.
"""

# %%
# Fit on some chemical systems, predict others
# --------------------------------------------
# A part of the packaged data and a short training keep this example quick; with all rows and
# the defaults the errors are smaller.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from crystalml import LatticeParameterRegressor
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups

KNOWN = ["formula", "bravais_lattice", "n_atoms"]
CELL = ["a", "b", "c", "alpha", "beta", "gamma"]

frame = load_cod_inorganic().frame
frame = frame[frame["bravais_lattice"].isin(["cP", "cI", "cF", "tP", "tI", "hP", "oP"])]
frame = frame.sample(4000, random_state=0)
groups = composition_groups(frame["formula"], by="chemical_system")
train_rows, test_rows = next(GroupShuffleSplit(random_state=0).split(frame, groups=groups))
train, test = frame.iloc[train_rows], frame.iloc[test_rows]

model = LatticeParameterRegressor(max_epochs=10, max_iter=20, random_state=0)
model.fit(train[KNOWN], train[CELL])
found = model.predict_table(test[KNOWN])

# %%
# Hold them against the published cells
# -------------------------------------
# Orthorhombic axes are predicted in the order of their lengths, so the published ones are put
# into that order too. Cubic cells have one length, which the volume settles; in the others the
# shape has to be known as well.

FAMILIES = {"c": "cubic", "t": "tetragonal", "h": "hexagonal", "o": "orthorhombic"}
COLORS = {"c": "#0072B2", "t": "#009E73", "h": "#E69F00", "o": "#D55E00"}
family = test["bravais_lattice"].str[0]
truth = test[["a", "b", "c"]].copy()
truth[family == "o"] = np.sort(truth[family == "o"], axis=1)
relative = found["c"] / truth["c"] - 1.0
for letter, name in FAMILIES.items():
    print(f"{name:13s} median error of c: {relative[family == letter].abs().median():.1%}")

# %%
# Draw both
# ---------
# Left: the bars are one standard deviation, drawn for some rows only. Right: the share of
# published lengths c within so many standard deviations, and what normal errors would give.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
for letter, name in FAMILIES.items():
    rows = family[family == letter].index
    left.scatter(truth.loc[rows, "c"], found.loc[rows, "c"], s=9, alpha=0.5, color=COLORS[letter])
    some = rows[:25]
    left.errorbar(
        truth.loc[some, "c"],
        found.loc[some, "c"],
        found.loc[some, "c_std"],
        fmt="o",
        markersize=3.5,
        color=COLORS[letter],
        elinewidth=1,
        label=name,
    )
limits = (2.5, 40)
left.plot(limits, limits, color="#444444", linewidth=1, zorder=0)
ticks = [3, 5, 10, 20, 40]
left.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
left.set_xticks(ticks, ticks)
left.set_yticks(ticks, ticks)
left.minorticks_off()
left.set(xlabel="published c (Å)", ylabel="predicted c (Å)", title="Unseen chemical systems")
left.legend(frameon=False, loc="upper left")

deviations = np.linspace(0, 3, 61)
for letter, name in FAMILIES.items():
    rows = family == letter
    scaled = ((found.loc[rows, "c"] - truth.loc[rows, "c"]) / found.loc[rows, "c_std"]).abs()
    inside = [(scaled <= limit).mean() for limit in deviations]
    right.plot(deviations, inside, color=COLORS[letter], label=name)
normal = np.abs(np.random.default_rng(0).normal(size=100_000))
right.plot(
    deviations,
    [(normal <= limit).mean() for limit in deviations],
    color="#444444",
    linestyle="--",
    label="normal errors",
)
right.set(
    xlim=(0, 3),
    ylim=(0, 1),
    xlabel="|predicted - published c|, in predicted standard deviations",
    ylabel="share of the rows within",
    title="Is the spread right?",
)
right.legend(frameon=False, loc="lower right")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Errors have long tails. Most cells are predicted better than a normal distribution of the same
# width would have it; a few, where the compound has another structure than its neighbours, are
# far off.
