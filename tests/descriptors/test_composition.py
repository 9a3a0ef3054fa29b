"""CompositionDescriptors: equal to matminer, kind to its users, at home in scikit-learn."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.crystallography import ELEMENTS, parse_formulas
from crystalml.descriptors import CompositionDescriptors
from crystalml.descriptors._composition_features import build_families
from crystalml.descriptors._elemental import (
    common_oxidation_states,
    electronegativities,
    elemental_table,
)
from crystalml.exceptions import FormulaError, InvalidInputError, SchemaError

matminer = pytest.importorskip("matminer.featurizers.composition")
pymatgen = pytest.importorskip("pymatgen.core")

FORMULAS = [
    "NaN",  # sodium nitride
    "Fe3O4",  # neutral only with two states of iron
    "NaCl",
    "Si",
    "He",
    "XeF2",
    "KAl3Si3O12H2",
    "La1.85Sr0.15CuO4",
    "C6H12O6",
    "PuO2",
    "Cf2O3",
    "Ca10(PO4)6(OH)2",
    "CoNiCrFeMn",
    "YBa2Cu3O6.93",
    "C8H7ClBr0.5I0.5S2SeTeN3O",  # more combinations of states than are enumerated
]


def ward2016(**options):
    """The featurizers that give the 145 descriptors."""
    base = pytest.importorskip("matminer.featurizers.base")
    return base.MultipleFeaturizer(
        [
            matminer.Stoichiometry(),
            matminer.ElementProperty.from_preset("magpie", **options),
            matminer.ValenceOrbital(props=["frac"], **options),
            matminer.IonProperty(fast=True, **options),
        ]
    )


FEATURIZERS = {
    "ward2016": ward2016,
    "stoichiometry": lambda **_: matminer.Stoichiometry(),
    "valence_orbitals": lambda **options: matminer.ValenceOrbital(props=["frac"], **options),
    "valence_orbital_averages": lambda **options: matminer.ValenceOrbital(props=["avg"], **options),
    "ionic_character": lambda **options: matminer.IonProperty(fast=True, **options),
    "element_fractions": lambda **_: matminer.ElementFraction(),
    **{
        name: lambda name=name, **options: matminer.ElementProperty.from_preset(name, **options)
        for name in ("magpie", "deml", "matminer", "megnet_el", "matscholar_el")
    },
}


def by_matminer(featurizer, formulas):
    """Descriptors of matminer, with a row of NaN where it knows no data of an element."""
    width = len(featurizer.feature_labels())
    rows = []
    for formula in formulas:
        try:
            rows.append(featurizer.featurize(pymatgen.Composition(formula)))
        except KeyError:
            rows.append([np.nan] * width)
    return np.array(rows, dtype=float)


def comparable(formulas):
    """Leave out elements whose oxidation states the installed pymatgen has otherwise than we."""
    ours = dict(zip(ELEMENTS, common_oxidation_states(), strict=True))
    changed = {
        symbol
        for symbol, states in ours.items()
        if states.tolist() != list(pymatgen.Element(symbol).common_oxidation_states)
    }
    if changed:  # such a pymatgen imputes another mean, too
        unknown = np.isnan(electronegativities(impute=False))
        changed |= set(np.array(ELEMENTS)[unknown].tolist())
    return [text for text in formulas if not changed & set(pymatgen.Composition(text).as_dict())]


# --- equal to matminer ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("preset", FEATURIZERS)
@pytest.mark.parametrize("missing", ["mean", "nan"])
def test_every_preset_equals_matminer(preset, missing):
    featurizer = FEATURIZERS[preset](impute_nan=missing == "mean")
    transformer = CompositionDescriptors(preset, missing=missing)
    assert transformer.get_feature_names_out().tolist() == list(featurizer.feature_labels())
    # Without imputation some sources of matminer fail for the heaviest elements.
    formulas = FORMULAS if missing == "mean" else [*FORMULAS, "Rf", "UO2"]
    if preset in ("ward2016", "ionic_character"):
        formulas = comparable(formulas)
    expected = by_matminer(featurizer, formulas)
    known = ~np.isnan(expected).all(axis=1)
    got = transformer.fit_transform(formulas)
    assert_allclose(got[known], expected[known], rtol=1e-9, atol=1e-12)
    assert np.isnan(got[~known]).any(axis=1).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_ward2016_equals_matminer_on_real_formulas(shared_data):
    tables = [
        pd.read_csv(shared_data / name, keep_default_na=False, na_values=[""]).formula
        for name in ("cod_cells.csv.gz", "mp_formulas.csv.gz")
    ]
    formulas = comparable(pd.concat([table.sample(500, random_state=0) for table in tables]))
    got = CompositionDescriptors().fit_transform(formulas)
    assert got.shape == (len(formulas), 145)
    assert len(formulas) > 800
    expected = by_matminer(ward2016(impute_nan=True), formulas)
    assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "statistic",
    ["minimum", "maximum", "range", "mean", "avg_dev", "std_dev", "mode", "skewness", "kurtosis"],
)
def test_every_statistic_equals_matminer(statistic):
    properties = ["Number", "Electronegativity", "GSbandgap"]
    featurizer = matminer.ElementProperty("magpie", properties, [statistic], impute_nan=True)
    frame = CompositionDescriptors("magpie", statistics=statistic).set_output(transform="pandas")
    got = frame.fit_transform(FORMULAS)[featurizer.feature_labels()]
    assert_allclose(got, by_matminer(featurizer, FORMULAS), rtol=1e-9, atol=1e-9)


# Of matminer 0.10.1, TransportData(impute_nan=False), which fits for minutes.
MATMINER_TRANSPORT = pd.DataFrame(
    {
        "sigma_p": [161397.3224, -57747.51946],
        "sigma_n": [161461.5099, -57729.00083],
        "S_p": [220.1095337, 736.7362453],
        "S_n": [-39.61564416, -598.8369904],
        "kappa_p": [1183510.545, -424112.1765],
        "kappa_n": [1183822.458, -424009.3862],
        "PF_p": [17.83048015, -0.05502778931],
        "PF_n": [20.63066982, 2.71666269],
        "m_p": [0.0001737565378, -0.0004783493586],
        "m_n": [0.0001736914591, -0.0004784954609],
    },
    index=["Ga", "O"],
).add_prefix("TransportData maximum ")


def test_mp_transport_has_the_contributions_that_matminer_fits():
    transformer = CompositionDescriptors("mp_transport", missing="nan", statistics="maximum")
    got = transformer.set_output(transform="pandas").fit_transform(["Ga", "O", "Rf"])
    assert_allclose(got[:2], MATMINER_TRANSPORT, rtol=1e-6)
    assert got.columns.equals(MATMINER_TRANSPORT.columns)
    assert got.loc[2].isna().all()
    imputed = CompositionDescriptors("mp_transport").fit_transform(["Rf", "RfGaO"])
    assert np.isfinite(imputed).all()
    assert imputed.shape == (2, 60)


@pytest.fixture
def small_optical_table(tmp_path, monkeypatch):
    """A small table of spectra where matminer keeps its own, so that it need not fit one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".matminer" / "optical_props"
    folder.mkdir(parents=True)
    wavelengths = np.linspace(380.0, 780.0, 401)
    columns = [f"{kind}_{np.round(length, 2)}" for kind in "nkR" for length in wavelengths]
    compounds = ["GaAs", "Si", "SiO2", "NaCl", "Fe2O3", "Ga2O3", "KCl"]
    spectra = np.random.default_rng(0).uniform(1, 4, size=(len(compounds), len(columns)))
    table = pd.DataFrame(spectra, columns=columns).assign(Composition=compounds)
    table.insert(0, "Compound", compounds)
    table.to_csv(folder / "optical_polyanskiy_0.38_0.78_401.csv", index=False)
    caches = [elemental_table, build_families]
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_optical_equals_matminer(small_optical_table):
    featurizer = matminer.ElementProperty.from_preset("optical", impute_nan=True)
    transformer = CompositionDescriptors("optical")
    got = transformer.fit_transform(FORMULAS[:8])
    assert transformer.get_feature_names_out().tolist() == featurizer.feature_labels()
    assert_allclose(got, by_matminer(featurizer, FORMULAS[:8]), rtol=1e-9, atol=1e-9)


