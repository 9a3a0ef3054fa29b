"""The elemental tables that come with the package are those of matminer and pymatgen."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from crystalml.crystallography import ELEMENTS
from crystalml.descriptors import CompositionDescriptors
from crystalml.descriptors._elemental import (
    MAGPIE,
    common_oxidation_states,
    electronegativities,
    elemental_table,
)

# Elements whose common oxidation states other releases of pymatgen have otherwise.
REVISED = {"C", "Br", "Kr", "Xe", "Re", "Rf"}


@pytest.mark.parametrize("impute", [True, False])
@pytest.mark.filterwarnings("ignore:MagpieData")
def test_magpie_is_that_of_matminer_to_the_last_digit(impute):
    element = pytest.importorskip("pymatgen.core.periodic_table").Element
    data = pytest.importorskip("matminer.utils.data").MagpieData(impute_nan=impute)
    table = elemental_table("magpie", impute=impute)
    theirs = [
        [data.get_elemental_property(element(symbol), name) for name in MAGPIE]
        for symbol in ELEMENTS
    ]
    assert table.properties == MAGPIE
    assert_array_equal(table.values, theirs)


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
def test_electronegativities_and_oxidation_states_are_those_of_pymatgen():
    element = pytest.importorskip("pymatgen.core.periodic_table").Element
    elements = [element(symbol) for symbol in ELEMENTS]
    assert_array_equal(electronegativities(impute=False), [item.X for item in elements])
    known = electronegativities(impute=True)
    assert_array_equal(known, np.where(np.isnan(electronegativities(impute=False)), 1.713, known))
    ours = dict(zip(ELEMENTS, common_oxidation_states(), strict=True))
    differ = {
        item.symbol
        for item in elements
        if ours[item.symbol].tolist() != list(item.common_oxidation_states)
    }
    assert differ in (set(), REVISED)


def test_tables_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        elemental_table("magpie", impute=True).values[0, 0] = 5.0


def test_default_descriptors_load_neither_matminer_nor_pymatgen():
    code = (
        "import sys; from crystalml import CompositionDescriptors as Descriptors\n"
        "print(Descriptors().fit_transform(['NaCl', 'Fe2O3']).shape)\n"
        "print([name for name in ('matminer', 'pymatgen') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["(2, 145)", "[]"]


def test_presets_with_tables_of_matminer_say_which_extra_brings_them():
    if find_spec("matminer"):
        assert CompositionDescriptors("deml").fit_transform(["NaCl"]).shape == (1, 80)
    else:
        with pytest.raises(ImportError, match=r"needs matminer.*\[structures\]"):
            CompositionDescriptors("deml").fit_transform(["NaCl"])
