"""Evaluation: splits by groups, metrics for rare and unseen classes, calibration, leakage."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
