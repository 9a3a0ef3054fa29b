"""Volumes on a log scale: any regressor, cloned, pickled, searched, with groups passed on."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import crystalml
from crystalml import MLPNetRegressor, log_volume
from crystalml.exceptions import InvalidInputError


@pytest.fixture(scope="module")
def orthorhombic():
    edges = np.random.default_rng(0).uniform(3, 20, size=(300, 3))
    return np.log(edges), edges.prod(axis=1)


def test_learns_the_logarithm_and_predicts_the_volume(orthorhombic):
    X, volumes = orthorhombic
    model = log_volume(LinearRegression()).fit(X, volumes)
    assert_allclose(model.regressor_.predict(X), np.log1p(model.predict(X)), rtol=1e-12)
    by_hand = LinearRegression().fit(X, np.log(volumes + 1))
    assert_allclose(model.predict(X), np.exp(by_hand.predict(X)) - 1, rtol=1e-10)


def test_is_an_ordinary_regressor(orthorhombic):
    X, volumes = orthorhombic
    model = log_volume(make_pipeline(StandardScaler(), Ridge()))
    assert isinstance(model, TransformedTargetRegressor)
    assert is_regressor(model)
    fitted = clone(model).fit(X, volumes)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    grid = {"regressor__ridge__alpha": [1e-3, 1e3]}
    search = GridSearchCV(model, grid, cv=3).fit(X, volumes)
    assert search.best_params_ == {"regressor__ridge__alpha": 1e-3}


def test_the_estimator_is_not_fitted_in_place(orthorhombic):
    inner = LinearRegression()
    log_volume(inner).fit(*orthorhombic)
    assert not hasattr(inner, "coef_")


def test_groups_reach_the_net(orthorhombic):
    X, volumes = orthorhombic
    seen = {}

    class Splitter:
        def split(self, X, y, groups):
            seen["groups"], seen["y"] = groups, y
            yield np.arange(200), np.arange(200, 300)

    net = MLPNetRegressor(max_epochs=1, validation_splitter=Splitter(), random_state=0)
    groups = np.arange(300) // 3
    log_volume(net).fit(X, volumes, groups=groups)
    assert_array_equal(seen["groups"], groups)
    assert_allclose(seen["y"], np.log1p(volumes))


@pytest.mark.parametrize("estimator", [LinearRegression, "mlp", None])
def test_what_cannot_be_fitted(estimator):
    with pytest.raises(InvalidInputError, match="cannot be fitted; give an instance"):
        log_volume(estimator)


def test_is_reached_from_the_root_package():
    assert crystalml.log_volume is crystalml.symmetry.log_volume
