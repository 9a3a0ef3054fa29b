"""scikit-learn-compatible prediction of crystal symmetry and unit-cell properties.

Importing this package loads no other: every name below loads its module on first use.
"""

from crystalml._lazy import lazy_exports
from crystalml._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "crystallography": (),
        "datasets": (),
        "descriptors": ("CellDescriptors", "CompositionDescriptors"),
        "exceptions": (),
        "io": ("CIFReader", "CODClient", "read_cif", "read_cifs"),
        "model_selection": (),
        "neural": ("MLPNetClassifier", "MLPNetRegressor"),
        "plotting": (),
    },
)
