"""Whether conformal sets keep their promise, and temperatures theirs, in new chemical systems.

``python benchmarks/study_conformal.py`` measures on the data set that comes with the package, in
some seven minutes of one core; no time is compared, so it is no part of ``python benchmarks``. Five
folds of whole chemical systems (stratified by space group, shuffled, seed 0); each fold is tested
once by models of the other four, which are calibrated on rows held out, by chemical systems too:

- "refitted": all rows of the four are scored out of fold, and the model is then fitted on all;
- "models of the splits": the same scores, and sets by the five models that made them (CV+);
- "one split": a fifth of the rows is scored by the model that makes the sets, so that the promise
  is a theorem.

The sets of all folds are judged together, over all rows and by the crystal system of the true space
group.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold

from crystalml import CellDescriptors, CompositionDescriptors
from crystalml._schema import CELL_COLUMNS
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import (
    ConformalClassifier,
    TemperatureScaledClassifier,
    composition_groups,
    evaluate_probabilities,
    set_coverage,
    symmetry_labels,
)

COVERAGE = 0.9
N_FOLDS = 5
REFITTED, OF_SPLITS, ONE_SPLIT = "refitted", "models of the splits", "one split"
# Method, groups of labels with a threshold of their own, whether sets may be empty, models.
VARIANTS = [
    ("lac", None, False, REFITTED),
    ("lac", "crystal_system", False, REFITTED),
    ("lac", "crystal_system", False, OF_SPLITS),
    ("lac", "crystal_system", False, ONE_SPLIT),
    ("aps", "crystal_system", False, REFITTED),
    ("aps", "crystal_system", True, REFITTED),
    ("raps", "crystal_system", True, REFITTED),
]


def data():
    """Descriptors of cell and composition, space groups, chemical systems."""
    table, y = load_cod_inorganic(return_X_y=True, subset="all")
    X = np.hstack(
        [
            CompositionDescriptors().fit_transform(table[["formula"]]),
            CellDescriptors().fit_transform(table[list(CELL_COLUMNS)]),
        ]
    )
    return X, y.to_numpy(), composition_groups(table["formula"], by="chemical_system")


def variant_name(method, mondrian, allow_empty, models):
    groups = "one threshold" if mondrian is None else f"one per {mondrian.replace('_', ' ')}"
    return f"{method}, {groups}, {models}" + (", empty sets allowed" if allow_empty else "")


def calibration_splits(models, X, y, groups):
    """Give what `ConformalClassifier` takes as ``cv``: five folds, or the first of them alone."""
    if models != ONE_SPLIT:
        return N_FOLDS
    return [next(StratifiedGroupKFold(N_FOLDS).split(X, y, groups))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=40)
    forest = ExtraTreesClassifier(parser.parse_args().trees, min_samples_leaf=4, random_state=0)
    X, y, groups = data()
    systems = symmetry_labels(y, "crystal_system")
    labels = np.unique(y)
    y_proba = {name: np.zeros((len(y), len(labels))) for name in ("forest", "with temperature")}
    sets = {variant: np.zeros((len(y), len(labels)), dtype=bool) for variant in VARIANTS}
    temperatures = []
    splitter = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        folds = list(splitter.split(X, y, groups))
    for train, test in folds:
        fitted = TemperatureScaledClassifier(forest).fit(X[train], y[train], groups=groups[train])
        columns = np.ix_(test, np.searchsorted(labels, fitted.classes_))
        y_proba["forest"][columns] = fitted.estimator_.predict_proba(X[test])
        y_proba["with temperature"][columns] = fitted.predict_proba(X[test])
        temperatures.append(fitted.temperature_)
        model = ConformalClassifier(forest, coverage=COVERAGE)
        for variant in VARIANTS:
            method, mondrian, allow_empty, models = variant
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The least populated class")
                cv = calibration_splits(models, X[train], y[train], groups[train])
            model.set_params(method=method, mondrian=mondrian, allow_empty=allow_empty, cv=cv)
            model.set_params(ensemble=models == OF_SPLITS)
            model.fit(X[train], y[train], groups=groups[train])
            known = np.searchsorted(labels, model.classes_)
            sets[variant][np.ix_(test, known)] = model.predict_set_mask(X[test])
    scores = {name: evaluate_probabilities(y, p, labels=labels) for name, p in y_proba.items()}
    print(pd.DataFrame(scores).T.round(4).to_string())
    print(f"temperatures of the folds: {np.round(temperatures, 2).tolist()}\n")
    for variant in VARIANTS:
        report = set_coverage(y, sets[variant], labels=labels, groups=systems)
        print(f"{variant_name(*variant)}:\n{report.round(3).to_string()}\n")


if __name__ == "__main__":
    main()
