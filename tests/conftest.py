"""Shared set-up: one thread per numerical library, no display, a fixed hypothesis profile."""

import os
from pathlib import Path

# Small nets and small matrices run faster on one thread; must be set before torch loads.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest

hypothesis.settings.register_profile("crystalml", deadline=None, derandomize=True)
hypothesis.settings.load_profile("crystalml")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real data that developers may have beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data folder is not beside this checkout")
    return SHARED_DATA
