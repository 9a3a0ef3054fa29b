"""What is loaded is what was saved: estimators of every make, nested in every way."""

import copy
import json
import os
import subprocess
import sys
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, NuSVC, OneClassSVM
from tests.persistence.model_files import rewrite, rewrite_manifest

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
from crystalml.crystallography import SpaceGroupSetting
from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import CrystalmlWarning, InvalidInputError, PersistenceError
from crystalml.persistence import read_manifest
from crystalml.persistence._attributes import attributes_of

X, codes = load_iris(return_X_y=True)
X, codes = X[::2], codes[::2]
labels = np.array(["cubic", "tetragonal", "trigonal"])[codes]
new_rows = X[:20] * 1.01
METHODS = ("predict", "predict_proba", "transform", "decision_function", "score_samples")
TINY = {"hidden_layer_sizes": (5,), "max_epochs": 2, "random_state": 0}


def round_trip(estimator, folder, **options):
    path = folder / "model.crystalml"
    save(estimator, path, **options)
    trusted = {key: options[key] for key in options if key == "trusted"}
    return load(path, **trusted)


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
    MLPClassifier((3,), max_iter=500, tol=1e-2),
    NuSVC(),
    SVC(),
    make_pipeline(SelectKBest(f_classif, k=2), LogisticRegression(max_iter=300)),
    StackingClassifier([("nb", GaussianNB())], LogisticRegression(max_iter=300), cv=2),
    VotingClassifier([("net", MLPNetClassifier(**TINY)), ("nb", GaussianNB())], voting="soft"),
    make_pipeline(DescriptorAutoencoder(2, **TINY), GaussianNB()),
    make_pipeline(StandardScaler(), MLPNetClassifier(batch_normalization=True, **TINY)),
]
OTHERS = [
    GaussianProcessRegressor(RBF(2.0) + WhiteKernel(1.0), optimizer=None),
    IsolationForest(n_estimators=3),
    KernelDensity(),
    KMeans(2, n_init=1, random_state=np.random.RandomState(0)),
    MLPNetRegressor(**TINY),
    OneClassSVM(),
    RandomForestRegressor(2, max_depth=3, criterion="absolute_error"),
    SVR(),
    make_pipeline(SplineTransformer(), Ridge()),
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


def test_torch_schedulers_and_optimizers_as_parameters(tmp_path):
    from functools import partial

    import torch

    step = partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5)
    model = fitted_net(MLPNetClassifier, optimizer=torch.optim.Adagrad, scheduler=step)
    again = round_trip(model, tmp_path)
    assert again.optimizer is torch.optim.Adagrad
    assert again.scheduler.keywords == step.keywords
    assert_same_answers(model, again, new_rows)
    clone(again).fit(X, codes)


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


class Keeper(BaseEstimator):
    """An estimator that keeps whatever it is given."""

    def __init__(self, kept=None):
        self.kept = kept


class Pair(NamedTuple):
    first: int
    second: str


TRUSTED = [f"{kind.__module__}.{kind.__name__}" for kind in (Keeper, Pair)]


def kept(value, folder):
    return round_trip(Keeper(value), folder, trusted=TRUSTED).kept


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        10**30,
        float("inf"),
        1 + 2j,
        "Å\ud800",
        b"\x00\xff",
        {"a": [1, (2, {3})], 4: frozenset({5}), (6, None): slice(1, None), 1.5: range(3)},
        Pair(1, "x"),
        np.float32(1.5),
        np.str_("x"),
        np.datetime64("2026-11-22"),
        np.dtype([("a", "<f8"), ("b", "U3", (2,))]),
        np.float64,
        len("x"),
    ],
    ids=lambda value: f"{value!r:.30}".encode("ascii", "replace").decode(),
)
def test_values_keep_value_and_type(value, tmp_path):
    again = kept(value, tmp_path)
    assert type(again) is type(value)
    assert again == value


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
        np.array(["2026-11-22", "NaT"], dtype="M8[D]"),
        np.array([1 + 1j]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_keep_type_shape_and_order(array, tmp_path):
    again = kept(array, tmp_path)
    np.testing.assert_array_equal(again, array, strict=True)
    assert again.flags.writeable
    contiguous = "C_CONTIGUOUS" if not array.flags.f_contiguous else "F_CONTIGUOUS"
    assert again.flags[contiguous]


def test_what_is_shared_stays_shared(tmp_path):
    array = np.arange(3)
    first, second = kept([array, {"again": array}], tmp_path)
    assert first is second["again"]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None], 3: [0.5, np.nan]}, index=["r", "s"]),
        pd.DataFrame({"c": pd.Categorical(["x", "y"]), "n": pd.array([1, None], dtype="Int64")}),
        pd.DataFrame({"s": pd.array(["NaN", None], dtype="string")}),
        pd.DataFrame({"t": pd.to_datetime(["2026-11-22", None])}),
        pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
        pd.DataFrame({"a": []}),
        pd.DataFrame([[1, 2.5]], columns=["same", "same"]),
    ],
)
def test_tables_stay_as_they_are(table, tmp_path):
    again = kept(table, tmp_path)
    pd.testing.assert_frame_equal(again, table)
    column = table.iloc[:, 0]
    pd.testing.assert_series_equal(kept(column, tmp_path), column)


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array", "bsr_matrix"])
def test_sparse_arrays_stay_as_they_are(kind, tmp_path):
    array = getattr(sparse, kind)(np.eye(4)[:, :3] * 2)
    again = kept(array, tmp_path)
    assert type(again) is type(array)
    np.testing.assert_array_equal(again.toarray(), array.toarray())


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "Philox", "SFC64"])
def test_random_generators_go_on(name, tmp_path):
    generator = np.random.Generator(getattr(np.random, name)(5))
    generator.normal(size=3)
    again = kept(generator, tmp_path)
    assert again.spawn(1)[0].integers(1e9) == generator.spawn(1)[0].integers(1e9)
    np.testing.assert_array_equal(again.normal(size=5), generator.normal(size=5))
    old = np.random.RandomState(getattr(np.random, name)(5))
    old.normal(size=3)
    np.testing.assert_array_equal(kept(old, tmp_path).normal(size=5), old.normal(size=5))


