"""Reduce element amounts to canonical ratios, all rows of a sparse matrix at once."""

import numpy as np

MAX_EXACT_AMOUNT = 400
MAX_ROUNDED_AMOUNT = 24
EXACT_TOLERANCE = 1e-9
ROUNDING_TOLERANCE = 1e-4
SIGNIFICANT_DIGITS = 4
_LARGEST_WHOLE = 2.0**53
_SMALLEST_RATIO = 1e-30  # keeps an absurdly small amount from vanishing


def reduced_amounts(amounts, indptr):
    """Divide each row so that equal compositions get equal amounts.

    `amounts` are the data and `indptr` the row bounds of a CSR matrix without empty rows. The
    rules are those of :func:`crystalml.crystallography.reduced_formula`.
    """
    starts, counts = indptr[:-1], np.diff(indptr)
    reduced = amounts.copy()
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
        multiples[rows] = np.where(product <= MAX_EXACT_AMOUNT, product, 0)
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
        whole = np.floor(rest + EXACT_TOLERANCE)
        before, current = current, whole * current + before
        value = ratios[pending]
        is_exact = np.abs(np.rint(value * current) / current - value) <= EXACT_TOLERANCE
        is_exact &= (current <= MAX_EXACT_AMOUNT) & (np.rint(value * current) >= 1)
        result[pending[is_exact]] = current[is_exact]
        go_on = ~is_exact & (current <= MAX_EXACT_AMOUNT) & (rest - whole > EXACT_TOLERANCE)
        pending, before, current = pending[go_on], before[go_on], current[go_on]
        rest = 1.0 / (rest[go_on] - whole[go_on])
    return result


def _rounded_multiples(ratios, counts):
    """Smallest denominator that all ratios of a row are close to; 0 where there is none."""
    multiples = np.zeros(len(counts), dtype=np.int64)
    starts = _starts(counts)
    for factor in range(MAX_ROUNDED_AMOUNT, 0, -1):
        nearest = np.rint(ratios * factor)
        is_near = (nearest >= 1) & (np.abs(nearest / factor - ratios) <= ROUNDING_TOLERANCE)
        multiples[np.logical_and.reduceat(is_near, starts)] = factor
    return multiples


def _round_digits(ratios):
    """Round to significant digits, first to many, so that noise cannot decide a tie."""
    scale = 10.0 ** (SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(ratios)))
    return np.rint(np.round(ratios * scale, 6)) / scale


def _starts(counts):
    return np.cumsum(counts) - counts
