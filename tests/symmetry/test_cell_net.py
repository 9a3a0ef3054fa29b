"""The trunk with a head for each lattice: what it may use, and what it must not."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from crystalml.symmetry._cell_model._net import (
    CANDIDATE_FEATURES,
    SHAPE,
    CellLoss,
    CellNet,
    CellNetModule,
)

N_COMPOSITION, N_CONTEXT, N_CANDIDATES, N_LATTICES = 5, 2, 3, 4
WIDTH = N_COMPOSITION + N_CONTEXT + 1 + N_CANDIDATES * (CANDIDATE_FEATURES + SHAPE)
LATTICE = N_COMPOSITION + N_CONTEXT
FIRST_FEATURE = LATTICE + 1
FIRST_SHAPE = FIRST_FEATURE + N_CANDIDATES * CANDIDATE_FEATURES


def rows(n=300, seed=0):
    """Rows of which the second candidate is right, and the volume is the first descriptor."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, WIDTH)).astype(np.float32)
    X[:, LATTICE] = generator.integers(0, N_LATTICES, n)
    features = X[:, FIRST_FEATURE:FIRST_SHAPE].reshape(n, N_CANDIDATES, -1)
    features[..., 0] = 1.0
    features[..., 1] = [0.1, 0.9, 0.1]
    shapes = X[:, FIRST_SHAPE:].reshape(n, N_CANDIDATES, SHAPE)
    y = np.column_stack([0.5 * X[:, 0], np.full(n, 6), np.ones((n, 6)), shapes[:, 1]])
    return X, y


def cell_net(**parameters):
    parameters = {"max_epochs": 30, "batch_size": 64, "random_state": 0, **parameters}
    return CellNet(
        N_CONTEXT, N_CANDIDATES, N_LATTICES, hidden_layer_sizes=(32,), head_size=16, **parameters
    )


@pytest.fixture(scope="module")
def fitted():
    return cell_net().fit(*rows())


def test_it_learns_whom_to_trust(fitted):
    X, y = rows(seed=1)
    found = fitted.predict_distributions(X)
    assert_allclose(np.exp(found.log_weights).sum(axis=1), 1.0, rtol=1e-5)
    assert (found.log_weights.argmax(axis=1) == 1).mean() > 0.95
    assert np.median(found.scales[:, 1]) < 0.02
    assert np.corrcoef(found.volume[:, 0], y[:, 0])[0, 1] > 0.9
    assert_allclose(found.shapes[:, 1], y[:, 8:], rtol=1e-5)


def test_volume_by_composition_knows_nothing_of_the_rest(fitted):
    X, _ = rows(20)
    other = X.copy()
    other[:, N_COMPOSITION:] = rows(20, seed=2)[0][:, N_COMPOSITION:]
    before, after = fitted.predict_distributions(X), fitted.predict_distributions(other)
    assert_array_equal(before.volume, after.volume)
    assert not np.allclose(before.lattice_volume, after.lattice_volume)


def test_candidates_that_do_not_exist_have_no_weight(fitted):
    X, _ = rows(20)
    X[:, FIRST_FEATURE + CANDIDATE_FEATURES] = 0.0
    found = fitted.predict_distributions(X)
    assert (found.log_weights[:, 1] < -50).all()
    X[:, FIRST_FEATURE:] = 0.0
    found = fitted.predict_distributions(X)
    assert_allclose(found.log_weights[:, -1], 0.0, atol=1e-6)
    assert np.isfinite(found.shapes).all()


def test_rows_do_not_depend_on_their_neighbours(fitted):
    X, _ = rows(50)
    together = fitted.predict_distributions(X)
    alone = fitted.predict_distributions(X[7:8])
    for whole, part in zip(together, alone, strict=True):
        assert_allclose(part, whole[7:8], rtol=1e-4, atol=1e-5)


def test_heads_differ_and_same_seed_gives_same_net(fitted):
    X, y = rows(40)
    other = X.copy()
    other[:, LATTICE] = (X[:, LATTICE] + 1) % N_LATTICES
    before, after = fitted.predict_distributions(X), fitted.predict_distributions(other)
    assert not np.allclose(before.log_weights, after.log_weights)
    again, repeated = cell_net(max_epochs=2).fit(X, y), cell_net(max_epochs=2).fit(X, y)
    assert_array_equal(
        again.predict_distributions(X).shapes, repeated.predict_distributions(X).shapes
    )


def test_loss_is_the_likelihood_of_a_mixture():
    torch.manual_seed(0)
    module = CellNetModule(
        N_COMPOSITION, N_CONTEXT, N_CANDIDATES, N_LATTICES, (8,), 8, "silu", 0.0
    ).eval()
    X, y = rows(10)
    output = module(torch.from_numpy(X))
    target = torch.from_numpy(y.astype(np.float32))
    found = CellLoss()(output, target).item()
    expected = []
    parts = [part.detach().numpy().astype(float) for part in output]
    for volume, lattice, weights, scales, shapes, row in zip(*parts, y, strict=True):
        density = 0.0
        for weight, scale, shape in zip(weights, scales, shapes, strict=True):
            density += np.exp(weight - np.abs(shape - row[8:]).sum() / scale) / scale**6
        loss = -np.log(density)
        for location, log_scale in (volume, lattice):
            loss += abs(location - row[0]) / np.exp(log_scale) + log_scale
        expected.append(loss)
    assert_allclose(found, np.mean(expected), rtol=1e-4)


def test_fixed_shapes_cost_nothing():
    module = CellNetModule(
        N_COMPOSITION, N_CONTEXT, N_CANDIDATES, N_LATTICES, (8,), 8, "silu", 0.0
    ).eval()
    X, y = rows(10)
    y[:, 1:8] = 0.0  # as of cubic cells
    output = module(torch.from_numpy(X))
    scores = CellLoss().scores(output, torch.from_numpy(y.astype(np.float32)))
    assert_allclose(scores["shape_loss"].item(), 0.0, atol=1e-5)


def test_rows_of_no_weight_do_not_count():
    X, y = rows(80)
    weight = np.ones(80)
    weight[60:] = 0.0
    y[60:, 0] = 100.0
    kept = cell_net(max_epochs=2).fit(X[:60], y[:60])
    weighted = cell_net(max_epochs=2).fit(X, y, sample_weight=weight)
    assert_allclose(
        weighted.predict_distributions(X).volume, kept.predict_distributions(X).volume, rtol=1e-5
    )
