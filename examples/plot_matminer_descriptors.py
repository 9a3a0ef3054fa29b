"""
Which featurizer of matminer knows the size of atoms?
=====================================================

:class:`crystalml.descriptors.MatminerDescriptors` makes a scikit-learn transformer of any
composition or structure featurizer of matminer, so that a grid search can choose among them.
Here seven of them compete at a question with a known answer: how much volume an atom takes in an
inorganic crystal, from the formula alone.
"""

# %%
# Formulas, volumes, and groups
# -----------------------------
# Entries of the packaged COD data have the measured volume of the cell and the number of atoms
# in it. Compounds of the same elements go into the same fold: otherwise polymorphs and
# re-determinations of one compound would be in training and in test.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline

from crystalml.datasets import load_cod_inorganic
from crystalml.descriptors import MatminerDescriptors
from crystalml.model_selection import composition_groups

cod = load_cod_inorganic().data.sample(300, random_state=0)
volume_per_atom = (cod["volume"] / cod["n_atoms"]).to_numpy()
groups = composition_groups(cod["formula"], by="chemical_system")

# %%
# A grid search over featurizers
# ------------------------------
# A featurizer is a parameter like any other, given by the name of its class, with a preset
# after a colon where it has one. ``on_error="nan"`` turns what a featurizer cannot read into
# rows of NaN, with a warning that counts them; ``report`` says why, row by row.

featurizers = {
    "Stoichiometry": "norms of the fractions",
    "TMetalFraction": "share of transition metals",
    "ValenceOrbital": "valence orbitals",
    "BandCenter": "electronegativity",
    "ElementFraction": "element fractions",
    "ElementProperty:megnet_el": "MEGNet embedding",
    "ElementProperty:magpie": "Magpie statistics",
}
model = Pipeline(
    [
        ("describe", MatminerDescriptors()),
        ("predict", ExtraTreesRegressor(40, min_samples_leaf=2, random_state=0)),
    ]
)
search = GridSearchCV(
    model,
    {"describe__featurizer": list(featurizers)},
    scoring="neg_median_absolute_error",
    cv=GroupKFold(3),
)
search.fit(cod["formula"], volume_per_atom, groups=groups)
best = search.best_params_["describe__featurizer"]
print(f"best: {best}, median error {-search.best_score_:.2f} Å^3")

unreadable = MatminerDescriptors("Stoichiometry").fit(cod["formula"])
print(unreadable.report(["NaN", "CuSO4.5H2O", "La2-xSrxCuO4"])["error"].tolist())

# %%
# Draw what the folds say, and what the best one predicts
# -------------------------------------------------------
# Norms of the fractions know nothing of chemistry, and mark what the stoichiometry alone is
# worth. Each dot is a fold.

folds = -np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(3)])
order = np.argsort(folds.mean(axis=0))[::-1]
predicted = cross_val_predict(
    search.best_estimator_, cod["formula"], volume_per_atom, groups=groups, cv=GroupKFold(3)
)

figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.8), layout="constrained")
names = [f"{featurizers[name]}\n{name}" for name in np.array(list(featurizers))[order]]
means = folds.mean(axis=0)[order]
left.barh(names, means, color="#56B4E9", height=0.62)
for height, values in enumerate(folds[:, order].T):
    left.plot(values, np.full(len(values), height), "o", color="#0072B2", markersize=4)
left.set(
    xlabel="median error of the volume per atom / Å$^3$",
    ylabel="featurizer",
    title="Seven featurizers, three folds",
)
left.tick_params(axis="y", labelsize=8)

limits = (5, 80)
right.plot(limits, limits, color="#666666", linewidth=1)
error = np.abs(predicted - volume_per_atom) / volume_per_atom
points = right.scatter(
    volume_per_atom, predicted, c=100 * error, s=16, cmap="viridis_r", vmin=0, vmax=40
)
figure.colorbar(points, ax=right, label="error / %", extend="max")
right.set(
    xscale="log",
    yscale="log",
    xlim=limits,
    ylim=limits,
    xticks=[5, 10, 20, 40, 80],
    yticks=[5, 10, 20, 40, 80],
    xlabel="measured volume per atom / Å$^3$",
    ylabel="predicted from the formula / Å$^3$",
    title=f"{featurizers[best]}, unseen chemical systems",
)
for axis in (right.xaxis, right.yaxis):
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