def test_mode_takes_the_smallest_value_among_nearly_equal_amounts():
    modes = CompositionDescriptors("magpie", statistics="mode").fit_transform(
        ["NaCl", "Na1.000001Cl", "Na1.1Cl"]
    )
    number = modes[:, 0]
    assert_array_equal(number, [11, 11, 11])
    mendeleev = modes[:, 1]  # sodium's is the smaller one
    assert mendeleev[0] == mendeleev[1] == mendeleev[2] == 2


def test_tiny_amounts_drop_out_as_in_pymatgen():
    with_trace = CompositionDescriptors().fit_transform(["NaCl", "NaClFe0.000000001"])
    assert_array_equal(with_trace[0], with_trace[1])


def test_scaling_a_formula_changes_nothing_but_rounding():
    pair = CompositionDescriptors(["ward2016", "deml"]).fit_transform(["Fe2O3", "Fe4O6"])
    assert_allclose(pair[0], pair[1], rtol=1e-12, atol=1e-12)


# --- neutral combinations -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "possible"),
    [
        ("NaCl", 1),
        ("NaCl2", 0),
        ("Fe3O4", 0),
        ("Si", 1),
        ("He", 1),
        ("XeF2", 1),
        ("HeF2", 0),  # no common state of helium
        ("C2H6O", 1),
        ("La1.85Sr0.15CuO3.925", 1),
        ("C8H7ClBr0.5I0.5S2SeTeN3O", 1),
        ("KC8Cl3Br3I3S3Se3Te3F40", 1),
        ("KC8Cl3Br3I3S3Se3Te3F999", 0),
    ],
)
def test_charge_balance(formula, possible):
    column = CompositionDescriptors("ionic_character").fit_transform([formula])[0, 0]
    assert column == possible


