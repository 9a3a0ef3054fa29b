import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.inspection import permutation_importance

from crystalml.exceptions import InvalidInputError
from crystalml.plotting import plot_feature_importances


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def widths(ax):
    return [patch.get_width() for patch in ax.patches]


def test_bars_are_the_largest_importances():
    series = pd.Series([0.1, 0.4, 0.3, 0.2], ["a", "b", "c", "$d$"])
    ax = plot_feature_importances(series, n_features=3, label="fall of impurity")
    assert names(ax) == ["b", "c", r"\$d\$"]
    assert widths(ax) == [0.4, 0.3, 0.2]
    assert ax.yaxis_inverted()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("fall of impurity", "feature (3 of 4)")
    ax.figure.canvas.draw()


def test_repeats_have_means_and_standard_deviations():
    iris = load_iris(as_frame=True)
    forest = ExtraTreesClassifier(20, random_state=0).fit(iris.data, iris.target)
    repeats = permutation_importance(forest, iris.data, iris.target, n_repeats=4, random_state=0)
    ax = plot_feature_importances(repeats.importances, iris.feature_names)
    order = np.argsort(-repeats.importances_mean, kind="stable")
    assert names(ax) == [iris.feature_names[i] for i in order]
    assert widths(ax) == pytest.approx(repeats.importances_mean[order])
    segments = ax.containers[0].lines[2][0].get_segments()
    spreads = [np.ptp(segment[:, 0]) / 2 for segment in segments]
    assert spreads == pytest.approx(repeats.importances_std[order])
    assert ax.get_xlabel() == "importance\nmean of 4 ± standard deviation"


def test_frames_are_repeats_too_and_negative_ones_stay():
    frame = pd.DataFrame([[0.1, 0.3], [-0.1, -0.3]], index=["x", "y"])
    ax = plot_feature_importances(frame)
    assert names(ax) == ["x", "y"]
    assert widths(ax) == pytest.approx([0.2, -0.2])


def test_names_may_be_a_series_of_any_index():
    ax = plot_feature_importances([0.2, 0.8], pd.Series(["x", "y"], index=[7, 9]))
    assert names(ax) == ["y", "x"]


def test_it_draws_where_it_is_told():
    _, ax = pyplot.subplots()
    assert plot_feature_importances([1.0], ["x"], ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0],), "an array has no names"),
        (([1.0], ["x", "y"]), "got 1 of importances and 2 of names"),
        (([np.nan], ["x"]), r"got shape \(1,\) with 1 that are not finite"),
        (([[[1.0]]], ["x"]), r"got shape \(1, 1, 1\)"),
        (([], []), r"got shape \(0,\)"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_feature_importances(*arguments)
    assert pyplot.get_fignums() == []


def test_number_of_features_is_checked():
    with pytest.raises(InvalidInputError, match="n_features must be at least 1, got 0"):
        plot_feature_importances([1.0], ["x"], n_features=0)
