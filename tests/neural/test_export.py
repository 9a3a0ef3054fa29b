"""The module that is exported: what it takes, and that it is a copy. ONNX itself: test_onnx.py."""

import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from crystalml.exceptions import InvalidInputError
from crystalml.neural import MLPNetClassifier, MultiTaskNet
from crystalml.neural._export import exportable, scaling

X, y = load_iris(return_X_y=True)


def test_the_estimator_keeps_its_own_net():
    scaler = StandardScaler().fit(X)
    net = MLPNetClassifier(max_epochs=2, batch_normalization=True, random_state=0)
    net.fit(scaler.transform(X), y)
    expected = net.predict_proba(scaler.transform(X))
    net.net_.module_.train()  # what export does to the module must not reach this one
    scales = [scaling(scaler, "scaler", caller="test")]
    module, outputs = exportable(net, scales, caller="test")
    assert net.net_.module_.training
    assert not any(part.training for part in module.modules())
    assert outputs == ("probabilities",)
    assert_allclose(module(torch.from_numpy(X)).detach(), expected, rtol=1e-5, atol=1e-7)
    shared = {id(weight) for weight in net.net_.module_.parameters()}
    assert not any(id(weight) in shared for weight in module.parameters())


def test_nets_with_several_outputs_are_refused():
    net = MultiTaskNet(max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(InvalidInputError, match="MultiTaskNet is no classifier or regressor with"):
        exportable(net, [], caller="export_onnx")
