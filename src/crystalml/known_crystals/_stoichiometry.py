"""Formulas as counts of atoms on kinds of sites, like elements that share a site merged.

Structures agree in how many atoms there are of each kind, not in which elements they are. In an
ordered compound every element is a kind. In a solid solution such as La1.85Sr0.15CuO4 lanthanum
and strontium share a site, and 1-2-4 says more than the odd ratios do: where the reduced formula
is not small, the partition of its elements is taken that brings the counts nearest to small
integers at the least chemical cost. All elements on one site always fit, if at a high cost.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import sparse

from crystalml.crystallography._formula_names import reduced_amounts

# Reduced formulas with no more atoms than this, of one element and in all, stand as they are.
# Larger ones are mostly solid solutions with round amounts (La1.9Sr0.1CuO4 is La19SrCu10O40).
_LARGEST_COUNT, _LARGEST_SUM = 24, 48
_ROUNDING = 1e-6
# The search: elements looked at, multiples of the rarest kind that are tried, how far counts
# may be from integers, and how many atoms there may be.
_MOST_ELEMENTS = 6
_MULTIPLES = range(1, 9)
_TOLERANCE = 0.06
_LARGEST_MERGED_SUM = 60
# What is minimized besides the distances of elements that share a site: each shared site, each
# atom of the formula, and the distance from integers.
_PER_SHARED_SITE, _PER_ATOM, _PER_DEVIATION = 1.0, 0.08, 10.0
_ROWS_AT_ONCE = 64


class Stoichiometry(NamedTuple):
    """Formulas as counts of atoms on kinds of sites; n formulas, at most m kinds."""

    key: np.ndarray
    """Ascending counts such as "1-2-4", object array of shape (n,); "?0" for an empty row."""
    counts: np.ndarray
    """Atoms per formula unit of each kind, int64 of shape (n, m), ascending by count and then by
    electronegativity, padded with zeros; all zero for an empty row."""
    sites: np.ndarray
    """Features of the kinds, float32 of shape (n, m, k): means over the elements, weighted by
    their amounts, in the order of `counts`."""
    n_atoms: np.ndarray
    """Atoms per formula unit, int64 of shape (n,); 1 for an empty row."""
    is_merged: np.ndarray
    """Whether the counts are not those of the reduced formula, since elements were merged or
    amounts rounded; bool of shape (n,)."""


class _Kinds(NamedTuple):
    """Kinds of sites of many formulas, one after the other."""

    rows: np.ndarray
    counts: np.ndarray
    features: np.ndarray


def stoichiometry(amounts, element_features, electronegativity_column):
    """Count the atoms on each kind of site.

    Parameters
    ----------
    amounts : sparse array of shape (n, 118)
        Amounts of the elements, at any scale.
    element_features : ndarray of shape (118, k)
        Standardized features of the elements; their Euclidean distance tells how unlikely two
        elements are to share a site.
    electronegativity_column : int
        The feature that orders kinds of equal counts.

    Returns
    -------
    Stoichiometry
        What each row says does not depend on the other rows, but for the padding.
    """
    table = sparse.csr_array(amounts, copy=True)
    table.sum_duplicates()
    table.eliminate_zeros()
    n_elements = np.diff(table.indptr)
    reduced, is_small = _reduce(table.data, n_elements)
    rows = np.repeat(np.arange(len(n_elements)), n_elements)
    whole = is_small[rows]
    elements = table.indices[whole]
    parts = [_Kinds(rows[whole], np.rint(reduced[whole]), element_features[elements])]
    for n_kept in range(2, _MOST_ELEMENTS + 1):
        chosen = ~is_small & (np.minimum(n_elements, _MOST_ELEMENTS) == n_kept)
        if chosen.any():
            parts.append(_merge(table.indices, reduced, table.indptr, chosen, element_features))
    kinds = _Kinds(*map(np.concatenate, zip(*parts, strict=True)))
    totals = np.bincount(rows, weights=reduced, minlength=len(n_elements))
    return _assemble(kinds, n_elements, totals, electronegativity_column)


def _reduce(amounts, n_elements):
    """Return canonical amounts, and whether those of each row are small integers."""
    indptr = np.concatenate([[0], np.cumsum(n_elements[n_elements > 0])])
    is_small = np.zeros(len(n_elements), dtype=bool)
    if not len(amounts):
        return amounts, is_small
    reduced = reduced_amounts(amounts, indptr)
    small = _are_small(reduced, indptr)
    # Ratios of large integers are rounded like fractions, or 2001:4000 and 0.50025:1 would differ.
    large = np.repeat(~small, np.diff(indptr))
    if large.any():
        lengths = np.diff(indptr)[~small]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        largest = np.maximum.reduceat(reduced[large], bounds[:-1])
        reduced[large] = reduced_amounts(reduced[large] / np.repeat(largest, lengths), bounds)
        small = _are_small(reduced, indptr)
    is_small[n_elements > 0] = small
    return reduced, is_small


def _are_small(reduced, indptr):
    """Whether the amounts of each row are integers that can stand as they are."""
    starts = indptr[:-1]
    nearest = np.rint(reduced)
    is_count = (
        (np.abs(reduced - nearest) < _ROUNDING) & (nearest >= 1) & (nearest <= _LARGEST_COUNT)
    )
    all_counts = np.logical_and.reduceat(is_count, starts)
    return all_counts & (np.add.reduceat(nearest, starts) <= _LARGEST_SUM)


def _merge(indices, reduced, indptr, chosen, element_features):
    """Return the kinds of sites of rows whose elements have to share them."""
    elements, amounts = _most_abundant(indices, reduced, indptr, chosen)
    together = np.concatenate([elements, amounts], axis=1)
    # Each composition once: the search is the costly part, and large tables repeat compositions.
    _, first, back = np.unique(together, axis=0, return_index=True, return_inverse=True)
    features = element_features[elements[first]]
    labels, counts = _best_partitions(amounts[first], features)
    shares = (labels[:, None] == np.arange(labels.shape[1])[:, None]) * amounts[first][:, None]
    n_occupied = labels.max(axis=1) + 1
    totals = np.maximum(shares.sum(axis=2, keepdims=True), np.finfo(float).tiny)
    means = (shares / totals) @ features
    back = back.ravel()
    rows, kinds = np.nonzero(np.arange(labels.shape[1]) < n_occupied[back][:, None])
    found = back[rows]
    return _Kinds(np.flatnonzero(chosen)[rows], counts[found, kinds], means[found, kinds])


def _most_abundant(indices, reduced, indptr, chosen):
    """Elements and fractions of rows, the largest first; those beyond the most allowed drop out."""
    starts, lengths = indptr[:-1][chosen], np.diff(indptr)[chosen]
    place = np.arange(lengths.max())
    inside = place < lengths[:, None]
    entries = np.where(inside, starts[:, None] + place, 0)
    amounts = np.where(inside, reduced[entries], 0.0)
    kept = np.argsort(-amounts, axis=1, kind="stable")[:, : min(_MOST_ELEMENTS, lengths.min())]
    amounts = np.take_along_axis(amounts, kept, axis=1)
    elements = np.take_along_axis(indices[entries], kept, axis=1)
    return elements, amounts / amounts.sum(axis=1, keepdims=True)


def _best_partitions(fractions, features):
    """Return which kind each element belongs to, (n, e), and the atoms of each kind, (n, e)."""
    partitions = _set_partitions(fractions.shape[1])
    labels, counts = [], []
    for start in range(0, len(fractions), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        scores, integers = _nearest_integers(fractions[part], partitions)
        scores += _sharing_costs(features[part], partitions)
        best = scores.argmin(axis=1)
        labels.append(partitions[best])
        counts.append(integers[np.arange(len(best)), best].astype(np.int64))
    every = np.concatenate(counts)
    return np.concatenate(labels), every // np.gcd.reduce(every, axis=1)[:, None]


def _nearest_integers(fractions, partitions):
    """Score every partition by its smallest fitting counts, (n, p); return these too, (n, p, e)."""
    n_elements = partitions.shape[1]
    members = (partitions[:, :, None] == np.arange(n_elements)).astype(float)
    sums = np.einsum("ne,peb->npb", fractions, members, optimize=True)
    rarest = np.where(sums > 0, sums, np.inf).min(axis=2, keepdims=True)
    ratios = sums / rarest
    scores = np.full(sums.shape[:2], np.inf)
    integers = np.zeros(sums.shape)
    for multiple in _MULTIPLES:
        nearest = np.rint(ratios * multiple)
        deviation = np.abs(ratios * multiple - nearest).max(axis=2)
        n_atoms = nearest.sum(axis=2)
        fits = (deviation < _TOLERANCE) & (n_atoms <= _LARGEST_MERGED_SUM) & np.isinf(scores)
        scores[fits] = _PER_ATOM * n_atoms[fits] + _PER_DEVIATION * deviation[fits]
        integers[fits] = nearest[fits]
    return scores, integers


def _sharing_costs(features, partitions):
    """Chemical cost of every partition, (n, p): mean distances within kinds, and each sharing."""
    distances = np.sqrt(((features[:, :, None] - features[:, None]) ** 2).sum(axis=3))
    same = partitions[:, :, None] == partitions[:, None]
    sizes = same.sum(axis=2)
    weights = same / sizes[:, :, None]
    n_shared = ((sizes > 1) / sizes).sum(axis=1)
    return np.einsum("nij,pij->np", distances, weights) + _PER_SHARED_SITE * n_shared


@cache
def _set_partitions(n_elements):
    """Return all ways to sort elements into kinds, as labels of shape (n_ways, n_elements)."""
    ways: list[tuple[int, ...]] = [()]
    for _ in range(n_elements):
        ways = [(*way, kind) for way in ways for kind in range(max(way, default=-1) + 2)]
    return np.array(ways)


def _assemble(kinds, n_elements, totals, electronegativity_column):
    """Sort the kinds of every row and lay them out; `totals` are the atoms of reduced formulas."""
    electronegativity = kinds.features[:, electronegativity_column]
    order = np.lexsort((electronegativity, kinds.counts, kinds.rows))
    rows = kinds.rows[order]
    n_kinds = np.bincount(rows, minlength=len(n_elements))
    places = np.arange(len(rows)) - (np.cumsum(n_kinds) - n_kinds)[rows]
    shape = (len(n_elements), int(n_kinds.max(initial=1)))
    counts = np.zeros(shape, dtype=np.int64)
    counts[rows, places] = kinds.counts[order]
    sites = np.zeros((*shape, kinds.features.shape[1]), dtype=np.float32)
    sites[rows, places] = kinds.features[order]
    n_atoms = np.maximum(counts.sum(axis=1), 1)
    is_merged = (n_kinds != n_elements) | (np.abs(n_atoms - totals) > _ROUNDING)
    return Stoichiometry(_keys(counts), counts, sites, n_atoms, is_merged)


def _keys(counts):
    """Join the counts of each row by hyphens."""
    # Counts fit into one byte, so that a row is one string of bytes and sorts fast.
    packed = np.ascontiguousarray(counts, dtype=np.uint8).view(f"S{counts.shape[1]}").ravel()
    _, first, back = np.unique(packed, return_index=True, return_inverse=True)
    names = ["-".join(map(str, row[row > 0].tolist())) or "?0" for row in counts[first]]
    return np.array(names, dtype=object)[back]
