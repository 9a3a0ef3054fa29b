"""MatminerDescriptors: matminer's numbers, without its surprises."""

import pickle
from collections import Counter
from typing import ClassVar

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from crystalml.crystallography import ELEMENTS
from crystalml.descriptors import MatminerDescriptors
from crystalml.exceptions import CrystalmlWarning, InvalidInputError, SchemaError

composition = pytest.importorskip("matminer.featurizers.composition")
structure = pytest.importorskip("matminer.featurizers.structure")
base = pytest.importorskip("matminer.featurizers.base")
pymatgen = pytest.importorskip("pymatgen.core")

FORMULAS = ["NaN", "Fe3O4", "NaCl", "Fe2AlNi", "YBa2Cu3O7", "NaCl"]

# matminer and what it calls warn of their own data and habits; crystalml shall not.
pytestmark = pytest.mark.filterwarnings("ignore", "error::crystalml.exceptions.CrystalmlWarning")


def rock_salt(a=5.64, cation="Na", anion="Cl"):
    lattice = [[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]]
    return pymatgen.Structure(lattice, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def structures():
    lattice = pymatgen.Lattice
    wurtzite = [
        [1 / 3, 2 / 3, 0],
        [2 / 3, 1 / 3, 0.5],
        [1 / 3, 2 / 3, 0.375],
        [2 / 3, 1 / 3, 0.875],
    ]
    return [
        rock_salt(),
        pymatgen.Structure(lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]),
        pymatgen.Structure(lattice.hexagonal(3.82, 6.26), ["Zn", "Zn", "S", "S"], wurtzite),
        rock_salt(4.21, "Mg", "O"),
    ]


COMPOSITION_FEATURIZERS = [
    "ElementProperty:magpie",
    "ElementProperty:deml",
    "Stoichiometry",
    "ValenceOrbital",
    "IonProperty",
    "ElementFraction",
    "TMetalFraction",
    "BandCenter",
    "AtomicOrbitals",  # some of its features are text
    "Miedema",
    "YangSolidSolution",
    "Meredig",
]
STRUCTURE_FEATURIZERS = [
    "DensityFeatures",
    "RadialDistributionFunction",
    "PartialRadialDistributionFunction",  # learns, and breaks sklearn's clone
    "SineCoulombMatrix",  # learns
    "BagofBonds",  # learns
    "BondFractions:MinimumDistanceNN",  # learns
    "MinimumRelativeDistances",  # learns, and gives text and tuples
    "GlobalSymmetryFeatures",  # gives text
    "ChemicalOrdering",
    "StructuralHeterogeneity",
    "OrbitalFieldMatrix",  # breaks sklearn's get_params
    "SiteStatsFingerprint:CoordinationNumber_ward-prb-2017",
]


def build(name):
    """A featurizer of matminer as its users build it."""
    class_name, _, preset = name.partition(":")
    kind = getattr(composition, class_name, None) or getattr(structure, class_name)
    return kind.from_preset(preset) if preset else kind()


def by_matminer(featurizer, inputs):
    """What matminer gives, as an array of objects."""
    if isinstance(inputs[0], str):
        inputs = [pymatgen.Composition(formula) for formula in inputs]
    featurizer.fit(inputs)
    rows = [list(featurizer.featurize(value)) for value in inputs]
    expected = np.empty((len(rows), len(rows[0])), dtype=object)
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            expected[row, column] = value
    return featurizer.feature_labels(), expected


# --- exactly matminer's ---------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPOSITION_FEATURIZERS + STRUCTURE_FEATURIZERS)
def test_every_number_and_name_is_that_of_matminer(name):
    inputs = FORMULAS if name in COMPOSITION_FEATURIZERS else structures()
    labels, expected = by_matminer(build(name), inputs)
    transformer = MatminerDescriptors(name)
    got = transformer.fit_transform(inputs)
    assert transformer.get_feature_names_out().tolist() == list(labels)
    is_text = any(isinstance(value, str | tuple) for value in expected.ravel())
    assert got.dtype == (object if is_text else np.float64)
    expected = pd.DataFrame(expected if is_text else expected.astype(float))
    assert pd.DataFrame(got).equals(expected)  # exactly, NaN and text included
    loaded = pickle.loads(pickle.dumps(transformer))
    assert pd.DataFrame(loaded.transform(inputs)).equals(expected)


