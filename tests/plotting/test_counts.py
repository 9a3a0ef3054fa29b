import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from crystalml.crystallography import parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.plotting import plot_element_counts, plot_most_frequent


def names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_elements_are_counted_once_per_formula():
    formulas = load_cod_inorganic().data["formula"].head(500)
    ax = plot_element_counts(formulas, n_elements=12)
    sets = [set(row) for row in parse_formulas(formulas).to_dicts()]
    counts = {
        bar: int(patch.get_height()) for bar, patch in zip(names(ax.xaxis), ax.patches, strict=True)
    }
    assert len(counts) == 12
    assert counts == {e: sum(e in row for row in sets) for e in counts}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert ax.get_xlabel() == f"element (12 of {len(set().union(*sets))})"
    assert ax.get_ylabel() == "formulas with the element (of 500)"


def test_formulas_that_cannot_be_read_are_counted_and_nitride_is_not_missing():
    ax = plot_element_counts(["NaN", None, "Xx", "NaCl"])
    assert names(ax.xaxis) == ["Na", "N", "Cl"]
    assert ax.get_ylabel() == "formulas with the element (of 2; 2 not readable)"


def test_space_groups_are_shown_by_symbol_and_number():
    y = load_cod_inorganic().target
    ax = plot_most_frequent(y, n_values=4)
    counts = y.value_counts()
    assert [patch.get_width() for patch in ax.patches] == counts.iloc[:4].to_list()
    assert names(ax.yaxis)[0] == "$P2_{1}/c$ (14)"
    assert ax.texts[0].get_text() == f"{counts[14]:,} ({counts[14] / len(y):.1%})"
    assert ax.get_xlabel() == f"entries (of {len(y):,} with {y.nunique()} space groups)"
    assert ax.get_ylabel() == "space group"
    assert ax.yaxis_inverted()


def test_formulas_are_typeset_and_nitride_counts():
    ax = plot_most_frequent(["NaN", "NaN", "Ca0.5Sr0.5TiO3", None, np.nan], kind="formula")
    assert names(ax.yaxis) == ["NaN", "Ca$_{0.5}$Sr$_{0.5}$TiO$_{3}$"]
    assert ax.get_xlabel() == "entries (of 3 with 2 formulas; 2 without one left out)"
    ax.figure.canvas.draw()


def test_hall_symbols_and_labels_stay_as_they_are():
    halls = ["-P 2ybc", "-P 2ybc", '-R 3 2"']
    ax = plot_most_frequent(halls, kind="hall_symbol")
    assert names(ax.yaxis) == ["-P 2ybc", '-R 3 2"']
    assert ax.get_ylabel() == "Hall symbol"
    ax = plot_most_frequent(["$x_$", "cP"], kind="label")
    ax.figure.canvas.draw()
    assert names(ax.yaxis) == [r"\$x_\$", "cP"]


def test_small_shares_keep_their_digits_and_nullable_numbers_work():
    values = pd.Series([225] * 999 + [14, None], dtype="Int64")
    ax = plot_most_frequent(values)
    assert [text.get_text() for text in ax.texts] == ["999 (99.9%)", "1 (0.10%)"]


@pytest.mark.parametrize(
    ("plot", "values"), [(plot_most_frequent, [2, 14]), (plot_element_counts, ["NaCl"])]
)
def test_they_draw_where_they_are_told(plot, values):
    _, ax = pyplot.subplots()
    assert plot(values, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named():
    with pytest.raises(InvalidInputError, match=r"kind must be one of .*, got 'hall'"):
        plot_most_frequent([1], kind="hall")
    with pytest.raises(InvalidInputError, match="all of the 2 values are missing"):
        plot_most_frequent([None, np.nan])
    with pytest.raises(InvalidInputError, match="n_values must be at least 1, got 0"):
        plot_most_frequent([1], n_values=0)
    with pytest.raises(InvalidInputError, match="n_elements must be at least 1, got -1"):
        plot_element_counts(["NaCl"], n_elements=-1)
    with pytest.raises(InvalidInputError, match="none of the 1 formulas can be read"):
        plot_element_counts(["?"])
    with pytest.raises(SpaceGroupError):
        plot_most_frequent([231])
