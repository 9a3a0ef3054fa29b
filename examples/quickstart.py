"""From CIF files and indexed cells to ranked space groups, in one run.

First, in seconds, what the library is for: the ready model ranks the space groups of CIFs (eight
minerals that come with ASE, or the folder given as argument) and of three indexed cells whose
compositions are known, and says what one of the answers rests on. Then, in a minute or two, how
such a model is made and judged: the packaged COD data are split by chemical system, two
classifiers are fitted on descriptors of cell and composition, and are compared with the frequency
of the groups. Three pictures show the lists, where a model errs, and how far its probabilities
can be trusted.

    python examples/quickstart.py [FOLDER] [--output FOLDER]
"""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import (
    CellDescriptors,
    CompositionDescriptors,
    MLPNetClassifier,
    load_pretrained,
    read_cifs,
)
from crystalml.crystallography import reduced_formula, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, evaluate_probabilities
from crystalml.plotting import plot_confusion_matrix, plot_reliability

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
INPUTS = [*CELL, "formula"]
# Cells as they come from indexing powder patterns. The ready model learned from compounds of at
# most three elements, so that it cannot know these; their groups are those of the literature.
INDEXED = pd.DataFrame(
    [
        ["LaFeAsO", 4.04, 4.04, 8.74, 90, 90, 90, 129],
        ["K2NaAlF6", 8.12, 8.12, 8.12, 90, 90, 90, 225],
        ["CaCuSi4O10", 7.30, 7.30, 15.12, 90, 90, 90, 130],
    ],
    columns=["formula", *CELL, "spacegroup_number"],
)
MOST_CIFS = 20


def main():
    """Run the steps, each announced with the time it took so far."""
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    step = announce()

    step(f"Reading CIFs from {arguments.folder}")
    cifs = read_cifs(arguments.folder)
    shown = cifs[["source", "status", "formula", "spacegroup_hm"]]
    names = shown["source"].map(lambda path: Path(path).name)
    print(shown.assign(source=names).to_string(index=False))

    step("Ranking space groups with the ready model")
    ready = load_pretrained("cod-inorganic")
    table, y = load_cod_inorganic(return_X_y=True, subset="all")
    usable = cifs.dropna(subset=[*INPUTS, "spacegroup_number"]).head(MOST_CIFS)
    crystals = pd.concat([usable, INDEXED], ignore_index=True)
    is_learned = np.isin(reduced_formula(crystals["formula"]), reduced_formula(table["formula"]))
    ranked = ready.rank(crystals, k=len(ready.classes_))
    print_ranks(crystals, ranked, is_learned)

    step("Explaining one answer")
    print_reasons(ready, INDEXED.head(1))

    step("Splitting the COD data by chemical system")
    train, test, groups = split(table, y)
    y_train, y_test = y.to_numpy()[train], y.to_numpy()[test]
    print(f"{len(train)} rows to fit, {len(test)} rows of other chemical systems to judge by")

    step("Fitting the frequency prior, a random forest and a multilayer perceptron")
    probabilities = {}
    for name, model in make_models().items():
        start = time.perf_counter()
        # The net stops early on rows of its own, which must not share a compound with the rest.
        extra = {"mlpnetclassifier__groups": groups[train]} if name == "MLP" else {}
        model.fit(table.iloc[train], y_train, **extra)
        probabilities[name] = model.predict_proba(table.iloc[test])
        print(f"  {name}: {time.perf_counter() - start:.0f} s")
    labels = np.unique(y_train)
    scores = {
        name: evaluate_probabilities(y_test, proba, labels=labels)
        for name, proba in probabilities.items()
    }
    print(pd.DataFrame(scores).T.round(3).to_string())

    step("Drawing")
    pictures = {
        "ranked_space_groups.png": draw_lists(crystals, ranked, is_learned),
        "confusion_by_crystal_system.png": draw_confusion(y_test, probabilities, labels),
        "reliability.png": draw_reliability(y_test, probabilities, labels),
    }
    for name, figure in pictures.items():
        figure.savefig(arguments.output / name, dpi=150)
        plt.close(figure)
        print(f"  {arguments.output / name}")
    step("Done")


def parse_arguments():
    """Read the command line; without a folder, take the minerals that ASE ships."""
    minerals = Path(find_spec("ase").origin).parent / "test" / "testdata" / "minerals"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=minerals, help="folder of CIFs to rank")
    parser.add_argument("--output", type=Path, default="quickstart_output", help="for the pictures")
    return parser.parse_args()


