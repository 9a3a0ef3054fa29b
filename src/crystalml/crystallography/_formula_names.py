"""Canonical names of compositions: reduced formula, anonymous formula, chemical system."""

import string
from typing import Any, Literal, NamedTuple, TypeAlias, overload

import numpy as np

from crystalml._typing import Charges, Formula, Formulas, NDArray, ObjectArray
from crystalml.crystallography._elements import ELEMENTS
from crystalml.crystallography._formula import (
    FormulaTable,
    as_formula_list,
    is_one_formula,
    raise_first_error,
    read_formulas,
)
from crystalml.exceptions import FormulaError, InvalidInputError

_OnError: TypeAlias = Literal["raise", "missing"]

_CARBON, _HYDROGEN = ELEMENTS.index("C"), ELEMENTS.index("H")
_ALPHABETICAL = np.argsort(np.argsort(ELEMENTS))  # rank of each element's symbol as text
# A to Z, then Aa, Ab, ... Az, Ba, ...: enough for as many elements as there are.
_LETTERS = [*string.ascii_uppercase] + [
    capital + small for capital in string.ascii_uppercase for small in string.ascii_lowercase
]

# The limits of the rules for reducing amounts; reduced_formula states them.
_MAX_EXACT_AMOUNT = 400
_MAX_ROUNDED_AMOUNT = 24
_EXACT_TOLERANCE = 1e-9
_ROUNDING_TOLERANCE = 1e-4
_SIGNIFICANT_DIGITS = 4
_LARGEST_WHOLE = 2.0**53
_SMALLEST_RATIO = 1e-30  # keeps an absurdly small amount from vanishing


@overload
def reduced_formula(  # type: ignore[overload-overlap]  # a string is an iterable as well
    formulas: Formula, *, on_error: _OnError = ..., charges: Charges = ...
) -> str | Any: ...
@overload
def reduced_formula(
    formulas: Formulas | FormulaTable, *, on_error: _OnError = ..., charges: Charges = ...
) -> ObjectArray: ...
def reduced_formula(
    formulas: Formula | Formulas | FormulaTable,
    *,
    on_error: _OnError = "raise",
    charges: Charges = "refuse",
) -> str | ObjectArray | None:
    """Name each composition by its smallest whole amounts, in Hill's order.

    Formulas that describe the same composition get the same text: Fe2O3, Fe4O6, O3Fe2 and
    FeO1.5 are all ``"Fe2O3"``. The rules, in this order, on amounts as they are written:

    1. Whole amounts are divided by their greatest common divisor.
    2. Other amounts are multiplied by the smallest factor that makes them all whole, to a
       relative 1e-9, if no amount then exceeds 400: La1.85Sr0.15CuO4 is ``Cu20La37O80Sr3``.
    3. Amounts rounded to four digits are taken for the simple ratio they round: if all amounts,
       divided by the largest, lie within 1e-4 of fractions with one denominator up to 24, those
       are used: Fe0.6667O is ``Fe2O3``.
    4. What remains is non-stoichiometric: amounts are divided by the largest and written to four
       significant digits: Al2.6652O4 is ``Al0.6663O``.

    So two formulas that are multiples of one another share a name, except where one is written
    in whole numbers of which some exceed 400 after division, and the other is not.

    Elements are in Hill's order: with carbon, C, then H, then the others by symbol; without
    carbon, all by symbol. (Pymatgen sorts by electronegativity, keeps amounts that are not
    whole, and keeps O2, N2, H2, F2, Cl2 and some peroxides undivided; nothing is exempt here.)

    Parameters
    ----------
    formulas : str, mapping, sequence of these of shape (n,), or FormulaTable
        What :func:`parse_formula` and :func:`parse_formulas` accept, or the latter's result.
    on_error : {"raise", "missing"}, default="raise"
        Whether a formula that is missing or cannot be read raises an error or gives None.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end is an error or is dropped.

    Returns
    -------
    str or ndarray of shape (n,), dtype object
        A str (or None) for one formula, an array for a sequence.

    Raises
    ------
    FormulaError
        If a formula is missing or cannot be read, with ``on_error="raise"``.

    References
    ----------
    E. A. Hill, J. Am. Chem. Soc. 22, 478 (1900), for the order of the elements.

    Examples
    --------
    >>> from crystalml.crystallography import reduced_formula
    >>> reduced_formula("Fe4O6")
    'Fe2O3'
    >>> reduced_formula(["C6 H12 O6", "Ca(OH)2", "NaN", "Fe0.6667O"]).tolist()
    ['CH2O', 'CaH2O2', 'NNa', 'Fe2O3']
    """
    return _named("reduced_formula", _reduced_names, formulas, on_error, charges)


