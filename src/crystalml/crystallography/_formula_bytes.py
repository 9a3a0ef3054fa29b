"""Read many plain formulas at once, as arrays over one buffer of bytes.

Rows with anything out of the ordinary (nested brackets, fractions, charges, adducts, long
numbers, zeros, characters outside ASCII, every error) are left to the one-formula parser, so
that there is one grammar and one source of error messages.
"""

from typing import NamedTuple

import numpy as np

from crystalml.crystallography._elements import HYDROGEN_ISOTOPES, SYMBOL_COLUMNS
from crystalml.crystallography._formula_grammar import BRACKETS, WHITESPACE

_ODD, _UPPER, _LOWER, _DIGIT, _DOT, _SPACE, _OPEN, _CLOSE = range(8)
_NO_ELEMENT = -1
# Up to 15 digits a quotient of whole number and power of ten is exactly what float() gives.
_LONGEST_NUMBER = 15
_TENS = 10.0 ** np.arange(_LONGEST_NUMBER + 1)
_PADDING = 8  # bytes behind the last text that a look ahead may touch


def _byte_classes():
    classes = np.full(256, _ODD, dtype=np.uint8)
    for members, label in (
        (range(ord("A"), ord("Z") + 1), _UPPER),
        (range(ord("a"), ord("z") + 1), _LOWER),
        (range(ord("0"), ord("9") + 1), _DIGIT),
        (b".", _DOT),
        (WHITESPACE.encode(), _SPACE),
        ("".join(BRACKETS).encode(), _OPEN),
        ("".join(BRACKETS.values()).encode(), _CLOSE),
    ):
        classes[list(members)] = label
    return classes


def _symbol_code(first, second):
    """Give one number to a capital (a byte) and its small letter (1 for a; 0 for none)."""
    # 27: the small letters, and none.
    return (first - ord("A")) * 27 + second


def _symbol_table():
    table = np.full(26 * 27, _NO_ELEMENT, dtype=np.int64)
    for symbol, column in SYMBOL_COLUMNS.items():
        second = ord(symbol[1]) - ord("a") + 1 if len(symbol) == 2 else 0
        table[_symbol_code(ord(symbol[0]), second)] = column
    return table


_CLASSES = _byte_classes()
_SYMBOLS = _symbol_table()
_ISOTOPE_CODES = [_symbol_code(ord(symbol), 0) for symbol in HYDROGEN_ISOTOPES]
_PARTNERS = np.zeros(256, dtype=np.uint8)  # opening bracket -> closing bracket
_PARTNERS[list("".join(BRACKETS).encode())] = list("".join(BRACKETS.values()).encode())


class Entries(NamedTuple):
    """Element amounts in the order of the text, and which rows were read."""

    rows: np.ndarray  # (n_entries,) row of each entry, ascending
    columns: np.ndarray  # (n_entries,) element column
    amounts: np.ndarray  # (n_entries,)
    is_read: np.ndarray  # (n,) False: left to the one-formula parser
    has_deuterium: np.ndarray  # (n,)


class _Buffer(NamedTuple):
    """All texts in one array of bytes, each followed by a line end."""

    data: np.ndarray
    classes: np.ndarray
    row_starts: np.ndarray  # (n + 1,)
    is_odd: np.ndarray  # (n,) rows left to the one-formula parser; set as they show

    def rows_of(self, places):
        return np.searchsorted(self.row_starts, places, side="right") - 1

    def reject(self, places):
        """Leave the rows that hold these places to the one-formula parser."""
        if len(places):
            self.is_odd[self.rows_of(places)] = True


class _Numbers(NamedTuple):
    """Runs of digits and dots: where they start and what they are worth."""

    starts: np.ndarray
    values: np.ndarray


def read_plain_formulas(texts):
    """Read the plain ones among a non-empty list of str."""
    buffer = _join(texts)
    capitals = np.flatnonzero(buffer.classes == _UPPER)
    codes = _symbol_codes(buffer, capitals)
    columns = _SYMBOLS[codes]
    buffer.reject(capitals[columns == _NO_ELEMENT])

    numbers = _numbers(buffer)
    amounts = np.ones(len(capitals))
    _bind(buffer, capitals, numbers, amounts)
    _multiply_groups(buffer, capitals, numbers, amounts)

    counts = np.diff(np.searchsorted(capitals, buffer.row_starts))
    buffer.is_odd[counts == 0] = True
    rows = np.repeat(np.arange(len(texts)), counts)
    has_deuterium = np.zeros(len(texts), dtype=bool)
    has_deuterium[rows[np.isin(codes, _ISOTOPE_CODES)]] = True
    is_read = ~buffer.is_odd
    if not is_read.all():
        keep = is_read[rows]
        rows, columns, amounts = rows[keep], columns[keep], amounts[keep]
    return Entries(rows, columns, amounts, is_read, has_deuterium & is_read)


def _join(texts):
    """Join the texts, one byte a character; what is not Latin-1 becomes a question mark."""
    # A line end behind each text keeps its last symbol from running on into the next row.
    joined = "\n".join(texts) + "\n" * _PADDING
    # One byte a character, so that rows are as long as their texts; what is not ASCII is left over
    # in any case.
    data = np.frombuffer(joined.encode("latin-1", errors="replace"), dtype=np.uint8)
    row_starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(
        np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1, out=row_starts[1:]
    )
    buffer = _Buffer(data, _CLASSES[data], row_starts, np.zeros(len(texts), dtype=bool))
    buffer.reject(np.flatnonzero(buffer.classes == _ODD))
    return buffer


