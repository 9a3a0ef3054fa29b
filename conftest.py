"""Set-up of all tests and doctests: pictures are closed, what needs a missing extra is skipped.

A test that meets an optional dependency of the package which is not installed is skipped, and the
reason names it. So one suite serves every choice of extras; `nox -s tests` installs all of them,
and `nox -s bare` shows what must work without any.
"""

import doctest
import sys
from importlib.util import find_spec

import pytest

from crystalml._dependencies import EXTRAS
from crystalml.exceptions import MissingDependencyError

# What the tests use beside the package's own extras.
_OF_TESTS = {"distributed", "dask", "onnxruntime", "polars", "psutil", "spglib"}


@pytest.fixture(autouse=True)
def doctest_figures_closed(request):
    """Keep matplotlib from warning that too many figures are open; tests close their own."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and isinstance(request.node, pytest.DoctestItem):
        pyplot.close("all")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """Skip a test whose fixtures need what is not installed."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """Skip a test that needs what is not installed."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file of tests whose imports need what is not installed."""
    report = yield
    if report.failed:
        package = missing_package(report.call.excinfo.value)
        if package is not None:
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 1, f"Skipped: {_reason(package)}")
    return report


def _skipping():
    """Run the hooks around which a wrapper stands, and skip where they miss a package."""
    try:
        return (yield)
    except Exception as error:
        package = missing_package(error)
        if package is None:
            raise
        pytest.skip(_reason(package))


def _reason(package):
    extra = EXTRAS.get(package)
    return f"needs {package}, which " + (f"the extra [{extra}] brings" if extra else "tests use")


def missing_package(error):
    """Return the optional package for want of which `error` was raised, or None."""
    while error is not None:
        failures = getattr(error, "failures", None)  # those of one doctest; the first caused all
        if failures:
            error = failures[0]
        if isinstance(error, doctest.UnexpectedException):
            error = error.exc_info[1]
        if isinstance(error, ModuleNotFoundError | MissingDependencyError):
            cause = error if isinstance(error, ModuleNotFoundError) else error.__cause__
            package = (getattr(cause, "name", None) or "").partition(".")[0]
            if package in EXTRAS.keys() | _OF_TESTS and find_spec(package) is None:
                return package
        error = error.__cause__
    return None
