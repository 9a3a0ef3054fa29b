"""Checks of what compiled code reads without looking, and what is made anew on loading.

Kinds of attributes say which arrays an estimator has, and of which sizes. Numbers inside arrays
that compiled code takes for indices are compared with the arrays here, before any prediction.
"""

import numpy as np
from sklearn.utils import Bunch

from crystalml.exceptions import PersistenceError

_LEAF = -1


def tree_state(tree):
    """Return what `build_tree` needs of scikit-learn's compiled decision tree."""
    _, (n_features, n_classes, n_outputs), state = tree.__reduce__()
    return n_features, n_classes, n_outputs, state["max_depth"], state["nodes"], state["values"]


def build_tree(n_features, n_classes, n_outputs, max_depth, nodes, values):
    """Build scikit-learn's compiled decision tree from its nodes."""
    from sklearn.tree._tree import Tree  # late: most models hold no tree

    _require(nodes.ndim == 1 and len(nodes) == len(values) > 0, "a tree has no nodes")
    _require(n_classes.shape == (n_outputs,), "a tree has not one class count per output")
    _require((n_classes > 0).all() and n_features > 0, "a tree has no classes or no features")
    _require(values.shape[1:] == (n_outputs, n_classes.max()), "the leaves have a wrong shape")
    # The walk of a row down a tree looks at neither bound.
    split = nodes["left_child"] != _LEAF
    _check_children(nodes["left_child"][split], nodes["right_child"][split], split)
    _check_columns(nodes["feature"][split], n_features)
    tree = Tree(n_features, n_classes.astype(np.intp), n_outputs)
    state = {"max_depth": max_depth, "node_count": len(nodes), "nodes": nodes, "values": values}
    tree.__setstate__(state)
    return tree


def _check_children(left, right, split):
    """Children come after their parent, so that every way down ends in a leaf."""
    own = np.flatnonzero(split)
    for child in (left.astype(np.int64), right.astype(np.int64)):
        after = (child > own) & (child < len(split))
        _require(after.all(), "a tree has a child that is none of its later nodes")


def _check_columns(columns, n_features):
    inside = (columns >= 0) & (columns < n_features)
    _require(inside.all(), f"a tree splits on a column that is none of its {n_features}")


def _check_tree(estimator):
    tree = vars(estimator).get("tree_")
    if tree is None:
        return
    same = tree.n_features == estimator.n_features_in_ and tree.n_outputs == estimator.n_outputs_
    _require(same, "a tree has other columns than its estimator")
    if hasattr(estimator, "classes_"):
        classes = estimator.classes_
        counts = [len(part) for part in (classes if isinstance(classes, list) else [classes])]
        _require(tree.n_classes.tolist() == counts, "a tree has other classes")


def _check_forest(forest):
    """Trees of a forest are given its rows without another check: they must want its columns."""
    for tree in vars(forest).get("estimators_", ()):
        # Sums of probabilities are taken in place, column by column.
        _require("tree_" in vars(tree), "a forest has a tree that is not fitted")
        same = tree.n_features_in_ == forest.n_features_in_
        _require(same and tree.n_outputs_ == forest.n_outputs_, "a tree differs from its forest")
        if hasattr(forest, "classes_"):
            _require(np.array_equal(tree.n_classes_, forest.n_classes_), "a tree has other classes")


def _check_bagging(ensemble):
    """Each estimator sees the columns that were drawn for it."""
    drawn = vars(ensemble).get("estimators_features_", ())
    for estimator, columns in zip(vars(ensemble).get("estimators_", ()), drawn, strict=True):
        _check_columns(columns, ensemble.n_features_in_)
        _require(len(columns) == estimator.n_features_in_, "an estimator has other columns")


