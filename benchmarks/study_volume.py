"""How well nets learn what is known exactly: cell volumes and space groups from the cell alone.

``python benchmarks/study_volume.py`` measures on the data set that comes with the package; no
time is compared, so it is no part of ``python benchmarks``. Whole chemical systems are kept out
for the test (a fifth of them) and, of the rest, for early stopping (a tenth): test rows take part
in nothing.

Volume: the nets get the six cell parameters, as logarithms of the lengths and cosines of the
angles, standardised, and learn ``log1p`` of the volume. The volume of the data set is computed
from the cell, so the exact formula, printed beside them, is the answer itself. The wide columns
of the wide-and-deep net are the three lengths; ``v_formula`` would be the answer. Scores are of
the volume itself, in Å^3.

Space group: the MLP gets `CellDescriptors`, by their quantiles and in bins of equal count, and
nothing of the composition. Beside it stands the frequency of the groups.
"""

import argparse
import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    QuantileTransformer,
    StandardScaler,
)

from crystalml import (
    CellDescriptors,
    MLPNetClassifier,
    MLPNetRegressor,
    TabNetRegressor,
    WideDeepNetRegressor,
    log_volume,
)
from crystalml._schema import CELL_COLUMNS
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import composition_groups, evaluate_probabilities, volume_report

CELL = list(CELL_COLUMNS)
TEST_SHARE = 0.2
LENGTHS = (0, 1, 2)  # columns of `log_cells`
# Chosen on a part of the training rows of one split. The defaults, which are the study's, take
# 2,000 steps at a twentieth of this learning rate or less, and have not arrived then.
TABNET = {
    "n_d": 16,
    "n_a": 16,
    "n_steps": 3,
    "batch_size": 256,
    "virtual_batch_size": 256,
    "momentum": 0.1,
    "learning_rate": 0.02,
    "scheduler": "cosine",
    "max_epochs": 150,
    "patience": None,
}
# What differs from the defaults of each net. "tabnet" and "wide_deep" are the study's.
VOLUME_NETS = {
    "mlp": (MLPNetRegressor, {}),
    "wide_deep": (WideDeepNetRegressor, {"wide_features": LENGTHS}),
    "tabnet": (TabNetRegressor, {}),
    "tabnet_tuned": (TabNetRegressor, TABNET),
}
SPACE_GROUP = "space_group"
# Chosen on a part of the training rows of one split: bins of equal count and one wide layer did
# better than standardised columns and deeper nets.
SPACE_GROUP_NET = {
    "hidden_layer_sizes": (256,),
    "dropout": 0.5,
    "batch_size": 128,
    "max_epochs": 60,
    "patience": 6,
}
N_BINS = 24


def log_cells(cells):
    """Logarithms of a, b, c and cosines of alpha, beta, gamma."""
    cells = np.asarray(cells, dtype=np.float64)
    return np.hstack([np.log(cells[:, :3]), np.cos(np.radians(cells[:, 3:]))])


def make_net(net_class, parameters, seed, max_epochs):
    """Build a net, for fewer epochs if asked."""
    epochs = {} if max_epochs is None else {"max_epochs": max_epochs}
    return net_class(**{**parameters, **epochs}, random_state=seed)


def split(table, groups, seed):
    """Rows to fit and rows of other groups to test on."""
    splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
    return next(splitter.split(table, groups=groups))


def fit(model, X, y, groups):
    """Fit a model whose last step is called net, and return the seconds it took."""
    started = time.perf_counter()
    model.fit(X, y, net__groups=groups)
    return time.perf_counter() - started


