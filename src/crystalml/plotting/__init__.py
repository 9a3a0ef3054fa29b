"""Pictures: each function takes data and an optional Axes, and returns the Axes."""

import lazy_loader

# matplotlib loads with the first plot, not with the package.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
