import pytest

from crystalml.crystallography import find_spacegroup, spacegroup_from_operations, spacegroup_number


@pytest.mark.parametrize(
    ("symbol", "number"),
    [
        ("Pm-3m", 221),
        ("P_m_-3_m", 221),
        ("P6_3cm", 185),
        ("P 1 21/n 1", 14),
        ("P2(1)/c", 14),
        ("F d 3 m", 227),
        ("F d -3 m :2", 227),
        ("R -3 m :H", 166),
        ("-F 4vw 2vw 3", 227),
        ("-P 2ybc", 14),
        ("P \u22121", 2),
    ],
)
def test_symbol_gives_number(symbol, number):
    assert find_spacegroup(symbol).number == number
    assert spacegroup_number(symbol) == number


def test_operations_give_number():
    found = spacegroup_from_operations(["x,y,z", "-X, y+1/2 ,1/2-z", "-x,-y,-z", "x,1/2-y,z+1/2"])
    assert found.number == 14
