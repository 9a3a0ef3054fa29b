"""
The split decides the score
===========================

One forest, one set of descriptors, four ways to choose the test rows. A random split puts
relatives of a test row into training: polymorphs and solid solutions of the compound, compounds
of the same elements, compounds of the same stoichiometry. How much that flatters a model depends
on how many relatives there are, so it has to be measured, with the frequency baseline beside it.
"""

# %%
# Two samples of the same data
# ----------------------------
# One sample draws chemical systems at random, most of which have a single entry. The other draws
# among those that were studied most and have many. Both take whole chemical systems: drawing
# single rows would break up the families that this is about.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupKFold, KFold

from crystalml import CellDescriptors, CompositionDescriptors
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, top_k_accuracy

N_ROWS = 2500
N_FOLDS = 4
MANY = 10  # entries in a chemical system that counts as studied much
CELL = ["a", "b", "c", "alpha", "beta", "gamma"]

table, y = load_cod_inorganic(return_X_y=True, subset="all")
y = y.to_numpy()
systems, system_of_row, entries = np.unique(
    composition_groups(table["formula"], by="chemical_system"),
    return_inverse=True,
    return_counts=True,
)


def draw_systems(at_least):
    """Rows of chemical systems with that many entries, up to N_ROWS rows in all."""
    order = np.random.default_rng(0).permutation(np.flatnonzero(entries >= at_least))
    chosen = order[np.cumsum(entries[order]) <= N_ROWS]
    return np.flatnonzero(np.isin(system_of_row, chosen))


samples = {
    "any chemical systems": draw_systems(1),
    f"systems with {MANY} entries or more": draw_systems(MANY),
}

# %%
# Cross-validate
# --------------
# Descriptors depend on one row alone, so that they can be computed before the split; anything
# that learns from several rows (a scaler, an imputer) would have to stay inside a pipeline. The
# metric counts a test row whose space group was never seen in training as missed.

SPLITS = {
    "random rows": None,
    "compounds": "reduced_formula",
    "chemical\nsystems": "chemical_system",
    "stoichio-\nmetries": "anonymous_formula",
}
MODELS = {
    "forest": ExtraTreesClassifier(30, random_state=0),
    "frequency of the groups": DummyClassifier(strategy="prior"),
}
describe = make_column_transformer(
    (CompositionDescriptors(), ["formula"]), (CellDescriptors(), CELL)
)


def fold_scores(model, X, labels, splitter, groups):
    """Top-1 accuracy of the space group in every fold."""
    scores = []
    for train, test in splitter.split(X, labels, groups):
        model.fit(X[train], labels[train])
        proba = model.predict_proba(X[test])
        scores.append(top_k_accuracy(labels[test], proba, k=1, labels=model.classes_))
    return np.array(scores)


results = {}
for sample, rows in samples.items():
    X = describe.fit_transform(table.iloc[rows])
    print(f"{sample}: {len(rows)} rows, {len(np.unique(y[rows]))} space groups")
    for split, by in SPLITS.items():
        groups = by and composition_groups(table["formula"].iloc[rows], by=by)
        splitter = GroupKFold(N_FOLDS) if by else KFold(N_FOLDS, shuffle=True, random_state=0)
        for model_name, model in MODELS.items():
            scores = fold_scores(model, X, y[rows], splitter, groups)
            results[sample, model_name, split] = scores
            print(f"  {split!r} held out, {model_name}: {scores.mean():.3f} ± {scores.std():.3f}")

# %%
# Draw the gap
# ------------
# Each dot is a fold: a gap smaller than their spread is no gap. The frequency baseline gains
# nothing from relatives, so what falls from left to right is what the forest remembered of them.
# Report the split that matches the use: new compounds of known elements, new combinations of
# elements, or new structure families.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained", sharey=True)
colors = {"forest": "#0072B2", "frequency of the groups": "#E69F00"}
offsets = {"forest": -0.21, "frequency of the groups": 0.21}
for ax, sample in zip(axes, samples, strict=True):
    for model_name, color in colors.items():
        for i, split in enumerate(SPLITS):
            folds, x = results[sample, model_name, split], i + offsets[model_name]
            ax.bar(x, folds.mean(), 0.38, color=color, label=model_name if i == 0 else None)
            spread = x + np.linspace(-0.09, 0.09, len(folds))
            ax.scatter(spread, folds, s=20, color="white", edgecolor="black", lw=0.8, zorder=3)
            ax.text(x, folds.max() + 0.015, f"{folds.mean():.2f}", ha="center", size=10)
    ax.axhline(
        results[sample, "forest", "random rows"].mean(), color="#0072B2", linestyle=":", zorder=0
    )
    ax.set_xticks(range(len(SPLITS)), list(SPLITS))
    ax.set(ylim=(0, 0.75), xlabel="what was held out", title=sample.capitalize())
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25)
    ax.set_axisbelow(True)
axes[0].set_ylabel("top-1 accuracy of the space group")
axes[1].legend(frameon=False, loc="upper right")
plt.show()
