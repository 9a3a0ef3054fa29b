"""Well-formed files by an attacker: checksums match, and nothing is run, built or read astray."""

import json
import re
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from tests.persistence.model_files import position, rewrite

from crystalml import MLPNetClassifier, load, save
from crystalml.exceptions import PersistenceError
from crystalml.persistence._container import pack, unpack

X, y = load_iris(return_X_y=True)


def saved(model, folder, *, fit=True):
    path = folder / "model.crystalml"
    save(model.fit(X, y) if fit else model, path)
    return path


@pytest.fixture
def path(tmp_path):
    return saved(FunctionTransformer(np.log1p), tmp_path)


STRANGERS = [
    ["function", "os.system"],
    ["function", "builtins.eval"],
    ["function", "builtins.__import__"],
    ["function", "numpy.load"],
    ["function", "numpy.f2py.compile"],
    ["function", "sklearn.datasets._base.load_files"],
    ["function", "sklearn.utils._testing.assert_run_python_script_without_output"],
    ["function", "crystalml.io._parquet._write.cifs_to_parquet"],
    ["function", "crystalml.persistence._files.load"],
    ["function", "crystalml.symmetry.import_module"],
    ["object", "subprocess.Popen", None],
    ["object", "pathlib._local.Path", None],
    ["object", "joblib.memory.Memory", None],
    ["object", "lightgbm.basic.Booster", None],
    ["object", "sklearn.utils._mocking.CheckingClassifier", None],
    ["object", "crystalml.io._cod._client.CODClient", None],
    ["object", "builtins.dict", None],
    ["object", "os", None],
    ["type", "types.FunctionType"],
    ["type", "torch.optim.os.PathLike"],
    ["type", "builtins.type"],
    ["loss", "os.system", ["true"]],
    ["loss", "sklearn._loss._loss.Cython", []],
    ["named_tuple", "os.stat_result", []],
    ["net", "subprocess.Popen", None, None, 0],
    ["booster", "tree", 1, None],
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda node: f"{node[0]}-{node[1]}")
def test_strangers_are_refused(path, stranger):
    def change(nodes):
        nodes[position(nodes, "function")] = stranger

    rewrite(path, change)
    name = "lightgbm.basic.Booster" if stranger[0] == "booster" else stranger[1]
    with pytest.raises(PersistenceError, match=re.escape(name)):
        load(path)


def test_all_strangers_are_listed_and_none_is_imported(path, tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    (tmp_path / "lurking_module.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def change(nodes):
        nodes[position(nodes, "function")] = ["function", "lurking_module.Estimator"]
        return [["type", "posix.DirEntry"], *nodes[:0]] + [shifted(node) for node in nodes]

    def shifted(node):
        if isinstance(node, list):
            return (
                [node[0] + 1] if len(node) == 1 and type(node[0]) is int else [*map(shifted, node)]
            )
        return node

    rewrite(path, change)
    with pytest.raises(PersistenceError, match=r"lurking_module\.Estimator', 'posix\.DirEntry'"):
        load(path)
    assert "lurking_module" not in sys.modules
    assert not marker.exists()


def test_functions_are_stored_by_name_and_called_only_in_use(path):
    def change(nodes):
        nodes[position(nodes, "function")] = ["partial", ["function"], [], {}]

    rewrite(path, change)
    with pytest.raises(PersistenceError):
        load(path)


def replace_state(nodes, key, value):
    """Set an attribute of the outermost estimator."""
    state = nodes[nodes[-1][2][0]]
    state[1] = [item for item in state[1] if item[0] != key] + [[key, value]]


def test_caches_of_pickles_are_not_named(tmp_path):
    path = saved(make_pipeline(StandardScaler()), tmp_path)
    rewrite(path, lambda nodes: replace_state(nodes, "memory", str(tmp_path)))
    with pytest.raises(PersistenceError, match="cache of pickles"):
        load(path)


def change_numbers(path, node_index, change):
    """Let `change` alter an array in a model file."""
    manifest, members = unpack(path.read_bytes(), None)
    nodes = json.loads(members["graph.json"])
    _, described, shape, _, start = nodes[node_index(nodes)]
    fields = (
        [(name, kind) for name, kind, *_ in described] if isinstance(described, list) else described
    )
    dtype = np.lib.format.descr_to_dtype(fields)
    data = bytearray(members["numbers.bin"])
    array = np.frombuffer(data, dtype, count=int(np.prod(shape)), offset=start).reshape(shape)
    change(array)
    members["numbers.bin"] = bytes(data)
    path.write_bytes(pack(manifest, members))


def nodes_of_tree(nodes):
    return next(
        index
        for index, node in enumerate(nodes)
        if node[0] == "array" and isinstance(node[1], list) and len(node[2]) == 1
    )


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (DecisionTreeClassifier(max_depth=2), "left_child", 0),
        (DecisionTreeClassifier(max_depth=2), "right_child", 10**9),
        (DecisionTreeClassifier(max_depth=2), "left_child", -5),
        (DecisionTreeClassifier(max_depth=2), "feature", 4),
        (DecisionTreeClassifier(max_depth=2), "feature", -3),
        (ExtraTreesClassifier(2), "feature", 99),
        (GradientBoostingClassifier(n_estimators=2), "right_child", 0),
        (HistGradientBoostingClassifier(max_iter=2), "left", 0),
        (HistGradientBoostingClassifier(max_iter=2), "right", 2**31),
        (HistGradientBoostingClassifier(max_iter=2), "feature_idx", 4),
        (HistGradientBoostingClassifier(max_iter=2), "feature_idx", -1),
        (HistGradientBoostingClassifier(max_iter=2), "is_categorical", 1),
    ],
    ids=str,
)
def test_trees_that_lead_out_of_their_arrays(model, field, value, tmp_path):
    path = saved(model, tmp_path)

    def change(array):
        array[field][0] = value

    change_numbers(path, nodes_of_tree, change)
    with pytest.raises(PersistenceError, match="made to do harm"):
        load(path)


