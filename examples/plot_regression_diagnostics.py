"""
Where a regression goes wrong
=============================

A volume model that sees the formula alone cannot know the cell; what it can know is how much room
the atoms need. Its errors, in three pictures, beside those of a straight line, and what it looked
at. No chemical system of the test rows was among the training rows.
"""

# %%
# Fit on chemical systems that the test has not
# ---------------------------------------------
# The target is the volume per atom, on a logarithmic scale, so that an error is a share of the
# volume; :func:`crystalml.log_volume` transforms it there and back. Entries with less than 5 or
# more than 60 Å³ per atom, whose number of atoms can hardly be right, are left out.

import matplotlib.pyplot as plt
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import CompositionDescriptors, log_volume
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups
from crystalml.plotting import (
    plot_feature_importances,
    plot_predictions,
    plot_regression_diagnostics,
    plot_residual_distribution,
    plot_residuals,
)

N_ROWS = 2000

table = load_cod_inorganic().data
table = table[(table["volume"] / table["n_atoms"]).between(5, 60)]
table = table.sample(N_ROWS, random_state=0)
room = (table["volume"] / table["n_atoms"]).to_numpy()
systems = composition_groups(table["formula"], by="chemical_system")
train, test = next(GroupShuffleSplit(1, random_state=0).split(table, groups=systems))

describe = CompositionDescriptors().set_output(transform="pandas")
X = describe.fit_transform(table[["formula"]])
model = log_volume(ExtraTreesRegressor(30, min_samples_leaf=2, random_state=0))
model.fit(X.iloc[train], room[train])
predicted = model.predict(X.iloc[test])

# %%
# Look at the errors
# ------------------
# A residual above zero is a crystal with more room for its atoms than its formula suggests.

plot_regression_diagnostics(room[test], predicted, quantity="volume per atom", unit="Å^3", log=True)
plt.show()

# %%
# Beside another model
# --------------------
# The three pictures are functions of their own. Here they are for ridge regression on the same
# descriptors as well: its residuals spread more, and are less often near zero.

line = log_volume(make_pipeline(StandardScaler(), Ridge(10.0))).fit(X.iloc[train], room[train])
by_line = line.predict(X.iloc[test])
quantity = {"quantity": "volume per atom", "unit": "Å^3"}
figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained")
for row, (name, answer) in enumerate({"trees": predicted, "straight line": by_line}.items()):
    plot_predictions(room[test], answer, name=name, ax=axes[row, 0], **quantity)
    plot_residuals(room[test], answer, ax=axes[row, 1], **quantity)
    plot_residual_distribution(room[test], answer, ax=axes[row, 2], **quantity)
axes[0, 1].set_ylim(axes[1, 1].get_ylim())  # one scale for both models
plt.show()

# %%
# See what the model uses
# -----------------------
# Importance is measured on the test rows, as the fall of R² when a column is shuffled. One carries
# nearly everything: the volume per atom of the elements themselves, averaged over the formula.

result = permutation_importance(model, X.iloc[test], room[test], n_repeats=3, random_state=0)
ax = plot_feature_importances(
    result.importances, X.columns, n_features=15, label="fall of R² when shuffled"
)
ax.set_title("Volume per atom from the formula")
plt.show()