def announce():
    """Return a function that prints a step and the seconds since the start."""
    start = time.perf_counter()
    return lambda text: print(f"\n[{time.perf_counter() - start:5.1f} s] {text}", flush=True)


def print_ranks(crystals, ranked, is_learned, k=3):
    """Print the first groups of every crystal, and where the reported one stands."""
    for row, crystal in crystals.iterrows():
        listed = ranked[ranked["row"] == row]
        mine = listed.head(k)
        best = ", ".join(
            f"{symbol} {probability:.2f}"
            for symbol, probability in zip(mine["spacegroup_hm"], mine["probability"], strict=True)
        )
        mark = "*" if is_learned[row] else " "
        number = int(crystal["spacegroup_number"])
        place = listed.loc[listed["spacegroup_number"] == number, "rank"]
        place = f"rank {place.item()}" if len(place) else "not listed"
        print(f"{mark} {crystal['formula']}: {best} | {spacegroup_symbol(number)} is {place}")
    print("After the bar stands the reported group.")
    if is_learned.any():
        print("* The model has learned from entries of this compound: in part a recollection.")


def print_reasons(model, crystal):
    """Print what speaks for the first groups of a crystal, and the known crystals like it."""
    evidence, neighbours = model.explain(crystal, k=3, n_neighbours=3)
    print(f"{crystal['formula'].iloc[0]}: what speaks for each group")
    columns = ["spacegroup_hm", "probability", "frequency", "share_of_votes", "metric_strain"]
    print(evidence[columns].round(3).to_string(index=False))
    print("and the known crystals that are most likely to have the same group")
    columns = ["formula", "spacegroup_number", "a", "b", "c", "probability"]
    print(neighbours[columns].round(3).to_string(index=False))


def split(table, y):
    """Hold out a fifth of the chemical systems: no compound is on both sides."""
    systems = composition_groups(table["formula"], by="chemical_system")
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=0)
    train, test = next(splitter.split(table, y, groups=systems))
    return train, test, systems


def make_models():
    """Three classifiers on the same descriptors, from none to learned."""
    describe = make_column_transformer(
        (CellDescriptors(), CELL), (CompositionDescriptors(), ["formula"])
    )
    forest = RandomForestClassifier(100, min_samples_leaf=2, n_jobs=-1, random_state=0)
    net = MLPNetClassifier(hidden_layer_sizes=(256, 128), random_state=0, progress="auto")
    return {
        "frequency prior": DummyClassifier(strategy="prior"),
        "random forest": make_pipeline(describe, SimpleImputer(), forest),
        "MLP": make_pipeline(describe, SimpleImputer(), StandardScaler(), net),
    }


def draw_lists(crystals, ranked, is_learned, k=3, n_columns=4):
    """Draw the first groups of every crystal; the reported one is blue."""
    n_rows = -(-len(crystals) // n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(2.6 * n_columns, 1.5 * n_rows + 0.4),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.ravel()[len(crystals) :]:
        ax.set_visible(False)
    for row, ax in zip(range(len(crystals)), axes.ravel(), strict=False):
        mine = ranked[ranked["row"] == row].head(k)
        reported = crystals["spacegroup_number"].iloc[row]
        colors = ["C0" if n == reported else "0.75" for n in mine["spacegroup_number"]]
        ax.barh(range(len(mine)), mine["probability"], color=colors)
        ax.set_yticks(range(len(mine)), mine["spacegroup_hm"], fontsize=8)
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        title = crystals["formula"].iloc[row] + (" *" if is_learned[row] else "")
        ax.set_title(title, fontsize=9)
    note = "probability; blue: the reported group; *: the model has learned from this compound"
    figure.supxlabel(note, fontsize=9)
    return figure


def draw_confusion(y_true, probabilities, labels):
    """Draw which crystal systems the forest takes for which."""
    forest = labels[probabilities["random forest"].argmax(axis=1)]
    figure, ax = plt.subplots(layout="constrained")
    plot_confusion_matrix(y_true, forest, level="crystal_system", ax=ax)
    return figure


def draw_reliability(y_true, probabilities, labels):
    """Draw how often answers of each probability are right."""
    figure, ax = plt.subplots(layout="constrained")
    for name in ("random forest", "MLP"):
        plot_reliability(y_true, probabilities[name], labels=labels, name=name, ax=ax)
    return figure


if __name__ == "__main__":
    main()
