"""Cells in a wrong unit are found, with the unit that fits; published cells raise no alarm."""

import numpy as np
import pandas as pd
import pytest

from crystalml import SpaceGroupClassifier
from crystalml.crystallography import cell_problems, parse_formulas
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CellError, ImplausibleCellWarning
from crystalml.symmetry._implausible_cells import Doubt, complaint_about_cells, doubts_about_cells

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
HALITE = np.array([[5.64, 5.64, 5.64, 90.0, 90.0, 90.0]])
MISTAKES = {
    Doubt.NANOMETRES: lambda cells: np.hstack([cells[:, :3] / 10, cells[:, 3:]]),
    Doubt.PICOMETRES: lambda cells: np.hstack([cells[:, :3] * 100, cells[:, 3:]]),
    Doubt.RADIANS: lambda cells: np.hstack([cells[:, :3], np.radians(cells[:, 3:])]),
    Doubt.EXCHANGED: lambda cells: cells[:, [3, 4, 5, 0, 1, 2]],
}


def amounts_of(formulas):
    return parse_formulas(formulas).amounts


@pytest.fixture(scope="module")
def published():
    """Formulas and cells of the packaged entries."""
    table = load_cod_inorganic(subset="all").frame
    return table["formula"].tolist(), table[CELL].to_numpy(float)


def test_published_cells_raise_no_alarm(published):
    formulas, cells = published
    doubts = doubts_about_cells(cells, amounts_of(formulas))
    # These formulas are wrong; none is that of the compound.
    assert {"NiCl12", "ZnCl12", "Ti9N3.87"} < {formulas[row] for row in np.flatnonzero(doubts)}
    assert np.count_nonzero(doubts) <= 12
    assert not doubts_about_cells(cells).any()


@pytest.mark.parametrize("name", ["cod_inorganic_more", "cod_organic", "amcsd_structures"])
def test_other_published_cells_raise_none_at_all(shared_data, name):
    path = shared_data / f"{name}.csv.gz"
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
    formulas = parse_formulas(table["formula"].tolist(), on_error="report")
    cells = table[CELL].to_numpy(float)
    readable = [a is None and b is None for a, b in
                zip(formulas.errors, cell_problems(cells), strict=True)]  # fmt: skip
    rows = np.flatnonzero(readable)
    assert len(rows) >= len(table) - 1
    assert not doubts_about_cells(cells[rows], formulas.amounts[rows]).any()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_planted_mistakes_are_found_and_named(published, mistake):
    formulas, cells = published
    changed = MISTAKES[mistake](cells)
    # Some exchanged cells are no cells; they are refused elsewhere.
    possible = np.flatnonzero(cell_problems(changed) == None)  # noqa: E711
    doubts = doubts_about_cells(changed[possible], amounts_of(formulas)[possible])
    assert np.mean(doubts > 0) > 0.995
    assert np.mean(doubts == mistake) > 0.98
    alone = doubts_about_cells(changed[possible])
    assert np.mean(alone > 0) > 0.99


def test_the_formula_must_fit_into_the_cell_once():
    cells = np.repeat(HALITE, 4, axis=0)
    amounts = amounts_of(["NaCl", "C60H60O60", "Na16Cl16", "C17H35NaO2Cl8Br12"])
    # Contents of a conventional cell beside a primitive one are a matter of scale, not of units.
    assert doubts_about_cells(cells, amounts).tolist() == [0, Doubt.TOO_SMALL, 0, Doubt.TOO_SMALL]


def test_elements_without_a_known_volume_and_empty_tables():
    assert doubts_about_cells(HALITE, amounts_of(["EsCl"])).tolist() == [0]
    assert doubts_about_cells(HALITE[:0], amounts_of([])).tolist() == []
    assert doubts_about_cells(HALITE[:0]).tolist() == []


def test_cells_that_no_unit_explains():
    cells = np.vstack([HALITE / [1e4, 1e4, 1e4, 1, 1, 1], HALITE * [1e9, 1e9, 1e9, 1, 1, 1]])
    doubts = doubts_about_cells(cells, amounts_of(["NaCl", "NaCl"]))
    assert doubts.tolist() == [Doubt.TOO_SMALL, Doubt.TOO_LARGE]


def test_complaint_names_the_first_and_counts_the_kinds():
    cells = np.vstack([HALITE, *(MISTAKES[kind](HALITE) for kind in MISTAKES)])
    formulas = ["NaCl"] * 5
    amounts = amounts_of(formulas)
    doubts = doubts_about_cells(cells, amounts)
    assert doubts.tolist() == [0, *MISTAKES]
    names = [f"row {row}" for row in range(5)]
    said = complaint_about_cells(doubts, cells, amounts, names, formulas)
    assert said.startswith("4 of 5 cells cannot be right (first: row 1, 0.179 Å^3 for NaCl, whose")
    assert "in nm would fit: give them in Å, multiplied by 10 (1 of them)." in said
    last = complaint_about_cells(doubts[3:4], cells[3:4], amounts[3:4], ["x.cif"], formulas)
    assert "(first: x.cif, 5.64 5.64 5.64 1.5708 1.5708 1.5708)" in last
    assert complaint_about_cells(doubts[:1], HALITE, amounts[:1], names, formulas) is None


# Through the classifier

SMALL = {"n_trees": 5, "n_rounds": 5, "cv": 3, "random_state": 0}


def rows(*cells, **columns):
    return [{"formula": "NaCl", **dict(zip(CELL, cell, strict=True)), **columns} for cell in cells]


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("lightgbm")
    pytest.importorskip("matminer")
    table, y = load_cod_inorganic(return_X_y=True)
    return SpaceGroupClassifier(**SMALL).fit(table[::40], y[::40])


@pytest.mark.parametrize(
    "method", ["rank", "explain", "predict", "predict_proba", "predict_set", "unfamiliarity"]
)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_answer_warns_once(model, method, mistake):
    wrong = MISTAKES[mistake](HALITE)[0]
    with pytest.warns(ImplausibleCellWarning, match=r"2 of 3 cells .*first: row 1") as said:
        getattr(model, method)(rows(HALITE[0], wrong, wrong))
    assert len(said) == 1
    assert said[0].filename == __file__


def test_exchanged_cells_that_are_no_cells_are_refused_with_a_word(model):
    exchanged = (90.0, 90.0, 90.0, 3.1, 3.1, 12.9)
    with pytest.raises(CellError, match=r"enclose no volume.*seem to be exchanged: a, b, c are"):
        model.rank(rows(exchanged))
    with pytest.raises(CellError, match=r"or drop these rows\.$"):
        model.rank(rows((5.0, 5.0, 5.0, 90.0, 90.0, 190.0)))


def test_fitting_says_nothing_and_good_rows_neither(model):
    table, y = load_cod_inorganic(return_X_y=True)
    some, labels = table[::60].copy(), y[::60]
    some.iloc[0, [some.columns.get_loc(name) for name in "abc"]] /= 10
    SpaceGroupClassifier(**SMALL).fit(some, labels)
    model.predict_proba(some.iloc[1:50])


def test_a_classifier_of_cells_alone_warns_too():
    pytest.importorskip("lightgbm")
    table, y = load_cod_inorganic(return_X_y=True)
    alone = SpaceGroupClassifier("cell", **SMALL).fit(table[::40], y[::40])
    with pytest.warns(ImplausibleCellWarning, match="nm would fit"):
        alone.rank(HALITE / [10, 10, 10, 1, 1, 1])
