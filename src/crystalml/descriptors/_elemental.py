"""Tables of elemental properties, read once from the data that matminer and pymatgen bring."""

import warnings
from functools import cache
from typing import NamedTuple

import numpy as np

from crystalml._dependencies import import_optional
from crystalml.crystallography import ELEMENTS
from crystalml.descriptors._transport import transport_contributions

_NEEDED_BY = "CompositionDescriptors"


class ElementalTable(NamedTuple):
    """Properties of all elements from one source."""

    source: str  # matminer's name, with which the labels of the features begin
    properties: tuple[str, ...]
    values: np.ndarray  # (118, n_properties), by atomic number; NaN where there is no value


class _Source(NamedTuple):
    """Where a preset of matminer's ElementProperty takes its numbers from."""

    data_class: str
    properties: tuple[str, ...] | None  # None: all that the source has


_MAGPIE = (
    "Number MendeleevNumber AtomicWeight MeltingT Column Row CovalentRadius Electronegativity "
    "NsValence NpValence NdValence NfValence NValence NsUnfilled NpUnfilled NdUnfilled "
    "NfUnfilled NUnfilled GSvolume_pa GSbandgap GSmagmom SpaceGroupNumber"
)
_DEML = (
    "atom_num atom_mass row_num col_num atom_radius molar_vol heat_fusion melting_point "
    "boiling_point heat_cap first_ioniz electronegativity electric_pol GGAU_Etot mus_fere"
)
_PYMATGEN = (
    "X row group block atomic_mass atomic_radius mendeleev_no electrical_resistivity "
    "velocity_of_sound thermal_conductivity melting_point bulk_modulus "
    "coefficient_of_linear_thermal_expansion"
)
SOURCES = {
    "magpie": _Source("MagpieData", tuple(_MAGPIE.split())),
    "deml": _Source("DemlData", (*_DEML.split(), "FERE correction")),
    "matminer": _Source("PymatgenData", tuple(_PYMATGEN.split())),
    "matscholar_el": _Source("MatscholarElementData", None),
    "megnet_el": _Source("MEGNetElementData", None),
    "optical": _Source("OpticalData", None),
    "mp_transport": _Source("TransportData", None),
}


@cache
def elemental_table(name, *, impute):
    """Return the table of `SOURCES[name]`.

    With `impute`, a missing value is what matminer puts in its place (``impute_nan=True``): in
    most sources the mean over the elements that have one. Without, it is NaN.
    """
    source = SOURCES[name]
    if name == "mp_transport":
        properties, values = transport_contributions(needed_by=_NEEDED_BY)
        if impute:
            values = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    else:
        data = _matminer_data(source.data_class, impute_nan=impute)
        properties = source.properties or tuple(data.prop_names)
        values = _read(data, properties)
    values.flags.writeable = False
    return ElementalTable(source.data_class, properties, values)


@cache
def electronegativities(*, impute):
    """Pauling electronegativities from pymatgen, shape (118,)."""
    data = _matminer_data("PymatgenData", impute_nan=impute)
    return _read(data, ("X",))[:, 0]


@cache
def common_oxidation_states():
    """One array of pymatgen's common oxidation states per element, empty where it has none."""
    return tuple(np.array(element.common_oxidation_states, dtype=float) for element in _elements())


def _elements():
    """Build pymatgen's elements, by atomic number."""
    element = import_optional("pymatgen.core.periodic_table", needed_by=_NEEDED_BY).Element
    return [element(symbol) for symbol in ELEMENTS]


def _matminer_data(data_class, **options):
    """Build one of matminer's data sources; it warns of what it imputes or unpacks."""
    module = import_optional("matminer.utils.data", needed_by=_NEEDED_BY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(module, data_class)(**options)


def _read(data, properties):
    """Ask a data source for every element and property."""
    values = np.full((len(ELEMENTS), len(properties)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of every value it lacks
        for row, element in enumerate(_elements()):
            for column, name in enumerate(properties):
                try:
                    value = data.get_elemental_property(element, name)
                except KeyError:  # so say some sources that they lack the element
                    continue
                values[row, column] = np.nan if value is None else value
    return values
