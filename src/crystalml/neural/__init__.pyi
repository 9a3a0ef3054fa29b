# The public names and where each is defined: __init__.py loads a name from here on first use.
from ._autoencoder import DescriptorAutoencoder as DescriptorAutoencoder
from ._ensemble_classifier import NetEnsembleClassifier as NetEnsembleClassifier
from ._ensemble_regressor import NetEnsembleRegressor as NetEnsembleRegressor
from ._intervals import predict_interval as predict_interval
from ._mlp import MLPNetClassifier as MLPNetClassifier
from ._mlp import MLPNetRegressor as MLPNetRegressor
from ._multi_task import MultiTaskNet as MultiTaskNet
from ._tabnet import TabNetClassifier as TabNetClassifier
from ._tabnet import TabNetRegressor as TabNetRegressor
from ._tabnet_pretrainer import TabNetPretrainer as TabNetPretrainer
from ._wide_deep import WideDeepNetClassifier as WideDeepNetClassifier
from ._wide_deep import WideDeepNetRegressor as WideDeepNetRegressor
