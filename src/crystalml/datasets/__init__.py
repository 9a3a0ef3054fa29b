"""Data sets: cells from COD, those in the package and those to fetch, and synthetic crystals."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_cod_inorganic": ("load_cod_inorganic",),
        "_fetch_cod": ("fetch_cod",),
        "_synthetic": ("make_crystals",),
    },
)
