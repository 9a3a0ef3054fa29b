import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from matplotlib import pyplot
from pymatgen.core import Lattice, Structure

from crystalml import StructureDescriptors
from crystalml.exceptions import InvalidInputError
from crystalml.plotting import plot_bond_lengths, plot_radial_distribution

HALITE = bulk("NaCl", "rocksalt", a=5.64)
SILICON = bulk("Si")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def heights(ax):
    """Sum of the bars over each left edge, without empty ones."""
    bars = pd.DataFrame([(bar.get_x(), bar.get_height()) for bar in ax.patches])
    sums = bars.groupby(bars[0].round(6))[1].sum()
    return sums[sums > 0]


def test_bars_are_bonds_per_atom_at_their_length():
    ax = plot_bond_lengths(HALITE)
    assert heights(ax).to_dict() == pytest.approx({2.8: 6.0})
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("bond length / Å", "bonds per atom in 0.05 Å")
    assert legend(ax) == ["Cl-Na"]


def test_neither_the_cell_nor_the_number_of_structures_matters():
    one = heights(plot_bond_lengths([HALITE, SILICON]))
    assert one.to_dict() == pytest.approx({2.35: 2.0, 2.8: 3.0})
    large = heights(plot_bond_lengths([HALITE.repeat(2), SILICON, HALITE, SILICON]))
    assert large.to_dict() == pytest.approx(one.to_dict())


def test_lengths_are_those_of_the_descriptors():
    names = ["bond_length_minimum", "bond_length_maximum"]
    for bonds in ("nearest", "covalent"):
        shortest, longest = StructureDescriptors(names, bonds=bonds).fit_transform([HALITE])[0]
        found = heights(plot_bond_lengths(HALITE, bonds=bonds, bin_width=0.001)).index
        assert found[0] == pytest.approx(shortest, abs=1e-3)
        assert found[-1] == pytest.approx(longest, abs=1e-3)


def test_occupancies_count_and_rare_pairs_are_merged():
    half = Structure(Lattice.cubic(3), [{"Po": 0.5}], [[0, 0, 0]])
    assert heights(plot_bond_lengths(half)).sum() == pytest.approx(6 * 0.5)
    metals = [bulk(name) for name in ("Cu", "Ag", "Au", "Al", "Ni", "Pd", "Pt", "Pb")]
    ax = plot_bond_lengths(metals)
    assert legend(ax)[-1] == "2 others"
    assert len(legend(ax)) == 7
    assert heights(ax).sum() == pytest.approx(12)


@pytest.fixture
def rdf():
    describe = StructureDescriptors(["density", "rdf"], rdf_cutoff=5.0, rdf_bin_width=0.25)
    return describe.set_output(transform="pandas").fit_transform([HALITE, SILICON])


def test_steps_are_the_descriptors(rdf):
    ax = plot_radial_distribution(rdf, names=["halite", "silicon"])
    for patch, (_, row) in zip(ax.patches, rdf.filter(like="rdf_").iterrows(), strict=True):
        values, edges, _ = patch.get_data()
        np.testing.assert_array_equal(values, row)
        np.testing.assert_allclose(edges, np.arange(0, 5.01, 0.25))
    assert legend(ax) == ["halite", "silicon", "mean density"]
    assert ax.get_xlabel() == "distance r between two atoms / Å"
    assert ax.get_ylabel() == "radial distribution g(r)"


def test_order_of_columns_does_not_matter_and_the_index_names(rdf):
    rdf.index = ["x", "y"]
    ax = plot_radial_distribution(rdf[rdf.columns[::-1]])
    np.testing.assert_array_equal(ax.patches[1].get_data()[0], rdf.filter(like="rdf_").loc["y"])
    assert legend(ax)[:2] == ["x", "y"]


def test_many_structures_are_median_and_quartiles(rdf):
    many = pd.concat([rdf * factor for factor in (1, 2, 3, 4)])
    many.iloc[0] = np.nan
    ax = plot_radial_distribution(many)
    rows = many.filter(like="rdf_").dropna().to_numpy()
    low, median, high = np.percentile(rows, (25, 50, 75), axis=0)
    band, line = ax.patches
    np.testing.assert_allclose(band.get_data().values, high)
    np.testing.assert_allclose(band.get_data().baseline, low)
    np.testing.assert_allclose(line.get_data().values, median)
    assert legend(ax)[0] == "first to third quartile of 7 structures"


def test_missing_structures_are_left_out(rdf):
    rdf.iloc[0] = np.nan
    assert legend(plot_radial_distribution(rdf, names=["no", "yes"])) == ["yes", "mean density"]


def test_they_draw_where_they_are_told(rdf):
    _, ax = pyplot.subplots()
    assert plot_bond_lengths(HALITE, ax=ax) is ax
    assert plot_radial_distribution(rdf, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_bad_bonds_are_named():
    with pytest.raises(InvalidInputError, match=r"bonds must be one of .*, got 'ionic'"):
        plot_bond_lengths(HALITE, bonds="ionic")
    with pytest.raises(InvalidInputError, match=r"got -1 and 0.05"):
        plot_bond_lengths(HALITE, tolerance=-1)
    with pytest.raises(InvalidInputError, match=r"got 0.1 and 0"):
        plot_bond_lengths(HALITE, bin_width=0)
    with pytest.raises(InvalidInputError, match="there are no bonds"):
        plot_bond_lengths(bulk("Ar", "fcc", a=9.0), bonds="covalent")
    twice = Structure(Lattice.cubic(3), ["Na", "Cl"], [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(InvalidInputError, match=r"plot_bond_lengths: .*; correct or drop"):
        plot_bond_lengths(twice)
    with pytest.raises(InvalidInputError, match=r"plot_bond_lengths: cannot read 'nowhere.cif'"):
        plot_bond_lengths("nowhere.cif")


def test_bad_distributions_are_named(rdf):
    with pytest.raises(InvalidInputError, match="without gaps; got 19 such"):
        plot_radial_distribution(rdf.drop(columns="rdf_1.00_1.25"))
    for wrong in (rdf[["density"]], rdf.to_numpy()):
        with pytest.raises(InvalidInputError, match="got 0 such columns"):
            plot_radial_distribution(wrong)
    with pytest.raises(InvalidInputError, match="all 2 structures have missing values"):
        plot_radial_distribution(rdf * np.nan)
    with pytest.raises(InvalidInputError, match="got 1 of names and 2 of structures"):
        plot_radial_distribution(rdf, names=["x"])
