"""Space groups of compounds in new chemical systems: ours beside what others would use.

``python benchmarks/study_space_groups.py --data cod --models ours prior`` measures on the tables
of the shared data (``--data cod`` or ``mp``); no time is compared, so it is no part of
``python benchmarks``. Groups with at least five rows; five folds of whole chemical systems
(stratified by space group, shuffled, seed 0), each tested once by models fitted on the other
four, everything learned inside. Log loss with probabilities floored at 1e-4; calibration error
of the top answer in 15 bins of equally many rows. Each fold's figures are appended to a file
(``--output``), so that a run can be made in pieces.
"""

import argparse
import json
import time
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from _harness import SHARED_DATA
from crystalml import (
    BravaisSpaceGroupClassifier,
    CellDescriptors,
    CompositionDescriptors,
    SpaceGroupClassifier,
)
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import bravais_lattice
from crystalml.model_selection import (
    composition_groups,
    expected_calibration_error,
    floored_log_loss,
    jitter_cells,
    top_k_accuracy,
)

FEWEST_ROWS = 5
COVERAGE = 0.9  # asked of the sets of our classifier
OURS = {
    "ours": "composition+cell",
    "ours, atoms known": "composition+cell+atoms",
    "ours, jittered cells": "composition+cell",
    "ours, cell alone": "cell",
    "ours, composition alone": "composition",
}


def load(name):
    """Rows of groups that have at least five."""
    table = pd.read_csv(SHARED_DATA / f"{name}_cells.csv.gz", keep_default_na=False, na_values=[""])
    rows = table["spacegroup_number"].map(table["spacegroup_number"].value_counts())
    return table[rows >= FEWEST_ROWS].reset_index(drop=True)


def descriptors(table, inputs):
    """Magpie and cell descriptors, as one would put them together by hand."""
    parts = []
    if "composition" in inputs:
        parts.append(CompositionDescriptors().fit_transform(table[["formula"]]))
    if "cell" in inputs:
        parts.append(CellDescriptors().fit_transform(table[list(CELL_COLUMNS)]))
    return np.hstack(parts).astype(np.float32)


def others(seed):
    """Return the models of other people, on descriptors: name -> (estimator, takes groups)."""
    from lightgbm import LGBMClassifier

    scaled = (SimpleImputer(), StandardScaler())
    trees = {"n_estimators": 200, "random_state": seed, "n_jobs": -1}
    # With its own bound on hessians, leaves of rare groups get huge values and the fit diverges.
    boosted = LGBMClassifier(
        n_estimators=60, learning_rate=0.1, num_leaves=15, feature_fraction=0.1, extra_trees=True,
        min_child_weight=1.0, reg_lambda=1.0, random_state=seed, verbose=-1,
    )  # fmt: skip
    return {
        "prior": (DummyClassifier(strategy="prior"), False),
        "nearest neighbour": (make_pipeline(*scaled, KNeighborsClassifier(1)), False),
        "random forest": (RandomForestClassifier(**trees), False),
        "extremely randomised trees": (ExtraTreesClassifier(**trees), False),
        "LightGBM": (boosted, False),
        "two-stage nets of the study": (BravaisSpaceGroupClassifier(random_state=seed), True),
        "CRYSPNet's nets": (cryspnet(seed), True),
    }


def cryspnet(seed):
    """Five oversampled nets for the lattice, then one net for each lattice."""
    from crystalml import MLPNetClassifier, NetEnsembleClassifier

    net = MLPNetClassifier(
        (256, 128), dropout=0.2, batch_normalization=True, batch_size=256, patience=10
    )
    ensemble = make_pipeline(StandardScaler(), NetEnsembleClassifier(net, n_members=5))
    return BravaisSpaceGroupClassifier(
        ensemble,
        make_pipeline(StandardScaler(), net),
        second_stage="per_bravais",
        oversample="bravais",
        min_count=10,
        random_state=seed,
    )


