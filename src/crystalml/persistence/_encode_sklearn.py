"""Compiled objects inside scikit-learn's estimators, and LightGBM's model, as nodes."""

import re

LOSS = re.compile(
    r"sklearn\._loss\._loss\.Cy[A-Z]\w+"
    r"|sklearn\.linear_model\._sgd_fast\."
    r"(EpsilonInsensitive|Hinge|ModifiedHuber|SquaredEpsilonInsensitive|SquaredHinge)",
    re.ASCII,
)
SEARCH_TREES = ("BallTree", "KDTree")
# Class of the distance -> name under which the search tree is built anew.
DISTANCES = {
    "ChebyshevDistance": "chebyshev",
    "EuclideanDistance": "euclidean",
    "HaversineDistance": "haversine",
    "ManhattanDistance": "manhattan",
    "MinkowskiDistance": "minkowski",
}
BOOSTER = "lightgbm.basic.Booster"


def loss_name(kind):
    """Return the name under which a class of compiled losses is imported.

    Those of scikit-learn before 1.9 call their module ``_loss``, which nobody can import.
    """
    module = "sklearn._loss._loss" if kind.__module__ == "_loss" else kind.__module__
    return f"{module}.{kind.__name__}"


def loss_arguments(value):
    """Return the arguments that build a compiled loss, or None if `value` is none."""
    kind = type(value)
    if not LOSS.fullmatch(loss_name(kind)):
        return None
    build, arguments, *_ = value.__reduce__()
    if build is kind:
        return tuple(arguments)
    return tuple(arguments[2] or ())  # Cython's own way: class, checksum, state


def _tree(encoder, value):
    _, (n_features, n_classes, n_outputs), state = value.__reduce__()
    slots = encoder.slots([n_classes, state["nodes"], state["values"]])
    return ["tree", n_features, slots[0], n_outputs, state["max_depth"], *slots[1:]]


def _search_tree(encoder, value):
    """Keep the points of a search tree, which is built anew from them."""
    state = value.__getstate__()
    distance = state[-2]
    name = type(distance).__name__.rstrip("0123456789")
    if name not in DISTANCES:
        raise encoder.refusal(value, f"measures distances by {name}; use algorithm='brute'")
    options = {"p": float(distance.__getstate__()[0])} if name == "MinkowskiDistance" else {}
    slots = encoder.slots([state[0], options, state[-1]])
    return ["search_tree", type(value).__name__, DISTANCES[name], int(state[4]), *slots]


def _spline(encoder, value):
    return ["spline", *encoder.slots([value.t, value.c, value.k, value.extrapolate, value.axis])]


def _column_list(encoder, value):
    return ["list", encoder.slots(value.data)]


def _booster(encoder, value):
    encoder.name(type(value), "object")
    text = value.model_to_string(num_iteration=-1)
    return ["booster", text, value.best_iteration, encoder.slot(dict(value.best_score))]


SPECIAL = {
    "lightgbm.basic.Booster": _booster,
    "scipy.interpolate._bsplines.BSpline": _spline,
    "sklearn.compose._column_transformer._RemainderColsList": _column_list,
    "sklearn.neighbors._ball_tree.BallTree": _search_tree,
    "sklearn.neighbors._kd_tree.KDTree": _search_tree,
    "sklearn.tree._tree.Tree": _tree,
}
