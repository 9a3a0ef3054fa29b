"""The composition descriptors, their named sets, and their arithmetic.

Formulas are computed in chunks with equally many elements: m formulas of k elements are two arrays
of shape (k, m). Every family of descriptors writes its columns for one chunk, so that nothing
larger than a chunk exists beside the output.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from itertools import combinations, pairwise
from types import MappingProxyType

import numpy as np

from crystalml.crystallography import ELEMENTS
from crystalml.descriptors._charge_balance import ChargeBalance
from crystalml.descriptors._elemental import (
    SOURCES,
    common_oxidation_states,
    electronegativities,
    elemental_table,
)

# pymatgen drops smaller amounts from a composition.
SMALLEST_AMOUNT = 1e-8
# numpy.isclose's tolerances, with which matminer compares amounts and charges.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8
# Numbers per array of a chunk: small enough for the processor's cache.
_CHUNK_NUMBERS = 2**16

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


class Chunk:
    """Formulas with equally many elements."""

    def __init__(self, table, formulas, k):
        """Take the elements and amounts, both of shape (k, m), of m rows of a CSR matrix."""
        entries = table.indptr[formulas] + np.arange(k)[:, None]
        self.formulas = formulas
        self.elements = table.indices[entries]
        self.amounts = table.data[entries]

    @cached_property
    def total(self):
        return self.amounts.sum(axis=0)

    @cached_property
    def fractions(self):
        return self.amounts / self.total

    @cached_property
    def is_most_frequent(self):
        """Mark the elements whose amount is close to the largest of their formula."""
        largest = self.amounts.max(axis=0)
        return np.abs(self.amounts - largest) <= _ABSOLUTE + _RELATIVE * largest


class Family:
    """Descriptors that are computed together."""

    labels: tuple[str, ...] = ()
    # Numbers kept per formula and element while at work.
    numbers_per_element = 1
    # Writes the descriptors of a chunk of formulas, one column for each label.
    fill: Callable[..., None]
    # Column of an element that lacks data -> the properties it lacks.
    gaps: Mapping[int, tuple[str, ...]] = MappingProxyType({})

    def begin(self, table):  # noqa: ARG002
        """Look at the whole CSR matrix of amounts; return what fills the columns of a chunk."""
        return self.fill


class Stoichiometry(Family):
    """Norms of the vector of atomic fractions."""

    powers = (0, 2, 3, 5, 7, 10)
    # As matminer writes them, so that columns can be compared.
    labels = tuple(f"{power}-norm" for power in powers)

    def fill(self, chunk, out):
        """Write the number of elements and the five norms."""
        out[:, 0] = len(chunk.elements)
        x = chunk.fractions
        x2 = x * x
        x3 = x2 * x
        x5 = x2 * x3
        for column, power in enumerate((x2, x3, x5, x5 * x2, x5 * x5), start=1):
            out[:, column] = power.sum(axis=0) ** (1.0 / self.powers[column])


class ElementFractions(Family):
    """Atomic fraction of each of the 118 elements."""

    labels = ELEMENTS

    def fill(self, chunk, out):
        """Scatter the fractions into their columns."""
        out[:] = 0.0
        out[np.arange(len(out)), chunk.elements] = chunk.fractions


class ElementStatistics(Family):
    """Statistics of elemental properties over the atoms of a formula."""

    def __init__(self, table, statistics):
        self._values = table.values
        self._statistics = statistics
        self.labels = tuple(
            f"{table.source} {statistic} {name}"
            for name in table.properties
            for statistic in statistics
        )
        self.numbers_per_element = len(table.properties)
        self.gaps = _gaps(table.values, table.properties, table.source)

    def fill(self, chunk, out):
        """Write every statistic into the columns of its properties."""
        values = _Weighted(chunk, self._values)
        n_statistics = len(self._statistics)
        for position, name in enumerate(self._statistics):
            out[:, position::n_statistics] = STATISTICS[name](values)


class ValenceOrbitals(Family):
    """Mean number of valence electrons per orbital, or their share in all valence electrons."""

    _PROPERTIES = ("NsValence", "NpValence", "NdValence", "NfValence", "NValence")

    def __init__(self, table, kind):
        columns = [table.properties.index(name) for name in self._PROPERTIES]
        self._values = np.ascontiguousarray(table.values[:, columns])
        self._as_fraction = kind == "frac"
        self.labels = tuple(f"{kind} {orbital} valence electrons" for orbital in "spdf")
        self.numbers_per_element = len(columns)
        self.gaps = _gaps(self._values, self._PROPERTIES, table.source)

    def fill(self, chunk, out):
        """Write the four numbers."""
        mean = _Weighted(chunk, self._values).mean
        out[:] = mean[:, :4] / mean[:, 4:] if self._as_fraction else mean[:, :4]


class IonicCharacter(Family):
    """Whether common oxidation states can balance, and how ionic the pairs of elements are.

    Each element takes one oxidation state, as in matminer's ``IonProperty(fast=True)``.
    """

    labels = ("compound possible", "max ionic char", "avg ionic char")

    def __init__(self, electronegativities, oxidation_states):
        difference = electronegativities[:, None] - electronegativities
        self._character = 1.0 - np.exp(-0.25 * difference**2)
        self._balance = ChargeBalance(oxidation_states)
        self.gaps = _gaps(electronegativities[:, None], ("X",), "PymatgenData")

    def begin(self, table):
        """Search for neutral combinations of all formulas at once."""
        possible = self._balance.is_possible(table)
        possible[np.diff(table.indptr) == 1] = True  # an element alone
        return partial(self._fill, possible)

    def _fill(self, possible, chunk, out):
        """Write the three numbers; an element alone is not ionic."""
        elements, fractions = chunk.elements, chunk.fractions
        out[:, 0] = possible[chunk.formulas]
        # Below any character, so that the first pair replaces it.
        largest = np.full(len(out), 0.0 if len(elements) == 1 else -np.inf)
        mean = np.zeros(len(out))
        for i, j in combinations(range(len(elements)), 2):
            character = self._character[elements[i], elements[j]]
            np.maximum(largest, character, out=largest)
            character *= fractions[i]
            character *= fractions[j]
            mean += character
        out[:, 1] = largest
        out[:, 2] = mean


class _Weighted:
    """Properties of the elements of a chunk, with statistics weighted by amount.

    Every statistic has shape (m, n_properties), and is NaN where matminer's is.
    """

    def __init__(self, chunk, table):
        self.chunk = chunk
        self._table = table
        self.values = np.take(table, chunk.elements, axis=0)  # (k, m, n_properties)

    @cached_property
    def minimum(self):
        return self.values.min(axis=0)

    @cached_property
    def maximum(self):
        return self.values.max(axis=0)

    @cached_property
    def mean(self):
        return self.average(self.values)

    @cached_property
    def deviations(self):
        return self.values - self.mean

    def average(self, values):
        """Mean over the atoms of an array of shape (k, m, n_properties)."""
        mean = np.einsum("km,kmp->mp", self.chunk.amounts, values)
        mean /= self.chunk.total[:, None]
        return mean

    def average_deviation(self):
        """Mean absolute deviation from the mean."""
        return self.average(np.abs(self.deviations))

    def standard_deviation(self):
        """Compute the standard deviation with the unbiasing factor of matminer's weights."""
        amounts = self.chunk.amounts
        # matminer gives 0 for an element alone, where the formula below is 0 / 0.
        if len(amounts) == 1:
            return 0.0
        total = self.chunk.total
        unbiasing = total**2 / (total**2 - (amounts**2).sum(axis=0))
        return np.sqrt(unbiasing[:, None] * self.average(self.deviations**2))

    def standardised_moment(self, order):
        """Skewness (order 3) or kurtosis (4); matminer sets close to 0 to 0."""
        # As above: an element alone has no spread.
        if len(self.chunk.amounts) == 1:
            return 0.0
        moment = self.average(self.deviations**order)
        # Rounding would else become a large ratio where the spread is nearly 0.
        moment[np.abs(moment) <= _ABSOLUTE] = 0.0
        variance = self.average(self.deviations**2)
        scale = np.where(moment == 0.0, 1.0, variance ** (order / 2))
        return moment / scale

    def mode(self):
        """Smallest value among the elements whose amount is close to the largest."""
        elements, frequent = self.chunk.elements, self.chunk.is_most_frequent
        first = frequent.argmax(axis=0)
        columns = np.arange(elements.shape[1])
        result = np.take(self._table, elements[first, columns], axis=0)
        # Most formulas have one most frequent element: only ties are compared.
        tied = frequent.sum(axis=0) > 1
        for element in range(len(elements) if tied.any() else 0):
            rows = np.flatnonzero(tied & frequent[element])
            result[rows] = np.minimum(result[rows], self.values[element, rows])
        return result