def _check_gradient_boosting(estimator):
    """Compare the number of classes, into whose columns compiled code writes sums of trees."""
    attributes = vars(estimator)
    if "estimators_" not in attributes:
        return
    k = estimator.n_trees_per_iteration_
    for tree in estimator.estimators_.ravel():
        sound = type(tree).__name__ == "DecisionTreeRegressor" and "tree_" in vars(tree)
        _require(sound, "boosted trees hold something else")
        same = tree.n_features_in_ == estimator.n_features_in_ and tree.n_outputs_ == 1
        _require(same, "a tree differs from its ensemble")
    # Sums begin with its answers, so that their columns are those that trees add to.
    first = estimator.init_
    if not isinstance(first, str):
        _require(getattr(first, "n_outputs_", None) == 1, "the first answer has other outputs")
        if hasattr(first, "class_prior_"):
            sound = first._strategy == "prior" and len(first.class_prior_) == max(k, 2)
            _require(sound, "the first answer has other classes")
    estimator._loss = estimator._get_loss(sample_weight=None)


def _check_histogram_boosting(estimator):
    """Check the nodes of all trees of histogram gradient boosting at once."""
    attributes = vars(estimator)
    if "_predictors" not in attributes:
        return
    k, n_features = estimator.n_trees_per_iteration_, estimator._n_features
    _require(all(len(stage) == k for stage in estimator._predictors), "a stage lacks trees")
    mapper = estimator._bin_mapper
    categorical = np.asarray(mapper.is_categorical_, dtype=bool)
    _require(len(categorical) == len(mapper.bin_thresholds_) == n_features, "other columns")
    if attributes.get("_preprocessor") is None:
        _require(estimator.n_features_in_ == n_features, "the bins have other columns")
    # Categories are bits of a set of 256, set without looking.
    for column in np.flatnonzero(categorical):
        known = mapper.bin_thresholds_[column]
        _require(((known >= 0) & (known < 256)).all(), "a category has an impossible number")
    trees = [tree for stage in estimator._predictors for tree in stage]
    if trees:
        _check_histogram_trees(trees, categorical)
    estimator._loss = estimator._get_loss(sample_weight=None)


def _check_histogram_trees(trees, categorical):
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
    _check_columns(nodes["feature_idx"][split].astype(np.int64), len(categorical))
    by_category = split & (nodes["is_categorical"] != 0)
    _require(categorical[nodes["feature_idx"][by_category]].all(), "categories of a number column")
    n_sets = np.repeat([len(tree.raw_left_cat_bitsets) for tree in trees], sizes)
    known = nodes["bitset_idx"][by_category] < n_sets[by_category]
    _require(known.all(), "a tree refers to a set of categories that is not there")


def _check_support_vectors(machine):
    """Compare the counts of the classes with the vectors; sizes are compared by their kinds."""
    attributes = vars(machine)
    fitted = {
        "_n_support",
        "support_vectors_",
        "_dual_coef_",
        "_intercept_",
        "_probA",
        "shape_fit_",
    }
    if not fitted & attributes.keys():
        return
    _require(fitted <= attributes.keys(), "a support vector machine lacks its vectors")
    n_vectors, width = machine.support_vectors_.shape
    _require(width == machine.n_features_in_ == machine.shape_fit_[1], "vectors are too long")
    _require(not machine._sparse and machine.kernel != "precomputed", "its kernel is unknown")
    # A regression counts as one pair of classes.
    n_classes = 2
    if hasattr(machine, "classes_"):
        n_classes = len(machine.classes_)
        counts = machine._n_support
        _require(len(counts) == n_classes and counts.min() >= 0, "it has other classes")
        _require(counts.sum() == n_vectors, "the vectors of its classes are too few or too many")
    pairs = n_classes * (n_classes - 1) // 2
    _require(machine._dual_coef_.shape == (n_classes - 1, n_vectors), "weights are missing")
    _require(len(machine._intercept_) == pairs, "intercepts are missing")
    lengths = {len(machine._probA), len(machine._probB)}
    _require(lengths in ({0}, {pairs}), "parameters of probabilities are missing")


def _check_neighbours(estimator):
    """Compare labels with classes, and build the search tree anew."""
    attributes = vars(estimator)
    if "_fit_X" not in attributes:
        return
    if "classes_" in attributes:
        classes = estimator.classes_
        parts = classes if isinstance(classes, list) else [classes]
        # Votes are counted at the place that a label names.
        labels = estimator._y.reshape(len(estimator._y), -1)
        _require(labels.shape[1] == len(parts), "there are not labels of each kind")
        for column, known in zip(labels.T, parts, strict=True):
            _require(column.min() >= 0 and column.max() < len(known), "a label is none of them")
    method = estimator._fit_method
    estimator._tree = None
    if method != "brute":
        # As in fit, from the points: nodes of a tree in a file could not be trusted.
        from sklearn.neighbors import BallTree, KDTree

        build = {"ball_tree": BallTree, "kd_tree": KDTree}[method]
        estimator._tree = build(
            estimator._fit_X,
            leaf_size=estimator.leaf_size,
            metric=estimator.effective_metric_,
            **estimator.effective_metric_params_,
        )


