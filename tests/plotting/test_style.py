import itertools
import subprocess
import sys

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from crystalml.exceptions import MissingDependencyError
from crystalml.plotting import plot_learning_curve
from crystalml.plotting._style import OKABE_ITO


def test_colours_differ_in_lightness_or_hue_for_every_kind_of_vision():
    # Protanopia and deuteranopia by Viénot, Brettel and Mollon (1999), in linear RGB.
    for lost in ((0.11238, 0.88762), (0.29275, 0.70725)):
        seen = []
        for colour in OKABE_ITO:
            red, green, blue = (value**2.2 for value in to_rgb(colour))
            seen.append((lost[0] * red + lost[1] * green, blue))
        for one, other in itertools.combinations(seen, 2):
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) > 0.1**2


def test_importing_the_package_loads_no_matplotlib():
    code = "import sys, crystalml.plotting; print('matplotlib' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


class NoMatplotlib:
    """Stand before all finders as if matplotlib were not installed."""

    def find_spec(self, name, path, target=None):
        if name == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name=name)


def test_missing_matplotlib_is_named(monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoMatplotlib(), *sys.meta_path])
    with pytest.raises(MissingDependencyError, match="plot_learning_curve needs matplotlib"):
        plot_learning_curve(pd.DataFrame({"epoch": [1], "train_loss": [1.0]}))
