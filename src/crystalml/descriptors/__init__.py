"""Transformers that turn cells and formulas into numbers that any estimator can learn from."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_cell": ["CellDescriptors"],
        "_composition": ["CompositionDescriptors"],
        "_matminer": ["MatminerDescriptors"],
        "_structure": ["StructureDescriptors"],
        "_table": ["table_preprocessor"],
        "_table_columns": ["TableColumnSelector"],
    },
)