def test_forests_whose_width_is_not_that_of_their_trees(tmp_path):
    path = saved(ExtraTreesClassifier(2), tmp_path)
    rewrite(path, lambda nodes: replace_state(nodes, "n_features_in_", 1))
    with pytest.raises(PersistenceError, match="another width than its forest"):
        load(path)


@pytest.mark.parametrize("key", ["n_features_in_", "shape_fit_"])
def test_support_vectors_of_contradicting_shapes(key, tmp_path):
    path = saved(SVC(), tmp_path)
    value = [0] if key == "shape_fit_" else 3
    rewrite(path, lambda nodes: replace_state(nodes, key, value))
    with pytest.raises(PersistenceError):
        load(path)


@pytest.fixture
def net(tmp_path):
    return saved(MLPNetClassifier(hidden_layer_sizes=(3,), max_epochs=2), tmp_path)


def parameters_of_net(nodes):
    return next(
        node for node in nodes if node[0] == "dict" and node[1] and node[1][0][0] == "n_inputs"
    )


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_inputs", 5), ("n_outputs", 10**12), ("activation", "os.system")]
)
def test_nets_of_another_shape_take_no_memory(net, parameter, value):
    def change(nodes):
        entries = parameters_of_net(nodes)
        entries[1] = [[key, value if key == parameter else old] for key, old in entries[1]]

    rewrite(net, change)
    with pytest.raises(PersistenceError):
        load(net)


def test_nets_are_named_but_not_looked_up(net):
    def change(nodes):
        for node in nodes:
            if node[0] == "dict":
                node[1] = [[k, "Autoencoder" if k == "module" else v] for k, v in node[1]]

    rewrite(net, change)
    with pytest.raises(PersistenceError, match="its net is 'MLP', but the file holds"):
        load(net)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 8 + b"{}", bytes(100)])
def test_weights_that_are_no_safetensors(net, content):
    manifest, members = unpack(net.read_bytes(), None)
    members["nets/0.safetensors"] = content
    net.write_bytes(pack(manifest, members))
    with pytest.raises(PersistenceError):
        load(net)


def random_models():
    mersenne, philox = np.random.RandomState(0), np.random.Generator(np.random.Philox(0))
    return [
        ("pos", 625, mersenne),
        ("pos", -1, mersenne),
        ("buffer_pos", 5, philox),
        ("bit_generator", "os.system", mersenne),
        ("bit_generator", "SeedSequence", philox),
        ("pool_size", 10**6, philox),
    ]


@pytest.mark.parametrize(("key", "value", "generator"), random_models(), ids=lambda part: f"{part}")
def test_generators_at_impossible_positions(tmp_path, key, value, generator):
    path = saved(
        FunctionTransformer(np.log1p, kw_args={"generator": generator}), tmp_path, fit=False
    )

    def change(nodes):
        for node in nodes:
            if node[0] == "dict":
                node[1] = [[name, value if name == key else old] for name, old in node[1]]

    load(path)
    rewrite(path, change)
    with pytest.raises(PersistenceError, match=r"random generator"):
        load(path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("csr_matrix_of_mine", "is no sparse array"), ("csr_array", "indices must be")],
)
def test_sparse_arrays_that_lead_out_of_their_columns(tmp_path, kind, said):
    table = sparse.csr_array(np.eye(3))
    path = saved(FunctionTransformer(np.log1p, kw_args={"table": table}), tmp_path, fit=False)

    def change(nodes):
        node = nodes[position(nodes, "sparse")]
        node[1:3] = [kind, [3, 2]]

    rewrite(path, change)
    with pytest.raises(PersistenceError, match=said):
        load(path)


NUMBER = ["array", "<f8", [3], "C", 0]


