"""scikit-learn-compatible prediction of crystal symmetry and unit-cell properties.

Importing this package loads no other: every name below loads its module on first use.
"""

from crystalml._lazy import lazy_exports
from crystalml._version import __version__

__getattr__, __dir__, _public = lazy_exports(
    __name__,
    {
        "crystallography": (),
        "datasets": (),
        "descriptors": (),
        "exceptions": (),
        "io": (),
        "model_selection": (),
        "neural": (),
        "plotting": (),
    },
)
__all__ = [*_public, "__version__"]
