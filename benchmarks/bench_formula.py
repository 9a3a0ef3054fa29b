"""Formulas: 10,000 at once against a loop over pymatgen's Composition."""

import gzip
import sys

import numpy as np

from _harness import SHARED_DATA, compare
from crystalml.crystallography import (
    anonymous_formula,
    chemical_system,
    parse_formulas,
    reduced_formula,
)

N_FORMULAS = 10_000
TABLES = {"cod_cells": 1, "cod_formulas": 1, "mp_cells": 1, "mp_formulas": 0}  # formula column


def benchmarks():
    if not SHARED_DATA.is_dir():
        print(f"bench_formula needs the tables in {SHARED_DATA}", file=sys.stderr)
        return []
    from pymatgen.core import Composition

    formulas = _distinct_formulas()
    few = formulas[: N_FORMULAS // 5]
    rows = compare(
        "10,000 formulas to amounts",
        lambda: parse_formulas(formulas),
        {"pymatgen Composition": (lambda: [Composition(text) for text in formulas], 10, 1)},
    )
    for name, ours, theirs in (
        ("reduced formulas", reduced_formula, lambda text: Composition(text).reduced_formula),
        (
            "anonymous formulas",
            anonymous_formula,
            lambda text: Composition(text).anonymized_formula,
        ),
        ("chemical systems", chemical_system, lambda text: Composition(text).chemical_system),
    ):
        rows += compare(
            f"10,000 formulas to {name}",
            lambda ours=ours: ours(formulas),
            {"pymatgen Composition": (lambda call=theirs: list(map(call, few)), None, 5)},
        )
    return rows


def _distinct_formulas():
    """Draw distinct formulas from all tables; both libraries can read each of them."""
    texts = set()
    for name, column in TABLES.items():
        with gzip.open(SHARED_DATA / f"{name}.csv.gz", "rt", encoding="utf-8") as lines:
            next(lines)
            texts.update(line.split(",")[column] for line in lines)
    texts = sorted(texts)
    texts = np.array(texts, dtype=object)[parse_formulas(texts, on_error="report").is_valid]
    return np.random.default_rng(0).choice(texts, N_FORMULAS, replace=False).tolist()
