"""What is loaded is what was saved: estimators of every make, nested in every way."""

import copy
import json
import os
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import (
    LassoCV,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR
from tests.persistence.model_files import rewrite_manifest

from crystalml import (
    CellDescriptors,
    CompositionDescriptors,
    DescriptorAutoencoder,
    MLPNetClassifier,
    MLPNetRegressor,
    load,
    save,
    table_preprocessor,
)
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CrystalmlWarning, InvalidInputError, PersistenceError
from crystalml.persistence import read_manifest, trusted_types

X, codes = load_iris(return_X_y=True)
X, codes = X[::2], codes[::2]
labels = np.array(["cubic", "tetragonal", "trigonal"])[codes]
new_rows = X[:20] * 1.01
METHODS = ("predict", "predict_proba", "transform", "decision_function", "score_samples")
TINY = {"hidden_layer_sizes": (5,), "max_epochs": 2, "random_state": 0}


def round_trip(estimator, folder, **options):
    path = folder / "model.crystalml"
    save(estimator, path, **options)
    return load(path)


def assert_same_answers(first, second, rows):
    compared = 0
    for method in METHODS:
        if hasattr(first, method):
            wanted, got = getattr(first, method)(rows), getattr(second, method)(rows)
            if sparse.issparse(wanted):
                wanted, got = wanted.toarray(), got.toarray()
            np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted), strict=True)
            compared += 1
    assert compared


CLASSIFIERS = [
    AdaBoostClassifier(n_estimators=3),
    BaggingClassifier(n_estimators=2, max_features=2),
    CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
    ExtraTreesClassifier(3, max_depth=4),
    GradientBoostingClassifier(n_estimators=2),
    GridSearchCV(
        make_pipeline(StandardScaler(), SGDClassifier()),
        {"sgdclassifier__alpha": [1e-4, 1e-3]},
        cv=StratifiedKFold(2),
        scoring="accuracy",
    ),
    HistGradientBoostingClassifier(max_iter=2),
    KNeighborsClassifier(),
    KNeighborsClassifier(algorithm="ball_tree", metric="minkowski", p=3),
    KNeighborsClassifier(algorithm="brute", weights="distance"),
    LinearDiscriminantAnalysis(),
    OneVsRestClassifier(LinearSVC()),
    NearestCentroid(),
    FrozenEstimator(GaussianNB().fit(X, labels)),
    MLPClassifier((3,), max_iter=500, tol=1e-2),
    NuSVC(),
    SVC(),
    make_pipeline(QuantileTransformer(n_quantiles=20), PCA(2), SVC(kernel="poly")),
    make_pipeline(SelectFromModel(ExtraTreesClassifier(2)), RobustScaler(), GaussianNB()),
    make_pipeline(SelectKBest(f_classif, k=2), LogisticRegression(max_iter=300)),
    StackingClassifier([("nb", GaussianNB())], LogisticRegression(max_iter=300), cv=2),
    VotingClassifier([("net", MLPNetClassifier(**TINY)), ("nb", GaussianNB())], voting="soft"),
    make_pipeline(DescriptorAutoencoder(2, **TINY), GaussianNB()),
    make_pipeline(StandardScaler(), MLPNetClassifier(batch_normalization=True, **TINY)),
]
OTHERS = [
    GradientBoostingRegressor(n_estimators=2, loss="quantile"),
    HistGradientBoostingRegressor(max_iter=2, loss="poisson"),
    KNeighborsRegressor(),
    LassoCV(cv=2),
    MLPNetRegressor(**TINY),
    MLPRegressor(hidden_layer_sizes=(3,), max_iter=500, tol=1e-2, random_state=0),
    NuSVR(),
    PoissonRegressor(),
    RandomForestRegressor(2, max_depth=3, criterion="absolute_error"),
    SVR(),
    VotingRegressor([("ridge", Ridge()), ("dropped", "drop")]),
    make_pipeline(PowerTransformer(), KNNImputer(), Ridge()),
    make_pipeline(TargetEncoder(), Ridge()),
    make_union(MinMaxScaler(), FunctionTransformer(np.log1p)),
    TransformedTargetRegressor(MLPNetRegressor(**TINY), func=np.log1p, inverse_func=np.expm1),
]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: f"{model!r:.40}")
def test_classifiers_answer_as_before(model, tmp_path):
    model = clone(model).fit(X, labels)
    again = round_trip(model, tmp_path)
    assert type(again) is type(model)
    assert again.get_params().keys() == model.get_params().keys()
    assert_same_answers(model, again, new_rows)