def _symbol_codes(buffer, capitals):
    """Code of the symbol at each capital; small letters without a capital reject their row."""
    is_small = buffer.classes == _LOWER
    buffer.reject(np.flatnonzero(is_small[1:] & (buffer.classes[:-1] != _UPPER)) + 1)
    # The comparison above has no byte before the first.
    if is_small[0]:
        buffer.is_odd[0] = True
    following = buffer.data[capitals + 1].astype(np.int64) - (ord("a") - 1)
    return _symbol_code(
        buffer.data[capitals].astype(np.int64), np.where(is_small[capitals + 1], following, 0)
    )


def _numbers(buffer):
    """Find and read the numbers; those that are not plain reject their row."""
    is_part = (buffer.classes == _DIGIT) | (buffer.classes == _DOT)
    edges = np.flatnonzero(np.diff(is_part, prepend=False))
    starts, ends = edges[::2], edges[1::2]
    before = buffer.classes[starts - 1]
    buffer.reject(starts[(before != _UPPER) & (before != _LOWER) & (before != _CLOSE)])
    n_decimals = _decimals(buffer, starts, ends)
    n_digits = ends - starts - (n_decimals > 0)
    buffer.reject(starts[n_digits > _LONGEST_NUMBER])

    mantissas = buffer.data[starts].astype(np.int64) - ord("0")
    # An amount may begin with its dot.
    mantissas[buffer.classes[starts] == _DOT] = 0
    longer = np.flatnonzero(ends - starts > 1)
    for offset in range(1, _LONGEST_NUMBER + 1):
        places = starts[longer] + offset
        digits = buffer.data[places].astype(np.int64) - ord("0")
        grown = 10 * mantissas[longer] + digits
        is_dot = buffer.classes[places] == _DOT
        mantissas[longer] = np.where(is_dot, mantissas[longer], grown)
        longer = longer[ends[longer] - starts[longer] > offset + 1]
        if not len(longer):
            break
    # One division is rounded once, as float() does it; a product with 0.1 would be off.
    values = mantissas / _TENS[np.minimum(n_decimals, _LONGEST_NUMBER)]
    # Zero drops its element, which the one-formula parser sees to.
    buffer.reject(starts[values == 0.0])
    return _Numbers(starts, values)


def _decimals(buffer, starts, ends):
    """Count the digits after each number's dot; refuse two dots, a last dot and hydrates."""
    dots = np.flatnonzero(buffer.classes == _DOT)
    n_decimals = np.zeros(len(starts), dtype=np.int64)
    if not len(dots):
        return n_decimals
    owners = np.searchsorted(starts, dots, side="right") - 1
    n_decimals[owners] = ends[owners] - 1 - dots
    is_bad = (n_decimals[owners] == 0) | (np.diff(owners, prepend=-1) == 0)
    buffer.reject(dots[is_bad])
    buffer.reject(starts[owners[_may_be_hydrate(buffer, starts[owners], ends[owners])]])
    return n_decimals


def _may_be_hydrate(buffer, starts, ends):
    """Whether H2, D2 or NH follows an amount with decimals, also behind space and bracket."""
    data, classes = buffer.data, buffer.classes
    places = ends + (classes[ends] == _SPACE)
    places += classes[places] == _OPEN
    first, second = data[places], data[places + 1]
    water = ((first == ord("H")) | (first == ord("D"))) & (second == ord("2"))
    ammonia = (first == ord("N")) & (second == ord("H"))
    # Behind a 0 the dot is a decimal point: no hydrate comes after an amount of zero.
    return (water | ammonia) & (data[starts] != ord("0"))


def _bind(buffer, capitals, numbers, amounts):
    """Give each symbol the number right behind it, in place."""
    before = buffer.classes[numbers.starts - 1]
    after_letter = np.flatnonzero((before == _UPPER) | (before == _LOWER))
    starts = numbers.starts[after_letter]
    owners = np.searchsorted(capitals, starts) - 1
    # A letter without a capital would take a symbol of the row before; its row is rejected.
    is_own = (owners >= 0) & (starts - capitals[owners] <= 2) if len(capitals) else owners >= 0
    amounts[owners[is_own]] = numbers.values[after_letter[is_own]]


def _multiply_groups(buffer, capitals, numbers, amounts):
    """Multiply in the brackets, in place; rows whose brackets nest or mismatch are rejected."""
    places = np.flatnonzero((buffer.classes == _OPEN) | (buffer.classes == _CLOSE))
    if not len(places):
        return
    rows = buffer.rows_of(places)
    is_first = np.diff(rows, prepend=-1) != 0
    first_of_row = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
    is_second = ((np.arange(len(places)) - first_of_row) % 2).astype(bool)
    partner = np.where(is_second, _PARTNERS[buffer.data[np.roll(places, 1)]], 0)
    is_right = np.where(is_second, buffer.data[places] == partner, buffer.classes[places] == _OPEN)
    is_last = np.append(is_first[1:], True)
    buffer.is_odd[rows[~is_right | (is_last & ~is_second)]] = True

    # In the rows that are left, brackets come in pairs, and none within another.
    pairs = places[~buffer.is_odd[rows]].reshape(-1, 2)
    spans = np.searchsorted(capitals, pairs)
    lengths = spans[:, 1] - spans[:, 0]
    buffer.reject(pairs[lengths == 0, 0])
    after = pairs[:, 1] + 1
    found = np.minimum(np.searchsorted(numbers.starts, after), len(numbers.starts) - 1)
    if len(numbers.starts):
        factors = np.where(numbers.starts[found] == after, numbers.values[found], 1.0)
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        amounts[np.repeat(spans[:, 0], lengths) + offsets] *= np.repeat(factors, lengths)
