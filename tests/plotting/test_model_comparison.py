"""Bars and ranking of a comparison show its table."""

import itertools

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import compare_models
from crystalml.plotting import plot_model_comparison, plot_ranking
from crystalml.plotting._style import REFERENCE_GREY


class Broken(GaussianNB):
    def fit(self, X, y):
        raise RuntimeError("no")


def compare(**arguments):
    models = {"Bayes": GaussianNB(), "a_tree": DecisionTreeClassifier(max_depth=1, random_state=0)}
    return compare_models(
        arguments.pop("models", models), *load_iris(return_X_y=True), random_state=0, **arguments
    )


@pytest.fixture(scope="module")
def comparison():
    return compare()


def legend_texts(ax):
    return {text.get_text() for text in ax.get_legend().get_texts()}


def bars(ax):
    return [container for container in ax.containers if hasattr(container, "patches")]


def markers(ax):
    """Positions in each set of points, by label."""
    return {c.get_label(): c.get_offsets().data for c in ax.collections if hasattr(c, "get_sizes")}


def test_bars_are_means_with_deviation(comparison):
    ax = plot_model_comparison(comparison)
    metrics = ["accuracy", "precision_macro", "recall_macro", "f1_macro"]
    for container, metric in zip(bars(ax), metrics, strict=True):
        values = comparison.table[metric]
        assert [bar.get_height() for bar in container] == values["mean"].tolist()
        segments = container.errorbar.lines[2][0].get_segments()
        expected = np.array([values["mean"] - values["std"], values["mean"] + values["std"]]).T
        np.testing.assert_allclose([segment[:, 1] for segment in segments], expected)
    assert legend_texts(ax) == {
        "accuracy", "precision, macro", "recall, macro", "F1, macro", "rows held out",
    }  # fmt: skip
    assert ax.get_ylabel() == "mean over 5 folds"
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "Bayes", "a tree", "prior", "nearest neighbour",
    ]  # fmt: skip


def test_bars_of_a_model_stand_together_and_do_not_overlap(comparison):
    ax = plot_model_comparison(comparison, metrics=["accuracy", "top_3_accuracy"])
    edges = sorted(
        (bar.get_x(), bar.get_x() + bar.get_width()) for group in bars(ax) for bar in group
    )
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(edges))
    for first, second in zip(*bars(ax), strict=True):
        middle = (first.get_x() + second.get_x() + second.get_width()) / 2
        assert middle == pytest.approx(round(middle))
    assert to_hex(bars(ax)[0][0].get_facecolor()) != to_hex(bars(ax)[1][0].get_facecolor())


def test_diamonds_are_the_rows_held_out(comparison):
    ax = plot_model_comparison(comparison, metrics=["accuracy"])
    (points,) = markers(ax).values()
    np.testing.assert_allclose(points[:, 1], comparison.table["accuracy", "hold_out"])
    none = plot_model_comparison(compare(test_size=None), metrics=["accuracy"])
    assert not markers(none)
    assert legend_texts(none) == {"accuracy"}


def test_ranking_has_the_best_on_top(comparison):
    for metric, label in (("accuracy", "accuracy"), ("log_loss", "log loss")):
        ax = plot_ranking(comparison, metric=metric)
        names = [text.get_text() for text in ax.get_yticklabels()]
        assert names == [name.replace("_", " ") for name in comparison.ranking(metric).index]
        assert names[0] == "Bayes"
        assert ax.get_xlabel() == label
        bottom, top = ax.get_ylim()
        assert top < 0 < bottom


def test_ranking_shows_means_and_every_fold(comparison):
    ax = plot_ranking(comparison)
    ranking, folds = comparison.ranking(), comparison.fold_table.set_index("model")
    circles = [c.get_offsets().data for c in ax.collections if len(c.get_offsets()) == 5]
    for place, (name, values) in enumerate(ranking.iterrows()):
        line = ax.containers[place].lines[0]
        assert line.get_xydata().tolist() == [[values["mean"], place]]
        own = folds.loc[name].query("fold != 'hold-out'")["accuracy"]
        assert circles[place][:, 0].tolist() == own.tolist()
        assert ((circles[place][:, 1] > place) & (circles[place][:, 1] < place + 0.5)).all()
        baseline = name in comparison.baselines
        assert (to_hex(line.get_color()) == to_hex(REFERENCE_GREY)) == baseline
    np.testing.assert_allclose(markers(ax)["rows held out"][:, 0], ranking["hold_out"])
    assert legend_texts(ax) == {"one fold", "mean and standard deviation", "rows held out"}


def test_a_model_that_failed_is_named_without_figures():
    result = compare(models={"Bayes": GaussianNB(), "broken": Broken()})
    names = [text.get_text() for text in plot_ranking(result).get_yticklabels()]
    assert names == ["Bayes", "nearest neighbour", "prior", "broken"]
    heights = [bar.get_height() for bar in bars(plot_model_comparison(result))[0]]
    assert np.isnan(heights).tolist() == [False, True, False, False]


def test_they_draw_where_they_are_told(comparison):
    _, axes = pyplot.subplots(1, 2)
    assert plot_model_comparison(comparison, ax=axes[0]) is axes[0]
    assert plot_ranking(comparison, ax=axes[1]) is axes[1]
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named(comparison):
    with pytest.raises(InvalidInputError, match="plot_ranking: comparison must be what"):
        plot_ranking(comparison.table)
    with pytest.raises(InvalidInputError, match=r"plot_model_comparison: comparison .* got dict"):
        plot_model_comparison({})
    for metrics in (["log_loss"], ["fit_seconds"], ["accuracy", "f2"], [], "accuracy"):
        with pytest.raises(InvalidInputError, match="Use plot_ranking for another one"):
            plot_model_comparison(comparison, metrics=metrics)
    with pytest.raises(InvalidInputError, match="got 'f2'"):
        plot_ranking(comparison, metric="f2")
    assert pyplot.get_fignums() == []
