import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.metrics import multilabel_confusion_matrix

from crystalml.exceptions import InvalidInputError, SpaceGroupError
from crystalml.plotting import plot_class_errors


@pytest.fixture
def answers():
    generator = np.random.default_rng(0)
    y_true = generator.choice([2, 14, 62, 139, 194, 225], 300, p=[0.1, 0.3, 0.2, 0.1, 0.1, 0.2])
    return y_true, np.where(generator.random(300) < 0.6, y_true, generator.permutation(y_true))


def test_points_are_false_negatives_and_false_positives(answers):
    ax = plot_class_errors(*answers)
    matrices = multilabel_confusion_matrix(*answers)
    expected = np.stack([matrices[:, 1, 0], matrices[:, 0, 1]], axis=1)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), expected)
    assert ax.get_xlabel() == "false negatives: entries of the space group that were missed"
    assert ax.get_ylabel() == "false positives: entries of others given to it"


def test_the_worst_are_named_beside_their_points(answers):
    ax = plot_class_errors(*answers, n_named=2)
    matrices = multilabel_confusion_matrix(*answers)
    worst = np.argsort(-(matrices[:, 1, 0] + matrices[:, 0, 1]), kind="stable")[:2]
    points = ax.collections[0].get_offsets()
    assert {tuple(text.xy) for text in ax.texts} == {tuple(points[row]) for row in worst}
    assert "$P2_{1}/c$" in [text.get_text() for text in ax.texts]


def test_names_keep_apart(answers):
    ax = plot_class_errors(*answers)
    ax.figure.canvas.draw()
    for alignment in ("left", "right"):
        here = [text for text in ax.texts if text.get_ha() == alignment]
        heights = np.sort([text.xyann[1] for text in here])
        assert (np.diff(heights) > 0.05).all()


def test_area_grows_with_the_class_and_right_classes_have_no_name():
    ax = plot_class_errors([225, 225, 225, 2, 14], [225, 225, 225, 14, 14])
    assert [text.get_text() for text in ax.texts] == [r"$P\overline{1}$", "$P2_{1}/c$"]
    small, same, large = ax.collections[0].get_sizes()
    assert small == same < large


def test_all_right_and_all_wrong_are_drawn():
    for predicted in ([2, 14], [14, 2]):
        ax = plot_class_errors([2, 14], predicted, level="crystal_system")
        ax.figure.canvas.draw()
        assert len(ax.texts) == (2 if predicted == [14, 2] else 0)


def test_it_draws_where_it_is_told(answers):
    _, ax = pyplot.subplots()
    assert plot_class_errors(*answers, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named():
    with pytest.raises(InvalidInputError, match="plot_class_errors: got true labels of shape"):
        plot_class_errors([1], [1, 2])
    with pytest.raises(InvalidInputError, match="n_named must not be negative, got -1"):
        plot_class_errors([1], [1], n_named=-1)
    with pytest.raises(InvalidInputError, match="level must be one of"):
        plot_class_errors([1], [1], level="lattice")
    with pytest.raises(SpaceGroupError):
        plot_class_errors([0], [1])