def test_charge_balance_of_a_formula_with_every_element_ends():
    # 118 elements have more combinations of oxidation states than could be enumerated.
    block = CompositionDescriptors("ionic_character").fit_transform(["".join(ELEMENTS[:54])])
    assert np.isfinite(block).all()


# --- containers -----------------------------------------------------------------------------


def formula_frame():
    return pd.DataFrame({"formula": FORMULAS})


def polars_frame():
    return pytest.importorskip("polars").DataFrame(formula_frame())


def amounts():
    return parse_formulas(FORMULAS).amounts


CONTAINERS = {
    "list": lambda: FORMULAS,
    "tuple": lambda: tuple(FORMULAS),
    "nested list": lambda: [[formula] for formula in FORMULAS],
    "object array": lambda: np.array(FORMULAS, dtype=object),
    "text array": lambda: np.array(FORMULAS),
    "column": lambda: np.array(FORMULAS, dtype=object)[:, None],
    "series": lambda: formula_frame()["formula"],
    "string series": lambda: formula_frame()["formula"].astype("string"),
    "categories": lambda: formula_frame()["formula"].astype("category"),
    "table": formula_frame,
    "schema table": lambda: formula_frame().assign(a=1.0, spacegroup_number=1),
    "wide table": lambda: pd.concat(
        [pd.DataFrame(1, index=range(len(FORMULAS)), columns=list(ELEMENTS[1:])), formula_frame()],
        axis=1,
    ),
    "other name": lambda: formula_frame().rename(columns={"formula": "x"}),
    "polars table": polars_frame,
    "polars series": lambda: polars_frame()["formula"],
    "compositions": lambda: [pymatgen.Composition(formula) for formula in FORMULAS],
    "dicts": lambda: parse_formulas(FORMULAS).to_dicts(),
    "sparse amounts": amounts,
    "sparse matrix": lambda: sparse.csc_matrix(amounts()),
    "dense amounts": lambda: amounts().toarray(),
    "table of amounts": lambda: pd.DataFrame(amounts().toarray(), columns=list(ELEMENTS)),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_gives_the_same(kind):
    expected = CompositionDescriptors().fit_transform(FORMULAS)
    got = CompositionDescriptors().fit_transform(CONTAINERS[kind]())
    assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("NaCl", "put formulas into a list"),
        ({"Na": 1, "Cl": 1}, "put formulas into a list"),
        (pd.DataFrame({"a": [1], "b": [2]}), "none is named 'formula'"),
        (np.array([["NaCl", "KCl"]]), r"X has shape \(1, 2\)"),
        (sparse.csr_array((2, 5)), r"has shape \(2, 5\); give 118 columns"),
    ],
)
def test_other_shapes_are_refused(X, message):
    with pytest.raises(SchemaError, match=message):
        CompositionDescriptors("stoichiometry").fit(X)


def test_repeated_formulas_give_equal_rows_in_their_places():
    rng = np.random.default_rng(0)
    order = rng.integers(len(FORMULAS), size=200)
    unique = CompositionDescriptors().fit_transform(FORMULAS)
    repeated = CompositionDescriptors().fit_transform([FORMULAS[i] for i in order])
    assert_array_equal(repeated, unique[order])


def test_chunks_do_not_change_the_result():
    formulas = [f"Na{i / 1000 + 1}Cl" for i in range(3000)]
    block = CompositionDescriptors().fit_transform(formulas)
    assert_array_equal(CompositionDescriptors().fit_transform(formulas[::-1])[::-1], block)
    alone = CompositionDescriptors().fit_transform(formulas[1234:1235])
    assert_allclose(block[1234:1235], alone, rtol=1e-13, atol=1e-13)


