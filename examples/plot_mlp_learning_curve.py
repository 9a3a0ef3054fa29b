"""
Watch a neural net learn, and stop
==================================

:class:`crystalml.MLPNetClassifier` sets aside a part of the rows it is given, and stops when the
loss on them no longer falls. Its ``history_`` shows what happened, epoch by epoch. Two nets learn
the crystal system from the composition alone: one that nothing restrains, one with dropout.
"""

# %%
# Choose rows by chemical system
# ------------------------------
# Whole chemical systems are drawn at random, so that polymorphs and re-determinations stay
# together. A quarter of the systems is kept for a test at the end.

import matplotlib.pyplot as plt
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import CompositionDescriptors, MLPNetClassifier
from crystalml.crystallography import crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups
from crystalml.plotting import plot_learning_curve

N_SYSTEMS = 1500
EPOCHS = 40

table, numbers = load_cod_inorganic(return_X_y=True)
systems = composition_groups(table["formula"], by="chemical_system")
few = GroupShuffleSplit(1, train_size=N_SYSTEMS, random_state=0)
rows, _ = next(few.split(table, groups=systems))
X = table.loc[rows, ["formula"]].reset_index(drop=True)
y, systems = crystal_system(numbers.to_numpy()[rows]), systems[rows]
train, test = next(GroupShuffleSplit(1, test_size=0.25, random_state=0).split(X, y, systems))
print(f"{len(train)} rows to fit, {len(test)} rows of other chemical systems to judge by")

# %%
# Train two nets
# --------------
# With ``groups``, the net sets aside whole chemical systems for early stopping: rows that are as
# new to it as the test rows will be. ``patience=None`` lets us see the rest of the curve; either
# way the weights of the best epoch are kept.

nets = {
    "no dropout": MLPNetClassifier((256, 128), dropout=0.0),
    "dropout 0.5": MLPNetClassifier((256, 128), dropout=0.5),
}
for name, net in nets.items():
    net.set_params(max_epochs=EPOCHS, patience=None, validation_fraction=0.2, random_state=0)
    model = make_pipeline(CompositionDescriptors(), StandardScaler(), net)
    model.fit(X.iloc[train], y[train], mlpnetclassifier__groups=systems[train])
    accuracy = model.score(X.iloc[test], y[test])
    print(f"{name}: best epoch {net.best_epoch_} of {net.n_iter_}, test accuracy {accuracy:.3f}")

# %%
# Draw the curves
# ---------------
# Without dropout the training loss goes on falling while the loss on new chemical systems rises:
# the net learns its rows by heart. Dropout slows both. Little is to be learned from composition
# alone, though: see the height at which the curves start. Mind that the training loss is taken with
# dropout on, and so lies higher than the net's own.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
for ax, (name, net) in zip(axes, nets.items(), strict=True):
    plot_learning_curve(net.history_, ax=ax)
    ax.set_title(f"256-128 net, {name}")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylim(0, None)
plt.show()
