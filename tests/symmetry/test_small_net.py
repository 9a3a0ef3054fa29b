"""The net's gradients are those of its loss, and its answers belong to rows, not to tables."""

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax

import crystalml
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.symmetry._space_group_model._small_net import SmallNet

N_CLASSES = 3


def rows(n, seed):
    """Classes by the angle around the origin, which no single column tells."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 4)) * [1.0, 1.0, 50.0, 0.0] + [0.0, 0.0, 1000.0, 3.0]
    angle = np.arctan2(X[:, 1], X[:, 0])
    return X, np.digitize(angle, [-1.0, 1.0])


@pytest.fixture(scope="module")
def fitted():
    return SmallNet(n_hidden=32, n_epochs=30, random_state=0).fit(*rows(1500, 0), N_CLASSES)


def test_it_learns_what_columns_say_together(fitted):
    X, codes = rows(1000, 1)
    found = fitted.predict_proba(X)
    assert (found.argmax(axis=1) == codes).mean() > 0.93
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_gradients_are_those_of_the_loss():
    X, codes = rows(40, 2)
    weight = np.random.default_rng(3).uniform(0.5, 1.5, len(X)).astype(np.float32)
    net = SmallNet(n_hidden=5, n_epochs=1, dropout=0.0, label_smoothing=0.1, random_state=0)
    net.fit(X, codes, N_CLASSES)
    table = net._standardized(X).astype(np.float32)
    net.weights_ = {name: array.astype(float) for name, array in net.weights_.items()}

    def loss():
        hidden = np.maximum(
            table @ net.weights_["hidden_weights"] + net.weights_["hidden_bias"], 0.0
        )
        scores = log_softmax(
            hidden @ net.weights_["output_weights"] + net.weights_["output_bias"], axis=1
        )
        target = 0.9 * np.eye(N_CLASSES)[codes] + 0.1 / N_CLASSES
        return -(weight * (target * scores).sum(axis=1)).mean()

    gradients = net._gradients(table, codes, weight, np.random.RandomState(0))
    step = 1e-5
    for name, array in net.weights_.items():
        numeric = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            value = array[place]
            array[place] = value + step
            above = loss()
            array[place] = value - step
            numeric[place] = (above - loss()) / (2 * step)
            array[place] = value
        np.testing.assert_allclose(gradients[name], numeric, atol=1e-5, err_msg=name)


def test_answers_do_not_depend_on_the_other_rows(fitted):
    X, _ = rows(300, 4)
    together = fitted.predict_proba(X)
    alone = np.concatenate([fitted.predict_proba(X[row : row + 1]) for row in range(50)])
    np.testing.assert_array_equal(alone, together[:50])
    assert fitted.predict_proba(X[:0]).shape == (0, N_CLASSES)


def test_same_seed_same_net(fitted):
    X, codes = rows(1500, 0)
    again = SmallNet(n_hidden=32, n_epochs=30, random_state=0).fit(X, codes, N_CLASSES)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    other = SmallNet(n_hidden=32, n_epochs=30, random_state=1).fit(X, codes, N_CLASSES)
    assert (other.predict_proba(X) != fitted.predict_proba(X)).any()


def test_rows_of_little_weight_are_hardly_learned():
    X, codes = rows(1500, 0)
    weight = np.where(codes == 2, 1e-6, 1.0)
    net = SmallNet(n_hidden=32, random_state=0).fit(X, codes, N_CLASSES, sample_weight=weight)
    found = net.predict_proba(X)
    assert found[:, 2].mean() < 0.1
    assert (found.argmax(axis=1) != 2).all()


def test_a_class_without_rows_is_possible_but_not_foreseen():
    X, codes = rows(1500, 0)
    net = SmallNet(n_hidden=32, random_state=0).fit(X, codes, N_CLASSES + 1)
    found = net.predict_proba(X)[:, N_CLASSES]
    assert (found > 0).all()
    assert found.mean() < 0.05


@pytest.mark.parametrize("n_rows", [1, 2, 300])
def test_few_rows(n_rows):
    X, codes = rows(n_rows, 5)
    found = SmallNet(n_hidden=8, random_state=0).fit(X, codes, N_CLASSES).predict_proba(X)
    assert np.isfinite(found).all()


def test_files_and_pickles_keep_the_answers(fitted, tmp_path):
    X, _ = rows(20, 6)
    expected = fitted.predict_proba(X)
    crystalml.save(fitted, tmp_path / "net.crystalml")
    loaded = crystalml.load(tmp_path / "net.crystalml")
    for copy in (loaded, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(copy.predict_proba(X), expected)


def test_wrong_columns_are_refused(fitted):
    with pytest.raises(InvalidInputError, match="fitted to 4 columns"):
        fitted.predict_proba(np.zeros((2, 5)))


@pytest.mark.parametrize("name", ["hidden_weights", "output_bias"])
@pytest.mark.parametrize("damage", ["shape", "value", "absent"])
def test_damaged_weights_are_refused(fitted, name, damage):
    broken = pickle.loads(pickle.dumps(fitted))
    if damage == "absent":
        del broken.weights_[name]
    elif damage == "shape":
        broken.weights_[name] = broken.weights_[name][:-1]
    else:
        broken.weights_[name].flat[0] = np.nan
    with pytest.raises(PersistenceError, match="damaged"):
        broken.predict_proba(np.zeros((1, 4)))