def splits(table, by):
    """Folds of whole chemical systems, or of whole anonymous formulas."""
    groups = composition_groups(table["formula"], by=by)
    y = table["spacegroup_number"]
    kind = (
        GroupKFold(5)
        if by == "anonymous_formula"
        else StratifiedGroupKFold(5, shuffle=True, random_state=0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rare groups are in some folds only
        return list(kind.split(table, y, groups))


@lru_cache(maxsize=1)
def fitted(inputs, data, by, fold):
    """Fit our classifier to the training rows of a fold; exact and jittered cells share it."""
    table = load(data)
    train, _ = splits(table, by)[fold]
    y = table["spacegroup_number"].to_numpy()
    start = time.perf_counter()
    model = SpaceGroupClassifier(inputs, random_state=0, n_jobs=-1).fit(table.iloc[train], y[train])
    return model, time.perf_counter() - start


def answers(name, table, train, test, X, options, fold):
    """Probabilities of the test rows, labels of the columns, seconds of fit and use, our sets."""
    y = table["spacegroup_number"].to_numpy()
    start = time.perf_counter()
    if name in OURS:
        model, seconds = fitted(OURS[name], options.data, options.by, fold)
        start = time.perf_counter() - seconds
        rows = table.iloc[test]
        if "jittered" in name:
            rows = jitter_cells(rows, length_su=3e-4, angle_su=0.03, random_state=0)
    else:
        model, takes_groups = others(0)[name]
        groups = composition_groups(table["formula"].iloc[train], by="chemical_system")
        model.fit(X[train], y[train], **({"groups": groups} if takes_groups else {}))
        rows = X[test]
    end = time.perf_counter()
    found = model.predict_proba(rows)
    seconds = (end - start, time.perf_counter() - end)
    sets = model.predict_set(rows, coverage=COVERAGE) if name in OURS else None
    return found, model.classes_, seconds, sets


def figures(y, found, classes):
    """Scores of one fold; probabilities floored at 1e-4 in the log loss."""
    lattices = bravais_lattice(classes)
    names = np.unique(lattices)
    of_lattice = np.column_stack([found[:, lattices == name].sum(axis=1) for name in names])
    return {
        "top1": top_k_accuracy(y, found, k=1, labels=classes),
        "top5": top_k_accuracy(y, found, k=5, labels=classes),
        "log_loss": floored_log_loss(y, found, labels=classes, floor=1e-4),
        "ece": expected_calibration_error(y, found, labels=classes),
        "bravais": float(np.mean(names[of_lattice.argmax(axis=1)] == bravais_lattice(y))),
    }


def of_sets(y, sets):
    """Share of the sets that hold the true group, and their mean size."""
    return {
        "covered": float(np.mean([true in inside for true, inside in zip(y, sets, strict=True)])),
        "set_size": float(np.mean([len(inside) for inside in sets])),
    }


def errors(table, test, found, classes):
    """Print what the wrong answers of a fold are made of."""
    rows = table.iloc[test]
    y, answer = rows["spacegroup_number"].to_numpy(), classes[found.argmax(axis=1)]
    wrong = y != answer
    true_lattice, lattice = bravais_lattice(y), bravais_lattice(answer)
    family = np.array([a[0] != b[0] for a, b in zip(true_lattice, lattice, strict=True)])
    print("share of the rows that are wrong:", round(float(wrong.mean()), 4))
    for name, part in (
        ("in the crystal family", family),
        ("in the centring alone", (true_lattice != lattice) & ~family),
        ("in the group alone", wrong & (true_lattice == lattice)),
    ):
        print(f"  {name}: {part.mean():.4f}")
    frame = pd.DataFrame({"lattice": true_lattice, "right": ~wrong})
    frame["ordered"] = rows["ordered"].to_numpy() if "ordered" in rows else True
    for column in ("lattice", "ordered"):
        print(frame.groupby(column)["right"].agg(["size", "mean"]).round(3).T.to_string())
    pairs = pd.Series([f"{a} taken for {b}" for a, b in zip(y[wrong], answer[wrong], strict=True)])
    print(pairs.value_counts().head(12).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["cod", "mp"], default="cod")
    parser.add_argument("--models", nargs="+", default=list(OURS))
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument(
        "--by", choices=["chemical_system", "anonymous_formula"], default="chemical_system"
    )
    parser.add_argument("--inputs", default="composition+cell", help="of the other models")
    parser.add_argument("--output", type=Path, default=Path("space_groups.jsonl"))
    parser.add_argument("--errors", action="store_true", help="tell what the errors are made of")
    options = parser.parse_args()
    table = load(options.data)
    folds = splits(table, options.by)
    X = None if set(options.models) <= set(OURS) else descriptors(table, options.inputs)
    for fold in options.folds:
        for name in options.models:
            train, test = folds[fold]
            found, classes, seconds, sets = answers(name, table, train, test, X, options, fold)
            y = table["spacegroup_number"].to_numpy()[test]
            line = {
                "data": options.data,
                "by": options.by,
                "model": name,
                "inputs": OURS.get(name, options.inputs),
                "fold": fold,
                **figures(y, found, classes),
                **({} if sets is None else of_sets(y, sets)),
                "fit_s": seconds[0],
                "predict_s": seconds[1],
            }
            line = {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
            print(json.dumps(line), flush=True)
            if options.errors:
                errors(table, test, found, classes)
            with options.output.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
