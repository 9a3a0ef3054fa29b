"""Estimators of symmetry and of the unit cell, from composition and indexed cells."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_bravais_space_group": ("BravaisSpaceGroupClassifier",),
        "_lattice_parameters": ("LatticeParameterRegressor",),
        "_log_volume": ("log_volume",),
        "_space_group_classifier": ("SpaceGroupClassifier",),
    },
)