@overload
def anonymous_formula(  # type: ignore[overload-overlap]  # a string is an iterable as well
    formulas: Formula, *, on_error: _OnError = ..., charges: Charges = ...
) -> str | Any: ...
@overload
def anonymous_formula(
    formulas: Formulas | FormulaTable, *, on_error: _OnError = ..., charges: Charges = ...
) -> ObjectArray: ...
def anonymous_formula(
    formulas: Formula | Formulas | FormulaTable,
    *,
    on_error: _OnError = "raise",
    charges: Charges = "refuse",
) -> str | ObjectArray | None:
    """Name each stoichiometry: reduced amounts in ascending order, elements as A, B, C, ...

    The amounts are those of :func:`reduced_formula`. After Z the letters go on as Aa, Ab, ...

    Parameters
    ----------
    formulas : str, mapping, sequence of these of shape (n,), or FormulaTable
        What :func:`parse_formula` and :func:`parse_formulas` accept, or the latter's result.
    on_error : {"raise", "missing"}, default="raise"
        Whether a formula that is missing or cannot be read raises an error or gives None.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end is an error or is dropped.

    Returns
    -------
    str or ndarray of shape (n,), dtype object
        A str (or None) for one formula, an array for a sequence.

    Raises
    ------
    FormulaError
        If a formula is missing or cannot be read, with ``on_error="raise"``.

    Examples
    --------
    >>> from crystalml.crystallography import anonymous_formula
    >>> anonymous_formula(["Fe2O3", "Al4O6", "CaTiO3", "NaN"]).tolist()
    ['A2B3', 'A2B3', 'ABC3', 'AB']
    """
    return _named("anonymous_formula", _anonymous_names, formulas, on_error, charges)


@overload
def chemical_system(  # type: ignore[overload-overlap]  # a string is an iterable as well
    formulas: Formula, *, on_error: _OnError = ..., charges: Charges = ...
) -> str | Any: ...
@overload
def chemical_system(
    formulas: Formulas | FormulaTable, *, on_error: _OnError = ..., charges: Charges = ...
) -> ObjectArray: ...
def chemical_system(
    formulas: Formula | Formulas | FormulaTable,
    *,
    on_error: _OnError = "raise",
    charges: Charges = "refuse",
) -> str | ObjectArray | None:
    """Name the set of elements: symbols in alphabetical order, joined by ``-``.

    Parameters
    ----------
    formulas : str, mapping, sequence of these of shape (n,), or FormulaTable
        What :func:`parse_formula` and :func:`parse_formulas` accept, or the latter's result.
    on_error : {"raise", "missing"}, default="raise"
        Whether a formula that is missing or cannot be read raises an error or gives None.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end is an error or is dropped.

    Returns
    -------
    str or ndarray of shape (n,), dtype object
        A str (or None) for one formula, an array for a sequence.

    Raises
    ------
    FormulaError
        If a formula is missing or cannot be read, with ``on_error="raise"``.

    Examples
    --------
    >>> from crystalml.crystallography import chemical_system
    >>> chemical_system("Na2SO4")
    'Na-O-S'
    >>> chemical_system(["NaN", "D2O", None], on_error="missing").tolist()
    ['N-Na', 'H-O', None]
    """
    return _named("chemical_system", _system_names, formulas, on_error, charges)


def _named(caller, name_rows, formulas, on_error, charges):
    """Name one formula or many; each distinct text is read once."""
    if on_error not in ("raise", "missing"):
        raise InvalidInputError(
            f"{caller}: on_error must be 'raise' or 'missing', got {on_error!r}"
        )
    if charges not in ("refuse", "strip"):
        raise InvalidInputError(f"{caller}: charges must be 'refuse' or 'strip', got {charges!r}")
    is_one = False
    if isinstance(formulas, FormulaTable):
        table, inverse = formulas, np.arange(len(formulas))
    else:
        is_one = is_one_formula(formulas)
        values = [formulas] if is_one else as_formula_list(formulas, caller=caller)
        table, inverse = _read_distinct(values, strip_charge=charges == "strip")
    if on_error == "raise" and is_one and table.errors[0] is not None:
        raise FormulaError(f"{caller}: {table.errors[0]}")
    if on_error == "raise":
        raise_first_error(
            table.is_valid[inverse],
            table.errors[inverse],
            caller=caller,
            remedy="on_error='missing'",
        )
    names = np.full(len(table), None, dtype=object)
    if table.is_valid.any():
        names[table.is_valid] = name_rows(_Rows.of(table))
    return names[0] if is_one else names[inverse]


