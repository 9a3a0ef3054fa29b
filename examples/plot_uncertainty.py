"""
How sure is a net?
==================

:class:`crystalml.NetEnsembleClassifier` and :class:`crystalml.NetEnsembleRegressor` train several
nets that differ in their seeds alone. Where the nets are unsure or disagree, an answer had better
be checked by hand; and rows that no net has seen tell how wide an interval must be to hold a
volume in nine cases of ten. Both are put to the test on chemical systems that were kept out.
"""

# %%
# Describe cells and compositions
# -------------------------------
# A part of the data keeps this example short. The test rows belong to other chemical systems than
# all rows that anything below is fitted on.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import (
    CellDescriptors,
    CompositionDescriptors,
    MLPNetClassifier,
    MLPNetRegressor,
    NetEnsembleClassifier,
    NetEnsembleRegressor,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups
from crystalml.plotting import plot_rejection_curve

table, space_group = load_cod_inorganic(return_X_y=True)
systems = composition_groups(table["formula"], by="chemical_system")
sample = GroupShuffleSplit(1, train_size=0.3, test_size=0.25, random_state=0)
train, test = next(sample.split(table, groups=systems))
composition = CompositionDescriptors().fit_transform(table["formula"])
described = np.hstack([CellDescriptors().fit_transform(table), composition])
print(f"{len(train)} rows to learn from, {len(test)} of other chemical systems to test")

# %%
# Reject what is uncertain
# ------------------------
# Space groups from cell and composition. The entropy of the mean probability counts both what each
# net leaves open and what the nets disagree on; the mutual information counts the disagreement
# alone. With ``groups``, every net stops by chemical systems that it does not learn from.

settings = {"batch_size": 128, "learning_rate": 2e-3, "max_epochs": 25, "patience": 5}
classifier = make_pipeline(
    StandardScaler(),
    NetEnsembleClassifier(MLPNetClassifier((128, 64), **settings), n_members=3, random_state=0),
)
y = space_group.to_numpy()
classifier.fit(described[train], y[train], netensembleclassifier__groups=systems[train])
scaler, nets = classifier
known = nets.predict_uncertainty(scaler.transform(described[test]))
answers = nets.classes_[known.probability.argmax(axis=1)]
uncertainties = {
    "entropy": known.predictive_entropy,
    "mutual information": known.mutual_information,
    "at random": np.random.default_rng(0).random(len(test)),
}

# %%
# An interval that holds what it promises
# ---------------------------------------
# The volume per atom from the composition alone, by its logarithm. The nets learn quantiles; the
# chemical systems that ``calibration_fraction`` keeps from all nets tell by how much
# the outer quantiles must be moved apart (conformalised quantile regression). The ends go back to
# Å^3 through the exponential, as any quantile does.

volume = (table["volume"] / table["n_atoms"]).to_numpy()
regressor = make_pipeline(
    StandardScaler(),
    NetEnsembleRegressor(
        MLPNetRegressor((128, 64), head="quantile", **settings),
        n_members=3,
        calibration_fraction=0.3,
        random_state=0,
    ),
)
regressor.fit(
    composition[train], np.log(volume[train]), netensembleregressor__groups=systems[train]
)
inputs = regressor[0].transform(composition[test])
believed = np.exp(regressor[1].predict_quantiles(inputs, [0.05, 0.95]))
calibrated = np.exp(regressor[1].predict_interval(inputs, coverage=0.9))


def share_held(interval):
    """Share of the test rows whose volume lies in its interval."""
    return np.mean((interval[:, 0] <= volume[test]) & (volume[test] <= interval[:, 1]))


print(f"5% to 95% quantile as learned: holds {share_held(believed):.1%} of the volumes")
print(f"calibrated 90% interval: holds {share_held(calibrated):.1%}")

# %%
# Draw curves and intervals
# -------------------------
# Left: both uncertainties put errors last; the entropy, which counts more, does so better than the
# disagreement of the nets alone. Right: intervals of 60 test rows, sorted by their median, wider
# where the composition says less about the volume. How many volumes they hold scatters by a point
# or two from one choice of the calibration rows to the next.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
for name, uncertainty in uncertainties.items():
    plot_rejection_curve(y[test], answers, uncertainty, name=name, ax=left)
left.set(title="Space group: accuracy of the rows kept", ylim=(0.35, 1.01))

some = np.random.default_rng(1).choice(len(test), 60, replace=False)
middle = np.exp(regressor.predict(composition[test]))
some = some[np.argsort(middle[some])]
low, high = calibrated[some].T
inside = (low <= volume[test][some]) & (volume[test][some] <= high)
right.vlines(range(60), low, high, color="#56B4E9", linewidth=4, label="calibrated 90% interval")
for held, color, label in ((inside, "#000000", "inside"), (~inside, "#D55E00", "outside")):
    right.plot(
        np.flatnonzero(held),
        volume[test][some][held],
        "o",
        color=color,
        markersize=4,
        label=f"measured, {label} ({held.sum()})",
    )
right.set(
    yscale="log",
    xlabel="60 compounds of unseen chemical systems",
    ylabel="volume per atom (Å$^3$)",
    title=f"{share_held(calibrated):.1%} of all {len(test):,} volumes lie in their interval",
)
right.set_yticks([10, 20, 50], ["10", "20", "50"])
right.legend(frameon=False, loc="upper left", fontsize="small")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
