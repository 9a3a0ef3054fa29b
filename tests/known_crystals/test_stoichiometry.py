"""Counts of atoms on kinds of sites: like elements merged, whatever the scale or the order."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from crystalml.crystallography import ELEMENTS, parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.descriptors._elemental import elemental_table
from crystalml.known_crystals._stoichiometry import _set_partitions, stoichiometry

ELECTRONEGATIVITY = 2


@pytest.fixture(scope="module")
def features():
    table = elemental_table("magpie", impute=True)
    names = ("MendeleevNumber", "CovalentRadius", "Electronegativity", "NValence", "Column", "Row")
    values = table.values[:, [table.properties.index(name) for name in names]]
    scaled = (values - values[:94].mean(axis=0)) / values[:94].std(axis=0)
    return scaled * [1.5, 1.0, 1.0, 0.5, 0.7, 0.7]


def of(formulas, features):
    return stoichiometry(parse_formulas(formulas).amounts, features, ELECTRONEGATIVITY)


def one(formula, features):
    """Key, counts and sites of one formula, without the padding."""
    found = of([formula], features)
    return found.key[0], found.counts[0].tolist(), found.sites[0]


@pytest.mark.parametrize(
    ("formula", "key"),
    [
        ("NaCl", "1-1"),
        ("Fe4O6", "2-3"),
        ("CaTiO3", "1-1-3"),
        ("NaN", "1-1"),
        ("GaFe0.5Co0.5", "1-1-2"),
        ("La1.85Sr0.15CuO4", "1-2-4"),
        ("La1.9Sr0.1CuO4", "1-2-4"),
        ("Mo1.73Ir0.27", "1"),
        ("Mg17Al12", "12-17"),
        ("Yb0.997Er0.003AlO3", "1-1-3"),
        ("Fe0.953O", "1-1"),
        ("C60", "1"),
        ("C61H61", "1-1"),
    ],
)
def test_known_compounds(formula, key, features):
    assert one(formula, features)[0] == key


def test_kinds_ascend_by_count_then_electronegativity(features):
    found = of(["NaCl", "La1.85Sr0.15CuO4", "SrTiO3"], features)
    assert_array_equal(found.counts, [[1, 1, 0], [1, 2, 4], [1, 1, 3]])
    sodium, chlorine, copper, strontium = (ELEMENTS.index(e) for e in ("Na", "Cl", "Cu", "Sr"))
    lanthanum = ELEMENTS.index("La")
    assert_allclose(found.sites[0, :2], features[[sodium, chlorine]], rtol=1e-6)
    assert_allclose(found.sites[0, 2], 0.0)
    assert_allclose(found.sites[1, 0], features[copper], rtol=1e-6)
    shared = (1.85 * features[lanthanum] + 0.15 * features[strontium]) / 2
    assert_allclose(found.sites[1, 1], shared, atol=1e-6)
    assert_array_equal(found.n_atoms, [2, 7, 5])
    assert_array_equal(found.is_merged, [False, True, False])
    assert found.key.dtype == object
    assert found.counts.dtype == found.n_atoms.dtype == np.int64
    assert found.sites.dtype == np.float32


def test_odd_ratios_end_on_one_site_and_empty_rows_on_none(features):
    amounts = np.zeros((3, len(ELEMENTS)))
    amounts[0, [0, 5]] = 20, 1
    amounts[1, [0, 5]] = 150.5, 1
    found = stoichiometry(sparse.csr_array(amounts), features, ELECTRONEGATIVITY)
    assert found.key.tolist() == ["1-20", "1", "?0"]
    assert_array_equal(found.n_atoms, [21, 1, 1])
    assert_array_equal(found.counts[2], 0)
    assert_array_equal(found.sites[2], 0)
    assert_array_equal(found.is_merged, [False, True, True])
    nothing = stoichiometry(sparse.csr_array((0, 118)), features, ELECTRONEGATIVITY)
    assert nothing.key.shape == (0,)
    assert nothing.sites.shape == (0, 1, 6)


def test_more_elements_than_are_looked_at(features):
    # The rarest two of eight are left out, whatever they are.
    key, _, sites = one("Na100Cl100.37Hf0.01Ta0.02W0.03Re0.04Os0.05Ir0.06", features)
    assert key == "1-1"
    assert_allclose(sites[0], features[ELEMENTS.index("Na")], atol=0.05)


def _search_by_hand(fractions, points):
    """Score every partition as the module describes it, one at a time."""
    best = (np.inf, None)
    for labels in _set_partitions(len(fractions)):
        blocks = [np.flatnonzero(labels == kind) for kind in range(labels.max() + 1)]
        sums = np.array([fractions[block].sum() for block in blocks])
        cost = 0.0
        for block in blocks:
            if len(block) > 1:
                pairs = [np.linalg.norm(points[i] - points[j]) for i, j in combinations(block, 2)]
                cost += sum(pairs) * 2 / len(block) + 1.0
        for multiple in range(1, 9):
            ratios = sums / sums.min() * multiple
            counts = np.rint(ratios)
            deviation = np.abs(ratios - counts).max()
            if deviation < 0.06 and counts.sum() <= 60:
                score = cost + 0.08 * counts.sum() + 10 * deviation
                if score < best[0]:
                    best = (score, sorted((counts / np.gcd.reduce(counts.astype(int))).tolist()))
                break
    return best[1]


def test_search_agrees_with_one_partition_at_a_time(features):
    generator = np.random.default_rng(0)
    amounts = np.zeros((40, len(ELEMENTS)))
    for row in amounts:
        elements = generator.choice(90, size=generator.integers(2, 6), replace=False)
        row[elements] = np.round(generator.dirichlet(np.ones(len(elements))) + 0.0137, 3)
    found = stoichiometry(sparse.csr_array(amounts), features, ELECTRONEGATIVITY)
    assert found.is_merged.sum() > 30
    for row in np.flatnonzero(found.is_merged):
        elements = np.flatnonzero(amounts[row])
        ratios = amounts[row, elements] / amounts[row].max()
        expected = _search_by_hand(ratios / ratios.sum(), features[elements])
        assert found.counts[row][found.counts[row] > 0].tolist() == expected


def test_partitions_are_all_and_distinct():
    bell = [1, 1, 2, 5, 15, 52, 203]
    for n_elements in range(1, 7):
        partitions = _set_partitions(n_elements)
        assert partitions.shape == (bell[n_elements], n_elements)
        assert len(np.unique(partitions, axis=0)) == len(partitions)


elements = st.lists(st.sampled_from(ELEMENTS[:90]), min_size=1, max_size=7, unique=True)


@st.composite
def compositions(draw, counts):
    symbols = draw(elements)
    return dict(zip(symbols, [draw(counts) for _ in symbols], strict=True))


def _write(composition, scale, order):
    symbols = sorted(composition) if order else sorted(composition, reverse=True)
    return "".join(f"{symbol}{composition[symbol] * scale:.12g}" for symbol in symbols)


def _same(left, right, rows=slice(None)):
    assert_array_equal(left.key, right.key[rows])
    n_kinds = left.counts.shape[1]
    assert_array_equal(left.counts, right.counts[rows][:, :n_kinds])
    assert_array_equal(left.n_atoms, right.n_atoms[rows])
    assert_array_equal(left.is_merged, right.is_merged[rows])
    assert_allclose(left.sites, right.sites[rows][:, :n_kinds], atol=1e-5)


@settings(max_examples=150)
@given(
    composition=compositions(st.integers(1, 400)),
    scale=st.one_of(st.integers(2, 50), st.sampled_from([0.1, 0.25, 1 / 3, 0.013, 7.5])),
)
def test_scale_and_order_of_elements_do_not_matter(composition, scale, features):
    plain, scaled = _write(composition, 1, True), _write(composition, scale, False)
    _same(of([plain], features), of([scaled], features))


@settings(max_examples=100)
@given(
    composition=compositions(st.integers(1, 400).map(lambda count: count / 100)),
    scale=st.sampled_from([2, 3, 10, 100, 0.5, 0.1]),
)
def test_scale_of_solid_solutions_does_not_matter(composition, scale, features):
    plain, scaled = _write(composition, 1, True), _write(composition, scale, False)
    _same(of([plain], features), of([scaled], features))


def test_real_rows_do_not_depend_on_the_others(features):
    formulas = load_cod_inorganic(subset="all").data.formula.to_numpy()[::7]
    together = of(formulas, features)
    assert 0.05 < together.is_merged.mean() < 0.3
    order = np.random.default_rng(0).permutation(len(formulas))
    shuffled = of(formulas[order], features)
    assert_array_equal(shuffled.sites, together.sites[order])
    _same(shuffled, together, order)
    for row in range(0, len(formulas), 101):
        _same(of(formulas[row : row + 1], features), together, slice(row, row + 1))
