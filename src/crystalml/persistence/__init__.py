"""Models as files that hold data and no code: save, load, describe and export them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
