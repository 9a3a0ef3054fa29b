"""The index of known crystals, which finds those that are like others."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"_known_crystals": ("KnownCrystals",)})