def _read_distinct(values, *, strip_charge):
    """Read each distinct text once; also return which of the results each value has."""
    # Mappings cannot be looked up by content; each counts as distinct.
    keys = [value if type(value) is str else id(value) for value in values]
    distinct = dict(zip(keys, values, strict=True))
    places = {key: place for place, key in enumerate(distinct)}
    inverse = np.fromiter(map(places.__getitem__, keys), dtype=np.int64, count=len(keys))
    return read_formulas(list(distinct.values()), strip_charge=strip_charge), inverse


class _Rows(NamedTuple):
    """The rows of a table that could be read, as flat arrays."""

    rows: NDArray[Any]  # row of each entry, ascending
    columns: np.ndarray
    amounts: np.ndarray
    indptr: np.ndarray

    @classmethod
    def of(cls, table):
        matrix = table.amounts
        counts = np.diff(matrix.indptr)
        counts = counts[counts > 0]
        indptr = np.append(0, np.cumsum(counts))
        rows = np.repeat(np.arange(len(counts)), counts)
        return cls(rows, matrix.indices.astype(np.int64), matrix.data, indptr)

    def order_by(self, ranks):
        """Order the entries of each row by their ranks, which must be small whole numbers."""
        return np.argsort(self.rows * (int(ranks.max()) + 1) + ranks)


def _reduced_names(entries):
    reduced = reduced_amounts(entries.amounts, entries.indptr)
    # 0 and 1 are left to the carbon and hydrogen of Hill's order.
    ranks = _ALPHABETICAL[entries.columns] + 2
    with_carbon = np.zeros(len(entries.indptr) - 1, dtype=bool)
    with_carbon[entries.rows[entries.columns == _CARBON]] = True
    is_organic = with_carbon[entries.rows]
    ranks[is_organic & (entries.columns == _CARBON)] = 0
    ranks[is_organic & (entries.columns == _HYDROGEN)] = 1
    order = entries.order_by(ranks)
    return _join(np.array(ELEMENTS), entries.columns[order], reduced[order], entries.indptr)


def _anonymous_names(entries):
    reduced = reduced_amounts(entries.amounts, entries.indptr)
    # Ranks of the amounts instead of the amounts: whole numbers, as order_by wants them.
    amounts, ranks = np.unique(reduced, return_inverse=True)
    order = entries.order_by(ranks)
    letters = np.arange(len(order)) - entries.indptr[entries.rows]
    return _join(np.array(_LETTERS), letters, amounts[ranks[order]], entries.indptr)


def _system_names(entries):
    order = entries.order_by(_ALPHABETICAL[entries.columns])
    return _join_texts(np.array(ELEMENTS), entries.columns[order], entries.indptr, "-")


