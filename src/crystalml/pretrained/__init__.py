"""Models that are ready to use: shipped with the package, or fitted here once and kept."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_card": ["pretrained_card"],
        "_load": ["load_pretrained"],
    },
)
