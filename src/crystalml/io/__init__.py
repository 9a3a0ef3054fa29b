"""Read CIF files, however they are written, into one table; and fetch them from the COD."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
