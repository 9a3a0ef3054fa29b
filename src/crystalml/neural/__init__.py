"""Neural nets as scikit-learn estimators: torch modules, trained by skorch.

Needs the extra ``neural``: ``pip install 'crystalml-sklearn[neural]'``.
"""

from crystalml._dependencies import import_optional

for _package in ("torch", "skorch", "pytorch_tabnet"):
    import_optional(_package, needed_by="crystalml.neural")

from crystalml.neural._autoencoder import DescriptorAutoencoder  # noqa: E402
from crystalml.neural._ensemble_classifier import NetEnsembleClassifier  # noqa: E402
from crystalml.neural._ensemble_regressor import NetEnsembleRegressor  # noqa: E402
from crystalml.neural._intervals import predict_interval  # noqa: E402
from crystalml.neural._mlp import MLPNetClassifier, MLPNetRegressor  # noqa: E402
from crystalml.neural._multi_task import MultiTaskNet  # noqa: E402
from crystalml.neural._tabnet import TabNetClassifier, TabNetRegressor  # noqa: E402
from crystalml.neural._tabnet_pretrainer import TabNetPretrainer  # noqa: E402
from crystalml.neural._wide_deep import (  # noqa: E402
    WideDeepNetClassifier,
    WideDeepNetRegressor,
)

__all__ = [
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
    "predict_interval",
]