def test_no_formulas_give_no_rows():
    assert CompositionDescriptors("stoichiometry").fit_transform([]).shape == (0, 6)


# --- what cannot be used --------------------------------------------------------------------

BAD = ["NaCl", None, "La2-xSrxCuO4", "NaCl", "CuSO4.5H2O", np.nan, pd.NA, ""]


def test_unreadable_formulas_raise_one_sentence():
    with pytest.raises(FormulaError) as caught:
        CompositionDescriptors().fit_transform(BAD[2:])
    text = str(caught.value)
    assert text.startswith("CompositionDescriptors: cannot use 5 of 6 rows (first: row 0,")
    assert "(first: row 0, 'La2-xSrxCuO4' contains" in text
    assert "on_error='nan'" in text


def test_unreadable_formulas_become_nan_on_request_and_are_reported():
    transformer = CompositionDescriptors("stoichiometry", on_error="nan")
    bad = [False, True, True, False, True, True, True, True]
    assert_array_equal(np.isnan(transformer.fit_transform(BAD)).all(axis=1), bad)
    series = pd.Series(BAD, index=list("abcdefgh"))
    report = transformer.report(series)
    assert report.index.tolist() == list("abcdefgh")
    assert_array_equal(report["error"].notna(), bad)
    assert "missing" in report.loc["b", "error"]


def test_deuterium_counts_as_hydrogen_and_is_reported():
    transformer = CompositionDescriptors()
    block = transformer.fit_transform(["D2O", "H2O"])
    assert_array_equal(block[0], block[1])
    assert transformer.report(["D2O", "H2O"])["has_deuterium"].tolist() == [True, False]


def test_missing_data_are_nan_or_imputed():
    rows = ["NaCl", "HeNa2"]
    nan = CompositionDescriptors("magpie", missing="nan", statistics="mean").fit_transform(rows)
    mean = CompositionDescriptors("magpie", statistics="mean").fit_transform(rows)
    lacking = np.isnan(nan[1])
    assert lacking.any()
    assert not lacking.all()
    assert np.isfinite(mean).all()
    assert_array_equal(nan[:, ~lacking], mean[:, ~lacking])


@pytest.mark.parametrize("remembers", [False, True])
def test_strict_about_missing_data_with_and_without_memory(remembers, tmp_path):
    rows = ["NaCl", "HeNa2"]
    memory = str(tmp_path) if remembers else None
    lenient = CompositionDescriptors("magpie", missing="nan", memory=memory)
    assert np.isnan(lenient.fit_transform(rows)[1]).any()
    strict = CompositionDescriptors("magpie", missing="raise", memory=memory)
    with pytest.raises(FormulaError, match=r"row 1, 'HeNa2', He has no MagpieData") as caught:
        strict.fit_transform(rows)
    assert "missing='mean'" in str(caught.value)
    assert np.isfinite(strict.transform(rows[:1])).all()
    assert strict.report(rows)["missing"].notna().tolist() == [False, True]


def test_charges_are_refused_or_stripped():
    with pytest.raises(FormulaError, match="charge"):
        CompositionDescriptors().fit_transform(["SO4 2-"])
    stripped = CompositionDescriptors(charges="strip").fit_transform(["SO4 2-", "SO4"])
    assert_array_equal(stripped[0], stripped[1])


def test_impossible_amounts_are_bad_rows():
    X = parse_formulas(["NaCl", "KCl", "Si", "Ge"]).amounts.toarray()
    X[1, 0] = -1.0
    X[2, 0] = np.nan
    X[3] = 0.0
    with pytest.raises(FormulaError, match=r"3 of 4 rows \(first: row 1, the amount of H is -1.0"):
        CompositionDescriptors("stoichiometry").fit_transform(X)
    block = CompositionDescriptors("stoichiometry", on_error="nan").fit_transform(X)
    assert_array_equal(np.isnan(block).all(axis=1), [False, True, True, True])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "ward"}, r"preset has no 'ward'. Did you mean .* Choose from ward2016"),
        ({"preset": []}, "preset is empty"),
        ({"preset": None}, "preset=None; give a name or a list of names"),
        ({"statistics": ["men"]}, r"statistics has no 'men'. Did you mean 'mean'"),
        ({"missing": "drop"}, "'missing' parameter of CompositionDescriptors .* Got 'drop'"),
        ({"on_error": None}, "'on_error' parameter .* Got None"),
        ({"memory": 3}, "'memory' parameter .* Got 3"),
        ({"charges": "keep"}, "'charges' parameter .* Got 'keep'"),
    ],
)
def test_wrong_parameters_are_refused_in_fit(parameters, message):
    with pytest.raises(InvalidInputError, match=message):
        CompositionDescriptors(**parameters).fit(FORMULAS)


