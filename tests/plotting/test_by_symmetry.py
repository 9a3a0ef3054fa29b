import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from crystalml import CellDescriptors
from crystalml.crystallography import LATTICE_SYSTEMS
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.plotting import plot_by_symmetry


@pytest.fixture(scope="module")
def cod():
    return load_cod_inorganic().frame


def ticks(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def test_boxes_are_the_quartiles_of_the_most_frequent_groups(cod):
    ax = plot_by_symmetry(cod["volume"], cod["spacegroup_number"], n_groups=5)
    frequent = sorted(cod["spacegroup_number"].value_counts().index[:5])
    for box, number in zip(ax.patches, frequent, strict=True):
        volumes = cod.loc[cod["spacegroup_number"] == number, "volume"]
        low, high = np.percentile(volumes, (25, 75))
        heights = box.get_path().vertices[:, 1]
        assert [heights.min(), heights.max()] == pytest.approx([low, high])
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 1.8]
    expected = cod.groupby("spacegroup_number")["volume"].median().loc[frequent]
    assert medians == pytest.approx(expected.to_list())


def test_groups_go_by_symbol_with_counts_from_low_to_high_symmetry():
    ax = plot_by_symmetry([1.0, 2, 3, 4], [225, 14, 225, 2])
    assert ticks(ax) == [r"$P\overline{1}$ (1)", "$P2_{1}/c$ (1)", r"$Fm\overline{3}m$ (2)"]
    assert ax.get_xlabel() == "space group (entries)"
    assert ax.get_ylabel() == "value"


@pytest.mark.parametrize("kind", ["box", "violin"])
def test_lattice_systems_come_in_order(cod, kind):
    few = cod.head(2000)
    ax = plot_by_symmetry(
        few["volume"], few["spacegroup_number"], level="lattice_system", kind=kind
    )
    assert [text.split()[0] for text in ticks(ax)] == list(LATTICE_SYSTEMS)
    assert ax.get_xlabel() == "lattice system (entries)"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("volume", "cell volume V / Å$^{3}$"),
        ("inverse_volume", "inverse volume 1/V / Å$^{-3}$"),
        ("anisotropy", "anisotropy |a - c| / (a + c)"),
        ("beta", r"cell angle $\beta$ / degrees"),
        ("c_over_a", "axis ratio c/a"),
        ("niggli_c_over_a", "axis ratio c/a, reduced cell"),
        ("density", "density / g/cm$^{3}$"),
        ("my_own", "my own"),
    ],
)
def test_columns_have_names_and_units(name, label):
    ax = plot_by_symmetry(pd.Series([1.0, 2.0], name=name), [2, 2])
    assert ax.get_ylabel() == label
    ax.figure.canvas.draw()
    ax = plot_by_symmetry(pd.Series([1.0, 2.0], name=name), [2, 2], label="mine")
    assert ax.get_ylabel() == "mine"


def test_every_descriptor_has_a_label_without_underscores():
    describe = CellDescriptors().set_output(transform="pandas")
    table = describe.fit_transform([[4.0, 5.0, 6.0, 90, 95, 90]])
    for name in table.columns[:20]:
        ax = plot_by_symmetry(table[name], [14])
        assert "_" not in ax.get_ylabel()
        pyplot.close(ax.figure)


@pytest.mark.parametrize("log", [False, True])
def test_violins_span_their_values_with_median_and_quartiles(cod, log):
    few = cod.head(2000)
    ax = plot_by_symmetry(
        few["volume"], few["spacegroup_number"], n_groups=3, kind="violin", log=log
    )
    *bodies, bars, dots = ax.collections
    frequent = sorted(few["spacegroup_number"].value_counts().index[:3])
    assert len(bodies) == 3
    for i, number in enumerate(frequent):
        volumes = few.loc[few["spacegroup_number"] == number, "volume"]
        heights = bodies[i].get_paths()[0].vertices[:, 1]
        assert [heights.min(), heights.max()] == pytest.approx([volumes.min(), volumes.max()])
        low, median, high = np.percentile(volumes, (25, 50, 75))
        assert bars.get_segments()[i][:, 1] == pytest.approx([low, high])
        assert dots.get_offsets()[i].tolist() == pytest.approx([i, median])
    assert ax.get_yscale() == ("log" if log else "linear")


def test_violins_of_equal_or_single_values_are_drawn():
    ax = plot_by_symmetry([90.0, 90.0, 90.0, 95.0], [225, 225, 2, 14], kind="violin")
    ax.figure.canvas.draw()
    assert ticks(ax)[-1] == r"$Fm\overline{3}m$ (2)"


def test_missing_values_and_groups_are_left_out():
    groups = pd.Series([225, None, 225, 14, 14], dtype="Int64", index=[7, 8, 9, 10, 11])
    ax = plot_by_symmetry([1.0, 2.0, np.nan, 0.0, 3.0], groups)
    assert ticks(ax) == ["$P2_{1}/c$ (2)", r"$Fm\overline{3}m$ (1)"]
    ax = plot_by_symmetry([1.0, 2.0, np.nan, 0.0, 3.0], groups, log=True)
    assert ticks(ax) == ["$P2_{1}/c$ (1)", r"$Fm\overline{3}m$ (1)"]


def test_it_draws_where_it_is_told():
    _, ax = pyplot.subplots()
    assert plot_by_symmetry([1.0], [2], ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


@pytest.mark.parametrize(
    ("values", "groups", "options", "message"),
    [
        ([1.0], [2], {"kind": "bar"}, "kind must be 'box' or 'violin', got 'bar'"),
        ([1.0], [2], {"level": "lattice"}, r"level must be one of \('crystal_system', 'lattice_"),
        ([1.0], [2], {"n_groups": 0}, "n_groups must be at least 1, got 0"),
        ([1.0], [2, 2], {}, "got 1 of values and 2 of groups"),
        ([np.nan], [2], {}, "no finite number among its 1 values"),
        ([-1.0], [2], {"log": True}, "none of the 1 rows has both a value above 0 and"),
        ([1.0], [None], {}, "none of the 1 rows has both a value and"),
    ],
)
def test_bad_input_is_named(values, groups, options, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_by_symmetry(values, groups, **options)
    assert pyplot.get_fignums() == []


def test_wrong_numbers_are_errors():
    with pytest.raises(SpaceGroupError):
        plot_by_symmetry([1.0], [231])
