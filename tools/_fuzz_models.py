"""Hostile model files for `fuzz.py`: every form composed with every listed name, then used.

A model file is taken apart into its state, with the bytes of each array beside its form, changed
by the grammar of such states, and packed with checksums to match. `load` must refuse it or give
an estimator; the estimator then predicts. Neither may write, start, import or compile anything,
take more memory than `load` promises, or end the interpreter.
"""

import json
import marshal
import re
import resource
import sys
import tempfile
import warnings
from copy import deepcopy
from pathlib import Path

_MEGABYTES = 1_000_000
# Peak of the process above what it was after the seeds: promised for load, and for a prediction.
_MOST_MEMORY = 400
_FORBIDDEN = re.compile(
    r"os\.(system|exec|posix_spawn|fork|remove|rename|mkdir|rmdir|chmod|link|symlink|truncate)"
    r"|subprocess\.|socket\.|shutil\.|ctypes\.|pickle\.|compile$|import$"
)
_PLAIN = [0, 1, -1, 2**31, 2**63, 10**30, 0.5, 1e308, True, False, None, "", "x", "zero", "brute"]
_PLAIN += ["euclidean", "precomputed", "os.system", "sklearn.tree.export_graphviz", "memory"]
_ATTRIBUTES = ["__class__", "__dict__", "__sklearn_tags__", "predict", "fit", "memory", "n_jobs"]
_ATTRIBUTES += ["__reduce__", "_get_param_names", "classes_", "tree_", "net_", "estimators_"]
_DTYPES = ["<f8", "<f4", "<i8", "<i4", "|b1", "|u1", "<u8", "<U3", "|S2", "|O", "<c16", "<M8[D]"]