STATISTICS = {
    "minimum": lambda weighted: weighted.minimum,
    "maximum": lambda weighted: weighted.maximum,
    "range": lambda weighted: weighted.maximum - weighted.minimum,
    "mean": lambda weighted: weighted.mean,
    "avg_dev": _Weighted.average_deviation,
    "std_dev": _Weighted.standard_deviation,
    "mode": _Weighted.mode,
    "skewness": lambda weighted: weighted.standardised_moment(3),
    "kurtosis": lambda weighted: weighted.standardised_moment(4),
}


def fill_block(families, table, rows_of, out):
    """Compute the families for every formula of a CSR matrix and write them to its rows.

    Parameters
    ----------
    families : sequence of Family
        In the order of the columns of `out`.
    table : csr_array of shape (n_formulas, 118)
        Amounts. Rows without elements give NaN.
    rows_of : ndarray of shape (n_rows,)
        For every row of `out` the formula it holds.
    out : ndarray of shape (n_rows, n_features)
        Filled in place.
    """
    n_elements = np.diff(table.indptr)
    # Rows of the output in the order of their formula's number of elements, then formula, so
    # that a chunk of formulas owns one slice of rows, and equal formulas are computed once.
    rank = np.argsort(n_elements, kind="stable")
    position = np.empty_like(rank)
    position[rank] = np.arange(len(rank))
    rows = np.argsort(position[rows_of], kind="stable")
    position = position[rows_of[rows]]
    fills = [(len(family.labels), family.begin(table)) for family in families]
    widest = max(family.numbers_per_element for family in families)
    for start, stop, k in _chunks(n_elements[rank], widest, out.shape[1]):
        first, last = np.searchsorted(position, (start, stop))
        if k == 0:
            out[rows[first:last]] = np.nan
            continue
        block = _compute_chunk(fills, Chunk(table, rank[start:stop], k), out.shape[1])
        out[rows[first:last]] = block[position[first:last] - start]


