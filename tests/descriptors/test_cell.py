"""CellDescriptors against other libraries, the mathematics, and scikit-learn's contract."""

import pickle

import gemmi
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml._schema import CELL_COLUMNS
from crystalml.crystallography import BRAVAIS_LATTICES
from crystalml.descriptors import CellDescriptors
from crystalml.exceptions import CellError, InvalidInputError, SchemaError

CELLS = np.array(
    [
        [5.64, 5.64, 5.64, 90.0, 90.0, 90.0],  # halite
        [4.913, 4.913, 5.405, 90.0, 90.0, 120.0],  # quartz
        [8.61, 12.99, 7.19, 90.0, 116.1, 90.0],  # orthoclase
        [8.15, 12.87, 14.17, 93.2, 115.8, 91.2],  # anorthite
    ]
)
INVARIANT_GROUPS = ["volume", "niggli", "metric_symmetry"]
SCALE_FREE = [
    "cosines",
    "ratios",
    "shape_factor",
    "angle_deviations",
    "niggli_cosines",
    "niggli_ratios",
    "niggli_shape_factor",
    "metric_symmetry",
]


def describe(cells, *features, **parameters):
    return CellDescriptors(list(features) or "default", **parameters).fit_transform(cells)


# --- values ---------------------------------------------------------------------------------


def test_values_follow_their_definitions():
    a, b, c, alpha, beta, gamma = CELLS.T
    table = CellDescriptors().set_output(transform="pandas").fit_transform(CELLS)
    assert_array_equal(table[list(CELL_COLUMNS)], CELLS)
    assert_allclose(table["cos_beta"], np.cos(np.radians(beta)), atol=1e-15)
    assert_allclose(table["edge_product"], a * b * c)
    assert_allclose(table["anisotropy"], abs(a - c) / (a + c))
    assert_allclose(table["b_over_a"], b / a)
    assert_allclose(table["c_over_a"], c / a)
    assert_allclose(table["c_over_b"], c / b)
    assert_allclose(table["alpha_deviation"], abs(alpha - 90))
    assert_allclose(table["gamma_deviation"], abs(gamma - 90))
    assert_allclose(table["shape_factor"] * table["v_formula"], a * b * c)
    assert_allclose(table["inverse_volume"] * table["v_formula"], 1.0)


def test_right_angles_have_exact_cosines_and_deviations():
    cubic = describe(CELLS[:1], "cosines", "angle_deviations", "shape_factor")
    assert_array_equal(cubic, [[0, 0, 0, 0, 0, 0, 1]])


def test_volume_and_niggli_cell_equal_other_libraries():
    lattice = pytest.importorskip("pymatgen.core").Lattice
    volumes = [lattice.from_parameters(*cell).volume for cell in CELLS]
    assert_allclose(describe(CELLS, "v_formula")[:, 0], volumes, rtol=1e-12)
    reduced = []
    for cell in CELLS:
        vector = gemmi.GruberVector(gemmi.UnitCell(*cell), "P", False)
        vector.niggli_reduce()
        reduced.append(vector.cell_parameters())
    assert_allclose(describe(CELLS, "niggli_parameters"), reduced, atol=1e-6)


def test_distances_see_the_lattice_of_known_minerals():
    table = CellDescriptors("metric_symmetry").set_output(transform="pandas").fit_transform(CELLS)
    assert list(table) == [f"distance_{symbol}" for symbol in BRAVAIS_LATTICES]
    exact = table.lt(1e-7)
    assert exact.loc[0, ["distance_aP", "distance_oP", "distance_tP", "distance_cP"]].all()
    assert exact.loc[1, ["distance_hP", "distance_mP", "distance_oS"]].all()
    assert not exact.loc[1, ["distance_cP", "distance_tP"]].any()
    assert exact.loc[2, "distance_mP"]
    assert not exact.loc[2, ["distance_oP", "distance_hR"]].any()
    assert exact.loc[3].sum() == 1


