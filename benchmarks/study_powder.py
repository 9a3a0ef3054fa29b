"""Space groups of crystals that were determined from powder, as if they had just been indexed.

``python benchmarks/study_powder.py FILE ...`` reads CIFs (or folders of them) and keeps those
whose tags tell of a powder measurement or refinement (``_pd_meas_``, ``_pd_proc_``,
``_pd_calc_``), one of each compound; where a file has no formula, its atoms are counted. The
classifier with its defaults learns from the packaged
COD entries without the chemical systems of these compounds; then it is given their formulas and
their cells, moved within their standard uncertainties. For each the place of the true group in
the list is printed, beside its place in the order of frequency: of all groups, and of those of
the crystal family that the metric of the cell allows. Fitting takes some minutes; no time is
compared, so this is no part of ``python benchmarks``.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import pandas as pd

from crystalml import SpaceGroupClassifier, load, read_cifs, save, to_pymatgen
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import (
    BRAVAIS_LATTICES,
    bravais_lattice,
    chemical_system,
    metric_symmetry,
    spacegroup_symbol,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import duplicate_groups, jitter_cells

POWDER = re.compile(r"^\s*_pd_(meas|proc|calc)_", re.MULTILINE)
COLUMNS = [*CELL_COLUMNS, *(f"{name}_su" for name in CELL_COLUMNS)]
# The lattices of the vectors of conventional cells, centred or not, from high to low symmetry.
FAMILIES = ["cP", "hP", "tP", "oP", "mP", "aP"]
# Three of the standard uncertainties that cells without any are given.
LENGTH_TOLERANCE, ANGLE_TOLERANCE = 9e-4, 0.09


def powder_files(paths):
    """List the CIFs among the paths, or below them, that tell of powder."""
    files = [
        file
        for path in paths
        for file in (sorted(path.rglob("*.cif")) if path.is_dir() else [path])
    ]
    return [f for f in files if POWDER.search(f.read_text(encoding="utf-8", errors="replace"))]


def read(files):
    """Read the files; keep those with a space group and atoms, one of each compound."""
    table = read_cifs([str(file) for file in files])
    table = table[table["spacegroup_number"].notna()].reset_index(drop=True)
    missing = table["formula"].isna()
    counted = to_pymatgen(table[missing], on_error="none")
    table.loc[missing, "formula"] = [atoms and _formula(atoms.composition) for atoms in counted]
    table = table[table["formula"].notna()].reset_index(drop=True)
    groups = duplicate_groups(table["formula"], table[list(CELL_COLUMNS)])
    return table[~pd.Series(groups).duplicated().to_numpy()].reset_index(drop=True)


def _formula(composition):
    """Write the contents of a cell as a formula."""
    amounts = composition.as_dict().items()
    return "".join(symbol if n == 1 else f"{symbol}{n:.5g}" for symbol, n in amounts)


def metric_family(cells):
    """Return the primitive lattice of the most symmetric crystal family that the cells allow."""
    allowed = metric_symmetry(
        cells, length_tolerance=LENGTH_TOLERANCE, angle_tolerance=ANGLE_TOLERANCE
    )
    columns = [BRAVAIS_LATTICES.index(name) for name in FAMILIES]
    return np.array(FAMILIES)[allowed[:, columns].argmax(axis=1)]


def places(scores, true, numbers):
    """Find the true group of each row among groups by falling score; 0 if it is not there."""
    order = numbers[np.argsort(-scores, axis=1, kind="stable")]
    hit = order == true[:, None]
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0)


def study(rows, model, known):
    """Return the table that is printed."""
    true = rows["spacegroup_number"].to_numpy(dtype=int)
    found = model.predict_proba(rows)
    numbers = model.classes_
    share = known.value_counts(normalize=True).reindex(numbers).to_numpy()
    families = np.array([name[0] for name in metric_family(rows[list(CELL_COLUMNS)].to_numpy())])
    of_group = np.array([name[0] for name in bravais_lattice(numbers)])
    within = np.where(of_group == families[:, None], share, -share.max() + share)
    everywhere = np.tile(share, (len(rows), 1))
    chosen = (numbers == true[:, None]) * found
    return pd.DataFrame(
        {
            "COD": ["-" if pd.isna(code) else str(code) for code in rows["cod_id"]],
            "formula": rows["formula"].str.replace(" ", ""),
            "cell": [_cell(row) for row in rows[list(CELL_COLUMNS)].to_numpy()],
            "space group": spacegroup_symbol(true),
            "place": _shown(places(found, true, numbers)),
            "probability": [f"{p:.3f}" for p in chosen.sum(axis=1)],
            "first answer": spacegroup_symbol(numbers[found.argmax(axis=1)]),
            "place by frequency": _shown(places(everywhere, true, numbers)),
            "in the family": _shown(places(within, true, numbers)),
        }
    )


def _shown(found):
    """Write places, and a dash for groups that were not learned."""
    return ["-" if place == 0 else str(place) for place in found]


def _cell(values):
    """Write lengths with two digits, angles with one, and right angles not at all."""
    lengths = ", ".join(f"{value:.2f}" for value in values[:3])
    angles = [f"{value:.1f}" for value in values[3:]]
    return lengths if set(angles) == {"90.0"} else f"{lengths}; {', '.join(angles)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, help="CIFs, or folders of them")
    parser.add_argument("--model", type=Path, help="file to keep the model in, or to take it from")
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    rows = read(powder_files(options.paths))
    table, y = load_cod_inorganic(return_X_y=True)
    known = ~np.isin(chemical_system(table["formula"]), chemical_system(rows["formula"].tolist()))
    print(f"{len(rows)} compounds; {known.sum()} of {len(table)} entries to learn from")
    if options.model is not None and options.model.exists():
        model = load(options.model)
    else:
        model = SpaceGroupClassifier(random_state=0, n_jobs=options.n_jobs, progress="auto")
        model.fit(table[known], y[known])
        if options.model is not None:
            save(model, options.model)
    indexed = jitter_cells(
        rows[["cod_id", "formula", "spacegroup_number", *COLUMNS]], random_state=0
    )
    lines = study(indexed, model, y[known])
    print("| " + " | ".join(lines.columns) + " |\n" + "|---" * lines.shape[1] + "|")
    for line in lines.itertuples(index=False):
        print("| " + " | ".join(map(str, line)) + " |")


if __name__ == "__main__":
    main()
