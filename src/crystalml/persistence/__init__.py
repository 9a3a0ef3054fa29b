"""Models as files that hold data and no code: save, load, describe and export them."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_card": ["model_card"],
        "_files": ["load", "read_manifest", "save"],
        "_manifest": ["training_facts"],
        "_onnx": ["export_onnx"],
        "_estimators": ["trusted_types"],
    },
)