def test_a_measured_volume_is_used_where_given():
    measured = np.array([200.0, np.nan, 700.0, 1300.0])
    names = ["shape_factor", "inverse_volume", "niggli_shape_factor", "v_formula"]
    with_volume = describe(np.column_stack([CELLS, measured]), *names)
    without = describe(CELLS, *names)
    assert_array_equal(with_volume[1], without[1])
    assert_allclose(with_volume[[0, 2, 3], 1], 1 / measured[[0, 2, 3]])
    assert_allclose(with_volume[0, 0], 5.64**3 / 200.0)
    assert_allclose(with_volume[0, 2], 5.64**3 / 200.0)
    assert_array_equal(with_volume[:, 3], without[:, 3])


def test_rows_do_not_depend_on_their_neighbours_nor_on_the_chunks():
    many = np.tile(CELLS, (5000, 1))
    names = ["parameters", "shape", "niggli_parameters"]
    once = describe(CELLS, *names)
    assert_array_equal(describe(many, *names), np.tile(once, (5000, 1)))


# --- invariances ----------------------------------------------------------------------------

lengths = st.floats(2.0, 30.0)
angles = st.floats(65.0, 115.0)  # any three of these enclose a volume
cells = st.tuples(lengths, lengths, lengths, angles, angles, angles).map(
    lambda numbers: np.array([numbers])
)
unimodular = st.lists(
    st.tuples(
        st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]), st.integers(-1, 1)
    ),
    max_size=3,
)


@settings(max_examples=60)
@given(cell=cells, factor=st.floats(0.2, 5.0))
def test_scaling_a_cell_leaves_its_shape_alone(cell, factor):
    scaled = cell * [factor, factor, factor, 1, 1, 1]
    assert_allclose(describe(scaled, *SCALE_FREE), describe(cell, *SCALE_FREE), atol=1e-6)


@settings(max_examples=60)
@given(cell=cells, order=st.permutations(range(3)))
def test_naming_the_axes_otherwise_leaves_the_lattice_alone(cell, order):
    renamed = np.hstack([cell[:, order], cell[:, 3:][:, order]])
    first, second = (describe(x, *INVARIANT_GROUPS) for x in (cell, renamed))
    assert_allclose(second, first, rtol=1e-6, atol=1e-5)


@settings(max_examples=60)
@given(cell=cells, shears=unimodular)
def test_another_cell_of_the_same_lattice_leaves_the_lattice_alone(cell, shears):
    matrix = np.eye(3)
    for (row, column), times in shears:
        matrix[row] += times * matrix[column]
    vectors = gemmi.UnitCell(*cell[0]).orth.mat.tolist()
    other = gemmi_cell(matrix @ np.transpose(vectors))
    first, second = (describe(x, *INVARIANT_GROUPS) for x in (cell, other))
    assert_allclose(second, first, rtol=1e-5, atol=1e-4)


def gemmi_cell(vectors):
    """Six parameters of three row vectors, by scalar products."""
    norms = np.linalg.norm(vectors, axis=1)
    cosines = [vectors[j] @ vectors[k] / (norms[j] * norms[k]) for j, k in ((1, 2), (0, 2), (0, 1))]
    return np.concatenate([norms, np.degrees(np.arccos(cosines))])[None]


def test_the_groups_that_are_not_invariant_do_depend_on_the_setting():
    renamed = CELLS[:, [2, 0, 1, 5, 3, 4]]
    for group in ("parameters", "cosines", "ratios", "angle_deviations"):
        assert not np.allclose(describe(renamed, group), describe(CELLS, group))


# --- selection ------------------------------------------------------------------------------


