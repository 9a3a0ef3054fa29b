import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.datasets import load_iris

from crystalml import MLPNetClassifier
from crystalml.exceptions import InvalidInputError
from crystalml.plotting import plot_learning_curve


@pytest.fixture
def history():
    return pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "train_loss": [3.0, 2.0, 1.5, 1.0],
            "valid_loss": [3.1, 2.2, 2.1, 2.4],
            "valid_accuracy": [0.1, 0.3, 0.35, 0.4],
        }
    )


def test_lines_hold_the_history(history):
    ax = plot_learning_curve(history)
    train, valid, best = ax.lines
    np.testing.assert_array_equal(train.get_xydata(), history[["epoch", "train_loss"]])
    np.testing.assert_array_equal(valid.get_xydata(), history[["epoch", "valid_loss"]])
    assert best.get_xdata() == [3, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["training", "validation", "best epoch: 3 (loss 2.100)"]


def test_accuracy_is_best_at_its_largest(history):
    ax = plot_learning_curve(history, metric="accuracy")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["validation", "best epoch: 4 (accuracy 0.400)"]
    assert ax.get_ylabel() == "accuracy"


def test_histories_of_nets_are_drawn():
    X, y = load_iris(return_X_y=True)
    net = MLPNetClassifier((4,), max_epochs=3, patience=None, random_state=0).fit(X, y)
    for metric in ("loss", "accuracy"):
        ax = plot_learning_curve(net.history_, metric=metric)
        valid = ax.lines[-2]
        assert valid.get_label() == "validation"
        np.testing.assert_array_equal(
            valid.get_xydata(), net.history_[["epoch", f"valid_{metric}"]]
        )


def test_without_validation_rows_there_is_no_best_epoch(history):
    for frame in (history.drop(columns="valid_loss"), history.assign(valid_loss=np.nan)):
        labels = [line.get_label() for line in plot_learning_curve(frame).lines]
        assert "training" in labels
        assert not any(label.startswith("best") for label in labels)


def test_validation_keeps_its_colour_when_alone(history):
    both = plot_learning_curve(history).lines[1]
    alone = plot_learning_curve(history.drop(columns="train_loss")).lines[0]
    assert both.get_color() == alone.get_color()


def test_it_draws_where_it_is_told(history):
    _, ax = pyplot.subplots()
    assert plot_learning_curve(history, ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


def test_bad_input_is_named(history):
    with pytest.raises(InvalidInputError, match=r"metric must be one of .*, got 'f1'"):
        plot_learning_curve(history, metric="f1")
    with pytest.raises(InvalidInputError, match=r"'epoch'.*got 4 rows of \['train_loss'\]"):
        plot_learning_curve(history[["train_loss"]])
    with pytest.raises(InvalidInputError, match="got 0 rows"):
        plot_learning_curve(history.iloc[:0])
