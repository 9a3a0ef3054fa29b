"""Neighbours: the nearest by stoichiometry, lattice or contents, by a plain search over all."""

import numpy as np
import pytest

from crystalml.symmetry._space_group_model._neighbours import (
    BY_CONTENTS,
    BY_LATTICE,
    BY_STOICHIOMETRY,
    N_ALIKE,
    N_CONTENTS,
    N_LATTICE,
    SHAPE_SCALE,
    UNITS_SCALE,
    Side,
    find_neighbours,
)

N_SITES, N_FEATURES, N_LENGTHS = 3, 2, 10


def side(n, seed, *, fold=None, n_sites=N_SITES, parts="both"):
    """Rows of two stoichiometries, without ties."""
    random = np.random.default_rng(seed)
    keys = random.choice(np.array(["1-1", "1-2-4"], dtype=object), n)
    sites = np.zeros((n, n_sites, N_FEATURES), dtype=np.float32)
    sites[:, :2] = random.normal(size=(n, 2, N_FEATURES))
    sites[keys == "1-2-4", 2] = random.normal(size=(np.sum(keys == "1-2-4"), N_FEATURES))
    lengths = np.sort(random.normal(1.5, 0.2, (n, N_LENGTHS)), axis=1)
    composition, cell = parts != "cell", parts != "composition"
    return Side(
        keys=keys if composition else None,
        sites=sites if composition else None,
        shapes=lengths - lengths.mean(axis=1, keepdims=True) if cell else None,
        lengths=lengths if cell else None,
        log_units=random.normal(1.0, 0.5, n) if parts == "both" else None,
        contents=random.normal(size=(n, 7)) if composition else None,
        folds=np.full(n, -1) if fold is None else random.integers(fold, size=n),
    )


def as_sets(found, n, way):
    chosen = (found.found_by & way) > 0
    return [set(found.reference[chosen & (found.query == row)].tolist()) for row in range(n)]


def nearest(distance, usable, n_nearest):
    distance = np.where(usable, distance, np.inf)
    order = np.argsort(distance, axis=1)[:, :n_nearest]
    return [
        {int(i) for i in some if np.isfinite(row[i])}
        for row, some in zip(distance, order, strict=True)
    ]


def unlikeness(new, known):
    """Return the distance between rows of one stoichiometry, written out."""
    sites = ((new.sites[:, None] - known.sites).astype(float) ** 2).sum(axis=(2, 3))
    shapes = ((new.shapes[:, None] - known.shapes) ** 2).mean(axis=2)
    units = new.log_units[:, None] - known.log_units
    n_sites = np.array([len(key.split("-")) for key in new.keys])[:, None]
    return sites / n_sites + shapes / SHAPE_SCALE**2 + (units / UNITS_SCALE) ** 2


def test_the_nearest_rows_are_found():
    new, known = side(30, 0), side(200, 1)
    found = find_neighbours(new, known)
    same = new.keys[:, None] == known.keys
    assert as_sets(found, 30, BY_STOICHIOMETRY) == nearest(unlikeness(new, known), same, N_ALIKE)
    lattice = np.linalg.norm(new.lengths[:, None] - known.lengths, axis=2)
    expected = nearest(lattice, np.ones_like(same), N_LATTICE)
    assert as_sets(found, 30, BY_LATTICE) == expected
    contents = np.linalg.norm(new.contents[:, None] - known.contents, axis=2)
    expected = nearest(contents, np.ones_like(same), N_CONTENTS)
    assert as_sets(found, 30, BY_CONTENTS) == expected


def test_every_pair_is_listed_once_in_order():
    found = find_neighbours(side(30, 15), side(80, 16))
    pair = found.query * 80 + found.reference
    assert (np.diff(pair) > 0).all()
    in_several_ways = found.found_by & (found.found_by - 1)
    assert in_several_ways.any()
    np.testing.assert_array_equal(found.is_alike, found.found_by % 2 == 1)


def test_rows_of_one_fold_do_not_see_each_other():
    rows = side(150, 2, fold=4)
    found = find_neighbours(rows, rows)
    assert (rows.folds[found.query] != rows.folds[found.reference]).all()
    other = rows.folds[:, None] != rows.folds
    same = rows.keys[:, None] == rows.keys
    expected = nearest(unlikeness(rows, rows), same & other, N_ALIKE)
    assert as_sets(found, 150, BY_STOICHIOMETRY) == expected
    contents = np.linalg.norm(rows.contents[:, None] - rows.contents, axis=2)
    assert as_sets(found, 150, BY_CONTENTS) == nearest(contents, other, N_CONTENTS)


def test_neighbours_do_not_depend_on_the_other_rows():
    new, known = side(30, 3), side(200, 4)
    together = find_neighbours(new, known)
    for row in (0, 7, 29):
        alone = Side(*(None if part is None else part[row : row + 1] for part in new))
        found = find_neighbours(alone, known)
        expected = together.reference[together.query == row]
        np.testing.assert_array_equal(np.sort(found.reference), np.sort(expected))


def test_ties_are_broken_alike_in_every_table():
    """More rows than can be listed are exactly as near, as entries of one compound are."""
    new, known = side(50, 5, parts="composition"), side(120, 6, parts="composition")
    known.keys[:] = new.keys[:] = "1-1"
    known.sites[:] = known.sites[:1]
    known.contents[:] = known.contents[:1]
    together = find_neighbours(new, known)
    for row in (0, 25, 49):
        alone = Side(*(None if part is None else part[row : row + 1] for part in new))
        expected = together.reference[together.query == row]
        np.testing.assert_array_equal(find_neighbours(alone, known).reference, expected)


def test_padding_of_the_sites_does_not_matter():
    new, known = side(20, 7), side(60, 8)
    padded = np.concatenate([known.sites, np.zeros((60, 2, N_FEATURES), np.float32)], axis=1)
    found, expected = (find_neighbours(new, s) for s in (known._replace(sites=padded), known))
    np.testing.assert_array_equal(found.reference, expected.reference)


@pytest.mark.parametrize("parts", ["composition", "cell"])
def test_one_part_is_enough(parts):
    found = find_neighbours(side(10, 9, parts=parts), side(50, 10, parts=parts))
    assert len(found.query)
    ways = BY_LATTICE if parts == "cell" else BY_STOICHIOMETRY | BY_CONTENTS
    assert (found.found_by & ~ways == 0).all()


def test_nothing_is_alike():
    new, known = side(5, 11, parts="composition"), side(9, 12, parts="composition")
    new.keys[:] = "9-9"
    found = find_neighbours(new, known)
    assert not found.is_alike.any()
    found = find_neighbours(new._replace(contents=None), known)
    assert len(found.query) == len(found.reference) == len(found.is_alike) == 0


def test_no_rows():
    new, known = side(5, 13), side(9, 14)
    nothing = Side(*(part[:0] for part in new))
    assert len(find_neighbours(nothing, known).query) == 0