class ModelTarget:
    """`load` and the first prediction of any file: an answer, or an ordinary error."""

    name = "model"

    def __init__(self, corpus):
        from crystalml.persistence import _estimators

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "model.crystalml"
        self.names = sorted(_estimators.listings())
        self.functions = sorted(_estimators.listed_functions())
        self.attributes = sorted({k for _, _, kinds, _ in self._listings() for k in kinds})
        self.attributes += _ATTRIBUTES
        self.inputs, seeds = _seeds(Path(self.folder.name))
        self.files = [*seeds, *_files(corpus / self.name)]
        parts = [parts for data in self.files if (parts := _taken_apart(data))]
        self.forms = [form for state, *_ in parts for form in _all_forms(state)]
        self.parts = [marshal.dumps(part) for part in parts]
        self.watching, self.seen = False, []
        for data in seeds:  # what is imported late is imported now
            self._use(data)
        self.peak = _peak()
        sys.addaudithook(self._watch)

    def _listings(self):
        """Import every listed class; yield its name, class, kinds and what is not kept."""
        from sklearn import calibration

        from crystalml.persistence import _estimators

        for name, listing in _estimators.listings().items():
            if name == "_TemperatureScaling" and not hasattr(calibration, name):
                continue  # since scikit-learn 1.8
            yield name, _estimators.find_class(name), listing.kinds, listing.unkept

    def make(self, chance):
        """Make an input: damaged as a whole, or changed inside and packed anew."""
        from _fuzz_targets import mutated_bytes

        if chance.random() < 0.1:
            return mutated_bytes(chance, self.files, [b"PK\x03\x04", b"\x80\x04", b"\x00" * 8])
        state, manifest, nets = marshal.loads(chance.choice(self.parts))  # noqa: S302 - our own
        if chance.random() < 0.4:
            # Numbers alone: most of these files load, and reach compiled code.
            _change_numbers(chance, state)
        else:
            for _ in range(chance.choice([1, 1, 2, 3])):
                state = self._changed(chance, state)
        if nets and chance.random() < 0.1:
            nets[0] = mutated_bytes(chance, nets, [b"\x00" * 8, b"F32", b'"shape":[9999999999]'])
        return _put_together(state, manifest, nets)

    def check(self, data):
        """Load and predict; return what became of it."""
        self.seen.clear()
        self.watching = True
        try:
            outcome = self._use(data)
        finally:
            self.watching = False
        if self.seen:
            raise AssertionError(f"the file caused {self.seen[:3]!r}")
        if _peak() > self.peak + _MOST_MEMORY * _MEGABYTES:
            grown, self.peak = _peak() - self.peak, _peak()
            raise AssertionError(f"the file of {len(data)} bytes took {grown} bytes of memory")
        return outcome

    def _use(self, data):
        import numpy as np

        from crystalml import load
        from crystalml.exceptions import PersistenceError

        watched, self.watching = self.watching, False
        self.path.write_bytes(data)
        self.watching = watched
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                model = load(self.path, max_size=2**26)
            except PersistenceError:
                return "refused"
            return self._predicted(model)

    def _predicted(self, model):
        """Let a model answer rows of each kind that may fit; an ordinary error is an answer."""
        outcome = "loaded"
        for rows in self.inputs:
            for method in ("predict_proba", "predict", "transform"):
                try:
                    getattr(model, method)(rows)
                except (Exception, RecursionError):  # noqa: BLE001, S112 - any error may come of it
                    continue
                outcome = "answered"
            if outcome == "answered":
                break
        return outcome

    def _watch(self, event, arguments):
        if not self.watching:
            return
        mode = arguments[1] if event == "open" and len(arguments) > 1 else None
        writes = isinstance(mode, str) and set(mode) & set("wax+")
        runs_text = event == "exec" and str(arguments[0].co_filename).startswith("<string")
        if (_FORBIDDEN.match(event) and not _is_known(event, arguments)) or writes or runs_text:
            self.seen.append((event, str(arguments)[:100]))

    def _changed(self, chance, state):
        """Change one place of a state, by its grammar or without."""
        places = [*_places(state)]
        holder, key = chance.choice(places) if places else (None, None)
        if holder is None:
            return self._form(chance, 0)
        kind = chance.randrange(6)
        if kind == 0 and _is_block(holder[key]):
            _change_block(chance, holder[key], chance.randrange(5))
        elif kind == 1 and isinstance(holder[key], list) and holder[key]:
            part = holder[key]
            part.insert(chance.randrange(len(part) + 1), deepcopy(chance.choice(part)))
        elif kind == 2:
            del holder[key]
        elif kind == 3 and isinstance(holder[key], str):
            holder[key] = chance.choice([*self.names, *self.functions, *self.attributes])
        elif kind == 4 and isinstance(holder[key], int):
            holder[key] += chance.choice([-1, 1, 8, 10**6])
        else:
            holder[key] = self._form(chance, 0)
        return state

    def _form(self, chance, depth):
        """Compose a form from the grammar."""
        kind = chance.randrange(12 if depth < 3 else 4)
        if kind < 2:
            return chance.choice(_PLAIN)
        if kind == 2:
            return ["function", chance.choice(self.functions)]
        if kind == 3:
            return [chance.choice(["array", "number"]), _block(chance)]
        if kind == 4:
            return deepcopy(chance.choice(self.forms))
        inner = [self._form(chance, depth + 1) for _ in range(chance.randrange(4))]
        if kind == 5:
            return [chance.choice(["list", "tuple", "table", "sparse", "random", "tree"]), inner]
        if kind == 6:
            return ["dict", [[chance.choice(_PLAIN), item] for item in inner]]
        if kind == 7:
            return ["objects", [chance.choice([len(inner), 0, 10**9])], inner]
        if kind == 8:
            name = chance.choice(["slice", "same", "type", "dtype", "float", "function"])
            return [name, *inner]
        attributes = [[chance.choice(self.attributes), item] for item in inner]
        return ["estimator", chance.choice(self.names), attributes]