def _check_isotonic(estimator):
    if "X_thresholds_" in vars(estimator):
        estimator._build_f(estimator.X_thresholds_, estimator.y_thresholds_)


def _check_one_hot(encoder):
    """Compare the columns of categories, which a sparse matrix is filled by."""
    attributes = vars(encoder)
    if "categories_" not in attributes:
        return
    # transform writes ones at columns that it computes from these, into a matrix of that width.
    n_categories = [len(part) for part in encoder.categories_]
    mappings = attributes.get("_default_to_infrequent_mappings") or [None] * len(n_categories)
    counts = []
    for count, mapping in zip(n_categories, mappings, strict=True):
        if mapping is not None:
            sound = len(mapping) == count and mapping.min() >= 0 and mapping.max() < count
            _require(sound, "a rare category is none of them")
        counts.append(count if mapping is None else int(mapping.max()) + 1)
    dropped = attributes.get("_drop_idx_after_grouping")
    if dropped is not None:
        for number, (place, count) in enumerate(zip(dropped.tolist(), counts, strict=True)):
            _require(place is None or 0 <= place < count, "a dropped category is none of them")
            counts[number] -= place is not None
    same = "_n_features_outs" not in attributes or encoder._n_features_outs == counts
    _require(same, "the categories and their columns are different in number")


def _name_members(ensemble):
    """Give the members of a vote or stack their names again; those dropped keep their place."""
    if "estimators_" in vars(ensemble):
        fitted = iter(ensemble.estimators_)
        members = {
            name: member if isinstance(member, str) else next(fitted)
            for name, member in ensemble.estimators
        }
        ensemble.named_estimators_ = Bunch(**members)


def _make_loss(regressor):
    if "coef_" in vars(regressor):
        regressor._base_loss = regressor._get_loss()


def _join_second_stage(classifier):
    """Give the second stage its public name, too."""
    if "_second_stage" in vars(classifier):
        classifier.space_group_estimator_ = classifier._second_stage.estimator


def _join_symmetry(regressor):
    """Give the estimator inside its public name, too."""
    if "_symmetry" in vars(regressor):
        regressor.space_group_estimator_ = regressor._symmetry.estimator


def _require(condition, complaint):
    if not condition:
        raise PersistenceError(f"{complaint}; the file is damaged or was made to do harm")


CHECKS = {
    **dict.fromkeys(
        (
            "DecisionTreeClassifier",
            "DecisionTreeRegressor",
            "ExtraTreeClassifier",
            "ExtraTreeRegressor",
        ),
        _check_tree,
    ),
    **dict.fromkeys(
        (
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
            "RandomForestClassifier",
            "RandomForestRegressor",
        ),
        _check_forest,
    ),
    **dict.fromkeys(("GammaRegressor", "PoissonRegressor", "TweedieRegressor"), _make_loss),
    **dict.fromkeys(
        ("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor"),
        _name_members,
    ),
    **dict.fromkeys(("SVC", "NuSVC", "SVR", "NuSVR"), _check_support_vectors),
    **dict.fromkeys(("KNeighborsClassifier", "KNeighborsRegressor"), _check_neighbours),
    "BaggingClassifier": _check_bagging,
    "BaggingRegressor": _check_bagging,
    "BravaisSpaceGroupClassifier": _join_second_stage,
    "GradientBoostingClassifier": _check_gradient_boosting,
    "GradientBoostingRegressor": _check_gradient_boosting,
    "HistGradientBoostingClassifier": _check_histogram_boosting,
    "HistGradientBoostingRegressor": _check_histogram_boosting,
    "IsotonicRegression": _check_isotonic,
    "LatticeParameterRegressor": _join_symmetry,
    "OneHotEncoder": _check_one_hot,
}
