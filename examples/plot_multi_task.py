"""
Two tasks from one trunk
========================

:class:`crystalml.MultiTaskNet` learns the crystal system and the volume of the cell together: the
hidden layers are shared, and each task has a head of its own. What one task teaches may help the
other, or get in its way. So the single-task twins, with the same layers, stand beside it, and the
rows to judge by are of chemical systems that no net has seen.
"""

# %%
# Inputs that do not give the answer away
# ---------------------------------------
# With the six cell parameters the volume would be arithmetic. Here the nets know the formula and
# the number of atoms in the cell, what someone has who plans a calculation. Chemical systems are
# drawn at random, and each of three splits keeps a quarter of them for the test.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

from crystalml import (
    CompositionDescriptors,
    MLPNetClassifier,
    MLPNetRegressor,
    MultiTaskNet,
    log_volume,
)
from crystalml.crystallography import crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, volume_report

N_SYSTEMS = 1000
N_SPLITS = 3
LAYERS = (64, 32)
TRAINING = {"max_epochs": 30, "patience": 8, "validation_fraction": 0.15, "random_state": 0}

table, numbers = load_cod_inorganic(return_X_y=True)
systems = composition_groups(table["formula"], by="chemical_system")
few = GroupShuffleSplit(1, train_size=N_SYSTEMS, random_state=0)
rows, _ = next(few.split(table, groups=systems))
table, systems = table.iloc[rows].reset_index(drop=True), systems[rows]
y = pd.DataFrame(
    {"crystal_system": crystal_system(numbers.to_numpy()[rows]), "volume": table["volume"]}
)
X = np.column_stack(
    [CompositionDescriptors().fit_transform(table[["formula"]]), np.log(table["n_atoms"])]
)
print(f"{len(X)} rows of {N_SYSTEMS} chemical systems")

# %%
# One net, and two
# ----------------
# Early stopping looks at whole chemical systems of the training rows; test rows take part in
# nothing. The volume is learned on a log scale in every net.

nets = {
    "one net, equal weights": MultiTaskNet(LAYERS, **TRAINING),
    "one net, learned weights": MultiTaskNet(LAYERS, volume_weight="learned", **TRAINING),
}
# The twins have the shared layers and the layer of a head.
TWIN = (*LAYERS, 32)
classifier = MLPNetClassifier(TWIN, dropout=0.1, **TRAINING)
regressor = log_volume(MLPNetRegressor(TWIN, dropout=0.1, **TRAINING))


def answers(train, test):
    """Crystal systems and volumes that each approach predicts for the test rows."""
    scaler = StandardScaler().fit(X[train])
    known, new = scaler.transform(X[train]), scaler.transform(X[test])
    for name, net in nets.items():
        predicted = net.fit(known, y.iloc[train], groups=systems[train]).predict(new)
        yield name, predicted["crystal_system"], predicted["volume"]
    classifier.fit(known, y["crystal_system"].iloc[train], groups=systems[train])
    regressor.fit(known, y["volume"].iloc[train], groups=systems[train])
    yield "two nets", classifier.predict(new), regressor.predict(new)


accuracy, errors, frequency = {}, {}, []
for train, test in GroupShuffleSplit(N_SPLITS, test_size=0.25, random_state=0).split(X, y, systems):
    labels, true_volume = y.iloc[test]["crystal_system"], y["volume"].iloc[test]
    volumes = {}
    for name, predicted_class, predicted_volume in answers(train, test):
        accuracy.setdefault(name, []).append(accuracy_score(labels, predicted_class))
        volumes[name] = predicted_volume
    report = volume_report(true_volume, volumes, table.iloc[test])
    for name, error in report["mean_absolute_percentage_error"].items():
        errors.setdefault(name, []).append(100 * error)
    prior = DummyClassifier().fit(X[train], y["crystal_system"].iloc[train])
    frequency.append(prior.score(X[test], labels))

print("\nLast split:\n", report.round(3), sep="")
for name, scores in accuracy.items():
    error = errors[name]
    print(
        f"{name}: accuracy {np.mean(scores):.3f} ± {np.std(scores):.3f}, "
        f"volume off by {np.mean(error):.1f} ± {np.std(error):.1f} %"
    )
print("weight of class and volume, as learned:", nets["one net, learned weights"].loss_weights_)

# %%
# Is one net better than two?
# ---------------------------
# Each dot is a split, and a line joins the dots of one split: look at whether the lines rise or
# fall together, not at the height of single dots. The grey lines say what both tasks are worth:
# the frequency of the crystal systems needs no composition, and the exact formula, which needs
# the cell, makes no error.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
panels = [
    (accuracy, np.mean(frequency), "always the most frequent", "accuracy of the crystal system"),
    (errors, np.mean(errors["exact formula"]), "exact formula", "mean error of the volume, %"),
]
for ax, (scores, reference, reference_name, label) in zip(axes, panels, strict=True):
    values = np.array([scores[name] for name in accuracy])
    ax.plot(range(len(values)), values, "o-", color="#56B4E9", alpha=0.8, lw=1)
    ax.plot(range(len(values)), values.mean(axis=1), "_", color="black", ms=30, mew=2.5)
    ax.axhline(reference, color="0.5", linestyle=":")
    ax.text(-0.35, reference, reference_name, va="bottom", color="0.4", size=9)
    ax.set_xticks(range(len(values)), [name.replace(", ", ",\n") for name in accuracy])
    ax.set(xlim=(-0.4, len(values) - 0.6), ylabel=label, xlabel="nets")
    ax.set_ylim(0, 1.15 * values.max())
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