@pytest.mark.parametrize("model", OTHERS, ids=lambda model: f"{model!r:.40}")
def test_other_estimators_answer_as_before(model, tmp_path):
    model = clone(model).fit(X, codes + 0.5)
    assert_same_answers(model, round_trip(model, tmp_path), new_rows)


@pytest.fixture(scope="module")
def crystals():
    table, numbers = load_cod_inorganic(return_X_y=True)
    return table.head(120), numbers.head(120)


def test_descriptors_and_tables(crystals, tmp_path):
    table, numbers = crystals
    cell = ["a", "b", "c", "alpha", "beta", "gamma"]
    describe = make_column_transformer(
        (CellDescriptors(), cell),
        (CompositionDescriptors(), ["formula"]),
        (OneHotEncoder(handle_unknown="ignore"), ["n_atoms"]),
        remainder=SimpleImputer(),
    ).set_output(transform="default")
    model = make_pipeline(describe, ExtraTreesClassifier(2)).fit(table, numbers)
    again = round_trip(model, tmp_path)
    assert_same_answers(model, again, table)
    np.testing.assert_array_equal(again.feature_names_in_, model.feature_names_in_, strict=True)
    ready = table_preprocessor().set_output(transform="pandas").fit(table)
    wanted = ready.transform(table)
    pd.testing.assert_frame_equal(round_trip(ready, tmp_path).transform(table), wanted)


def test_categories_of_boosted_trees(tmp_path):
    table = pd.DataFrame({"system": pd.Categorical(labels), "a": X[:, 0]})
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    model.fit(table, codes)
    assert any(tree.nodes["is_categorical"].any() for stage in model._predictors for tree in stage)
    assert_same_answers(model, round_trip(model, tmp_path), table)
    encode = OrdinalEncoder().fit(table[["system"]])
    assert_same_answers(encode, round_trip(encode, tmp_path), table[["system"]])


def fitted_net(kind, **options):
    options = {"hidden_layer_sizes": (6,), "max_epochs": 3, "random_state": 3, **options}
    return kind(**options).fit(X, codes)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("kind", [MLPNetClassifier, MLPNetRegressor])
def test_nets_go_on_as_if_they_had_never_been_saved(kind, optimizer, tmp_path):
    model = fitted_net(kind, optimizer=optimizer, batch_normalization=True)
    again = round_trip(model, tmp_path)
    assert again.history_.equals(model.history_)
    for net in (model, again):
        net.partial_fit(X, codes).partial_fit(X, codes)
    assert_same_answers(model, again, new_rows)
    assert again.n_iter_ == 5
    for net in (model, again):
        net.set_params(warm_start=True).fit(X, codes)
    assert_same_answers(model, again, new_rows)


def test_nets_without_their_optimizer_are_smaller_and_predict_alike(tmp_path):
    model = fitted_net(MLPNetClassifier, hidden_layer_sizes=(200, 200))
    again = round_trip(model, tmp_path, resumable=False)
    small = (tmp_path / "model.crystalml").stat().st_size
    assert_same_answers(model, again, new_rows)
    again.partial_fit(X, codes)
    round_trip(model, tmp_path)
    assert small < 0.5 * (tmp_path / "model.crystalml").stat().st_size


def test_nets_keep_their_shape_if_parameters_were_changed_after_fit(tmp_path):
    model = fitted_net(MLPNetClassifier).set_params(hidden_layer_sizes=(2, 2), optimizer="sgd")
    again = round_trip(model, tmp_path)
    assert again.hidden_layer_sizes == (2, 2)
    assert_same_answers(model, again, new_rows)
    again.set_params(hidden_layer_sizes=(6,)).partial_fit(X, codes)


