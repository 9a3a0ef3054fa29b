"""Data sets: real cells from COD that come with the package, and synthetic crystals."""

from crystalml.datasets._cod_inorganic import load_cod_inorganic

__all__ = ["load_cod_inorganic"]
