"""Without torch or skorch, a sentence says what to install."""

import subprocess
import sys

import pytest

import crystalml.neural

_PROGRAM = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r}:
            raise ModuleNotFoundError("no " + name, name=name)
sys.meta_path.insert(0, Missing())
from crystalml.exceptions import MissingDependencyError
try:
    import crystalml.neural
except MissingDependencyError as error:
    print(error)
"""


@pytest.mark.parametrize("package", ["torch", "skorch"])
def test_missing_package_is_named_with_the_command(package):
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(package=package)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == (
        f"crystalml.neural needs {package}, which is not installed; "
        "run: pip install 'crystalml-sklearn[neural]'"
    )


def test_public_names_are_sorted():
    assert crystalml.neural.__all__ == sorted(crystalml.neural.__all__)
    assert all(hasattr(crystalml.neural, name) for name in crystalml.neural.__all__)
