"""From CIF files and formulas to ranked space groups, in one run.

Reads CIFs (eight minerals that come with ASE, or the folder given as argument), loads the
packaged COD data, splits it by chemical system, fits a pipeline from cell and composition to
the space group, compares it with the frequency of the groups, and ranks the space groups of
the CIFs, whose chemical systems were kept out of training. Two pictures show where the model
errs, and how far its probabilities can be trusted.

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

from crystalml import CellDescriptors, CompositionDescriptors, MLPNetClassifier, read_cifs
from crystalml.crystallography import chemical_system, spacegroup_symbol
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, evaluate_probabilities
from crystalml.plotting import plot_confusion_matrix, plot_reliability

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
INPUTS = [*CELL, "formula"]
RANKED_CIFS = 20


def main():
    """Run the five steps, each announced with the time it took so far."""
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    step = announce()

    step(f"Reading CIFs from {arguments.folder}")
    cifs = read_cifs(arguments.folder)
    print(cifs[["source", "status", "flags", "formula", "spacegroup_hm"]].to_string(index=False))
    usable = cifs.dropna(subset=[*INPUTS, "spacegroup_number"]).reset_index(drop=True)

    step("Loading the COD data and splitting it by chemical system")
    table, y = load_cod_inorganic(return_X_y=True, subset="all")
    systems = composition_groups(table["formula"], by="chemical_system")
    known = ~np.isin(systems, chemical_system(usable["formula"]))
    X, y, systems = table.loc[known, INPUTS], y[known].to_numpy(), systems[known]
    train, test = split(X, y, systems)
    print(f"{len(train)} rows to fit, {len(test)} rows of other chemical systems to judge by")

    step("Fitting the frequency prior, a random forest and a multilayer perceptron")
    probabilities = {}
    models = make_models()
    for name, model in models.items():
        start = time.perf_counter()
        # The net stops early on rows of its own, which must not share a compound with the rest.
        groups = {"mlpnetclassifier__groups": systems[train]} if name == "MLP" else {}
        model.fit(X.iloc[train], y[train], **groups)
        probabilities[name] = model.predict_proba(X.iloc[test])
        print(f"  {name}: {time.perf_counter() - start:.0f} s")
    labels = np.unique(y[train])
    scores = {
        name: evaluate_probabilities(y[test], proba, labels=labels)
        for name, proba in probabilities.items()
    }
    print(pd.DataFrame(scores).T.round(3).to_string())

    step("Ranking space groups for the CIFs")
    print_ranks(usable.head(RANKED_CIFS), models["random forest"], models["frequency prior"])
    if len(usable) > RANKED_CIFS:
        print(f"(the first {RANKED_CIFS} of {len(usable)} usable rows)")

    step("Drawing")
    for path in draw(y[test], probabilities, labels, arguments.output):
        print(f"  {path}")
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


def split(X, y, systems):
    """Hold out a fifth of the chemical systems: no compound is on both sides."""
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=0)
    return next(splitter.split(X, y, groups=systems))


def make_models():
    """Three classifiers on the same descriptors, from none to learned."""
    describe = make_column_transformer(
        (CellDescriptors(), CELL), (CompositionDescriptors(), ["formula"])
    )
    forest = RandomForestClassifier(100, min_samples_leaf=2, n_jobs=-1, random_state=0)
    net = MLPNetClassifier(hidden_layer_sizes=(256, 128), random_state=0, progress=True)
    return {
        "frequency prior": DummyClassifier(strategy="prior"),
        "random forest": make_pipeline(describe, SimpleImputer(), forest),
        "MLP": make_pipeline(describe, SimpleImputer(), StandardScaler(), net),
    }


def print_ranks(rows, model, prior, k=3):
    """Print the first `k` groups of every row and where the reported group is listed."""
    if rows.empty:
        print("  no CIF has a cell, a formula and a space group")
        return
    proba = model.predict_proba(rows[INPUTS])
    order = model.classes_[np.argsort(-proba, axis=1, kind="stable")]
    by_frequency = prior.classes_[np.argsort(-prior.class_prior_, kind="stable")].tolist()
    for i, row in enumerate(rows.itertuples()):
        best = ", ".join(
            f"{spacegroup_symbol(int(number))} {p:.2f}"
            for number, p in zip(order[i, :k], -np.sort(-proba[i])[:k], strict=True)
        )
        reported = int(row.spacegroup_number)
        places = [
            str(listed.index(reported) + 1) if reported in listed else "not listed"
            for listed in (order[i].tolist(), by_frequency)
        ]
        print(
            f"  {row.formula}: {best} | reported {spacegroup_symbol(reported)}: "
            f"rank {places[0]}, by frequency alone {places[1]}"
        )


def draw(y_true, probabilities, labels, folder):
    """Save the two pictures and return their paths."""
    forest = labels[probabilities["random forest"].argmax(axis=1)]
    figure, ax = plt.subplots(layout="constrained")
    plot_confusion_matrix(y_true, forest, level="crystal_system", ax=ax)
    yield save(figure, folder / "confusion_by_crystal_system.png")
    figure, ax = plt.subplots(layout="constrained")
    for name in ("random forest", "MLP"):
        plot_reliability(y_true, probabilities[name], labels=labels, name=name, ax=ax)
    yield save(figure, folder / "reliability.png")


def save(figure, path):
    """Write a figure and close it."""
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


if __name__ == "__main__":
    main()