def test_nets_from_a_gpu_predict_on_the_cpu_where_there_is_none(tmp_path):
    model = fitted_net(MLPNetClassifier)
    wanted = model.predict_proba(new_rows)
    model.device = "cuda:99"
    with pytest.warns(CrystalmlWarning, match="predicts on the CPU"):
        again = round_trip(model, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(new_rows), wanted)


def test_global_generators_are_left_alone(tmp_path):
    import torch

    model = fitted_net(MLPNetClassifier)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    round_trip(model, tmp_path)
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def kept(value, folder):
    """Send a value to a file and back, as an argument that an estimator keeps."""
    return round_trip(FunctionTransformer(np.log1p, kw_args={"it": value}), folder).kw_args["it"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        10**30,
        float("inf"),
        "Å\ud800",
        {"a": [1, (2, (3.5, "x"))], 4: {5: None}, (6, None): slice(1, None), 1.5: {}},
        np.float32(1.5),
        np.str_("x"),
        np.dtype("<f8"),
        np.float64,
        float,
        np.log1p,
        StratifiedKFold(4, shuffle=True, random_state=3),
    ],
    ids=lambda value: f"{value!r:.30}".encode("ascii", "replace").decode(),
)
def test_values_keep_value_and_type(value, tmp_path):
    again = kept(value, tmp_path)
    assert type(again) is type(value)
    assert again == value or vars(again) == vars(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12).reshape(3, 4)[:, ::2],
        np.array(3.5),
        np.zeros((0, 4)),
        np.array(["NaN", "NaCl"]),
        np.array([b"x", b"yz"]),
        np.array(["NaN", None, float("inf"), 3], dtype=object),
        np.array([[1, "a"], [None, (2, 3)]], dtype=object),
        np.zeros(2, dtype=np.dtype([("i", "i1"), ("x", "f8")], align=True)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_keep_type_shape_and_order(array, tmp_path):
    again = kept(array, tmp_path)
    np.testing.assert_array_equal(again, array, strict=True)
    assert again.flags.writeable
    contiguous = "C_CONTIGUOUS" if not array.flags.f_contiguous else "F_CONTIGUOUS"
    assert again.flags[contiguous]


def test_arrays_that_are_shared_stay_shared(tmp_path):
    array = np.arange(1000)
    first, second = kept([array, {"again": array}], tmp_path)
    assert first is second["again"]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None], 3: [0.5, np.nan]}, index=["r", "s"]),
        pd.DataFrame({"a": [True, False]}, index=[3, 1]),
        pd.DataFrame({"a": []}),
        pd.DataFrame([[1, 2.5]], columns=["same", "same"]),
    ],
)
def test_tables_stay_as_they_are(table, tmp_path):
    pd.testing.assert_frame_equal(
        kept(table, tmp_path), table, check_column_type=False, check_index_type=False
    )


def test_text_of_tables_becomes_objects(tmp_path):
    table = pd.DataFrame({"s": pd.array(["NaN", "x"], dtype="string"), "n": [1, 2]})
    again = kept(table, tmp_path)
    assert again["s"].tolist() == ["NaN", "x"]
    # pandas 3 gives text its own type again.
    assert again["s"].dtype in (object, pd.Series(["x"]).dtype)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix"])
def test_sparse_arrays_stay_as_they_are(kind, tmp_path):
    array = getattr(sparse, kind)(np.eye(4)[:, :3] * 2)
    again = kept(array, tmp_path)
    assert type(again) is type(array)
    np.testing.assert_array_equal(again.toarray(), array.toarray())


def test_random_states_go_on(tmp_path):
    random_state = np.random.RandomState(5)
    random_state.normal(size=3)
    again = kept(random_state, tmp_path)
    np.testing.assert_array_equal(again.normal(size=5), random_state.normal(size=5))


