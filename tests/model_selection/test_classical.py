"""The six classical models: pipelines that learn from training rows alone, and their grids."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ParameterGrid

from crystalml.model_selection import classical_grids, classical_models

NAMES = [
    "decision_tree",
    "random_forest",
    "logistic_regression",
    "svm",
    "adaboost",
    "k_nearest_neighbours",
]
each_model = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def digits():
    """400 rows of ten labels, and two classes of two rows as space groups have them."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:404].astype(float), y[:404].copy()
    y[400:402], y[402:] = 50, 51
    return X, y


def test_names_and_order():
    assert list(classical_models()) == list(classical_grids()) == NAMES


@each_model
def test_rare_classes_and_missing_values_are_no_problem(name, digits):
    X, y = digits
    X = X.copy()
    X[::7, 20] = np.nan
    X[:, 0] = np.nan
    model = classical_models(random_state=0)[name].fit(X[::2], y[::2])
    y_proba = model.predict_proba(X[1::2])
    assert y_proba.shape == (202, len(model.classes_))
    np.testing.assert_allclose(y_proba.sum(axis=1), 1)
    assert model.score(X[1::2], y[1::2]) > 0.6


@each_model
def test_a_random_state_makes_it_repeatable_and_frames_are_taken(name, digits):
    X, y = digits
    frame = pd.DataFrame(X).add_prefix("pixel ")
    first = classical_models(random_state=3)[name].fit(X, y).predict_proba(X)
    second = classical_models(random_state=3)[name].fit(frame, y)
    np.testing.assert_array_equal(first, second.predict_proba(frame))
    assert second.feature_names_in_[0] == "pixel 0"


@pytest.mark.parametrize("name", ["logistic_regression", "svm", "k_nearest_neighbours"])
def test_units_do_not_matter_where_models_are_scaled(name, digits):
    X, y = digits
    scale = 10.0 ** (np.arange(64) % 7 - 3)
    same = classical_models()[name].fit(X, y).predict(X)
    assert (classical_models()[name].fit(X * scale, y).predict(X * scale) == same).mean() > 0.99


@each_model
def test_grids_name_parameters_and_hold_the_defaults(name):
    model, grid = classical_models()[name], classical_grids()[name]
    parameters = model.get_params()
    for parameter, values in grid.items():
        assert parameters[parameter] in values
        assert len(set(map(str, values))) == len(values) > 1
    points = list(ParameterGrid(grid))
    assert 4 <= len(points) <= 18
    for point in points:
        clone(model).set_params(**point)


@each_model
def test_a_corner_of_each_grid_can_be_searched(name, digits):
    X, y = digits[0][:150], digits[1][:150]
    grid = {parameter: [values[0]] for parameter, values in classical_grids()[name].items()}
    search = GridSearchCV(classical_models(random_state=0)[name], grid, cv=2, error_score="raise")
    assert 0.1 < search.fit(X, y).best_score_ <= 1


def test_jobs_go_where_they_are_understood():
    models = classical_models(n_jobs=2)
    used = {name for name, m in models.items() if m.get_params().get("classify__n_jobs") == 2}
    assert used == {"random_forest", "k_nearest_neighbours"}
