"""The index of known crystals: what trees find is what a plain comparison of all rows finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from crystalml.known_crystals._descriptions import Compositions, Lattices
from crystalml.known_crystals._index import LATTICE, STOICHIOMETRY, CrystalIndex, Crystals
from crystalml.known_crystals._neighbours import (
    ATOMS_SCALE,
    BY_CONTENTS,
    BY_LATTICE,
    BY_STOICHIOMETRY,
    N_ALIKE,
    N_CONTENTS,
    N_LATTICE,
    SHAPE_SCALE,
    UNITS_SCALE,
    find_neighbours,
)
from crystalml.known_crystals._stoichiometry import Stoichiometry

N_FEATURES, N_LENGTHS, N_ELEMENTS = 2, 10, 118


def crystals(n, seed, *, n_groups=None, n_sites=3, parts="both", without_cell=0):
    """Rows of two stoichiometries, without ties; the first ones may lack a cell."""
    random = np.random.default_rng(seed)
    keys = random.choice(np.array(["1-1", "1-2-4"], dtype=object), n)
    counts = np.zeros((n, n_sites), dtype=np.int64)
    for row, key in enumerate(keys):
        counts[row, : len(key.split("-"))] = [int(count) for count in key.split("-")]
    sites = random.normal(size=(n, n_sites, N_FEATURES)).astype(np.float32)
    sites[counts == 0] = 0.0
    n_atoms = counts.sum(axis=1)
    stoichiometry = Stoichiometry(keys, counts, sites, n_atoms, np.zeros(n, dtype=bool))
    fractions = sparse.csr_array(random.dirichlet(np.ones(N_ELEMENTS), n))
    order = random.permutation(N_ELEMENTS)
    compositions = Compositions(fractions, np.empty((0, 1)), stoichiometry, np.sort(order))
    lengths = np.sort(random.normal(1.5, 0.2, (n, N_LENGTHS)), axis=1)
    log_units = random.normal(1.0, 0.5, n)
    lengths[:without_cell] = log_units[:without_cell] = np.nan
    lattices = Lattices(lengths, np.empty((0, 14)), np.empty((0, 3)), np.zeros(n))
    return Crystals(
        compositions if parts != "cell" else None,
        lattices if parts != "composition" else None,
        log_units if parts == "both" else None,
        np.full(n, -1) if n_groups is None else random.integers(n_groups, size=n),
        bravais=random.integers(3, size=n),
    )


def row_of(rows, row):
    """One of the crystals alone."""
    return take(rows, slice(row, row + 1))


def take(rows, chosen):
    compositions, lattices = rows.compositions, rows.lattices
    if compositions is not None:
        sites = Stoichiometry(*(part[chosen] for part in compositions.sites))
        compositions = compositions._replace(fractions=compositions.fractions[chosen], sites=sites)
    if lattices is not None:
        lattices = lattices._replace(lengths=lattices.lengths[chosen])
    rest = (None if part is None else part[chosen] for part in rows[2:])
    return Crystals(compositions, lattices, *rest)


def squares(left, right):
    return ((left[:, None] - right[None]) ** 2).sum(axis=2)


def shape_squares(queries, references):
    """Mean squared differences of the lengths relative to their mean, in units of the scale."""
    left, right = (rows.lattices.lengths for rows in (queries, references))
    left, right = (lengths - lengths.mean(axis=1, keepdims=True) for lengths in (left, right))
    return squares(left, right) / N_LENGTHS / SHAPE_SCALE**2


def unlikeness(queries, references, *, with_cell=True):
    """Squared distance between rows of one stoichiometry, written out."""
    left, right = (rows.compositions.sites for rows in (queries, references))
    distance = ((left.sites[:, None].astype(float) - right.sites) ** 2).sum(axis=(2, 3))
    distance /= (left.counts > 0).sum(axis=1)[:, None]
    if with_cell:
        units = queries.log_units[:, None] - references.log_units
        distance += shape_squares(queries, references) + (units / UNITS_SCALE) ** 2
    return distance


def unlike_contents(queries, references):
    """Squared distance of the contents of cells, written out."""
    left, right = (rows.compositions.profiles() for rows in (queries, references))
    atoms = [
        rows.log_units + np.log(rows.compositions.sites.n_atoms) for rows in (queries, references)
    ]
    size = (atoms[0][:, None] - atoms[1]) / ATOMS_SCALE
    return squares(left, right) + shape_squares(queries, references) + size**2


def nearest(distance, usable, n_nearest):
    distance = np.where(usable, distance, np.inf)
    order = np.argsort(distance, axis=1)[:, :n_nearest]
    return [
        {int(i) for i in some if np.isfinite(row[i])}
        for row, some in zip(distance, order, strict=True)
    ]


def as_sets(found, n, way):
    chosen = (found.found_by & way) > 0
    return [set(found.reference[chosen & (found.query == row)].tolist()) for row in range(n)]


def same_key(queries, references):
    return queries.compositions.sites.key[:, None] == references.compositions.sites.key


def test_the_nearest_rows_are_found():
    queries, references = crystals(30, 0), crystals(200, 1)
    found = find_neighbours(queries, CrystalIndex(references))
    same, every = same_key(queries, references), np.ones((30, 200), dtype=bool)
    alike = unlikeness(queries, references)
    assert as_sets(found, 30, BY_STOICHIOMETRY) == nearest(alike, same, N_ALIKE)
    lattice = squares(queries.lattices.lengths, references.lattices.lengths)
    assert as_sets(found, 30, BY_LATTICE) == nearest(lattice, every, N_LATTICE)
    contents = unlike_contents(queries, references)
    assert as_sets(found, 30, BY_CONTENTS) == nearest(contents, every, N_CONTENTS)
    only = found.found_by == BY_STOICHIOMETRY
    expected = np.sqrt(alike[found.query[only], found.reference[only]])
    np.testing.assert_allclose(found.distance[only], expected, atol=2e-6)


def test_every_pair_is_listed_once_in_order():
    found = find_neighbours(crystals(30, 15), CrystalIndex(crystals(80, 16)))
    assert (np.diff(found.query * 80 + found.reference) > 0).all()
    assert (found.found_by & (found.found_by - 1)).any()  # in several ways
    np.testing.assert_array_equal(found.is_alike, found.found_by % 2 == 1)


@pytest.mark.parametrize("n_groups", [2, 4, 100])
def test_rows_of_one_group_do_not_see_each_other(n_groups):
    """Half of the rows may be hidden, or the row itself alone: as many are found."""
    rows = crystals(150, 2, n_groups=n_groups)
    found = find_neighbours(rows, CrystalIndex(rows))
    other = rows.groups[:, None] != rows.groups
    assert other[found.query, found.reference].all()
    expected = nearest(unlikeness(rows, rows), same_key(rows, rows) & other, N_ALIKE)
    assert as_sets(found, 150, BY_STOICHIOMETRY) == expected
    lattice = squares(rows.lattices.lengths, rows.lattices.lengths)
    assert as_sets(found, 150, BY_LATTICE) == nearest(lattice, other, N_LATTICE)
    contents = unlike_contents(rows, rows)
    assert as_sets(found, 150, BY_CONTENTS) == nearest(contents, other, N_CONTENTS)


def test_rows_of_no_group_see_all():
    rows = crystals(60, 2, n_groups=1)
    index = CrystalIndex(rows)
    assert not len(find_neighbours(rows, index).query)
    found = find_neighbours(rows._replace(groups=np.full(60, -1)), index)
    assert (found.distance[found.query == found.reference] == 0).all()
    assert (np.bincount(found.query) > N_LATTICE).all()


def test_answers_do_not_depend_on_the_other_rows():
    queries, index = crystals(30, 3), CrystalIndex(crystals(200, 4))
    together = find_neighbours(queries, index)
    for row in (0, 7, 29):
        expected = together.reference[together.query == row]
        found = find_neighbours(row_of(queries, row), index)
        np.testing.assert_array_equal(found.reference, expected)


def test_of_rows_equally_near_the_first_are_listed():
    """More rows than can be listed are exactly as near, as entries of one compound are."""
    queries = crystals(5, 5, parts="composition")
    references = take(crystals(120, 6, parts="composition"), np.zeros(120, dtype=int))
    queries.compositions.sites.key[:] = references.compositions.sites.key[0]
    found = CrystalIndex(references).nearest(queries, 7, {"sites": 1.0}, within=(STOICHIOMETRY,))
    np.testing.assert_array_equal(found.rows, np.tile(np.arange(7), (5, 1)))


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, (12, 3), elements=st.integers(0, 3).map(float)),
    arrays.arrays(np.int64, 12, elements=st.integers(-1, 2)),
    st.integers(1, 14),
)
def test_ties_and_hidden_rows_as_by_a_plain_search(points, groups, k):
    """On a small grid most distances are shared by several rows."""
    lattices = Lattices(points, np.empty((0, 14)), np.empty((0, 3)), np.zeros(12))
    rows = Crystals(None, lattices, None, groups)
    found = CrystalIndex(rows).nearest(rows, k, {"lengths": 1.0})
    distance = np.round(np.sqrt(squares(points, points) / 3), 6)
    hidden = (groups[:, None] == groups) & (groups[:, None] >= 0)
    for row in range(12):
        visible = np.flatnonzero(~hidden[row])
        expected = visible[np.lexsort((visible, distance[row, visible]))][:k]
        np.testing.assert_array_equal(found.rows[row, : len(expected)], expected)
        assert (found.rows[row, len(expected) :] == -1).all()
        assert np.isinf(found.distances[row, len(expected) :]).all()


def test_rows_without_a_cell_are_found_by_their_composition():
    queries, references = crystals(20, 7), crystals(90, 8, without_cell=40)
    found = find_neighbours(queries, CrystalIndex(references))
    bare = np.arange(90) < 40
    same = same_key(queries, references)
    by_sites = nearest(unlikeness(queries, references, with_cell=False), same & bare, N_ALIKE)
    by_all = nearest(unlikeness(queries, references), same & ~bare, N_ALIKE)
    expected = [left | right for left, right in zip(by_sites, by_all, strict=True)]
    assert as_sets(found, 20, BY_STOICHIOMETRY) == expected
    lattices = found.reference[(found.found_by & BY_LATTICE) > 0]
    assert not bare[lattices].any()


def test_query_rows_without_a_cell_see_all_compositions():
    queries, references = crystals(20, 9, without_cell=20), crystals(90, 10, without_cell=40)
    found = find_neighbours(queries, CrystalIndex(references))
    expected = unlikeness(queries, references, with_cell=False)
    expected = nearest(expected, same_key(queries, references), N_ALIKE)
    assert as_sets(found, 20, BY_STOICHIOMETRY) == expected
    assert not (found.found_by & BY_LATTICE).any()
    assert set(np.unique(found.found_by)) <= {1, 4, 5}


def test_labels_that_must_agree():
    queries, references = crystals(25, 11), crystals(120, 12)
    index = CrystalIndex(references)
    found = index.nearest(queries, 5, {"sites": 1.0}, within=(STOICHIOMETRY, LATTICE))
    usable = same_key(queries, references) & (queries.bravais[:, None] == references.bravais)
    expected = nearest(unlikeness(queries, references, with_cell=False), usable, 5)
    assert [set(rows[rows >= 0].tolist()) for rows in found.rows] == expected


def test_padding_of_the_sites_does_not_matter():
    queries = crystals(20, 7)
    references = crystals(60, 8)
    padded = references.compositions.sites
    padded = padded._replace(
        sites=np.pad(padded.sites, ((0, 0), (0, 2), (0, 0))),
        counts=np.pad(padded.counts, ((0, 0), (0, 2))),
    )
    wide = references._replace(compositions=references.compositions._replace(sites=padded))
    for left, right in [(references, wide), (wide, references)]:
        found, expected = (find_neighbours(queries, CrystalIndex(rows)) for rows in (left, right))
        np.testing.assert_array_equal(found.reference, expected.reference)
    found, expected = (find_neighbours(rows, CrystalIndex(queries)) for rows in (wide, references))
    np.testing.assert_array_equal(found.reference, expected.reference)


@pytest.mark.parametrize("parts", ["composition", "cell"])
def test_one_part_is_enough(parts):
    index = CrystalIndex(crystals(50, 10, parts=parts))
    found = find_neighbours(crystals(10, 9, parts=parts), index)
    assert len(found.query)
    ways = BY_LATTICE if parts == "cell" else BY_STOICHIOMETRY | BY_CONTENTS
    assert (found.found_by & ~ways == 0).all()


def test_nothing_is_alike():
    queries = crystals(5, 11, parts="composition")
    queries.compositions.sites.key[:] = "9-9"
    found = find_neighbours(queries, CrystalIndex(crystals(9, 12, parts="composition")))
    assert not found.is_alike.any()
    found = find_neighbours(queries, CrystalIndex(crystals(9, 12, parts="cell")))
    assert len(found.query) == len(found.reference) == len(found.is_alike) == 0


def test_no_rows():
    nothing = take(crystals(5, 13), slice(0, 0))
    assert len(find_neighbours(nothing, CrystalIndex(crystals(9, 14))).query) == 0
