"""The ready classifier: what an answer depends on, what `fit` takes, files without LightGBM."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml import SpaceGroupClassifier, load, save
from crystalml.crystallography import (
    bravais_lattice,
    cell_from_metric,
    chemical_system,
    conventional_cell,
    metric_tensor,
    primitive_cell,
    spacegroup_symbol,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError, SchemaError
from crystalml.symmetry._input_tables import hexagonal_axes

pytest.importorskip("lightgbm")

CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
MEDIUM = {"n_trees": 15, "n_rounds": 25, "cv": 3, "random_state": 0}
QUICK = {"n_trees": 3, "n_rounds": 3, "cv": 2, "random_state": 0}
ELEMENTARY = [
    np.array(rows)
    for rows in (
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, -1], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], [1, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    )
]
lattice_changes = st.lists(st.integers(0, len(ELEMENTARY) - 1), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def cod():
    """Rows to learn from, their groups, rows of other chemical systems, their groups."""
    table, y = load_cod_inorganic(return_X_y=True)
    _, system = np.unique(chemical_system(table["formula"]), return_inverse=True)
    train, test = np.flatnonzero(system % 2 == 0)[::8], np.flatnonzero(system % 2)[::40]
    return table.iloc[train], y.iloc[train], table.iloc[test], y.iloc[test]


@pytest.fixture(scope="module")
def fitted(cod):
    return SpaceGroupClassifier(**MEDIUM).fit(*cod[:2])


@pytest.fixture(scope="module")
def by_formula(cod):
    return SpaceGroupClassifier("composition", **MEDIUM).fit(cod[0]["formula"], cod[1])


@pytest.fixture
def few(cod):
    """A few dozen rows, enough to run."""
    return cod[0][::20], cod[1][::20]


def on_other_axes(cells, steps):
    """Return cells on other basis vectors of the same lattice."""
    metrics = metric_tensor(np.asarray(cells, dtype=float))
    for step in steps:
        metrics = ELEMENTARY[step] @ metrics @ ELEMENTARY[step].T
    return cell_from_metric(metrics)


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@parametrize_with_checks(
    [SpaceGroupClassifier(**QUICK), SpaceGroupClassifier("composition", **QUICK)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_tags_keep_numbers_from_being_fed():
    tags = SpaceGroupClassifier().__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array


# What an answer is


def test_probabilities(fitted, cod):
    found = fitted.predict_proba(cod[2])
    assert found.shape == (len(cod[2]), len(fitted.classes_))
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    np.testing.assert_array_equal(fitted.predict(cod[2]), fitted.classes_[found.argmax(axis=1)])
    np.testing.assert_allclose(fitted.predict_log_proba(cod[2]), np.log(found))


def test_new_compounds_are_answered_better_than_by_counting(fitted, by_formula, cod):
    _, y, rows, true = cod
    most_frequent = (true == y.value_counts().index[0]).mean()
    assert by_formula.score(rows, true) > most_frequent + 0.08
    assert fitted.score(rows, true) > by_formula.score(rows, true) + 0.1


def test_unseen_groups_are_never_predicted(fitted, cod):
    seen = set(cod[1])
    assert set(fitted.classes_.tolist()) == seen
    assert set(cod[3]) - seen  # there are some
    assert set(fitted.predict(cod[2])) <= seen


# What an answer does not depend on


def test_answers_do_not_depend_on_the_other_rows(fitted, by_formula, cod):
    rows = cod[2]
    order = np.random.default_rng(0).permutation(len(rows))
    for model in (fitted, by_formula):
        together = model.predict_proba(rows)
        assert_same(model.predict_proba(rows.iloc[order]), together[order])
        for row in (0, 3, 50, 101):
            assert_same(model.predict_proba(rows.iloc[[row]]), together[[row]])


@given(scale=st.integers(1, 12))
@settings(max_examples=6)
def test_scale_of_the_formula_does_not_matter(fitted, by_formula, scale):
    names = [("Fe", 2, "O", 3), ("Na", 1, "N", 1), ("Ca", 1, "Ti", 1, "O", 3), ("La", 1.8, "Cu", 1)]
    cell = dict(zip(CELL, [5.1, 5.1, 13.8, 90, 90, 120], strict=True))
    tables = [
        pd.DataFrame(
            {
                "formula": [
                    "".join(f"{x}" if isinstance(x, str) else f"{n * x:g}" for x in name)
                    for name in names
                ]
            }
        ).assign(**cell)
        for n in (1, scale)
    ]
    for model in (fitted, by_formula):
        assert_same(*(model.predict_proba(table) for table in tables))


@given(steps=lattice_changes)
@settings(max_examples=10)
def test_order_of_axes_and_choice_of_cell_do_not_matter(fitted, cod, steps):
    rows = cod[2].iloc[::3]
    # Rhombohedral axes are the one primitive cell that is taken for what it is.
    rows = rows[~hexagonal_axes(rows[CELL].to_numpy())[1]]
    changed = rows.copy()
    changed[CELL] = on_other_axes(rows[CELL], steps)
    assert_same(fitted.predict_proba(changed), fitted.predict_proba(rows))


def test_standard_settings_of_monoclinic_cells_are_the_same(fitted):
    """C 1 2/c 1, A 1 2/n 1 and I 1 2/a 1 describe one structure, with any unique axis."""
    a, b, c, beta = 9.75, 8.97, 5.28, 105.9
    changes = {"C": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "A": [[0, 0, 1], [0, -1, 0], [1, 0, 0]],
               "I": [[-1, 0, -1], [0, -1, 0], [0, 0, 1]],
               "unique c": [[0, 0, 1], [1, 0, 0], [0, 1, 0]]}  # fmt: skip
    metric = metric_tensor([a, b, c, 90, beta, 90])
    cells = [cell_from_metric(np.array(m) @ metric @ np.array(m).T) for m in changes.values()]
    found = fitted.predict_proba(pd.DataFrame(cells, columns=CELL).assign(formula="CaMgSi2O6"))
    for other in found[1:]:
        assert_same(other, found[0])


def test_rhombohedral_and_hexagonal_axes_are_the_same(fitted):
    cells = np.array([[4.99, 4.99, 17.06, 90, 90, 120], [4.76, 4.76, 12.99, 90, 90, 120]])
    table = pd.DataFrame(cells, columns=CELL).assign(formula=["CaCO3", "Al2O3"])
    other = table.copy()
    other[CELL] = primitive_cell(cells, "R")
    assert_same(fitted.predict_proba(other), fitted.predict_proba(table))


@given(steps=lattice_changes)
@settings(max_examples=5)
def test_primitive_cells_are_answered_as_conventional_ones(fitted, cod, steps):
    rows, numbers = cod[2].iloc[::2], cod[3].iloc[::2].to_numpy()
    letters = np.array([symbol[0] for symbol in spacegroup_symbol(numbers)])
    # Where the metric is more symmetric than the crystal, another centring is found.
    _, metric = conventional_cell(rows[CELL].to_numpy(), centring=letters)
    plain = metric == bravais_lattice(numbers)
    assert len(set(metric[plain])) > 8
    rows = rows[plain]
    primitive = rows.copy()
    primitive[CELL] = on_other_axes(primitive_cell(rows[CELL].to_numpy(), letters[plain]), steps)
    model = clone(fitted).set_params(setting="primitive")
    model.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    assert_same(model.predict_proba(primitive), fitted.predict_proba(rows))


def test_standard_uncertainties(fitted, cod):
    rows = cod[2].head(40)
    plain = fitted.predict_proba(rows)
    # Missing ones and those of a refinement change nothing.
    su = {f"{name}_su": np.nan for name in CELL}
    assert_same(fitted.predict_proba(rows.assign(**su)), plain)
    assert_same(fitted.predict_proba(rows.assign(**su | {"a_su": 2e-4})), plain)
    # Large ones do, in their own rows, always alike.
    su = rows["a"].where(np.arange(40) % 2 == 0) * 0.02
    found = fitted.predict_proba(rows.assign(a_su=su))
    assert_same(found[1::2], plain[1::2])
    assert np.abs(found[::2] - plain[::2]).max() > 0.01
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert_same(fitted.predict_proba(rows.assign(a_su=su)), found)
    assert_same(fitted.predict_proba(rows.assign(a_su=su).iloc[[4]]), found[[4]])


def test_formulas_of_all_kinds(by_formula):
    formulas = ["NaN", "OgTs", "D2O", "Fe0.9O", "La1.85Sr0.15CuO4", "H", "Al2(SO4)3"]
    found = by_formula.predict_proba(formulas)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert_same(found[2], by_formula.predict_proba(["H2O"])[0])


# What `fit` takes


@pytest.mark.parametrize(
    "inputs", ["composition+cell", "composition+cell+atoms", "composition", "cell"]
)
@pytest.mark.parametrize("n_rows", [2, 3, 7])
def test_tables_of_a_few_rows(cod, inputs, n_rows):
    rows, y = cod[0].iloc[: 30 * n_rows : 30], np.arange(1, n_rows + 1)
    model = SpaceGroupClassifier(inputs, **QUICK).fit(rows, y)
    found = model.predict_proba(cod[2].head(5))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    evidence, _ = model.explain(cod[2].head(5), k=2)
    assert len(evidence) == 10


def test_single_elements(cod):
    elements = pd.DataFrame({"formula": ["Fe", "Cu", "Si", "Na", "W", "Ag"]})
    elements = elements.assign(**dict(zip(CELL, [3, 3, 3, 90, 90, 90], strict=True)))
    model = SpaceGroupClassifier(**QUICK).fit(elements, [229, 225, 227, 229, 229, 225])
    assert set(model.predict(elements)) <= {225, 227, 229}


@pytest.mark.parametrize("labels", [str, float, "Int64", "category", object])
def test_labels_of_any_type(few, labels):
    X, y = few
    model = SpaceGroupClassifier(**QUICK).fit(X, y.astype(labels))
    assert sorted(model.numbers_) == sorted(set(y))
    found = model.predict(X)
    assert isinstance(found[0], str if labels is str else np.integer)
    ranked = model.rank(X.head(1), k=1)
    assert ranked["spacegroup_number"].iloc[0] == int(found[0])
    expected = SpaceGroupClassifier(**QUICK).fit(X, y)
    if labels is not str:
        assert_same(model.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y * 0, "label 0 is no space-group number from 1 to 230. Turn symbols into"),
        (lambda y: y + 0.5, r"label \d+\.5 is no space-group number"),
        (lambda y: ["P 1"] * len(y), "label 'P 1' is no space-group number"),
        (lambda y: [62] * len(y), "only one class, the space group 62"),
        (lambda y: [None, *y[1:]], r"y has 1 missing labels \(first: row 0\)"),
        (lambda y: [*y[:-1], np.nan], "y has 1 missing labels"),
    ],
)
def test_labels_that_are_no_space_groups(few, change, message):
    with pytest.raises(InvalidInputError, match=f"SpaceGroupClassifier: .*{message}"):
        SpaceGroupClassifier(**QUICK).fit(few[0], change(few[1]))


def test_rows_of_weight_zero_are_left_out(few):
    X, y = few
    weight = np.arange(len(y)) % 3
    model = SpaceGroupClassifier(**QUICK).fit(X, y, sample_weight=weight)
    kept = weight > 0
    other = SpaceGroupClassifier(**QUICK).fit(X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(model.classes_, np.unique(y[kept]))
    assert_same(model.predict_proba(X), other.predict_proba(X))
    equal = SpaceGroupClassifier(**QUICK).fit(X[kept], y[kept])
    assert np.abs(equal.predict_proba(X) - other.predict_proba(X)).max() > 1e-3


def test_groups(few):
    X, y = few
    default = SpaceGroupClassifier(**QUICK).fit(X, y)
    same = SpaceGroupClassifier(**QUICK).fit(X, y, groups=chemical_system(X["formula"].tolist()))
    assert_same(same.predict_proba(X), default.predict_proba(X))
    with pytest.raises(InvalidInputError, match=r"all .* rows are of one group"):
        SpaceGroupClassifier(**QUICK).fit(X, y, groups=np.zeros(len(X)))
    with pytest.raises(InvalidInputError, match="groups has 1 missing labels"):
        SpaceGroupClassifier(**QUICK).fit(X, y, groups=[None, *range(len(X) - 1)])


def test_atoms_in_the_cell(few):
    X, y = few
    model = SpaceGroupClassifier("composition+cell+atoms", **QUICK).fit(X, y)
    partly = X.assign(n_atoms=X["n_atoms"].where(np.arange(len(X)) % 2 == 0))
    found = model.predict_proba(partly)
    assert_same(found[::2], model.predict_proba(X)[::2])
    assert np.isfinite(found).all()
    with pytest.raises(SchemaError, match="neither n_atoms"):
        model.predict(X.drop(columns="n_atoms"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"inputs": "formula"}, "'inputs' parameter of SpaceGroupClassifier must be a str among"),
        ({"setting": "reduced"}, "'setting' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter"),
        ({"n_trees": 0}, "'n_trees' parameter"),
    ],
)
def test_parameters_are_checked(few, parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        SpaceGroupClassifier(**parameters).fit(*few)


def test_columns_are_remembered(few):
    X, y = few
    model = SpaceGroupClassifier("cell", **QUICK).fit(X, y)
    assert model.feature_names_in_.tolist() == CELL
    model.fit(X[CELL].to_numpy(), y)
    assert model.n_features_in_ == 6
    assert not hasattr(model, "feature_names_in_")


# The ways of scikit-learn


def test_same_seed_same_answers_whatever_the_number_of_threads(few):
    X, y = few
    expected = SpaceGroupClassifier(**QUICK).fit(X, y).predict_proba(X)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one must not be touched
    found = SpaceGroupClassifier(**QUICK, n_jobs=2).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(found, expected)
    SpaceGroupClassifier(**QUICK | {"random_state": None}).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_search_pipeline_clone_and_pickle(few):
    X, y = few
    search = GridSearchCV(
        SpaceGroupClassifier(**QUICK), {"n_candidates": [20, 40]}, cv=KFold(2), error_score="raise"
    )
    assert search.fit(X, y).best_params_["n_candidates"] in (20, 40)
    line = make_pipeline(FunctionTransformer(), SpaceGroupClassifier(**QUICK)).fit(X, y)
    expected = line.predict_proba(X)
    assert_same(pickle.loads(pickle.dumps(line)).predict_proba(X), expected)
    assert_same(clone(line).fit(X, y).predict_proba(X), expected)


def test_progress_reaches_its_end(few, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SpaceGroupClassifier(**QUICK, progress=True).fit(*few)
    assert "100%" in capsys.readouterr().err


# Files

READ = """
import sys
sys.modules["lightgbm"] = None  # importing it raises ImportError
import numpy as np, pandas as pd
from crystalml import load
model, rows = load(sys.argv[1]), pd.read_pickle(sys.argv[2])
np.save(sys.argv[3], model.predict_proba(rows))
model.rank(rows, allowed="oP"), model.explain(rows)
print([name for name in ("torch", "pymatgen", "matminer", "sklearn") if name in sys.modules])
"""


def test_file_needs_neither_lightgbm_nor_other_libraries(fitted, cod, tmp_path):
    rows = cod[2].head(20)
    model_file, rows_file, found_file = (tmp_path / name for name in ("m.cml", "r.pkl", "p.npy"))
    save(fitted, model_file)
    assert model_file.stat().st_size < 4e6
    rows.to_pickle(rows_file)
    ran = subprocess.run(
        [sys.executable, "-c", READ, model_file, rows_file, found_file],
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.strip() == "['sklearn']"
    np.testing.assert_array_equal(np.load(found_file), fitted.predict_proba(rows))


def test_file_keeps_everything(fitted, cod, tmp_path):
    save(fitted, tmp_path / "model.cml")
    again = load(tmp_path / "model.cml")
    rows = cod[2].head(9)
    for one, other in zip(again.explain(rows), fitted.explain(rows), strict=True):
        pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert [s.tolist() for s in again.predict_set(rows)] == [
        s.tolist() for s in fitted.predict_set(rows)
    ]
    assert again.get_params() == fitted.get_params()
