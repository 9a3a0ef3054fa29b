"""Doctests of the package and of the pages close what they have drawn."""

import sys

import pytest


@pytest.fixture(autouse=True)
def doctest_figures_closed(request):
    """Keep matplotlib from warning that too many figures are open; tests close their own."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and isinstance(request.node, pytest.DoctestItem):
        pyplot.close("all")