@pytest.mark.parametrize("give", [str, pymatgen.Composition, dict], ids=["text", "object", "dict"])
def test_compositions_may_come_as_text_objects_or_mappings(give):
    compositions = [pymatgen.Composition(formula) for formula in FORMULAS]
    inputs = FORMULAS if give is str else [give(value) for value in compositions]
    _, expected = by_matminer(build("ElementProperty:magpie"), compositions)
    assert_array_equal(MatminerDescriptors().fit_transform(inputs), expected.astype(float))


def test_a_composition_featurizer_reads_the_composition_of_structures():
    got = MatminerDescriptors("ElementFraction").fit_transform(structures())
    assert_array_equal(got, MatminerDescriptors("ElementFraction").fit_transform(
        [crystal.formula.replace(" ", "") for crystal in structures()]
    ))  # fmt: skip


def test_several_featurizers_at_once():
    both = base.MultipleFeaturizer([build("Stoichiometry"), build("ValenceOrbital")])
    single = [MatminerDescriptors(f).fit_transform(FORMULAS) for f in both.featurizers]
    assert_array_equal(MatminerDescriptors(both).fit_transform(FORMULAS), np.hstack(single))


def test_deuterium_counts_as_hydrogen():
    got = MatminerDescriptors("ElementFraction").fit_transform(["D2O", "H2O"])
    assert_array_equal(got[0], got[1])


# --- the featurizer belongs to the user -----------------------------------------------------


@pytest.mark.parametrize("name", ["BagofBonds", "SineCoulombMatrix", "BondFractions"])
def test_fit_does_not_touch_the_featurizer_of_the_user(name):
    featurizer = build(name)
    before = joblib.hash(featurizer)
    transformer = MatminerDescriptors(featurizer).fit(structures())
    transformer.transform(structures())
    assert joblib.hash(featurizer) == before
    assert transformer.featurizer is featurizer
    assert transformer.featurizer_ is not featurizer


@pytest.mark.parametrize(
    "name", ["BagofBonds", "PartialRadialDistributionFunction", "OrbitalFieldMatrix"]
)
def test_clone_copies_even_featurizers_that_sklearn_cannot_clone(name):
    transformer = MatminerDescriptors(build(name), on_error="nan").set_output(transform="pandas")
    transformer.fit(structures()[:2])
    cloned = clone(transformer)
    assert not hasattr(cloned, "featurizer_")
    assert not hasattr(cloned, "n_features_in_")
    assert cloned.featurizer is not transformer.featurizer
    assert cloned.on_error == "nan"
    frame = cloned.fit_transform(structures())
    assert isinstance(frame, pd.DataFrame)  # set_output was cloned too
    assert_array_equal(frame, MatminerDescriptors(name).fit_transform(structures()))
    assert transformer.get_params()["featurizer"] is transformer.featurizer


def test_parameters_of_the_featurizer_can_be_searched():
    transformer = MatminerDescriptors(structure.RadialDistributionFunction())
    transformer.set_params(featurizer__cutoff=2.0)
    assert transformer.get_params()["featurizer__cutoff"] == 2.0


