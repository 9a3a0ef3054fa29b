"""Chemical formulas: one to a dict, many to a sparse matrix of element amounts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any, Literal

import numpy as np
from scipy import sparse

from crystalml._typing import BoolArray, Charges, Formula, Formulas, ObjectArray
from crystalml.crystallography._elements import ELEMENTS, HYDROGEN_ISOTOPES, SYMBOL_COLUMNS
from crystalml.crystallography._formula_bytes import read_plain_formulas
from crystalml.crystallography._formula_grammar import read_formula
from crystalml.exceptions import FormulaError, InvalidInputError


@dataclass(frozen=True, eq=False)
class FormulaTable:
    """Element amounts of many formulas.

    Attributes
    ----------
    elements : tuple of str
        Symbols of the 118 columns of `amounts`, by atomic number.
    amounts : scipy.sparse.csr_array of shape (n, 118)
        Atoms of each element in each formula as written; rows that could not be read are empty.
    errors : ndarray of shape (n,), dtype object
        None, or one sentence on why the formula could not be read.
    has_deuterium : ndarray of shape (n,), dtype bool
        Whether D or T was written; both are counted as H.

    Examples
    --------
    >>> from crystalml.crystallography import parse_formulas
    >>> table = parse_formulas(["Ca(OH)2", "NaN"])
    >>> len(table), table.amounts.sum(axis=1).tolist()
    (2, [5.0, 2.0])
    >>> table.to_dicts()
    [{'H': 2.0, 'O': 2.0, 'Ca': 1.0}, {'N': 1.0, 'Na': 1.0}]
    """

    elements: tuple[str, ...]
    amounts: sparse.csr_array
    errors: ObjectArray
    has_deuterium: BoolArray

    def __len__(self) -> int:
        return len(self.errors)

    @property
    def is_valid(self) -> BoolArray:
        """Whether each formula could be read: bool, shape (n,)."""
        # What could be read has at least one element: only errors leave a row empty.
        return np.diff(self.amounts.indptr) > 0

    def fractions(self) -> sparse.csr_array:
        """Atomic fractions: a matrix like `amounts` whose valid rows sum to 1."""
        totals = self.amounts.sum(axis=1)
        result = self.amounts.copy()
        # On the entries alone, which empty rows do not have: nothing is divided by their sum, 0.
        result.data /= np.repeat(totals, np.diff(self.amounts.indptr))
        return result

    def to_dicts(self) -> list[dict[str, float]]:
        """One ``{symbol: amount}`` per row, by atomic number; {} where there is an error."""
        symbols = np.array(self.elements, dtype=object)[self.amounts.indices].tolist()
        pairs = list(zip(symbols, self.amounts.data.tolist(), strict=True))
        bounds = self.amounts.indptr.tolist()
        return [dict(pairs[start:stop]) for start, stop in pairwise(bounds)]


def parse_formula(formula: Formula, *, charges: Charges = "refuse") -> dict[str, float]:
    """Read one chemical formula.

    The grammar is strict: what could be read in two ways is refused, with a message that says
    what to write instead.

    - Element symbols with amounts, with or without spaces between elements: ``C16 H12 N2 O4``,
      ``Na4Ge9O20``. An amount follows its symbol directly; it is a whole number, a decimal
      (``0.5``, ``.5``) or a fraction (``2/3``). Sub- and superscript digits are understood.
    - Brackets ``( )``, ``[ ]``, ``{ }``, nested at most 32 deep: ``[Cu(NH3)4]SO4``.
    - Enclosing quotes are dropped.
    - An amount of zero drops the element (``La2Sr0CuO4``); negative amounts are refused.
    - ``D`` and ``T`` count as H; no other isotopes.
    - A charge may stand at the end: ``Na+``, ``SO4 2-``, ``SO4^2-``, ``C12 H10 N3 1+``,
      ``[NH4]+``, ``Fe3+`` (after a single symbol or an enclosing bracket the number is the
      charge), ``NH4+`` (one digit after other text is an amount). ``SO42-`` is ambiguous.
    - The parts of a hydrate or another adduct are separated by a raised dot or a star, and may
      start with a multiple: ``CuSO4*5H2O``, ``3CdSO4*8H2O``, also within brackets. A full stop
      (``CuSO4.5H2O``) could be a decimal point and is refused.
    - Variables (``La2-xSrxCuO4``) and placeholders (``X``, ``Ln``) are refused.

    Parameters
    ----------
    formula : str or mapping
        The formula; or a mapping of symbols (or of objects with a ``symbol``, as in pymatgen's
        Composition) to amounts, which is checked.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end is an error or is dropped.

    Returns
    -------
    dict of str to float
        Atoms of each element, in the order in which the elements first occur.

    Raises
    ------
    FormulaError
        If the text is not a formula of certain composition.

    Examples
    --------
    >>> from crystalml.crystallography import parse_formula
    >>> parse_formula("Ca(OH)2")
    {'Ca': 1.0, 'O': 2.0, 'H': 2.0}
    >>> parse_formula("Ga1Fe0.5Co0.5")
    {'Ga': 1.0, 'Fe': 0.5, 'Co': 0.5}
    >>> parse_formula("NaN")
    {'Na': 1.0, 'N': 1.0}
    >>> parse_formula("CuSO4*5H2O")
    {'Cu': 1.0, 'S': 1.0, 'O': 9.0, 'H': 10.0}
    >>> parse_formula("CuSO4.5H2O")
    Traceback (most recent call last):
        ...
    crystalml.exceptions.FormulaError: parse_formula: 'CuSO4.5H2O' looks like a hydrate ...
    """
    strip_charge = _strips_charges("parse_formula", charges)
    try:
        return _read_one(formula, strip_charge)[0]
    except FormulaError as error:
        raise FormulaError(f"parse_formula: {error}") from None


def parse_formulas(
    formulas: Formulas,
    *,
    on_error: Literal["raise", "report"] = "raise",
    charges: Charges = "refuse",
) -> FormulaTable:
    """Read many chemical formulas into one sparse matrix of element amounts.

    The result is the same as that of :func:`parse_formula`, number for number, at a small part
    of the time; the rules are described there.

    Parameters
    ----------
    formulas : sequence of str, shape (n,)
        A list, array or Series. Mappings of symbols to amounts, such as pymatgen's
        Composition, may be among them. None, NaN, NA and empty text are missing formulas;
        the text ``"NaN"`` is sodium nitride.
    on_error : {"raise", "report"}, default="raise"
        What to do about formulas that are missing or cannot be read: raise an error that names
        the first, or leave their rows empty and give the reasons in `errors`.
    charges : {"refuse", "strip"}, default="refuse"
        Whether a charge at the end is an error or is dropped.

    Returns
    -------
    FormulaTable
        With `elements`, `amounts`, `errors` and `has_deuterium`.

    Raises
    ------
    FormulaError
        If a formula is missing or cannot be read, with ``on_error="raise"``.
    InvalidInputError
        If `formulas` is a single formula, or has more than one dimension.

    Examples
    --------
    >>> from crystalml.crystallography import parse_formulas
    >>> table = parse_formulas(["Fe2 O3", "La2-xSrxCuO4", None, "D2O"], on_error="report")
    >>> table.amounts.shape
    (4, 118)
    >>> table.is_valid.tolist(), table.has_deuterium.tolist()
    ([True, False, False, True], [False, False, False, True])
    >>> table.errors[2]
    'the formula is missing'
    """
    strip_charge = _strips_charges("parse_formulas", charges)
    if on_error not in ("raise", "report"):
        raise InvalidInputError(
            f"parse_formulas: on_error must be 'raise' or 'report', got {on_error!r}"
        )
    values = as_formula_list(formulas, caller="parse_formulas")
    table = read_formulas(values, strip_charge=strip_charge)
    if on_error == "raise":
        raise_first_error(
            table.is_valid, table.errors, caller="parse_formulas", remedy="on_error='report'"
        )
    return table


def is_one_formula(formulas: Any) -> bool:
    """Whether this is a single formula (or a missing one) rather than a sequence of them."""
    return isinstance(formulas, (str, Mapping)) or is_missing(formulas)


def is_missing(formula: Any) -> bool:
    """Whether this is None, NaN, NA or blank text; the text "NaN" is sodium nitride."""
    if isinstance(formula, str):
        return not formula or formula.isspace()
    # By name, so that pandas need not be loaded to know its NA.
    if formula is None or type(formula).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(formula, (float, np.floating)) and bool(np.isnan(formula))


def as_formula_list(formulas: Any, *, caller: str) -> list[Any]:
    """Turn a list, array or Series into a list, or say why it is none."""
    if (
        is_one_formula(formulas)
        or not isinstance(formulas, Iterable)
        or isinstance(formulas, bytes)
    ):
        raise InvalidInputError(
            f"{caller}: formulas must be a list, array or Series of formulas, got the single "
            f"value {formulas!r}; put it into a list"
        )
    shape = getattr(formulas, "shape", None)
    if shape is not None and len(shape) != 1:
        raise InvalidInputError(
            f"{caller}: formulas must have one dimension, got an array of shape {shape}; select "
            "one column"
        )
    if hasattr(formulas, "to_numpy"):
        # As objects: other types of array turn missing values into text or numbers.
        formulas = np.asarray(formulas.to_numpy(), dtype=object)
    return formulas.tolist() if isinstance(formulas, np.ndarray) else list(formulas)


def read_formulas(values: list[Any], *, strip_charge: bool = False) -> FormulaTable:
    """Read a list of formulas; problems are reported in the table, never raised."""
    texts = values
    # Mappings and missing values go to the fast reader as empty texts, which it leaves over.
    if set(map(type, values)) - {str}:
        texts = [value if isinstance(value, str) else "" for value in values]
    rows, columns, amounts, is_read, has_deuterium = read_plain_formulas(texts)
    errors = np.full(len(values), None, dtype=object)
    left_rows, left_columns, left_amounts = [], [], []
    # What the fast reader left over is rare: one by one, for answers or for messages.
    for row in np.flatnonzero(~is_read).tolist():
        try:
            composition, has_deuterium[row] = _read_one(values[row], strip_charge)
        except FormulaError as error:
            errors[row] = str(error)
            continue
        left_rows += [row] * len(composition)
        left_columns += map(SYMBOL_COLUMNS.__getitem__, composition)
        left_amounts += composition.values()
    if left_rows:
        rows = np.append(rows, left_rows)
        columns = np.append(columns, left_columns)
        amounts = np.append(amounts, left_amounts)
    matrix = _sum_to_csr(rows, columns, amounts, len(values))
    return FormulaTable(ELEMENTS, matrix, errors, has_deuterium)


def raise_first_error(
    is_valid: BoolArray, errors: ObjectArray, *, caller: str, remedy: str
) -> None:
    """Raise one error that counts the unreadable formulas and shows the first."""
    rows = np.flatnonzero(~is_valid)
    if len(rows):
        raise FormulaError(
            f"{caller}: {len(rows)} of {len(errors)} formulas cannot be read (first: row "
            f"{rows[0]}, {errors[rows[0]]}). Correct or drop them, or use {remedy}."
        )


def _strips_charges(caller, charges):
    if charges not in ("refuse", "strip"):
        raise InvalidInputError(f"{caller}: charges must be 'refuse' or 'strip', got {charges!r}")
    return charges == "strip"


def _read_one(formula, strip_charge):
    """Return ``({symbol: amount}, has_deuterium)`` of one formula of any accepted type."""
    if is_missing(formula):
        raise FormulaError("the formula is missing")
    if isinstance(formula, str):
        return read_formula(formula, strip_charge=strip_charge)
    if isinstance(formula, Mapping):
        return _read_mapping(formula)
    raise FormulaError(
        f"{formula!r} is of type {type(formula).__name__}; a formula is text, or a mapping of "
        "symbols to amounts"
    )


def _read_mapping(mapping):
    """Check a mapping of symbols (or objects with a symbol) to amounts."""
    composition, has_deuterium = {}, False
    for key, amount in mapping.items():
        # Keys of a Composition of pymatgen are elements or ions, with a symbol.
        symbol = getattr(key, "symbol", key)
        if not isinstance(symbol, str) or symbol not in SYMBOL_COLUMNS:
            raise FormulaError(f"{dict(mapping)!r} contains {symbol!r}, which is no element symbol")
        # Written so that NaN is refused, too: it is not below infinity.
        if not isinstance(amount, Real) or amount < 0 or not amount < np.inf:
            raise FormulaError(
                f"{dict(mapping)!r} has the amount {amount!r} for {symbol}; it must be a finite "
                "number that is not negative"
            )
        # As in a text, an amount of zero drops the element.
        if amount == 0:
            continue
        if symbol in HYDROGEN_ISOTOPES:
            symbol, has_deuterium = "H", True
        composition[symbol] = composition.get(symbol, 0.0) + float(amount)
    if not composition:
        raise FormulaError(f"{dict(mapping)!r} names no element with an amount above zero")
    return composition, has_deuterium


def _sum_to_csr(rows, columns, amounts, n_rows):
    """Sort by row and element, and add up repeated elements in the order of the text."""
    shape = (n_rows, len(ELEMENTS))
    keys = rows * len(ELEMENTS) + columns
    # Stable, as sums depend on the order to the last bit, and must equal those of one at a time.
    order = np.argsort(keys, kind="stable")
    keys, amounts = keys[order], amounts[order]
    is_new = np.diff(keys, prepend=-1) != 0
    if not is_new.all():
        amounts = np.bincount(np.cumsum(is_new) - 1, weights=amounts)
        keys = keys[is_new]
    # 32 bits, since much of scikit-learn refuses sparse matrices with indices of 64.
    indptr = np.searchsorted(keys, np.arange(n_rows + 1) * len(ELEMENTS)).astype(np.int32)
    indices = (keys % len(ELEMENTS)).astype(np.int32)
    return sparse.csr_array((amounts, indices, indptr), shape=shape)
