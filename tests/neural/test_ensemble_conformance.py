"""scikit-learn's own checks of the ensembles, and of nets with other heads."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml.neural import (
    MLPNetClassifier,
    MLPNetRegressor,
    NetEnsembleClassifier,
    NetEnsembleRegressor,
)

_NOT_EQUIVALENT = (
    "mini-batches and the choice of the rows set aside draw rows whatever their weight, so a "
    "weight of 2 equals a repeated row in expectation only (for a single net on full batches "
    "exactly so: tested in test_mlp.py)"
)
_EXPECTED_FAILURES = {"check_sample_weight_equivalence_on_dense_data": _NOT_EQUIVALENT}
_QUICK = {"max_epochs": 20, "batch_size": 16, "learning_rate": 2e-2, "hidden_layer_sizes": 16}


@parametrize_with_checks(
    [
        NetEnsembleClassifier(MLPNetClassifier(dropout=0.0, **_QUICK), 2),
        NetEnsembleRegressor(MLPNetRegressor(head="gaussian", **_QUICK), 2, bootstrap=True),
        MLPNetRegressor(head="quantile", **_QUICK),
    ],
    expected_failed_checks=lambda estimator: _EXPECTED_FAILURES,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
