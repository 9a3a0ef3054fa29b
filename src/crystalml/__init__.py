"""scikit-learn-compatible prediction of crystal symmetry and unit-cell properties.

Importing this package loads no other: every name below loads its module on first use.
"""

from crystalml._lazy import lazy_exports
from crystalml._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "crystallography": (),
        "datasets": (),
        "descriptors": (
            "CellDescriptors",
            "CompositionDescriptors",
            "MatminerDescriptors",
            "StructureDescriptors",
            "table_preprocessor",
        ),
        "exceptions": (),
        "io": (
            "CIFReader",
            "CODClient",
            "check_table",
            "cifs_to_parquet",
            "clean_cod_metadata",
            "from_ase",
            "from_pymatgen",
            "read_cif",
            "read_cifs",
            "to_ase",
            "to_pymatgen",
        ),
        "known_crystals": (),
        "model_selection": (),
        "neural": (
            "DescriptorAutoencoder",
            "MLPNetClassifier",
            "MLPNetRegressor",
            "MultiTaskNet",
            "NetEnsembleClassifier",
            "NetEnsembleRegressor",
            "TabNetClassifier",
            "TabNetPretrainer",
            "TabNetRegressor",
            "WideDeepNetClassifier",
            "WideDeepNetRegressor",
        ),
        "persistence": ("load", "save"),
        "plotting": (),
        "pretrained": ("load_pretrained",),
        "symmetry": (
            "BravaisSpaceGroupClassifier",
            "LatticeParameterRegressor",
            "SpaceGroupClassifier",
            "log_volume",
        ),
    },
)