def test_a_cache_is_not_saved(tmp_path):
    model = make_pipeline(StandardScaler(), GaussianNB(), memory=str(tmp_path / "cache"))
    assert round_trip(model.fit(X, codes), tmp_path).memory is None
    assert model.memory is not None


def itself():
    loop = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda x: x, r"kept holds <function <lambda>.* has no name"),
        (os.system, r"posix\.system|nt\.system"),
        (itself(), "refers to itself"),
        (sparse.eye_array(3).tolil(), "convert it to CSR"),
        (np.zeros(2).view(np.recarray), "special kind of array"),
        ({"deep": [Ellipsis]}, r"kept\.deep\[0\] holds <class 'ellipsis'>"),
        (open, "open"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(value, message, tmp_path):
    path = tmp_path / "model.crystalml"
    with pytest.raises(PersistenceError, match=message):
        save(Keeper(value), path, trusted=TRUSTED)
    assert not list(tmp_path.iterdir())


def test_own_classes_must_be_trusted_on_both_sides(tmp_path):
    path = tmp_path / "model.crystalml"
    with pytest.raises(PersistenceError, match=r"pass trusted=\['.*Keeper'\]"):
        save(Keeper(1), path)
    save(Keeper(1), path, trusted=TRUSTED)
    with pytest.raises(PersistenceError, match=r"names .*Keeper"):
        load(path)
    assert load(path, trusted=TRUSTED).kept == 1
    with pytest.raises(InvalidInputError, match="full names"):
        load(path, trusted=["Keeper"])


def test_lightgbm_asks_for_trust(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, min_child_samples=5)
    model.fit(X, labels)
    with pytest.raises(PersistenceError, match=r"lightgbm\.basic\.Booster"):
        round_trip(model, tmp_path)
    again = round_trip(model, tmp_path, trusted=["lightgbm.basic.Booster"])
    assert_same_answers(model, again, new_rows)


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


class TestStatesOfTheLibrary:
    """Models of a state of the library whose classes kept other attributes."""

    def saved_by_another_state(self, tmp_path, change):
        path = tmp_path / "model.crystalml"
        save(CellDescriptors(), path)
        name = "crystalml.descriptors._cell.CellDescriptors"
        then = change(list(read_manifest(path)["attributes"][name]))
        rewrite_manifest(path, attributes={name: then})
        return path

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                lambda names: [*names, "offsets_"],
                r"kept \['offsets_'\], which it does not any more",
            ),
            (lambda names: names[1:], r"did not keep \['features'\], which it needs now"),
        ],
        ids=["removed since", "added since"],
    )
    def test_are_refused_in_one_sentence(self, tmp_path, change, said):
        path = self.saved_by_another_state(tmp_path, change)
        with pytest.raises(PersistenceError, match="another state of crystalml.*" + said) as caught:
            load(path)
        assert "CellDescriptors" in str(caught.value)
        assert "Fit and save the model anew" in str(caught.value)

    def test_are_read_by_classes_that_know_their_older_states(self, tmp_path, monkeypatch):
        path = self.saved_by_another_state(tmp_path, lambda names: names[1:])
        update = lambda self, state: vars(self).update(state)  # noqa: E731
        monkeypatch.setattr(CellDescriptors, "__setstate__", update, raising=False)
        assert isinstance(load(path), CellDescriptors)

    def test_of_the_same_release_are_not_compared(self, tmp_path, monkeypatch):
        path = self.saved_by_another_state(tmp_path, lambda names: names[1:])
        rewrite_manifest(path, versions={"crystalml": "1.0"})
        monkeypatch.setattr("crystalml.persistence._attributes.__version__", "1.0")
        assert isinstance(load(path), CellDescriptors)

    def test_without_a_record_are_read(self, tmp_path):
        path = tmp_path / "model.crystalml"
        save(CellDescriptors(), path)
        rewrite_manifest(path, attributes={})
        assert isinstance(load(path), CellDescriptors)

    def test_whose_private_classes_are_gone_are_refused_in_one_sentence(self, tmp_path):
        path = tmp_path / "model.crystalml"
        save(CellDescriptors(), path)

        def change(nodes):
            nodes[-1][1] = "crystalml.descriptors._cell.CellDescriptorsOfOld"

        rewrite(path, change)
        with pytest.raises(PersistenceError, match=r"cannot be imported here .* save it anew"):
            load(path)


def test_attributes_of_classes_are_what_their_instances_hold():
    model = MLPNetClassifier(hidden_layer_sizes=(2,), max_epochs=1).fit(X, labels)
    found = set(attributes_of(MLPNetClassifier))
    assert set(vars(model)) - {"n_features_in_"} <= found
    assert set(model.get_params()) <= found
    assert attributes_of(SpaceGroupSetting) == list(SpaceGroupSetting._fields)
