"""What the reader remembers of files is limited in number and in length."""

import importlib
import pkgutil
import types

import pytest

from crystalml import crystallography, io
from crystalml.io import read_cif
from crystalml.io._remember import remember

CELL = "".join(f"_cell_{name} {value}\n" for name, value in {
    "length_a": 5.64, "length_b": 5.64, "length_c": 5.64,
    "angle_alpha": 90, "angle_beta": 90, "angle_gamma": 90}.items())  # fmt: skip
LONG = 20_000


def test_answers_are_kept_up_to_a_number_and_a_length():
    asked = []

    @remember(3, longest=4)
    def length(text):
        """Count."""
        asked.append(text)
        return len(text)

    assert [length(text) for text in ("a", "bb", "a", "12345", "12345")] == [1, 2, 1, 5, 5]
    assert asked == ["a", "bb", "12345", "12345"]
    assert len(length) == 2
    for text in "cdefgh":
        length(text)
        assert len(length) <= 3
    assert length.__doc__ == "Count."
    length.cache_clear()
    assert len(length) == 0


def remembered_sizes():
    """Length of the longest key of each cache of the reader, and how often lru_cache missed."""
    longest, misses = {}, {}
    for package in (io, crystallography):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if "_parquet" in found.name or "_cod" in found.name:
                continue
            for name, part in vars(importlib.import_module(found.name)).items():
                if isinstance(part, dict) and hasattr(part, "cache_clear"):
                    longest[found.name, name] = max(map(len, part), default=0)
                elif hasattr(part, "cache_info") and not isinstance(part, types.ModuleType):
                    misses[found.name, name] = part.cache_info().currsize
    return longest, misses


@pytest.mark.parametrize(
    "extra",
    [
        "_cell_" + "x" * LONG + " 1",
        "_diffrn_radiation_type\n;" + "Mo K " * LONG + "\n;",
        "_exptl_method '" + "abc " * LONG + "'",
        "_symmetry_space_group_name_Hall '" + "abc " * LONG + "'",
        "_symmetry_space_group_name_H-M '" + "abc " * LONG + "'",
        "_cell_formula_units_Z 4" + "0" * LONG,
        "_journal_year 2" + "0" * LONG,
        "loop_\n_atom_site_label\n_atom_site_occupancy\nNa1 1." + "0" * LONG,
        "loop_\n_atom_site_label\n" + "_atom_site_note\n_n" * LONG + "\n",
        "loop_\n_symmetry_equiv_pos_as_xyz\n" + "x,y,z\n" * LONG,
        "loop_\n_symmetry_equiv_pos_as_xyz\n" + "'x,y,z'\n#\n" * LONG,
    ],
    ids=["tag", "radiation", "method", "hall", "hm", "number", "integer", "occupancy", "header",
         "operations", "operations for gemmi"],
)  # fmt: skip
def test_long_values_are_read_and_not_kept(extra):
    read_cif("data_x\n" + CELL)
    remembered_sizes()  # modules that are imported only now
    _, before = remembered_sizes()
    (error,) = read_cif("data_x\n" + CELL + extra + "\n")["error"]
    longest, after = remembered_sizes()
    assert error is None
    assert max(longest.values()) <= 4096
    grown = {name for name in after if after[name] > before[name]}
    # What is asked for short keys on the way may be kept, such as no operations at all.
    assert grown <= {("crystalml.io._record", "_plan"), ("crystalml.io._symmetry", "_known")}
