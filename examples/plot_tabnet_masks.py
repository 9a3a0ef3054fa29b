"""
What TabNet looks at
====================

:class:`crystalml.TabNetClassifier` chooses in several steps, for each row, which columns to look
at, and can say which. It learns the crystal system from the six cell parameters, with a column of
random numbers among them that it should learn to ignore. Do the masks make sense, and do three
nets that differ in nothing but the seed agree on them?
"""

# %%
# Train three nets
# ----------------
# Rows are drawn by chemical system, and whole systems are kept for the test. The cell is given as
# a crystallographer would look at it: its size, the ratios of its edges, and its angles.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import TabNetClassifier
from crystalml.crystallography import CRYSTAL_SYSTEMS, crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups

SEEDS = (0, 1, 2)

table, numbers = load_cod_inorganic(return_X_y=True)
systems = composition_groups(table["formula"], by="chemical_system")
draw = GroupShuffleSplit(1, train_size=0.12, test_size=0.1, random_state=0)
train, test = next(draw.split(table, groups=systems))
y = crystal_system(numbers.to_numpy())

columns = {
    "log a": np.log(table["a"]),
    "log b/a": np.log(table["b"] / table["a"]),
    "log c/a": np.log(table["c"] / table["a"]),
    "cos alpha": np.cos(np.radians(table["alpha"])),
    "cos beta": np.cos(np.radians(table["beta"])),
    "cos gamma": np.cos(np.radians(table["gamma"])),
    "random": np.random.default_rng(0).standard_normal(len(table)),
}
X = pd.DataFrame(columns)

nets = []
for seed in SEEDS:
    net = TabNetClassifier(
        8, 8, 3, batch_size=256, learning_rate=0.02, momentum=0.1, max_epochs=20, random_state=seed
    )
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), net)
    model.fit(X.iloc[train], y[train], tabnetclassifier__groups=systems[train])
    nets.append(model)
    print(f"seed {seed}: test accuracy {model.score(X.iloc[test], y[test]):.3f}")
frequent = pd.Series(y[test]).value_counts(normalize=True).iloc[0]
print(f"always the most frequent system: {frequent:.3f}")

# %%
# Read the masks
# --------------
# A mask sums to 1 over the columns. Means over the test rows of each crystal system show where a
# step looks, for the net of the first seed; a step whose units stay at zero looks in vain, so the
# share that the step has in the answer stands above its panel.

scaler, first = nets[0]
explanation = first.explain(scaler.transform(X.iloc[test]))
by_system = [explanation.masks[y[test] == system].mean(axis=0) for system in CRYSTAL_SYSTEMS]
shares = explanation.contributions.sum(axis=0) / explanation.contributions.sum()

# %%
# Draw them
# ---------
# Dark is where a step looks, and rows differ: the net chooses other columns for other systems. One
# expects gamma for hexagonal and trigonal cells, and the last step of this net looks at nothing
# else there. The importances on the right weigh the masks by what the steps contribute. The seeds
# agree on little but the rough order: a column is chosen in one net, and another that tells the
# same in the next. So the place of a single dot means little; that the random column is among the
# last in all of them means more.

figure = plt.figure(figsize=(13, 4.4), layout="constrained")
*panels, bars = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.1])
for step, ax in enumerate(panels):
    image = ax.imshow(np.array(by_system)[:, step], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_title(f"Step {step + 1}\n({shares[step]:.0%} of the answer)")
    ax.set_xticks(range(len(columns)), list(columns), rotation=60, ha="right")
    ax.set_xlabel("column")
    if step > 0:
        ax.sharey(panels[0])
        ax.tick_params(labelleft=False)
panels[0].set_yticks(range(len(CRYSTAL_SYSTEMS)), CRYSTAL_SYSTEMS)
panels[0].set_ylabel("crystal system")
figure.colorbar(image, ax=panels, label="mean of the mask", shrink=0.8)

positions = np.arange(len(columns))
for seed, (_, net), marker in zip(SEEDS, nets, "osD", strict=True):
    bars.plot(net.feature_importances_, positions, marker, label=f"seed {seed}", alpha=0.8)
bars.set_yticks(positions, list(columns))
bars.invert_yaxis()
bars.set_xlim(0, None)
bars.grid(axis="y", alpha=0.3)
bars.set(title="Importance of columns\n(three nets)", ylabel="column")
bars.set_xlabel("share of what is looked at")
bars.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.2))
bars.spines[["top", "right"]].set_visible(False)
plt.show()
