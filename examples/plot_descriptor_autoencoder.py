"""
Learned descriptors, with and without
=====================================

:class:`crystalml.DescriptorAutoencoder` squeezes many descriptors through a narrow middle
and takes what is found there as new descriptors. They keep far more of the old ones than as many
principal components do. Does a classifier gain from that? Two maps show what is learned, and a
grouped cross-validation what it is worth.
"""

# %%
# Describe cells and compositions
# -------------------------------
# Some chemical systems are drawn to learn from; all others are new to everything fitted below.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, GroupShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import CellDescriptors, CompositionDescriptors, DescriptorAutoencoder
from crystalml.crystallography import CRYSTAL_SYSTEMS, crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups

N_COMPONENTS = 16
N_FOLDS = 3

table, numbers = load_cod_inorganic(return_X_y=True)
y = crystal_system(numbers.to_numpy())
systems = composition_groups(table["formula"], by="chemical_system")
sample = GroupShuffleSplit(1, train_size=0.2, test_size=0.3, random_state=0)
rows, new = next(sample.split(table, groups=systems))
cells = CellDescriptors().fit_transform(table)
everything = np.hstack([cells, CompositionDescriptors().fit_transform(table["formula"])])
print(f"{len(rows)} rows to learn from, {len(new)} rows of other chemical systems")
print(f"{cells.shape[1]} descriptors of the cell, {everything.shape[1]} with the composition")

# %%
# Two numbers for a cell
# ----------------------
# The maps are fitted without labels, and show chemical systems that the fit has never seen.
# With ``groups``, early stopping looks at chemical systems that were not trained on either.

learned = DescriptorAutoencoder(2, learning_rate=2e-3, max_epochs=60, random_state=0)
learned.fit(cells[rows], groups=systems[rows])
principal = make_pipeline(StandardScaler(), PCA(2, random_state=0)).fit(cells[rows])
standardised = principal[0].transform(cells[new])
back = principal[1].inverse_transform(principal.transform(cells[new]))
lost = {
    "two principal components": np.mean((back - standardised) ** 2),
    "two learned descriptors": learned.reconstruction_error(cells[new]).mean(),
}
lost = {name: error / np.mean(standardised**2) for name, error in lost.items()}
maps = dict(
    zip(lost, (principal.transform(cells[new]), learned.transform(cells[new])), strict=True)
)
for name, share in lost.items():
    print(f"{name} lose {share:.2f} of the variance")

# %%
# The same classifiers on four sets of columns
# --------------------------------------------
# Whatever learns (scaler, autoencoder, principal components, classifier) is fitted on the
# training rows of a fold alone; the test rows belong to other chemical systems. The columns are
# standardised for the nearest neighbours, to whom scales matter.

CLASSIFIERS = {
    "extremely randomised trees": ExtraTreesClassifier(50, random_state=0),
    "5 nearest neighbours": KNeighborsClassifier(5, weights="distance"),
}


def column_sets(X, groups, train):
    """Return the columns to compare, by name, each learned from the rows `train` alone."""
    learn = DescriptorAutoencoder(N_COMPONENTS, learning_rate=2e-3, max_epochs=30, random_state=0)
    codes = learn.fit(X[train], groups=groups[train]).transform(X)
    principal = make_pipeline(StandardScaler(), PCA(N_COMPONENTS, random_state=0)).fit(X[train])
    sets = {
        f"all {X.shape[1]}": X,
        f"all + {N_COMPONENTS} learned": np.hstack([X, codes]),
        f"{N_COMPONENTS} learned": codes,
        f"{N_COMPONENTS} principal": principal.transform(X),
    }
    return {
        name: StandardScaler().fit(columns[train]).transform(columns)
        for name, columns in sets.items()
    }


X, labels, groups = everything[rows], y[rows], systems[rows]
scores = {}
for train, test in GroupKFold(N_FOLDS).split(X, labels, groups):
    for columns, Z in column_sets(X, groups, train).items():
        for name, classifier in CLASSIFIERS.items():
            accuracy = classifier.fit(Z[train], labels[train]).score(Z[test], labels[test])
            scores.setdefault((name, columns), []).append(accuracy)
for (name, columns), folds in scores.items():
    print(f"{name}, {columns}: {np.mean(folds):.3f} ± {np.std(folds):.3f}")

# %%
# Draw the maps and the scores
# ----------------------------
# On the maps, the learned descriptors keep more of the cells, and the crystal systems lie further
# apart although no label was given. Yet the trees do best with the descriptors as they are, and
# gain nothing from learned ones beside them; and 16 principal components serve both classifiers as
# well as 16 learned numbers do. The descriptors of the cell were made to tell lattices apart; a net
# that is to keep as much as possible of all columns does not know which differences matter. A
# smaller loss is no promise of a better classifier: measure it, on rows that were kept out.
#
# All scores are those of deposited cells, which were refined under the symmetry that was reported;
# cells that have just been measured are harder.

figure = plt.figure(figsize=(13, 4.6), layout="constrained")
*map_axes, bar_ax = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
colors = ("#999999", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#009E73", "#0072B2")
for ax, (name, positions) in zip(map_axes, maps.items(), strict=True):
    for system, color in zip(CRYSTAL_SYSTEMS, colors, strict=True):
        here = positions[y[new] == system]
        ax.scatter(*here.T, s=7, color=color, alpha=0.55, linewidth=0, label=system)
    low, high = np.quantile(positions, [0.005, 0.995], axis=0)
    margin = 0.05 * (high - low)
    ax.set_xlim(low[0] - margin[0], high[0] + margin[0])
    ax.set_ylim(low[1] - margin[1], high[1] + margin[1])
    kind = name.removeprefix("two ").removesuffix("s")
    ax.set(title=f"{name.capitalize()}\n(lose {lost[name]:.0%} of the variance)")
    ax.set(xlabel=f"first {kind}", ylabel=f"second {kind}", xticks=[], yticks=[])
legend = map_axes[1].legend(frameon=False, markerscale=2.5, fontsize=8, handletextpad=0.1)
for handle in legend.legend_handles:
    handle.set_alpha(1)

names = list(dict.fromkeys(columns for _, columns in scores))
bars = zip(CLASSIFIERS, (-0.2, 0.2), ("#0072B2", "#E69F00"), strict=True)
for name, offset, color in bars:
    for i, columns in enumerate(names):
        folds, at = np.array(scores[name, columns]), i + offset
        bar_ax.bar(at, folds.mean(), 0.38, color=color, label=name if i == 0 else None)
        spread = at + np.linspace(-0.09, 0.09, N_FOLDS)
        bar_ax.scatter(spread, folds, s=18, color="white", edgecolor="black", lw=0.8, zorder=3)
        bar_ax.text(at, folds.max() + 0.015, f"{folds.mean():.2f}", ha="center", size=9)
bar_ax.set_xticks(range(len(names)), [name.replace(" + ", "\n+ ") for name in names])
bar_ax.set(
    ylim=(0, 1.18),
    xlabel="descriptors given to the classifier",
    ylabel="accuracy of the crystal system",
    title="Chemical systems kept out\n(a dot for each fold)",
)
bar_ax.legend(frameon=False, loc="upper right", fontsize=9)
for ax in (*map_axes, bar_ax):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