def _join(symbols, codes, amounts, indptr):
    """Write symbol and amount of all entries, each distinct pair once."""
    # Columns of formulas repeat few pairs of symbol and amount.
    distinct, which = np.unique(amounts, return_inverse=True)
    pairs, codes = np.unique(codes * len(distinct) + which, return_inverse=True)
    suffixes = np.array([_amount_text(amount) for amount in distinct.tolist()])
    texts = np.char.add(symbols[pairs // len(distinct)], suffixes[pairs % len(distinct)])
    return _join_texts(texts, codes, indptr, "")


def _join_texts(texts, codes, indptr, separator):
    """Concatenate the texts of each row."""
    # One join over all rows and one split by line, instead of a loop over rows.
    # Object, so that the texts are shared and not copied to the width of the longest.
    inner = np.char.add(texts, separator).astype(object)[codes]
    inner[indptr[1:] - 1] = np.char.add(texts, "\n").astype(object)[codes[indptr[1:] - 1]]
    return "".join(inner.tolist()).split("\n")[:-1]


def _amount_text(amount):
    if amount == 1.0:
        return ""
    if amount.is_integer():
        return str(int(amount))
    # The shortest digits that are read back as the same number.
    text = repr(amount)
    return text if "e" not in text else np.format_float_positional(amount, trim="-")


def reduced_amounts(amounts, indptr):
    """Divide each row so that equal compositions get equal amounts.

    `amounts` are the data and `indptr` the row bounds of a CSR matrix without empty rows. The
    rules are those of :func:`crystalml.crystallography.reduced_formula`.
    """
    starts, counts = indptr[:-1], np.diff(indptr)
    reduced = amounts.copy()
    # Beyond 2**53 every float is whole, which says nothing of the amount.
    is_whole = np.logical_and.reduceat(
        (amounts == np.rint(amounts)) & (amounts < _LARGEST_WHOLE), starts
    )
    whole = np.repeat(is_whole, counts)
    if whole.any():
        numbers = amounts[whole].astype(np.int64)
        divisors = np.gcd.reduceat(numbers, _starts(counts[is_whole]))
        reduced[whole] = numbers // np.repeat(divisors, counts[is_whole])
    if not is_whole.all():
        reduced[~whole] = _reduce_fractional(amounts[~whole], counts[~is_whole])
    return reduced


def _reduce_fractional(amounts, counts):
    """Rules 2 to 4 on rows of which not all amounts are whole."""
    largest = np.maximum.reduceat(amounts, _starts(counts))
    ratios = np.maximum(amounts / np.repeat(largest, counts), _SMALLEST_RATIO)
    rounded = _round_digits(ratios)
    reduced = rounded.copy()
    is_open = np.ones(len(counts), dtype=bool)
    # From certain to lenient; a row keeps the first ratio that fits.
    for attempt, values in (
        (_exact_multiples, ratios),
        (_exact_multiples, rounded),
        (_rounded_multiples, rounded),
    ):
        members = np.repeat(is_open, counts)
        multiples = attempt(values[members], counts[is_open])
        found = multiples > 0
        solved = np.zeros(len(counts), dtype=bool)
        solved[np.flatnonzero(is_open)[found]] = True
        chosen = np.repeat(solved, counts)
        reduced[chosen] = np.rint(values[chosen] * np.repeat(multiples[found], counts[solved]))
        is_open &= ~solved
        if not is_open.any():
            break
    return reduced


def _exact_multiples(ratios, counts):
    """Smallest factor that makes each row of ratios whole to rounding error; 0 where too large."""
    denominators = _denominators(ratios)
    starts = _starts(counts)
    multiples = np.ones(len(counts), dtype=np.int64)
    for place in range(int(counts.max())):  # one step per element of the longest formula
        rows = np.flatnonzero((counts > place) & (multiples > 0))
        step = denominators[starts[rows] + place]
        product = np.where(step > 0, np.lcm(multiples[rows], np.maximum(step, 1)), 0)
        multiples[rows] = np.where(product <= _MAX_EXACT_AMOUNT, product, 0)
    return multiples


def _denominators(ratios):
    """Denominator of the simplest fraction equal to each ratio in (0, 1]; 0 where too large.

    Continued fractions: each pass takes the whole part off and inverts the remainder.
    """
    result = np.zeros(len(ratios), dtype=np.int64)
    pending = np.arange(len(ratios))
    rest = ratios.copy()
    before, current = np.ones(len(ratios)), np.zeros(len(ratios))  # of successive convergents
    while len(pending):
        whole = np.floor(rest + _EXACT_TOLERANCE)
        before, current = current, whole * current + before
        value = ratios[pending]
        is_exact = np.abs(np.rint(value * current) / current - value) <= _EXACT_TOLERANCE
        is_exact &= (current <= _MAX_EXACT_AMOUNT) & (np.rint(value * current) >= 1)
        result[pending[is_exact]] = current[is_exact]
        go_on = ~is_exact & (current <= _MAX_EXACT_AMOUNT) & (rest - whole > _EXACT_TOLERANCE)
        pending, before, current = pending[go_on], before[go_on], current[go_on]
        rest = 1.0 / (rest[go_on] - whole[go_on])
    return result


def _rounded_multiples(ratios, counts):
    """Smallest denominator that all ratios of a row are close to; 0 where there is none."""
    multiples = np.zeros(len(counts), dtype=np.int64)
    starts = _starts(counts)
    # Downwards, so that the smallest factor that fits is the last one written.
    for factor in range(_MAX_ROUNDED_AMOUNT, 0, -1):
        nearest = np.rint(ratios * factor)
        is_near = (nearest >= 1) & (np.abs(nearest / factor - ratios) <= _ROUNDING_TOLERANCE)
        multiples[np.logical_and.reduceat(is_near, starts)] = factor
    return multiples


def _round_digits(ratios):
    """Round to significant digits, first to many, so that noise cannot decide a tie."""
    scale = 10.0 ** (_SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(ratios)))
    return np.rint(np.round(ratios * scale, 6)) / scale


def _starts(counts):
    return np.cumsum(counts) - counts