def _seeds(folder):
    """Return rows to ask for answers, and small model files of every make."""
    import numpy as np
    import pandas as pd
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm
    from sklearn import preprocessing as prepare
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeRegressor

    import crystalml
    from crystalml.datasets import load_cod_inorganic
    from crystalml.persistence._container import pack, unpack

    X, y = load_iris(return_X_y=True)
    X, y = X[::3], y[::3]
    tiny = {"max_epochs": 1, "random_state": 0}
    columns = make_column_transformer(
        (prepare.OneHotEncoder(handle_unknown="ignore", min_frequency=2), [0]),
        (prepare.OrdinalEncoder(), [1]),
        remainder=prepare.PowerTransformer(),
    )
    bayes = naive_bayes.GaussianNB()
    models = [
        make_pipeline(prepare.FunctionTransformer(np.log1p), ensemble.ExtraTreesClassifier(2)),
        ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features=[3]),
        ensemble.GradientBoostingClassifier(n_estimators=2, max_depth=2),
        ensemble.GradientBoostingRegressor(n_estimators=2, max_depth=2),
        ensemble.BaggingClassifier(n_estimators=2, max_features=2),
        ensemble.AdaBoostClassifier(n_estimators=2),
        ensemble.StackingClassifier([("a", bayes)], linear_model.LogisticRegression(), cv=2),
        DecisionTreeRegressor(max_depth=3),
        make_pipeline(prepare.StandardScaler(), svm.SVC(probability=False)),
        svm.NuSVR(),
        neighbors.KNeighborsClassifier(3),
        neighbors.KNeighborsClassifier(3, algorithm="brute", weights="distance"),
        neighbors.KNeighborsRegressor(3, algorithm="ball_tree"),
        CalibratedClassifierCV(bayes, cv=2, method="isotonic"),
        neural_network.MLPClassifier((3,), max_iter=5),
        make_pipeline(columns, linear_model.Ridge()),
        make_pipeline(prepare.StandardScaler(), crystalml.MLPNetClassifier((3,), **tiny)),
        crystalml.TabNetClassifier(n_d=2, n_a=2, n_steps=2, **tiny),
        crystalml.model_selection.ConformalClassifier(bayes, cv=2),
    ]
    fitted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in models:
            # An input follows from its number alone: the seeds must be the same every time.
            known = [name for name in model.get_params() if name.endswith("random_state")]
            model.set_params(**dict.fromkeys(known, 0))
            fitted.append(model.fit(np.round(X), y))
    table, numbers = load_cod_inorganic(return_X_y=True)
    small = crystalml.SpaceGroupClassifier(n_trees=2, n_rounds=2, random_state=0)
    fitted.append(small.fit(table[::900], numbers[::900]))
    fitted.append(crystalml.CellDescriptors())
    rows = table.iloc[[5, 77]]
    cells = rows[["a", "b", "c", "alpha", "beta", "gamma"]]
    files = []
    for model in fitted:
        crystalml.save(model, folder / "seed.crystalml")
        manifest, members = unpack((folder / "seed.crystalml").read_bytes(), None)
        files.append(pack({**manifest, "created": "2026-11-30T00:00:00+00:00"}, members))
    return [np.round(X[:8]), pd.DataFrame(rows), cells], files


def _taken_apart(data):
    """Return state with arrays, manifest and nets of an intact model file; None of another."""
    from crystalml.exceptions import PersistenceError
    from crystalml.persistence._container import unpack

    try:
        manifest, members = unpack(data, 2**26)
        state = json.loads(members["state.json"])
        _inline(state, [memoryview(members["numbers.bin"])])
    except (PersistenceError, ValueError, RecursionError, TypeError):
        return None
    manifest = {k: v for k, v in manifest.items() if k not in ("format", "format_version")}
    return state, manifest, [members[name] for name in sorted(members) if name[:5] == "nets/"]


def _inline(state, rest):
    """Put the bytes of each array beside its form."""
    import numpy as np

    from crystalml.persistence._values import read_dtype

    if _is_block(state):
        size = int(np.prod(state[1], dtype=object)) * read_dtype(state[0]).itemsize
        state.append(bytes(rest[0][:size]))
        rest[0] = rest[0][size:]
    elif isinstance(state, list):
        for part in state:
            _inline(part, rest)


