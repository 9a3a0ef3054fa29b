import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def closed_figures():
    """Close what a test drew, and see that no plot changed the global configuration."""
    before = dict(pyplot.rcParams)
    yield
    pyplot.close("all")
    assert dict(pyplot.rcParams) == before