def test_groups_and_single_names_mix_in_the_given_order_without_repetition():
    mixed = CellDescriptors(["v_formula", "cosines", "cos_beta", "a"])
    names = ["v_formula", "cos_alpha", "cos_beta", "cos_gamma", "a"]
    assert mixed.get_feature_names_out().tolist() == names
    block = mixed.fit_transform(CELLS)
    everything = CellDescriptors().set_output(transform="pandas").fit_transform(CELLS)
    assert_array_equal(block, everything[names])


def test_names_are_unique_and_every_group_is_part_of_the_default():
    names = CellDescriptors().get_feature_names_out().tolist()
    assert len(set(names)) == len(names)
    for group in ("niggli", "metric_symmetry", "shape", "niggli_angle_deviations"):
        assert set(CellDescriptors(group).get_feature_names_out()) < set(names)


@pytest.mark.parametrize(
    ("features", "hint"), [("cosine", "'cosines'"), (["a", "b_over_c"], "'b_over_a'")]
)
def test_an_unknown_name_gets_close_matches_and_what_is_allowed(features, hint):
    with pytest.raises(InvalidInputError, match=r"CellDescriptors: features has no") as caught:
        CellDescriptors(features).fit(CELLS)
    assert hint in str(caught.value)
    assert "Groups: parameters, cosines" in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"features": []}, "features is empty"),
        ({"features": [1]}, "features has no 1"),
        ({"on_error": "ignore"}, "'on_error' parameter of CellDescriptors .* Got 'ignore'"),
    ],
)
def test_other_wrong_parameters_are_refused_in_fit(parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        CellDescriptors(**parameters).fit(CELLS)


# --- tables and arrays ----------------------------------------------------------------------


def schema_table(**extra):
    table = pd.DataFrame(CELLS[:, ::-1], columns=list(CELL_COLUMNS[::-1]))
    return table.assign(formula="NaN", **extra)


def test_the_columns_of_a_table_are_picked_by_name():
    transformer = CellDescriptors().fit(schema_table(volume=[180.0, np.nan, 670.0, 1340.0]))
    assert transformer.feature_names_in_.tolist() == [*CELL_COLUMNS, "volume"]
    assert transformer.n_features_in_ == 7
    other_columns = schema_table(z=1, volume=np.nan).iloc[:, ::-1]
    assert_array_equal(transformer.transform(other_columns), describe(CELLS))


def test_the_volume_column_is_the_users_choice():
    table = schema_table(volume=100.0, V=200.0)
    inverse = {
        volume: describe(table, "inverse_volume", volume=volume)[0, 0]
        for volume in (None, "V", list(table).index("V"), False)
    }
    assert list(inverse.values()) == pytest.approx([0.01, 0.005, 0.005, 1 / 5.64**3])
    wide = np.column_stack([CELLS, np.zeros(4), np.full(4, 50.0)])
    assert describe(wide, "inverse_volume", volume=7)[0, 0] == 0.02
    for volume in ("W", 99, True):
        with pytest.raises(SchemaError, match=r"volume=.* is no column of the table"):
            describe(table, volume=volume)


def test_tables_without_the_names_of_the_schema_count_by_position():
    renamed = pd.DataFrame(CELLS, columns=[f"cell__{name}" for name in CELL_COLUMNS])
    assert_array_equal(describe(renamed), describe(CELLS))
    assert_array_equal(describe(CELLS.tolist()), describe(CELLS))


@pytest.mark.parametrize("width", [1, 5, 8])
def test_another_number_of_columns_is_refused(width):
    with pytest.raises(SchemaError, match=rf"X has {width} feature\(s\); give a table"):
        CellDescriptors().fit(np.full((3, width), 80.0))


def test_a_table_with_some_of_the_names_is_not_taken_by_position():
    table = schema_table(volume=100.0)[["a", "b", "c", "alpha", "beta", "volume"]]
    with pytest.raises(SchemaError, match="no column 'gamma'"):
        CellDescriptors().fit(table)


def test_text_that_is_no_number_is_refused_by_column_and_row():
    table = schema_table()
    as_text = table.assign(a=table["a"].astype(str))
    assert_array_equal(describe(as_text), describe(table))
    as_text.loc[2, "a"] = "8.61(2)"
    with pytest.raises(InvalidInputError, match=r"column 'a' holds text \(first: row 2, '8.61"):
        describe(as_text)


def test_polars_in_and_out_agrees_with_pandas():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame(schema_table())
    frame = CellDescriptors("shape").set_output(transform="polars").fit_transform(table)
    assert frame.columns == ["edge_product", "shape_factor"]
    assert_array_equal(frame.to_numpy(), describe(CELLS, "shape"))


def test_set_output_pandas_keeps_the_index_and_the_input():
    table = schema_table().set_index(pd.Index(list("wxyz")))
    before = table.copy()
    frame = CellDescriptors("default", on_error="nan").set_output(transform="pandas")
    out = frame.fit_transform(table)
    assert out.index.tolist() == list("wxyz")
    assert (out.dtypes == np.float64).all()
    pd.testing.assert_frame_equal(table, before)


def test_works_without_fit():
    assert_array_equal(CellDescriptors("a").transform(schema_table()), CELLS[:, :1])


# --- missing and impossible rows ------------------------------------------------------------

BAD = {
    "gamma is 190.0 degrees": [4.0, 4.0, 4.0, 90.0, 90.0, 190.0],
    "a is -1.0": [-1.0, 4.0, 4.0, 90.0, 90.0, 90.0],
    "enclose no volume": [4.0, 4.0, 4.0, 150.0, 150.0, 150.0],
    "missing values": [4.0, np.nan, 4.0, 90.0, 90.0, 90.0],
    "c is inf": [4.0, 4.0, np.inf, 90.0, 90.0, 90.0],
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_raises_one_sentence_that_shows_it(reason):
    rows = np.vstack([CELLS, BAD[reason]])
    with pytest.raises(CellError, match=r"CellDescriptors: 1 of 5 rows .*\(first: row 4") as caught:
        describe(rows)
    assert reason in str(caught.value)
    assert "on_error='nan'" in str(caught.value)


def test_bad_rows_become_nan_rows_on_request():
    rows = np.vstack([CELLS, *BAD.values()])
    block = describe(rows, on_error="nan")
    assert_array_equal(block[:4], describe(CELLS))
    assert np.isnan(block[4:]).all()
    filled = make_pipeline(CellDescriptors(on_error="nan"), SimpleImputer()).fit_transform(rows)
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("volume", [0.0, -3.0, np.inf])
def test_an_impossible_volume_is_a_bad_row(volume):
    rows = np.column_stack([CELLS, [volume, 100.0, 100.0, 100.0]])
    with pytest.raises(CellError, match=r"row 0, the volume is"):
        describe(rows)
    block = describe(rows, on_error="nan")
    assert_array_equal(np.isnan(block).all(axis=1), [True, False, False, False])


def test_nullable_columns_of_the_schema_are_understood():
    table = schema_table().astype(dict.fromkeys(CELL_COLUMNS, "Float64"))
    table.loc[2, "beta"] = pd.NA
    block = describe(table, on_error="nan")
    assert_array_equal(np.isnan(block).all(axis=1), [False, False, True, False])


# --- scikit-learn ---------------------------------------------------------------------------


class CellsFromAnything(CellDescriptors):
    """CellDescriptors that reads a cell into any matrix.

    scikit-learn's checks feed arbitrary matrices of one to ten columns, which are no cells.
    Only the reading of the validated matrix is replaced here: its columns are repeated up to
    six and squeezed into possible lengths and angles. Validation, names, output containers,
    state and all arithmetic are CellDescriptors' own.
    """

    def _cells_and_volumes(self, X, volume):
        columns = X[:, np.arange(6) % X.shape[1]]
        squeezed = expit(columns) * [6.0, 6.0, 6.0, 40.0, 40.0, 40.0] + [2.0, 3, 4, 70, 71, 72]
        cells = np.where(np.isfinite(columns), squeezed, columns)
        return super()._cells_and_volumes(cells, False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False  # since every number is squeezed
        return tags


@parametrize_with_checks([CellsFromAnything(), CellsFromAnything("shape", on_error="nan")])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


# Width of the matrices -> the checks that insist on matrices of this width. Each of them
# passes for CellsFromAnything above.
_CHECKS_BY_WIDTH = {
    2: (
        "check_estimators_overwrite_params check_estimators_fit_returns_self "
        "check_readonly_memmap_input check_fit_idempotent check_fit_check_is_fitted "
        "check_n_features_in"
    ),
    3: (
        "check_fit_score_takes_y check_dont_overwrite_parameters check_pipeline_consistency "
        "check_estimators_nan_inf check_estimators_pickle check_f_contiguous_array_estimator "
        "check_transformer_data_not_an_array check_transformer_general "
        "check_transformer_preserve_dtypes check_methods_sample_order_invariance "
        "check_methods_subset_invariance check_dict_unchanged check_fit2d_predict1d"
    ),
    4: "check_n_features_in_after_fitting check_positive_only_tag_during_fit",
    5: "check_estimators_dtypes check_transformers_unfitted_stateless",
    10: "check_dtype_object check_fit2d_1sample",
}
EXPECTED_FAILURES = {
    check: f"the check feeds matrices of {width} columns, and a cell has six or seven"
    for width, checks in _CHECKS_BY_WIDTH.items()
    for check in checks.split()
}


def expected_failures(estimator):
    return EXPECTED_FAILURES


@parametrize_with_checks([CellDescriptors()], expected_failed_checks=expected_failures)
def test_the_contract_where_its_matrices_can_be_cells(estimator, check):
    check(estimator)


def test_clone_and_pickle_keep_parameters_and_results():
    transformer = CellDescriptors(["shape"], volume=False, on_error="nan").fit(schema_table())
    assert clone(transformer).get_params() == transformer.get_params()
    copy = pickle.loads(pickle.dumps(transformer))
    assert_array_equal(copy.transform(schema_table()), transformer.transform(schema_table()))


def test_a_grid_search_chooses_groups_inside_a_pipeline():
    rows = np.tile(CELLS, (6, 1)) * np.linspace(0.99, 1.01, 24)[:, None] ** [1, 1, 1, 0, 0, 0]
    search = GridSearchCV(
        make_pipeline(CellDescriptors(), ExtraTreesClassifier(10, random_state=0)),
        {"celldescriptors__features": ["default", "niggli", ["a", "cosines"]]},
        cv=3,
    ).fit(rows, list("FRMT") * 6)
    assert search.best_score_ == 1.0


def test_column_transformer_and_function_transformer_around_it():
    table = schema_table(year=2020.0)
    both = ColumnTransformer(
        [
            (
                "cell",
                make_pipeline(
                    CellDescriptors("shape"),
                    FunctionTransformer(np.log, feature_names_out="one-to-one"),
                ),
                list(CELL_COLUMNS),
            ),
            ("rest", "passthrough", ["year"]),
        ]
    ).set_output(transform="pandas")
    out = both.fit_transform(table)
    assert list(out) == ["cell__edge_product", "cell__shape_factor", "rest__year"]
    assert_allclose(out["cell__edge_product"], np.log(CELLS[:, :3].prod(axis=1)))


# --- real data ------------------------------------------------------------------------------


def test_every_deposited_cell_has_finite_descriptors(shared_data):
    table = pd.read_csv(
        shared_data / "cod_cells.csv.gz", keep_default_na=False, na_values=[""]
    ).iloc[::10]
    block = CellDescriptors().set_output(transform="pandas").fit_transform(table)
    assert np.isfinite(block.to_numpy()).all()
    assert (block["distance_aP"] == 0).all()
    assert (block["shape_factor"] > 0.99).all()