@pytest.mark.parametrize(
    "nodes",
    [
        [],
        {},
        3,
        [["nothing"]],
        [["array", "|O", [1], "C", 0]],
        [["array", [["x", "|O"]], [1], "C", 0]],
        [["array", "<f8", [10**15], "C", 0]],
        [["array", "<f8", [-1], "C", 0]],
        [["array", "<f8", [1], "C", -8]],
        [["array", "|V0", [10**18], "C", 0]],
        [["array", "|S999999999", [0], "C", 0]],
        [["array", "float64, object", [0], "C", 0]],
        [["objects", [10**12], []]],
        [["list", [[0]]]],
        [["list", [[-1]]]],
        [["list", [[True]]]],
        [["sparse", "csr_array", [2, 2], [[1]]]],
        [["tuple", []], *(["tuple", [[k], [k]]] for k in range(60)), ["set", [[60]]]],
        [["tuple", []], ["tuple", [[0]]], ["tuple", [[1]]], ["dict", [[[2], 1]]]],
        [["type", "numpy.float64"], ["partial", [0], 1, 2]],
        [["extension", "os.system", 1]],
        [["float", "1e3"]],
        [["object", ["os.system"], None]],
        [["dict", []], ["generator", [0], [0]]],
        [["dict", []]],
    ],
    ids=lambda nodes: f"{nodes!r:.50}",
)
def test_impossible_nodes(path, nodes):
    manifest, members = unpack(path.read_bytes(), None)
    members["graph.json"] = json.dumps(nodes).encode()
    path.write_bytes(pack(manifest, members))
    with pytest.raises(PersistenceError):
        load(path)


@pytest.mark.parametrize(
    "text", [b"", b"[" * 100_000, b'[["int", 1' + b"0" * 5000 + b"]]", b"\xff"]
)
def test_impossible_json(path, text):
    manifest, members = unpack(path.read_bytes(), None)
    members["graph.json"] = text
    path.write_bytes(pack(manifest, members))
    with pytest.raises(PersistenceError):
        load(path)


# What an attacker wants to see, and what no model file may cause.
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "pickle.find_class", "subprocess.Popen"}
FORBIDDEN |= {"socket.connect", "os.remove", "os.rename", "os.mkdir", "shutil.rmtree"}
seen = []
watching = [False]


def watch(event, arguments):
    if not watching[0]:
        return
    mode = arguments[1] if event == "open" and len(arguments) > 1 else None
    if event in FORBIDDEN or (isinstance(mode, str) and set(mode) & set("wax+")):
        seen.append((event, str(arguments)[:100]))


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    sys.addaudithook(watch)
    folder = tmp_path_factory.mktemp("samples")
    models = [
        make_pipeline(StandardScaler(), MLPNetClassifier(hidden_layer_sizes=(3,), max_epochs=2)),
        make_pipeline(FunctionTransformer(np.log1p), ExtraTreesClassifier(2, max_depth=3)),
        HistGradientBoostingClassifier(max_iter=2),
        SVC(),
    ]
    return folder, [(model, saved(model, folder).read_bytes()) for model in models]


def loaded_quietly(path):
    """Load a file under watch; None if it was refused."""
    watching[0] = True
    try:
        return load(path)
    except PersistenceError:
        return None
    finally:
        watching[0] = False
        assert seen == []


FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(data=st.data())
def test_flipped_bytes_are_noticed_or_without_effect(samples, data):
    folder, models = samples
    model, content = data.draw(st.sampled_from(models))
    changed = bytearray(content)
    flips = st.lists(
        st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255)), min_size=1, max_size=4
    )
    for place, flip in data.draw(flips):
        changed[place] ^= flip
    path = folder / "flipped.crystalml"
    path.write_bytes(bytes(changed))
    again = loaded_quietly(path)
    if again is not None:
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["os.system", "builtins.exec", "object", "memory", "array", "|O", "C", ""]),
    st.lists(st.integers(-2, 60), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
)


def mutated(data, node):
    """Replace a part of nested lists by anything."""
    if not isinstance(node, list) or not node or data.draw(st.integers(0, 9)) == 0:
        return data.draw(ANYTHING)
    index = data.draw(st.integers(0, len(node) - 1))
    return [*node[:index], mutated(data, node[index]), *node[index + 1 :]]


@FUZZ
@given(data=st.data())
def test_changed_structures_are_refused_or_load_quietly(samples, data):
    folder, models = samples
    _, content = data.draw(st.sampled_from(models))
    manifest, members = unpack(content, None)
    nodes = json.loads(members["graph.json"])
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(nodes) - 1))
        nodes[index] = mutated(data, nodes[index])
    path = folder / "mutated.crystalml"
    path.write_bytes(pack(manifest, {**members, "graph.json": json.dumps(nodes).encode()}))
    loaded_quietly(path)


@FUZZ
@given(data=st.data())
def test_changed_numbers_do_not_crash_predictions(samples, data):
    folder, models = samples
    _, content = data.draw(st.sampled_from(models[1:]))
    manifest, members = unpack(content, None)
    numbers = bytearray(members["numbers.bin"])
    for place in data.draw(st.lists(st.integers(0, len(numbers) - 1), min_size=1, max_size=20)):
        numbers[place] = data.draw(st.integers(0, 255))
    path = folder / "numbers.crystalml"
    path.write_bytes(pack(manifest, {**members, "numbers.bin": bytes(numbers)}))
    again = loaded_quietly(path)
    if again is not None:
        with np.errstate(all="ignore"):
            try:
                again.predict(X)
            except (ValueError, IndexError, FloatingPointError, OverflowError):
                return
