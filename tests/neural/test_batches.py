"""Every row once per pass, in a new order, in slices of the right size."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from torch.utils.data import Subset

from crystalml.neural import _batches
from crystalml.neural._batches import Batches, PermutedBatches, apply_in_double, apply_in_slices
from crystalml.neural._training import RowData


def subset(n_rows, weighted=False):
    X = torch.arange(2 * n_rows, dtype=torch.float32).view(n_rows, 2)
    weight = torch.arange(n_rows, dtype=torch.float32) if weighted else None
    rows = np.arange(1, n_rows)  # row 0 is not part of the subset
    return Subset(RowData(X, torch.arange(n_rows), weight), rows)


@given(st.integers(2, 200), st.integers(1, 70), st.integers(1, 64))
def test_a_pass_gives_every_row_once(n_rows, batch_size, block_rows):
    batches = PermutedBatches(subset(n_rows, weighted=True), batch_size)
    batches.batches_per_block = max(1, block_rows // batch_size)
    seen = list(batches)
    X, y, weight = (
        torch.cat(parts) for parts in zip(*((x, t, w) for x, (t, w) in seen), strict=True)
    )
    assert_array_equal(y.sort().values, np.arange(1, n_rows))
    assert_array_equal(X[:, 0], 2 * y)
    assert_array_equal(weight, y)


@given(st.integers(3, 200), st.integers(2, 70))
def test_a_small_rest_joins_the_batch_before(n_rows, batch_size):
    sizes = [len(X) for X, _ in PermutedBatches(subset(n_rows), batch_size)]
    assert sum(sizes) == n_rows - 1
    assert min(sizes) >= 2
    assert all(size == batch_size for size in sizes[:-1])
    if len(sizes) > 1:
        assert batch_size / 8 <= sizes[-1] < 1.125 * batch_size + 1


@pytest.mark.parametrize(
    ("n_rows", "sizes"), [(135, [64, 71]), (136, [64, 64, 8]), (7, [7]), (65, [65]), (64, [64])]
)
def test_sizes_of_batches(n_rows, sizes):
    assert [len(X) for X, _ in PermutedBatches(subset(n_rows + 1), 64)] == sizes


def test_batches_of_one_row_where_they_are_asked_for():
    assert [len(X) for X, _ in PermutedBatches(subset(6), 1)] == [1] * 5


def test_order_is_new_in_every_pass_and_crosses_blocks():
    n_rows = 3 * _batches._BLOCK_ROWS
    batches = PermutedBatches(subset(n_rows), 64)
    first, second = (torch.cat([t for _, (t, _) in batches]) for _ in range(2))
    assert not torch.equal(first, second)
    block = first[: _batches._BLOCK_ROWS].float()
    assert abs(block.mean() / n_rows - 0.5) < 0.02


def test_validation_batches_keep_the_order():
    y = torch.cat([t for _, (t, _) in Batches(subset(100), 32)])
    assert_array_equal(y, np.arange(1, 100))


@pytest.mark.parametrize("n_rows", [1, 4096, 4097, 10_000])
def test_slices_give_what_one_pass_gives(n_rows):
    class FakeNet:
        module_ = torch.nn.Linear(3, 2)
        device = "cpu"

    X = np.random.default_rng(0).standard_normal((n_rows, 3)).astype(np.float32)
    sizes = []

    def finish(output):
        sizes.append(len(output))
        return output.numpy()

    result = apply_in_slices(FakeNet, X, finish, n_threads=1)
    with torch.no_grad():
        expected = FakeNet.module_(torch.from_numpy(X))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert max(sizes) <= 4096


def test_double_precision_leaves_the_net_as_it_is():
    class FakeNet:
        module_ = torch.nn.Linear(3, 2)
        device = "cpu"

    X = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)

    def apply(X, **arguments):
        return apply_in_double(FakeNet, X, lambda output: output.numpy(), n_threads=1, **arguments)

    weight, bias = (part.detach().numpy() for part in FakeNet.module_.parameters())
    expected = X.astype(np.float64) @ weight.astype(np.float64).T + bias
    assert apply(X).dtype == np.float64
    np.testing.assert_allclose(apply(X), expected, rtol=1e-14)
    twice = apply(X, function=lambda module, rows: 2 * module(rows))
    assert_array_equal(twice, 2 * apply(X))
    assert FakeNet.module_.weight.dtype == torch.float32