def test_a_grid_search_over_twelve_featurizers():
    formulas = FORMULAS * 2
    target = np.arange(12.0) % 6
    pipeline = make_pipeline(
        MatminerDescriptors().set_output(transform="pandas"), ExtraTreesRegressor(3, random_state=0)
    )
    numeric = [name for name in COMPOSITION_FEATURIZERS if name != "AtomicOrbitals"]
    grid = {"matminerdescriptors__featurizer": [*numeric, build("BandCenter")]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(formulas, target)
    assert len(search.cv_results_["params"]) == 12
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(search.predict(formulas)).all()


# --- work done once, or in parallel ---------------------------------------------------------


class Counting(base.BaseFeaturizer):
    """A featurizer of a user that counts what it is asked."""

    asked: ClassVar[Counter] = Counter()

    def featurize(self, value):
        self.asked[value.reduced_formula] += 1
        return [getattr(value, "composition", value).num_atoms]

    def feature_labels(self):
        return ["atoms"]

    def citations(self):
        return []

    implementors = citations


@pytest.fixture
def counting():
    Counting.asked.clear()
    return Counting()


def test_what_occurs_several_times_is_computed_once(counting):
    MatminerDescriptors(counting).fit_transform([*FORMULAS, *FORMULAS])
    assert set(counting.asked.values()) == {1}
    Counting.asked.clear()
    crystals = [rock_salt(), rock_salt(), rock_salt(5.65)]  # equal in all respects, and not
    assert MatminerDescriptors(counting).fit_transform(crystals).tolist() == [[2]] * 3
    assert counting.asked["NaCl"] == 2


def test_a_memory_knows_rows_of_other_calls_but_no_failures(counting, tmp_path):
    transformer = MatminerDescriptors(counting, memory=str(tmp_path), on_error="nan")
    transformer.fit_transform(["NaCl", "MgO"])
    again = clone(transformer).fit_transform(["MgO", "Si", "NaCl"])
    assert again.tolist() == [[2], [1], [2]]
    assert counting.asked == {"NaCl": 1, "MgO": 1, "Si": 1}
    with pytest.warns(CrystalmlWarning, match="rows of NaN"):
        transformer.transform(["no formula"])
    assert joblib.Memory(str(tmp_path), verbose=0).store_backend is not None


def test_a_memory_tells_featurizers_apart(tmp_path):
    for stats in (["mean"], ["minimum"]):
        featurizer = composition.ElementProperty("magpie", ["Number"], stats)
        got = MatminerDescriptors(featurizer, memory=joblib.Memory(tmp_path, verbose=0))
        expected = MatminerDescriptors(featurizer).fit_transform(FORMULAS)
        assert_array_equal(got.fit_transform(FORMULAS), expected)


def test_parallel_work_gives_the_same():
    with joblib.parallel_config(backend="threading"):
        got = MatminerDescriptors("DensityFeatures", n_jobs=2).fit_transform(structures())
    assert_array_equal(got, MatminerDescriptors("DensityFeatures").fit_transform(structures()))


# --- errors ---------------------------------------------------------------------------------

BAD = ["NaN", "NaCl.2H2O", "NaCl", None, "NaCl.2H2O"]


def test_an_error_names_featurizer_row_input_and_reason():
    with pytest.raises(
        InvalidInputError,
        match=r"^MatminerDescriptors: Stoichiometry cannot use 3 of 5 rows \(first: row 1, "
        r"'NaCl\.2H2O': .*hydrate.*\)\. Correct or drop these rows, or set on_error='nan'",
    ):
        MatminerDescriptors("Stoichiometry").fit_transform(BAD)


def test_rows_of_nan_are_warned_of_and_reported():
    table = pd.DataFrame({"formula": BAD, "other": 1.0}, index=list("vwxyz"))
    transformer = MatminerDescriptors("Stoichiometry", on_error="nan").fit(table)
    with pytest.warns(CrystalmlWarning, match=r"NaN for 3 of 5 rows \(first: row 1"):
        got = transformer.transform(table)
    assert np.isnan(got).all(axis=1).tolist() == [False, True, False, True, True]
    report = transformer.report(table)
    assert report.index.tolist() == list("vwxyz")
    assert report["error"].isna().tolist() == [True, False, True, False, False]
    assert report.loc["y", "error"] == "the value is missing"


def test_what_a_featurizer_raises_is_the_reason():
    transformer = MatminerDescriptors("OxidationStates").fit(["NaCl"])
    error = transformer.report(["NaCl"])["error"][0]
    assert error == "ValueError: Oxidation states have not been determined"


@pytest.mark.parametrize(
    ("featurizer", "value", "message"),
    [
        ("DensityFeatures", "NaCl", "reads structures, not compositions"),
        ("DensityFeatures", {"Na": 1}, "reads structures, not compositions"),
        ("Stoichiometry", 17.0, "neither a formula nor a Composition"),
    ],
)
def test_the_wrong_kind_of_input_is_named(featurizer, value, message):
    transformer = MatminerDescriptors(featurizer).fit([value])
    assert message in transformer.report([value])["error"][0]


def test_a_featurizer_that_learns_leaves_out_unreadable_rows():
    crystals = [*structures(), None]
    with pytest.raises(InvalidInputError, match=r"1 of 5 rows \(first: row 4, None"):
        MatminerDescriptors("BagofBonds").fit(crystals)
    with pytest.warns(CrystalmlWarning, match="1 of 5 rows"):
        got = MatminerDescriptors("BagofBonds", on_error="nan").fit_transform(crystals)
    assert_array_equal(got[:4], MatminerDescriptors("BagofBonds").fit_transform(crystals[:4]))
    assert np.isnan(got[4]).all()


def test_a_featurizer_that_cannot_be_fitted_says_why():
    with pytest.raises(InvalidInputError, match="StructureComposition cannot be fitted: Attr"):
        MatminerDescriptors("StructureComposition").fit(structures())


@pytest.mark.parametrize(
    ("featurizer", "message"),
    [
        ("Stoichiometri", "Did you mean 'Stoichiometry'"),
        ("ElementProperty", "'Class:preset'"),
        ("ElementProperty:nonesuch", "cannot be built"),
        ("Stoichiometry:magpie", "cannot be built"),
        (3, "is no featurizer of matminer"),
        (composition.Stoichiometry, "is no featurizer of matminer"),
    ],
)
def test_what_is_no_featurizer_is_refused_in_fit(featurizer, message):
    with pytest.raises(InvalidInputError, match=message):
        MatminerDescriptors(featurizer).fit(FORMULAS)


def test_input_must_be_one_column():
    with pytest.raises(SchemaError, match="'structure' or 'composition' or 'formula'"):
        MatminerDescriptors().fit(pd.DataFrame({"a": ["Na"], "b": [1]}))
    with pytest.raises(InvalidInputError, match="Structure Na1 Cl1, of type Structure; put"):
        MatminerDescriptors("DensityFeatures").fit(rock_salt())
    with pytest.raises(SchemaError, match=r"shape \(1, 2\)"):
        MatminerDescriptors().fit([["Na", "Cl"]])


def test_other_column_names_than_in_fit_are_refused():
    transformer = MatminerDescriptors("Stoichiometry").fit(pd.DataFrame({"formula": ["NaN"]}))
    assert transformer.feature_names_in_.tolist() == ["formula"]
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(pd.DataFrame({"composition": ["NaN"]}))


# --- the contract of scikit-learn -----------------------------------------------------------


class MatminerFromNumbers(MatminerDescriptors):
    """MatminerDescriptors that makes a composition of each row of numbers.

    scikit-learn's checks feed matrices of numbers. Only the reading of the column is replaced:
    the columns of a row are amounts of elements, their sign is ignored.
    """

    def _column(self, X, *, reset):
        X = validate_data(self, X, reset=reset, dtype=np.float64)
        amounts = (dict(zip(ELEMENTS, row, strict=False)) for row in (np.abs(X) + 1.0).tolist())
        return np.fromiter(amounts, dtype=object, count=len(X)).reshape(-1, 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = False
        return tags


@parametrize_with_checks(
    [MatminerFromNumbers("Stoichiometry"), MatminerFromNumbers(composition.TMetalFraction())]
)
def test_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_tags_tell_that_text_is_wanted():
    tags = MatminerDescriptors(on_error="nan").__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.allow_nan
    assert tags.requires_fit
