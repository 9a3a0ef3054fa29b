"""Build the data file of ``crystalml.datasets.load_cod_inorganic`` from a table of COD cells.

Run from the root of the repository::

    python tools/build_cod_inorganic.py TABLE src/crystalml/datasets/data/cod_inorganic.csv.gz

The result depends on the table alone: same rows, same order, no time stamp. Columns that
follow from others (volume, symbols, chemical system) are left out; the loader derives them.
"""

import argparse
import gzip
import hashlib
from pathlib import Path

import pandas as pd

CELL_COLUMNS = ["a", "b", "c", "alpha", "beta", "gamma"]
COLUMNS = ["cod_id", "formula", *CELL_COLUMNS, "n_atoms"]
COLUMNS += ["ordered", "cell_matches_spacegroup", "spacegroup_number"]


def is_reserved(chemical_system):
    """Tell whether a chemical system ("Fe-O") belongs to the reserved evaluation set."""
    digest = hashlib.sha1(chemical_system.encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % 5 == 0


def shortest_decimal(value):
    """Write `value` with at most eight decimals: 6.825000000000001 was published as 6.825."""
    return f"{value:.8f}".rstrip("0").rstrip(".")


def read_source(path):
    """Read the source table and bring its columns to the names of the data set."""
    # Sodium nitride is NaN: the text must not be read as a missing value.
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    if table["chemical_system"].map(is_reserved).any():
        raise SystemExit(f"{path}: holds chemical systems of the reserved evaluation set")
    table["cod_id"] = table["source_id"].str.removeprefix("cod-")
    table["cell_matches_spacegroup"] = table["cell_matches_sg"].astype(int)
    table["ordered"] = table["ordered"].astype(int)
    for column in [*CELL_COLUMNS, "n_atoms"]:
        table[column] = table[column].map(shortest_decimal)
    return table[COLUMNS]


def build(source, target):
    """Write the data file `target` from the table `source`."""
    text = read_source(source).to_csv(index=False, lineterminator="\n")
    # mtime=0: the bytes do not depend on when the file was built.
    Path(target).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    build(arguments.source, arguments.target)