def test_a_cache_is_not_saved(tmp_path):
    model = make_pipeline(StandardScaler(), GaussianNB(), memory=str(tmp_path / "cache"))
    assert round_trip(model.fit(X, codes), tmp_path).memory is None
    assert model.memory is not None


def test_the_machine_that_loads_says_how_many_processes(tmp_path):
    assert round_trip(ExtraTreesClassifier(2, n_jobs=2).fit(X, codes), tmp_path).n_jobs is None


def itself():
    loop = []
    loop.append(loop)
    return loop


class Own(BaseEstimator):
    """An estimator that is on no list."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda x: x, r"kw_args\['it'\] holds <function <lambda>"),
        (os.system, "built-in function system"),
        (itself(), "contains itself"),
        (sparse.eye_array(3).tolil(), "convert it to CSR"),
        (np.zeros(2).view(np.recarray), "holds a recarray"),
        ({"deep": [Ellipsis]}, r"kw_args\['it'\]\['deep'\]\[0\] holds a ellipsis"),
        ({1, 2}, "holds a set"),
        (open, "open"),
        (partial(np.log1p, dtype=float), "functools.partial"),
        (Own(), "holds a Own, which is not on the list"),
        (np.random.RandomState(np.random.PCG64(1)), "draws its numbers by PCG64"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(value, message, tmp_path):
    path = tmp_path / "model.crystalml"
    model = FunctionTransformer(np.log1p, kw_args={"it": value})
    with pytest.raises(PersistenceError, match=message) as refusal:
        save(model, path)
    assert not list(tmp_path.iterdir())
    if "itself" not in message:
        assert "skops.io.dump or joblib.dump" in str(refusal.value)


@pytest.mark.parametrize(
    "model",
    [
        Own(),
        KMeans(2, n_init=1),
        IsolationForest(n_estimators=2),
        GaussianProcessClassifier(),
        SplineTransformer(),
        MLPNetClassifier(optimizer=os.getcwd, **TINY),
    ],
    ids=lambda model: type(model).__name__,
)
def test_other_estimators_are_refused(model, tmp_path):
    with pytest.raises(PersistenceError, match="not on the list"):
        save(model, tmp_path / "model.crystalml")


def test_lightgbm_is_refused(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    with pytest.raises(PersistenceError, match="LGBMClassifier, which is not on the list"):
        save(lightgbm.LGBMClassifier(), tmp_path / "model.crystalml")


def test_attributes_that_the_list_does_not_know_are_named(tmp_path):
    model = StandardScaler().fit(X)
    model.offset_ = 3
    with pytest.raises(PersistenceError, match="StandardScaler keeps 'offset_'"):
        save(model, tmp_path / "model.crystalml")


def test_a_search_keeps_its_best_estimator(tmp_path):
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-3]}, cv=2).fit(X, codes)
    again = round_trip(search, tmp_path)
    assert again.best_params_ == search.best_params_
    assert not hasattr(again, "cv_results_")
    np.testing.assert_array_equal(again.predict(X), search.predict(X))


def test_all_public_estimators_of_crystalml_are_listed():
    import inspect

    import crystalml

    rooms = ("descriptors", "io", "model_selection", "neural", "symmetry")
    public = [
        getattr(getattr(crystalml, room), name)
        for room in rooms
        for name in getattr(crystalml, room).__all__
    ]
    estimators = {
        item.__name__
        for item in public
        if inspect.isclass(item) and issubclass(item, BaseEstimator)
    }
    assert len(estimators) > 15
    assert estimators <= set(trusted_types())


def test_splitters_and_groups_as_parameters(tmp_path):
    model = MLPNetClassifier(validation_splitter=GroupKFold(3), **TINY)
    assert round_trip(model, tmp_path).validation_splitter.n_splits == 3


def test_estimators_only(tmp_path):
    for value in (3, StandardScaler, {"model": StandardScaler()}):
        with pytest.raises(InvalidInputError, match="no estimator"):
            save(value, tmp_path / "model.crystalml")


def test_the_old_file_stays_where_saving_fails(tmp_path):
    path = tmp_path / "model.crystalml"
    save(StandardScaler(), path)
    before = path.read_bytes()
    with pytest.raises(PersistenceError):
        save(FunctionTransformer(lambda X: X), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_model_gives_the_same_bytes_but_for_the_date(tmp_path):
    model = fitted_net(MLPNetClassifier)
    manifests = []
    for name in "ab":
        save(copy.deepcopy(model), tmp_path / name)
        manifests.append(read_manifest(tmp_path / name)["members"])
    assert manifests[0] == manifests[1]


def test_another_version_of_sklearn_is_told_once(tmp_path):
    path = tmp_path / "model.crystalml"
    save(make_pipeline(StandardScaler(), GaussianNB()).fit(X, codes), path)
    versions = {**read_manifest(path)["versions"], "scikit-learn": "0.99.1"}
    rewrite_manifest(path, versions=versions)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        load(path)
    assert [str(w.message).partition(":")[0] for w in told] == ["load"]
    assert "scikit-learn 0.99.1" in str(told[0].message)
    assert told[0].filename == __file__


def test_another_version_of_a_library_that_the_model_holds_nothing_of_is_no_matter(tmp_path):
    path = tmp_path / "model.crystalml"
    save(CellDescriptors(), path)
    versions = {**read_manifest(path)["versions"], "scikit-learn": "0.99.1"}
    rewrite_manifest(path, versions=versions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(load(path), CellDescriptors)


def test_missing_files_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.crystalml")


AUDIT = """
import json, sys
opened, ran = [], []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        opened.append(str(arguments[0]))
    if event.split(".")[0] in ("subprocess", "socket", "pickle", "shutil") or event in (
        "os.system", "os.exec", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir"
    ):
        ran.append(event)
