import numpy as np
from ase.data import atomic_numbers, reference_states

from crystalml.datasets._atomic_volumes import element_table

ATOMS_PER_CUBE = {"fcc": 4, "bcc": 2}
# Other metals shrink more in compounds.
TRANSITION_METALS = {*range(21, 31), *range(39, 49), *range(72, 81)}


def test_transition_metals_take_about_as_much_room_as_in_their_elements():
    table = element_table()
    ratios = {}
    for symbol, volume in zip(table.symbols, table.volumes, strict=True):
        number = atomic_numbers[symbol]
        state = reference_states[number]
        if number in TRANSITION_METALS and state["symmetry"] in ATOMS_PER_CUBE:
            ratios[symbol] = volume / (state["a"] ** 3 / ATOMS_PER_CUBE[state["symmetry"]])
    assert len(ratios) >= 14
    assert {symbol: ratio for symbol, ratio in ratios.items() if not 0.8 < ratio < 1.25} == {}
    assert 0.9 < np.median(list(ratios.values())) < 1.1


def test_every_common_element_takes_room():
    table = element_table()
    assert (table.volumes > 4).all()
    assert (table.volumes < 60).all()
    assert np.isclose(table.frequencies.sum(), 1)
    assert {"H", "O", "Fe", "U"} <= set(table.symbols)
    assert not {"He", "Ne", "Xe"} & set(table.symbols)
