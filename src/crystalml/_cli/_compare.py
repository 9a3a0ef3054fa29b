"""``crystalml compare``: classical classifiers on a table, beside baselines."""

import argparse
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer

from crystalml._cli._output import print_json, records, text_table, wrapped
from crystalml._cli._tables import cells_of, check_columns, read_table
from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import cell_problems, parse_formulas
from crystalml.descriptors import CellDescriptors, CompositionDescriptors
from crystalml.exceptions import InvalidInputError, SchemaError
from crystalml.model_selection import classical_models, compare_models, composition_groups

_TARGETS = ("bravais_lattice", "crystal_system", "spacegroup_number")


def run(options: argparse.Namespace) -> int:
    """Compare, and print the table."""
    # Names are checked before the table is read.
    models = _models(options)
    table = _usable(read_table(options.table), options)
    describe = make_column_transformer(
        (CellDescriptors(), list(CELL_COLUMNS)), (CompositionDescriptors(), ["formula"])
    )
    comparison = compare_models(
        models,
        table[[*CELL_COLUMNS, "formula"]],
        table[options.target].to_numpy(),
        # Compounds of the same elements resemble each other: split between folds, one would give
        # away the answer for the other, and every model would look better than it is.
        groups=composition_groups(table["formula"], by="chemical_system"),
        cv=options.folds,
        transformer=describe,
        max_rows=options.max_rows,
        random_state=options.seed,
        n_jobs=options.n_jobs,
    )
    if options.json:
        print_json(_as_json(comparison, options.target))
    else:
        print(f"{options.target}, whole chemical systems held out together\n")
        _tell(comparison)
    return 0


def _tell(comparison: Any) -> None:
    """Write the figures as a table, and the notes on them below."""
    # The library's own table, so that figures are rounded the same way here and in Python.
    markdown, _, _ = comparison.to_markdown().partition("\n\n")
    header, _, *rows = (
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in markdown.splitlines()
    )
    print(text_table(header, rows, whole=("model",)), end="\n\n")
    for note in comparison.notes:
        print(wrapped(f"- {note}", "  "))


def _models(options: argparse.Namespace) -> dict[str, Any]:
    """Choose models by name."""
    known = classical_models(random_state=options.seed)
    if options.models == "all":
        return known
    names = [name.strip() for name in options.models.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidInputError(
            f"--models: there is no {', '.join(map(repr, unknown))}; choose from "
            f"{', '.join(known)}."
        )
    return {name: known[name] for name in names}


def _usable(table: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Keep the rows that have a target, a cell and a formula."""
    if options.target not in _TARGETS:
        raise InvalidInputError(f"--target {options.target!r}: choose from {', '.join(_TARGETS)}.")
    check_columns(table, (*CELL_COLUMNS, "formula", options.target), options.table)
    # First, since the parser must not get missing values.
    has_formula = table["formula"].map(lambda text: isinstance(text, str))
    table = table[has_formula & table[options.target].notna()]
    cells = cell_problems(cells_of(table, options.table))
    formulas = parse_formulas(list(table["formula"]), on_error="report").errors
    # Rows that cannot be used are left out here: the descriptors would raise at the first one.
    kept = [a is None and b is None for a, b in zip(cells, formulas, strict=True)]
    table = table[kept].reset_index(drop=True)
    if table.empty:
        raise SchemaError(f"{options.table} has no row with a cell, a formula and a target.")
    return table


def _as_json(comparison: Any, target: str) -> dict[str, Any]:
    """Return the figures by model, metric and statistic."""
    figures: dict[str, Any] = {}
    for (metric, statistic), values in comparison.table.items():
        for model, value in values.items():
            figures.setdefault(model, {}).setdefault(metric, {})[statistic] = value
    return {
        "target": target,
        "models": figures,
        "folds": records(comparison.fold_table),
        "report": comparison.report,
        "notes": list(comparison.notes),
    }
