"""Lattice parameters of unseen chemical systems: the regressor beside simple answers.

``python benchmarks/study_lattice.py`` measures on the large tables beside the checkout
(``../shared/data``), in five folds of ``GroupKFold`` by chemical system (shuffled, random_state
0); everything is fitted inside the folds. The configuration was chosen on the first fold of the
split with random_state 1. ``--data cod`` or ``mp`` and ``--folds`` choose a part.

COD's cells are published ones, in many settings, and are compared with standardized axes. The
computed cells of the Materials Project share one setting and are compared as they are. Rows
whose cell contradicts their space group are left out, since no answer could be right.

Errors of a, b and c are relative to the truth, in percent, the median over all test rows of a
crystal family. Lattice and atoms in the cell are given. Nearest neighbour: the cell of the most
similar compound with the same stoichiometry and lattice (or of similar composition, where there
is none), scaled to the atoms in the cell. Ridge: logarithms of the parameters on the descriptors
of the composition and the logarithm of the atoms in the cell, one model for each lattice.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crystalml import CompositionDescriptors, LatticeParameterRegressor
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import bravais_lattice, cell_volume, parse_formulas
from crystalml.known_crystals._index import STOICHIOMETRY
from crystalml.symmetry._cell_model._neighbours import CellContents, KnownCells
from crystalml.symmetry._cell_model._shapes import (
    cells_to_shapes,
    constrain,
    lattice_codes,
    shapes_to_cells,
)
from crystalml.symmetry._conventional_cells import conventional_cells

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
AXES = {"cod": "standardized", "mp": "as given"}
FAMILIES = {
    "c": "cubic",
    "t": "tetragonal",
    "h": "hexagonal",
    "o": "orthorhombic",
    "m": "monoclinic",
    "a": "triclinic",
}
KNOWN = ["formula", "bravais_lattice", "n_atoms"]
CELL = list(CELL_COLUMNS)


def read(name):
    """Read a table, its cells brought into the setting of the comparison."""
    path = FOLDER / f"{name}_cells.csv.gz"
    # Sodium nitride is spelled NaN.
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    table["bravais_lattice"] = bravais_lattice(table["spacegroup_number"])
    codes = lattice_codes(table["bravais_lattice"])
    cells, multiples, contradicts = conventional_cells(
        table[CELL].to_numpy(), codes, axes=AXES[name]
    )
    table[CELL] = cells
    table["n_atoms"] *= multiples
    table["volume"] = cell_volume(cells)
    table = table.assign(code=codes, per_atom=table["volume"] / table["n_atoms"])
    return table[~contradicts].reset_index(drop=True)


def by_ridge(train, test, describe):
    """Predict cells and volumes per atom by linear models."""
    inputs = [
        np.column_stack([describe[part.index], np.log(part["n_atoms"])]) for part in (train, test)
    ]
    shapes, volumes = cells_to_shapes(train[CELL].to_numpy())
    targets = np.column_stack([shapes, np.log(volumes)])
    found = np.tile(targets.mean(axis=0), (len(test), 1))
    for code in np.unique(test["code"]):
        rows, asked = train["code"].to_numpy() == code, test["code"].to_numpy() == code
        if rows.sum() > 1:
            model = make_pipeline(StandardScaler(), Ridge(10.0)).fit(inputs[0][rows], targets[rows])
            # A linear model must not leave the range of what it has seen.
            limits = targets[rows].min(axis=0), targets[rows].max(axis=0)
            found[asked] = np.clip(model.predict(inputs[1][asked]), *limits)
    cells = shapes_to_cells(found[:, :6], np.exp(found[:, 6]), test["code"].to_numpy())
    model = make_pipeline(StandardScaler(), Ridge(10.0))
    model.fit(describe[train.index], np.log(train["per_atom"]))
    return cells, np.exp(model.predict(describe[test.index]))


def by_neighbour(train, test):
    """Predict the cells and volumes per atom of the nearest compounds."""
    contents, asked = (
        CellContents.of(
            parse_formulas(part["formula"]).amounts,
            part["code"].to_numpy(),
            np.zeros(len(part), int),
            part["n_atoms"].to_numpy(float),
        )
        for part in (train, test)
    )
    shapes, volumes = cells_to_shapes(train[CELL].to_numpy())
    shapes, ones = constrain(shapes, contents.lattices), np.ones(len(train))
    known = KnownCells(contents, np.zeros(len(train), int), shapes, volumes, ones)
    crystals = asked.crystals()
    same, similar = known.same(crystals, 1).rows, known.similar(crystals, 1).rows
    nearest = np.where(same >= 0, same, similar)[:, 0]
    per_atom = volumes / contents.n_atoms
    found = per_atom[nearest] * asked.n_atoms
    cells = shapes_to_cells(shapes[nearest], found, asked.lattices)
    crystals = crystals._replace(log_units=None)
    same = known.same(crystals, 1, within=(STOICHIOMETRY,)).rows
    similar = known.similar(crystals, 1, within=()).rows
    return cells, per_atom[np.where(same >= 0, same, similar)[:, 0]]


def by_regressor(train, test, axes):
    """Predict with what is given, and report time, size and spread."""
    start = time.perf_counter()
    model = LatticeParameterRegressor(axes=axes, random_state=0)
    model.fit(train[[*KNOWN, "spacegroup_number"]], train[CELL])
    print(f"  fitted in {time.perf_counter() - start:.0f} s", flush=True)
    cells, stds = model.predict(test[KNOWN], return_std=True)
    group = model.predict(test[[*KNOWN, "spacegroup_number"]])
    alone = model.predict(test[["formula"]])
    return cells, stds, group, alone, model.predict_volume_per_atom(test["formula"])


def measure(name, folds):
    """Return the tables of one data set: errors of lengths, volumes and the spread."""
    table = read(name)
    describe = CompositionDescriptors().fit_transform(table["formula"])
    splitter = GroupKFold(5, shuffle=True, random_state=0)
    splits = list(splitter.split(table, groups=table["chemical_system"]))[:folds]
    lengths, volumes = [], []
    for train_rows, test_rows in splits:
        train, test = table.iloc[train_rows], table.iloc[test_rows]
        answers = {
            "ridge": by_ridge(train, test, describe),
            "nearest neighbour": by_neighbour(train, test),
        }
        cells, stds, group, alone, per_atom = by_regressor(train, test, AXES[name])
        answers["regressor"] = cells, per_atom
        answers["regressor, space group given"] = group, None
        answers["regressor, formula alone"] = alone, None
        for answer, (found, atomic) in answers.items():
            errors = np.abs(found[:, :3] / test[CELL[:3]].to_numpy() - 1.0)
            part = pd.DataFrame(100.0 * errors, columns=CELL[:3])
            part["volume"] = 100.0 * np.abs(cell_volume(found) / test["volume"].to_numpy() - 1.0)
            part["inside"] = np.nan
            if answer == "regressor":
                inside = np.abs(found - test[CELL].to_numpy()) < stds
                part["inside"] = 100.0 * inside[:, :3].mean(axis=1)
            part["answer"], part["family"] = answer, test["bravais_lattice"].str[0].to_numpy()
            part["lattice"] = test["bravais_lattice"].to_numpy()
            lengths.append(part)
            if atomic is not None:
                off = 100.0 * np.abs(atomic / test["per_atom"].to_numpy() - 1.0)
                volumes.append({"answer": answer, "mean": off.mean(), "median": np.median(off)})
    return pd.concat(lengths), pd.DataFrame(volumes)


def show(name, lengths, volumes):
    """Print what was measured."""
    print(f"\n{name}: absolute percentage error of the volume per atom, by composition alone")
    print(volumes.groupby("answer", sort=False).agg(["mean", "min", "max"]).round(2).to_string())
    print(f"\n{name}: median relative error of a, b, c in percent, by crystal family")
    for answer, rows in lengths.groupby("answer", sort=False):
        part = rows.groupby("family")[CELL[:3]].median()
        part["a, b, c"] = rows.melt("family", CELL[:3]).groupby("family")["value"].median()
        print(
            f"{answer}\n{part.reindex(list(FAMILIES)).rename(index=FAMILIES).round(2).to_string()}"
        )
    own = lengths[lengths["answer"] == "regressor"]
    print("\nby Bravais lattice, and share of lengths within one standard deviation, in percent")
    groups = own.groupby("lattice")
    part = (
        groups[[*CELL[:3], "volume"]]
        .median()
        .assign(rows=groups.size(), inside=groups["inside"].mean())
    )
    print(part.round(2).to_string())
    print(f"all: {own['inside'].mean():.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=list(AXES), default=list(AXES))
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    if not FOLDER.is_dir():
        sys.exit("The large tables are not beside this checkout.")
    for name in options.data:
        show(name, *measure(name, options.folds))


if __name__ == "__main__":
    main()
