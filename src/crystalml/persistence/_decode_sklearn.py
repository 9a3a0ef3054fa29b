"""Compiled objects inside scikit-learn's estimators, and LightGBM's model, from nodes."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from crystalml.exceptions import PersistenceError
from crystalml.persistence._compiled import build_tree
from crystalml.persistence._encode_sklearn import DISTANCES, SEARCH_TREES


def _tree(decoder, n_features, n_classes, n_outputs, max_depth, nodes, values):
    n_classes, nodes, values = decoder.values([n_classes, nodes, values])
    return build_tree(n_features, n_classes, n_outputs, max_depth, nodes, values)


def _search_tree(decoder, kind, distance, leaf_size, data, options, weights):
    data, options, weights = decoder.values([data, options, weights])
    if kind not in SEARCH_TREES or distance not in DISTANCES.values():
        raise PersistenceError(f"{kind!r} with {distance!r} is no search tree")
    metric = import_module("sklearn.metrics").DistanceMetric.get_metric(distance, **options)
    build = getattr(import_module("sklearn.neighbors"), kind)
    return build(np.asarray(data), leaf_size=leaf_size, metric=metric, sample_weight=weights)


def _spline(decoder, *slots):
    knots, coefficients, degree, extrapolate, axis = decoder.values(slots)
    spline = import_module("scipy.interpolate").BSpline
    return spline(knots, coefficients, degree, extrapolate=extrapolate, axis=axis)


def _booster(decoder, text, best_iteration, best_score):
    booster = import_module("lightgbm").Booster(model_str=text)
    booster.best_iteration = best_iteration
    booster.best_score = decoder.value(best_score)
    return booster


BUILDERS: dict[str, Callable[..., Any]] = {
    "booster": _booster,
    "search_tree": _search_tree,
    "spline": _spline,
    "tree": _tree,
}
