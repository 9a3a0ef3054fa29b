"""What is borrowed from torch is given back."""

import pytest
import torch

from crystalml.exceptions import InvalidInputError
from crystalml.neural._torch_state import find_device, seeded, threads

_CPU = torch.device("cpu")


def test_seed_decides_numbers_and_global_state_returns():
    before = torch.get_rng_state()
    draws = []
    for _ in range(2):
        with seeded(7, _CPU, 1):
            draws.append(torch.rand(3))
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), before)


def test_state_returns_after_an_error():
    before, n_before = torch.get_rng_state(), torch.get_num_threads()

    def fail():
        with seeded(7, _CPU, n_before + 1):
            raise ZeroDivisionError(torch.rand(3))

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == n_before


def test_threads_are_set_for_a_while_only():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with threads(None):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_automatic_device_exists():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device("auto", caller="net").type == expected


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "tpu"])
def test_unknown_device(device):
    with pytest.raises(InvalidInputError, match="is unknown; use 'auto', 'cpu', 'cuda'"):
        find_device(device, caller="net")


def test_device_that_is_not_there():
    with pytest.raises(InvalidInputError, match="device='cuda:99' was asked for, but torch sees"):
        find_device("cuda:99", caller="net")
