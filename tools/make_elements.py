"""Write the elemental tables that the package ships, from the data of matminer and pymatgen.

Run from the root of the repository, after an update of either; a test compares the two::

    python tools/make_elements.py
"""

import csv
import math
from pathlib import Path

from matminer.utils.data import MagpieData
from pymatgen.core.periodic_table import Element

from crystalml.crystallography import ELEMENTS
from crystalml.descriptors._elemental import MAGPIE

FILE = Path("src/crystalml/descriptors/data/elements.csv")


def rows():
    """Yield a head, and for each element its properties; nothing stands where there is none."""
    yield ["symbol", *MAGPIE, "PaulingElectronegativity", "CommonOxidationStates"]
    data = MagpieData(impute_nan=False)
    for symbol in ELEMENTS:
        element = Element(symbol)
        values = [data.get_elemental_property(element, name) for name in MAGPIE]
        values.append(float(element.X))
        states = " ".join(str(int(state)) for state in element.common_oxidation_states)
        yield [symbol, *map(_text, values), states]


def _text(value):
    if math.isnan(value):
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


if __name__ == "__main__":
    with FILE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows())
