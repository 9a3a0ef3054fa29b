"""What crystalml raises and warns: one tree, every leaf also a standard exception."""

__all__ = [
    "CIFError",
    "CellError",
    "CrystalmlError",
    "CrystalmlWarning",
    "DownloadError",
    "FormulaError",
    "IgnoredInputWarning",
    "ImplausibleCellWarning",
    "InvalidInputError",
    "MissingDependencyError",
    "ParquetError",
    "PersistenceError",
    "SchemaError",
    "SkippedRowsWarning",
    "SpaceGroupError",
]


class CrystalmlError(Exception):
    """Base of everything that crystalml raises on purpose."""


class InvalidInputError(CrystalmlError, ValueError):
    """A value that cannot be used; the message names caller, value, rule and remedy."""


class CellError(InvalidInputError):
    """Six numbers that are no unit cell."""


class FormulaError(InvalidInputError):
    """Text that is no chemical formula, or one that names no fixed composition."""


class SpaceGroupError(InvalidInputError):
    """A symbol or number that names no space group."""


class CIFError(InvalidInputError):
    """A file that is no CIF, or a CIF without what was asked of it."""


class SchemaError(InvalidInputError):
    """A table whose columns are not those of the column schema."""


class DownloadError(CrystalmlError, OSError):
    """A server that cannot be reached or sends something unusable, or a folder that refuses it."""


class ParquetError(CrystalmlError, OSError):
    """A Parquet data set that cannot be written or continued; finished parts are safe."""


class PersistenceError(CrystalmlError, ValueError):
    """A model that cannot be saved as data, or a file that holds no model to be trusted."""


class MissingDependencyError(CrystalmlError, ImportError):
    """An optional dependency is needed and not installed; the message has the command."""


class CrystalmlWarning(UserWarning):
    """Base of the warnings of crystalml."""


class ImplausibleCellWarning(CrystalmlWarning):
    """A cell that no crystal of its composition has, as when it is given in another unit."""


class IgnoredInputWarning(CrystalmlWarning):
    """Something was given that the model does not look at."""


class SkippedRowsWarning(CrystalmlWarning):
    """Rows of a table that cannot be answered and are left out of the answer."""
