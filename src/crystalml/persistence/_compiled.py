"""Checks of what compiled code reads without looking: indices of trees and support vectors.

A class on the list of trusted ones may still hold numbers that send compiled code out of its
arrays. These are compared with the arrays here, before any prediction.
"""

from importlib import import_module

import numpy as np

from crystalml.exceptions import PersistenceError

_LEAF = -1
_FORESTS = ("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._iforest")


def build_tree(n_features, n_classes, n_outputs, max_depth, nodes, values):
    """Build scikit-learn's compiled decision tree from its nodes."""
    n_classes = np.asarray(n_classes, dtype=np.intp)
    _require(n_classes.shape == (n_outputs,), "a tree has not one class count per output")
    _require((n_classes > 0).all() and n_features > 0, "a tree has no classes or no features")
    _require(nodes.ndim == 1 and len(nodes) == len(values) > 0, "a tree has no nodes")
    split = nodes["left_child"] != _LEAF
    _check_children(nodes["left_child"][split], nodes["right_child"][split], split)
    _check_range(nodes["feature"][split], n_features)
    tree = import_module("sklearn.tree._tree").Tree(n_features, n_classes, n_outputs)
    state = {"max_depth": max_depth, "node_count": len(nodes), "nodes": nodes, "values": values}
    tree.__setstate__(state)
    return tree


def _check_children(left, right, split):
    """Children come after their parent, so that every way down ends in a leaf."""
    own = np.flatnonzero(split)
    for child in (left.astype(np.int64), right.astype(np.int64)):
        after = (child > own) & (child < len(split))
        _require(after.all(), "a tree has a child that is none of its later nodes")


def _check_range(feature, n_features):
    inside = (feature >= 0) & (feature < n_features)
    _require(inside.all(), f"a tree splits on a column that is none of its {n_features}")


def check_estimator(estimator):
    """Compare the indices inside an estimator with the arrays they point into."""
    attributes = vars(estimator)
    if hasattr(attributes.get("tree_"), "node_count"):
        same = attributes["tree_"].n_features == attributes["n_features_in_"]
        _require(same, "a tree has another number of columns than its estimator")
    if "_predictors" in attributes:
        _check_boosting(estimator)
    if type(estimator).__module__ in _FORESTS and "estimators_" in attributes:
        _check_forest(estimator)
    if "_n_support" in attributes:
        _check_support_vectors(estimator)


def _check_forest(forest):
    """Compare widths: trees of a forest are given its rows without another check."""
    columns = getattr(forest, "_estimators_features", None)
    for number, tree in enumerate(np.ravel(np.asarray(forest.estimators_, dtype=object))):
        width = forest.n_features_in_
        if columns is not None:
            _check_range(np.asarray(columns[number]), width)
            width = len(columns[number])
        _require(tree.n_features_in_ == width, "a tree has another width than its forest")


def _check_boosting(estimator):
    """Check the nodes of all trees of histogram gradient boosting at once."""
    trees = [tree for stage in estimator._predictors for tree in stage]
    if not trees:
        return
    categorical = np.asarray(estimator._bin_mapper.is_categorical_, dtype=bool)
    n_features = estimator.n_features_in_
    _require(len(categorical) == n_features, "the bins have another number of columns")
    sizes = np.array([len(tree.nodes) for tree in trees])
    _require(sizes.min() > 0, "a tree has no nodes")
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    nodes = np.concatenate([tree.nodes for tree in trees])
    split = nodes["is_leaf"] == 0
    own, end = np.flatnonzero(split), (start + np.repeat(sizes, sizes))[split]
    for side in ("left", "right"):
        child = nodes[side][split].astype(np.int64) + start[split]
        inside = (child > own) & (child < end)
        _require(inside.all(), "a tree has a child that is none of its later nodes")
    _check_range(nodes["feature_idx"][split], n_features)
    by_category = split & (nodes["is_categorical"] != 0)
    _require(categorical[nodes["feature_idx"][by_category]].all(), "categories of a number column")
    n_sets = np.repeat([_n_bitsets(tree) for tree in trees], sizes)
    known = nodes["bitset_idx"][by_category] < n_sets[by_category]
    _require(known.all(), "a tree refers to a set of categories that is not there")


def _n_bitsets(tree):
    sets = tree.raw_left_cat_bitsets, tree.binned_left_cat_bitsets
    shaped = all(part.dtype == np.uint32 and part.shape[1:] == (8,) for part in sets)
    _require(shaped, "sets of categories have a wrong shape")
    return min(len(part) for part in sets)


def _check_support_vectors(machine):
    """Compare the shapes that libsvm takes for granted."""
    classifier = "classes_" in vars(machine)
    counts = machine._n_support
    n_vectors, width = machine.support_vectors_.shape
    n_classes = len(counts) if classifier else 2
    pairs = n_classes * (n_classes - 1) // 2
    shapes = (
        width == machine.n_features_in_ == machine.shape_fit_[1],
        len(machine.support_) == n_vectors,
        not classifier or (counts.min(initial=0) >= 0 and counts.sum() == n_vectors),
        machine._dual_coef_.shape == (n_classes - 1, n_vectors),
        machine._intercept_.shape == (pairs,),
        all(len(part) in (0, pairs) for part in (machine._probA, machine._probB)),
    )
    _require(all(shapes), "the shapes of the support vectors contradict one another")


def _require(condition, complaint):
    if not condition:
        raise PersistenceError(f"{complaint}; the file is damaged or was made to do harm")
