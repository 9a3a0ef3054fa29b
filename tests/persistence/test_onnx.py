"""Exported nets give the numbers of predict_proba and predict, in another run time."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from crystalml import DescriptorAutoencoder, MLPNetClassifier, MLPNetRegressor
from crystalml.exceptions import InvalidInputError
from crystalml.persistence import export_onnx

onnxruntime = pytest.importorskip("onnxruntime")

X, codes = load_iris(return_X_y=True)
TINY = {"hidden_layer_sizes": (5,), "max_epochs": 3, "random_state": 0}


def exported(model, folder):
    path = folder / "net.onnx"
    export_onnx(model, path)
    assert list(folder.iterdir()) == [path]
    return onnxruntime.InferenceSession(path)


def test_classifier_with_scalers(tmp_path):
    table = pd.DataFrame(X, columns=list("abcd"))
    labels = np.array(["cubic", "trigonal", "monoclinic"])[codes]
    net = MLPNetClassifier(batch_normalization=True, **TINY)
    scalers = StandardScaler(with_mean=False), RobustScaler(), MinMaxScaler((-1, 2)), "passthrough"
    model = make_pipeline(*scalers, net).fit(table, labels)
    session = exported(model, tmp_path)
    (probabilities,) = session.run(None, {"X": X})
    np.testing.assert_allclose(probabilities, model.predict_proba(table), atol=1e-6)
    (one,) = session.run(["probabilities"], {"X": X[:1]})
    np.testing.assert_allclose(one, probabilities[:1], atol=1e-6)
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == net.classes_.tolist()
    assert json.loads(known["columns"]) == list("abcd")


def test_regressor_with_standard_deviations(tmp_path):
    y = np.column_stack([codes * 100.0 + 7, X[:, 0]])
    model = MLPNetRegressor(head="gaussian", **TINY).fit(X, y)
    predictions, std = exported(model, tmp_path).run(["predictions", "std"], {"X": X})
    wanted = model.predict(X, return_std=True)
    np.testing.assert_allclose(predictions, wanted[0], rtol=1e-5)
    np.testing.assert_allclose(std, wanted[1], rtol=1e-5)


def test_what_cannot_be_exported(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(NotFittedError):
        export_onnx(MLPNetClassifier(), path)
    with pytest.raises(InvalidInputError, match="no net of crystalml"):
        export_onnx(LogisticRegression(), path)
    model = make_pipeline(PCA(2), MLPNetClassifier(**TINY)).fit(X, codes)
    with pytest.raises(InvalidInputError, match="step 'pca' is a PCA"):
        export_onnx(model, path)
    with pytest.raises(InvalidInputError, match="DescriptorAutoencoder is no classifier"):
        export_onnx(DescriptorAutoencoder(2, **TINY).fit(X), path)
    assert not path.exists()
