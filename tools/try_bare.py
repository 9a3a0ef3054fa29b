"""Try an installed wheel without extras: read, check and rank crystals, with --fit fit a model.

Run it with the Python of the environment in question, outside the sources::

    python -I tools/try_bare.py
    python -I tools/try_bare.py --fit      # needs the extra [spacegroups]
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

CIF = """data_{name}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_chemical_formula_sum '{formula}'
_cell_formula_units_Z 4
"""
HEAVY = ("torch", "matminer", "pymatgen", "ase", "matplotlib", "pyarrow", "urllib3")


def read_check_and_rank(folder):
    """Do what needs no extra, on two files."""
    from crystalml import check_table, load_pretrained, read_cifs

    cases = {"halite": (5.64, "Cl Na"), "periclase": (4.21, "Mg O")}
    for name, (a, formula) in cases.items():
        (folder / f"{name}.cif").write_text(CIF.format(name=name, a=a, formula=formula))
    table = read_cifs(folder, progress=False)
    expect("read_cifs", table["status"].tolist(), ["ok", "ok"])
    expect("read_cifs", table["spacegroup_number"].tolist(), [225, 225])
    expect("check_table", len(check_table(table).rows), 2)
    ranked = load_pretrained("cod-inorganic").rank(table, k=1)
    expect("rank", ranked["spacegroup_hm"].tolist(), ["F m -3 m", "F m -3 m"])


def fit_and_compare(folder):
    """Do what the extra [spacegroups] is for: fit the classifier, and run ``crystalml compare``."""
    from crystalml import SpaceGroupClassifier, datasets

    crystals, groups = datasets.load_cod_inorganic(return_X_y=True)
    some = slice(0, 300)
    small = {"cv": 2, "n_trees": 10, "n_rounds": 10}
    model = SpaceGroupClassifier(**small, random_state=0).fit(crystals[some], groups[some])
    found = model.predict(crystals[some])
    print(f"fitted to 300 crystals, of which it answers {(found == groups[some]).mean():.0%}")
    table = crystals[some].assign(spacegroup_number=groups[some])
    table.to_csv(folder / "table.csv", index=False)
    command = [sys.executable, "-m", "crystalml", "compare", str(folder / "table.csv")]
    command += ["--target", "spacegroup_number", "--models", "decision_tree", "--folds", "2"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    print(run.stdout, run.stderr, sep="")
    expect("crystalml compare", run.returncode, 0)


def expect(what, came, wanted):
    """End with a message unless what came is what is wanted."""
    if came != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {came!r}")
    print(f"{what}: {came!r}")


def main():
    """Run the trial."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fit", action="store_true", help="fit and compare, too")
    options = parser.parse_args()
    warnings.simplefilter("error")
    versions = {name: version(name) for name in ("pandas", "numpy", "scipy", "scikit-learn")}
    print(f"Python {sys.version.split()[0]}", *(f"{n} {v}" for n, v in versions.items()), sep=", ")
    print("not installed:", *(name for name in HEAVY if find_spec(name) is None))
    with tempfile.TemporaryDirectory() as folder:
        read_check_and_rank(Path(folder))
        if options.fit:
            fit_and_compare(Path(folder))


if __name__ == "__main__":
    main()
