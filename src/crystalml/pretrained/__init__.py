"""Models that are ready to use: shipped with the package, or fitted here once and kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
