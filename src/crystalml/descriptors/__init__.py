"""Transformers that turn cells and formulas into numbers that any estimator can learn from."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
