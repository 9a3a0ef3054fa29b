"""Named sets of composition descriptors."""

from functools import lru_cache

import numpy as np

from crystalml.crystallography import ELEMENTS
from crystalml.descriptors._composition_features import (
    ElementFractions,
    ElementStatistics,
    IonicCharacter,
    Stoichiometry,
    ValenceOrbitals,
)
from crystalml.descriptors._elemental import (
    SOURCES,
    common_oxidation_states,
    electronegativities,
    elemental_table,
)

# A preset is one family of descriptors or several.
PRESETS = {
    "ward2016": ("stoichiometry", "magpie", "valence_orbitals", "ionic_character"),
    **{
        name: (name,)
        for name in (
            *SOURCES,
            "stoichiometry",
            "valence_orbitals",
            "valence_orbital_averages",
            "ionic_character",
            "element_fractions",
        )
    },
}

_VALENCE_ORBITALS = {"valence_orbitals": "frac", "valence_orbital_averages": "avg"}

# The statistics of matminer's presets.
_SPREAD = ("minimum", "maximum", "range", "mean")
DEFAULT_STATISTICS = {
    **dict.fromkeys(SOURCES, (*_SPREAD, "std_dev")),
    "magpie": (*_SPREAD, "avg_dev", "mode"),
    **dict.fromkeys(("optical", "mp_transport"), (*_SPREAD, "std_dev", "mode")),
}


@lru_cache(maxsize=32)
def build_families(names, statistics, impute):
    """Return the families of `names`, in order.

    `statistics` replaces those of every elemental source; None keeps the preset's own.
    `impute` fills the gaps of the sources as matminer does.
    """
    return tuple(_build(name, statistics, impute) for name in names)


def gaps_of(amounts, families):
    """Say of every row of a CSR matrix which of its elements lack which properties.

    The result maps the rows that lack something to a text.
    """
    lacking = {}
    for family in families:
        for element, properties in family.gaps.items():
            lacking.setdefault(element, []).extend(properties)
    if not lacking:
        return {}
    gaps = {}
    entries = np.flatnonzero(np.isin(amounts.indices, list(lacking)))
    rows = np.searchsorted(amounts.indptr, entries, side="right") - 1
    for row, element in zip(rows.tolist(), amounts.indices[entries].tolist(), strict=True):
        names = lacking[element]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        gaps.setdefault(row, []).append(f"{ELEMENTS[element]} has no {', '.join(names[:3])}{more}")
    return {row: "; ".join(said) for row, said in gaps.items()}


def _build(name, statistics, impute):
    """Build one family."""
    if name in SOURCES:
        table = elemental_table(name, impute=impute)
        return ElementStatistics(table, statistics or DEFAULT_STATISTICS[name])
    if name in _VALENCE_ORBITALS:
        return ValenceOrbitals(elemental_table("magpie", impute=impute), _VALENCE_ORBITALS[name])
    if name == "ionic_character":
        return IonicCharacter(electronegativities(impute=impute), common_oxidation_states())
    return {"stoichiometry": Stoichiometry, "element_fractions": ElementFractions}[name]()
