"""Six classical models and two baselines on the COD rows, for three ways to choose the test rows.

``python benchmarks/study_models.py`` measures on the data set that comes with the package; times
are those of this machine. Each way to split (``--splits``) is a comparison of its own: five
stratified folds of 80% of the rows, and 20% held out, with seed 0. "random" parts single rows,
"reduced_formula" whole compounds, "chemical_system" whole chemical systems; what a model loses
from the first to the last is what it had remembered of relatives.

The time of the support vector machine grows with the square of the rows, its probabilities take
four fits in place of one, and every pair of 210 groups is a machine of its own: it is fitted on at
most 3,000 rows of each fold, drawn with every class in proportion (``--svm-rows``, 0 for all). The
other models are fitted on all rows.

Of each comparison the elapsed time is printed, and the processor time of all its processes, which
does not depend on what else the machine has to do.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd
import psutil

from crystalml import CellDescriptors, CompositionDescriptors
from crystalml._schema import CELL_COLUMNS
from crystalml.datasets import load_cod_inorganic
from crystalml.model_selection import classical_models, compare_models, composition_groups

SPLITS = ("random", "reduced_formula", "chemical_system")
SIDE_BY_SIDE = ("accuracy", "top_5_accuracy", "log_loss")


def data(n_rows):
    """Return descriptors of composition and cell, space groups, and formulas.

    Fewer rows are whole chemical systems, so that families of compounds stay together.
    """
    table, y = load_cod_inorganic(return_X_y=True, subset="all")
    if n_rows:
        systems = pd.factorize(composition_groups(table["formula"], by="chemical_system"))[0]
        shuffled = np.random.default_rng(0).permutation(systems.max() + 1)[systems]
        rows = np.sort(np.argsort(shuffled, kind="stable")[:n_rows])
        table, y = table.iloc[rows], y.iloc[rows]
    # Descriptors depend on one row alone, so they may be computed before the split.
    X = np.hstack(
        [
            CompositionDescriptors().fit_transform(table[["formula"]]),
            CellDescriptors().fit_transform(table[list(CELL_COLUMNS)]),
        ]
    )
    return X, y.to_numpy(), table["formula"].to_numpy()


def processor_seconds():
    """Processor time so far of this process and its workers, those that have ended included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    of_workers = sum(times.user + times.system for times in running)
    return time.process_time() + ended.ru_utime + ended.ru_stime + of_workers


def side_by_side(comparisons):
    """Write one table of a few metrics, cross-validated, under every way to split."""
    names = next(iter(comparisons.values())).models
    print("| model |", " | ".join(f"{m}, {s}" for m in SIDE_BY_SIDE for s in comparisons), "|")
    print("|---|" + "---:|" * len(SIDE_BY_SIDE) * len(comparisons))
    for name in names:
        cells = [
            f"{comparison.table.loc[name, (metric, 'mean')]:.3f}"
            for metric in SIDE_BY_SIDE
            for comparison in comparisons.values()
        ]
        print("|", " | ".join([name, *cells]), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS)
    parser.add_argument("--rows", type=int, default=0, help="0 for all")
    parser.add_argument("--models", nargs="+", choices=list(classical_models()))
    parser.add_argument("--svm-rows", type=int, default=3000, help="0 for all")
    parser.add_argument("--jobs", type=int, default=2, help="fits at the same time")
    options = parser.parse_args()
    X, y, formulas = data(options.rows)
    chosen = options.models or list(classical_models())
    models = {k: model for k, model in classical_models(random_state=0).items() if k in chosen}
    limited = options.svm_rows and "svm" in models
    comparisons = {}
    for split in options.splits:
        start, used = time.perf_counter(), processor_seconds()
        comparisons[split] = compare_models(
            models,
            X,
            y,
            groups=None if split == "random" else composition_groups(formulas, by=split),
            max_rows={"svm": options.svm_rows} if limited else None,
            random_state=0,
            n_jobs=options.jobs,
            progress=True,
        )
        elapsed, used = time.perf_counter() - start, processor_seconds() - used
        print(f"{split}: {elapsed:.0f} s with {options.jobs} jobs, {used:.0f} s of processor\n")
        print(comparisons[split].to_markdown(), "\n", flush=True)
    side_by_side(comparisons)


if __name__ == "__main__":
    main()
