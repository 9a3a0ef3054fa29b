import gemmi
import numpy as np
import pytest

from crystalml.crystallography import bravais_lattice, crystal_system, point_group
from crystalml.exceptions import SpaceGroupError

NUMBERS = np.arange(1, 231)


def test_crystal_system_and_point_group_agree_with_gemmi():
    groups = [gemmi.find_spacegroup_by_number(int(n)) for n in NUMBERS]
    assert crystal_system(NUMBERS).tolist() == [g.crystal_system_str() for g in groups]
    assert point_group(NUMBERS).tolist() == [g.point_group_hm() for g in groups]


def test_bravais_lattices_partition_the_groups():
    letters, counts = np.unique(bravais_lattice(NUMBERS).astype(str), return_counts=True)
    found = dict(zip(letters.tolist(), counts.tolist(), strict=True))
    assert found == {
        "aP": 2, "mP": 8, "mS": 5, "oP": 30, "oS": 15, "oI": 9, "oF": 5,
        "tP": 49, "tI": 19, "hR": 7, "hP": 45, "cP": 15, "cI": 10, "cF": 11,
    }  # fmt: skip


@pytest.mark.parametrize("bad", [0, 231, "Fm-3m", 1.5, None, True, [1, 231], [np.nan, 3]])
def test_wrong_numbers_are_refused(bad):
    with pytest.raises(SpaceGroupError, match=r"crystal_system: .* 1 to 230"):
        crystal_system(bad)
