"""Estimators of symmetry and of the unit cell, from composition and indexed cells."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
