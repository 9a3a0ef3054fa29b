"""Composition descriptors beside matminer: strings to a float64 matrix.

Also prints the largest difference between the two and the peak memory, which no ratio shows.
"""

import itertools
import sys
import tempfile
import tracemalloc
import warnings

import numpy as np
import pandas as pd
from matminer.featurizers.base import MultipleFeaturizer
from matminer.featurizers.composition import (
    ElementFraction,
    ElementProperty,
    IonProperty,
    Stoichiometry,
    ValenceOrbital,
)
from matminer.featurizers.conversions import StrToComposition

from _harness import SHARED_DATA, Row, compare
from crystalml.descriptors import CompositionDescriptors
from crystalml.descriptors._composition_features import build_families
from crystalml.descriptors._elemental import (
    common_oxidation_states,
    electronegativities,
    elemental_table,
)

N_FORMULAS = 10_000
# matminer does this many, and is scaled to the whole.
PART = 200
ELEMENT_SOURCES = ("magpie", "deml", "matminer", "matscholar_el", "megnet_el")


def benchmarks() -> list[Row]:
    warnings.simplefilter("ignore")
    if not SHARED_DATA.is_dir():
        return []
    formulas = real_formulas()
    rows = []
    for preset, (featurizer, target) in featurizers().items():
        transformer = CompositionDescriptors(preset)
        difference = largest_difference(transformer, featurizer, formulas[:PART])
        print(f"{preset}: largest difference {difference:.2g}", file=sys.stderr, flush=True)
        rows += compare(
            f"{preset}, {len(formulas):,} formulas",
            lambda transformer=transformer: transformer.fit_transform(formulas),
            {
                "matminer featurize_dataframe": (
                    lambda featurizer=featurizer: by_matminer(featurizer, formulas[:PART]),
                    target,
                    len(formulas) / PART,
                )
            },
            repeat=3,
        )
    print(
        f"peak memory: {bytes_per_row(formulas):.0f} bytes per row over the output", file=sys.stderr
    )
    return rows + repeated(formulas) + remembered(formulas)


def real_formulas():
    """Draw different formulas of both tables."""
    tables = [
        pd.read_csv(SHARED_DATA / name, keep_default_na=False, na_values=[""])["formula"]
        for name in ("cod_cells.csv.gz", "mp_formulas.csv.gz")
    ]
    formulas = pd.concat(tables).drop_duplicates()
    return formulas.sample(N_FORMULAS, random_state=0).tolist()


def featurizers():
    """Name of a preset -> matminer's featurizer, and how many times as fast ours must be."""
    ward = MultipleFeaturizer(
        [
            Stoichiometry(),
            ElementProperty.from_preset("magpie"),
            ValenceOrbital(props=["frac"]),
            IonProperty(fast=True),
        ]
    )
    return {
        "ward2016": (ward, 400),
        **{name: (ElementProperty.from_preset(name), 200) for name in ELEMENT_SOURCES},
        "element_fractions": (ElementFraction(), 200),
    }


def by_matminer(featurizer, formulas):
    """Go from strings to a matrix as a user of matminer does, in one process."""
    featurizer.set_n_jobs(1)
    converter = StrToComposition()
    converter.set_n_jobs(1)
    table = pd.DataFrame({"formula": formulas})
    table = converter.featurize_dataframe(table, "formula", pbar=False)
    table = featurizer.featurize_dataframe(table, "composition", pbar=False)
    return table[featurizer.feature_labels()].to_numpy(dtype=float)


def largest_difference(transformer, featurizer, formulas):
    """Compare relative to matminer's value, or to 1e-3 where that is smaller."""
    ours, theirs = transformer.fit_transform(formulas), by_matminer(featurizer, formulas)
    return np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-3))


def repeated(formulas):
    """Time as many rows of which only a tenth are different."""
    few = (formulas[: N_FORMULAS // 10] * 10)[:N_FORMULAS]
    featurizer, _ = featurizers()["ward2016"]
    return compare(
        f"ward2016, {len(few):,} formulas, each ten times",
        lambda: CompositionDescriptors().fit_transform(few),
        {
            "matminer featurize_dataframe": (
                lambda: by_matminer(featurizer, few[:PART]),
                400,
                len(few) / PART,
            )
        },
        repeat=3,
    )


def remembered(formulas):
    """Time a call that finds its result in a memory beside one that leaves it there."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = (f"{folder}/{number}" for number in itertools.count())
        known = CompositionDescriptors(memory=f"{folder}/known")
        known.fit_transform(formulas)

        def first_call():
            CompositionDescriptors(memory=next(fresh)).fit_transform(formulas)

        def first_call_of_a_process():
            forget_elemental_data()
            first_call()

        return compare(
            "ward2016 with memory, second call",
            lambda: known.fit_transform(formulas),
            {
                "first call of a process": (first_call_of_a_process, 20, 1.0),
                "first call, elemental data already read": (first_call, None, 1.0),
            },
        )


def forget_elemental_data():
    """Make the next call read matminer's tables, as the first call of a process does."""
    for cached in (
        build_families,
        elemental_table,
        electronegativities,
        common_oxidation_states,
    ):
        cached.cache_clear()


def bytes_per_row(formulas):
    """Measure the peak of allocated memory beyond the output."""
    transformer = CompositionDescriptors()
    transformer.transform(formulas[:10])
    tracemalloc.start()
    output = transformer.transform(formulas)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - output.nbytes) / len(formulas)