def _chunks(n_elements, widest, width):
    """Cut the sorted numbers of elements into slices of one number each, of bounded size."""
    bounds = [*np.flatnonzero(np.diff(n_elements, prepend=-1)).tolist(), len(n_elements)]
    for begin, end in pairwise(bounds):
        k = int(n_elements[begin])
        # At least some formulas, or the calls would take longer than the arithmetic.
        size = max(16, _CHUNK_NUMBERS // max(k * widest, width))
        for start in range(begin, end, size):
            yield start, min(start + size, end), k


def _compute_chunk(fills, chunk, width):
    """Let all families write their columns of a block of `width` columns."""
    block = np.empty((len(chunk.formulas), width))
    start = 0
    # Some statistics of some formulas are 0 / 0, and NaN in matminer as well.
    with np.errstate(divide="ignore", invalid="ignore"):
        for n_columns, fill in fills:
            fill(chunk, block[:, start : start + n_columns])
            start += n_columns
    return block


def _gaps(values, properties, source):
    """Map the column of each element that lacks a value to the properties it lacks."""
    return {
        int(element): tuple(
            f"{source} {properties[column]}" for column in np.flatnonzero(np.isnan(values[element]))
        )
        for element in np.flatnonzero(np.isnan(values).any(axis=1))
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
        # Three names are enough to understand; a source may lack dozens.
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
