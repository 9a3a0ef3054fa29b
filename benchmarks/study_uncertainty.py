"""Whether ensembles of nets know where they are wrong, and whether their intervals hold.

``python benchmarks/study_uncertainty.py`` measures on the data set that comes with the package; no
time is compared, so it is no part of ``python benchmarks``. Whole chemical systems (a quarter) are
kept out for the test; of the rest, whole systems are set aside for early stopping (a tenth, other
ones for each member) and for calibration. Test rows take part in nothing.

Labels: crystal system and space group from `CellDescriptors` and `CompositionDescriptors`. The
table has the accuracy of all test rows and what it gains, in points, when the fifth of the rows
that is most uncertain is rejected, for several ways to say how uncertain.

Numbers: the volume per atom from the composition, and the volume of the cell from its six
parameters, both by their logarithm. The table has the share of test rows that lie in their 90%
interval: as one net says, as the ensemble says, and after calibration; and the median width of the
latter, as the ratio of its ends. The volume of a cell follows exactly from the parameters: the net
is of interest for its intervals only.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

from crystalml import (
    CellDescriptors,
    CompositionDescriptors,
    MLPNetClassifier,
    MLPNetRegressor,
    NetEnsembleClassifier,
    NetEnsembleRegressor,
)
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import crystal_system
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups

TEST_SHARE, CALIBRATION_SHARE, REJECTED, COVERAGE = 0.25, 0.2, 0.2, 0.9
NET = {"hidden_layer_sizes": (128, 64), "batch_size": 256, "learning_rate": 2e-3, "patience": 8}


def splits(systems, n_splits):
    """Yield training and test rows that share no chemical system."""
    splitter = GroupShuffleSplit(n_splits, test_size=TEST_SHARE, random_state=0)
    yield from splitter.split(systems, groups=systems)


def scaled(X, train):
    """Standardise columns by the training rows."""
    return StandardScaler().fit(X[train]).transform(X).astype(np.float32)


def gain(right, uncertainty):
    """Points of accuracy won by rejecting the most uncertain rows."""
    kept = np.argsort(uncertainty, kind="stable")[: round((1 - REJECTED) * len(right))]
    return 100 * (right[kept].mean() - right.mean())


def uncertainties_of_labels(ensemble, X):
    """Return by name: predicted labels, and how uncertain each is."""
    known = ensemble.predict_uncertainty(X)
    single = ensemble.estimators_[0]
    dropout = single.dropout_uncertainty(X, n_samples=30, random_state=0)

    def summed_up(name, found):
        answers = ensemble.classes_[found.probability.argmax(axis=1)]
        return {
            f"{name}: 1 - highest probability": (answers, 1 - found.probability.max(axis=1)),
            f"{name}: entropy": (answers, found.predictive_entropy),
            f"{name}: mutual information": (answers, found.mutual_information),
        }

    one = single.predict_proba(X)
    answers = single.classes_[one.argmax(axis=1)]
    return {
        "one net: 1 - highest probability": (answers, 1 - one.max(axis=1)),
        **summed_up("dropout", dropout),
        **summed_up("ensemble", known),
    }


def study_labels(X, targets, systems, n_splits, n_members):
    """Measure how well each uncertainty ranks the errors."""
    rows = []
    for target, y in targets.items():
        for train, test in splits(systems, n_splits):
            Z = scaled(X, train)
            ensemble = NetEnsembleClassifier(MLPNetClassifier(**NET), n_members, random_state=0)
            ensemble.fit(Z[train], y[train], groups=systems[train])
            for name, (answers, unsure) in uncertainties_of_labels(ensemble, Z[test]).items():
                right = answers == y[test]
                rows.append((target, name, 100 * right.mean(), gain(right, unsure)))
    return pd.DataFrame(rows, columns=["target", "uncertainty", "accuracy", "gain"])


def held(interval, y):
    """Return the share of targets that lie in their intervals, in percent."""
    return 100 * ((interval[:, 0] <= y) & (y <= interval[:, 1])).mean()


def study_numbers(problems, systems, n_splits, n_members):
    """Measure how many rows lie in their intervals."""
    rows = []
    for target, (X, y) in problems.items():
        for head in ("gaussian", "quantile"):
            for train, test in splits(systems, n_splits):
                Z = scaled(X, train)
                ensemble = NetEnsembleRegressor(
                    MLPNetRegressor(head=head, **NET),
                    n_members,
                    calibration_fraction=CALIBRATION_SHARE,
                    random_state=0,
                ).fit(Z[train], y[train], groups=systems[train])
                single = ensemble.estimators_[0].predict_interval(Z[test], COVERAGE)
                ends = ensemble.predict_quantiles(Z[test], [0.05, 0.95])
                interval = ensemble.predict_interval(Z[test], COVERAGE)
                shares = [held(ends, y[test]) for ends in (single, ends, interval)]
                ratio = np.exp(np.median(interval[:, 1] - interval[:, 0]))
                rows.append((target, head, *shares, ratio))
    columns = ["target", "head", "one net", "ensemble", "calibrated", "width"]
    return pd.DataFrame(rows, columns=columns)


def report(table, keys):
    """Print mean, smallest and largest value over the splits."""
    summary = table.groupby(keys, sort=False).agg(["mean", "min", "max"])
    print(summary.round(2).to_string(), end="\n\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--members", type=int, default=5)
    options = parser.parse_args()
    start = time.perf_counter()
    table, numbers = load_cod_inorganic(return_X_y=True)
    systems = composition_groups(table["formula"], by="chemical_system")
    composition = CompositionDescriptors().fit_transform(table["formula"])
    described = np.hstack([CellDescriptors().fit_transform(table), composition])
    targets = {
        "crystal system": crystal_system(numbers.to_numpy()),
        "space group": numbers.to_numpy(),
    }
    volume = table["volume"].to_numpy()
    problems = {
        "volume per atom": (composition, np.log(volume / table["n_atoms"].to_numpy())),
        "volume of the cell": (table[list(CELL_COLUMNS)].to_numpy(), np.log(volume)),
    }
    size = options.splits, options.members
    print(f"{len(table)} rows, {options.splits} splits, {options.members} members\n")
    report(study_labels(described, targets, systems, *size), ["target", "uncertainty"])
    report(study_numbers(problems, systems, *size), ["target", "head"])
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
