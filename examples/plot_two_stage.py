"""
Two stages: the Bravais lattice, then the space group
=====================================================

A two-stage classifier asks for the Bravais lattice first and for the space group given the
lattice. Two published architectures and a pair of forests are fitted to the same rows, and tested
on chemical systems that none of them has seen, beside what counting space groups gives.
"""

# %%
# Cells, compositions, and rows to test on
# ----------------------------------------
# Whole chemical systems are held out. Inside the training rows they are kept together as well:
# in the folds of the first stage, and in the rows on which nets decide when to stop.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import (
    BravaisSpaceGroupClassifier,
    CellDescriptors,
    CompositionDescriptors,
    MLPNetClassifier,
    NetEnsembleClassifier,
)
from crystalml.crystallography import bravais_lattice, crystal_system, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, top_k_accuracy

N_ROWS = 2200
CELL = ["a", "b", "c", "alpha", "beta", "gamma"]

table, y = load_cod_inorganic(return_X_y=True)
table, y = table.head(N_ROWS), y.head(N_ROWS).to_numpy()
systems = composition_groups(table["formula"], by="chemical_system")
splitter = GroupShuffleSplit(n_splits=1, test_size=0.25, random_state=0)
train, test = next(splitter.split(table, y, systems))

# Descriptors depend on one row alone, so they may be computed before the split.
describe = make_column_transformer(
    (CellDescriptors(), CELL), (CompositionDescriptors(), ["formula"])
)
X = describe.fit_transform(table)

# %%
# Three ways to fill the stages
# -----------------------------
# By default both stages are nets, and the second sees the probabilities of all lattices. CRYSPNet
# has an ensemble of five nets for the lattice, trained on oversampled rows, and one net for each
# lattice. Any other classifiers may take their places. The nets are trained briefly here: this
# compares how models are put together, and is no benchmark of the papers.


def net(seed, *hidden, **parameters):
    """Return a net for one stage, trained briefly."""
    brief = {"max_epochs": 25, "patience": 5, "learning_rate": 3e-3}
    return MLPNetClassifier(hidden, **brief, **parameters, random_state=seed)


study = {"batch_normalization": True, "dropout": 0.2, "batch_size": 128}
trees = ExtraTreesClassifier(60, min_samples_leaf=2, random_state=0)
models = {
    "two nets,\nsoft lattice": BravaisSpaceGroupClassifier(
        make_pipeline(StandardScaler(), net(0, 128, 64, **study)),
        make_pipeline(StandardScaler(), net(1, 128, 64, **study)),
        cv=3,
    ),
    "five nets, then\none per lattice": BravaisSpaceGroupClassifier(
        make_pipeline(
            StandardScaler(),
            NetEnsembleClassifier(net(0, 64, batch_size=256), n_members=5, random_state=0),
        ),
        make_pipeline(StandardScaler(), net(1, 64, batch_size=128)),
        second_stage="per_bravais",
        oversample="bravais",
        random_state=0,
    ),
    "two forests,\nsoft lattice": BravaisSpaceGroupClassifier(trees, trees, cv=3),
    "frequency of\nthe groups": BravaisSpaceGroupClassifier(
        DummyClassifier(), DummyClassifier(), second_stage="per_bravais"
    ),
}

K = (1, 5, 10)
scores = {}
for name, model in models.items():
    model.fit(X[train], y[train], groups=systems[train])
    proba = model.predict_proba(X[test])
    scores[name] = [top_k_accuracy(y[test], proba, k=k, labels=model.classes_) for k in K]
    right = (model.predict_bravais(X[test]) == bravais_lattice(y[test])).mean()
    lists = ", ".join(f"top {k} {score:.3f}" for k, score in zip(K, scores[name], strict=True))
    print(f"{' '.join(name.split())}: Bravais lattice {right:.3f}; space group {lists}")

# %%
# What else is known
# ------------------
# Indexing gives the lattice, the pattern shows which reflections are absent. ``rank`` takes that
# as ``allowed``. Here each test row is asked four times, and told more each time. Space groups
# that were never seen in training count as missed.

true = y[test]
knowledge = {
    "nothing": [None] * len(true),
    "crystal\nsystem": crystal_system(true),
    "Bravais\nlattice": bravais_lattice(true),
    "systematic\nabsences": [f"extinction:{symbol}" for symbol in spacegroup_symbol(true)],
}


def share_right(model, known):
    """Share of rows whose first answer is right, given what is known of each row."""
    known, right = np.array(known, dtype=object), 0
    for allowed in set(known):
        rows = np.flatnonzero((known == allowed) & np.isin(true, model.classes_))
        if len(rows):
            first = model.rank(X[test[rows]], k=1, allowed=allowed)["spacegroup_number"]
            right += (first.to_numpy() == true[rows]).sum()
    return right / len(true)


BEST, COUNTING = "two forests,\nsoft lattice", "frequency of\nthe groups"
known_scores = {
    name: [share_right(models[name], known) for known in knowledge.values()]
    for name in (BEST, COUNTING)
}
print({" ".join(name.split()): np.round(found, 3) for name, found in known_scores.items()})

# %%
# Draw both
# ---------
# On the left, how often the true group is on a list of the given length. On the right, how often
# the first answer of one model is right once more is known. Absences leave so few groups that
# counting among them does about as well: what a model adds, it adds before.

colors = dict(zip(models, ["#0072B2", "#56B4E9", "#009E73", "#E69F00"], strict=True))
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained", sharey=True)


def bars(ax, table_of_scores, ticks):
    """Draw a group of bars at each tick, with the numbers on top."""
    width = 0.84 / len(table_of_scores)
    for i, (name, found) in enumerate(table_of_scores.items()):
        x = np.arange(len(found)) + (i - (len(table_of_scores) - 1) / 2) * width
        ax.bar(x, found, 0.92 * width, color=colors[name], label=" ".join(name.split()))
        for position, height in zip(x, found, strict=True):
            ax.text(position, height + 0.01, f"{height:.2f}", ha="center", size=9)
    ax.set_xticks(range(len(ticks)), ticks)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25)
    ax.set_axisbelow(True)


bars(left, scores, [f"top {k}" for k in K])
left.set(xlabel="length of the list", ylabel="share with the true space group", ylim=(0, 1.12))
left.legend(frameon=False, loc="upper left", ncols=2)
bars(right, known_scores, list(knowledge))
right.set(xlabel="what is known beside cell and composition", title="First answer")
left.set_title(f"{len(test)} crystals of chemical systems held out")
plt.show()
