from importlib.resources import files

import numpy as np
import pytest
from ase.build import bulk
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, PathPatch
from pymatgen.core import Lattice, Structure

from crystalml.exceptions import InvalidInputError
from crystalml.plotting import plot_structures

HALITE = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
CIF = str(files("ase") / "test" / "testdata" / "minerals" / "cod_9004112.cif")


def circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def scale(ax):
    (bar,) = ax.lines
    return np.ptp(bar.get_xdata()), ax.texts[0].get_text()


def test_views_show_every_atom_of_the_cell_and_its_boundary():
    axes = plot_structures(HALITE)
    assert axes.shape == (1, 3)
    # Halite: 14 Na on corners and faces, 12 + 1 Cl on edges and in the centre.
    assert [len(circles(ax)) for ax in axes[0]] == [27, 125, 27]
    assert all(any(isinstance(patch, PathPatch) for patch in ax.patches) for ax in axes[0])


def test_pictures_are_named_and_have_a_scale():
    axes = plot_structures([HALITE, bulk("Si")], repeats=(3, 1, 1))
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["NaCl", "Si"]
    assert [ax.get_xlabel() for ax in axes[1]] == [
        "unit cell",
        "3 x 1 x 1 supercell",
        "top view, along c",
    ]
    for ax in axes.flat:
        length, text = scale(ax)
        assert text == f"{length:g} Å"
        assert length < np.ptp(ax.get_xlim())
        assert ax.get_aspect() == 1
        assert not len(ax.get_xticks())
    axes[0, 0].figure.canvas.draw()


def test_one_unit_is_one_angstrom():
    (ax,) = plot_structures(HALITE, views=["top"])[0]
    centres = np.array([circle.center for circle in circles(ax)])
    assert np.ptp(centres, axis=0) == pytest.approx([5.64, 5.64])


def test_the_top_view_looks_along_c_with_a_to_the_right():
    lattice = Lattice.from_parameters(4, 7, 9, 90, 110, 90)
    for matrix in (lattice.matrix, lattice.matrix @ Lattice.cubic(1).matrix[[1, 2, 0]]):
        structure = Structure(Lattice(matrix), ["Si"], [[0, 0, 0]])
        (ax,) = plot_structures(structure, views=["top"])[0]
        centres = np.array([circle.center for circle in circles(ax)])
        # Two atoms of the edges along c lie behind one another.
        assert len(np.unique(centres.round(6), axis=0)) == 4
        assert np.ptp(centres, axis=0) == pytest.approx([4 * np.sin(np.radians(110)), 7])


def test_colours_tell_elements_apart_and_the_legend_names_them():
    axes = plot_structures([HALITE, bulk("NaBr", "rocksalt", a=5.97)])
    rows = []
    for row in axes:
        legend = row[-1].get_legend()
        handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
        rows.append({text.get_text(): to_hex(h.get_markerfacecolor()) for text, h in handles})
        drawn = {to_hex(circle.get_facecolor()) for circle in circles(row[0])}
        assert drawn == set(rows[-1].values())
        assert row[0].get_legend() is None
    assert rows[0].keys() == {"Cl", "Na"}
    assert rows[0]["Na"] == rows[1]["Na"]
    assert len({rows[0]["Cl"], rows[0]["Na"], rows[1]["Br"]}) == 3


def test_colours_stay_apart_within_a_crystal_when_all_are_used():
    elements = ["Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si"]
    chain = [Structure(Lattice.cubic(3), [one], [[0, 0, 0]]) for one in elements]
    both = Structure(Lattice.cubic(5), ["Li", "Si"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    axes = plot_structures([*chain, both], views=["top"])
    legend = axes[-1, 0].get_legend()
    assert len({handle.get_markerfacecolor() for handle in legend.legend_handles}) == 2


def test_sources_of_any_kind_are_drawn():
    structure = Structure.from_file(CIF)
    axes = plot_structures([CIF, structure], views=["unit_cell"], names=["file", "pymatgen"])
    # An atom on a face is drawn on two of them, on an edge on four, in a corner on eight.
    on_boundary = np.isclose(structure.frac_coords % 1, 0) | np.isclose(
        structure.frac_coords % 1, 1
    )
    n_atoms = (2 ** on_boundary.sum(axis=1)).sum()
    assert len(circles(axes[0, 0])) == len(circles(axes[1, 0])) == n_atoms
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["file", "pymatgen"]


def test_shared_and_partial_sites_are_their_most_abundant_element_and_d_is_hydrogen():
    sites = [{"Ca": 0.3, "Sr": 0.7}, {"D": 0.5}]
    structure = Structure(Lattice.cubic(4), sites, [[0, 0, 0], [0.5, 0.5, 0.5]])
    axes = plot_structures(structure, views=["top"])
    texts = axes[0, 0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["H", "Sr"]
    assert "Sr$_{0.7}$" in axes[0, 0].get_ylabel()


def test_it_draws_where_it_is_told():
    _, axes = pyplot.subplots(1, 2)
    drawn = plot_structures(HALITE, views=["unit_cell", "top"], axes=axes)
    assert (drawn[0] == axes).all()
    assert len(pyplot.get_fignums()) == 1
    with pytest.raises(InvalidInputError, match="axes must be 1 x 3 Axes, got 2"):
        plot_structures(HALITE, axes=axes)


@pytest.mark.parametrize(
    ("structures", "options", "message"),
    [
        (["nowhere.cif"], {}, "cannot read 'nowhere.cif': there is no such file"),
        ([HALITE, 5], {}, "cannot read structure 1: it is of type int"),
        ([], {}, "got no structures"),
        (HALITE, {"views": ["side"]}, r"views must be among .*, got \('side',\)"),
        (HALITE, {"repeats": (2, 2)}, r"repeats must be three numbers > 0, got \(2, 2\)"),
        (HALITE, {"names": []}, "got 0 names of 1 structures"),
    ],
)
def test_bad_input_is_named(structures, options, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_structures(structures, **options)
    assert pyplot.get_fignums() == []
