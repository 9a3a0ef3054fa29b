"""Tables of elemental properties, read once.

What the default descriptors and the estimators of `crystalml.symmetry` use comes with the package
(``data/elements.csv``, whose source and licence ``data/elements.rst`` names). So their numbers
need no other library, and do not change with its version. The rest is read from matminer's data.
"""

import csv
import warnings
from functools import cache
from importlib.resources import files
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
MAGPIE = tuple(_MAGPIE.split())
SOURCES = {
    "magpie": _Source("MagpieData", MAGPIE),
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
    elif name == "magpie":
        properties, values = MAGPIE, _shipped(MAGPIE)
        if impute:
            values = _imputed(values)
    else:
        data = _matminer_data(source.data_class, impute_nan=impute)
        properties = source.properties or tuple(data.prop_names)
        values = _read(data, properties)
    # One array for all callers: none may change it.
    values.flags.writeable = False
    return ElementalTable(source.data_class, properties, values)


@cache
def electronegativities(*, impute):
    """Pauling electronegativities from pymatgen, shape (118,)."""
    values = _shipped(("PaulingElectronegativity",))
    return (_imputed(values) if impute else values)[:, 0]


@cache
def common_oxidation_states():
    """One array of pymatgen's common oxidation states per element, empty where it has none."""
    return tuple(
        np.array(line["CommonOxidationStates"].split(), dtype=float) for line in _shipped_lines()
    )


@cache
def _shipped_lines():
    """Read the file that comes with the package: one dict of texts per element."""
    file = files("crystalml.descriptors") / "data" / "elements.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def _shipped(properties):
    """Return properties from the package's file, shape (118, n_properties), NaN for none."""
    lines = _shipped_lines()
    return np.array([[float(line[name] or "nan") for name in properties] for line in lines])


def _imputed(values):
    """Replace NaN by the mean of its column."""
    # Column by column, as matminer sums: the mean is then the same to the last digit.
    means = [np.nanmean(column) for column in values.T.copy()]
    return np.where(np.isnan(values), means, values)


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
