"""Layers, their shapes and numbers of parameters, dropout and losses."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from crystalml.neural._modules import (
    ACTIVATIONS,
    MLP,
    ClassificationLoss,
    Dropout,
    RegressionLoss,
)


def shapes(module):
    return [tuple(layer.weight.shape) for layer in module if isinstance(layer, nn.Linear)]


def test_default_net_of_nine_inputs_and_a_hundred_classes():
    module = MLP(9, 100, (64, 32), "relu", 0.3, False)
    assert shapes(module) == [(64, 9), (32, 64), (100, 32)]
    assert sum(p.numel() for p in module.parameters()) == (9 + 1) * 64 + 65 * 32 + 33 * 100
    kinds = [type(layer) for layer in module]
    block = [nn.Linear, nn.ReLU, Dropout]
    assert kinds == [*block, *block, nn.Linear]


def test_batch_normalization_comes_before_the_activation():
    module = MLP(3, 2, (5,), "tanh", 0.0, True)
    assert [type(layer) for layer in module] == [nn.Linear, nn.BatchNorm1d, nn.Tanh, nn.Linear]
    assert sum(p.numel() for p in module.parameters()) == 4 * 5 + 2 * 5 + 6 * 2


def test_no_hidden_layer_is_a_linear_model():
    assert shapes(MLP(4, 3, (), "relu", 0.3, False)) == [(3, 4)]


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation_gives_finite_outputs(activation):
    module = MLP(4, 3, (8,), activation, 0.0, False)
    assert torch.isfinite(module(torch.randn(16, 4))).all()


class TestDropout:
    @pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
    def test_rate_and_expectation(self, probability):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            out = Dropout(probability)(torch.ones(1000, 1001))
        error = 5 * np.sqrt(probability * (1 - probability) / out.numel())
        assert abs((out == 0).float().mean() - probability) < error
        kept = out[out != 0]
        assert len(kept.unique()) == 1
        assert kept[0].item() == pytest.approx(1 / (1 - probability), rel=1e-4)

    def test_masks_are_fresh_in_every_call_and_layer(self):
        layer, other, x = Dropout(0.5), Dropout(0.5), torch.ones(64, 32)
        first, second, third = layer(x), layer(x), other(x)
        assert not torch.equal(first, second)
        assert not torch.equal(first, third)

    def test_units_are_independent(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            out = (Dropout(0.5)(torch.ones(20_000, 8)) > 0).numpy()
        correlation = np.corrcoef(out.T) - np.eye(8)
        assert abs(correlation).max() < 5 / np.sqrt(20_000)

    def test_gradient_passes_through_kept_units_only(self):
        x = torch.ones(50, 50, requires_grad=True)
        out = Dropout(0.4)(x)
        out.sum().backward()
        torch.testing.assert_close(x.grad, out.detach())

    def test_evaluation_changes_nothing(self):
        layer = Dropout(0.5).eval()
        x = torch.randn(5, 5)
        assert layer(x) is x

    def test_masks_larger_than_the_bulk(self):
        out = Dropout(0.5)(torch.ones(300, 300))
        assert 0.48 < (out == 0).float().mean() < 0.52

    def test_same_seed_same_masks_whatever_was_drawn_before(self):
        layer, x = Dropout(0.5), torch.ones(64, 32)
        results = []
        for n_calls_before in (0, 3):
            with torch.random.fork_rng(devices=[]):
                for _ in range(n_calls_before):
                    layer(x)
                torch.manual_seed(3)
                results.append(layer.train()(x))
        assert torch.equal(*results)

    def test_pickles_and_copies_without_masks(self):
        layer = Dropout(0.5)
        layer(torch.ones(4, 4))
        layer.eval()
        assert len(pickle.dumps(layer)) < 2000
        assert copy.deepcopy(layer).probability == 0.5


def test_weighted_cross_entropy_counts_rows_as_often_as_their_weight():
    logits, target = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    weight = torch.tensor([2.0, 1.0, 0.0, 1.0])
    repeated = [0, 0, 1, 3]
    loss = ClassificationLoss()
    torch.testing.assert_close(
        loss(logits, target, weight), loss(logits[repeated], target[repeated])
    )
    torch.testing.assert_close(
        loss.scores(logits, target, weight), loss.scores(logits[repeated], target[repeated])
    )


def test_weighted_squared_error_counts_rows_as_often_as_their_weight():
    output, target = torch.randn(4, 2), torch.randn(4, 2)
    weight = torch.tensor([2.0, 1.0, 0.0, 1.0])
    repeated = [0, 0, 1, 3]
    loss = RegressionLoss()
    torch.testing.assert_close(
        loss(output, target, weight), loss(output[repeated], target[repeated])
    )
