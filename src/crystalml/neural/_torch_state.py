"""State that torch keeps per process (generator, threads): set for a while, then restored."""

import threading
from contextlib import contextmanager

import torch

from crystalml.exceptions import InvalidInputError

# One generator and one thread count for the whole process: fits in threads take turns.
_TORCH_STATE = threading.RLock()


@contextmanager
def seeded(seed, device, n_threads):
    """Seed torch and set its threads for a while; then everything is as it was before."""
    # To save the state of a graphics card would start CUDA where nobody asked for it.
    cuda = [] if device.type == "cpu" else [device]
    with _TORCH_STATE, torch.random.fork_rng(devices=cuda), threads(n_threads):
        # Not torch.manual_seed, which seeds every card, and fork_rng restores those it was told of.
        torch.default_generator.manual_seed(seed)
        for gpu in cuda:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def threads(n_threads):
    """Let torch compute with `n_threads` threads for a while; None changes nothing."""
    before = torch.get_num_threads()
    if n_threads is None or n_threads == before:
        yield
        return
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def find_device(device, *, caller):
    """Return the torch device meant by the parameter `device`.

    Raises
    ------
    InvalidInputError
        If there is no such device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    family, _, number = device.partition(":")
    # Devices on which nothing was tested are refused, not tried.
    if family not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise InvalidInputError(
            f"{caller}: device={device!r} is unknown; use 'auto', 'cpu', 'cuda' or 'cuda:<number>'."
        )
    if family == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InvalidInputError(
            f"{caller}: device={device!r} was asked for, but torch sees "
            f"{torch.cuda.device_count()} CUDA devices. Use device='cpu' or 'auto'."
        )
    return torch.device(family, int(number or 0)) if family == "cuda" else torch.device("cpu")
