"""Data sets: cells from COD, those in the package and those to fetch, and synthetic crystals."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