def _put_together(state, manifest, nets):
    """Pack a state with the bytes beside its forms."""
    from crystalml.persistence._container import pack

    blocks = []
    members = {
        "state.json": json.dumps(_outline(state, blocks)).encode(),
        "numbers.bin": b"".join(blocks),
        **{f"nets/{number}.safetensors": net for number, net in enumerate(nets)},
    }
    return pack(manifest, members)


def _outline(state, blocks):
    if not isinstance(state, list):
        return None if isinstance(state, bytes) else state
    if state and isinstance(state[-1], bytes):
        blocks.append(state[-1])
        state = state[:-1]
    return [_outline(part, blocks) for part in state]


def _is_block(state):
    return (
        isinstance(state, list)
        and len(state) in (3, 4)
        and state[2] in ("C", "F")
        and isinstance(state[1], list)
    )


def _places(state):
    """Yield every place inside a state, as its holder and index; few of long lists."""
    if isinstance(state, list) and not _is_block(state):
        for key, part in enumerate(state[:60]):
            yield state, key
            yield from _places(part)


def _all_forms(state):
    """Yield the smaller forms inside a state."""
    for holder, key in _places(state):
        part = holder[key]
        is_form = isinstance(part, list) and part and isinstance(part[0], str)
        if is_form and len(str(part)) < 20_000:
            yield part


def _block(chance):
    """Make a block of random numbers."""
    shape = [chance.choice([0, 1, 2, 3, 4, 50, 150]) for _ in range(chance.randrange(3))]
    dtype = chance.choice(_DTYPES)
    size = 8
    for length in shape:
        size *= length
    return [dtype, shape, chance.choice("CF"), chance.randbytes(min(size, 4096))]


def _change_numbers(chance, state):
    """Change plain numbers, or numbers of an array, and nothing of the form."""
    places = [(holder, key) for holder, key in _places(state) if _has_numbers(holder[key])]
    for _ in range(chance.choice([1, 1, 2]) if places else 0):
        holder, key = chance.choice(places)
        if _is_block(holder[key]):
            _change_block(chance, holder[key], 3)
        elif _has_numbers(holder[key]):
            holder[key] = chance.choice([holder[key] + 1, -holder[key], 0, 10**6, 0.5, None])


def _has_numbers(part):
    return _is_block(part) or type(part) in (int, float)


def _change_block(chance, block, kind):
    """Change type, shape, order or numbers of a block."""
    if kind == 0:
        block[0] = chance.choice(_DTYPES)
    elif kind == 1 and block[1]:
        block[1][chance.randrange(len(block[1]))] += chance.choice([-1, 1, 10**9])
    elif kind == 2:
        block[1] = block[1][::-1]
    elif isinstance(block[-1], bytes) and block[-1]:
        data = bytearray(block[-1])
        for _ in range(chance.choice([1, 4, 64])):
            place = chance.randrange(len(data))
            data[place] = chance.choice([0, 1, 2, 127, 255, chance.randrange(256)])
        block[-1] = bytes(data)


def _is_known(event, arguments):
    """Tell whether a library does for itself what the file has no part in."""
    if event == "compile":
        # `inspect` and joblib parse (and never run) signatures and numbers of jobs; torch compiles
        # the name of its profiler when a net is built for the first time.
        return arguments[1] == "<unknown>" or str(arguments[0]).startswith("b'torch.classes.")
    # What is there already, or belongs to an installed library that imports it late.
    late = ("distributed", "importlib_metadata", "email", "logging", "joblib")
    return event == "import" and (arguments[0] in sys.modules or arguments[0].split(".")[0] in late)


def _peak():
    """Return the largest memory that this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _files(folder):
    """Return the contents of the files of a folder, if there is one."""
    return [path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()]
