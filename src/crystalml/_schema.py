"""The column schema of the table: the meeting point between readers and descriptors."""

from typing import NamedTuple

CELL_COLUMNS = ("a", "b", "c", "alpha", "beta", "gamma")
CELL_SU_COLUMNS = tuple(f"{name}_su" for name in CELL_COLUMNS)

# The closed vocabulary of the column `status`, best first.
STATUSES = ("ok", "repaired", "incomplete", "unsupported", "error")


class Column(NamedTuple):
    """One column of the table: pandas dtype, unit (or None) and meaning."""

    dtype: str
    unit: str | None
    meaning: str


_TEXT, _NUMBER, _INTEGER, _LOGICAL = "object", "float64", "Int64", "boolean"

# In the order of the table. Missing is NaN, NA or None; never 0, "" or "?" (but `flags`
# is "" when nothing was flagged: that is known, not missing).
TABLE_COLUMNS = {
    "source": Column(_TEXT, None, "path, archive member or name the record came from"),
    "block": Column(_TEXT, None, "name of the data block"),
    "status": Column(_TEXT, None, "one of " + ", ".join(STATUSES)),
    "flags": Column(_TEXT, None, "repairs and contradictions, joined by ';'"),
    "error": Column(_TEXT, None, "one sentence on why there is no usable record"),
    "a": Column(_NUMBER, "Å", "cell length a"),
    "b": Column(_NUMBER, "Å", "cell length b"),
    "c": Column(_NUMBER, "Å", "cell length c"),
    "alpha": Column(_NUMBER, "degrees", "cell angle alpha"),
    "beta": Column(_NUMBER, "degrees", "cell angle beta"),
    "gamma": Column(_NUMBER, "degrees", "cell angle gamma"),
    "a_su": Column(_NUMBER, "Å", "standard uncertainty of a"),
    "b_su": Column(_NUMBER, "Å", "standard uncertainty of b"),
    "c_su": Column(_NUMBER, "Å", "standard uncertainty of c"),
    "alpha_su": Column(_NUMBER, "degrees", "standard uncertainty of alpha"),
    "beta_su": Column(_NUMBER, "degrees", "standard uncertainty of beta"),
    "gamma_su": Column(_NUMBER, "degrees", "standard uncertainty of gamma"),
    "volume": Column(_NUMBER, "Å^3", "cell volume as reported"),
    "volume_su": Column(_NUMBER, "Å^3", "standard uncertainty of the volume"),
    "v_formula": Column(_NUMBER, "Å^3", "cell volume computed from the six parameters"),
    "spacegroup_number": Column(_INTEGER, None, "International Tables number, 1-230"),
    "spacegroup_hm": Column(_TEXT, None, "Hermann-Mauguin symbol as reported"),
    "spacegroup_hall": Column(_TEXT, None, "Hall symbol as reported"),
    "spacegroup_source": Column(_TEXT, None, "tag the number was derived from"),
    "crystal_system": Column(_TEXT, None, "crystal system of the space group"),
    "bravais_lattice": Column(_TEXT, None, "Bravais lattice of the space group (Pearson letters)"),
    "formula": Column(_TEXT, None, "chemical formula (sum) as reported, else from the atom sites"),
    "formula_units": Column(_NUMBER, None, "formula units in the cell, Z"),
    "z_prime": Column(_NUMBER, None, "formula units in the asymmetric unit, Z'"),
    "n_sites": Column(_INTEGER, None, "atom sites listed"),
    "is_disordered": Column(_LOGICAL, None, "some site is partly occupied"),
    "temperature": Column(_NUMBER, "K", "cell measurement temperature"),
    "pressure": Column(_NUMBER, "kPa", "cell measurement pressure"),
    "wavelength": Column(_NUMBER, "Å", "wavelength of the radiation"),
    "density": Column(_NUMBER, "g/cm^3", "density computed from the crystal cell and contents"),
    "radiation": Column(_TEXT, None, "kind of radiation"),
    "method": Column(_TEXT, None, "method of structure determination"),
    "cod_id": Column(_INTEGER, None, "identifier in the Crystallography Open Database"),
    "mineral": Column(_TEXT, None, "mineral name"),
    "chemical_name": Column(_TEXT, None, "systematic or common chemical name"),
    "year": Column(_INTEGER, None, "year of publication"),
    "doi": Column(_TEXT, None, "digital object identifier of the publication"),
}