def volume_rows(model_name, table, groups, seed, max_epochs):
    """Scores of one net and of the formula for one split."""
    net = make_net(*VOLUME_NETS[model_name], seed, max_epochs)
    train, test = split(table, groups, seed)
    steps = [("describe", FunctionTransformer(log_cells)), ("scale", StandardScaler())]
    model = log_volume(Pipeline([*steps, ("net", net)]))
    cells, volumes = table[CELL], table["volume"].to_numpy()
    seconds = fit(model, cells.iloc[train], volumes[train], groups[train])
    report = volume_report(
        volumes[test], {model_name: model.predict(cells.iloc[test])}, cells.iloc[test]
    )
    epochs = model.regressor_["net"].n_iter_
    about = {"seed": seed, "epochs": epochs, "seconds": seconds}
    return [{"model": name, **scores, **about} for name, scores in report.to_dict("index").items()]


def space_group_rows(table, y, groups, seed, max_epochs):
    """Scores of the MLP and of the frequency of the groups for one split."""
    train, test = split(table, groups, seed)
    net = make_net(MLPNetClassifier, SPACE_GROUP_NET, seed, max_epochs)
    bins = KBinsDiscretizer(
        N_BINS, encode="onehot-dense", quantile_method="averaged_inverted_cdf", dtype=np.float32
    )
    scale = make_union(QuantileTransformer(output_distribution="normal", random_state=0), bins)
    model = Pipeline([("describe", CellDescriptors()), ("scale", scale), ("net", net)])
    cells = table[CELL]
    with warnings.catch_warnings():
        # Angles that are mostly 90 degrees fill fewer bins, which are merged, as they should be.
        warnings.filterwarnings("ignore", module="sklearn.preprocessing._discretization")
        seconds = fit(model, cells.iloc[train], y[train], groups[train])
    prior = DummyClassifier(strategy="prior").fit(cells.iloc[train], y[train])
    rows = []
    for name, fitted in {"MLP": model, "frequency of the groups": prior}.items():
        proba = fitted.predict_proba(cells.iloc[test])
        scores = evaluate_probabilities(y[test], proba, labels=fitted.classes_)
        rows.append({"model": name, **scores, "seed": seed})
    rows[0] |= {"epochs": net.n_iter_, "seconds": seconds}
    return rows


def summary(rows):
    """Mean over the seeds, and the standard deviation of the first score."""
    table = pd.DataFrame(rows)
    by_model = table.drop(columns="seed").groupby("model", sort=False)
    means = by_model.mean()
    means.insert(1, "standard_deviation", by_model[means.columns[0]].std())
    means.insert(0, "seeds", by_model.size())
    return means


def main():
    """Measure what was asked for and print a table for volumes and one for space groups."""
    choices = [*VOLUME_NETS, SPACE_GROUP]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=choices, default=choices)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--split",
        choices=["chemical_system", "row"],
        default="chemical_system",
        help="what is kept together; single rows flatter, and are there for comparison only",
    )
    parser.add_argument("--rows", type=int, help="rows of the data set, for a trial")
    parser.add_argument("--epochs", type=int, help="most epochs of each net, for a trial")
    chosen = parser.parse_args()
    table, y = load_cod_inorganic(return_X_y=True)
    table, y = table.head(chosen.rows or len(table)), y.head(chosen.rows or len(y)).to_numpy()
    systems = composition_groups(table["formula"], by="chemical_system")
    print(f"{len(table)} rows, {len(set(systems))} chemical systems, {len(set(y))} space groups")
    groups = systems if chosen.split == "chemical_system" else np.arange(len(table))
    volumes, space_groups = [], []
    for seed in chosen.seeds:
        for name in chosen.models:
            started = time.perf_counter()
            if name == SPACE_GROUP:
                rows = space_group_rows(table, y, groups, seed, chosen.epochs)
                space_groups += rows
            else:
                rows = volume_rows(name, table, groups, seed, chosen.epochs)
                volumes += rows
            seconds = time.perf_counter() - started
            about = ", ".join(f"{key} {value}" for key, value in [*rows[0].items()][1:4])
            print(f"{name}, seed {seed}: {seconds:.0f} s, {about}", file=sys.stderr, flush=True)
    for title, rows in (("Volume", volumes), ("Space group", space_groups)):
        if rows:
            print(f"\n{title}\n{summary(rows).to_string(float_format='{:.4f}'.format)}")


if __name__ == "__main__":
    main()
