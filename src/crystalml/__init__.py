"""scikit-learn-compatible prediction of crystal symmetry and unit-cell properties.

Importing this package loads no other: every name below loads its module on first use.
"""

import lazy_loader

from crystalml._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
