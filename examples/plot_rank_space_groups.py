"""
Ranked space groups for an indexed cell
=======================================

A pattern has been indexed, and the composition is known. Which space groups come into question?
The list is drawn for crystals of chemical systems that the classifier has not seen, beside what
counting space groups gives.
"""

# %%
# Learn from some compounds, ask about others
# -------------------------------------------
# Half of the chemical systems are learned from, a part of their rows so that it takes seconds
# instead of minutes. The other half is asked about, with cells moved within the errors of
# indexing.

import matplotlib.pyplot as plt
import numpy as np

from crystalml import SpaceGroupClassifier
from crystalml.crystallography import chemical_system, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import jitter_cells, top_k_accuracy

table, y = load_cod_inorganic(return_X_y=True)
_, system = np.unique(chemical_system(table["formula"]), return_inverse=True)
known, new = np.flatnonzero(system % 2 == 0)[::6], np.flatnonzero(system % 2)[::12]
rows, true = jitter_cells(table.iloc[new], random_state=0), y.iloc[new].to_numpy()

model = SpaceGroupClassifier(n_trees=20, n_rounds=40, cv=3, random_state=0)
model.fit(table.iloc[known], y.iloc[known])
found = model.predict_proba(rows)
frequency = y.iloc[known].value_counts(normalize=True).reindex(model.classes_).to_numpy()

# %%
# One compound
# ------------
# A compound whose answer is neither certain nor wrong, in a group that is not frequent. What is
# known from the pattern shortens the list: here, that the cell is tetragonal.

probability = (found * (model.classes_ == true[:, None])).sum(axis=1)
is_learned = np.isin(true, model.classes_)
share = dict(zip(model.classes_, frequency, strict=True))
is_rare = np.array([share.get(number, 1.0) < 0.02 for number in true])
tetragonal = (true >= 75) & (true <= 142)
first = np.argmax(is_learned & is_rare & tetragonal & (probability > 0.4) & (probability < 0.8))
mine, answer = rows.iloc[[first]], true[first]

ranked = model.rank(mine, k=8)
shorter = model.rank(mine, k=8, allowed="tetragonal")
print(shorter.drop(columns="row").round(3).to_string(index=False))

evidence, neighbours = model.explain(mine, k=3)
print(neighbours[["formula", "spacegroup_number", "probability"]].round(2).to_string(index=False))

# %%
# All of them
# -----------
# How often is the true group among the first on the list? Groups that were not learned count as
# missed.

K = np.arange(1, 11)
by_model, by_count = (
    [top_k_accuracy(true, scores, k=int(k), labels=model.classes_) for k in K]
    for scores in (found, np.tile(frequency, (len(rows), 1)))
)
print(f"first answer right: {by_model[0]:.2f}; most frequent group: {by_count[0]:.2f}")

# %%
# Draw
# ----
# Grey bars are the frequencies among the crystals learned from: what one would say of any
# crystal. The true group is set in bold.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 4.8), layout="constrained", width_ratios=(1.6, 1)
)
numbers = ranked["spacegroup_number"].to_numpy()
places = np.arange(len(numbers))
restricted = dict(zip(shorter["spacegroup_number"], shorter["probability"], strict=True))
bars = {
    "frequency of the group": ([share[number] for number in numbers], "#BBBBBB"),
    "cell and composition": (ranked["probability"], "#0072B2"),
    "and known to be tetragonal": ([restricted.get(n, 0.0) for n in numbers], "#56B4E9"),
}
for i, (label, (heights, color)) in enumerate(bars.items()):
    left.bar(places + (i - 1) * 0.28, heights, 0.26, color=color, label=label)
left.set_xticks(places, spacegroup_symbol(numbers), rotation=35, ha="right")
for tick, number in zip(left.get_xticklabels(), numbers, strict=True):
    tick.set_fontweight("bold" if number == answer else "normal")
cell = mine.iloc[0]
title = f"{cell['formula']}: a = {cell['a']:.2f} Å, b = {cell['b']:.2f} Å, c = {cell['c']:.2f} Å"
left.set(xlabel="space group, most probable first", ylabel="probability", title=title)
left.legend(frameon=False)

right.plot(K, by_model, "o-", color="#0072B2", label="cell and composition")
right.plot(K, by_count, "o-", color="#999999", label="frequency of the group")
right.set(
    xlabel="length of the list",
    ylabel="share with the true space group",
    title=f"{len(rows)} crystals of unseen chemical systems",
    ylim=(0, 1),
    xticks=K[::3],
)
right.legend(frameon=False, loc="lower right")
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25)
    ax.set_axisbelow(True)
plt.show()
