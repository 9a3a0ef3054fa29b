"""Training and prediction of the 9-64-32-100 net and of TabNet beside their peers.

All but scikit-learn's MLPClassifier, which has no dropout, train with dropout 0.3.
"""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn.functional import cross_entropy

from _harness import compare
from crystalml.neural import MLPNetClassifier, TabNetRegressor

N_ROWS, N_FEATURES, N_CLASSES, EPOCHS = 10_000, 9, 100, 5
LAYERS = (64, 32)


def make_rows(n_rows, dtype=np.float32):
    """Draw inputs of unit variance and labels that every class has some of."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_FEATURES)).astype(dtype)
    return X, (rng.permutation(n_rows) % N_CLASSES).astype(np.int64)


def new_module():
    """Build the net from torch's own parts."""
    return nn.Sequential(
        nn.Linear(N_FEATURES, 64),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(32, N_CLASSES),
    )


def plain_loop(X, y, batch_size, epochs):
    """Train as one would write it by hand: permuted tensors, slices, default Adam."""
    module = new_module()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        X_permuted, y_permuted = X[order], y[order]
        total = 0.0
        for start in range(0, len(X), batch_size):
            optimizer.zero_grad()
            output = module(X_permuted[start : start + batch_size])
            loss = cross_entropy(output, y_permuted[start : start + batch_size])
            loss.backward()
            optimizer.step()
            total += loss.item()


def skorch_defaults(X, y, batch_size, epochs):
    """Train the same module with skorch's classifier as it comes."""
    NeuralNetClassifier(
        new_module,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=epochs,
        train_split=None,
        verbose=0,
    ).fit(X, y)


def sklearn_mlp(X, y, batch_size, epochs):
    """Train scikit-learn's classifier, which has no dropout, for the same epochs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPClassifier(
            LAYERS, batch_size=batch_size, max_iter=epochs, n_iter_no_change=epochs, random_state=0
        ).fit(X, y)


def ours(X, y, batch_size, epochs):
    return MLPNetClassifier(
        LAYERS,
        batch_size=batch_size,
        max_epochs=epochs,
        validation_fraction=None,
        random_state=0,
    ).fit(X, y)


def training(batch_size, loop_target, sklearn_target):
    X, y = make_rows(N_ROWS)
    job = (X, y, batch_size, EPOCHS)
    short = (X, y, batch_size, 1)
    return compare(
        f"train 9-64-32-100, 10,000 rows, batch {batch_size}, {EPOCHS} epochs",
        lambda: ours(*job),
        {
            "plain torch loop": (lambda: plain_loop(*job), loop_target, 1),
            "skorch NeuralNetClassifier": (lambda: skorch_defaults(*short), 2.0, EPOCHS),
            "scikit-learn MLPClassifier": (lambda: sklearn_mlp(*job), sklearn_target, 1),
        },
        repeat=7,
    )


def single_rows():
    """Predict one row at a time through a pipeline with a scaler."""
    X, y = make_rows(2_000, np.float64)
    nets = {
        "ours": MLPNetClassifier(max_epochs=1),
        "MLPClassifier": MLPClassifier(LAYERS, max_iter=1),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = {
            name: make_pipeline(StandardScaler(), net).fit(X, y) for name, net in nets.items()
        }

    def predict_rows(model):
        for row in range(200):
            model.predict(X[row : row + 1])

    return compare(
        "predict 200 single rows through Pipeline(StandardScaler, net)",
        lambda: predict_rows(models["ours"]),
        {
            "the same with scikit-learn MLPClassifier": (
                lambda: predict_rows(models["MLPClassifier"]),
                1.0,
                1,
            )
        },
        repeat=15,
    )


def many_rows():
    """Predict 100,000 rows in one call."""
    X, y = make_rows(100_000)
    net = ours(X[:N_ROWS], y[:N_ROWS], 1024, 1)
    module, rows = net.net_.module_, torch.from_numpy(X)

    @torch.inference_mode()
    def bare_module():
        return torch.cat([module(part).argmax(dim=1) for part in rows.split(4096)])

    return compare(
        "predict 100,000 rows",
        lambda: net.predict(X),
        {"bare module in chunks of 4,096": (bare_module, 1 / 1.3, 1)},
        repeat=15,
    )


def tabnet_training():
    """Train TabNet of the study's sizes; both train on all rows, without validation rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytorch-tabnet warns of SciPy's modules and its device
        from pytorch_tabnet.tab_model import TabNetRegressor as PytorchTabNetRegressor

        X, _ = make_rows(N_ROWS)
        y = X[:, 0] * X[:, 1] + X[:, 2]
        epochs = 2

        def peer():
            PytorchTabNetRegressor(
                n_d=64,
                n_a=64,
                n_steps=5,
                gamma=1.5,
                lambda_sparse=1e-4,
                optimizer_params={"lr": 1e-3},
                device_name="cpu",
                verbose=0,
            ).fit(X, y[:, None], max_epochs=epochs, patience=0, drop_last=False)

        return compare(
            f"train TabNet (64, 64, 5), 10,000 rows, batch 1024, {epochs} epochs",
            lambda: TabNetRegressor(
                max_epochs=epochs, validation_fraction=None, random_state=0
            ).fit(X, y),
            {"pytorch-tabnet TabNetRegressor": (peer, 1 / 0.85, 1)},
            repeat=5,
        )


def benchmarks():
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            return [
                *training(64, 1 / 0.9, 1 / 1.5),
                *training(1024, 1 / 0.9, 1.0),
                *single_rows(),
                *many_rows(),
                *tabnet_training(),
            ]
    finally:
        torch.set_num_threads(threads_before)