import sklearn.pipeline
sys.dont_write_bytecode = True
import crystalml, crystalml.persistence._files
sys.addaudithook(watch)
model = crystalml.load(sys.argv[1])
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps([opened, ran, loaded]))
"""
SCIENTIFIC = {"crystalml", "gemmi", "joblib", "narwhals", "numpy", "pandas", "scipy", "sklearn"}
HELPERS = {"_distutils_hack", "charset_normalizer", "cloudpickle", "dateutil", "psutil", "pyarrow"}
HELPERS |= {"pytz", "six", "threadpoolctl", "tzdata", "yaml", "packaging", "typing_extensions"}
HELPERS |= {"lazy_loader"}  # the names of crystalml's packages
HELPERS |= {"coverage", "$coverage"}  # nox -s coverage measures started programs, too


def test_loading_opens_starts_and_imports_nothing_but_what_the_model_needs(tmp_path):
    path = tmp_path / "model.crystalml"
    cells = np.column_stack([X[:, :3] + 3, np.full((len(X), 3), 90.0)])
    model = make_pipeline(CellDescriptors(), StandardScaler(), ExtraTreesClassifier(2))
    save(model.fit(cells, labels), path)
    run = subprocess.run(
        [sys.executable, "-c", AUDIT, str(path)], capture_output=True, text=True, check=True
    )
    opened, ran, loaded = json.loads(run.stdout)
    assert opened == []
    assert ran == []
    public = {name for name in loaded if not name.startswith("_")} - set(sys.stdlib_module_names)
    compiled = {name for name in public if name.startswith("cython")}
    assert public - compiled <= SCIENTIFIC | HELPERS


OLDER = sorted((Path(__file__).parent / "data").glob("*.crystalml"))


@pytest.mark.parametrize("path", OLDER, ids=lambda path: path.stem)
def test_files_of_earlier_versions_answer_as_they_did(path):
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    model = load(path)
    rows = expected["rows"]
    rows = pd.DataFrame(rows) if isinstance(rows, dict) else np.array(rows)
    answers = getattr(model, expected["method"])(rows)
    np.testing.assert_allclose(answers, expected["answers"], rtol=1e-4, atol=1e-6)


def test_there_are_files_of_earlier_versions():
    assert {path.stem for path in OLDER} == {"cells-2", "net-2"}