# --- scikit-learn ---------------------------------------------------------------------------


def test_presets_stand_side_by_side_without_repetition():
    both = CompositionDescriptors(["element_fractions", "ward2016", "magpie"])
    names = both.get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == 118 + 145
    assert both.fit_transform(FORMULAS).shape == (len(FORMULAS), 118 + 145)


def test_set_output_clone_and_pickle():
    frame = pd.DataFrame({"formula": FORMULAS}, index=range(7, 7 + len(FORMULAS)))
    transformer = CompositionDescriptors("stoichiometry").set_output(transform="pandas").fit(frame)
    assert transformer.n_features_in_ == 1
    assert transformer.feature_names_in_.tolist() == ["formula"]
    out = transformer.transform(frame)
    assert out.index.equals(frame.index)
    assert out.columns.tolist()[0] == "0-norm"
    assert clone(transformer).get_params() == transformer.get_params()
    copy = pickle.loads(pickle.dumps(transformer))
    pd.testing.assert_frame_equal(copy.transform(frame), out)
    polars = pytest.importorskip("polars")
    out = transformer.set_output(transform="polars").transform(frame)
    assert isinstance(out, polars.DataFrame)


def test_a_grid_search_over_presets_with_the_column_picked_by_a_column_transformer():
    table = pd.DataFrame({"formula": FORMULAS * 2, "temperature": 293.0})
    target = [len(formula) for formula in table["formula"]]
    pipeline = make_pipeline(
        ColumnTransformer(
            [("composition", CompositionDescriptors(), "formula")], remainder="passthrough"
        ),
        ExtraTreesRegressor(5, random_state=0),
    )
    grid = {"columntransformer__composition__preset": ["stoichiometry", ["magpie"]]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(table, target)
    assert np.isfinite(search.predict(table)).all()


class FormulasFromAnything(CompositionDescriptors):
    """CompositionDescriptors that reads element amounts into any matrix.

    scikit-learn's checks feed matrices of numbers with one to ten columns. Only the recognition
    of a column of formulas and the width of the amounts are replaced here: a column is the
    amount of an element, its sign and the missing columns are ignored.
    """

    def _columns(self, X, *, reset):
        options = {"dtype": np.float64}
        known = reset or hasattr(self, "n_features_in_")
        if not known:
            return X
        from sklearn.utils.validation import validate_data

        return validate_data(self, X, reset=reset, **options)

    def _formulas(self, X):
        X = np.asarray(self._columns(X, reset=False), dtype=float)
        amounts = np.zeros((len(X), len(ELEMENTS)))
        amounts[:, : X.shape[1]] = np.abs(X) + 1.0
        return sparse.csr_array(amounts)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = False
        tags.input_tags.sparse = False
        return tags


@parametrize_with_checks([FormulasFromAnything(), FormulasFromAnything("element_fractions")])
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_tags_tell_that_strings_are_wanted():
    tags = CompositionDescriptors(on_error="nan").__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array  # so that scikit-learn feeds it no numbers
    assert tags.input_tags.allow_nan
    assert not tags.requires_fit


# --- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "compositions", "sparse amounts", "table"])
def test_a_memory_gives_the_same_and_computes_once(kind, tmp_path, monkeypatch):
    X = CONTAINERS[kind]()
    expected = CompositionDescriptors().fit_transform(X)
    cached = CompositionDescriptors(memory=str(tmp_path))
    assert_array_equal(cached.fit_transform(X), expected)

    def never(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr("crystalml.descriptors._composition.fill_block", never)
    remembered = clone(cached).fit_transform(X)
    assert type(remembered) is np.ndarray
    remembered[:] = 0.0  # the caller's own, whatever lies on the disk
    assert_array_equal(clone(cached).fit_transform(X), expected)
    with pytest.raises(AssertionError, match="computed again"):
        CompositionDescriptors("magpie", memory=joblib.Memory(tmp_path, verbose=0)).transform(X)


def test_a_memory_remembers_errors_with_the_rows_of_each_call(tmp_path):
    transformer = CompositionDescriptors("stoichiometry", memory=str(tmp_path))
    for _ in range(2):
        with pytest.raises(FormulaError, match=r"5 of 6 rows \(first: row 0, 'La2-x"):
            transformer.fit_transform(BAD[2:])
    assert transformer.fit_transform(["Si", "Ge", "Si"]).shape == (3, 6)
